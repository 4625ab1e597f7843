// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"time"

	"tapswitch/iso8583"
	"tapswitch/simulators/oracle"
)

// What is held, on both sides: the terminal's messages, and the books of a host that
// trusts the switch with it.

// condition is field 25 of what is about a hold.
const conditionHold = "06"

// deposit is what a terminal knows of its last pre-authorization.
type deposit struct {
	hold      *sale // stands, as far as the terminal knows
	completed *sale // the last completion in force
	released  *sale // the last one that was cancelled
}

// asksOfHold is asked for these kinds; ok is false for others.
func asksOfHold(k oracle.Kind) (mti iso8583.MTI, procedure, kind string, ok bool) {
	switch k {
	case oracle.Hold:
		return 0x0100, "030000", "10", true
	case oracle.Release:
		return 0x0100, procBack, "11", true
	case oracle.Completion:
		return 0x0200, "000000", "20", true
	case oracle.CompletionAdvice:
		return 0x0220, "000000", "24", true
	case oracle.CompletionVoid:
		return 0x0200, procBack, "21", true
	}
	return 0, "", "", false
}

// deposits does one thing about what is held; false when it is not the time.
func (p *pos) deposits() bool {
	w := p.w
	switch {
	case p.mem.hold != nil && w.rng.IntN(4) == 0:
		p.useHold()
	case p.mem.completed != nil && w.rng.IntN(8) == 0:
		of := p.mem.completed
		if w.rng.IntN(3) == 0 {
			p.vain("second completion", p.about(oracle.Completion, of.of, of.of.amount))
			break
		}
		s := p.about(oracle.CompletionVoid, of, of.amount)
		p.mem.pending = s
		p.insist(s, false)
	case p.mem.released != nil && w.rng.IntN(12) == 0:
		p.vain("completion of what was cancelled", p.about(oracle.Completion, p.mem.released, p.mem.released.amount))
	case p.mem.hold == nil && w.rng.IntN(8) == 0:
		if s := p.begin(oracle.Hold, 100+w.rng.Int64N(50_000)); s != nil {
			w.payments++
			p.mem.pending = s
			p.insist(s, w.rng.IntN(2) == 0)
		}
	default:
		return false
	}
	return true
}

// useHold cancels or completes what is held, by a request or after the fact, or asks
// for more than may be taken.
func (p *pos) useHold() {
	hold := p.mem.hold
	most := hold.amount * oracle.CompletablePercent / 100
	var s *sale
	switch p.w.rng.IntN(8) {
	case 0, 1:
		s = p.about(oracle.Release, hold, hold.amount)
	case 2:
		p.vain("completion above the percentage", p.about(oracle.Completion, hold, most+1+p.w.rng.Int64N(100)))
		return
	case 3, 4:
		s = p.about(oracle.CompletionAdvice, hold, 1+p.w.rng.Int64N(most))
	default:
		s = p.about(oracle.Completion, hold, 1+p.w.rng.Int64N(most))
	}
	p.mem.pending = s
	p.insist(s, false)
	if p.mem.completed == s && p.w.rng.IntN(2) == 0 { // before the acquirer has heard, when it has happened
		p.vain("second completion", p.about(oracle.Completion, hold, hold.amount))
	}
}

// about makes a message about another one, for which no card is read.
func (p *pos) about(kind oracle.Kind, of *sale, amount int64) *sale {
	p.mem.trace++
	return &sale{kind: kind, of: of, batch: p.mem.batch, trace: p.mem.trace, amount: amount, card: of.card, entry: "01", why: "98"}
}

// names sets what such a message says of its original.
func (s *sale) names(b *iso8583.Builder) {
	b.SetString(38, s.of.auth)
	if s.kind == oracle.CompletionVoid {
		b.SetString(37, s.of.rrn)
	}
	b.SetString(61, fmt.Sprintf("%06d%06d%s", s.of.batch, s.of.trace, s.of.date))
}

// approvedHold takes a yes about what is held into the memory.
func (p *pos) approvedHold(s *sale) {
	m := &p.mem
	switch s.kind {
	case oracle.Hold:
		m.hold = s
		m.holds = append(m.holds, p.key(s))
	case oracle.Release:
		p.forget(s.of.trace)
		m.hold, m.released = nil, s.of
		m.voids = append(m.voids, oracle.Taken{Key: p.key(s), Of: p.key(s.of)})
	case oracle.Completion, oracle.CompletionAdvice:
		p.forget(s.of.trace)
		if m.hold = nil; !p.w.foundUndone[p.key(s)] {
			m.completed = s
		}
		m.holds = append(m.holds, p.key(s))
	case oracle.CompletionVoid:
		p.forget(s.of.trace)
		m.hold, m.completed = s.of.of, nil
		m.holds = append(m.holds, p.key(s.of.of))
		m.voids = append(m.voids, oracle.Taken{Key: p.key(s), Of: p.key(s.of)})
	}
}

// givesUp says whether a no to what has happened is for good.
func (s *sale) givesUp(code string) bool {
	if s.kind != oracle.CompletionAdvice {
		return false
	}
	switch code {
	case "12", "25", "61":
		return true
	}
	return false
}

// decideHold books a request about what is held. The host knows the originals, and
// leaves it to the switch what may still be done with one.
func (h *host) decideHold(e *booked, v *iso8583.View, body []byte) {
	mti, procedure := v.MTI(), text(v, 3)
	if mti == 0x0100 && procedure != procBack {
		h.debit(e, v, body)
		return
	}
	h.about(e, v)
	o, code := h.original(v)
	if e.said.code = code; code != "00" {
		return
	}
	e.pays = procedure != procBack
	if h.w.rng.IntN(8) == 0 {
		e.said.code = "51"
		if h.w.trouble("no, then yes", 50) {
			h.w.sched.after(h.w.group, h.w.between(time.Second, 5*time.Second), func() {
				if !e.reversed {
					e.use(o)
				}
				h.contradict(e, body)
			})
		}
		return
	}
	e.use(o)
}

// original is what a request names; the code is 00 when it is there and was not
// reversed.
func (h *host) original(v *iso8583.View) (*booked, string) {
	original := text(v, 90)
	if len(original) < 20 {
		return nil, "30"
	}
	o := h.books[original[10:20]+original[4:10]]
	switch {
	case o == nil || !o.known:
		return nil, "25"
	case o.reversed:
		return nil, "12"
	}
	return o, "00"
}

// use is the effect of e on its original: what it holds, or took, is not there any
// more.
func (e *booked) use(o *booked) {
	e.takes, e.Effective = o, e.pays
	o.used = append(o.used, e)
	o.restate()
}

// restate says what of o is there, after something that made use of it has changed:
// it is while nothing of that is in force. A completion changes its hold in turn.
func (o *booked) restate() {
	o.Effective = o.said.code == "00" && !o.reversed
	for _, u := range o.used {
		if u.takes == o && (u.Effective || !u.pays) {
			o.Effective = false
		}
	}
	if o.takes != nil {
		o.takes.restate()
	}
}

// completedAfter books a completion that has happened.
func (h *host) completedAfter(e *booked, v *iso8583.View) {
	o, code := h.original(v)
	if e.said.code = code; code == "00" {
		e.use(o)
	}
}
