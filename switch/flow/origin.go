// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"slices"

	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// origin is the payment that a void, a refund or an adjustment names.
type origin struct {
	payment   txn.Payment
	forgotten bool          // by the index: payment is of the past
	later     []txn.Payment // what names it, of the past
	release   func()        // lets the index forget again
}

// originOf finds the payment that a message names by its reference number and by
// merchant, batch and trace, those of a void, an adjustment or a script's result also by its terminal: all must fit.
// One whose answer is on its way is waited for. After a nil error release must be
// called.
func (f *Flow) originOf(ctx context.Context, in *txn.Request) (*origin, error) {
	k, ok := f.Payments.FindRRN(in.OfRRN)
	if ok {
		f.Payments.Await(k, in.Deadline)
		if p, ok := f.Payments.Find(k); ok && p.Numbers.RRN == in.OfRRN {
			return &origin{payment: p, release: func() {}}, fits(in, k)
		}
	}
	if f.Past == nil {
		return nil, txn.DeclineOriginalUnknown
	}
	p, err := f.Past.Named(ctx, in.OfRRN, in.Original, in.Deadline)
	if err != nil {
		return nil, err
	}
	if err := fits(in, p.Key); err != nil {
		return nil, err
	}
	return f.former(ctx, in, &p)
}

// fits says whether k is what a message names.
func fits(in *txn.Request, k txn.Key) error {
	o := in.Original
	if k.Merchant != o.Merchant || k.Batch != o.Batch || k.Trace != o.Trace || in.Key.Class.AtTerminal() && k.Terminal != o.Terminal {
		return txn.DeclineOriginalUnknown
	}
	return nil
}

// former reads what became of p, which the index has forgotten. From Keep on the
// index forgets nothing that names p, and all that it had forgotten by then the
// past has: together they miss nothing.
func (f *Flow) former(ctx context.Context, in *txn.Request, p *txn.Payment) (*origin, error) {
	o := &origin{forgotten: true, release: f.Payments.Keep(p.Key)}
	var err error
	if o.payment, o.later, err = f.Past.Since(ctx, p, in.Deadline); err != nil {
		o.release()
		return nil, err
	}
	delivered(&o.payment)
	for i := range o.later {
		delivered(&o.later[i])
	}
	return o, nil
}

// delivered presumes of an approval that its answer was: the index forgets only
// what rests.
func delivered(p *txn.Payment) {
	if p.State == txn.Approved {
		p.State = txn.MustNext(p.State, txn.MaybeWritten)
	}
}

// follow has p be about o, and go where that went.
func follow(p, o *txn.Payment) {
	p.Original, p.OfRRN, p.Link = o.Key, o.Numbers.RRN, o.Link
}

// about is the life of what asks the acquirer about an original, from step 5 on: the
// card, when it was read; the original's link; the PIN, when asked; the intent in the
// original's turn, in which may is climbed again and where whoever comes later finds it;
// then as for a payment.
func (f *Flow) about(ctx context.Context, r *reporter, in *txn.Request, p, o *txn.Payment, may ladder) txn.Answer {
	follow(p, o)
	card, told := f.card(ctx, r, in, p)
	if told != nil {
		return *told
	}
	card.original = o
	if err := f.intendOn(p, card.pin, may); err != nil {
		return f.refuse(err)
	}
	r.step(StepIntended)
	return f.exchange(ctx, r, in, p, card)
}

// first is the look at o before its turn.
func (f *Flow) first(o *origin) replay.View {
	if o.forgotten {
		return f.seen(o, replay.View{})
	}
	return f.found(&o.payment)
}

// over is a ladder that o climbs in its turn.
func (f *Flow) over(o *origin, may ladder) ladder {
	return func(p *txn.Payment, of replay.View) error { return may(p, f.seen(o, of)) }
}

// seen is the view of o in its turn: what the index has of it, and of what it has
// forgotten what the past has.
func (f *Flow) seen(o *origin, of replay.View) replay.View {
	if !o.forgotten || of.Payment != nil && of.Payment.Numbers.RRN == o.payment.Numbers.RRN {
		return of
	}
	now := f.Payments.Naming(o.payment.Key, o.payment.Numbers.RRN)
	of.Payment, of.Later = &o.payment, nil
	for _, l := range o.later {
		if !slices.ContainsFunc(now, func(n txn.Payment) bool { return n.Key == l.Key && n.Numbers == l.Numbers }) {
			of.Later = append(of.Later, l)
		}
	}
	of.Later = append(of.Later, now...)
	return of
}
