// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583"
)

// Field values of a sale and of its reversal.
const (
	processingSale = "000000"
	conditionSale  = "00"
	longestPIN     = "12"
	typeSale       = "22"
	capability     = "60" // 60.4 contact and contactless, 60.5 no fallback
	takesPart      = "1"  // 60.6 takes an approval of a part
	securityPIN    = "2600000000000000"
	securityNoPIN  = "0600000000000000"
)

// Field 39 of a reversal: why it is sent.
const (
	whyNoAnswer = "98"
	whyMAC      = "A0"
	whyOther    = "06"
)

// Sale is the life of a sale at the terminal, and of every other kind of message with a card. Read it top to bottom: Ready came
// before, so a sale that is not possible now is refused before anything is sent.
func (h *Host) Sale(ctx context.Context, s Sale) Result {
	r := Result{Outcome: NotSent, Trace: h.mem.nextTrace(), Batch: h.mem.now.batch}
	if s.Kind == KindRefund {
		return r.because(ReasonSaleMalformed, fmt.Errorf("%w: a refund is not reversed, so it is no sale (Refund)", errSale))
	}
	if r.Reason, r.Err = h.admit(s); r.Err != nil {
		return r
	}
	record, err := h.remember(s, r)
	if err != nil {
		return r.because(ReasonSaleMalformed, err)
	}
	request, err := h.buildSale(context.WithoutCancel(ctx), s, record)
	defer clear(request)
	if err != nil {
		return r.because(ReasonMessageTooLong, err)
	}
	if err := h.connect(ctx); err != nil {
		return r.because(ReasonUnreachable, err)
	}
	if err := ctx.Err(); err != nil {
		return r.because(ReasonCancelled, err)
	}

	// From here on the switch may hold the customer's money, so the reversal is
	// on disk before the first byte leaves. A customer who walks away stops nothing.
	ctx = context.WithoutCancel(ctx)
	due := h.mem.now
	due.trace, due.pending = r.Trace, record
	err = h.mem.save(ctx, due)
	h.mem.skip(r.Trace)
	if err != nil {
		return r.because(ReasonMemory, err)
	}
	var v iso8583.View
	form, _ := s.Kind.form()
	left, err := h.exchange(request, form.mti.Response(), r.Trace, &v)
	defer func() { clear(v.Bytes()) }()
	if !left {
		return h.notSent(ctx, r.because(ReasonLost, err))
	}
	if err != nil {
		r.Outcome = NoAnswer
		return r.because(ReasonOf(err), err)
	}
	return h.settle(ctx, r, h.judge(ctx, &v, record), s.Card.ICC, &v)
}

func (r Result) because(reason Reason, err error) Result {
	r.Reason, r.Err = reason, err
	return r
}

// errSale says what is wrong with the sale itself, never its data.
var errSale = errors.New("host: sale refused before sending")

// admit is the ladder of what must be so before a sale is built.
func (h *Host) admit(s Sale) (Reason, error) {
	refuse := func(r Reason, why string) (Reason, error) {
		return r, fmt.Errorf("%w: %s", errSale, why)
	}
	switch {
	case h.signOn || h.tak == nil:
		return refuse(ReasonNotSignedOn, "sign on first (Ready)")
	case h.mem.now.pending != nil:
		return refuse(ReasonReversalDue, "an earlier sale must be reversed first (Ready)")
	case h.settling(h.mem.now.batch):
		return refuse(ReasonSettlementDue, "its batch is being settled: settle first")
	case full(h.mem.now.lists[h.mem.now.batch]):
		return refuse(ReasonBatchFull, "its batch is full: settle first")
	}
	if s.Kind == KindCompletionAdvice {
		return refuse(ReasonSaleMalformed, "what has happened is kept, not asked (KeepOffline)")
	}
	if err := s.Kind.names(s.Original); err != nil {
		return refuse(ReasonSaleMalformed, err.Error())
	}
	if (s.Cash != 0) != (s.Kind == KindCashback) || s.Cash < 0 || s.Cash >= s.Amount {
		return refuse(ReasonSaleMalformed, "cash goes with a cashback alone, and is less than the whole amount")
	}
	if err := h.roomForScript(); s.Kind.scripted() && err != nil {
		return ReasonOfflineFull, err
	}
	return checkSale(s.Amount, s.Card)
}

// remember makes the reversal of a sale that has not happened yet.
func (h *Host) remember(s Sale, r Result) (*reversal, error) {
	pan, err := secret.NewPAN(s.Card.PAN.Reveal(secret.ForStore))
	if err != nil {
		return nil, err
	}
	entry := string(s.Card.Entry) + "2"
	if !s.PIN.IsZero() {
		entry = string(s.Card.Entry) + "1"
	}
	psn := s.Card.PSN
	if len(psn) == 2 {
		psn = "0" + psn
	}
	return &reversal{
		Kind: s.Kind, Original: s.Original,
		Trace: r.Trace, Batch: r.Batch, Why: whyNoAnswer, Amount: s.Amount, Cash: s.Cash,
		Expiry: s.Card.Expiry, PSN: psn, Entry: entry, ICC: shortICC(s.Card.ICC), pan: pan,
	}, nil
}

