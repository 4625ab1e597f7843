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
	moovsort "github.com/moov-io/iso8583/sort"

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

// oddEncoder and oddPadder are a caller's own.
type oddEncoder struct{ encoding.Encoder }

type oddPadder struct{ padding.Padder }

func (oddPadder) Pad(data []byte, _ int) []byte { return data }

// ownField is a field type of a caller's own.
type ownField struct{ field.Field }

type ownPrefix struct{ prefix.Prefixer }

func (ownPrefix) Inspect() string { return "Own.LL" }

// positional and tagged are composites of the given subfields.
func positional(length int, pref prefix.Prefixer, subs map[string]field.Field) field.Field {
	return field.NewComposite(&field.Spec{Length: length, Pref: pref, Tag: &field.TagSpec{Sort: moovsort.StringsByInt}, Subfields: subs})
}

func tagged(length int, pref prefix.Prefixer, tag field.TagSpec, subs map[string]field.Field) field.Field {
	if tag.Sort == nil {
		tag.Sort = moovsort.Strings
	}
	return field.NewComposite(&field.Spec{Length: length, Pref: pref, Tag: &tag, Subfields: subs})
}

func bitmapped(length int, pref prefix.Prefixer, bits field.Spec, subs map[string]field.Field) field.Field {
	bits.DisableAutoExpand = true
	return field.NewComposite(&field.Spec{Length: length, Pref: pref, Bitmap: field.NewBitmap(&bits), Subfields: subs})
}

