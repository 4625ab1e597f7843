// SPDX-License-Identifier: Apache-2.0

package pos

import (
	"context"
	"errors"

	"tapswitch/terminal/host"
)

// offline is a sale that was authorised by telephone, or a completion of which nobody
// is asked: the card is read for its
// number, no PIN is asked, and the sale is good once it is on the terminal's disk.
// The switch is told right after it, and again after the next sale.
func (t *Till) offline(ctx context.Context, c command) {
	began := t.now()
	if c.name == cmdCompletionAdvice {
		c.auth = c.original.Auth
	}
	e := Event{Event: EventResult, Kind: string(c.kind()), AmountMinor: c.amount, Auth: c.auth}
	tap := t.tap(ctx, &e)
	defer tap.wipe()
	if tap.Outcome == "" {
		r := t.host.KeepOffline(ctx, host.Offline{Kind: c.kind(), Amount: c.amount, Card: tap.Card, Auth: c.auth, Original: c.original})
		if r.Outcome == host.Kept {
			e.Trace, e.Batch = r.Trace, r.Batch
		}
		e.end(string(r.Outcome), string(r.Reason), r.Err)
	}
	e.MSTotal = milliseconds(t.now().Sub(began))
	t.say.emit(e)
	if e.Outcome == string(host.Kept) {
		t.upload(ctx, false)
	}
}

// adjust has the last sale come to another amount, as the voucher says.
func (t *Till) adjust(ctx context.Context, c command) {
	began := t.now()
	r := t.host.KeepAdjustment(ctx, host.Kind(c.name), c.amount)
	e := Event{Event: EventResult, Kind: c.name, AmountMinor: c.amount}
	if r.Outcome == host.Kept {
		e.Trace, e.Batch = r.Trace, r.Batch
	}
	e.end(string(r.Outcome), string(r.Reason), r.Err)
	e.MSTotal = milliseconds(t.now().Sub(began))
	t.say.emit(e)
	if r.Outcome == host.Kept {
		t.upload(ctx, false)
	}
}

// upload tells the switch of the offline sales that it does not have yet.
func (t *Till) upload(ctx context.Context, refused bool) {
	if t.host.Kept() == 0 {
		return
	}
	before := t.host.SignOns()
	all, err := t.host.Upload(ctx, refused)
	t.signedOn(before)
	for i, told := range all {
		e := Event{Event: EventAdvice, Kind: string(told.Kind), Trace: told.Trace, Batch: told.Batch, AmountMinor: told.Amount, Code: told.Code, RRN: told.RRN,
			Done: &told.Done, Reason: string(told.Reason)}
		if err != nil && i == len(all)-1 {
			e.Message = err.Error()
		}
		t.say.emit(e)
	}
}

// discard forgets an offline sale that the switch refused for good.
func (t *Till) discard(ctx context.Context, trace uint32) {
	switch err := t.host.Discard(ctx, trace); {
	case errors.Is(err, host.ErrNotKept), errors.Is(err, host.ErrNotRefused):
		t.fail("nothing_to_discard", err)
	case err != nil:
		t.fail(string(host.ReasonMemory), err)
	default:
		t.say.emit(Event{Event: EventDiscarded, Trace: trace})
	}
}