// common sets what sale and reversal have in common, in the order of the wire.
func (h *Host) common(b *iso8583.Builder, r *reversal) {
	form, _ := r.form() // known since it was admitted, or read back
	b.SetText(2, r.pan.Reveal(secret.ForWire))
	b.SetString(3, form.processing)
	b.SetUint(4, uint64(r.Amount))
	b.SetUint(11, uint64(r.Trace))
	b.SetString(14, r.Expiry)
	b.SetString(22, r.Entry)
	if r.PSN != "" {
		b.SetString(23, r.PSN)
	}
	b.SetString(25, form.condition)
	b.SetString(41, h.cfg.Terminal)
	b.SetString(42, h.cfg.Merchant)
	b.SetString(49, fmt.Sprintf("%03d", uint16(h.cfg.Currency)))
	b.SetString(60, form.typ+r.Batch+codeSale+capability)
	if r.Original != (Original{}) {
		b.SetString(61, r.Original.field61())
	}
	if r.Cash > 0 {
		b.SetString(54, h.cashText(r.Cash))
	}
}

// cashText is the cash of a sale in field 54 (ISO 8583:1987 DE 54, amount type 40).
func (h *Host) cashText(cash money.MinorUnits) string {
	return fmt.Sprintf("0040%03dD%012d", uint16(h.cfg.Currency), cash)
}

func (h *Host) buildSale(ctx context.Context, s Sale, record *reversal) ([]byte, error) {
	track := s.Card.Track2.AppendTo(nil, secret.ForWire)
	icc := s.Card.ICC.AppendTo(nil, secret.ForWire)
	pin := s.PIN.AppendTo(nil, secret.ForWire)
	defer func() { clear(track); clear(icc); clear(pin) }()

	var b iso8583.Builder
	form, _ := s.Kind.form()
	b.Reset(h.layout, form.mti)
	h.common(&b, record)
	if h.cfg.Part && s.Kind == KindSale {
		b.SetString(60, form.typ+record.Batch+codeSale+capability+takesPart)
	}
	if s.Original.RRN != "" {
		b.SetString(37, s.Original.RRN)
	}
	if s.Original.Auth != "" {
		b.SetString(38, s.Original.Auth)
	}
	b.SetString(26, longestPIN)
	if len(track) > 0 {
		b.SetText(35, track)
	}
	b.SetString(53, securityNoPIN)
	if len(pin) > 0 {
		b.SetBytes(52, pin)
		b.SetString(53, securityPIN)
	}
	if len(icc) > 0 {
		b.SetBytes(55, icc)
	}
	return h.sealed(ctx, &b)
}

// sealed lays the message down and puts the MAC over its last eight bytes.
func (h *Host) sealed(ctx context.Context, b *iso8583.Builder) ([]byte, error) {
	var zeros [8]byte
	b.SetBytes(64, zeros[:])
	raw, err := b.Append(nil)
	if err != nil {
		return nil, err
	}
	covered := raw[:len(raw)-8]
	mac, err := h.keys.Module.MAC(ctx, h.tak, hsm.MACUnionPayECB, covered)
	copy(raw[len(covered):], mac)
	return raw, err
}

// notSent takes the reversal back: surely nothing left. When the disk refuses,
// the reversal stays due; the switch answers that it knows no such sale.
func (h *Host) notSent(ctx context.Context, r Result) Result {
	clean := h.mem.now
	clean.pending = nil
	if err := h.mem.save(ctx, clean); err != nil {
		r.Err = errors.Join(r.Err, err)
	}
	return r
}

// settle makes the verdict durable and only then tells of it.
func (h *Host) settle(ctx context.Context, r Result, j verdict, said secret.ICC, v *iso8583.View) Result {
	r.Outcome, r.Reason, r.Code, r.Part = j.outcome, j.reason, j.code, j.part
	r.Auth, r.RRN, r.Date, r.Notice = text(v, 38), text(v, 37), text(v, 13), notice(v)
	if icc, err := secret.NewICC(v.Raw(55)); err == nil && v.Has(55) {
		r.ICC = icc
	}
	if signOnAgain(j.code) || j.reason == ReasonBadMAC {
		h.signOn = true
	}
	next := h.mem.now
	record := *next.pending
	switch {
	case j.undo != "":
		record.Why = j.undo
		next.pending = &record
	case j.outcome == Approved:
		record.Why, record.Auth, record.RRN, record.Part = whyOther, r.Auth, r.RRN, j.part
		counted := record
		if j.part > 0 {
			counted.Amount = j.part
		}
		listed, err := h.mem.count(ctx, next, &counted)
		if err != nil {
			return r.unrecorded(err)
		}
		next = h.owes(listed, &record, said, r.ICC)
		next.pending, next.last = nil, &record
	default:
		next.pending = nil
	}
	if err := h.mem.save(ctx, next); err != nil {
		if j.undo == "" {
			return r.unrecorded(err)
		}
		r.Err = err
	}
	return r
}

// unrecorded is the end of a sale whose verdict the disk did not take: the reversal
// that is due stays so, in this process and on the disk.
func (r Result) unrecorded(err error) Result {
	r.Outcome, r.Reason, r.Err = Unrecorded, ReasonMemory, err
	return r
}
