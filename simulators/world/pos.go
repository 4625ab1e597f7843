// SPDX-License-Identifier: Apache-2.0

package world

import (
	"context"
	"fmt"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/soft"
	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/unionpaypos"
	"tapswitch/simulators/oracle"
	"tapswitch/terminal/kernel"
)

const merchant = "104110059990001"

func terminalID(i int) string { return fmt.Sprintf("1000%04d", i) }

const batch = 1

// pos is one terminal. Its memory survives the loss of power, its keys do not.
type pos struct {
	w      *World
	id     string
	group  *group
	module *soft.Module
	tmk    hsm.Key
	layout *iso8583.Layout

	tpk, tak *hsm.Key
	version  uint32
	done     bool // calm, and nothing is due

	mem memory
}

// memory is what a terminal keeps on its own disk.
type memory struct {
	trace   uint32
	pending *sale // to be reversed, or not known to be answered
	last    *sale // the last approved one
	holds   []oracle.Key
}

// sale is what a purchase and its reversal share.
type sale struct {
	trace  uint32
	amount int64
	card   kernel.Outcome
	entry  string
	auth   string
	why    string // field 39 of its reversal
	body   []byte // the purchase as it was sent
}

func (p *pos) key(trace uint32) oracle.Key {
	return oracle.Key{Terminal: p.id, Batch: batch, Trace: trace}
}

func newPos(w *World, i int) (*pos, error) {
	p := &pos{w: w, id: terminalID(i), layout: unionpaypos.New()}
	var err error
	if p.module, err = soft.New(w.random, w.sched); err != nil {
		return nil, err
	}
	p.tmk, err = load(p.module, "terminal/tmk", hsm.TMK, hsm.TDES2, tmkHex)
	return p, err
}

// switchOn starts the terminal's program.
func (p *pos) switchOn() {
	p.group = &group{name: "terminal " + p.id}
	p.tpk, p.tak = nil, nil
	p.w.sched.start(p.group, p.live)
}

// powerLoss ends the program; it is on again a little later.
func (p *pos) powerLoss() {
	if p.group.dead {
		return
	}
	p.w.sched.kill(p.group)
	p.w.sched.after(p.w.group, p.w.between(200*time.Millisecond, 4*time.Second), p.switchOn)
}

// live is the program: sign on, undo what is due, sell.
func (p *pos) live() {
	w := p.w
	for {
		w.sched.sleep(w.between(100*time.Millisecond, 2500*time.Millisecond))
		switch {
		case p.tak == nil:
			p.signOn()
		case p.mem.pending != nil:
			p.undo()
		case w.calm:
			p.done = true
			return
		case p.mem.last != nil && w.rng.IntN(5) == 0: // the customer changes their mind
			p.mem.pending, p.mem.last = p.mem.last, nil
			p.mem.pending.why = "06"
			p.forget(p.mem.pending.trace)
		case w.rng.IntN(25) == 0:
			p.nonsense()
		default:
			p.sell()
		}
	}
}

// forget takes a payment out of those that the terminal has.
func (p *pos) forget(trace uint32) {
	kept := p.mem.holds[:0:0]
	for _, k := range p.mem.holds {
		if k.Trace != trace {
			kept = append(kept, k)
		}
	}
	p.mem.holds = kept
}

