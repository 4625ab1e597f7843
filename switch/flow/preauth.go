// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"

	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// A pre-authorization itself is Authorize: its life is a payment's, and what is
// approved is held, not debited. What may happen to it afterwards is here and in
// completion.go, and takes turns: it is cancelled, or completed once, or reversed.

// CancelPreAuth releases what a pre-authorization holds, whole. Its life is a
// void's: one whose end is not known is reversed itself, and the hold stands.
func (f *Flow) CancelPreAuth(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	defer in.Card.Wipe()
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()

	// 1 to 3, as for a payment.
	p, end, told := f.begin(ctx, r, in, f.check)
	if told != nil {
		return *told
	}
	defer func() { end(ans) }()

	// 4: what it cancels, before a PIN is tried for it.
	original, err := f.preAuth(in, p)
	if err != nil {
		return f.refuse(err)
	}
	if err := voidable(p, replay.View{Payment: &original}); err != nil {
		return f.refuse(err)
	}

	// 5 to 11.
	return f.about(ctx, r, in, p, &original, voidable)
}

// preAuth finds the pre-authorization that a cancel or a completion names: by
// card, authorization code, merchant and date, and by batch and trace number
// where those are given. It may have been made at another terminal of the
// merchant. One whose answer is on its way is waited for.
func (f *Flow) preAuth(in *txn.Request, p *txn.Payment) (txn.Payment, error) {
	var found []txn.Payment
	for _, k := range f.Payments.FindAuth(replay.AuthKey{Token: p.Token, Auth: in.OfAuth}) {
		f.Payments.Await(k, in.Deadline)
		if o, ok := f.Payments.Find(k); ok && named(in, &o) {
			found = append(found, o)
		}
	}
	switch len(found) {
	case 0:
		return txn.Payment{}, txn.DeclineOriginalUnknown
	case 1:
		return found[0], nil
	}
	return txn.Payment{}, txn.DeclineOriginalMany
}

// named says whether a message names o. Of batch and trace number, zero is none.
func named(in *txn.Request, o *txn.Payment) bool {
	switch {
	case o.Key.Merchant != in.Key.Merchant:
		return false
	case in.Original.Batch != 0 && in.Original.Batch != o.Key.Batch:
		return false
	case in.Original.Trace != 0 && in.Original.Trace != o.Key.Trace:
		return false
	}
	return txn.NearDate(o.Answer.At, in.OfDate)
}
