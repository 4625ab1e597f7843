// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Reverse is the terminal's reversal. It is answered yes as soon as the undo is
// durable; delivery to the acquirer is the store-and-forward's work. A reversal
// whose original is unknown leaves a tombstone that refuses a later original.
func (f *Flow) Reverse(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	defer in.Card.Wipe()
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()

	if err := f.Terminals.Authenticate(ctx, in); err != nil {
		return f.refuse(err)
	}
	switch in.Original.Class.Ending() {
	case txn.EndCase, txn.EndAdvise: // terminals reverse neither refunds nor what has happened
		return f.refuse(txn.DeclineUnsupported)
	}
	leave, err := f.Admission.Enter(in.Key.Class)
	if err != nil {
		return f.refuse(err)
	}
	defer leave()
	numbers := f.undoNumbers()
	known := false
	now, err := f.changeWithHold(in.Original, func(now, hold replay.View) ([]journal.Record, error) {
		if known = now.Known; !known && f.forgotten(in.Original) {
			return nil, txn.DeclineReversalLate
		}
		records, err := undoAsked(now, hold, in, numbers)
		return f.withdrawn(now, records, txn.DeclineUndone), err
	})
	if err != nil {
		f.owedAgain(in.Original, err)
		return f.refuse(journalError(err))
	}
	r.step(StepUndo)
	r.payment = now.Payment
	if !known {
		return f.refuse(txn.DeclineUnmatched)
	}
	ans = txn.Answer{Code: txn.CodeApproved, At: f.Clock.Now()}
	if now.Payment != nil {
		ans.RRN = now.Payment.Numbers.RRN
		f.enqueue(in.Original, now)
	}
	return ans
}

// changeWithHold is a change of k in the turn of the pre-authorization too, when
// k is the void of a completion: to undo it brings the completion back.
func (f *Flow) changeWithHold(k txn.Key, decide func(now, hold replay.View) ([]journal.Record, error)) (replay.View, error) {
	p, ok := f.Payments.Find(k)
	if ok && k.Class == txn.CompletionVoid {
		if completion, ok := f.Payments.Find(p.Original); ok {
			return f.Payments.ChangeBoth(k, completion.Original, decide)
		}
	}
	return f.Payments.Change(k, func(now replay.View) ([]journal.Record, error) {
		if !ok && now.Payment != nil && k.Class == txn.CompletionVoid { // begun just now
			return nil, txn.DeclineOriginalBusy
		}
		return decide(now, replay.View{})
	})
}

// undoAsked chooses what a terminal's reversal makes durable.
func undoAsked(now, hold replay.View, in *txn.Request, n txn.Numbers) ([]journal.Record, error) {
	p := now.Payment
	switch {
	case p == nil && now.Tombstone:
		return nil, nil
	case p == nil: // unknown, or claimed and not yet intended: it will find the tombstone
		return []journal.Record{record.Tombstone(in.Original)}, nil
	case p.Amount != in.Amount && p.Worth() != in.Amount: // terminals differ in which of the two they repeat
		return nil, txn.DeclineOriginal
	case in.Cash != 0 && in.Cash != p.Cash:
		return nil, txn.DeclineOriginal
	case p.State == txn.Declined, p.State == txn.Refused, p.State == txn.Unmatched:
		now.Heard(txn.UndoAsked) // nothing is held that could be undone
		return nil, nil
	}
	if adjustment(now) != nil {
		return nil, txn.DeclineOriginalAdjusted
	}
	if err := untouched(withoutAdvice(now)); err != nil {
		return nil, stays(err)
	}
	if p.State == txn.Completed { // before, nothing else could be done with the pre-authorization
		if err := reversible(p, hold); err != nil {
			return nil, err
		}
	}
	return undoRecords(now, txn.UndoAsked, txn.DeclineUndone.Reason, n)
}

// forgotten says that an original that is not known may be one of those that the index
// has no room to remember: its batch comes to more than the payments of it that are known.
func (f *Flow) forgotten(original txn.Key) bool {
	id := original.BatchID()
	_, sum := counted(f.Payments.OfBatch(id))
	return sum != f.Batches.Now(id)
}

// stays is why a payment is not reversed: said by a code that no terminal takes for the
// end of its reversal, unless the payment is taken back already.
func stays(why error) error {
	switch why {
	case txn.DeclineOriginalRefunded, txn.DeclineOriginalCompleted, txn.DeclineOriginalCase:
		return txn.DeclineOriginalUsed.Why(why)
	}
	return why
}
