// SPDX-License-Identifier: Apache-2.0

package acquirer

// original is the decision that e names by field 90, of a message of one of the types;
// what is what e is, for the reason when it is not known.
func (l *ledger) original(m *message, e *Entry, what string, of ...string) (d *decision, code, reason string) {
	key, ok := m.originalKey(of...)
	if !ok {
		return nil, codeFormat, "field_90_names_no_0200"
	}
	e.Original = key
	if d = l.decisions[key]; d == nil {
		return nil, codeNotFound, "original_of_" + what + "_unknown"
	}
	return d, "", ""
}

// judgeVoid finds what a void takes back by field 90: a debit in force, whole.
func (l *ledger) judgeVoid(m *message, e *Entry) (code, reason string) {
	d, code, reason := l.original(m, e, "void", mtiFinancial, mtiAdvice)
	if d == nil {
		return code, reason
	}
	o := d.entry
	switch {
	case o.Account != e.Account || o.PAN != e.PAN || o.AmountMinor != e.AmountMinor || o.Currency != e.Currency:
		return codeOrigDiffers, "original_differs"
	case o.Effect != EffectDebit || d.reversed || d.undone || o.held() != notHeld: // a completion has a void of its own
		return codeInvalid, "original_not_in_force"
	case d.refunded > 0:
		return codeInvalid, "original_refunded"
	}
	return codeApproved, "approved"
}

// isRefund says whether a line is of a refund, or of one that was asked for.
func (e Entry) isRefund() bool { return e.MTI == mtiAdvice && e.Procedure == procVoid }

// judgeRefund finds the purchase that a refund names by field 90: in force, and
// with what refunds in force have left of it.
func (l *ledger) judgeRefund(m *message, e *Entry) (code, reason string) {
	d, code, reason := l.original(m, e, "refund", mtiFinancial)
	if d == nil {
		return code, reason
	}
	o := d.entry
	switch {
	case o.Account != e.Account || o.PAN != e.PAN || o.Currency != e.Currency || o.Merchant != e.Merchant:
		return codeOrigDiffers, "original_differs"
	case o.Procedure != procPurchase || o.held() != notHeld:
		return codeInvalid, "original_not_refundable"
	case o.Effect != EffectDebit || d.reversed || d.undone:
		return codeInvalid, "original_not_in_force"
	case e.AmountMinor > o.AmountMinor-d.refunded:
		return codeOrigDiffers, "refunds_exceed_original"
	}
	return codeApproved, "approved"
}

// touch notes on d what e, which names it, does to it and to what it names itself.
func (l *ledger) touch(d *decision, e Entry) {
	if d == nil {
		return
	}
	o := l.decisions[d.entry.Original] // of a void or a refund
	switch {
	case e.Effect == EffectNone:
	case e.isAdjustment():
		d.adjust(e)
	case e.isRefund():
		d.refunded += e.AmountMinor
	default:
		d.reversed = true
		if o != nil && d.entry.isRefund() { // a refund is reversed: its amount is to be had again
			o.refunded -= e.AmountMinor
		} else if o != nil { // a void is reversed: what it took back is in force again
			o.reversed = false
		}
	}
	if isReversal(e.MTI) && e.Response == codeApproved {
		d.undone = true
	}
}

const reasonUnknownOriginal = "original_unknown"

// decideReversal finds the original by field 90 and takes its effect back once.
// It names the amount that was asked, since whoever reverses may not have heard that
// a part was approved. It keeps no answers: what is true of the original now is the answer.
func (l *ledger) decideReversal(m *message, e *Entry) {
	if l.decideHoldReversal(m, e) {
		return
	}
	key, ok := m.originalKey(mtiFinancial, mtiAdvice)
	if !ok {
		e.Response, e.Reason = codeFormat, "field_90_names_no_0200"
		return
	}
	e.Original, e.Settled = key, m.fields[15]
	d := l.decisions[key]
	if d == nil {
		e.Response, e.Reason = codeNotFound, reasonUnknownOriginal
		return
	}
	o := d.entry
	switch {
	case o.Account != e.Account || o.PAN != e.PAN || o.asked() != e.AmountMinor || o.CashMinor != e.CashMinor || o.Currency != e.Currency:
		e.Response, e.Reason = codeOrigDiffers, "original_differs"
	case e.Settled != "" && e.Settled != settled(o.F7):
		e.Response, e.Reason = codeOrigDiffers, "settled_on_another_day"
	case o.Effect == EffectNone:
		e.Response, e.Reason = codeApproved, "nothing_to_reverse"
	case d.reversed:
		e.Response, e.Reason = codeApproved, "reversed_already"
	case d.refunded > 0:
		e.Response, e.Reason = codeInvalid, "original_refunded"
	case o.isRefund():
		e.Response, e.Reason, e.Effect = codeApproved, "refund_reversed", EffectDebit
	case o.Effect == EffectCredit && l.decisions[o.Original].undone:
		e.Response, e.Reason = codeApproved, "original_reversed_since" // what the void gave back stays given
	case o.Effect == EffectCredit:
		e.Response, e.Reason, e.Effect = codeApproved, "void_reversed", EffectDebit
	default:
		e.Response, e.Reason, e.Effect = codeApproved, "reversed", EffectCredit
		e.AmountMinor, e.AskedMinor = o.AmountMinor, o.AskedMinor
	}
}

// settled is the settlement date MMDD of what was sent at f7: the day of its
// transmission, so that a repeat gets the same.
func settled(f7 string) string {
	if len(f7) < 4 {
		return ""
	}
	return f7[:4]
}
