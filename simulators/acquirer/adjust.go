// SPDX-License-Identifier: Apache-2.0

package acquirer

import "fmt"

// procAdjust says that an earlier debit comes to another amount (ISO 8583:1987 table
// A.1: 02 adjustment): field 90 names it, field 4 is what it comes to.
const procAdjust = "020000"

// EffectAdjust is the effect of an adjustment: the account moves by the difference.
const EffectAdjust = "adjust"

// isAdjustment says whether a line is of one.
func (e Entry) isAdjustment() bool { return isAdvice(e.MTI) && e.Procedure == procAdjust }

// judgeAdjustment finds what an adjustment is about: a debit in force of which
// nothing was given back. The latest holds, whatever those before it said.
func (l *ledger) judgeAdjustment(m *message, e *Entry) (code, reason string) {
	d, code, reason := l.original(m, e, "adjustment", mtiFinancial, mtiAdvice)
	if d == nil {
		return code, reason
	}
	o := d.entry
	switch {
	case o.Account != e.Account || o.PAN != e.PAN || o.Currency != e.Currency || o.Terminal != e.Terminal:
		return codeOrigDiffers, "original_differs"
	case o.Procedure != procPurchase || o.held() != notHeld:
		return codeInvalid, "original_not_adjustable"
	case o.Effect != EffectDebit || d.reversed || d.undone:
		return codeInvalid, "original_not_in_force"
	case d.refunded > 0:
		return codeInvalid, "original_refunded"
	}
	e.WasMinor = o.AmountMinor
	return codeApproved, "adjusted"
}

// adjust notes on an original what it comes to from now on; what was asked of it stays
// what a reversal names.
func (d *decision) adjust(e Entry) {
	d.entry.AskedMinor, d.entry.AmountMinor = d.entry.asked(), e.AmountMinor
}

// adjust checks the right to an adjustment, and changes the debit it is about.
func (a *audit) adjust(e Entry) error {
	d, ok := a.debits[e.Original]
	switch {
	case !ok || a.credited[e.Original] || a.refunded[e.Original] > 0 || d.Procedure != procPurchase:
		return fmt.Errorf("an adjustment of %s, which was not debited, or was given back", e.Original)
	case d.Account != e.Account || d.Currency != e.Currency || d.AmountMinor != e.WasMinor || e.Response != codeApproved || !e.isAdjustment():
		return fmt.Errorf("an adjustment that differs from its original %s", e.Original)
	}
	if _, twice := a.adjusted[e.Key()]; twice {
		return fmt.Errorf("a second effect of %s", e.Key())
	}
	a.adjusted[e.Key()] = true
	if d.AskedMinor == 0 {
		d.AskedMinor = d.AmountMinor
	}
	d.AmountMinor = e.AmountMinor
	a.debits[e.Original] = d
	return nil
}
