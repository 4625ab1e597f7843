// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"slices"
	"testing"
)

// A purchase with cash is debited whole and has its cash in the books; its void and
// its reversal give all back.
func TestCashback(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	left := int64(1000000)
	ask := func(mti string, f fields, code, reason string, taken int64) {
		t.Helper()
		left -= taken
		if _, got := c.ask(mti, f); got[39] != code || r.balance("alice") != left {
			t.Errorf("%s: %q and %d left, want %q and %d", reason, got[39], r.balance("alice"), code, left)
		}
		r.last(reason)
	}
	proc, cash := set(3, "090000"), set(54, "0040156D000000000200")
	ask("0200", sale(1, proc, cash), "00", "approved", 1234)
	if e := r.last("approved"); e.CashMinor != 200 {
		t.Errorf("%+v", e)
	}
	ask("0200", sale(1, proc, cash), "00", "duplicate", 0)
	ask("0200", sale(1, proc, set(54, "0040156D000000000201")), "94", "duplicate_differs", 0)
	ask("0200", sale(2, proc), "30", "field_54_missing", 0)
	for i, bad := range []string{"0040156D000000000000", "0040156D000000001234", "0040840D000000000200", "0040156C000000000200", "0002156D000000000200", "0040156D0000000002"} {
		ask("0200", sale(3+i, proc, set(54, bad)), "13", "cash_not_below_amount", 0)
	}
	ask("0200", sale(20, proc, cash, set(4, "000009999999"), set(60, "1")), "51", "balance_too_low", 0)
	ask("0400", reversal(21, 1, proc, set(54, "0040156D000000000201")), "64", "original_differs", 0)
	ask("0400", reversal(22, 1, proc, cash), "00", "reversed", -1234)
	ask("0200", sale(23, proc, cash), "00", "approved", 1234)
	ask("0200", sale(24, set(3, "200000"), set(90, "02000000230715031541000400000010"+"0000000000")), "00", "voided", -1234)
	r.checkBooks()
	for _, bad := range []func(*Entry){func(e *Entry) { e.CashMinor = 0 }, func(e *Entry) { e.CashMinor = e.AmountMinor }, func(e *Entry) { e.Procedure = procPurchase }} {
		books := slices.Clone(r.host.Books())
		bad(&books[slices.IndexFunc(books, func(e Entry) bool { return e.Effect == EffectDebit })])
		if CheckBooks(books) == nil {
			t.Error("bent books are found sound")
		}
	}
}
