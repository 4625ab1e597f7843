// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"errors"
	"fmt"

	"tapswitch/internal/money"
	"tapswitch/iso8583"
)

// The message of an offline sale (UnionPay POS: 0220, type 30, no reversal); that of
// a completion that has happened has type 24.
const (
	mtiOffline       iso8583.MTI = 0x0220
	mtiOfflineAnswer iso8583.MTI = 0x0230
	typeOffline                  = "30"
)

// offlineMax bounds the offline sales that wait for the switch.
const offlineMax = 20

// Offline is a sale that was authorised by word of mouth, or by a pre-authorization:
// the goods go at once, and the switch is told as soon as it can be.
type Offline struct {
	Kind     Kind // KindSale, or KindCompletionAdvice
	Amount   money.MinorUnits
	Card     Card     // tracks and chip data are not told
	Auth     string   // the authorization that was given, six letters or digits; of a completion that of Original
	Original Original // of a completion, as for a request
}

// Told is what became of telling the switch of one offline sale. Refused means that
// it said no for good: the sale stays in the memory until Discard.
type Told struct {
	Kind    Kind
	Trace   uint32
	Batch   string
	Amount  money.MinorUnits
	Code    string // field 39, "" without an answer
	RRN     string // field 37
	Done    bool
	Refused bool
	Reason  Reason // why it is not done
}

// Errors of Discard.
var (
	ErrNotKept    = errors.New("host: no offline sale and no refund of this trace number is kept")
	ErrNotRefused = errors.New("host: what was not refused is not discarded: the switch does not have it yet, or has it and did not answer")
)

// Kept is how many offline sales the switch does not have yet.
func (h *Host) Kept() int { return len(h.mem.now.offline) }

// KeepOffline takes an offline sale in: with an outcome of Kept it is on the disk, and
// Upload tells the switch of it. No connection is needed.
func (h *Host) KeepOffline(ctx context.Context, s Offline) Result {
	r := Result{Outcome: NotSent, Trace: h.mem.nextTrace(), Batch: h.mem.now.batch, Auth: s.Auth}
	refuse := func(reason Reason, why string) Result {
		return r.because(reason, fmt.Errorf("%w: %s", errSale, why))
	}
	if reason, err := checkSale(s.Amount, s.Card); err != nil {
		return r.because(reason, err)
	}
	if err := s.Kind.names(s.Original); err != nil {
		return refuse(ReasonSaleMalformed, err.Error())
	}
	switch {
	case s.Kind != KindSale && s.Kind != KindCompletionAdvice:
		return refuse(ReasonSaleMalformed, "only a sale and a completion can have happened already")
	case s.Kind == KindCompletionAdvice && s.Auth != s.Original.Auth:
		return refuse(ReasonSaleMalformed, "the authorization is that of the pre-authorization")
	case !authorization(s.Auth):
		return refuse(ReasonSaleMalformed, "an authorization has six letters or digits")
	case len(h.mem.now.offline)-h.mem.now.scriptsKept() >= offlineMax:
		return refuse(ReasonOfflineFull, fmt.Sprintf("%d offline sales wait already: the switch must have them first", offlineMax))
	}
	if s.Kind == KindSale {
		if reason, why := h.cfg.Offline.over(&h.mem.now, s.Amount); reason != ReasonNone {
			return refuse(reason, why)
		}
	}
	record, err := h.remember(Sale{Kind: s.Kind, Amount: s.Amount, Card: s.Card, Original: s.Original}, r)
	if err != nil {
		return r.because(ReasonSaleMalformed, err)
	}
	record.Auth, record.ICC, record.Why = s.Auth, nil, ""
	return h.keep(ctx, r, h.mem.now, record)
}

// keep makes durable what the switch is to be told.
func (h *Host) keep(ctx context.Context, r Result, next state, record *reversal) Result {
	next.trace, next.offline = r.Trace, append(next.offline[:len(next.offline):len(next.offline)], record)
	err := h.mem.save(ctx, next)
	h.mem.skip(r.Trace)
	if err != nil {
		return r.because(ReasonMemory, err)
	}
	r.Outcome = Kept
	return r
}

// authorization says whether a code has the form of field 38.
func authorization(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(s) == 6
}

// Upload tells the switch of what is kept, the oldest first, until one gets no
// answer. With refused it is told again of those that it refused, too.
func (h *Host) Upload(ctx context.Context, refused bool) (all []Told, err error) {
	for i := 0; i < len(h.mem.now.offline); {
		due := h.mem.now.offline[i]
		if due.Refused != "" && !refused {
			i++
			continue
		}
		if reason, err := h.online(ctx); err != nil {
			return append(all, Told{Kind: due.Kind, Trace: due.Trace, Batch: due.Batch, Amount: due.Amount, Reason: reason}), err
		}
		told, err := h.tell(ctx, i)
		all = append(all, told)
		switch {
		case told.Done:
		case told.Refused:
			i++
		default:
			return all, err
		}
	}
	return all, nil
}

