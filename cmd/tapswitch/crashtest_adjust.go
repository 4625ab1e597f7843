// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"tapswitch/internal/money"
	"tapswitch/terminal/host"
)

// tipPercent is what a tip may bring a sale to beyond its amount (links, tip_percent).
const tipPercent = 20

// adjust has the sale that was just approved come to another amount: with a tip, to
// less, or to more than is allowed, which must be refused.
func (t *till) adjust(ctx context.Context, s *sale) error {
	if s.Outcome != host.Approved || s.Undone || s.cash || s.Amount < 100 {
		return nil
	}
	kind, amount := host.KindTip, s.Amount+1+t.chance.Int64N(s.Amount*tipPercent/100)
	vain := false
	switch t.chance.IntN(6) {
	case 0, 1:
		kind, amount = host.KindAdjust, 1+t.chance.Int64N(s.Amount)
	case 2:
		vain, amount = true, s.Amount*(100+tipPercent)/100+1
	}
	trace := t.host.NextTrace()
	t.protocol.vainly(trace, vain)
	r := t.host.KeepAdjustment(ctx, kind, money.MinorUnits(amount))
	if r.Outcome != host.Kept { // the last approval is another by now
		t.protocol.vainly(trace, false)
		return nil
	}
	s.unsure = true // nothing else is done to it until the switch has this
	t.kept[r.Trace] = &happened{receipt: receipt{link: s.Link, amount: amount}, sale: s}
	return nil
}

// adjusted takes in what the switch said to an adjustment.
func (t *till) adjusted(k *happened, done bool) {
	k.sale.unsure = false
	if done {
		k.sale.Amount, k.sale.left = k.amount, k.amount
	}
}
