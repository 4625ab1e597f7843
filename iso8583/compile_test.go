// SPDX-License-Identifier: Apache-2.0

package iso8583_test

import (
	"strings"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"

	"tapswitch/iso8583"
)

// specWith is a good specification with one field more.
func specWith(n int, f field.Field) *moov.MessageSpec {
	return &moov.MessageSpec{Name: "test", Fields: map[int]field.Field{
		0: field.NewString(&field.Spec{Length: 4, Enc: encoding.BCD, Pref: prefix.BCD.Fixed}),
		1: field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.Binary, Pref: prefix.Binary.Fixed}),
		n: f,
	}}
}

// What Compile does not support it refuses, with the field and the reason.
func TestCompileRefuses(t *testing.T) {
	str := func(s field.Spec) field.Field { return field.NewString(&s) }
	tests := []struct {
		n    int
		f    field.Field
		want string
	}{
		{2, str(field.Spec{Length: 5, Pref: prefix.ASCII.Fixed}), "field 2: encoding <nil> is not supported"},
		{2, str(field.Spec{Length: 5, Enc: encoding.EBCDIC, Pref: prefix.ASCII.Fixed}), "field 2: encoding *encoding.ebcdicEncoder is not supported"},
		{2, str(field.Spec{Length: 5, Enc: encoding.ASCIIHexToBytes, Pref: prefix.ASCII.Fixed}), "is not supported"},
		{2, str(field.Spec{Length: 5, Enc: encoding.ASCII}), "field 2: has no length prefix"},
		{2, str(field.Spec{Enc: encoding.ASCII, Pref: prefix.ASCII.LL}), "length 0 is outside"},
		{2, str(field.Spec{Length: 10000, Enc: encoding.ASCII, Pref: prefix.Binary.LL}), "length 10000 is outside"},
		{2, str(field.Spec{Length: 100, Enc: encoding.ASCII, Pref: prefix.ASCII.LL}), "length 100 does not fit the prefix ASCII.LL"},
		{2, str(field.Spec{Length: 256, Enc: encoding.ASCII, Pref: prefix.Binary.L}), "length 256 does not fit"},
		{2, str(field.Spec{Length: 5, Enc: encoding.ASCII, Pref: prefix.ASCII.LLLLL}), `"ASCII.LLLLL" is not supported`},
		{2, str(field.Spec{Length: 5, Enc: encoding.ASCII, Pref: prefix.EBCDIC.LL}), `"EBCDIC.LL" is not supported`},
		{2, str(field.Spec{Length: 5, Enc: encoding.BCD, Pref: prefix.BCD.Fixed, Pad: padding.Right(' ')}), "padding"},
		{2, str(field.Spec{Length: 5, Enc: encoding.ASCII, Pref: prefix.BCD.Fixed, Pad: padding.Left('*')}), "padding"},
		{2, str(field.Spec{Length: 5, Enc: encoding.ASCII, Pref: prefix.BCD.Fixed, Packer: field.Track2Packer{}}), "own packers"},
		{2, field.NewBinary(&field.Spec{Length: 5, Enc: encoding.BCD, Pref: prefix.BCD.Fixed}), "a binary field cannot be written as bcd"},
		{2, field.NewNumeric(&field.Spec{Length: 5, Enc: encoding.Binary, Pref: prefix.BCD.Fixed}), "a number cannot be written as bytes"},
		{2, field.NewTrack2(&field.Spec{Length: 37, Enc: encoding.BCD, Pref: prefix.BCD.LL}), "a track cannot be written as bcd"},
		{2, field.NewTrack1(&field.Spec{Length: 37, Enc: encoding.ASCII, Pref: prefix.ASCII.LL}), "field type *field.Track1 is not supported"},
		{65, str(field.Spec{Length: 5, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed}), "field 65: a third bitmap"},
		{129, str(field.Spec{Length: 5, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed}), "field 129: number is outside"},
		{0, str(field.Spec{Length: 3, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed}), "field 0: the MTI must be four fixed digits"},
		{0, str(field.Spec{Length: 4, Enc: encoding.Binary, Pref: prefix.ASCII.Fixed}), "field 0: the MTI must be ASCII or BCD"},
		{1, field.NewBitmap(&field.Spec{Length: 16, Enc: encoding.Binary, Pref: prefix.Binary.Fixed}), "a bitmap of 16 bytes"},
		{1, field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.ASCII, Pref: prefix.Binary.Fixed}), "bitmap encoding"},
		{1, str(field.Spec{Length: 8, Enc: encoding.Binary, Pref: prefix.Binary.Fixed}), "must be of type"},
		{2, nil, "field 2: has no specification"},
	}
	for _, tt := range tests {
		_, err := iso8583.Compile(specWith(tt.n, tt.f), nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("field %d: error is %v, want %q", tt.n, err, tt.want)
		}
	}
}

