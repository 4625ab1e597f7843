// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"fmt"
	"slices"

	"tapswitch/hsm"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/unionpaypos"
)

// Message types and network codes of a settlement (UnionPay POS).
const (
	mtiSettle iso8583.MTI = 0x0500
	mtiUpload iso8583.MTI = 0x0320

	codeSettle    = "201"
	codeUpload    = "201"
	codeUploadEnd = "207"
	operator      = "01 "
	domestic      = "00"
)

// SettleOutcome is how far a settlement came.
type SettleOutcome string

// The outcomes.
const (
	Balanced   SettleOutcome = "balanced"    // both sides have the same totals; the batch is closed
	BatchSent  SettleOutcome = "uploaded"    // the totals differ; the switch has every payment, and the batch is closed
	NotSettled SettleOutcome = "not_settled" // the switch refused: the batch goes on
	SettleDue  SettleOutcome = "due"         // how it ended is not known, or the upload is not over: it goes on later
)

// Settlement is what became of settling a batch.
type Settlement struct {
	Batch   string
	Outcome SettleOutcome
	Reason  Reason // why it is not settled
	Code    string // field 39 of the last answer, "" without one
	Ours    Totals // the terminal's own
	Theirs  Totals // the switch's, as far as it told them
	Sent    int    // items that the switch has
	Next    string // the batch that sales are in now
}

// Unsettled is the batch whose settlement is begun and not over.
func (h *Host) Unsettled() (batch string, due bool) {
	if c := h.mem.now.closing; c != nil {
		return c.Batch, true
	}
	return "", false
}

// Totals are what the terminal counted in its present batch.
func (h *Host) Totals() Totals { return totals(h.mem.now.lists[h.mem.now.batch]) }

// untold says that the switch does not have an offline sale yet which it may take:
// the totals would not be the same.
func (h *Host) untold() bool {
	return slices.ContainsFunc(h.mem.now.offline, func(r *reversal) bool { return r.Refused == "" })
}

// settling says that a batch takes no sale: what the switch says to its totals is
// not known.
func (h *Host) settling(batch string) bool {
	c := h.mem.now.closing
	return c != nil && !c.Told && c.Batch == batch
}

// Settle settles the present batch, or goes on with the one that was begun: totals,
// and where they differ the payments one by one. What was reached is on disk before
// the next step, so it goes on after a loss of power. Ready and Upload came before:
// a sale whose end is not known belongs into no totals, an offline sale of which the
// switch was not told is in the terminal's alone.
func (h *Host) Settle(ctx context.Context) (s Settlement, err error) {
	ctx = context.WithoutCancel(ctx)
	s = Settlement{Batch: h.mem.now.batch, Outcome: NotSettled, Next: h.mem.now.batch}
	if h.mem.now.pending != nil {
		s.Reason = ReasonReversalDue
		return s, nil
	}
	if _, due := h.RefundDue(); due { // it may count at the switch
		s.Reason = ReasonRefundDue
		return s, nil
	}
	if h.mem.now.closing == nil {
		if h.untold() {
			s.Reason = ReasonOfflineDue
			return s, nil
		}
		next := h.mem.now
		next.closing = &closing{Batch: next.batch}
		if err := h.mem.save(ctx, next); err != nil {
			s.Reason = ReasonMemory
			return s, err
		}
	}
	s.Batch, s.Outcome = h.mem.now.closing.Batch, SettleDue
	s.Ours = totals(h.mem.now.lists[s.Batch])
	for range h.cfg.Tries {
		var again bool
		if s.Reason, err = h.online(ctx); err != nil {
			break
		}
		if again, err = h.settleOnce(ctx, &s); !again {
			break
		}
	}
	s.Next = h.mem.now.batch
	return s, err
}

// settleOnce does what is left to do and says whether doing it again can help.
func (h *Host) settleOnce(ctx context.Context, s *Settlement) (again bool, err error) {
	if !h.mem.now.closing.Told {
		if again, err := h.askTotals(ctx, s); err != nil || again || s.Outcome != SettleDue || s.Reason != ReasonNone {
			return again, err
		}
	}
	if again, err := h.uploadBatch(ctx, s); err != nil || again || s.Reason != ReasonNone {
		return again, err
	}
	return h.endBatch(ctx, s)
}

