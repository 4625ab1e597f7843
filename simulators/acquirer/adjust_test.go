// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"slices"
	"testing"
)

// An adjustment moves the account by the difference, once, and the latest holds; a
// void and a refund then give back what it comes to, and a reversal, which names what
// was asked, too. Nothing is adjusted that was given back. Through a restart.
func TestAdjustments(t *testing.T) {
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
	about := func(stan, of int, mti, amount string, edits ...func(fields)) fields {
		f := sale(stan, append([]func(fields){set(3, "020000"), set(38, "000001"), set(4, amount)}, edits...)...)
		if _, named := f[90]; !named {
			f[90] = mti + reversal(0, of)[90][4:]
		}
		return f
	}
	ask("0200", sale(1), "00", "approved", 1234)
	ask("0220", about(2, 1, "0200", "000000001400"), "00", "adjusted", 166)
	ask("0221", about(2, 1, "0200", "000000001400"), "00", "duplicate", 0)
	ask("0221", about(2, 1, "0200", "000000001500"), "94", "duplicate_differs", 0)
	ask("0220", about(3, 1, "0200", "000000001000"), "00", "adjusted", -400)
	r.host.Close()
	r.start()
	c = r.signedOn()
	ask("0220", about(4, 1, "0200", "000000001300"), "00", "adjusted", 300)
	ask("0220", about(5, 9, "0200", "000000001300"), "25", "original_of_adjustment_unknown", 0)
	ask("0220", about(6, 1, "0200", "000000001300", set(90, "0800"+reversal(0, 1)[90][4:])), "30", "field_90_names_no_0200", 0)
	ask("0220", about(7, 1, "0200", "000000001300", set(41, "10016920")), "64", "original_differs", 0)
	ask("0220", about(8, 1, "0200", "000000000000"), "13", "amount_must_be_positive", 0)
	ask("0200", sale(10, set(3, "200000"), set(90, reversal(0, 1)[90])), "64", "original_differs", 0)
	ask("0200", sale(11, set(3, "200000"), set(4, "000000001300"), set(90, reversal(0, 1)[90])), "00", "voided", -1300)
	ask("0220", about(12, 1, "0200", "000000001300"), "12", "original_not_in_force", 0)

	ask("0220", sale(20, set(38, "VOICE1")), "00", "booked_as_advised", 1234)
	ask("0220", about(21, 20, "0220", "000000001100"), "00", "adjusted", -134)
	ask("0400", reversal(22, 20, set(4, "000000001100"), set(90, "0220"+reversal(0, 20)[90][4:])), "64", "original_differs", 0)
	ask("0400", reversal(23, 20, set(90, "0220"+reversal(0, 20)[90][4:])), "00", "reversed", -1100)

	ask("0200", sale(30), "00", "approved", 1234)
	ask("0220", about(31, 30, "0200", "000000001300"), "00", "adjusted", 66)
	ask("0220", sale(32, set(3, "200000"), set(4, "000000001301"), set(90, reversal(0, 30)[90])), "64", "refunds_exceed_original", 0)
	ask("0220", sale(33, set(3, "200000"), set(4, "000000001300"), set(90, reversal(0, 30)[90])), "00", "refunded", -1300)
	ask("0220", about(34, 30, "0200", "000000001200"), "12", "original_refunded", 0)
	ask("0200", sale(40, set(3, "010000")), "00", "approved", 1234)
	ask("0220", about(41, 40, "0200", "000000001200"), "12", "original_not_adjustable", 0)
	r.checkBooks()
	adjusts := func(e Entry) bool { return e.Effect == EffectAdjust }
	for what, bad := range map[string]func([]Entry){
		"another before": func(b []Entry) { b[slices.IndexFunc(b, adjusts)].WasMinor++ },
		"of nothing":     func(b []Entry) { b[slices.IndexFunc(b, adjusts)].Original = "" },
		"a purchase":     func(b []Entry) { b[slices.IndexFunc(b, adjusts)].Procedure = procPurchase },
		"refused":        func(b []Entry) { b[slices.IndexFunc(b, adjusts)].Response = codeInvalid },
	} {
		books := slices.Clone(r.host.Books())
		if bad(books); CheckBooks(books) == nil {
			t.Errorf("bent books (%s) are found sound", what)
		}
	}
}
