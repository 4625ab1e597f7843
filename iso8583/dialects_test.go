// SPDX-License-Identifier: Apache-2.0

package iso8583_test

import (
	"errors"
	"strings"
	"testing"

	moov "github.com/moov-io/iso8583"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/iso87ascii"
	"tapswitch/iso8583/dialect/unionpaypos"
)

// dialect is a shipped dialect and a message of twenty fields in it.
type dialect struct {
	name   string
	spec   *moov.MessageSpec
	layout *iso8583.Layout
	sale   []value
}

type value struct {
	n    int
	text string
}

func dialects() []dialect {
	chip := "\x9F\x26\x08\x46\xFD\x62\x98\x5C\xAA\xE7\x58\x9F\x27\x01\x80\x9F\x36\x02\x0C\x66\x95\x05\x00\x00\x00\x80\x00"
	return []dialect{
		{"unionpaypos", unionpaypos.Spec(), unionpaypos.New(), []value{
			{2, "6224242300000069"}, {3, "000000"}, {4, "000000001111"}, {11, "000079"}, {14, "2903"}, {22, "071"},
			{23, "001"}, {25, "00"}, {26, "12"}, {35, "6224242300000069=29032010000000000"}, {41, "10016919"},
			{42, "84329004582000B"}, {49, "156"}, {52, "\x01\x23\x45\x67\x89\xAB\xCD\xEF"}, {53, "2600000000000000"},
			{55, chip}, {59, "A20100204"}, {60, "22000727000600"}, {63, "01 "}, {64, "835392EF"},
		}},
		{"iso87ascii", iso87ascii.Spec(), iso87ascii.New(), []value{
			{2, "6224242300000069"}, {3, "000000"}, {4, "000000001111"}, {7, "0824061554"}, {11, "500079"}, {12, "141554"},
			{13, "0824"}, {14, "2903"}, {18, "5812"}, {22, "071"}, {23, "001"}, {32, "48431665"},
			{35, "6224242300000069=29032010000000000"}, {37, "423706500079"}, {41, "10016919"}, {42, "84329004582000B"},
			{49, "156"}, {52, "\x01\x23\x45\x67\x89\xAB\xCD\xEF"}, {55, chip}, {64, "\x83\x53\x92\xEF\x00\x01\x02\x03"},
		}},
	}
}

// each runs a test for every shipped dialect.
func each(t *testing.T, test func(*testing.T, dialect)) {
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) { test(t, d) })
	}
}

func (d dialect) build(t testing.TB) []byte {
	t.Helper()
	var b iso8583.Builder
	return mustAppend(t, d.fill(&b))
}

func (d dialect) fill(b *iso8583.Builder) *iso8583.Builder {
	b.Reset(d.layout, 0x0200)
	for _, f := range d.sale {
		b.SetString(f.n, f.text)
	}
	return b
}

func mustAppend(t testing.TB, b *iso8583.Builder) []byte {
	t.Helper()
	raw, err := b.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// fields are the numbers a layout defines.
func fields(l *iso8583.Layout) (all []int) {
	for n := 2; n <= iso8583.MaxField; n++ {
		if l.Defines(n) {
			all = append(all, n)
		}
	}
	return all
}

// text makes a value of n characters that the encoding can write.
func text(e iso8583.Encoding, n int) string {
	alphabet := "0123456789"
	switch e {
	case iso8583.EncodingBytes:
		alphabet = "\x00\x7F\x80\xFFAz09\xD0"
	case iso8583.EncodingASCII:
		alphabet = "Az0 9\x00~"
	case iso8583.EncodingTrack:
		alphabet = "0123456789=ABCEF"
	}
	return strings.Repeat(alphabet, n/len(alphabet)+1)[:n]
}

// wantReason fails the test unless err is an *Error for that field and reason.
func wantReason(t *testing.T, err error, field int, reason string) *iso8583.Error {
	t.Helper()
	var e *iso8583.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want %s at field %d", err, reason, field)
	}
	if e.Field != field || e.Reason != reason {
		t.Errorf("error is %v, want %s at field %d", err, reason, field)
	}
	return e
}
