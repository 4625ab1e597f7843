// SPDX-License-Identifier: Apache-2.0

package lint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/iso2003bin"
	"tapswitch/iso8583/dialect/iso87ascii"
	"tapswitch/iso8583/dialect/iso93ascii"
	"tapswitch/iso8583/dialect/unionpaypos"
	"tapswitch/iso8583/lint"
)

const chip = "\x9F\x26\x08AAAAAAAA\x9F\x27\x01\x80\x9F\x10\x01\x01\x9F\x37\x04AAAA\x9F\x36\x02\x00\x01\x95\x05\x00\x00\x00\x00\x00\x9A\x03\x22\x08\x24" +
	"\x9C\x01\x00\x9F\x02\x06\x00\x00\x00\x00\x11\x11\x5F\x2A\x02\x01\x56\x82\x02\x7C\x00\x9F\x1A\x02\x01\x56"

// sale is a message that breaks no rule.
func sale() map[int]string {
	return map[int]string{2: "6224242300000069", 3: "000000", 4: "000000001111", 7: "0824141554", 11: "000079", 14: "2903", 22: "051", 23: "001",
		35: "6224242300000069=29032010000000000", 41: "10016919", 42: "843290045820001", 49: "156", 55: chip}
}

// with gives the message with fields changed; "-" takes one out.
func with(m map[int]string, changes ...any) map[int]string {
	for i := 0; i < len(changes); i += 2 {
		n, s := changes[i].(int), changes[i+1].(string)
		if m[n] = s; s == "-" {
			delete(m, n)
		}
	}
	return m
}

func check(t *testing.T, l *iso8583.Layout, mti iso8583.MTI, fields map[int]string) []lint.Finding {
	t.Helper()
	var b iso8583.Builder
	b.Reset(l, mti)
	for n, s := range fields {
		if l.Defines(n) {
			b.SetString(n, s)
		}
	}
	raw, err := b.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	var v iso8583.View
	if err := l.Parse(raw, &v); err != nil {
		t.Fatal(err)
	}
	return lint.Check(&v)
}

