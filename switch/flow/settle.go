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
