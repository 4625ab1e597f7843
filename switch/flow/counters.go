// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"

	"tapswitch/switch/chip"
	"tapswitch/switch/txn"
)

// counted takes the card's transaction counter and then looks at the PIN: what
// both leave to count is made durable together, with the payment's own record. A
// PIN is not tried for a cryptogram that was used before.
func (f *Flow) counted(ctx context.Context, in *txn.Request, p *txn.Payment, is *chip.Issuer) (verified, error) {
	if is == nil || in.Card.ICC.IsZero() {
		return f.pin(ctx, in, p, is)
	}
	records, giveBack, err := f.Counters.Take(in, p, *is)
	if err != nil {
		return verified{failed: giveBack}, err
	}
	v, err := f.pin(ctx, in, p, is)
	if err != nil && len(v.records) == 0 { // nothing is stored of this message: it may come again
		giveBack()
		return v, err
	}
	failed := v.failed
	v.records = append(records, v.records...)
	v.failed = func() { giveBack(); failed() }
	return v, err
}
