// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"fmt"
	"strconv"
	"time"

	"tapswitch/internal/money"
)

// What is held: messages of type 01xx, and those of 02xx whose condition (field 25)
// says that they are about it.
const (
	mtiAuthorization = "0100"
	conditionHold    = "06"     // ISO 8583:1987 DE 25: preauthorised request
	procPreAuth      = "030000" // UnionPay's
)

// Effects of an Entry on what is held of its account.
const (
	EffectHold    = "hold"
	EffectRelease = "release"
)

// The rules of pre-authorizations when the configuration says nothing: UnionPay's.
const (
	defaultPercent  = 115
	defaultHoldDays = 30
)

// Response codes that only these messages need.
const (
	codeAboveLimit = "61"
	codeExpired    = "12"
)

// kindOfHold is what a message asks of what is held.
type kindOfHold uint8

const (
	notHeld kindOfHold = iota
	holds
	cancels
	completes
	voidsCompletion
)

// held says what a line is about.
func (e Entry) held() kindOfHold {
	switch struct{ mti, procedure, condition string }{e.MTI, e.Procedure, e.Condition} {
	case struct{ mti, procedure, condition string }{mtiAuthorization, procPreAuth, conditionHold}:
		return holds
	case struct{ mti, procedure, condition string }{mtiAuthorization, procVoid, conditionHold}:
		return cancels
	case struct{ mti, procedure, condition string }{mtiFinancial, procPurchase, conditionHold}:
		return completes
	case struct{ mti, procedure, condition string }{mtiAdvice, procPurchase, conditionHold},
		struct{ mti, procedure, condition string }{mtiAdviceRepeat, procPurchase, conditionHold}:
		return completes // it has happened
	case struct{ mti, procedure, condition string }{mtiFinancial, procVoid, conditionHold}:
		return voidsCompletion
	}
	return notHeld
}

// hold is an approved pre-authorization.
type hold struct {
	entry    Entry
	released bool   // by a cancel in force, or reversed
	taken    string // key of the completion in force, "" when none is
}

func (h *hold) standing() bool { return h != nil && !h.released && h.taken == "" }

// decideHold is the life of such a message here, one rule a line, in this order.
func (l *ledger) decideHold(m *message, e *Entry) {
	if d := l.decisions[m.key()]; d != nil {
		l.repeat(m, d, e)
		return
	}
	e.Decision = true
	if e.Response, e.Reason = l.judgeHolder(m, e); e.Response != codeApproved {
		return
	}
	e.AuthCode = fmt.Sprintf("%06d", e.Seq%1_000_000)
	switch e.held() {
	case holds:
		e.Effect, e.Reason, e.CompletableMinor = EffectHold, "held", e.AmountMinor*money.MinorUnits(l.cfg.CompletionPercent)/100
	case cancels:
		e.Effect, e.Reason = EffectRelease, "released"
	case completes:
		e.Effect, e.Reason = EffectDebit, "completed"
		if isAdvice(e.MTI) {
			e.Reason, e.AuthCode = "completed_as_advised", m.fields[38]
		}
	case voidsCompletion:
		e.Effect, e.Reason = EffectCredit, "completion_voided"
	}
}

// judgeHolder is what card and account must be; judgeHeld, what is held.
func (l *ledger) judgeHolder(m *message, e *Entry) (code, reason string) {
	a := l.find(m)
	switch {
	case l.early[m.key()]:
		return codeDuplicate, "reversed_before_arrival"
	case e.held() == notHeld:
		return codeInvalid, "processing_code_not_served"
	case e.AmountMinor <= 0:
		return codeBadAmount, "amount_must_be_positive"
	}
	if code, reason := l.judgeAccount(m, a); code != "" {
		return code, reason
	}
	if code, reason := l.checkPIN(m, a, e); code != "" {
		return code, reason
	}
	if e.held() == holds || m.fields[55] != "" { // the others may come without the card's word
		if reason := l.checkChip(m, a, e); reason != "" {
			return codeNotHonoured, reason
		}
	}
	switch e.held() {
	case holds:
		if a.available() < e.AmountMinor {
			return codeNoFunds, "balance_too_low"
		}
		return codeApproved, "held"
	case voidsCompletion:
		return l.judgeCompletion(m, e)
	}
	return l.judgeHeld(m, a, e)
}

