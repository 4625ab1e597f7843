// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"

	"tapswitch/iso8583"
)

// ErrNothing says that there is no approved sale to reverse.
var ErrNothing = errors.New("host: no approved sale to reverse")

// Reverse undoes the last approved sale, unless it was adjusted since. What was due before goes first, and
// only when that is done.
func (h *Host) Reverse(ctx context.Context) (*Undo, error) {
	if undo, reason, err := h.Ready(ctx); reason != ReasonNone || err != nil {
		return undo, err
	}
	if h.mem.now.last == nil || h.mem.now.last.Changed {
		return nil, ErrNothing
	}
	next := h.mem.now
	next.pending, next.last = next.last, nil
	if err := h.mem.save(ctx, next); err != nil {
		return nil, err
	}
	return h.Drain(ctx, h.cfg.Tries)
}

// Drain sends the reversal that is due until it is acknowledged, at most so many
// times; nil when none is due. One that is not done stays due.
func (h *Host) Drain(ctx context.Context, tries int) (undo *Undo, err error) {
	for range tries {
		due := h.mem.now.pending
		if due == nil {
			return undo, nil
		}
		undo = &Undo{Trace: due.Trace, Batch: due.Batch, Why: due.Why}
		if undo.Reason, err = h.online(ctx); err != nil {
			return undo, err
		}
		var again bool
		if again, err = h.undo(ctx, due, undo); undo.Done || !again {
			return undo, err
		}
	}
	return undo, err
}

// stands takes the reversal back that the operator asked for and the switch will not
// carry out, whoever asks: the sale was approved, so nothing is unknown of it, and it
// stays in its batch. What has no known end stays due.
func (h *Host) stands(ctx context.Context) error {
	next := h.mem.now
	next.pending, next.last = nil, next.pending
	return h.mem.save(context.WithoutCancel(ctx), next)
}

// undo sends one reversal and says whether sending it again can help.
func (h *Host) undo(ctx context.Context, due *reversal, u *Undo) (again bool, err error) {
	var b iso8583.Builder
	b.Reset(h.layout, mtiReversal)
	h.common(&b, due)
	b.SetString(39, due.Why)
	if auth := due.Auth; auth != "" {
		b.SetString(38, auth)
	} else if due.Original.Auth != "" {
		b.SetString(38, due.Original.Auth)
	}
	if len(due.ICC) > 0 {
		b.SetBytes(55, due.ICC)
	}
	request, err := h.sealed(ctx, &b)
	defer clear(request)
	if err != nil {
		u.Reason = ReasonMessageTooLong
		return false, err
	}
	var v iso8583.View
	_, err = h.exchange(request, mtiUndone, due.Trace, &v)
	defer func() { clear(v.Bytes()) }()
	if err != nil {
		h.drop() // the next try has a fresh connection
		u.Reason = ReasonOf(err)
		return true, err
	}
	u.Code = text(&v, 39)
	reason, bad := h.authentic(ctx, &v, due)
	if signOnAgain(u.Code) || reason == ReasonBadMAC {
		h.signOn = true
	}
	switch {
	case bad != "":
		u.Reason = reason
		return h.signOn, nil
	case !undone(u.Code):
		u.Reason = ReasonNotDone
		if due.RRN != "" && !passes(u.Code) {
			return false, h.stands(ctx)
		}
		return h.signOn, nil
	}
	next, err := h.mem.strike(ctx, h.mem.now, due.Batch, due.Trace)
	if err == nil {
		next.pending = nil
		err = h.mem.save(context.WithoutCancel(ctx), next)
	}
	if err != nil {
		u.Reason = ReasonMemory
		return false, err
	}
	u.Done = true
	return false, nil
}
