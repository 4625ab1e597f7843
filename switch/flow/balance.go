// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Inquire asks the balance of an account. No money moves, so nothing is ever
// undone: an inquiry whose end is not known is closed. Its intent is durable all
// the same: a PIN may have been tried, and a repeat gets the first answer.
func (f *Flow) Inquire(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	defer in.Card.Wipe()
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()

	p, end, told := f.begin(ctx, r, in, f.checkInquiry)
	if told != nil {
		return *told
	}
	defer func() { end(ans) }()
	card, told := f.card(ctx, r, in, p)
	if told != nil {
		return *told
	}
	if err := f.intend(p, card.pin); err != nil {
		return f.refuse(err)
	}
	r.step(StepIntended)
	return f.exchange(ctx, r, in, p, card)
}

// checkInquiry is the ladder of what an inquiry must be.
func (f *Flow) checkInquiry(in *txn.Request) error {
	if in.Amount.Minor != 0 {
		return txn.DeclineAmountGiven
	}
	return f.checkCard(in)
}

// close makes durable that p ended without an effect, then refuses.
func (f *Flow) close(k txn.Key, why error) txn.Answer {
	ans := f.refuse(why)
	_, err := f.Payments.Change(k, func(now replay.View) ([]journal.Record, error) {
		return closeRecords(now, ans)
	})
	if err != nil {
		// The intent or a yes alone is durable: recovery closes it, and a repeat may
		// then be told the balance. No money depends on it.
		return f.refuse(txn.DeclineJournal.Why(err))
	}
	return ans
}

// closeRecords closes what still can be.
func closeRecords(now replay.View, ans txn.Answer) ([]journal.Record, error) {
	if _, ok := txn.Follow(now.Payment.State, txn.Closed); !ok {
		return nil, nil
	}
	return []journal.Record{record.MakeOutcome(now.Payment, record.Outcome{Event: txn.Closed, Answer: ans})}, nil
}
