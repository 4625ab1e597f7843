// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestWire plays testdata/wire.txt: the bytes on the line are pinned.
func TestWire(t *testing.T) {
	script, err := os.ReadFile("testdata/wire.txt")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	c, steps, title := r.dial(), 0, ""
	for _, line := range strings.Split(strings.TrimSpace(string(script)), "\n") {
		raw, err := hex.DecodeString(line[2:])
		switch {
		case line[0] == '#':
			title = line[2:]
			continue
		case err != nil:
			t.Fatal(err)
		case line[0] == '>':
			c.send(raw)
			continue
		}
		got, err := c.receive(patience)
		if err != nil {
			t.Fatalf("%s: %v", title, err)
		}
		if !bytes.Equal(got, raw) {
			t.Errorf("%s:\ngot  %X\nwant %X", title, got, raw)
		}
		steps++
	}
	if steps != 4 {
		t.Fatalf("%d answers compared, want 4", steps)
	}
	if got := r.balance("alice"); got != 1000000 {
		t.Errorf("after purchase and reversal alice has %d, want what she had", got)
	}
	e := r.host.Books()[6]
	if e.MAC != StateOK || e.PIN != StateOK || e.ARQC != StateOK || e.Effect != EffectDebit {
		t.Errorf("the purchase is in the books as %+v", e)
	}
}

// TestSaleLadder has one rule a line, in the order of the ledger.
func TestSaleLadder(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	carol, dora := set(2, "4761739001010119"), set(2, "6299999999999999")
	for i, x := range []struct {
		reason, code string
		edits        []func(fields)
	}{
		{"field_37_missing", "30", []func(fields){unset(37)}},
		{"field_4_not_numeric", "30", []func(fields){set(4, "00000000123A")}},
		{"institution_unknown", "31", []func(fields){set(32, "40000002")}},
		{"processing_code_not_served", "12", []func(fields){set(3, "990000")}},
		{"amount_must_be_positive", "13", []func(fields){set(4, "000000000000")}},
		{"currency_not_served", "12", []func(fields){set(49, "840")}},
		{"account_unknown", "14", []func(fields){set(2, "6224242300000077")}},
		{"account_blocked", "62", []func(fields){set(2, "5413330089020011")}},
		{"pin_block_malformed", "99", []func(fields){set(52, "\x01\x02\x03\x04\x05\x06\x07\x08")}},
		{"pin_wrong", "55", []func(fields){withPIN(r.cfg, "654321")}},
		{"arqc_wrong", "05", []func(fields){withChip(r, true)}},
		{"arqc_wrong", "05", []func(fields){carol, withChip(r, true)}},
		{"arqc_missing", "05", []func(fields){set(22, "071")}},
		{"arqc_tag_9f02_missing", "05", []func(fields){set(22, "071"), set(55, "\x9A\x03\x26\x07\x15")}},
		{"balance_too_low", "51", []func(fields){dora}},
		{"approved", "00", nil},
		{"approved", "00", []func(fields){withPIN(r.cfg, "123456")}},
		{"approved", "00", []func(fields){set(2, "4444333322221111"), withPIN(r.cfg, "1234")}}, // by PVV
		{"approved", "00", []func(fields){withChip(r, false)}},
		{"approved", "00", []func(fields){carol, withChip(r, false), withPIN(r.cfg, "1234")}},
	} {
		mti, f := c.ask("0200", sale(100+i, x.edits...))
		if e := r.last(x.reason); mti != "0210" || f[39] != x.code || e.Response != x.code {
			t.Errorf("%s: answered %s %q, booked %q; want %q", x.reason, mti, f[39], e.Response, x.code)
		}
		if approved := x.code == "00"; approved != (f[38] != "") || approved != (r.last(x.reason).Effect == EffectDebit) {
			t.Errorf("%s: auth code %q, effect %s", x.reason, f[38], r.last(x.reason).Effect)
		}
	}
	r.checkBooks()
}

