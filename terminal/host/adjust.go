// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"fmt"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
)

// KeepAdjustment takes in that the last approved sale comes to another amount
// (KindAdjust), or to more (KindTip): amount is the whole. With an outcome of Kept it is
// on the disk, and Upload tells the switch of it, after what was kept before. The latest
// replaces those before it. Once it is kept the sale is not reversed any more.
func (h *Host) KeepAdjustment(ctx context.Context, kind Kind, amount money.MinorUnits) Result {
	r := Result{Outcome: NotSent, Trace: h.mem.nextTrace(), Batch: h.mem.now.batch}
	refuse := func(reason Reason, why string) Result {
		return r.because(reason, fmt.Errorf("%w: %s", errSale, why))
	}
	sale := h.mem.now.last
	switch {
	case !kind.told():
		return refuse(ReasonSaleMalformed, "this kind is no adjustment")
	case sale == nil, h.mem.now.pending != nil:
		return r.because(ReasonNothing, ErrNothing)
	case sale.Kind != KindSale, sale.RRN == "":
		return refuse(ReasonNothing, "the last approval is no sale that can be adjusted")
	case sale.Batch != r.Batch:
		return refuse(ReasonNothing, "the last sale is of a batch that is closed")
	case amount <= 0 || amount > money.Max, kind == KindTip && amount <= sale.Amount:
		return refuse(ReasonSaleMalformed, "the amount is the whole, 1 to 999999999999 minor units; with a tip it is more than the sale")
	case len(h.mem.now.offline)-h.mem.now.scriptsKept() >= offlineMax:
		return refuse(ReasonOfflineFull, fmt.Sprintf("%d messages wait already: the switch must have them first", offlineMax))
	}
	pan, err := secret.NewPAN(sale.pan.Reveal(secret.ForStore))
	if err != nil {
		return r.because(ReasonSaleMalformed, err)
	}
	changed := *sale
	changed.Changed = true
	next := h.mem.now
	next.last = &changed
	return h.keep(ctx, r, next, &reversal{
		Kind: kind, Original: Original{Auth: sale.Auth, Batch: sale.Batch, Trace: sale.Trace, RRN: sale.RRN}, Trace: r.Trace, Batch: r.Batch,
		Amount: amount, Auth: sale.Auth, Expiry: sale.Expiry, PSN: sale.PSN, Entry: sale.Entry[:2] + "2", pan: pan,
	})
}
