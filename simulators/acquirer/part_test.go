// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"slices"
	"testing"
)

// Who takes a part gets what the account has: told in field 4, told again alike,
// voided by what was approved and reversed by what was asked. Who takes none gets a
// no, but in the mood for it.
func TestPartialApproval(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	left := int64(1000000)
	ask := func(mti string, f fields, code, amount, reason string, taken int64) {
		t.Helper()
		left -= taken
		_, got := c.ask(mti, f)
		if got[39] != code || got[4] != amount || r.balance("alice") != left {
			t.Errorf("%s: %q over %s and %d left, want %q over %s and %d", reason, got[39], got[4], r.balance("alice"), code, amount, left)
		}
		r.last(reason)
	}
	part, much := set(60, "1"), set(4, "000001500000")
	ask("0200", sale(1, part), "00", "000000001234", "approved", 1234)
	ask("0200", sale(2, much), "51", "000001500000", "balance_too_low", 0)
	ask("0200", sale(3, much, set(60, "0")), "51", "000001500000", "balance_too_low", 0)
	ask("0200", sale(4, much, part, set(3, "010000")), "51", "000001500000", "balance_too_low", 0)
	ask("0200", sale(5, much, part), "10", "000000998766", "approved_in_part", 998766)
	ask("0200", sale(5, much, part), "10", "000000998766", "duplicate", 0)
	ask("0200", sale(5, part, set(4, "000000998766")), "94", "000000998766", "duplicate_differs", 0)
	ask("0200", sale(6, much, part), "51", "000001500000", "balance_too_low", 0) // nothing is left
	of := set(90, "02000000050715031541000400000010"+"0000000000")
	ask("0400", reversal(7, 5, set(4, "000000998766"), of), "64", "000000998766", "original_differs", 0)
	r.host.Close()
	r.start()
	c = r.signedOn()
	ask("0400", reversal(8, 5, much, of), "00", "000001500000", "reversed", -998766)
	ask("0400", reversal(8, 5, much, of), "00", "000001500000", "reversed_already", 0)
	r.mood("partial once")
	ask("0200", sale(9), "10", "000000000617", "approved_in_part", 617)
	ask("0200", sale(10, set(3, "200000"), set(90, "02000000090715031541000400000010"+"0000000000")), "64", "000000001234", "original_differs", 0)
	ask("0200", sale(11, set(3, "200000"), set(4, "000000000617"), set(90, "02000000090715031541000400000010"+"0000000000")), "00", "000000000617", "voided", -617)
	r.mood("partial once")
	ask("0200", sale(12, set(4, "000000000001")), "00", "000000000001", "approved", 1) // there is no half of it
	r.checkBooks()
	partly := func(e Entry) bool { return e.Response == codePartial && e.Effect == EffectDebit }
	for what, bad := range map[string]func([]Entry){
		"no smaller":    func(b []Entry) { e := &b[slices.IndexFunc(b, partly)]; e.AskedMinor = e.AmountMinor },
		"nothing asked": func(b []Entry) { b[slices.IndexFunc(b, partly)].AskedMinor = 0 },
		"a yes to all":  func(b []Entry) { b[slices.IndexFunc(b, partly)].Response = codeApproved },
		"reversed others": func(b []Entry) {
			b[slices.IndexFunc(b, func(e Entry) bool { return e.Reason == "reversed" })].AskedMinor++
		},
	} {
		books := slices.Clone(r.host.Books())
		if bad(books); CheckBooks(books) == nil {
			t.Errorf("bent books (%s) are found sound", what)
		}
	}
}
