// SPDX-License-Identifier: Apache-2.0

package world

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"tapswitch/hsm"
	"tapswitch/iso8583"
	"tapswitch/simulators/oracle"
	"tapswitch/terminal/kernel"
)

// sale is a message that is answered with a yes or a no, and what its reversal
// needs.
type sale struct {
	kind   oracle.Kind
	of     *sale // of a void or a refund: what it takes back; of a completion: what is held
	batch  uint32
	trace  uint32
	amount int64
	card   kernel.Outcome
	entry  string // field 22 without its last digit, which tells of the PIN
	chip   bool   // the chip's word goes along
	rrn    string // of the answer
	auth   string
	date   string // of the answer, MMDD
	why    string // field 39 of its reversal
	body   []byte // as it was sent

	at      string // whose sale it was
	over    bool   // of a refund: there is an answer
	touched bool   // a refund was asked for
	left    int64  // of a purchase: what was not given back
	script  string // of the result of a script: what it says
}

// original names what a sale is about, at whichever terminal that was.
func (p *pos) original(s *sale) oracle.Key {
	k := p.key(s.of)
	if s.of.at != "" {
		k.Terminal = s.of.at
	}
	return k
}

// repeats says whether a sale without an answer is sent again, and not reversed.
func (s *sale) repeats() bool {
	return s.kind == oracle.Refund || s.kind == oracle.OfflineSale || s.kind == oracle.CompletionAdvice
}

// begin taps a card for a new message; nil when there is a finding.
func (p *pos) begin(kind oracle.Kind, amount int64) *sale {
	out, err := p.tap(max(amount, 1)) // a kernel refuses an amount of nothing
	if err != nil || out.Kind != kernel.OnlineRequest {
		p.w.finding("terminal: card: %v %v %v", out.Kind, out.Reason, err)
		return nil
	}
	p.mem.trace++
	return &sale{kind: kind, at: p.id, batch: p.mem.batch, trace: p.mem.trace, amount: amount, card: out, entry: "07", chip: true, why: "98"}
}

// sell is one purchase or cash withdrawal: the reversal is in memory before the
// message leaves.
func (p *pos) sell() {
	w := p.w
	kind := oracle.Purchase
	if w.rng.IntN(8) == 0 {
		kind = oracle.Cash
	}
	s := p.begin(kind, 100+w.rng.Int64N(50_000))
	if s == nil {
		return
	}
	w.payments++
	p.mem.pending = s
	p.insist(s, w.rng.IntN(2) == 0)
}

// inquire asks for a balance, with the stripe of a card: nothing to reverse.
func (p *pos) inquire() {
	s := p.begin(oracle.Inquiry, 0)
	if s == nil {
		return
	}
	s.entry, s.chip = "02", false
	p.insist(s, p.w.rng.IntN(3) == 0)
}

// offline tells of a sale that was authorised by telephone, until it is taken.
func (p *pos) offline() {
	s := p.begin(oracle.OfflineSale, 100+p.w.rng.Int64N(50_000))
	if s == nil {
		return
	}
	p.w.payments++
	s.entry, s.chip, s.auth = "01", false, fmt.Sprintf("T%05d", s.trace)
	p.mem.pending = s
	p.insist(s, false)
}

// refund gives a part of the last purchase back, or asks for more than is left.
func (p *pos) refund() {
	last := p.mem.last
	p.mem.trace++
	s := &sale{kind: oracle.Refund, of: last, batch: p.mem.batch, trace: p.mem.trace, card: last.card, entry: "01"}
	if last.left <= 0 || p.w.rng.IntN(6) == 0 {
		s.amount = max(last.left, 0) + 1 + p.w.rng.Int64N(100)
		p.vain("refund of more than is left", s)
		return
	}
	last.touched = true
	s.amount = 1 + p.w.rng.Int64N(last.left)
	p.mem.pending = s
	if other := p.w.shops[p.w.rng.IntN(len(p.w.shops))]; other != p && other.tak != nil && !other.done && p.w.rng.IntN(3) == 0 {
		p.w.fault("refunds of one sale at once")
		s := other.besides(last)
		p.w.sched.start(other.group, func() { other.insist(s, false) })
	}
	p.insist(s, false)
}

