// SPDX-License-Identifier: Apache-2.0

package describe_test

import (
	"strings"
	"testing"

	"tapswitch/iso8583"
	"tapswitch/iso8583/describe"
	"tapswitch/iso8583/dialect/iso2003bin"
	"tapswitch/iso8583/dialect/iso87ascii"
)

// What depends on the scheme is explained for the one that the chip data names,
// or else for the one whose card number the message or the chip data has.
func TestKernelOfChipData(t *testing.T) {
	const (
		visaIAD     = "9F1007 06010A03A0A000"
		unionPayIAD = "9F1008 07010103A0A00001"
		answer      = "910A 0CF41B3165366117 3030"
	)
	for name, c := range map[string]struct {
		set  map[int]string
		icc  string
		want []string
	}{
		"directory": {map[int]string{2: "5413330089020011"}, "8407A0000000031010 " + visaIAD, []string{"kernel 3 (Visa) by tag 84", "Visa format 0, 1 or 3"}},
		"terminal":  {nil, "9F0607A0000003330101 " + unionPayIAD, []string{"kernel 7 (UnionPay) by tag 9F06", "issuer application data, UnionPay"}},
		"number":    {map[int]string{2: "4761739001010119"}, visaIAD + answer, []string{"kernel 3 (Visa) by the first digits of field 2", "Visa format 0, 1 or 3", "issuer authentication data, method 1", "ARPC = 0CF41B3165366117"}},
		"track":     {map[int]string{35: "4761739001010119=2912201"}, visaIAD, []string{"by the first digits of field 35", "Visa format 0, 1 or 3"}},
		"answer":    {map[int]string{2: "5413330089020011"}, "910A 0CF41B3165366117 0012", []string{"kernel 2 (Mastercard) by the first digits of field 2", "issuer authentication data, Mastercard"}},
		"chip":      {nil, "5A08 6224242300000069 " + unionPayIAD, []string{"by the first digits of tag 5A", "issuer application data, UnionPay"}},
		"none":      {map[int]string{2: "6521000000000000"}, unionPayIAD, []string{"neither kernel nor AID is known", "it has the form of issuer application data, UnionPay"}},
	} {
		l := iso87ascii.New()
		set := map[int]string{55: unhex(t, c.icc)}
		for n, s := range c.set {
			set[n] = s
		}
		var v iso8583.View
		err := l.Parse(build(t, l, 0x0210, set), &v)
		shown := string(describe.Of(&v, err).AppendText(nil))
		for _, want := range c.want {
			if !strings.Contains(shown, want) {
				t.Errorf("%s: no %q in\n%s", name, want, shown)
			}
		}
		for _, s := range c.set {
			if strings.Contains(shown, s[:13]) {
				t.Errorf("%s: the card number is shown", name)
			}
		}
	}
}

// An amount and an action code of the 2003 edition.
func TestMeaningsOf2003(t *testing.T) {
	l := iso2003bin.New()
	var v iso8583.View
	err := l.Parse(build(t, l, 0x2210, map[int]string{4: "3920000000001234", 5: "8402000000001234", 6: "9992000000001234", 39: "1016"}), &v)
	shown := string(describe.Of(&v, err).AppendText(nil))
	for _, want := range []string{"3920000000001234  1234 JPY", "8402000000001234  12.34 USD", "9992000000001234\n", "1016  not sufficient funds"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
}
