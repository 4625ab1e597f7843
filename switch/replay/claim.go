// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"tapswitch/internal/assert"
	"tapswitch/internal/env"
	"tapswitch/switch/txn"
)

// Claim makes p's key the caller's. It returns the stored answer when the key
// was answered before; an original still under way is waited for until the
// deadline. After a nil, nil the caller must call Finish.
func (x *Index) Claim(p *txn.Payment, until env.Mono) (*txn.Answer, error) {
	for {
		done, old, err := x.claim(p)
		if done == nil {
			return old, err
		}
		if !done.Wait(until) {
			return nil, txn.DeclineInFlight
		}
	}
}

// claim returns an event to wait for when the original is still under way.
func (x *Index) claim(p *txn.Payment) (env.Event, *txn.Answer, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.forget()
	e := x.payments.get(p.Key)
	if e == nil || e.p == nil && !e.running && !e.tombstone { // new, or only looked at by a reversal just now
		if a, err := x.told(p); a != nil || err != nil {
			return nil, a, err
		}
		if e == nil && x.payments.used >= x.cfg.Max {
			return nil, nil, txn.DeclineOverload
		}
		x.entry(p.Key).running = true
		return nil, nil, nil
	}
	switch {
	case e.running, e.p != nil && e.p.State == txn.Approved: // or its yes is on the way to the terminal
		return x.await(e), nil, nil
	case e.p == nil || e.tombstone:
		return nil, nil, txn.DeclineTombstone
	case e.p.Fingerprint != p.Fingerprint:
		return nil, nil, txn.DeclineDuplicate
	}
	a, err := x.repeat(e.p)
	return nil, a, err
}

// repeat is what a repeat of p is told: the same outcome, and after undo never
// an approval.
func (x *Index) repeat(p *txn.Payment) (*txn.Answer, error) {
	a := p.Answer
	a.Repeat = true
	switch p.State {
	case txn.Intended, txn.Sent: // what became of it could not be stored: nothing may be told
		return &txn.Answer{Repeat: true}, nil
	case txn.Completed, txn.Declined, txn.Refused, txn.Advising, txn.Advised:
		return &a, nil
	case txn.Reversing, txn.Reversed, txn.Unmatched, txn.Disputed, txn.Upheld:
		if p.Key.Class.Ending() == txn.EndAdvise { // what has happened stays told, whoever has its case
			return &a, nil
		}
		if p.Answer.Approved() {
			return nil, txn.DeclineWasReversed
		}
		if p.Answer.Code != (txn.Code{}) {
			return &a, nil
		}
		a = untold(p)
		a.Repeat = true
		return &a, nil
	}
	assert.Fail("replay: a payment nobody runs is in state %s", p.State)
	return nil, nil
}

// untold is what p was told whose exchange has no stored answer: it is being
// reversed, or a case was opened at once.
func untold(p *txn.Payment) txn.Answer {
	switch {
	case p.UndoWhy != "":
		return txn.Refusal(txn.ByReason(p.UndoWhy), p.Undo.At)
	case p.Case.Why == txn.CaseRefundUnusable:
		return txn.Refusal(txn.DeclineAnswer, p.Case.At)
	}
	at := p.Case.At
	if at.IsZero() { // the case is closed
		at = p.Numbers.At
	}
	return txn.Refusal(txn.DeclineNoAnswer, at)
}

// Finish ends the claim: repeats that wait are served now, but those of an
// approval wait until its delivery is known, since one that was not delivered is
// undone. A claim that left nothing durable leaves its refusal at most. It
// returns how the payment stands: whoever reversed it meanwhile left its delivery
// to the caller.
func (x *Index) Finish(k txn.Key) View {
	x.mu.Lock()
	e := x.payments.get(k)
	if e == nil || !e.running {
		x.mu.Unlock()
		assert.Fail("replay: finish without a claim, terminal %s trace %d", k.Terminal, k.Trace)
	}
	e.running = false
	now := e.view()
	wake := x.settled(e)
	x.drop(k, e)
	x.mu.Unlock()
	for _, w := range wake {
		w.Wake()
	}
	return now
}

// settled gives the event of the repeats that wait for e, when they need wait
// no longer; the lock is held.
func (x *Index) settled(e *entry) []env.Event {
	if e.done == nil || e.running || e.p != nil && e.p.State == txn.Approved {
		return nil
	}
	done := e.done
	e.done = nil
	return []env.Event{done}
}

// drop forgets an entry that holds nothing; the lock is held.
func (x *Index) drop(k txn.Key, e *entry) {
	if e.p == nil && !e.running && !e.tombstone && !e.busy && e.held == 0 {
		x.remove(e)
		x.dropOrder(e)
	}
}

// dropOrder removes e; claims end soon after they begin,
// so it is found near the end.
func (x *Index) dropOrder(e *entry) {
	for i := len(x.order) - 1; i >= 0; i-- {
		if x.order[i] == e {
			x.order = append(x.order[:i], x.order[i+1:]...)
			return
		}
	}
}
