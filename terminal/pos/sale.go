// SPDX-License-Identifier: Apache-2.0

package pos

import (
	"context"
	"errors"
	"time"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/terminal/host"
	"tapswitch/terminal/pinpad"
)

// sale is a sale at the till, or another kind of message with a card, from top to bottom. It ends in one result event;
// a reversal that it left due is tried once right after it, and again before
// the next sale.
func (t *Till) sale(ctx context.Context, c command) {
	began := t.now()
	e := Event{Event: EventResult, Kind: string(c.kind()), AmountMinor: c.amount, CashMinor: c.cash}
	left := t.pay(ctx, &e, c)
	e.MSTotal = milliseconds(t.now().Sub(began))
	t.say.emit(e)
	t.carryOut(ctx, left)
	if _, due := t.host.Pending(); due && e.Outcome != string(host.NotSent) {
		before := t.host.SignOns()
		undo, err := t.host.Drain(ctx, 1)
		t.signedOn(before)
		t.undone(undo, err)
	}
	if e.Outcome == string(host.Approved) || e.Outcome == string(host.Declined) { // the switch answers
		t.repeat(ctx)
		t.upload(ctx, false)
	}
}

// tap has a card read for an event's amount, and takes what it says into the event;
// a card that does not come to a request ends it.
func (t *Till) tap(ctx context.Context, e *Event) Tap {
	t.say.emit(Event{Event: EventPresentCard, AmountMinor: e.AmountMinor})
	want := Want{Amount: money.Amount{Minor: e.AmountMinor, Currency: t.cfg.Currency}, Cash: e.CashMinor, Counter: t.host.NextTrace()}
	tap := t.tapper.Tap(ctx, want, func() { t.say.emit(Event{Event: EventSeePhone, AmountMinor: e.AmountMinor}) })
	e.Card, e.Kernel, e.AID, e.Label = masked(tap.Card.PAN), tap.Kernel, tap.AID, tap.Label
	e.MSCard = milliseconds(tap.Took)
	if tap.Outcome != "" {
		e.end(tap.Outcome, tap.Reason, tap.Err)
	}
	return tap
}

// pay fills the result of one sale, and tells what is left to be done with its card.
func (t *Till) pay(ctx context.Context, e *Event, c command) (left after) {
	if reason, err := t.ready(ctx); reason != host.ReasonNone {
		e.end(string(host.NotSent), string(reason), err)
		e.unlessCancelled(ctx)
		return left
	}
	tap := t.tap(ctx, e)
	defer tap.wipe()
	e.CVM, e.ODA, e.ODAReason, e.TVR, e.TSI = tap.CVM, tap.Offline.Result, tap.Offline.Reason, tap.Offline.TVR, tap.Offline.TSI
	if tap.Outcome != "" {
		return left
	}
	var block secret.PINBlock
	if tap.PIN {
		var err error
		if block, err = t.pin(ctx, e, tap); err != nil {
			return left
		}
	}
	sent := t.now()
	r := t.host.Sale(ctx, host.Sale{Kind: c.kind(), Amount: e.AmountMinor, Cash: e.CashMinor, Card: tap.Card, PIN: block, Original: c.original})
	e.MSHost = milliseconds(t.now().Sub(sent))
	if r.Outcome != host.NotSent { // a number that the switch has not heard of is no reference
		e.Trace, e.Batch = r.Trace, r.Batch
	}
	e.RRN, e.Auth, e.Code, e.PartMinor, e.Notice = r.RRN, r.Auth, r.Code, r.Part, r.Notice
	if c.kind() != host.KindSale { // what a later message names it by
		e.Date = r.Date
	}
	e.end(string(r.Outcome), string(r.Reason), r.Err)
	e.unlessCancelled(ctx)
	if r.Outcome == host.Approved {
		left = after{tap: tap, answer: r.ICC, trace: r.Trace, amount: e.AmountMinor}
	}
	return left
}