// signOn fetches working keys.
func (p *pos) signOn() {
	p.mem.trace++
	var b iso8583.Builder
	b.Reset(p.layout, 0x0800)
	b.SetUint(11, uint64(p.mem.trace))
	b.SetString(41, p.id)
	b.SetString(42, merchant)
	b.SetString(60, fmt.Sprintf("00%06d003", batch))
	b.SetString(62, "Sequence No123060"+p.id)
	b.SetString(63, "001")
	body, err := b.Append(nil)
	if err != nil {
		p.w.finding("terminal: sign-on: %v", err)
		return
	}
	ask := &oracle.Ask{Kind: oracle.Other, Key: p.key(p.mem.trace)}
	answer, _ := p.talk(body, ask, 3*time.Second)
	var v iso8583.View
	if answer == nil || p.layout.Parse(answer, &v) != nil || text(&v, 39) != "00" || v.Len(62) != 40 {
		return
	}
	p.version++
	want := func(name string, usage hsm.Usage) hsm.WorkingKey {
		return hsm.WorkingKey{Spec: hsm.Spec{Name: name, Usage: usage, Algorithm: hsm.TDES2, Owner: p.id, Version: p.version}}
	}
	raw := v.Raw(62)
	in := []hsm.Exported{{Cryptogram: raw[:16], KCV: [4]byte(raw[16:20])}, {Cryptogram: raw[20:36], KCV: [4]byte(raw[36:40])}}
	keys, err := p.module.LoadSet(context.Background(), &p.tmk, []hsm.WorkingKey{want("tpk", hsm.TPK), want("tak", hsm.TAK)}, in)
	if err == nil { // a garbled answer has wrong check values
		p.tpk, p.tak = &keys[0], &keys[1]
	}
}

// tap reads a card for an amount.
func (p *pos) tap(amount int64) (kernel.Outcome, error) {
	w := p.w
	t, err := kernel.NewPurchase(w.random, money.Amount{Minor: money.MinorUnits(amount), Currency: money.CNY}, w.sched.Now(), 1)
	if err != nil {
		return kernel.Outcome{}, err
	}
	c := w.plastic[w.rng.IntN(len(w.plastic))]
	c.PowerOn()
	return kernel.Run(context.Background(), plastic{c}, kernel.DefaultConfig(), t)
}

// sell is one purchase: the reversal is in memory before the message leaves.
func (p *pos) sell() {
	w := p.w
	amount := 100 + w.rng.Int64N(50_000)
	out, err := p.tap(amount)
	if err != nil || out.Kind != kernel.OnlineRequest {
		w.finding("terminal: card: %v %v %v", out.Kind, out.Reason, err)
		return
	}
	p.mem.trace++
	s := &sale{trace: p.mem.trace, amount: amount, card: out, entry: "072", why: "98"}
	if s.body, err = p.purchase(s); err != nil {
		w.finding("terminal: purchase: %v", err)
		return
	}
	w.payments++
	p.mem.pending = s
	patience := 6 * time.Second
	if w.rng.IntN(6) == 0 {
		patience = w.between(300*time.Millisecond, 2*time.Second)
	}
	for tries := 0; tries < 3; tries++ {
		ask := &oracle.Ask{Kind: oracle.Purchase, Key: p.key(s.trace), Amount: s.amount}
		answer, from := p.talk(s.body, ask, patience)
		if p.settle(s, answer, from) || w.calm || w.rng.IntN(3) != 0 {
			return
		}
		w.fault("terminal repeats")
	}
}

// settle takes an answer in; false when there is none that can be believed.
func (p *pos) settle(s *sale, answer []byte, from *oracle.Ask) bool {
	var v iso8583.View
	if answer == nil || !p.believes(answer, &v, s) {
		return false
	}
	from.Received = p.w.sched.since()
	p.hear(text(&v, 39))
	p.mem.pending = nil
	if text(&v, 39) == "00" {
		s.auth = text(&v, 38)
		p.mem.last = s
		p.mem.holds = append(p.mem.holds, p.key(s.trace))
	}
	return true
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
	amount, err := v.Uint(4)
	return err == nil && amount == uint64(s.amount) && text(v, 41) == p.id
}

// undo sends the reversal that is due, once; live comes back to it.
func (p *pos) undo() {
	s := p.mem.pending
	var b iso8583.Builder
	b.Reset(p.layout, 0x0400)
	p.common(&b, s)
	b.SetString(39, s.why)
	if s.auth != "" {
		b.SetString(38, s.auth)
	}
	body, err := p.sealed(&b)
	if err != nil {
		p.w.finding("terminal: reversal: %v", err)
		return
	}
	ask := &oracle.Ask{Kind: oracle.Reversal, Key: p.key(s.trace), Amount: s.amount}
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
	default:
		p.hear(code)
	}
}

