// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"

	"tapswitch/switch/txn"
)

// Settle closes a terminal's batch. No money moves by it. Every payment of the
// batch is final when it is closed, or the answer says that it is not balanced;
// what was told of a batch is told again, whoever asks how often. A payment that
// comes for a closed batch is refused with 77, a reversal of one is honoured.
func (f *Flow) Settle(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()

	// 1 and 2: who asks, and is it sensible.
	if err := f.Terminals.Authenticate(ctx, in); err != nil {
		return f.refuse(err)
	}
	if err := f.checkSettle(in); err != nil {
		return f.refuse(err)
	}
	leave, err := f.Admission.Enter(in.Key.Class)
	if err != nil {
		return f.refuse(err)
	}
	defer leave()

	// 3: from here on no payment begins in the batch. What is on its way is waited
	// for; then the totals are on disk before the terminal hears of them.
	s, err := f.Batches.Close(in.Key.BatchID(), in.Totals, in.Deadline)
	if err != nil {
		return f.refuse(err)
	}
	r.step(StepClosed)
	return txn.Answer{Code: txn.CodeApproved, Reason: s.Why, At: f.Clock.Now(), Settled: &s}
}

// Upload takes payments of a batch that its terminal sends one by one, since the
// totals differ. No money moves by it: an item that is not the switch's own payment
// opens a case for a person. A repeat changes nothing and is answered the same.
func (f *Flow) Upload(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	defer in.Card.Wipe()
	return f.uploading(ctx, in, func() (int, error) {
		items, err := f.items(ctx, in)
		if err != nil {
			return 0, err
		}
		id := in.Key.BatchID()
		return f.Batches.Upload(id, items, func(items []txn.Uploaded) {
			payments := f.Payments.OfBatch(id)
			for i := range items {
				items[i].Verdict = items[i].Judge(payments)
			}
		})
	})
}

// EndBatch closes a batch after its upload: a payment in force that was not
// uploaded is a case, too. That of a batch that is closed is answered yes again.
func (f *Flow) EndBatch(ctx context.Context, in *txn.Request) (ans txn.Answer) {
	return f.uploading(ctx, in, func() (int, error) {
		id := in.Key.BatchID()
		return f.Batches.End(id, in.Count, func() ([]txn.Uploaded, txn.Totals) { return counted(f.Payments.OfBatch(id)) })
	})
}

// uploading is what upload and end have in common: who asks, is there room, and the
// answer; cases do not concern the terminal.
func (f *Flow) uploading(ctx context.Context, in *txn.Request, do func() (cases int, err error)) (ans txn.Answer) {
	r := f.report(ctx, in)
	defer func() { r.end(ans) }()
	if err := f.Terminals.Authenticate(ctx, in); err != nil {
		return f.refuse(err)
	}
	leave, err := f.Admission.Enter(in.Key.Class)
	if err != nil {
		return f.refuse(err)
	}
	defer leave()
	cases, err := do()
	if err != nil {
		return f.refuse(err)
	}
	r.step(StepClosed)
	ans = txn.Answer{Code: txn.CodeApproved, At: f.Clock.Now()}
	if cases > 0 {
		ans.Reason = txn.BatchCases
	}
	return ans
}

// items are the uploaded items as they may be kept: by the tokens of their cards.
func (f *Flow) items(ctx context.Context, in *txn.Request) ([]txn.Uploaded, error) {
	items := make([]txn.Uploaded, len(in.Card.Items))
	for i, it := range in.Card.Items {
		token, err := f.Cards.Token(ctx, it.PAN)
		if err != nil {
			return nil, err
		}
		items[i] = txn.Uploaded{Trace: it.Trace, Minor: it.Minor, Token: token, Masked: it.PAN.String()}
	}
	return items, nil
}

// counted are the payments in force among some, as a terminal should upload them: an
// adjusted one with what it comes to, and its adjustments not at all.
func counted(payments []txn.Payment) (items []txn.Uploaded, sum txn.Totals) {
	adjusted := txn.Adjusted(payments)
	for i := range payments {
		p := &payments[i]
		share := p.Share()
		if sum.Add(share); share.Side == txn.OnNeither || share.Side == txn.OnDebitSum {
			continue
		}
		items = append(items, txn.Uploaded{Trace: p.Key.Trace, Minor: p.Comes(adjusted), Token: p.Token, Masked: p.Masked})
	}
	return items, sum
}

// checkSettle is the ladder of what the close of a batch must be.
func (f *Flow) checkSettle(in *txn.Request) error {
	switch {
	case len(f.Currency) != 1:
		return txn.DeclineSettleAmount
	case !f.accepts(uint16(in.Amount.Currency)):
		return txn.DeclineCurrency
	}
	return nil
}
