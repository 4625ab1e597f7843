// SPDX-License-Identifier: Apache-2.0

// Package recover brings the switch's memory back from the journal at start.
//
// Promise: the states after recovery are those the crashed process had made
// durable, and whatever was in flight then is on its way to an end: the table
// below by class.
//
// How: Replay hands every record to the projections (payments, PIN tries,
// numbers). Resolve then looks at each payment: an intent without an outcome
// may have been sent and is reversed, closed when its class moves no money, or
// made a case for a person (txn.Payment.Ending); an approval is presumed delivered,
// since its answer may have been written; what was being reversed, and an advice
// that was not acknowledged, is queued again.
//
// Imported by: node, crash tests. Imports: switch/{txn,record,replay,journal}.
package recover

import (
	"fmt"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Projection takes records in order; it passes over kinds that are not its own.
type Projection interface {
	Apply(r journal.Record) error
}

// Of a journal the first bytes are not counted by Expect: files are made larger
// than what is in them, and small maps grow fast. Of the rest the records of one
// payment take paymentBytes at least.
const (
	uncounted    = 256 << 20
	paymentBytes = 600
)

// Expect is about how many payments a journal of so many bytes holds, 0 when they
// are few.
func Expect(bytes int64) int { return int(max(0, bytes-uncounted) / paymentBytes) }

// Replay hands every record of j to every projection.
func Replay(j journal.Replayer, to ...Projection) (records int, err error) {
	err = j.Replay(func(seq uint64, r journal.Record) error {
		records++
		for _, p := range to {
			if err := p.Apply(r); err != nil {
				return fmt.Errorf("journal record %d: %w", seq, err)
			}
		}
		return nil
	})
	return records, err
}

// Summary counts what recovery found.
type Summary struct {
	Payments  int
	Reversed  int // intents without outcome, now being reversed
	Reversing int // reversals that were not acknowledged
	Delivered int // approvals presumed delivered
	Closed    int // without an outcome, of a class that moves no money
	Advising  int // advices that were not acknowledged
	Cases     int // without an outcome, and for a person to ask the acquirer
}

// Resolve gives every payment that was in flight its way to an end. next gives
// numbers for reversals, enqueue takes what is to be delivered, in the order in
// which it came to be owed: what belongs to one original is sent in that order.
func Resolve(x *replay.Index, next func() (txn.Numbers, error), enqueue func(link string, k txn.Key)) (Summary, error) {
	var sum Summary
	var moving []txn.Payment
	sum.Payments, sum.Delivered, moving = x.Presume()
	for _, p := range moving {
		if err := sum.resolve(x, p, next); err != nil {
			return sum, err
		}
	}
	for _, p := range x.Owing(txn.Reversing, txn.Advising) {
		enqueue(p.Link, p.Key)
	}
	return sum, nil
}

// resolve is the rows of what is neither approved nor at rest.
func (sum *Summary) resolve(x *replay.Index, p txn.Payment, next func() (txn.Numbers, error)) error {
	switch p.State {
	case txn.Reversing:
		sum.Reversing++
	case txn.Advising:
		sum.Advising++
	case txn.Intended, txn.Sent:
		switch p.Ending() {
		case txn.EndUndo:
			sum.Reversed++
			return reverse(x, p, next)
		case txn.EndClose:
			sum.Closed++
			return closed(x, p)
		case txn.EndCase:
			sum.Cases++
			return opened(x, p)
		default:
			return fmt.Errorf("recover: terminal %s trace %06d: class %s has no recovery rule in this version", p.Key.Terminal, p.Key.Trace, p.Key.Class)
		}
	}
	return nil
}

// closed is the row of classes that move no money.
func closed(x *replay.Index, p txn.Payment) error {
	_, err := x.Change(p.Key, func(now replay.View) ([]journal.Record, error) {
		o := record.Outcome{Event: txn.Closed, Answer: txn.Refusal(txn.DeclineNoAnswer, p.Numbers.At)}
		return []journal.Record{record.MakeOutcome(now.Payment, o)}, nil
	})
	if err != nil {
		return fmt.Errorf("recover: end of terminal %s trace %06d: %w", p.Key.Terminal, p.Key.Trace, err)
	}
	return nil
}

// opened is the row of classes by which the customer may have got money: what is
// not known of one is not asked again by a message.
func opened(x *replay.Index, p txn.Payment) error {
	_, err := x.Change(p.Key, func(now replay.View) ([]journal.Record, error) {
		return []journal.Record{record.MakeCase(now.Payment, txn.Case{Why: txn.CaseRefundUnanswered, At: p.Numbers.At})}, nil
	})
	if err != nil {
		return fmt.Errorf("recover: case of terminal %s trace %06d: %w", p.Key.Terminal, p.Key.Trace, err)
	}
	return nil
}

// reverse is the row of classes by which money may have moved.
func reverse(x *replay.Index, p txn.Payment, next func() (txn.Numbers, error)) error {
	n, err := next()
	if err != nil { // a start does not depend on numbers that may be used up
		n = replay.SpareNumbers(&p)
	}
	n.RRN = p.Numbers.RRN
	_, err = x.Change(p.Key, func(replay.View) ([]journal.Record, error) {
		u := record.Undo{Event: txn.UndoAsked, Reason: txn.DeclineNoAnswer.Reason, Numbers: n}
		return []journal.Record{record.MakeUndo(p.Key, u)}, nil
	})
	if err != nil {
		return fmt.Errorf("recover: undo of terminal %s trace %06d: %w", p.Key.Terminal, p.Key.Trace, err)
	}
	return nil
}