// TestAnswerFields pins which fields come back.
func TestAnswerFields(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	have := func(f fields, want ...int) {
		t.Helper()
		for _, id := range want {
			if f[id] == "" {
				t.Errorf("field %d missing", id)
			}
		}
		if len(f) != len(want) {
			t.Errorf("%d fields, want %d: %v", len(f), len(want), want)
		}
	}
	_, f := c.ask("0200", sale(1, withChip(r, false)))
	have(f, 3, 4, 7, 11, 12, 13, 15, 32, 37, 38, 39, 41, 42, 49, 55, 64)
	if f[55][:2] != "\x91\x0A" || f[55][10:] != "00" || len(f[55]) != 12 {
		t.Errorf("field 55 is not tag 91 with ARPC and code")
	}
	mti, f := c.ask("0400", reversal(2, 1))
	have(f, 3, 4, 7, 11, 32, 37, 39, 41, 42, 49, 90, 128)
	if mti != "0410" || f[39] != "00" {
		t.Errorf("reversal answered %s %q", mti, f[39])
	}
	mti, f = c.ask("0800", network("301"))
	have(f, 7, 11, 39, 70)
	if mti != "0810" || f[39] != "00" {
		t.Errorf("echo answered %s %q", mti, f[39])
	}
	mti, f = c.ask("0300", sale(3))
	if mti != "0310" || f[39] != "12" || r.last("message_type_not_served").Effect != EffectNone {
		t.Errorf("file action answered %s %q", mti, f[39])
	}
}

// TestSignOn: financial messages need a sign-on of their own connection, or of
// any, as configured. A refused message does not use its key up.
func TestSignOn(t *testing.T) {
	r := newRig(t)
	c, other := r.signedOn(), r.dial()
	if _, f := other.ask("0200", sale(1)); f[39] != "91" {
		t.Errorf("without sign-on: %q", f[39])
	}
	if e := r.last("not_signed_on"); e.Effect != EffectNone || e.Decision {
		t.Errorf("without sign-on: %+v", e)
	}
	if _, f := other.ask("0400", reversal(2, 1)); f[39] != "91" {
		t.Errorf("reversal without sign-on: %q", f[39])
	}
	if _, f := c.ask("0200", sale(1)); f[39] != "00" {
		t.Errorf("the same message on the signed-on connection: %q", f[39])
	}
	c.ask("0800", network("002"))
	if _, f := c.ask("0200", sale(3)); f[39] != "91" {
		t.Errorf("after sign-off: %q", f[39])
	}
	if _, f := c.ask("0800", network("161")); f[39] != "12" {
		t.Errorf("key exchange is not served: %q", f[39])
	}
	host := newRig(t, func(c *Config) { c.SignOn = SignOnHost })
	host.signedOn()
	if _, f := host.dial().ask("0200", sale(1)); f[39] != "00" {
		t.Errorf("one sign-on for the host: %q", f[39])
	}
}

// TestMAC: a wrong or missing MAC is refused by name, has no effect, is
// remembered nowhere, and the refusal itself is authenticated.
func TestMAC(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	raw := c.pack("0200", sale(1))
	raw[len(raw)-1] ^= 1
	c.send(raw)
	if _, f := c.answer(); f[39] != "96" || r.last("mac_wrong").MAC != StateBad {
		t.Errorf("wrong MAC answered %q", f[39])
	}
	raw = c.pack("0200", sale(1))
	raw[30] ^= 1 // a byte under the MAC
	c.send(raw)
	if _, f := c.answer(); f[39] != "96" {
		t.Errorf("altered message answered %q", f[39])
	}
	bare, err := newCodec().encode("0200", sale(1))
	if err != nil {
		t.Fatal(err)
	}
	c.send(bare)
	if _, f := c.answer(); f[39] != "96" || r.last("mac_missing").MAC != StateNone {
		t.Errorf("missing MAC answered %q", f[39])
	}
	raw = c.pack("0400", reversal(2, 1))
	raw[len(raw)-1] ^= 1
	c.send(raw)
	if _, f := c.answer(); f[39] != "96" {
		t.Errorf("reversal with a wrong MAC answered %q", f[39])
	}
	if _, f := c.ask("0200", sale(1)); f[39] != "00" {
		t.Errorf("afterwards the authentic message: %q", f[39])
	}
}

