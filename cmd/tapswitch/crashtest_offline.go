// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"tapswitch/internal/money"
	"tapswitch/simulators/oracle"
	"tapswitch/terminal/host"
)

// happened is what a terminal did without asking: it keeps it until the switch has it.
type happened struct {
	receipt
	hold *receipt // of a completion: what it takes; nothing else uses it meanwhile
	sale *sale    // of an adjustment: what comes to the amount
}

// offline is a sale that was authorised by word of mouth, with the switch or
// without it.
func (t *till) offline(ctx context.Context) error {
	_, err := t.keep(ctx, host.Offline{Auth: fmt.Sprintf("T%05d", t.host.NextTrace()%100_000)}, int64(1+t.chance.IntN(2000)), &happened{receipt: receipt{link: t.anyLink()}})
	return err
}

// completeAfter takes what is held before anybody was asked.
func (t *till) completeAfter(ctx context.Context) error {
	h := t.hold
	of := h.Original
	of.RRN = ""
	kept, err := t.keep(ctx, host.Offline{Kind: host.KindCompletionAdvice, Auth: of.Auth, Original: of}, 1+t.chance.Int64N(h.amount*oracle.CompletablePercent/100), &happened{receipt{Original: host.Original{Auth: h.Auth, Date: h.Date}, link: h.link}, h, nil})
	if kept {
		t.hold = nil
	}
	return err
}

// keep has the terminal keep what has happened, unless too much waits already.
func (t *till) keep(ctx context.Context, s host.Offline, amount int64, k *happened) (kept bool, err error) {
	read, err := t.ask(ctx, cardOf(k.link), amount, "")
	if err != nil {
		return false, err
	}
	s.Amount, s.Card, k.amount = money.MinorUnits(amount), read.Card, amount
	r := t.host.KeepOffline(ctx, s)
	switch {
	case r.Reason == host.ReasonOfflineFull:
		return false, nil
	case r.Outcome != host.Kept:
		return false, fmt.Errorf("an offline sale is not kept: %s: %w", r.Reason, r.Err)
	}
	t.kept[r.Trace] = k
	return true, nil
}

// kind is what the switch is told.
func (k *happened) kind() oracle.Kind {
	switch {
	case k.sale != nil:
		return oracle.Adjustment
	case k.hold != nil:
		return oracle.CompletionAdvice
	}
	return oracle.OfflineSale
}

// tell tells the switch of what is kept; true when nothing is left.
func (t *till) tell(ctx context.Context) (done bool, err error) {
	all, _ := t.host.Upload(ctx, false) // what failed is told again
	for _, told := range all {
		k := t.kept[told.Trace]
		if !told.Done && !told.Refused {
			continue
		}
		if k == nil {
			return false, fmt.Errorf("terminal %s told of trace %06d, which it had not kept", t.id, told.Trace)
		}
		k.Batch, k.Trace, k.RRN = told.Batch, told.Trace, told.RRN
		k.key = keyOf(t.id, told.Batch, told.Trace)
		delete(t.kept, told.Trace)
		t.protocol.believed(k.kind(), k.key)
		switch {
		case k.sale != nil:
			t.adjusted(k, told.Done)
			if told.Done {
				continue
			}
			if err := t.host.Discard(ctx, told.Trace); err != nil {
				return false, err
			}
		case told.Refused:
			if k.hold != nil {
				t.hold = k.hold
			}
			if err := t.host.Discard(ctx, told.Trace); err != nil {
				return false, err
			}
		case k.hold != nil:
			t.took(k.hold, &k.receipt)
		default:
			t.holds = append(t.holds, k.key)
		}
	}
	return len(t.kept) == 0, nil
}