// askTotals tells the switch the totals and takes in what it says to them.
func (h *Host) askTotals(ctx context.Context, s *Settlement) (again bool, err error) {
	own := unionpaypos.Totals{Debits: uint16(s.Ours.Debits), DebitMinor: uint64(s.Ours.DebitMinor), Credits: uint16(s.Ours.Credits), CreditMinor: uint64(s.Ours.CreditMinor)}
	var v iso8583.View
	defer func() { clear(v.Bytes()) }()
	ok, again, err := h.about(ctx, s, mtiSettle, codeSettle, unionpaypos.AppendTotals(nil, own, unionpaypos.Totals{}), &v)
	if !ok {
		if again || s.Reason != ReasonRefused {
			return again, err
		}
		s.Outcome = NotSettled // an authentic no: the batch is as it was
		next := h.mem.now
		next.closing = nil
		return false, h.save(ctx, s, next)
	}
	first, second, err := unionpaypos.ParseTotals(v.AppendText(nil, 48))
	if err != nil {
		s.Reason = ReasonNoTotals
		return false, nil
	}
	s.Theirs = sumOf(first, second)
	next := h.mem.now
	if first.Result == unionpaypos.ResultBalanced && second.Result == unionpaypos.ResultBalanced {
		s.Outcome = Balanced
		return false, h.settled(ctx, s, next)
	}
	// The next batch is open from here on; this one goes on by itself.
	next.closing = &closing{Batch: s.Batch, Told: true}
	return false, h.save(ctx, s, next.advanced(s.Batch))
}

func sumOf(a, b unionpaypos.Totals) Totals {
	return Totals{Debits: int(a.Debits) + int(b.Debits), Credits: int(a.Credits) + int(b.Credits),
		DebitMinor: money.MinorUnits(a.DebitMinor + b.DebitMinor), CreditMinor: money.MinorUnits(a.CreditMinor + b.CreditMinor)}
}

// advanced is the state behind a batch whose totals were told: sales are in the
// next one, and its last sale is not for the operator to reverse any more.
func (s state) advanced(batch string) state {
	if s.batch == batch {
		s.batch = nextBatch(batch)
	}
	if s.last != nil && s.last.Batch == batch {
		s.last = nil
	}
	return s
}

// settled makes durable that a batch is closed.
func (h *Host) settled(ctx context.Context, s *Settlement, next state) error {
	next = next.advanced(s.Batch).without(s.Batch)
	next.closing = nil
	if err := h.save(ctx, s, next); err != nil {
		return err
	}
	h.signOn = true // as terminals do behind a settlement: the switch names the batch to go on with
	return h.mem.dropList(s.Batch)
}

// save is memory.save with its reason.
func (h *Host) save(ctx context.Context, s *Settlement, next state) error {
	err := h.mem.save(ctx, next)
	if err != nil {
		s.Outcome, s.Reason = SettleDue, ReasonMemory
	}
	return err
}

// uploadBatch sends what the switch may not have, eight at a time.
func (h *Host) uploadBatch(ctx context.Context, s *Settlement) (again bool, err error) {
	for {
		c := *h.mem.now.closing
		s.Sent = c.Count
		items, next, err := h.items(ctx, c)
		if err != nil {
			s.Reason = ReasonMemory
			return false, err
		}
		if len(items) == 0 {
			return false, nil
		}
		text, err := unionpaypos.AppendUpload(nil, items)
		for _, i := range items {
			clear(i.PAN)
		}
		if err != nil {
			s.Reason = ReasonMessageTooLong
			return false, err
		}
		var v iso8583.View
		ok, again, err := h.about(ctx, s, mtiUpload, codeUpload, text, &v)
		clear(text)
		clear(v.Bytes())
		c.Next, c.Count = next, c.Count+len(items)
		switch {
		case ok:
		case s.Reason == ReasonRefused && s.Code == "12": // not told yet, by this switch: totals are asked for again
			return false, h.retell(ctx, s)
		case s.Reason == ReasonRefused && s.Code == "77": // it is closed there: the end will be told so
			c.Next, s.Reason = len(h.mem.now.lists[c.Batch]), ReasonNone
		default:
			return again, err
		}
		now := h.mem.now
		now.closing = &c
		if err := h.save(ctx, s, now); err != nil {
			return false, err
		}
	}
}