// judgeHeld finds what a cancel or a completion names by field 90 and holds the
// authorization code against it.
func (l *ledger) judgeHeld(m *message, a *account, e *Entry) (code, reason string) {
	mti, key, ok := m.names()
	if !ok || mti != mtiAuthorization {
		return codeFormat, "field_90_names_no_0100"
	}
	e.Original = key
	h := l.holds[key]
	if h == nil {
		return codeNotFound, "original_of_hold_unknown"
	}
	o := h.entry
	switch {
	case o.Account != e.Account || o.PAN != e.PAN || o.Currency != e.Currency:
		return codeOrigDiffers, "original_differs"
	case m.fields[38] != o.AuthCode:
		return codeOrigDiffers, "authorization_code_differs"
	case e.held() == cancels && o.AmountMinor != e.AmountMinor:
		return codeOrigDiffers, "original_differs"
	case !h.standing():
		return codeInvalid, "original_not_in_force"
	case e.held() == cancels:
		return codeApproved, "released"
	case e.AmountMinor > o.CompletableMinor:
		return codeAboveLimit, "completion_above_limit"
	case e.Time.Sub(o.Time) > time.Duration(l.cfg.HoldDays)*24*time.Hour:
		return codeExpired, "hold_expired"
	case !isAdvice(e.MTI) && a.available()+o.AmountMinor < e.AmountMinor: // what has happened overdraws
		return codeNoFunds, "balance_too_low"
	}
	return codeApproved, "completed"
}

// judgeCompletion finds the completion that a void takes back, whole.
func (l *ledger) judgeCompletion(m *message, e *Entry) (code, reason string) {
	mti, key, ok := m.names()
	if !ok || mti != mtiFinancial && mti != mtiAdvice {
		return codeFormat, "field_90_names_no_completion"
	}
	e.Original = key
	d := l.decisions[key]
	if d == nil {
		return codeNotFound, "original_of_void_unknown"
	}
	o := d.entry
	switch {
	case o.Account != e.Account || o.PAN != e.PAN || o.AmountMinor != e.AmountMinor || o.Currency != e.Currency:
		return codeOrigDiffers, "original_differs"
	case o.held() != completes || o.Effect != EffectDebit || l.holds[o.Original].taken != key:
		return codeInvalid, "original_not_in_force"
	}
	return codeApproved, "completion_voided"
}

// decideHoldReversal takes the effect of such a message back, once; false when
// field 90 names another kind of message.
func (l *ledger) decideHoldReversal(m *message, e *Entry) bool {
	mti, key, ok := m.names()
	if !ok {
		return false
	}
	d := l.decisions[key]
	if d == nil && mti == mtiAuthorization {
		e.Original, e.Response, e.Reason = key, codeNotFound, reasonUnknownOriginal
		return true
	}
	if d == nil || d.entry.held() == notHeld {
		return false
	}
	e.Original = key
	switch o := d.entry; {
	case o.Account != e.Account || o.PAN != e.PAN || o.AmountMinor != e.AmountMinor || o.Currency != e.Currency:
		e.Response, e.Reason = codeOrigDiffers, "original_differs"
	case o.Effect == EffectNone:
		e.Response, e.Reason = codeApproved, "nothing_to_reverse"
	case d.reversed:
		e.Response, e.Reason = codeApproved, "reversed_already"
	default:
		l.undoHold(key, o, e)
	}
	return true
}

