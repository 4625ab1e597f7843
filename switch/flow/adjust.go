// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"

	"tapswitch/internal/money"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Adjust takes in that a sale of the batch comes to another amount than was
// approved: a tip on the voucher, or a correction before the batch is closed. It is an
// advice about an original. The latest replaces those before it, each of which the
// acquirer has by then. What happens to one original takes turns: nothing is adjusted
// that was given back, and nothing gives it back, or adjusts it again, while an
// adjustment is not acknowledged.
func (f *Flow) Adjust(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	defer in.Card.Wipe()
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()

	// Who asks, is it sensible, is there room, as for every advice.
	p, end, told := f.begin(ctx, r, in, f.checkAdjustment)
	if told != nil {
		return *told
	}
	defer func() { end(ans) }()

	// What it is about.
	o, err := f.originOf(ctx, in)
	if err != nil {
		return f.refuse(err)
	}
	defer o.release()
	if in.OfAuth != ([6]byte{}) && in.OfAuth != o.payment.Answer.Auth {
		return f.refuse(txn.DeclineOriginalDiffers)
	}
	may := f.adjustable(in.Tip, o.payment.Link)
	if err := may(p, f.first(o)); err != nil {
		return f.refuse(err)
	}

	// The numbers it goes by, to the original's link; from here on it is kept.
	follow(p, &o.payment)
	p.Of = o.payment.Numbers
	return f.takeIn(r, in, p, o.payment.Answer.Auth, f.over(o, may))
}

// checkAdjustment is the ladder of what an adjustment must be: of the batch that the
// terminal is in. What was settled is what it was settled as.
func (f *Flow) checkAdjustment(in *txn.Request) error {
	if in.Original.Batch != in.Key.Batch {
		return txn.DeclineOriginalBatch
	}
	return f.checkAdvice(in)
}

// adjustable is the ladder of what an original must be to be adjusted, one rule a
// line, on a link that takes so many percent more. What it comes to until then is
// noted: as nothing about it is under way, that stands.
func (f *Flow) adjustable(tip bool, link string) ladder {
	percent := f.Limits.Link(link).TipPercent
	return func(p *txn.Payment, of replay.View) error {
		o := of.Payment
		switch {
		case o == nil:
			return txn.DeclineOriginalUnknown
		case !o.Key.Class.Adjustable(), o.StoodIn:
			return txn.DeclineNotAdjustable
		case o.Amount.Currency != p.Amount.Currency, o.Token != p.Token:
			return txn.DeclineOriginalDiffers
		case tip && p.Amount.Minor <= o.Worth().Minor:
			return txn.DeclineTip
		case exceeds(p.Amount.Minor, o.Worth().Minor, 100+percent):
			return txn.DeclineAdjustLimit
		}
		p.Was = comes(of).Minor
		return inForce(of)
	}
}

// comes is what the payment of a view comes to: as the latest adjustment has it.
func comes(of replay.View) money.Amount {
	sum := of.Payment.Worth()
	if l := adjustment(of); l != nil {
		sum.Minor = l.Amount.Minor
	}
	return sum
}

// adjustment is the latest that happened of a payment, nil when there is none: its own
// amount is its last word.
func adjustment(of replay.View) (latest *txn.Payment) {
	for i := range of.Later {
		if l := &of.Later[i]; l.Key.Class == txn.Adjustment && l.State != txn.Reversed { // a person found that it did not happen
			latest = l
		}
	}
	return latest
}

// found is an original as it was found, with what adjusted it: what else names it
// is looked at in its turn.
func (f *Flow) found(o *txn.Payment) replay.View {
	of := replay.View{Payment: o}
	for _, l := range f.Payments.View(o.Key).Later {
		if l.Key.Class == txn.Adjustment {
			of.Later = append(of.Later, l)
		}
	}
	return of
}
