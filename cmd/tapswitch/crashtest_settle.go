// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/unionpaypos"
	"tapswitch/simulators/oracle"
)

// settle closes the terminal's batch, or goes on where an earlier try ended; true when
// none is left to be settled. What the shop cannot settle now, it settles later.
func (t *till) settleBatch(ctx context.Context) bool {
	_, _ = t.host.Settle(ctx) // what was reached is in the terminal's memory
	_, due := t.host.Unsettled()
	return !due
}

// settleDue goes on with a settlement that was begun; true when none is.
func (t *till) settleDue(ctx context.Context) bool {
	if _, due := t.host.Unsettled(); !due {
		return true
	}
	return t.settleBatch(ctx)
}

// readTotals notes what the answer to a settlement says.
func readTotals(a *oracle.Ask, v *iso8583.View) {
	first, second, err := unionpaypos.ParseTotals(v.AppendText(nil, 48))
	if err != nil {
		return
	}
	a.Balanced = first.Result == unionpaypos.ResultBalanced && second.Result == unionpaypos.ResultBalanced
	a.Told = oracle.Totals{Debits: int(first.Debits) + int(second.Debits), Credits: int(first.Credits) + int(second.Credits),
		DebitMinor: int64(first.DebitMinor + second.DebitMinor), CreditMinor: int64(first.CreditMinor + second.CreditMinor)}
}
