// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"strings"
	"testing"

	"tapswitch/iso8583"
)

// The original of a reversal with the longest institution there is: in 2003 the
// four parts fill the 41 digits of field 56, in 1993 the 35, in 1987 the 42 of
// field 90.
func TestOriginalWithLongestInstitution(t *testing.T) {
	original := map[string]string{
		"iso87ascii": "0200" + "123456" + "0000000000" + "98765432101" + "00000000000",
		"iso93bin":   "1200" + "123456" + "260823141516" + "11" + "98765432101",
		"iso2003bin": "2200" + "000000123456" + "20260823141516" + "98765432101",
	}
	field := map[string]int{"iso87ascii": 90, "iso93bin": 56, "iso2003bin": 56}
	for from, says := range original {
		for to, want := range original {
			c, err := NewCrossing(from, to)
			if err != nil {
				t.Fatal(err)
			}
			v := build(t, c.from.layout, 0x0400|c.from.edition, map[int]string{field[from]: says})
			var w Work
			raw, lost, err := c.Append(nil, v, &w, noon, false)
			if err != nil || !lost.Empty() && to != "iso87ascii" {
				t.Errorf("%s to %s: %v %v", from, to, lost, err)
				continue
			}
			if from == "iso87ascii" { // it has no local time
				want = strings.NewReplacer("20260823141516", "00000000000000", "260823141516", "000000000000").Replace(want)
			}
			if got := string(parsed(t, c.to.layout, raw).AppendText(nil, field[to])); got != want {
				t.Errorf("%s to %s: %s, want %s", from, to, got, want)
			}
		}
	}
}

// What is not as the edition writes it is told, not read as something else.
func TestOriginalOfAnotherForm(t *testing.T) {
	for dialect, says := range map[string]string{
		"iso93bin":   "1200" + "123456" + "260823141516" + "05" + "98765432101",  // not the length it has
		"iso2003bin": "2200" + "100000123456" + "20260823141516" + "98765432101", // a trace number of twelve digits
	} {
		c, err := NewCrossing(dialect, "iso87ascii")
		if err != nil {
			t.Fatal(err)
		}
		var w Work
		v := build(t, c.from.layout, 0x0400|c.from.edition, map[int]string{56: says})
		raw, lost, err := c.Append(nil, v, &w, noon, false)
		if err != nil || !lost.Has(56) || parsed(t, c.to.layout, raw).Has(90) {
			t.Errorf("%s: lost %v, %v", dialect, lost, err)
		}
	}
}

// A currency of letters, or with a sign, has no place in an amount of 2003; the
// amount is then told as lost and the message goes without it.
func TestCurrencyThatIsNoNumber(t *testing.T) {
	c, err := NewCrossing("iso87bin", "iso2003bin")
	if err != nil {
		t.Fatal(err)
	}
	for currency, fits := range map[string]bool{"156": true, "USD": false, "+15": false, "-15": false, " 15": false, "15 ": false} {
		var w Work
		v := build(t, c.from.layout, 0x0200, map[int]string{4: "000000001234", 49: currency})
		raw, lost, err := c.Append(nil, v, &w, noon, false)
		if err != nil || lost.Has(4) == fits || lost.Has(49) == fits || parsed(t, c.to.layout, raw).Has(4) != fits {
			t.Errorf("%q: lost %v, %v", currency, lost, err)
		}
	}
}

// A signed amount is C or D and digits; without a sign it is told as lost where
// the other side writes it otherwise.
func TestSignedAmounts(t *testing.T) {
	c, err := NewCrossing("iso87ascii", "iso87bin")
	if err != nil {
		t.Fatal(err)
	}
	for says, want := range map[string]string{
		"C00000150": "C\x00\x00\x01\x50", "D12345678": "D\x12\x34\x56\x78", "000000000": "C\x00\x00\x00\x00", "000000150": "", "X00000150": "", "C0000+150": "", "c00000150": "",
	} {
		var w Work
		raw, lost, err := c.Append(nil, build(t, c.from.layout, 0x0200, map[int]string{28: says}), &w, noon, false)
		if err != nil || lost.Has(28) != (want == "") {
			t.Errorf("%q: lost %v, %v", says, lost, err)
			continue
		}
		if got := string(parsed(t, c.to.layout, raw).Raw(28)); got != want {
			t.Errorf("%q became %X", says, got)
		}
	}
}

// The network code crosses in requests and answers; in any other message it has no
// place beside the function code that the type asks for, and is told. An original
// of zeros is none, and one without a trace number keeps what else it says.
func TestFunctionCodesAndEmptyOriginals(t *testing.T) {
	for _, c := range []struct {
		from, to string
		mti      iso8583.MTI
		says     map[int]string
		field    int
		want     string
		lost     int
	}{
		{"iso87ascii", "iso93bin", 0x0800, map[int]string{70: "301"}, 24, "831", 0},
		{"iso87ascii", "iso93bin", 0x0810, map[int]string{70: "301"}, 24, "831", 0},
		{"iso87ascii", "iso93bin", 0x0800, map[int]string{70: "777"}, 24, "", 70},
		{"iso87ascii", "iso93bin", 0x0200, map[int]string{70: "301"}, 24, "200", 70},
		{"iso87ascii", "iso93bin", 0x0210, map[int]string{39: "00"}, 24, "", 0},
		{"unionpaypos", "iso87ascii", 0x0400, map[int]string{61: "000000000000"}, 90, "", 0},
		{"iso87ascii", "iso93bin", 0x0400, map[int]string{90: "0200" + "000000" + "0000000000" + "00048431665" + "00000000000"}, 56, "1200" + "000000" + "000000000000" + "08" + "48431665", 0},
	} {
		x, err := NewCrossing(c.from, c.to)
		if err != nil {
			t.Fatal(err)
		}
		var w Work
		raw, lost, err := x.Append(nil, build(t, x.from.layout, c.mti, c.says), &w, noon, false)
		if err != nil || lost.Empty() != (c.lost == 0) || c.lost != 0 && !lost.Has(c.lost) {
			t.Errorf("%s %v: lost %v, %v", c.mti, c.says, lost, err)
			continue
		}
		if got := string(parsed(t, x.to.layout, raw).AppendText(nil, c.field)); got != c.want {
			t.Errorf("%s %v: field %d is %q, want %q", c.mti, c.says, c.field, got, c.want)
		}
	}
}
