// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tapswitch/internal/money"
	"tapswitch/iso8583"
)

// mtiRefund is the message type of a refund (UnionPay POS); there is no reversal
// of it, only the same message again.
const mtiRefund iso8583.MTI = 0x0220

// Refund gives a purchase back, or a part of it.
type Refund struct {
	Amount   money.MinorUnits
	Card     Card     // tracks and chip data are not told: the message must be the same again after a loss of power
	Original Original // batch, trace and reference number as on the receipt; the date, when at hand
}

// RefundDue is the trace number of the refund that has no answer yet.
func (h *Host) RefundDue() (trace uint32, due bool) {
	if h.mem.now.refund == nil {
		return 0, false
	}
	return h.mem.now.refund.Trace, true
}

// Refund is the life of a refund at the terminal. What is known of it is on disk
// before its first byte leaves, and stays there until the switch said, under a
// valid MAC, what became of it, and the cashier was told (Told): without an answer
// the same message is sent again, here as often as the configuration says and later
// by Repeat. It is never reversed, and no other refund is sent meanwhile. Ready came
// before.
func (h *Host) Refund(ctx context.Context, s Refund) Result {
	r := Result{Outcome: NotSent, Trace: h.mem.nextTrace(), Batch: h.mem.now.batch}
	asked := Sale{Kind: KindRefund, Amount: s.Amount, Card: s.Card, Original: s.Original}
	if _, due := h.RefundDue(); due {
		return r.because(ReasonRefundDue, fmt.Errorf("%w: an earlier refund has no answer yet (Repeat)", errSale))
	}
	if r.Reason, r.Err = h.admit(asked); r.Err != nil {
		return r
	}
	record, err := h.remember(asked, r)
	if err != nil {
		return r.because(ReasonSaleMalformed, err)
	}
	record.ICC, record.Why, record.At = nil, "", h.clock.Now().UTC()
	if err := h.connect(ctx); err != nil {
		return r.because(ReasonUnreachable, err)
	}
	if err := ctx.Err(); err != nil {
		return r.because(ReasonCancelled, err)
	}
	ctx = context.WithoutCancel(ctx)
	next := h.mem.now
	next.trace, next.refund, h.answered = r.Trace, record, false
	err = h.mem.save(ctx, next)
	h.mem.skip(r.Trace)
	if err != nil {
		return r.because(ReasonMemory, err)
	}
	return h.askAgain(ctx, false)
}

// refundLasts bounds for how long a refund is sent again: far less than switches
// remember a message (payment.replay_window_ms, a day), since one that is forgotten
// would be carried out a second time.
const refundLasts = 12 * time.Hour

// Repeat sends the refund again of which the cashier was told nothing yet; nil when
// there is none. One that is too old for that is only told.
func (h *Host) Repeat(ctx context.Context) *Result {
	due := h.mem.now.refund
	if due == nil {
		return nil
	}
	if h.old(due) {
		return &Result{Outcome: NoAnswer, Reason: ReasonRefundOld, Amount: due.Amount, Trace: due.Trace, Batch: due.Batch,
			Err: errors.New("host: a refund without an answer is too old to be sent again: ask the acquirer, then discard it")}
	}
	r := h.askAgain(context.WithoutCancel(ctx), true)
	return &r
}

// old says that a refund is not sent again, nor when the clock says nonsense.
func (h *Host) old(due *reversal) bool {
	age := h.clock.Now().Sub(due.At)
	return age < 0 || age > refundLasts
}

// Told says that the cashier knows how the refund ended: it is forgotten. Without
// an end it stays.
func (h *Host) Told(ctx context.Context) error {
	if h.mem.now.refund == nil || !h.answered {
		return nil
	}
	next := h.mem.now
	if h.given { // it counts from the moment that it is forgotten
		var err error
		if next, err = h.mem.count(ctx, next, next.refund); err != nil {
			return err
		}
	}
	next.refund = nil
	return h.mem.save(ctx, next)
}

