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
// advice about an original. The latest replaces those before it; each is told to the
// acquirer, in order. What happens to one original takes turns: nothing is adjusted
// that was given back, and nothing gives back while an adjustment is not acknowledged.
func (f *Flow) Adjust(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	defer in.Card.Wipe()
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()

	// Who asks, is it sensible, is there room, as for every advice.
	p, end, told := f.begin(ctx, r, in, f.checkHappened)
	if told != nil {
		return *told
	}
	defer func() { end(ans) }()

	// What it is about, and where that went.
	original, err := f.original(in)
	if err != nil {
		return f.refuse(err)
	}
	may := f.adjustable(in.Tip, original.Link)
	if err := may(p, f.Payments.View(original.Key)); err != nil {
		return f.refuse(err)
	}
	if !f.Acquirers.Serves(original.Link, in.Key.Class) {
		return f.refuse(txn.DeclineLinkClass)
	}
	p.Original, p.OfRRN, p.Of, p.Link = original.Key, original.Numbers.RRN, original.Numbers, original.Link
	if p.Numbers, err = f.Numbers.Next(); err != nil {
		return f.refuse(err)
	}

	// From here on the merchant counts on it. The end of this call queues it.
	p.Answer = txn.Answer{Code: txn.CodeApproved, Auth: original.Answer.Auth, RRN: p.Numbers.RRN, At: f.Clock.Now()}
	if told := f.keep(p, may); told != nil {
		return *told
	}
	r.step(StepAdvised)
	return p.Answer
}

// adjustable is the ladder of what an original must be to be adjusted, one rule a
// line, on a link that takes a tip of so many percent.
func (f *Flow) adjustable(tip bool, link string) ladder {
	percent := f.Limits.Link(link).TipPercent
	return func(p *txn.Payment, of replay.View) error {
		o := of.Payment
		switch {
		case o == nil:
			return txn.DeclineOriginalUnknown
		case !o.Key.Class.Adjustable(), o.StoodIn:
			return txn.DeclineNotAdjustable
		case o.Key.Batch != p.Key.Batch:
			return txn.DeclineAdjustBatch
		case o.Amount.Currency != p.Amount.Currency, o.Token != p.Token:
			return txn.DeclineOriginalDiffers
		case tip && p.Amount.Minor <= o.Worth().Minor:
			return txn.DeclineTip
		case exceeds(p.Amount.Minor, o.Worth().Minor, 100+percent):
			return txn.DeclineAdjustLimit
		case o.State != txn.Advising && o.State != txn.Advised: // of an offline sale: the acquirer hears of it first
			if err := standing(of); err != nil {
				return err
			}
		}
		return unreturned(of.Later, of.Beyond)
	}
}

// unreturned says that nothing takes a payment back, nor may; adjustments may stand.
func unreturned(later, beyond []txn.Payment) error {
	for i := range later {
		l := &later[i]
		if l.Key.Class == txn.Adjustment && l.State != txn.Disputed {
			continue
		}
		if err := without(l, beyond); err != nil {
			return err
		}
	}
	return nil
}

// comes is what the payment of a view comes to: as the latest adjustment has it.
func comes(of replay.View) money.Amount {
	sum := of.Payment.Worth()
	for i := range of.Later {
		if l := &of.Later[i]; l.Key.Class == txn.Adjustment {
			sum.Minor = l.Amount.Minor
		}
	}
	return sum
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

// adjusted says whether a payment was adjusted: its own amount is not its last word.
func adjusted(of replay.View) bool {
	for i := range of.Later {
		if of.Later[i].Key.Class == txn.Adjustment {
			return true
		}
	}
	return false
}
