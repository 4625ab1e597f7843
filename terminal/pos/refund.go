// SPDX-License-Identifier: Apache-2.0

package pos

import (
	"context"
	"errors"
	"strconv"

	"tapswitch/terminal/host"
)

// The commands about refunds.
const (
	cmdRefund = string(host.KindRefund)
	cmdRepeat = "repeat"
)

// errRefund is what can be wrong with a refund.
var errRefund = errors.New("refund needs AMOUNT_MINOR REFERENCE BATCH TRACE as on the receipt of the purchase; its DATE MMDD behind them when at hand")

// parseRefund reads a refund; ok is false for another command.
func parseRefund(words [][]byte) (c command, ok bool) {
	if string(words[0]) != cmdRefund {
		return c, false
	}
	if len(words) != 5 && len(words) != 6 {
		return command{err: errRefund}, true
	}
	c.name, c.amount = cmdRefund, amount(words[1])
	trace, err := strconv.ParseUint(string(words[4]), 10, 32)
	if c.amount == 0 || err != nil {
		return command{err: errRefund}, true
	}
	c.original = host.Original{RRN: string(words[2]), Batch: string(words[3]), Trace: uint32(trace)}
	if len(words) == 6 {
		c.original.Date = string(words[5])
	}
	return c, true
}

// refund gives a purchase or a part of it back: the card is read for its number,
// no PIN is asked. It ends in one result event; without an answer the same message
// is sent again after the next sale, before the next refund, and at a start.
func (t *Till) refund(ctx context.Context, c command) {
	began := t.now()
	e := Event{Event: EventResult, Kind: cmdRefund, AmountMinor: c.amount}
	t.giveBack(ctx, &e, c)
	e.MSTotal = milliseconds(t.now().Sub(began))
	t.tell(ctx, e)
}

// giveBack fills the result of one refund.
func (t *Till) giveBack(ctx context.Context, e *Event, c command) {
	if reason, err := t.ready(ctx); reason != host.ReasonNone {
		e.end(string(host.NotSent), string(reason), err)
		e.unlessCancelled(ctx)
		return
	}
	t.repeat(ctx)
	if trace, due := t.host.RefundDue(); due {
		e.Trace = trace
		e.end(string(host.NotSent), string(host.ReasonRefundDue), nil)
		return
	}
	tap := t.tap(ctx, e)
	defer tap.wipe()
	if tap.Outcome != "" {
		return
	}
	sent := t.now()
	r := t.host.Refund(ctx, host.Refund{Amount: c.amount, Card: tap.Card, Original: c.original})
	e.MSHost = milliseconds(t.now().Sub(sent))
	e.refunded(r)
	e.unlessCancelled(ctx)
}

// refunded takes the end of a refund into its event.
func (e *Event) refunded(r host.Result) {
	if r.Outcome != host.NotSent {
		e.Trace, e.Batch = r.Trace, r.Batch
	}
	e.RRN, e.Auth, e.Date, e.Code, e.Notice = r.RRN, r.Auth, r.Date, r.Code, r.Notice
	e.end(string(r.Outcome), string(r.Reason), r.Err)
}

// repeat sends the refund again that has no answer yet.
func (t *Till) repeat(ctx context.Context) {
	before := t.host.SignOns()
	r := t.host.Repeat(ctx)
	t.signedOn(before)
	if r == nil {
		return
	}
	e := Event{Event: EventResult, Kind: cmdRefund, AmountMinor: r.Amount}
	e.refunded(*r)
	t.tell(ctx, e)
}

// tell prints the result of a refund, and lets the terminal forget it then: one
// whose end nobody saw is asked for again.
func (t *Till) tell(ctx context.Context, e Event) {
	t.say.emit(e)
	if err := t.host.Told(context.WithoutCancel(ctx)); err != nil {
		t.fail(string(host.ReasonMemory), err)
	}
}