// What Compile does not support it refuses, with the field and the reason.
func TestCompileRefuses(t *testing.T) {
	str := func(s field.Spec) field.Field { return field.NewString(&s) }
	two := str(field.Spec{Length: 2, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed})
	subs := map[string]field.Field{"1": two}
	bytes8 := field.Spec{Length: 8, Enc: encoding.Binary, Pref: prefix.Binary.Fixed}
	tests := []struct {
		n    int
		f    field.Field
		want string
	}{
		{2, str(field.Spec{Length: 5, Pref: prefix.ASCII.Fixed}), "field 2: encoding <nil> is not supported"},
		{2, str(field.Spec{Length: 5, Enc: oddEncoder{encoding.ASCII}, Pref: prefix.ASCII.Fixed}), "encoding iso8583_test.oddEncoder is not supported"},
		{2, str(field.Spec{Length: 5, Enc: encoding.BerTLVTag, Pref: prefix.ASCII.Fixed}), "BerTLVTag is for the tags of a composite"},
		{2, str(field.Spec{Length: 5, Enc: encoding.ASCII}), "field 2: has no length prefix"},
		{2, str(field.Spec{Length: 5, Enc: encoding.ASCII, Pref: ownPrefix{prefix.ASCII.LL}}), `length prefix "Own.LL" is not supported`},
		{2, str(field.Spec{Enc: encoding.ASCII, Pref: prefix.ASCII.LL}), "length 0 is outside"},
		{2, str(field.Spec{Length: -1, Enc: encoding.ASCII, Pref: prefix.BerTLV}), "length -1 is outside"},
		{2, str(field.Spec{Length: 70000, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed}), "length 70000 is above 65535, the longest message"},
		{2, str(field.Spec{Length: 5, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed, Pad: padding.Right('é')}), "is not one byte"},
		{2, str(field.Spec{Length: 5, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed, Pad: oddPadder{padding.Left('0')}}), "padding iso8583_test.oddPadder is not supported"},
		{2, str(field.Spec{Length: 5, Enc: encoding.ASCII, Pref: prefix.BCD.Fixed, Packer: field.PackerFunc(nil)}), "own packers"},
		{2, str(field.Spec{Length: 5, Enc: encoding.ASCII, Pref: prefix.BCD.Fixed, Packer: field.Track2Packer{}}), "own packers"},
		{2, str(field.Spec{Length: 5, Enc: encoding.ASCII, Pref: prefix.BCD.LL, Packer: field.Track2Packer{}, Unpacker: field.Track2Unpacker{}}), "the packers of track 2"},
		{2, field.NewBinary(&field.Spec{Length: 5, Enc: encoding.BCD, Pref: prefix.BCD.Fixed}), "bytes cannot be written as bcd"},
		{2, field.NewHex(&field.Spec{Length: 5, Enc: encoding.LBCD, Pref: prefix.BCD.Fixed}), "bytes cannot be written as left_bcd"},
		{2, field.NewTrack2(&field.Spec{Length: 37, Enc: encoding.BCD, Pref: prefix.BCD.LL}), "a track cannot be written as bcd"},
		{2, field.NewTrack1(&field.Spec{Length: 37, Enc: encoding.ASCIIHexToBytes, Pref: prefix.ASCII.LL}), "a track cannot be written as hex_packed"},
		{2, field.NewTrack3(&field.Spec{Length: 37, Enc: encoding.LBCD, Pref: prefix.ASCII.LL}), "a track cannot be written as left_bcd"},
		{2, ownField{str(bytes8)}, "field type iso8583_test.ownField is not supported"},
		{2, nil, "field 2: has no specification"},
		{193, two, "field 193: number is outside"},
		{65, two, "field 65: its bit says that another bitmap follows"},
		{129, two, "field 129: its bit says that another bitmap follows"},
		{0, str(field.Spec{Length: 3, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed}), "field 0: the MTI must be four fixed digits"},
		{0, str(field.Spec{Length: 4, Enc: encoding.ASCII, Pref: prefix.ASCII.LL}), "field 0: the MTI must be four fixed digits"},
		{0, str(field.Spec{Length: 4, Enc: iso8583.HexEBCDIC{}, Pref: prefix.ASCII.Fixed}), "field 0: the MTI cannot be written as hex_ebcdic"},
		{1, field.NewBitmap(&field.Spec{Length: 12, Enc: encoding.Binary, Pref: prefix.Binary.Fixed}), "a bitmap of 12 bytes"},
		{1, field.NewBitmap(&field.Spec{Length: 32, Enc: encoding.Binary, Pref: prefix.Binary.Fixed}), "a bitmap of 32 bytes"},
		{1, field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.ASCII, Pref: prefix.Binary.Fixed}), "bitmap encoding *encoding.asciiEncoder"},
		{1, field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.BCD, Pref: prefix.Binary.Fixed}), "bitmap encoding *encoding.bcdEncoder"},
		{1, field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.EBCDIC, Pref: prefix.Binary.Fixed}), "bitmap encoding *encoding.ebcdicEncoder"},
		{1, field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.Binary, Pref: prefix.ASCII.LL}), "a bitmap cannot have the length prefix ASCII.LL"},
		{1, field.NewBitmap(&field.Spec{Length: 8, Enc: encoding.Binary}), "a bitmap has a fixed length"},
		{1, str(bytes8), "must be of type"},
		{2, field.NewBitmap(&bytes8), "a bitmap that grows is the message's own only"},
		{2, positional(3, prefix.ASCII.Fixed, subs), "its length is 3, but its subfields take 2 bytes"},
		{2, positional(2, prefix.ASCII.Fixed, nil), "a composite without subfields"},
		{2, positional(2, prefix.ASCII.Fixed, map[string]field.Field{"1": str(field.Spec{Length: 2, Pref: prefix.ASCII.Fixed})}), "field 2: subfield 1: encoding <nil>"},
		{2, positional(2, prefix.ASCII.LL, map[string]field.Field{"1": positional(2, prefix.ASCII.LL, map[string]field.Field{"7": nil})}), "field 2: subfield 1: subfield 7: has no"},
		{2, tagged(99, prefix.ASCII.LL, field.TagSpec{Enc: encoding.ASCII}, subs), "tags of length 0"},
		{2, tagged(99, prefix.ASCII.LL, field.TagSpec{Enc: encoding.ASCII, Length: 2}, subs), "subfield 1: the tag is not 2 long"},
		{2, tagged(99, prefix.ASCII.LL, field.TagSpec{Enc: encoding.ASCII, Length: 2, Pad: padding.Left('0')}, map[string]field.Field{"01": two}), "subfield 01: the tag would be read as another one"},
		{2, tagged(99, prefix.ASCII.LL, field.TagSpec{Enc: encoding.BCD, Length: 2}, map[string]field.Field{"A1": two}), "subfield A1: the tag cannot be written"},
		{2, tagged(99, prefix.ASCII.LL, field.TagSpec{Enc: encoding.BerTLVTag}, map[string]field.Field{"9F2601": two}), "subfield 9F2601: the tag"},
		{2, tagged(99, prefix.ASCII.LL, field.TagSpec{Enc: encoding.BerTLVTag}, map[string]field.Field{"9F80808001": two}), "not one BER tag of at most 4 bytes"},
		{2, tagged(99, prefix.ASCII.LL, field.TagSpec{Enc: encoding.ASCII, Length: 1, SkipUnknownTLVTags: true, PrefUnknownTLV: prefix.ASCII.Fixed}, subs), "unknown tags: a fixed length"},
		{2, tagged(99, prefix.ASCII.LL, field.TagSpec{Enc: encoding.ASCII, Length: 1}, nil), "a composite without subfields"},
		{2, bitmapped(99, prefix.ASCII.LL, bytes8, map[string]field.Field{"65": two}), "subfield 65: no bit of a bitmap of 8 bytes"},
		{2, bitmapped(99, prefix.ASCII.LL, bytes8, map[string]field.Field{"01": two}), "subfield 01: no bit"},
		{2, bitmapped(99, prefix.ASCII.LL, field.Spec{Length: 8, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed}, subs), "bitmap encoding"},
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