func TestDuplicates(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	chip := withChip(r, false)
	c.send(c.pack("0200", sale(1, chip)))
	first, err := c.receive(patience)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c.send(c.pack("0200", sale(1, chip)))
		again, err := c.receive(patience)
		if err != nil || !bytes.Equal(first, again) {
			t.Errorf("the repeat is answered by other bytes, %v", err)
		}
	}
	if e := r.last("duplicate"); e.Effect != EffectNone || r.balance("alice") != 1000000-1234 {
		t.Errorf("the repeat moved money: %+v", e)
	}
	for name, edit := range map[string]func(fields){"amount": set(4, "000000009999"), "card": set(2, "4444333322221111"), "terminal": set(41, "10016920"),
		"reference": set(37, "607153999999"), "cryptogram": withChip(r, true)} {
		if _, f := c.ask("0200", sale(1, chip, edit)); f[39] != "94" || f[38] != "" {
			t.Errorf("same key, another %s: %q", name, f[39])
		}
		r.last("duplicate_differs")
	}
	if _, f := c.ask("0200", sale(1, chip, set(7, "0715031542"))); f[39] != "00" {
		t.Errorf("another F7 is another payment: %q", f[39])
	}
	if r.balance("alice") != 1000000-2*1234 {
		t.Errorf("alice has %d", r.balance("alice"))
	}
	r.checkBooks()
}

// TestPINTries: three wrong ones close the PIN, a repeat counts none, and the
// right one clears the count before that.
func TestPINTries(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	code := func(stan int, pin string) string {
		_, f := c.ask("0200", sale(stan, withPIN(r.cfg, pin)))
		return f[39]
	}
	for i, x := range []struct {
		stan      int
		pin, want string
	}{
		{1, "000000", "55"}, {1, "000000", "55"}, {2, "000000", "55"}, {3, "123456", "00"}, // the repeat of 1 counts no try; the right one clears
		{4, "000000", "55"}, {5, "000000", "55"}, {6, "12345", "55"}, {7, "123456", "75"},
	} {
		if got := code(x.stan, x.pin); got != x.want {
			t.Errorf("step %d: %q, want %q", i, got, x.want)
		}
	}
	r.host.Close()
	r.start()
	c = r.signedOn()
	if got := code(8, "123456"); got != "75" {
		t.Errorf("after a restart: %q, want 75", got)
	}
	if _, f := c.ask("0200", sale(9)); f[39] != "00" {
		t.Errorf("without a PIN the account still serves: %q", f[39])
	}
}

func TestReversals(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	ask := func(mti string, f fields, code, reason string, balance int64) {
		t.Helper()
		if _, got := c.ask(mti, f); got[39] != code || r.balance("alice") != balance {
			t.Errorf("%s: %q and %d left, want %q and %d", reason, got[39], r.balance("alice"), code, balance)
		}
		r.last(reason)
	}
	const full, less = 1000000, 1000000 - 1234
	ask("0200", sale(1), "00", "approved", less)
	ask("0400", reversal(2, 1, set(4, "000000001233")), "64", "original_differs", less)
	ask("0400", reversal(3, 1, set(2, "4444333322221111")), "64", "original_differs", less)
	ask("0400", reversal(4, 1, set(90, strings.Repeat("1", 42))), "30", "field_90_names_no_0200", less)
	ask("0400", reversal(7, 1, set(15, "0229")), "64", "settled_on_another_day", less)
	ask("0400", reversal(5, 1, set(15, sale(1)[7][:4])), "00", "reversed", full)
	ask("0401", reversal(5, 1), "00", "reversed_already", full)
	ask("0400", reversal(6, 1), "00", "reversed_already", full)
	ask("0200", sale(1), "00", "duplicate", full) // the answer it had; the money is back and stays back

	ask("0200", sale(10, set(49, "840")), "12", "currency_not_served", full)
	ask("0400", reversal(11, 10, set(49, "840")), "00", "nothing_to_reverse", full)

	ask("0400", reversal(21, 20), "25", "original_unknown", full)
	ask("0401", reversal(21, 20), "25", "original_unknown", full)
	r.host.Close()
	r.start()
	c = r.signedOn()
	ask("0200", sale(20), "94", "reversed_before_arrival", full)
	ask("0200", sale(20), "94", "duplicate", full)
	ask("0401", reversal(21, 20), "00", "nothing_to_reverse", full)
	r.checkBooks()
}

