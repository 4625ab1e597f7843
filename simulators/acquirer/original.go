// SPDX-License-Identifier: Apache-2.0

package acquirer

// judgeVoid finds what a void takes back by field 90: a debit in force, whole.
func (l *ledger) judgeVoid(m *message, e *Entry) (code, reason string) {
	key, ok := m.originalKey()
	if !ok {
		return codeFormat, "field_90_names_no_0200"
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
	case o.Effect != EffectDebit || d.reversed || d.undone:
		return codeInvalid, "original_not_in_force"
	}
	return codeApproved, "approved"
}

const reasonUnknownOriginal = "original_unknown"

// decideReversal finds the original by field 90 and takes its effect back once.
// It names the amount that was asked, since whoever reverses may not have heard that
// a part was approved. It keeps no answers: what is true of the original now is the answer.
func (l *ledger) decideReversal(m *message, e *Entry) {
	key, ok := m.originalKey()
	if !ok {
		e.Response, e.Reason = codeFormat, "field_90_names_no_0200"
		return
	}
	e.Original = key
	d := l.decisions[key]
	if d == nil {
		e.Response, e.Reason = codeNotFound, reasonUnknownOriginal
		return
	}
	o := d.entry
	switch {
	case o.Account != e.Account || o.PAN != e.PAN || o.asked() != e.AmountMinor || o.Currency != e.Currency:
		e.Response, e.Reason = codeOrigDiffers, "original_differs"
	case o.Effect == EffectNone:
		e.Response, e.Reason = codeApproved, "nothing_to_reverse"
	case d.reversed:
		e.Response, e.Reason = codeApproved, "reversed_already"
	case o.Effect == EffectCredit && l.decisions[o.Original].undone:
		e.Response, e.Reason = codeApproved, "original_reversed_since" // what the void gave back stays given
	case o.Effect == EffectCredit:
		e.Response, e.Reason, e.Effect = codeApproved, "void_reversed", EffectDebit
	default:
		e.Response, e.Reason, e.Effect = codeApproved, "reversed", EffectCredit
		e.AmountMinor, e.AskedMinor = o.AmountMinor, o.AskedMinor
	}
}
