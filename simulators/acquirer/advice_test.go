// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"slices"
	"testing"
)

// What has happened is booked once, whatever the account has, under the code that
// was given for it; what is refused is not booked. Through a restart, and the books
// agree.
func TestAdvices(t *testing.T) {
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
	told := func(stan int, edits ...func(fields)) fields {
		return sale(stan, append([]func(fields){set(38, "VOICE1")}, edits...)...)
	}
	ask("0220", told(1), "00", "booked_as_advised", 1234)
	ask("0220", told(1), "00", "duplicate", 0)
	ask("0221", told(1), "00", "duplicate", 0)
	ask("0221", told(1, set(4, "000000001235")), "94", "duplicate_differs", 0)
	ask("0221", told(2), "00", "booked_as_advised", 1234) // its first sending was lost
	ask("0220", told(3, unset(38)), "30", "field_38_missing", 0)
	ask("0220", told(4, set(3, "310000")), "12", "processing_code_not_served", 0)
	ask("0220", told(5, set(4, "000000000000")), "13", "amount_must_be_positive", 0)
	ask("0220", told(6, set(49, "840")), "12", "currency_not_served", 0)
	ask("0220", told(7, set(2, "6224242300000077")), "14", "account_unknown", 0)
	ask("0220", told(8, set(4, "000009999999")), "00", "booked_as_advised", 9999999) // it overdraws
	ask("0200", sale(9), "51", "balance_too_low", 0)
	ask("0400", reversal(10, 8, set(4, "000009999999"), set(90, "0220000008071503154100040000001"+"00000000000")), "00", "reversed", -9999999)
	r.host.Close()
	r.start()
	c = r.signedOn()
	ask("0221", told(1), "00", "duplicate", 0)
	r.checkBooks()
	for _, bad := range []func([]Entry){
		func(b []Entry) {
			b[slices.IndexFunc(b, func(e Entry) bool { return e.MTI == mtiAdvice })].MTI = mtiReversal
		},
		func(b []Entry) { // only an advice may overdraw
			b[slices.IndexFunc(b, func(e Entry) bool { return e.BalanceMinor < 0 })].MTI = mtiFinancial
		},
	} {
		books := slices.Clone(r.host.Books())
		if bad(books); CheckBooks(books) == nil {
			t.Error("bent books are found sound")
		}
	}
}

// A host that books in silence has the advice all the same.
func TestAdviceInSilence(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	r.mood("silent once")
	c.send(c.pack("0220", sale(1, set(38, "VOICE1"))))
	r.last("booked_as_advised")
	c.silence()
	if _, got := c.ask("0221", sale(1, set(38, "VOICE1"))); got[39] != "00" || r.balance("alice") != 1000000-1234 {
		t.Errorf("%q, %d left", got[39], r.balance("alice"))
	}
	r.mood("silent-before once")
	c.send(c.pack("0220", sale(2, set(38, "VOICE1"))))
	r.last("dropped_by_mood")
	if _, got := c.ask("0221", sale(2, set(38, "VOICE1"))); got[39] != "00" || r.balance("alice") != 1000000-2*1234 {
		t.Errorf("%q, %d left", got[39], r.balance("alice"))
	}
	r.checkBooks()
}