// besides makes a refund of another terminal's sale, which gives a part of it back
// itself at that moment.
func (p *pos) besides(of *sale) *sale {
	p.mem.trace++
	s := &sale{kind: oracle.Refund, of: of, batch: p.mem.batch, trace: p.mem.trace, amount: 1 + p.w.rng.Int64N(of.left), card: of.card, entry: "01"}
	p.mem.aside = append(p.mem.aside, s)
	return s
}

// takeBack undoes the last payment: by its reversal, or by a void.
func (p *pos) takeBack() {
	last := p.mem.last
	p.mem.last = nil
	if p.w.rng.IntN(2) == 0 {
		last.why = "06"
		p.mem.pending = last
		p.forget(last.trace)
		return
	}
	s := p.void(last)
	p.mem.pending = s
	p.insist(s, false)
}

// void makes the void of a sale, for which no card is read.
func (p *pos) void(of *sale) *sale {
	p.mem.trace++
	return &sale{kind: oracle.Void, of: of, batch: p.mem.batch, trace: p.mem.trace, amount: of.amount, card: of.card, entry: "01", auth: of.auth, why: "98"}
}

// insist sends a message until there is an answer that can be believed, some times.
func (p *pos) insist(s *sale, pin bool) {
	w := p.w
	var err error
	if s.body, err = p.request(s, pin); err != nil {
		w.finding("terminal: %s: %v", s.kind, err)
		return
	}
	patience := 4500 * time.Millisecond
	if w.rng.IntN(4) == 0 {
		patience = w.between(300*time.Millisecond, 2*time.Second)
	}
	for range 3 {
		if s.over {
			return
		}
		answer, from := p.talk(s.body, p.ask(s), patience)
		if p.settle(s, answer, from) || w.calm || w.rng.IntN(3) != 0 {
			return
		}
		w.fault("terminal repeats")
	}
}

// ask is a message as the oracle hears of it.
func (p *pos) ask(s *sale) *oracle.Ask {
	a := &oracle.Ask{Kind: s.kind, Key: p.key(s), Amount: s.amount}
	if s.of != nil {
		a.Of = p.original(s)
	}
	a.Script = hex.EncodeToString([]byte(s.script))
	return a
}

// settle takes an answer in; false when there is none that can be believed.
func (p *pos) settle(s *sale, answer []byte, from *oracle.Ask) bool {
	var v iso8583.View
	if answer == nil || !p.believes(answer, &v, s) {
		return false
	}
	from.Received = p.w.sched.since()
	p.hear(text(&v, 39))
	if s.kind == oracle.ScriptResult {
		p.scriptTold(s, text(&v, 39))
		return true
	}
	if p.mem.pending == s {
		p.mem.pending = nil
	}
	if s.over { // two of its calls were answered
		return true
	}
	s.over = s.kind == oracle.Refund
	p.mem.aside = slices.DeleteFunc(p.mem.aside, func(o *sale) bool { return o == s })
	if text(&v, 39) == "00" {
		s.rrn, s.auth, s.date = text(&v, 37), text(&v, 38), text(&v, 13)
		p.approved(s)
		p.brought(s, v.Raw(55))
	} else if s.repeats() && s.kind != oracle.Refund && !s.givesUp(text(&v, 39)) {
		p.mem.pending = s // it has happened all the same
		if text(&v, 39) == "77" && s.batch < p.mem.batch {
			s.batch = p.mem.batch // its own was closed without it
		}
	}
	return true
}

// approved takes a yes into the memory.
func (p *pos) approved(s *sale) {
	p.count(s)
	switch s.kind {
	case oracle.Purchase, oracle.Cash:
		p.mem.last, s.left = s, s.amount
		p.mem.holds = append(p.mem.holds, p.key(s))
	case oracle.OfflineSale:
		p.mem.holds = append(p.mem.holds, p.key(s))
	case oracle.Void:
		p.forget(s.of.trace)
		p.mem.gone = s.of
		p.mem.voids = append(p.mem.voids, oracle.Taken{Key: p.key(s), Of: p.key(s.of)})
	case oracle.Refund:
		s.of.left -= s.amount
		p.mem.refunds = append(p.mem.refunds, oracle.Taken{Key: p.key(s), Of: p.original(s)})
	default:
		p.approvedHold(s)
	}
}

