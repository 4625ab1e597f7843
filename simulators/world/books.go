// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"time"

	"tapswitch/iso8583"
	"tapswitch/simulators/oracle"
)

// booked is one request that a host has decided on, or the reversal of one that it
// does not know.
type booked struct {
	oracle.Debit           // of what takes money, and of a refund
	pays         bool      // it is one
	gives        bool      // it is a refund in force
	known        bool      // the request itself was seen
	said         answer    // and what was said to it
	reversed     bool      // a reversal was seen
	refuses      string    // the code by which it will not be undone
	takes        *booked   // of a void in force: what it gave back; of a completion, in force or voided: what it used up
	used         []*booked // of a hold and of a completion: what has made use of it, in force or not
	body         []byte    // the request
	request      []byte    // of a yes that it insists on
	insisted     int       // how often, since all is calm
	told         bool      // a yes has reached the switch whole
	wavers       bool      // its no is going to be a yes
}

// inForce says whether it has an effect that a reversal would take back.
func (e *booked) inForce() bool { return e.Effective || e.gives || e.takes != nil }

func (h *host) entry(key string) *booked {
	e := h.books[key]
	if e == nil {
		e = &booked{}
		h.books[key] = e
		h.order = append(h.order, e)
	}
	return e
}

// The processing codes (field 3) of what a host is asked.
const (
	procBack    = "200000" // a void, and as an advice a refund
	procBalance = "310000"
)

// decide answers a request once per key. One whose reversal came first is refused by
// a careful host; a careless one books it and keeps saying so until it is reversed.
func (h *host) decide(v *iso8583.View, body []byte) *answer {
	e := h.entry(text(v, 7) + text(v, 11))
	if e.known {
		return &e.said
	}
	e.known, e.body = true, body
	careless := e.reversed && h.w.trouble("booked after its reversal", 300)
	if e.reversed && !careless {
		e.said.code = "12"
		return &e.said
	}
	switch procedure := text(v, 3); {
	case text(v, 25) == conditionHold:
		h.decideHold(e, v, body)
	case procedure == procBalance:
		h.balance(e)
		return &e.said
	case procedure == procBack:
		h.void(e, v)
	default:
		h.debit(e, v, body)
	}
	if e.said.code != "00" {
		return &e.said
	}
	e.reversed = false
	e.said.auth, e.said.of = fmt.Sprintf("A%05d", len(h.order)), e
	e.said.script = h.scriptFor(v)
	switch {
	case careless:
		e.request = body
		h.w.sched.after(h.w.group, time.Second, func() { h.insist(e) })
	case h.w.trouble("yes, then no", 70):
		h.w.sched.after(h.w.group, h.w.between(500*time.Millisecond, 8*time.Second), func() { h.deny(e, body) })
	}
	return &e.said
}

// about fills in what a request says of itself.
func (h *host) about(e *booked, v *iso8583.View) {
	stan, _ := v.Uint(11)
	amount, _ := v.Uint(4)
	e.Debit = oracle.Debit{Acquirer: h.name, STAN: uint32(stan), Sent: text(v, 7), RRN: text(v, 37), Terminal: text(v, 41), Amount: int64(amount)}
}

// debit decides on a purchase or a cash withdrawal.
func (h *host) debit(e *booked, v *iso8583.View, body []byte) {
	h.about(e, v)
	e.pays = true
	if h.w.rng.IntN(8) == 0 {
		e.said.code = "51"
		if h.w.trouble("no, then yes", 50) {
			e.wavers = true
			h.w.sched.after(h.w.group, h.w.between(time.Second, 5*time.Second), func() { h.contradict(e, body) })
		}
		return
	}
	if h.w.trouble("another amount", 40) {
		e.Amount += 1 + h.w.rng.Int64N(500)
		e.said.amount = e.Amount
	}
	e.Effective, e.said.code = true, "00"
}

// void gives back what a debit took, once. A careless host says yes to the void of
// what it does not hold.
func (h *host) void(e *booked, v *iso8583.View) {
	e.said.code = "12"
	original := text(v, 90)
	if len(original) < 20 {
		e.said.code = "30"
		return
	}
	o := h.books[original[10:20]+original[4:10]]
	switch {
	case o == nil:
		e.said.code = "25"
	case o.Effective:
		if h.w.rng.IntN(10) > 0 {
			e.said.code = "00"
			o.Effective, e.takes = false, o
		}
	case h.w.trouble("void of what is not held", 500):
		e.said.code = "00"
	}
}

// told is the answer to what has happened already, when it is put off or known; the
// chance of being put off is so many in a thousand.
func (h *host) told(e *booked, v *iso8583.View, what string, chance int) *answer {
	switch {
	case h.w.trouble(what+" put off", chance):
		return &answer{code: h.oneOf("96", "91", "90", "68")}
	case e.known && e.said.code == "00" && v.MTI()&1 == 1 && h.w.trouble(what+" known", 300):
		return &answer{code: "94"}
	case e.known:
		return &e.said
	}
	return nil
}