// pin asks for the PIN; without one the sale ends here, and the error says so.
func (t *Till) pin(ctx context.Context, e *Event, tap Tap) (secret.PINBlock, error) {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.PINWait)
	defer cancel()
	t.say.emit(Event{Event: EventEnterPIN, Card: e.Card, AmountMinor: e.AmountMinor})
	pad := pinpad.Pad{Entry: t.keys, Cipher: t.cipher}
	block, err := pad.Block(ctx, tap.Card.PAN, t.host.PINKey())
	switch {
	case err == nil:
	case errors.Is(err, pinpad.ErrTimeout):
		e.end(OutcomePINTimeout, "", err)
	case errors.Is(err, pinpad.ErrCancelled):
		e.end(OutcomeCancelled, "pin_cancelled", err)
	default:
		e.end(OutcomePINError, pinReason(err), err)
	}
	return block, err
}

func pinReason(err error) string {
	switch {
	case errors.Is(err, pinpad.ErrFormat):
		return "pin_must_have_4_to_12_digits"
	case errors.Is(err, pinpad.ErrPAN):
		return "card_number_too_short_for_pin"
	case errors.Is(err, pinpad.ErrNoKey):
		return "no_pin_key"
	}
	return "pin_pad_failed"
}

// end sets how the sale ended.
func (e *Event) end(outcome, reason string, err error) {
	e.Outcome, e.Reason = outcome, reason
	if err != nil {
		e.Message = err.Error()
	}
}

// unlessCancelled renames the end of a sale that was not sent because the
// cashier cancelled, whatever the cancel interrupted.
func (e *Event) unlessCancelled(ctx context.Context) {
	if e.Outcome == string(host.NotSent) && errors.Is(ctx.Err(), context.Canceled) {
		e.Outcome = OutcomeCancelled
	}
}

// ready makes the terminal able to sell and tells what happened on the way: a
// reversal that was due, and a settlement that was begun, which ends with a sign-on.
func (t *Till) ready(ctx context.Context) (host.Reason, error) {
	reason, err := t.online(ctx)
	if _, due := t.host.Unsettled(); due && reason == host.ReasonNone {
		t.finishBatch(ctx)
		return t.online(ctx)
	}
	return reason, err
}

// online is ready without settlements.
func (t *Till) online(ctx context.Context) (host.Reason, error) {
	before := t.host.SignOns()
	undo, reason, err := t.host.Ready(ctx)
	t.signedOn(before)
	t.undone(undo, nil)
	return reason, err
}

// signedOn tells of a sign-on that happened on the way.
func (t *Till) signedOn(before int) {
	if t.host.SignOns() != before {
		t.say.emit(Event{Event: EventSignedOn, Terminal: t.cfg.ID, Batch: t.host.Batch()})
	}
}

// undone tells what became of a reversal.
func (t *Till) undone(undo *host.Undo, err error) {
	if undo == nil {
		return
	}
	e := Event{Event: EventReversal, Trace: undo.Trace, Batch: undo.Batch, Why: undo.Why, Code: undo.Code,
		Done: &undo.Done, Reason: string(undo.Reason)}
	if err != nil {
		e.Message = err.Error()
	}
	t.say.emit(e)
}

// reverse undoes the last approved sale.
func (t *Till) reverse(ctx context.Context) {
	if reason, err := t.ready(ctx); reason != host.ReasonNone {
		t.fail(string(reason), err)
		return
	}
	undo, err := t.host.Reverse(ctx)
	t.undone(undo, err)
	if undo == nil {
		reason := host.ReasonMemory
		if errors.Is(err, host.ErrNothing) {
			reason = host.ReasonNothing
		}
		t.fail(string(reason), err)
	}
}

// network is a sign-on, echo or sign-off asked for by the cashier.
func (t *Till) network(ctx context.Context, done string, do func(context.Context) error) {
	if err := do(ctx); err != nil {
		t.fail(string(host.ReasonOf(err)), err)
		return
	}
	t.say.emit(Event{Event: done, Terminal: t.cfg.ID, Batch: t.host.Batch()})
}

func (t *Till) fail(reason string, err error) {
	e := Event{Event: EventError, Reason: reason}
	if err != nil {
		e.Message = err.Error()
	}
	t.say.emit(e)
}

func (t *Till) now() time.Time { return t.world.Clock.Now() }