func TestCompileRefusesTheWhole(t *testing.T) {
	if _, err := iso8583.Compile(nil, nil); err == nil {
		t.Error("compiled nothing")
	}
	ok := field.NewString(&field.Spec{Length: 5, Enc: encoding.ASCII, Pref: prefix.ASCII.LL})
	if _, err := iso8583.Compile(specWith(2, ok), iso8583.Marks{3: iso8583.MarkPAN}); err == nil {
		t.Error("compiled a mark without its field")
	}
	if _, err := iso8583.Compile(specWith(2, ok), iso8583.Marks{2: 200}); err == nil {
		t.Error("compiled an unknown mark")
	}
	fixed := specWith(1, field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.Binary, Pref: prefix.Binary.Fixed, DisableAutoExpand: true}))
	fixed.Fields[70] = ok
	if _, err := iso8583.Compile(fixed, nil); err == nil || !strings.Contains(err.Error(), "field 70") {
		t.Errorf("error is %v, want one about field 70", err)
	}
}

// The kinds of field, prefix and filling that the shipped dialects do not use,
// held against moov's codec as well.
func TestOtherKindsEqualMoov(t *testing.T) {
	zero := padding.Left('0')
	spec := specWith(2, field.NewNumeric(&field.Spec{Length: 12, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed, Pad: zero}))
	for n, f := range []field.Field{
		3: field.NewNumeric(&field.Spec{Length: 7, Enc: encoding.BCD, Pref: prefix.BCD.Fixed, Pad: zero}),
		4: field.NewHex(&field.Spec{Length: 8, Enc: encoding.Binary, Pref: prefix.Binary.LLLL}),
		5: field.NewString(&field.Spec{Length: 9, Enc: encoding.ASCII, Pref: prefix.ASCII.L, Pad: padding.Right(' ')}),
		6: field.NewString(&field.Spec{Length: 9, Enc: encoding.BCD, Pref: prefix.BCD.L}),
		7: field.NewString(&field.Spec{Length: 9999, Enc: encoding.LBCD, Pref: prefix.BCD.LLLL}),
		8: field.NewString(&field.Spec{Length: 255, Enc: encoding.Binary, Pref: prefix.Binary.L, Pad: padding.None}),
		9: field.NewString(&field.Spec{Length: 9999, Enc: encoding.ASCII, Pref: prefix.ASCII.LLLL}),
	} {
		if f != nil {
			spec.Fields[n] = f
		}
	}
	layout, err := iso8583.Compile(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := 2; n <= 9; n++ {
		for _, length := range []int{0, 1, 2, 5, 7, 8, 9, 10, 12, 13, 255, 256, 300, 1234, 9999, 10000} {
			s := []byte(strings.Repeat("1234567890", 1001)[:length])
			var b iso8583.Builder
			b.Reset(layout, 0x0200)
			b.SetText(n, s)
			theirs := moov.NewMessage(spec)
			theirs.MTI("0200")
			if (n == 2 || n == 3) && (length == 0 || length > 18) {
				continue // moov reads an empty number as 0 and cannot hold longer ones
			}
			if err := theirs.Field(n, string(s)); err != nil {
				t.Fatal(err)
			}
			ours, err := b.Append(nil)
			packed, moovErr := theirs.Pack()
			if (err == nil) != (moovErr == nil) || err == nil && string(ours) != string(packed) {
				t.Errorf("field %d of %d: %X %v, moov: %X %v", n, length, ours, err, packed, moovErr)
			}
			var v iso8583.View
			if err == nil && layout.Parse(ours, &v) != nil {
				t.Errorf("field %d of %d: built but not read", n, length)
			}
		}
	}
}