// advice takes in what has happened, once per key: an offline sale, or what the
// switch decided by itself. A refund comes as one too, and is asked like a request.
func (h *host) advice(v *iso8583.View, body []byte) *answer {
	e := h.entry(text(v, 7) + text(v, 11))
	if text(v, 3) == procBack {
		return h.refund(e, v, body)
	}
	if said := h.told(e, v, "advice", 30); said != nil {
		return said
	}
	h.about(e, v)
	e.known, e.pays = true, true
	switch {
	case e.reversed:
		e.said.code = "12"
	case h.w.trouble("advice refused", 30):
		e.said.code = h.oneOf("05", "14", "57")
	case text(v, 25) == conditionHold:
		h.completedAfter(e, v)
	default:
		e.said.code, e.Effective = "00", true
	}
	return &e.said
}

// refund gives money back for a debit in force; whether it is too much the switch
// must know.
func (h *host) refund(e *booked, v *iso8583.View, body []byte) *answer {
	if e.known {
		return &e.said
	}
	h.about(e, v)
	e.known, e.said.code = true, "12"
	careless := e.reversed && h.w.trouble("booked after its reversal", 300)
	if e.reversed && !careless {
		return &e.said
	}
	original := text(v, 90)
	if len(original) < 20 {
		e.said.code = "30"
		return &e.said
	}
	o := h.books[original[10:20]+original[4:10]]
	switch {
	case o == nil || !o.Effective:
	case careless:
		e.said.code, e.gives, e.reversed, e.request = "00", true, false, body
		h.w.sched.after(h.w.group, time.Second, func() { h.insist(e) })
	case h.w.rng.IntN(8) > 0:
		e.said.code, e.gives = "00", true
	case h.w.trouble("no, then yes", 300):
		e.wavers = true
		h.w.sched.after(h.w.group, h.w.between(time.Second, 5*time.Second), func() {
			if e.wavers = false; e.reversed {
				return
			}
			e.gives, e.said.code, e.request = true, "00", body
			h.insist(e)
		})
	}
	return &e.said
}

// balance says what an account has.
func (h *host) balance(e *booked) {
	e.said.code = "51"
	if h.w.rng.IntN(6) > 0 {
		e.said.code, e.said.funds = "00", fmt.Sprintf("0002156C%012d", 1000+len(h.order))
	}
}

// contradict books what was declined, and says so until it is reversed.
func (h *host) contradict(e *booked, body []byte) {
	e.wavers = false
	if e.reversed {
		return
	}
	e.Effective, e.request = true, body
	e.said.code, e.said.auth, e.said.of = "00", fmt.Sprintf("A%05d", len(h.order)), e
	h.insist(e)
}

// insist repeats a late yes until its reversal comes. The switch may hold it
// for a good answer, when the no before it was lost; so it ends in calm times.
func (h *host) insist(e *booked) {
	const enough = 10
	if !e.inForce() || e.insisted >= enough {
		e.request = nil
		return
	}
	for _, c := range h.lines {
		if !c.closed && h.up && !h.silent {
			h.serve(c, e.request)
			if h.w.calm {
				e.insisted++
			}
			break
		}
	}
	h.w.sched.after(h.w.group, 5*time.Second, func() { h.insist(e) })
}

// deny says no to what the switch was surely told yes of; the books stay.
func (h *host) deny(e *booked, body []byte) {
	var v iso8583.View
	if !e.told || h.silent || len(h.lines) == 0 || h.layout.Parse(body, &v) != nil {
		return
	}
	h.w.say("%s says no to stan=%s after its yes", h.name, text(&v, 11))
	h.answer(h.lines[len(h.lines)-1], &v, &answer{code: "51"})
}

// oneOf draws a code.
func (h *host) oneOf(codes ...string) string { return codes[h.w.rng.IntN(len(codes))] }

// reversal takes an effect back; what is not known is remembered. A host that
// refuses one refuses its repeats too.
func (h *host) reversal(v *iso8583.View) string {
	if h.w.trouble("reversal put off", 10) {
		return h.oneOf("96", "91", "90", "68")
	}
	original := text(v, 90)
	if len(original) < 20 {
		return "30"
	}
	e := h.entry(original[10:20] + original[4:10])
	switch {
	case e.refuses != "":
		return e.refuses
	case h.refusing, h.w.trouble("reversal refused", 8):
		e.refuses = h.oneOf("05", "30", "57", "06", "58")
		return e.refuses
	}
	again := e.reversed && e.known
	switch undone := h.undo(e); {
	case again || undone:
		if h.w.trouble("undone, and says unknown", 150) {
			return h.oneOf("25", "12", "94")
		}
		return "00"
	case e.known && h.w.trouble("declined, and says undone", 300):
		return "00"
	}
	return "25"
}

// undo takes back what e did, and says whether it had done anything.
func (h *host) undo(e *booked) bool {
	did := e.inForce()
	o := e.takes
	if o != nil && !o.reversed {
		o.Effective = true
	}
	e.Effective, e.gives, e.takes, e.reversed = false, false, nil, true
	if o != nil && o.used != nil {
		o.restate()
	}
	return did
}
