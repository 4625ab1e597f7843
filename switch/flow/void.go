// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Void takes a completed payment back, whole; that of a completion makes its
// pre-authorization stand again, as it did before and from its own date. Its life is a payment's: one whose
// end is not known is reversed itself, and the original stands again. What
// happens to one original takes turns: while a void is not at its end, another
// void or the terminal's reversal of the original is refused, and once it is
// approved the original can be neither voided nor reversed.
func (f *Flow) Void(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	defer in.Card.Wipe()
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()

	// 1 to 3, as for a payment.
	p, end, told := f.begin(ctx, r, in, f.checkVoid)
	if told != nil {
		return *told
	}
	defer func() { end(ans) }()

	// 4: what it takes back, before a PIN is tried for it.
	o, err := f.originOf(ctx, in)
	if err != nil {
		return f.refuse(err)
	}
	defer o.release()
	if !f.coded(in, &o.payment) || !f.dated(in, &o.payment) {
		return f.refuse(txn.DeclineOriginalDiffers)
	}
	if err := voidable(p, f.first(o)); err != nil {
		return f.refuse(err)
	}

	// 5 to 11.
	return f.about(ctx, r, in, p, &o.payment, f.over(o, voidable))
}

// checkVoid is the ladder of what a void must be: of the batch that the terminal
// is in. What was settled is given back by a refund.
func (f *Flow) checkVoid(in *txn.Request) error {
	if in.Original.Batch != in.Key.Batch {
		return txn.DeclineOriginalBatch
	}
	return f.check(in)
}

// ladder is what an original must be for p to be about it, one rule a line.
type ladder func(p *txn.Payment, of replay.View) error

// intendOn is intend in the turn of p's original too, which may have changed
// since it was found.
func (f *Flow) intendOn(p *txn.Payment, v verified, may ladder) error {
	_, err := f.Payments.ChangeBoth(p.Key, p.Original, func(now, of replay.View) ([]journal.Record, error) {
		if now.Tombstone {
			return nil, txn.DeclineTombstone // its reversal overtook it
		}
		if err := may(p, of); err != nil {
			return nil, err
		}
		return append(v.records, record.Intent(p)), nil
	})
	if err != nil {
		v.failed()
		return journalError(err)
	}
	p.State = txn.Intended
	return nil
}

// voidable is the ladder of what takes a whole payment back: of the kind that it
// may name, of the same card and amount, and in force.
func voidable(p *txn.Payment, of replay.View) error {
	o := of.Payment
	switch {
	case o == nil:
		return txn.DeclineOriginalUnknown
	case !p.Key.Class.Names(o.Key.Class):
		return txn.DeclineOriginalState
	case comes(of) != p.Amount, o.Token != p.Token:
		return txn.DeclineOriginalDiffers
	}
	return inForce(of)
}

// inForce says that a payment was approved, told, and nothing took it back or
// made use of it since.
func inForce(of replay.View) error {
	if err := standing(of); err != nil {
		return err
	}
	return untouched(of)
}

// standing says that a payment was approved and told.
func standing(of replay.View) error {
	switch o := of.Payment; {
	case o.State == txn.Intended, o.State == txn.Sent, o.State == txn.Approved, o.State == txn.Advising: // the acquirer does not have it yet
		return txn.DeclineOriginalBusy
	case o.State == txn.Disputed:
		return txn.DeclineOriginalCase
	case o.State != txn.Completed && !o.Acknowledged():
		return txn.DeclineOriginalState
	}
	return nil
}

// untouched says that nothing about a payment is in force or under way: no void
// or refund, no cancel, no completion.
func untouched(of replay.View) error {
	for i := range of.Later {
		if err := without(&of.Later[i], of.Beyond); err != nil {
			return err
		}
	}
	return nil
}

// without is alone for l that may itself have been taken back: the void of a
// completion, among what is beyond it.
func without(l *txn.Payment, beyond []txn.Payment) error {
	err := alone(l)
	if err != txn.DeclineOriginalCompleted {
		return err
	}
	for i := range beyond {
		switch b := &beyond[i]; {
		case b.Original != l.Key || b.Key.Class != txn.CompletionVoid:
		case b.State.InForce():
			return nil
		case b.State == txn.Disputed:
			return txn.DeclineOriginalCase
		case !b.State.Resting():
			return txn.DeclineOriginalBusy
		}
	}
	return err
}

// alone says why l, which names a payment, leaves it to nobody else. One that
// ended without effect, or was reversed to the end, is as if it had not been.
func alone(l *txn.Payment) error {
	switch s := l.State; {
	case s.InForce() && l.Key.Class == txn.Refund:
		return txn.DeclineOriginalRefunded
	case s.InForce() && l.Key.Class == txn.Completion, l.Key.Class == txn.CompletionAdvice && (s == txn.Advising || l.Acknowledged()):
		return txn.DeclineOriginalCompleted
	case l.Acknowledged(): // an advice of what names it takes nothing back
	case s.InForce():
		return txn.DeclineOriginalVoided
	case l.Key.Class == txn.ScriptResult: // it tells of the original, and does nothing to it
	case s == txn.Disputed: // whether it is in force a person must find out
		return txn.DeclineOriginalCase
	case !s.Resting():
		return txn.DeclineOriginalBusy
	case l.Key.Class == txn.StandIn && s == txn.Reversed: // a person found that the acquirer never had it
		return txn.DeclineOriginalState
	}
	return nil
}
