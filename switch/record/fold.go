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
	p, _, err := FoldEvent(p, k, r)
	return p, err
}

// FoldEvent is Fold, and tells the event that the record stands for; 0 for what an
// operator did that moves nothing.
func FoldEvent(p *txn.Payment, k txn.Key, r journal.Record) (*txn.Payment, txn.Event, error) {
	var e txn.Event
	var err error
	switch {
	case Begins(r.Kind) && p != nil:
		return p, 0, errors.New("second payment with this key")
	case Begins(r.Kind):
		p, e, err = begin(k, r)
	case !changes(r.Kind):
		return p, 0, fmt.Errorf("record kind %d is not one of a payment's in this version", r.Kind)
	case p == nil:
		return nil, 0, ErrNoIntent
	default:
		e, err = change(p, r)
	}
	if err != nil || e == 0 {
		return p, 0, err
	}
	return p, e, move(p, e)
}

// changes says whether a kind is a later record of a payment.
func changes(kind byte) bool {
	switch kind {
	case KindOutcome, KindUndo, KindUndone, KindCase, KindAdvised, KindAct, KindRerouted:
		return true
	}
	return false
}

// change takes what a later record says into p, and returns its event.
func change(p *txn.Payment, r journal.Record) (txn.Event, error) {
	p.Reserved += r.Reserve
	switch r.Kind {
	case KindOutcome:
		o, err := ParseOutcome(r.Body)
		if err != nil {
			return 0, err
		}
		if o.Event != txn.NotSent || p.State != txn.Advising { // a withdrawn advice keeps what it said
			p.Answer = o.Answer
		}
		p.StoodIn = p.StoodIn || o.Event == txn.StoodIn
		return o.Event, nil
	case KindUndo:
		u, err := ParseUndo(r.Body)
		if err != nil {
			return 0, err
		}
		p.Undo, p.UndoWhy = u.Numbers, u.Reason
		return u.Event, nil
	case KindCase:
		c, err := ParseCase(r.Body)
		if err != nil {
			return 0, err
		}
		p.Case, p.FoundUndone = c, false
		return txn.CaseOpened, nil
	case KindAdvised:
		_, err := ParseAdvised(r.Body)
		return txn.AdviceAcked, err
	case KindAct:
		a, err := ParseAct(r.Body)
		if err != nil {
			return 0, err
		}
		return act(p, a)
	case KindRerouted:
		link, err := ParseRerouted(r.Body)
		if err != nil {
			return 0, err
		}
		p.Link = link
		return txn.Rerouted, nil
	}
	u, err := ParseUndone(r.Body)
	return u.Event, err
}

// Begins says whether a kind is the first record of a payment.
func Begins(kind byte) bool { return kind == KindIntent || kind == KindRefused || kind == KindAdvice }

// Over says that a payment's key may come to a new life: nothing more can happen
// to the old one, and beyond its replay window the running switch forgets it. An
// approval is presumed delivered; one with an open case is never forgotten.
func Over(p *txn.Payment) bool { return OverIn(p.State) }

// OverIn is Over of any payment in a state.
func OverIn(s txn.State) bool { return s == txn.Approved || s.Resting() && s != txn.Disputed }

// act takes what an operator did, and returns its event, if it is one.
func act(p *txn.Payment, a txn.Act) (txn.Event, error) {
	switch a.What {
	case txn.Hold, txn.Retry:
		if !p.State.Owes() {
			return 0, fmt.Errorf("%s of a payment in state %s, which owes nothing", a.What, p.State)
		}
		p.Held = nil
		if a.What == txn.Hold {
			p.Held = &a
		}
		return 0, nil
	case txn.Drop:
		p.Case = txn.Case{Why: txn.CaseDropped, Code: a.Code, At: a.At}
	case txn.FoundUndone, txn.FoundStands:
		p.Case, p.FoundUndone = txn.Case{}, a.What == txn.FoundUndone
	default:
		return 0, fmt.Errorf("%s is not done to a payment", a.What)
	}
	e, _ := a.What.Event()
	return e, nil
}

// begin reads a payment's first record.
func begin(k txn.Key, r journal.Record) (*txn.Payment, txn.Event, error) {
	p, err := ParsePayment(k, r.Body)
	if err != nil {
		return nil, 0, err
	}
	if r.Kind == KindRefused {
		return p, txn.Refuse, nil
	}
	p.Reserved = r.Reserve
	if r.Kind == KindAdvice {
		return p, txn.Happened, nil
	}
	return p, txn.Journaled, nil
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