// TestRules: each rule fires on a message that breaks it, and on nothing else.
func TestRules(t *testing.T) {
	host, pos, later, last := iso87ascii.New(), unionpaypos.New(), iso93ascii.New(), iso2003bin.New()
	sale2003 := func(changes ...any) map[int]string {
		return with(with(sale(), 4, "1562000000001111", 11, "000000000079", 12, "20220824141554", 22, strings.Repeat("\x20", 16), 24, "200",
			41, "10016919        ", 49, "-"), changes...)
	}
	seen := map[string]bool{}
	for _, c := range []struct {
		l      *iso8583.Layout
		mti    iso8583.MTI
		fields map[int]string
		want   string
	}{
		{host, 0x0200, sale(), ""},
		{pos, 0x0200, with(sale(), 22, "071"), ""},
		{host, 0x0210, map[int]string{11: "000079", 38: "123456", 39: "00"}, ""},
		{host, 0x0210, map[int]string{11: "000079", 39: "51"}, ""},
		{host, 0x0800, map[int]string{7: "0824141554", 11: "000079", 70: "301"}, ""},
		{pos, 0x0800, map[int]string{11: "000079", 60: "00000001003"}, ""},
		{pos, 0x0920, map[int]string{11: "000079", 60: "07000001"}, ""},
		{host, 0x0400, map[int]string{3: "000000", 4: "000000001111", 11: "000080", 49: "156", 90: strings.Repeat("0", 42)}, ""},
		{host, 0x0020, map[int]string{11: "000079"}, "ISO-L01 0"},
		{host, 0x0200, with(sale(), 7, "-", 41, "-"), "ISO-L02 7, ISO-L02 41"},
		{pos, 0x0200, with(sale(), 7, "-", 11, "-"), "ISO-L02 11"},
		{host, 0x0200, with(sale(), 3, "310000", 4, "-"), ""},
		{last, 0x2200, sale2003(), ""},
		{last, 0x2200, sale2003(4, "1562000000001112"), "ISO-L22 55"},
		{last, 0x2200, sale2003(4, "9782000000001111"), "ISO-L23 55"},
		{last, 0x2200, sale2003(4, "1562000000000000", 55, "-"), "ISO-L41 4"},
		{last, 0x2210, map[int]string{11: "000000000079", 39: "0000"}, "ISO-L06 38"},
		{later, 0x1200, with(sale(), 12, "220824141554", 24, "200", 22, "000000500000"), ""},
		{later, 0x1200, with(sale(), 12, "220824141554", 22, "000000500000"), "ISO-L02 24"},
		{host, 0x0200, with(sale(), 2, "-", 35, "-"), "ISO-L03 2"},
		{host, 0x0210, map[int]string{39: "05"}, "ISO-L04 11"},
		{host, 0x0200, with(sale(), 39, "00"), "ISO-L05 39"},
		{host, 0x0210, map[int]string{11: "000079", 39: "00"}, "ISO-L06 38"},
		{host, 0x0200, with(sale(), 49, "-"), "ISO-L07 49"},
		{host, 0x0400, map[int]string{11: "000080"}, "ISO-L08 90"},
		{later, 0x1420, map[int]string{11: "000080"}, "ISO-L08 56"},
		{pos, 0x0400, map[int]string{3: "000000"}, "ISO-L08 11"},
		{host, 0x0800, map[int]string{11: "000079"}, "ISO-L09 70"},
		{pos, 0x0820, map[int]string{11: "000079"}, "ISO-L09 60"},
		{host, 0x0200, with(sale(), 55, "-"), "ISO-L10 55"},
		{host, 0x0200, with(sale(), 55, "-", 35, "-", 22, "021"), "ISO-L11 35"},
		{host, 0x0200, with(sale(), 55, "-", 35, "-", 14, "-", 22, "011"), "ISO-L12 14"},
		{host, 0x0200, with(sale(), 22, "901"), "ISO-L13 22"},
		{host, 0x0200, with(sale(), 23, "-"), "ISO-L14 23"},
		{pos, 0x0200, with(sale(), 52, "\x11\x22\x33\x44\x55\x66\x77\x88"), "ISO-L15 53"},
		{host, 0x0400, map[int]string{11: "000080", 52: "\x11\x22\x33\x44\x55\x66\x77\x88", 90: strings.Repeat("0", 42)}, "ISO-L16 52"},
		{host, 0x0200, with(sale(), 22, "052", 52, "\x11\x22\x33\x44\x55\x66\x77\x88"), "ISO-L17 22"},
		{host, 0x0200, with(sale(), 55, chip+"\x9F\x41\x04\x00"), "ISO-L20 55"},
		{host, 0x0200, with(sale(), 55, chip[:len(chip)-9]), "ISO-L21 55"},
		{host, 0x0200, with(sale(), 4, "000000001112"), "ISO-L22 55"},
		{host, 0x0200, with(sale(), 49, "978"), "ISO-L23 55"},
		{host, 0x0200, with(sale(), 2, "6224242300000068", 35, "-"), "ISO-L30 2"},
		{host, 0x0200, with(sale(), 2, "4761739001010119"), "ISO-L31 35"},
		{host, 0x0200, with(sale(), 14, "3003"), "ISO-L32 14"},
		{host, 0x0200, with(sale(), 35, "1234567890"), "ISO-L33 35"},
		{pos, 0x0200, with(sale(), 22, "071", 35, "12345678901234", 53, "2610000000000000"), ""},
		{host, 0x0200, with(sale(), 7, "1324141554", 14, "2913", 35, "-"), "ISO-L40 7, ISO-L40 14"},
		{host, 0x0200, with(sale(), 4, "000000000000", 55, strings.Replace(chip, "\x00\x00\x00\x00\x11\x11", "\x00\x00\x00\x00\x00\x00", 1)), "ISO-L41 4"},
		{host, 0x0210, map[int]string{11: "000079", 39: "ZZ"}, "ISO-L42 39"},
		{host, 0x0800, map[int]string{7: "0824141554", 11: "000079", 64: "12345678", 70: "301"}, "ISO-L50 64"},
	} {
		var got []string
		for _, f := range check(t, c.l, c.mti, c.fields) {
			got = append(got, fmt.Sprintf("%s %d", f.Code, f.Field))
			seen[f.Code] = true
			if f.Text == "" || f.Fix == "" || f.Severity == "" {
				t.Errorf("%+v", f)
			}
			for _, value := range c.fields {
				if len(value) > 5 && strings.Contains(f.Text+f.Fix, value) {
					t.Errorf("%s repeats the message", f.Code)
				}
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s %s %v:\n got %s\nwant %s", c.l.Name(), c.mti, c.fields, strings.Join(got, ", "), c.want)
		}
	}
	for _, r := range lint.Rules() {
		if !seen[r.Code] {
			t.Errorf("no message here breaks %s", r.Code)
		}
	}
}

// TestCodes: codes are unique and in order, since people quote them.
func TestCodes(t *testing.T) {
	var codes []string
	for _, r := range lint.Rules() {
		codes = append(codes, r.Code)
	}
	if !slices.IsSorted(codes) || len(slices.Compact(codes)) != len(lint.Rules()) {
		t.Error(codes)
	}
}