// retell puts a batch back to where its totals are asked for.
func (h *Host) retell(ctx context.Context, s *Settlement) error {
	next := h.mem.now
	next.closing = &closing{Batch: s.Batch}
	return h.save(ctx, s, next)
}

// items are the next payments to be uploaded, and the record behind the last of them.
func (h *Host) items(ctx context.Context, c closing) (items []unionpaypos.UploadItem, next int, err error) {
	list := h.mem.now.lists[c.Batch]
	to := adjusted(list)
	for _, at := range live(list) {
		if at < c.Next {
			continue
		}
		if len(items) == unionpaypos.UploadMaxItems {
			return items, at, nil
		}
		e, err := h.mem.readEntry(ctx, c.Batch, at)
		if err != nil {
			return nil, 0, err
		}
		if sum, ok := to[e.Trace]; ok {
			e.Amount = sum
		}
		items = append(items, unionpaypos.UploadItem{Organization: [2]byte([]byte(domestic)), Trace: e.Trace,
			PAN: append([]byte(nil), e.pan.Reveal(secret.ForWire)...), Minor: uint64(e.Amount)})
		e.pan.Wipe()
	}
	return items, len(list), nil
}

// endBatch says that all is uploaded.
func (h *Host) endBatch(ctx context.Context, s *Settlement) (again bool, err error) {
	var v iso8583.View
	defer func() { clear(v.Bytes()) }()
	ok, again, err := h.about(ctx, s, mtiUpload, codeUploadEnd, unionpaypos.AppendUploadEnd(nil, h.mem.now.closing.Count), &v)
	switch {
	case ok:
		s.Outcome = BatchSent
		return false, h.settled(ctx, s, h.mem.now)
	case s.Reason == ReasonRefused && s.Code == "12":
		return false, h.retell(ctx, s)
	}
	return again, err
}

// about is one exchange about the batch: ok when the answer is an authentic yes.
// Otherwise s says why not, and again whether doing it again can help.
func (h *Host) about(ctx context.Context, s *Settlement, mti iso8583.MTI, code string, field48 []byte, v *iso8583.View) (ok, again bool, err error) {
	s.Code, s.Reason = "", ReasonNone
	trace, err := h.useTrace(ctx)
	if err != nil {
		s.Reason = ReasonMemory
		return false, false, err
	}
	var b iso8583.Builder
	b.Reset(h.layout, mti)
	b.SetUint(11, uint64(trace))
	b.SetString(41, h.cfg.Terminal)
	b.SetString(42, h.cfg.Merchant)
	b.SetText(48, field48)
	b.SetString(49, fmt.Sprintf("%03d", uint16(h.cfg.Currency)))
	b.SetString(60, "00"+s.Batch+code)
	b.SetString(63, operator)
	request, err := h.sealed(ctx, &b)
	defer clear(request)
	if err != nil {
		s.Reason = ReasonMessageTooLong
		return false, false, err
	}
	if _, err = h.exchange(request, mti.Response(), trace, v); err != nil {
		h.drop() // the next try has a fresh connection
		s.Reason = ReasonOf(err)
		return false, true, err
	}
	s.Code = text(v, 39)
	s.Reason = h.genuine(ctx, v)
	if signOnAgain(s.Code) || s.Reason == ReasonBadMAC {
		h.signOn = true
	}
	switch {
	case s.Reason != ReasonNone:
		return false, h.signOn, nil
	case s.Code != "00":
		s.Reason = ReasonRefused
		return false, h.signOn && s.Code != "77", nil
	}
	return true, false, nil
}

// genuine says why an answer that concerns no payment cannot be believed.
func (h *Host) genuine(ctx context.Context, v *iso8583.View) Reason {
	switch {
	case !v.Has(64):
		return ReasonNoMAC
	case text(v, 41) != h.cfg.Terminal:
		return ReasonOtherTerminal
	case text(v, 42) != h.cfg.Merchant:
		return ReasonOtherMerchant
	}
	from, _ := v.Span(64)
	if h.keys.Module.VerifyMAC(ctx, h.tak, hsm.MACUnionPayECB, v.Bytes()[:from], v.Raw(64)) != nil {
		return ReasonBadMAC
	}
	return ReasonNone
}