// tell sends the offline sale at a place of the memory, and makes durable what the
// switch said to it.
func (h *Host) tell(ctx context.Context, at int) (told Told, err error) {
	ctx = context.WithoutCancel(ctx)
	due := h.mem.now.offline[at]
	told = Told{Kind: due.Kind, Trace: due.Trace, Batch: due.Batch, Amount: due.Amount}
	request, err := h.telling(ctx, due)
	defer clear(request)
	if err != nil {
		told.Reason = ReasonMessageTooLong
		return told, err
	}
	var v iso8583.View
	_, err = h.exchange(request, due.answerTo(), due.Trace, &v)
	defer func() { clear(v.Bytes()) }()
	if err != nil {
		h.drop()
		told.Reason = ReasonOf(err)
		return told, err
	}
	told.Code, told.RRN = text(&v, 39), text(&v, 37)
	reason, bad := h.authentic(ctx, &v, due)
	if signOnAgain(told.Code) || reason == ReasonBadMAC {
		h.signOn = true
	}
	if bad != "" {
		told.Reason = reason
		return told, nil
	}
	next, reason, err := h.toldOf(ctx, at, told.Code)
	if err == nil {
		err = h.mem.save(ctx, next)
	}
	switch {
	case err != nil:
		told.Reason = ReasonMemory
	case reason == ReasonNotKept:
		told.Reason = reason
	default:
		told.Done, told.Refused, told.Reason = reason == ReasonNone, reason != ReasonNone, reason
	}
	return told, err
}

// toldOf is the memory after the switch said code to the offline sale at a place,
// and why it is not done.
func (h *Host) toldOf(ctx context.Context, at int, code string) (next state, why Reason, err error) {
	next = h.mem.now
	due := next.offline[at]
	instead := *due
	switch {
	case code == "00":
		next.offline = without(next.offline, at)
		next, err = h.mem.count(ctx, next, due)
		return next, ReasonNone, err
	case code == "77" && due.Batch != next.batch && due.Kind != KindScript: // that batch is closed without it: it belongs into this one
		instead.Batch, why = next.batch, ReasonNotKept
	case passes(code):
		return next, ReasonNotKept, nil
	default:
		instead.Refused, why = code, ReasonAdviceRefused
	}
	next.offline = append(append(next.offline[:at:at], &instead), next.offline[at+1:]...)
	return next, why, nil
}

// telling builds the message of what is kept.
func (h *Host) telling(ctx context.Context, due *reversal) ([]byte, error) {
	if due.Kind == KindScript {
		return h.tellingScript(ctx, due)
	}
	var b iso8583.Builder
	b.Reset(h.layout, mtiOffline)
	h.common(&b, due)
	b.SetString(38, due.Auth)
	kind := typeOffline
	if due.Kind != KindSale {
		form, _ := due.Kind.form()
		kind = form.typ
		b.SetString(61, due.Original.field61())
	}
	if due.Original.RRN != "" {
		b.SetString(37, due.Original.RRN)
	}
	b.SetString(60, kind+due.Batch+codeSale+capability)
	return h.sealed(ctx, &b)
}

// passes lists the codes of a switch that cannot keep an advice now; it is told again.
func passes(code string) bool {
	switch code {
	case "68", "90", "91", "96", "98", "A7":
		return true
	}
	return code == "" || signOnAgain(code)
}

// Discard forgets an offline sale that the switch refused for good: the merchant's
// voucher is what is left of it. A refund is forgotten that the switch answered
// without a word about it.
func (h *Host) Discard(ctx context.Context, trace uint32) error {
	if due, is := h.RefundDue(); is && due == trace {
		return h.giveUp(ctx)
	}
	for i, s := range h.mem.now.offline {
		switch {
		case s.Trace != trace:
		case s.Refused == "":
			return ErrNotRefused
		default:
			next := h.mem.now
			next.offline = without(next.offline, i)
			return h.mem.save(ctx, next)
		}
	}
	return ErrNotKept
}

// without is all but the one at a place; the list itself is not changed.
func without(all []*reversal, at int) []*reversal {
	return append(all[:at:at], all[at+1:]...)
}

// checkSale is the part of the ladder that concerns amount and card alone.
func checkSale(amount money.MinorUnits, c Card) (Reason, error) {
	refuse := func(why string) (Reason, error) {
		return ReasonSaleMalformed, fmt.Errorf("%w: %s", errSale, why)
	}
	switch {
	case amount <= 0 || amount > money.Max:
		return refuse("amount must be 1 to 999999999999 minor units")
	case c.PAN.IsZero():
		return refuse("no card number")
	case !digits(c.Expiry, 4):
		return refuse("expiry must be four digits YYMM")
	case c.PSN != "" && !digits(c.PSN, 2) && !digits(c.PSN, 3):
		return refuse("card sequence number must be two or three digits")
	case !digits(string(c.Entry), 2):
		return refuse("entry mode must be two digits")
	}
	return ReasonNone, nil
}