// nonsense is a message in a wrong form: it must be refused and harm nothing.
func (p *pos) nonsense() {
	w := p.w
	out, err := p.tap(100)
	if err != nil || out.Kind != kernel.OnlineRequest {
		w.finding("terminal: card: %v %v %v", out.Kind, out.Reason, err)
		return
	}
	p.mem.trace++
	s := &sale{trace: p.mem.trace, amount: 100, card: out, entry: "072", why: "98"}
	body, err := p.purchase(s)
	if err != nil {
		w.finding("terminal: purchase: %v", err)
		return
	}
	ask := &oracle.Ask{Kind: oracle.Purchase, Key: p.key(s.trace), Amount: s.amount, Malformed: true}
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

// plastic is a card in the field.
type plastic struct{ card chipCard }

type chipCard interface {
	Transceive(apdu []byte) (answer []byte, present bool)
}

// Transceive implements reader.Card.
func (p plastic) Transceive(_ context.Context, apdu []byte) ([]byte, error) {
	answer, present := p.card.Transceive(apdu)
	if !present {
		return nil, errCut
	}
	return answer, nil
}

// common is what sale and reversal share, in the order of the wire.
func (p *pos) common(b *iso8583.Builder, s *sale) {
	b.SetText(2, s.card.PAN.Reveal(secret.ForWire))
	b.SetString(3, "000000")
	b.SetUint(4, uint64(s.amount))
	b.SetUint(11, uint64(s.trace))
	b.SetString(14, s.card.Expiry)
	b.SetString(22, s.entry)
	if s.card.PSN != "" {
		b.SetString(23, "0"+s.card.PSN)
	}
	b.SetString(25, "00")
	b.SetString(41, p.id)
	b.SetString(42, merchant)
	b.SetString(49, "156")
	b.SetString(60, fmt.Sprintf("22%06d00060", batch))
}

// purchase builds the message of a sale; most cards' holders know their PIN.
func (p *pos) purchase(s *sale) ([]byte, error) {
	w := p.w
	var block secret.PINBlock
	if w.rng.IntN(2) == 0 {
		typed := testPIN
		if w.rng.IntN(8) == 0 {
			typed = "9999"
		}
		digits, err := secret.NewKey([]byte(typed))
		if err != nil {
			return nil, err
		}
		block, err = p.module.EncipherPIN(context.Background(), digits, hsm.PINTarget{Format: hsm.ISO0, Key: p.tpk, PAN: s.card.PAN})
		if err != nil {
			return nil, err
		}
		s.entry = "071"
	}
	var b iso8583.Builder
	b.Reset(p.layout, 0x0200)
	p.common(&b, s)
	b.SetString(26, "12")
	b.SetText(35, s.card.Track2.AppendTo(nil, secret.ForWire))
	b.SetString(53, "0600000000000000")
	if !block.IsZero() {
		b.SetBytes(52, block.AppendTo(nil, secret.ForWire))
		b.SetString(53, "2600000000000000")
	}
	b.SetBytes(55, s.card.ICC.AppendTo(nil, secret.ForWire))
	return p.sealed(&b)
}

// sealed puts the MAC over the last eight bytes.
func (p *pos) sealed(b *iso8583.Builder) ([]byte, error) {
	b.SetBytes(64, make([]byte, 8))
	raw, err := b.Append(nil)
	if err != nil {
		return nil, err
	}
	covered := raw[:len(raw)-8]
	mac, err := p.module.MAC(context.Background(), p.tak, hsm.MACUnionPayECB, covered)
	copy(raw[len(covered):], mac)
	return raw, err
}

// call is one exchange that a terminal waits for.
type call struct {
	answered env.Event
	answer   []byte
	from     *oracle.Ask // whose answer it is
}
