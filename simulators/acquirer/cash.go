// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"strconv"

	"tapswitch/internal/money"
)

// procCashback is goods and cash in one (ISO 8583:1987 table A.1).
const procCashback = "090000"

// cash reads the cash part of field 54: account type 2, amount type 40, currency 3,
// D, amount 12. Zero when there is none of this form.
func (m *message) cash() money.MinorUnits {
	f := m.fields[54]
	if len(f) != 20 || f[2:4] != "40" || f[4:7] != m.fields[49] || f[7] != 'D' || !isDigits(f[8:]) {
		return 0
	}
	n, err := strconv.ParseInt(f[8:], 10, 64)
	if err != nil {
		return 0
	}
	return money.MinorUnits(n)
}

// judgeCash says what is wrong with the cash of a purchase; an empty code means go on.
func (m *message) judgeCash(e *Entry) (code, reason string) {
	if e.Procedure != procCashback {
		return "", ""
	}
	switch {
	case m.fields[54] == "":
		return codeFormat, "field_54_missing"
	case e.CashMinor <= 0 || e.CashMinor >= e.AmountMinor:
		return codeBadAmount, "cash_not_below_amount"
	}
	return "", ""
}