// A void gives a debit back once; its reversal brings the debit in force again,
// but not one that was reversed itself. Through a restart, and the books agree.
func TestVoids(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	ask := func(mti string, f fields, code, reason string, balance int64) {
		t.Helper()
		if _, got := c.ask(mti, f); got[39] != code || r.balance("alice") != balance {
			t.Errorf("%s: %q and %d left, want %q and %d", reason, got[39], r.balance("alice"), code, balance)
		}
		r.last(reason)
	}
	void := func(own, stan int, edits ...func(fields)) fields {
		f := reversal(own, stan, append([]func(fields){set(3, "200000"), set(7, "0715031541"), set(37, fmt.Sprintf("607153%06d", own))}, edits...)...)
		return f
	}
	const full, less = 1000000, 1000000 - 1234
	ask("0200", sale(1), "00", "approved", less)
	ask("0200", void(2, 1, set(4, "000000001233")), "64", "original_differs", less)
	ask("0200", void(3, 9), "25", "original_of_void_unknown", less)
	ask("0200", void(4, 1, unset(90)), "30", "field_90_names_no_0200", less)
	ask("0200", void(5, 1), "00", "voided", full)
	ask("0200", void(5, 1), "00", "duplicate", full)
	ask("0200", void(6, 1), "12", "original_not_in_force", full)
	r.host.Close()
	r.start()
	c = r.signedOn()
	ask("0200", void(7, 1), "12", "original_not_in_force", full)
	ask("0400", reversal(8, 5, set(3, "200000")), "00", "void_reversed", less)
	ask("0401", reversal(8, 5, set(3, "200000")), "00", "reversed_already", less)
	ask("0200", void(9, 1), "00", "voided", full)
	ask("0400", reversal(10, 1), "00", "reversed_already", full) // the money is back by the void
	ask("0400", reversal(11, 9, set(3, "200000")), "00", "original_reversed_since", full)
	ask("0200", void(12, 5), "12", "original_not_in_force", full) // of a void
	ask("0400", reversal(14, 13, set(3, "200000")), "25", "original_unknown", full)
	ask("0200", void(13, 1), "94", "reversed_before_arrival", full)
	r.checkBooks()
}

