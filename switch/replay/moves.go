// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"tapswitch/internal/assert"
	"tapswitch/switch/txn"
)

// Move follows an arrow that is not durable by its own: a request that is handed
// to its link, and the delivery of an answer.
func (x *Index) Move(k txn.Key, ev txn.Event) {
	x.mu.Lock()
	e := x.payments.get(k)
	if e == nil || e.p == nil {
		x.mu.Unlock()
		return
	}
	x.follow(e, ev)
}

// Presume takes every approval for delivered: its answer may have been written. It is
// called when the journal has been read back, and tells how many payments there are,
// how many of these were approvals, and gives copies of those that are neither
// approved nor at rest, in order of arrival.
func (x *Index) Presume() (payments, delivered int, moving []txn.Payment) {
	x.mu.Lock()
	all := x.everything()
	x.mu.Unlock()
	for _, e := range all {
		x.mu.Lock()
		if e.p != nil {
			payments++
		}
		switch s := e.state(); {
		case s == txn.Approved:
			delivered++
			x.follow(e, txn.MaybeWritten)
			continue
		case e.p != nil && !s.Resting():
			moving = append(moving, *e.p)
		}
		x.mu.Unlock()
	}
	return payments, delivered, moving
}

// follow moves the payment of e, wakes who waits for that and tells the accounts; the
// lock is held, and not any more when it returns.
func (x *Index) follow(e *entry, ev txn.Event) {
	before := e.p.State
	after, ok := txn.Next(before, ev)
	if !ok {
		x.mu.Unlock()
		assert.Fail("replay: event %s cannot happen in state %s, terminal %s trace %d", ev, before, e.key.Terminal, e.key.Trace)
	}
	from := e.p.Share()
	x.count(before, ev)
	e.p.State = after
	to := e.p.Share()
	wake := x.settled(e)
	x.mu.Unlock()
	x.accounts.Moved(e.key, from, to)
	for _, w := range wake {
		w.Wake()
	}
}

// Heard takes an event that changes nothing, so that no record is made of it: a
// second undo, an answer that came late. A change's decide tells it in its turn.
func (v View) Heard(ev txn.Event) {
	if s := v.Payment.State; txn.MustNext(s, ev) != s {
		assert.Fail("replay: event %s moves state %s and has no record", ev, s)
	}
	if v.x == nil { // a view that no index gave
		return
	}
	v.x.mu.Lock()
	v.x.count(v.Payment.State, ev)
	v.x.mu.Unlock()
	if ev == txn.SaidYes && v.Payment.State == txn.Reversing { // the reversal that is on its way may have come before it
		v.SaidYesBeside()
	}
}

// SaidYesBeside notes a yes that moves nothing now, for whoever decides next how the
// payment ends. A change's decide tells it in its turn.
func (v View) SaidYesBeside() {
	if v.x == nil { // a view that no index gave
		return
	}
	v.x.mu.Lock()
	defer v.x.mu.Unlock()
	if e := v.x.payments.get(v.Payment.Key); e != nil && e.p != nil {
		e.p.LateYes++
	}
}

// Moves is how often each arrow of the state table was taken since the start;
// what was read back from the journal does not count.
func (x *Index) Moves() txn.Moves {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.taken
}

// count counts an event; the lock is held. A payment that was never told to be
// forwarded was all the same, as txn.Follow has it.
func (x *Index) count(from txn.State, ev txn.Event) {
	if _, ok := txn.Next(from, ev); !ok && from == txn.Intended {
		from = txn.Sent
	}
	x.taken.Take(from, ev)
}