// hear fetches new keys after the codes that ask for it.
func (p *pos) hear(code string) {
	switch code {
	case "A0", "99", "77", "97":
		p.tak = nil
	}
}

// believes says whether an answer is to this sale and authentic. One that is
// not makes the terminal fetch new keys.
func (p *pos) believes(answer []byte, v *iso8583.View, s *sale) bool {
	if !p.authentic(answer, v) {
		return false
	}
	amount, err := v.Uint(4)
	if s.kind == oracle.Inquiry {
		amount, err = 0, nil
	}
	return err == nil && amount == uint64(s.amount)
}

// authentic says whether an answer's MAC is right and it is to this terminal.
func (p *pos) authentic(answer []byte, v *iso8583.View) bool {
	if p.tak == nil || p.layout.Parse(answer, v) != nil || !v.Has(64) {
		p.tak = nil
		return false
	}
	from, _ := v.Span(64)
	var mac [8]byte
	copy(mac[:], v.Raw(64))
	if p.module.VerifyMAC(context.Background(), p.tak, hsm.MACUnionPayECB, v.Bytes()[:from], mac[:]) != nil {
		p.tak = nil
		return false
	}
	return text(v, 41) == p.id
}

// undo sends the reversal that is due, once; live comes back to it.
func (p *pos) undo() {
	s := p.mem.pending
	body, err := p.reversal(s)
	if err != nil {
		p.w.finding("terminal: reversal: %v", err)
		return
	}
	ask := &oracle.Ask{Kind: oracle.Reversal, Key: p.key(s), Amount: s.amount}
	answer, from := p.talk(body, ask, 4*time.Second)
	var v iso8583.View
	if answer == nil || !p.believes(answer, &v, s) {
		if answer != nil && p.layout.Parse(answer, &v) == nil { // without a MAC: the terminal is not known as signed on
			p.hear(text(&v, 39))
		}
		return
	}
	from.Received = p.w.sched.since()
	switch code := text(&v, 39); code {
	case "00", "12", "25":
		p.mem.pending = nil
		p.strike(s.trace)
		if (s.kind == oracle.Purchase || s.kind == oracle.Cash) && s.rrn != "" {
			p.mem.gone = s
		}
	case "64": // it stands
		if s.rrn == "" {
			p.w.finding("terminal: reversal of trace %d, whose end nobody knows, is refused with 64", s.trace)
		}
		p.mem.pending = nil
	default:
		p.hear(code)
	}
}

// nonsense is a message in a wrong form: it must be refused and harm nothing.
func (p *pos) nonsense() {
	w := p.w
	s := p.begin(oracle.Purchase, 100)
	if s == nil {
		return
	}
	body, err := p.request(s, w.rng.IntN(2) == 0)
	if err != nil {
		w.finding("terminal: purchase: %v", err)
		return
	}
	ask := p.ask(s)
	ask.Malformed = true
	switch w.rng.IntN(3) {
	case 0:
		w.fault("message cut short")
		body = body[:w.rng.IntN(len(body))]
	case 1:
		w.fault("message without authentic mac")
		body[len(body)-1] ^= 1
		ask.NoMAC = true
	default:
		w.fault("message garbled")
		body[w.rng.IntN(len(body))] ^= 1 << w.rng.IntN(8)
		ask.NoMAC = true
	}
	p.talk(body, ask, time.Second)
}

// altered is the last payment's message once more, for another amount.
func (p *pos) altered() {
	again := *p.mem.last
	again.amount += 1 + p.w.rng.Int64N(100)
	again.chip = false // the chip's word is of the amount that was tapped
	p.vain("repeat with another amount", &again)
}

// voidInVain is the void of what was taken back already.
func (p *pos) voidInVain() {
	p.vain("void of what was taken back", p.void(p.mem.gone))
}

// vain sends what must be refused.
func (p *pos) vain(kind string, s *sale) {
	body, err := p.request(s, false)
	if err != nil {
		p.w.finding("terminal: %s: %v", kind, err)
		return
	}
	p.w.fault(kind)
	ask := p.ask(s)
	ask.Vain = true
	p.vainly = p.w.sched.mono.Add(longestLate + underWay)
	p.talk(body, ask, 4*time.Second)
}
