// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"time"

	"tapswitch/internal/money"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Holds says what may be completed.
type Holds interface {
	// HoldTerms are those of a link; zero for one that is not configured.
	HoldTerms(link string) HoldTerms
}

// HoldTerms are the acquirer's rules about what a pre-authorization holds.
type HoldTerms struct {
	Percent int           // of the pre-authorization, that a completion may take
	Lasts   time.Duration // from its approval
}

// Complete takes what a pre-authorization holds: once, no more than the acquirer's
// percentage of it, and before it expires. The message is a request: the acquirer
// is asked before the terminal is told. Its life is a payment's; one whose end is
// not known is reversed, and the hold stands again.
func (f *Flow) Complete(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	defer in.Card.Wipe()
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()

	// 1 to 3, as for a payment.
	p, end, told := f.begin(ctx, r, in, f.check)
	if told != nil {
		return *told
	}
	defer func() { end(ans) }()

	// 4: what it completes, before a PIN is tried for it.
	original, err := f.preAuth(in, p)
	if err != nil {
		return f.refuse(err)
	}
	may := f.completable(original.Link)
	if err := may(p, replay.View{Payment: &original}); err != nil {
		return f.refuse(err)
	}

	// 5 to 11.
	return f.about(ctx, r, in, p, &original, may)
}

// AdviseCompletion is a completion of which the terminal asks nobody's leave: the
// hold was its leave. By the same rules as a request it is taken in or refused by
// name; from then on its life is an advice's, in the turn of the pre-authorization:
// the money is taken whatever the acquirer says, who is told until it is known.
func (f *Flow) AdviseCompletion(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	defer in.Card.Wipe()
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()

	// Who asks, is it sensible, is there room; the same advice again gets the
	// stored answer.
	p, end, told := f.begin(ctx, r, in, f.checkAdvice)
	if told != nil {
		return *told
	}
	defer func() { end(ans) }()

	// What it completes.
	original, err := f.preAuth(in, p)
	if err != nil {
		return f.refuse(err)
	}
	may := f.completable(original.Link)
	if err := may(p, replay.View{Payment: &original}); err != nil {
		return f.refuse(err)
	}

	// The numbers it goes by, to the original's link; from here on it is kept.
	follow(p, &original)
	return f.takeIn(r, in, p, original.Answer.Auth, may)
}

// completable is the ladder of what a pre-authorization must be to be completed.
func (f *Flow) completable(link string) ladder {
	terms := f.Holds.HoldTerms(link)
	return func(p *txn.Payment, of replay.View) error {
		o := of.Payment
		switch {
		case o == nil:
			return txn.DeclineOriginalUnknown
		case !p.Key.Class.Names(o.Key.Class):
			return txn.DeclineOriginalState
		case o.Token != p.Token, o.Amount.Currency != p.Amount.Currency:
			return txn.DeclineOriginalDiffers
		case exceeds(p.Amount.Minor, o.Amount.Minor, terms.Percent):
			return txn.DeclineHoldExceeded
		case f.Clock.Now().Sub(o.Answer.At) > terms.Lasts:
			return txn.DeclineHoldExpired
		}
		return inForce(of)
	}
}

// exceeds says whether an amount is more than so many percent of what is held. A
// fraction of a minor unit is not taken. Both are at most money.Max, 12 digits.
func exceeds(amount, held money.MinorUnits, percent int) bool {
	return amount*100 > held*money.MinorUnits(percent)
}

// coded says whether the authorization code that a message may carry fits what it
// takes back: that of a completion itself, or of its pre-authorization, since
// receipts show the one or the other. A message without one names no less.
func (f *Flow) coded(in *txn.Request, o *txn.Payment) bool {
	if in.OfAuth == ([6]byte{}) || in.OfAuth == o.Answer.Auth {
		return true
	}
	held, ok := f.Payments.Find(o.Original)
	return ok && in.OfAuth == held.Answer.Auth
}

// dated is coded for the date that the void of a completion may carry.
func (f *Flow) dated(in *txn.Request, o *txn.Payment) bool {
	if txn.NearDate(o.Answer.At, in.OfDate) {
		return true
	}
	held, ok := f.Payments.Find(o.Original)
	return ok && txn.NearDate(held.Answer.At, in.OfDate)
}

// reversible says that a void of a completion can still be reversed: its reversal
// brings the completion back, so nothing else may have been done with the
// pre-authorization since.
func reversible(void *txn.Payment, of replay.View) error {
	if of.Payment == nil { // forgotten, so nothing was done with it since
		return nil
	}
	if of.Payment.State != txn.Completed {
		return txn.DeclineOriginalState
	}
	for i := range of.Later {
		if l := &of.Later[i]; l.Key != void.Original {
			if err := without(l, of.Beyond); err != nil {
				return err
			}
		}
	}
	return nil
}
