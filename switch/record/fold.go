// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"fmt"

	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// ErrNoIntent is a record of a payment that has no intent before it.
var ErrNoIntent = errors.New("no intent before it")

// Fold takes the next record of the payment of k: the one way in which the
// journal becomes states, for the running switch, its recovery and its history.
// p is nil before the first record. The records of a payment are those of
// KindIntent, KindRefused, KindAdvice (which begin one: see Begins), KindOutcome,
// KindUndo, KindUndone, KindCase, KindAdvised, KindAct and KindRerouted.
func Fold(p *txn.Payment, k txn.Key, r journal.Record) (*txn.Payment, error) {
	if Begins(r.Kind) {
		if p != nil {
			return p, errors.New("second payment with this key")
		}
		return begin(k, r)
	}
	switch r.Kind {
	case KindOutcome, KindUndo, KindUndone, KindCase, KindAdvised, KindAct, KindRerouted:
	default:
		return p, fmt.Errorf("record kind %d is not one of a payment's in this version", r.Kind)
	}
	if p == nil {
		return nil, ErrNoIntent
	}
	p.Reserved += r.Reserve
	switch r.Kind {
	case KindOutcome:
		o, err := ParseOutcome(r.Body)
		if err != nil {
			return p, err
		}
		if o.Event != txn.NotSent || p.State != txn.Advising { // a withdrawn advice keeps what it said
			p.Answer = o.Answer
		}
		p.StoodIn = p.StoodIn || o.Event == txn.StoodIn
		return p, move(p, o.Event)
	case KindUndo:
		u, err := ParseUndo(r.Body)
		if err != nil {
			return p, err
		}
		p.Undo, p.UndoWhy = u.Numbers, u.Reason
		return p, move(p, u.Event)
	case KindCase:
		c, err := ParseCase(r.Body)
		if err != nil {
			return p, err
		}
		p.Case = c
		return p, move(p, txn.CaseOpened)
	case KindAdvised:
		return p, advised(p, r)
	case KindAct:
		a, err := ParseAct(r.Body)
		if err != nil {
			return p, err
		}
		return p, act(p, a)
	case KindRerouted:
		return p, reroute(p, r)
	}
	u, err := ParseUndone(r.Body)
	if err != nil {
		return p, err
	}
	return p, move(p, u.Event)
}

// Begins says whether a kind is the first record of a payment.
func Begins(kind byte) bool { return kind == KindIntent || kind == KindRefused || kind == KindAdvice }

// Over says that a payment's key may come to a new life: nothing more can happen
// to the old one, and beyond its replay window the running switch forgets it. An
// approval is presumed delivered; one with an open case is never forgotten.
func Over(p *txn.Payment) bool {
	return p.State == txn.Approved || p.State.Resting() && p.State != txn.Disputed
}

// act takes what an operator did.
func act(p *txn.Payment, a txn.Act) error {
	switch a.What {
	case txn.Hold, txn.Retry:
		if !p.State.Owes() {
			return fmt.Errorf("%s of a payment in state %s, which owes nothing", a.What, p.State)
		}
		p.Held = nil
		if a.What == txn.Hold {
			p.Held = &a
		}
		return nil
	case txn.Drop:
		p.Case = txn.Case{Why: txn.CaseDropped, Code: a.Code, At: a.At}
	case txn.FoundUndone, txn.FoundStands:
		p.Case = txn.Case{}
	}
	e, _ := a.What.Event()
	return move(p, e)
}

// begin reads a payment's first record.
func begin(k txn.Key, r journal.Record) (*txn.Payment, error) {
	p, err := ParsePayment(k, r.Body)
	if err != nil {
		return nil, err
	}
	if r.Kind == KindRefused {
		return p, move(p, txn.Refuse)
	}
	p.Reserved = r.Reserve
	if r.Kind == KindAdvice {
		return p, move(p, txn.Happened)
	}
	return p, move(p, txn.Journaled)
}

// move follows one arrow.
func move(p *txn.Payment, e txn.Event) error {
	s, ok := txn.Follow(p.State, e)
	if !ok {
		return fmt.Errorf("event %s cannot happen in state %s", e, p.State)
	}
	if p.State != s {
		p.Held = nil // it was the debt of that state that was held
	}
	p.State = s
	return nil
}

// advised takes the acquirer's acknowledgement of an advice.
func advised(p *txn.Payment, r journal.Record) error {
	if _, err := ParseAdvised(r.Body); err != nil {
		return err
	}
	return move(p, txn.AdviceAcked)
}

// reroute takes what surely has not left to another link.
func reroute(p *txn.Payment, r journal.Record) (err error) {
	link, err := ParseRerouted(r.Body)
	if err != nil {
		return err
	}
	p.Link = link
	return move(p, txn.Rerouted)
}