// askAgain sends the refund that is due until there is an answer, at most as often
// as reversals are sent in one go. Again says that it may have been sent before.
func (h *Host) askAgain(ctx context.Context, again bool) (r Result) {
	for range h.cfg.Tries {
		due := h.mem.now.refund
		r = Result{Outcome: NoAnswer, Amount: due.Amount, Trace: due.Trace, Batch: due.Batch}
		if reason, err := h.online(ctx); err != nil {
			if r = r.because(reason, err); again {
				return r
			}
			return h.refundNotSent(ctx, r)
		}
		left := false
		if r, left = h.ask(ctx, due, r, again); !left && !again {
			return h.refundNotSent(ctx, r)
		}
		if h.answered || r.Outcome == Unrecorded {
			return r
		}
		again = true
	}
	return r
}

// ask sends a refund once, and makes durable that the switch did not judge it.
func (h *Host) ask(ctx context.Context, due *reversal, r Result, again bool) (_ Result, left bool) {
	var b iso8583.Builder
	b.Reset(h.layout, mtiRefund)
	h.common(&b, due)
	b.SetString(37, due.Original.RRN)
	request, err := h.sealed(ctx, &b)
	defer clear(request)
	if err != nil {
		return r.because(ReasonMessageTooLong, err), again
	}
	var v iso8583.View
	left, err = h.exchange(request, mtiRefund.Response(), due.Trace, &v)
	defer func() { clear(v.Bytes()) }()
	if err != nil {
		h.drop() // the next try has a fresh connection
		return r.because(ReasonOf(err), err), left
	}
	r.Code, r.RRN, r.Auth, r.Date, r.Notice = text(&v, 39), text(&v, 37), text(&v, 38), text(&v, 13), notice(&v)
	reason, bad := h.authentic(ctx, &v, due)
	if bad == "" {
		r.Outcome, reason = refundEnd(r.Code, again)
	} else {
		r.Outcome = Unauthenticated
	}
	r.Reason = reason
	if signOnAgain(r.Code) || reason == ReasonBadMAC {
		h.signOn = true
	}
	h.given = r.Outcome == Approved
	if h.answered = r.Outcome != Unauthenticated && r.Outcome != NoAnswer; h.answered {
		return r, true
	}
	marked, next := *due, h.mem.now
	marked.Refused = r.Code
	next.refund = &marked
	if err := h.mem.save(ctx, next); err != nil {
		r.Outcome, r.Reason, r.Err = Unrecorded, ReasonMemory, err
	}
	return r, true
}

// refundEnd says what an authentic answer comes to. The switch stores what it
// says of a refund and says it again, so that every code ends the matter but those
// it has before it looks whether it knows the message: not signed on, MAC or PIN
// block wrong; and 94 to what was sent before, since that may be under way.
func refundEnd(code string, again bool) (Outcome, Reason) {
	switch {
	case code == "", code == "94" && again:
		return NoAnswer, ReasonUnjudged
	case signOnAgain(code) && code != "77": // another batch: it was not taken before
		return NoAnswer, ReasonUnjudged
	case code == "10":
		return Unclear, ReasonPartial
	case approves(code):
		return Approved, ReasonNone
	case code == "96", code == "98": // it did not carry it out, or does not know
		return Unclear, ReasonAskAcquirer
	}
	return Declined, ReasonNone
}

// refundNotSent takes a refund back of which surely nothing left.
func (h *Host) refundNotSent(ctx context.Context, r Result) Result {
	r.Outcome = NotSent
	next := h.mem.now
	next.refund = nil
	if err := h.mem.save(ctx, next); err != nil {
		r.Err = errors.Join(r.Err, err)
	}
	return r
}

// giveUp forgets the refund that is due when the switch answered it without saying
// what became of it, or when it is too old: a person must find that out.
func (h *Host) giveUp(ctx context.Context) error {
	if due := h.mem.now.refund; due.Refused == "" && !h.old(due) {
		return ErrNotRefused
	}
	next := h.mem.now
	next.refund = nil
	return h.mem.save(ctx, next)
}
