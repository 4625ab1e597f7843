// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"

	"tapswitch/switch/txn"
)

// Authorize is the life of a payment with the card at hand: purchase, with cashback
// or without, and cash.
// Read it top to bottom: everything that can happen to the customer's money is a
// line here; each step is a function of steps.go. After Delivered was told what
// became of the answer, the life is over.
func (f *Flow) Authorize(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	defer in.Card.Wipe()
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()

	// 1 to 3: who asks, is it sensible, is there room; the same message again gets
	// the stored answer.
	p, end, told := f.begin(ctx, r, in, f.check)
	if told != nil {
		return *told
	}
	defer func() { end(ans) }()

	// 5 to 7: chip, route, PIN; and the numbers it goes by.
	card, told := f.card(ctx, r, in, p)
	if told != nil && told.Reason == txn.DeclineLinkDown.Reason {
		return f.outOfReach(ctx, r, in, p, card, txn.DeclineLinkDown)
	}
	if told != nil {
		return *told
	}

	// 8: from here on the issuer may hold the customer's money, so the intent is
	// on disk before the first byte leaves. A failed append may still be
	// durable: nothing was sent, so recovery reverses it and no harm is done.
	if err := f.intend(p, card.pin); err != nil {
		return f.refuse(err)
	}
	r.step(StepIntended)

	// 9 to 11: the exchange, the outcome on disk, the answer. What is not known of
	// its end is undone.
	return f.exchange(ctx, r, in, p, card)
}

// check is the ladder of what a request must be, one rule a line.
func (f *Flow) check(in *txn.Request) error {
	if in.Amount.Minor <= 0 {
		return txn.DeclineAmount
	}
	if err := f.checkCash(in); err != nil {
		return err
	}
	return f.checkCard(in)
}

// checkCard is the part of the ladder that every message with a card climbs. A
// card that is given money back may have expired since it paid.
func (f *Flow) checkCard(in *txn.Request) error {
	switch {
	case !f.accepts(uint16(in.Amount.Currency)):
		return txn.DeclineCurrency
	case !in.Card.PAN.LuhnOK():
		return txn.DeclinePAN
	case in.Key.Class != txn.Refund && in.Expiry != ([4]byte{}) && string(in.Expiry[:]) < f.Clock.Now().Format("0601"):
		return txn.DeclineExpired
	case in.Entry[2] == '1' && in.Card.PIN.IsZero():
		return txn.DeclinePINMissing
	}
	return nil
}

func (f *Flow) accepts(currency uint16) bool {
	for _, c := range f.Currency {
		if c == currency {
			return true
		}
	}
	return false
}