// undoHold is the effect of a reversal, by what it reverses.
func (l *ledger) undoHold(key string, o Entry, e *Entry) {
	e.Response = codeApproved
	switch h := l.holdOf(o); o.held() {
	case holds:
		switch {
		case h.taken != "":
			e.Response, e.Reason = codeInvalid, "original_completed"
		case h.released:
			e.Reason = "released_already"
		default:
			e.Effect, e.Reason = EffectRelease, "hold_reversed"
		}
	case cancels:
		if l.decisions[o.Original].undone {
			e.Reason = "original_reversed_since"
			return
		}
		e.Effect, e.Reason = EffectHold, "cancel_reversed"
	case completes:
		if h.taken != key {
			e.Reason = "voided_already"
			return
		}
		e.Effect, e.Reason = EffectCredit, "completion_reversed"
	case voidsCompletion:
		switch {
		case l.decisions[o.Original].undone:
			e.Reason = "original_reversed_since"
		case !h.standing():
			e.Reason = "hold_used_since" // a second completion of one hold is never booked
		default:
			e.Effect, e.Reason = EffectDebit, "void_reversed"
		}
	}
}

// holdOf is the hold that a line of the books is about, by whatever it names; nil
// for other lines.
func (l *ledger) holdOf(o Entry) *hold {
	for range 4 { // the reversal of the void of the completion of the hold
		if h := l.holds[o.Key()]; h != nil && o.held() == holds {
			return h
		}
		d := l.decisions[o.Original]
		if d == nil {
			return nil
		}
		o = d.entry
	}
	return nil
}

// applyHold changes what is held by one entry; true when the entry is about that.
func (l *ledger) applyHold(a *account, e Entry) bool {
	if e.held() == holds && e.Effect == EffectHold {
		l.holds[e.Key()] = &hold{entry: e}
		a.held += e.AmountMinor
		return true
	}
	h := l.holdOf(e)
	if h == nil {
		return false
	}
	before := h.standing()
	d := l.decisions[e.Original]
	switch e.Effect {
	case EffectRelease:
		h.released = true
	case EffectHold:
		h.released = false
	case EffectDebit:
		if h.taken = e.Key(); e.held() == notHeld { // a void is reversed
			h.taken = d.entry.Original
		}
	case EffectCredit:
		h.taken = ""
	}
	if e.Effect != EffectNone && e.held() == notHeld { // a reversal
		d.reversed = true
	}
	if e.held() == notHeld && e.Response == codeApproved {
		d.undone = true
	}
	switch after := h.standing(); {
	case before && !after:
		a.held -= h.entry.AmountMinor
	case after && !before:
		a.held += h.entry.AmountMinor
	}
	return true
}

// heldAfter is what is held of an account once e is applied.
func (l *ledger) heldAfter(a *account, e Entry) money.MinorUnits {
	h := l.holdOf(e)
	switch {
	case e.held() == holds && e.Effect == EffectHold:
		return a.held + e.AmountMinor
	case h == nil || e.Effect == EffectNone:
		return a.held
	case e.Effect == EffectRelease || e.Effect == EffectDebit:
		return a.held - h.entry.AmountMinor
	}
	return a.held + h.entry.AmountMinor
}

// available is what new messages may take of an account.
func (a *account) available() money.MinorUnits { return a.balance - a.held }

// names reads field 90 (see originalKey): type and key of the message it names.
func (m *message) names() (mti, key string, ok bool) {
	f := m.fields[90]
	if len(f) != 42 || !isDigits(f) {
		return "", "", false
	}
	return f[:4], messageKey(f[4:10], f[10:20], f[20:31]), true
}

// validateHolds checks the rules of holds.
func (c Config) validateHolds(rule func(bool, string, ...any)) {
	rule(c.CompletionPercent >= 1 && c.CompletionPercent <= 200, "completion_percent: want 1 to 200, "+strconv.Itoa(defaultPercent)+" when left out")
	rule(c.HoldDays >= 1 && c.HoldDays <= 365, "hold_days: want 1 to 365, "+strconv.Itoa(defaultHoldDays)+" when left out")
}
