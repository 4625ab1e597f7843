// SPDX-License-Identifier: Apache-2.0

package acquirer

import "tapswitch/internal/money"

// codePartial approves a part of the amount (ISO 8583:1987 DE 39); field 4 of the
// answer has the part.
const codePartial = "10"

// takesPart reports whether the terminal takes an approval of a part. 1987 leaves
// the place to the host; this one reads it in the first character of field 60.
func (m *message) takesPart() bool { return m.fields[60] != "" && m.fields[60][0] == '1' }

// asked is field 4 of the message of an entry, whatever was approved of it.
func (e Entry) asked() money.MinorUnits {
	if e.AskedMinor > 0 {
		return e.AskedMinor
	}
	return e.AmountMinor
}

// funds says whether the account has enough, all or a part of it.
func (l *ledger) funds(m *message, a *account, e *Entry) (code, reason string) {
	part := money.MinorUnits(0)
	switch {
	case e.Procedure != procPurchase:
	case m.half: // by its mood, asked for or not
		part = min(e.AmountMinor/2, a.available())
	case m.takesPart():
		part = a.available()
	}
	switch {
	case part > 0 && part < e.AmountMinor:
		e.AskedMinor, e.AmountMinor = e.AmountMinor, part
		return codePartial, "approved_in_part"
	case a.available() < e.AmountMinor:
		return codeNoFunds, "balance_too_low"
	}
	return codeApproved, "approved"
}

// takesMoney reports whether an answer of this code debits.
func takesMoney(code string) bool { return code == codeApproved || code == codePartial }