// Refunds give a debit back in parts, never more than it; the reversal of one makes
// its amount available again. What was refunded is neither voided nor reversed.
// Through a restart, and the books agree.
func TestRefunds(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	ask := func(mti string, f fields, code, reason string, balance int64) {
		t.Helper()
		if _, got := c.ask(mti, f); got[39] != code || r.balance("alice") != balance {
			t.Errorf("%s: %q and %d left, want %q and %d", reason, got[39], r.balance("alice"), code, balance)
		}
		r.last(reason)
	}
	naming := func(mti string, own, stan int, amount string, edits ...func(fields)) fields {
		of := func(f fields) { f[90] = mti + f[90][4:] }
		return reversal(own, stan, append([]func(fields){of, set(3, "200000"), set(4, amount), set(7, "0715031541"), set(37, fmt.Sprintf("607153%06d", own))}, edits...)...)
	}
	refund := func(own, stan int, amount string, edits ...func(fields)) fields {
		return naming("0200", own, stan, amount, edits...)
	}
	const full, less = 1000000, 1000000 - 1234
	ask("0200", sale(1), "00", "approved", less)
	ask("0220", refund(2, 1, "000000001235"), "64", "refunds_exceed_original", less)
	ask("0220", refund(3, 9, "000000000001"), "25", "original_of_refund_unknown", less)
	ask("0220", refund(4, 1, "000000000001", unset(90)), "30", "field_90_names_no_0200", less)
	ask("0220", refund(5, 1, "000000000001", set(42, "84329004582000C")), "64", "original_differs", less)
	ask("0220", refund(6, 1, "000000001000"), "00", "refunded", less+1000)
	ask("0220", refund(6, 1, "000000001000"), "00", "duplicate", less+1000)
	ask("0200", refund(6, 1, "000000001000"), "94", "duplicate_differs", less+1000)
	ask("0220", refund(7, 1, "000000000235"), "64", "refunds_exceed_original", less+1000)
	ask("0200", refund(8, 1, "000000001234"), "12", "original_refunded", less+1000) // a void
	ask("0400", reversal(9, 1), "12", "original_refunded", less+1000)
	r.host.Close()
	r.start()
	c = r.signedOn()
	ask("0220", refund(10, 1, "000000000234"), "00", "refunded", full)
	ask("0220", refund(11, 1, "000000000001"), "64", "refunds_exceed_original", full)
	ask("0220", refund(12, 6, "000000000001"), "12", "original_not_refundable", full)
	ask("0400", naming("0220", 13, 6, "000000000999"), "64", "original_differs", full)
	ask("0400", naming("0220", 13, 6, "000000001000"), "00", "refund_reversed", full-1000)
	ask("0401", naming("0220", 13, 6, "000000001000"), "00", "reversed_already", full-1000)
	ask("0220", refund(6, 1, "000000001000"), "00", "duplicate", full-1000)
	ask("0220", refund(14, 1, "000000001001"), "64", "refunds_exceed_original", full-1000)
	ask("0220", refund(15, 1, "000000001000"), "00", "refunded", full)
	ask("0400", naming("0220", 17, 16, "000000000001"), "25", "original_unknown", full)
	ask("0220", refund(16, 1, "000000000001"), "94", "reversed_before_arrival", full)
	ask("0200", sale(20), "00", "approved", less)
	ask("0400", reversal(21, 20), "00", "reversed", full)
	ask("0220", refund(22, 20, "000000000001"), "12", "original_not_in_force", full)
	ask("0200", sale(23, set(3, "010000")), "00", "approved", less)
	ask("0220", refund(24, 23, "000000000001"), "12", "original_not_refundable", less)
	r.checkBooks()
}

// Cash is debited like a purchase; an inquiry tells the balance and moves nothing.
func TestCashAndInquiry(t *testing.T) {
	r := newRig(t)
	c := r.signedOn()
	if _, got := c.ask("0200", sale(1, set(3, "010000"))); got[39] != "00" || r.balance("alice") != 1000000-1234 {
		t.Errorf("cash: %q, %d left", got[39], r.balance("alice"))
	}
	inquiry := []func(fields){set(3, "310000"), set(4, "000000000000")}
	for range 2 {
		if _, got := c.ask("0200", sale(2, inquiry...)); got[39] != "00" || got[54] != "0002156C000000998766" {
			t.Errorf("inquiry: %q %q", got[39], got[54])
		}
	}
	r.last("duplicate")
	if _, got := c.ask("0200", sale(3, set(3, "310000"))); got[39] != "13" || got[54] != "" {
		t.Errorf("inquiry with an amount: %q", got[39])
	}
	if _, got := c.ask("0400", reversal(4, 2, inquiry...)); got[39] != "00" || r.balance("alice") != 1000000-1234 {
		t.Errorf("reversal of an inquiry: %q, %d left", got[39], r.balance("alice"))
	}
	r.checkBooks()
}
