// SPDX-License-Identifier: Apache-2.0

package iso8583_test

import (
	"bytes"
	"fmt"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"

	"tapswitch/iso8583"
)

// mtis are the ways to write an MTI; the bytes are those of 0210.
func mtis() map[string]field.Field {
	str := func(n int, enc encoding.Encoder, pref prefix.Prefixer) field.Field { return sub(n, enc, pref) }
	return map[string]field.Field{
		"0210":             str(4, encoding.ASCII, prefix.ASCII.Fixed),
		"\x02\x10":         str(4, encoding.BCD, prefix.BCD.Fixed),
		"\xF0\xF2\xF1\xF0": str(4, encoding.EBCDIC, prefix.EBCDIC.Fixed),
		"30323130":         str(4, encoding.BytesToASCIIHex, prefix.Binary.Fixed),
	}
}

// Other ways to say the same.
func otherMTIs() []field.Field {
	return []field.Field{
		sub(4, encoding.Binary, prefix.Binary.Fixed), sub(4, encoding.LBCD, prefix.BCD.Fixed),
		sub(4, encoding.EBCDIC1047, prefix.EBCDIC1047.Fixed), sub(2, encoding.ASCIIHexToBytes, prefix.Hex.Fixed),
		field.NewNumeric(&field.Spec{Length: 4, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed, Pad: padding.Left('0')}),
		field.NewNumeric(&field.Spec{Length: 4, Enc: encoding.BCD, Pref: prefix.BCD.Fixed, Pad: padding.Left('0')}),
	}
}

func bitmapOf(length int, enc encoding.Encoder, fixed bool) field.Field {
	return field.NewBitmap(&field.Spec{Length: length, Enc: enc, Pref: prefix.Binary.Fixed, DisableAutoExpand: fixed})
}

// headSpec has a field at every edge of the bitmaps that reach so far.
func headSpec(mti, bitmap field.Field, top int) *moov.MessageSpec {
	spec := &moov.MessageSpec{Name: "heads", Fields: map[int]field.Field{0: mti, 1: bitmap}}
	for _, n := range []int{2, 3, 63, 64, 66, 127, 128, 130, 191, 192} {
		if n <= top {
			spec.Fields[n] = sub(3, encoding.ASCII, prefix.ASCII.LL)
		}
	}
	return spec
}

// Every way to write MTI and bitmap, with one, two and three bitmaps, is what
// moov's codec writes and reads; cut anywhere it is refused as cut.
func TestHeadsEqualMoov(t *testing.T) {
	var all []field.Field
	for _, f := range mtis() {
		all = append(all, f)
	}
	all = append(all, otherMTIs()...)
	for _, mti := range all {
		for _, enc := range []encoding.Encoder{encoding.Binary, encoding.BytesToASCIIHex, iso8583.HexEBCDIC{}} {
			for _, form := range []struct {
				length, top int
				fixed       bool
			}{{8, 192, false}, {0, 192, false}, {8, 128, false}, {8, 64, true}, {16, 128, true}, {24, 192, true}} {
				spec := headSpec(mti, bitmapOf(form.length, enc, form.fixed), form.top)
				l := compiled(t, spec)
				for _, set := range [][]int{{}, {2}, {64}, {3, 66}, {128}, {2, 63, 64, 66, 127, 128}, {130}, {2, 192}, {2, 128, 191}} {
					if len(set) == 0 || set[len(set)-1] <= form.top {
						sameHead(t, spec, l, set)
					}
				}
			}
		}
	}
}

func sameHead(t *testing.T, spec *moov.MessageSpec, l *iso8583.Layout, set []int) {
	t.Helper()
	var b iso8583.Builder
	b.Reset(l, 0x0210)
	theirs := moov.NewMessage(spec)
	theirs.MTI("0210")
	for _, n := range set {
		b.SetString(n, "ab")
		if err := theirs.Field(n, "ab"); err != nil {
			t.Fatal(err)
		}
	}
	raw := mustAppend(t, &b)
	if _, hexed := spec.Fields[0].Spec().Enc.(iso8583.Native); !hexed {
		if packed, err := theirs.Pack(); err != nil || !bytes.Equal(packed, raw) {
			t.Fatalf("%v: built %X\nmoov  %X %v", set, raw, packed, err)
		}
	}
	if err := moov.NewMessage(spec).Unpack(raw); err != nil {
		t.Fatalf("%v: moov: %v", set, err)
	}
	var v iso8583.View
	if err := l.Parse(raw, &v); err != nil || v.MTI() != 0x0210 {
		t.Fatalf("%v: MTI %v, %v: %X", set, v.MTI(), err, raw)
	}
	var got []int
	for n := v.Next(0); n != 0; n = v.Next(n) {
		got = append(got, n)
	}
	if fmt.Sprint(got) != fmt.Sprint(set) {
		t.Fatalf("fields %v, want %v", got, set)
	}
	for size := range raw {
		if err := l.Parse(raw[:size:size], &v); err == nil {
			t.Fatalf("%v: cut at %d was read", set, size)
		}
	}
	if n := testing.AllocsPerRun(1, func() { _ = l.Parse(raw, &v) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestMTIOnTheWire(t *testing.T) {
	for want, mti := range mtis() {
		l := compiled(t, headSpec(mti, bitmapOf(8, encoding.Binary, false), 64))
		var b iso8583.Builder
		b.Reset(l, 0x0210)
		if raw := mustAppend(t, &b); string(raw) != want+"\x00\x00\x00\x00\x00\x00\x00\x00" {
			t.Errorf("%X, want %X and the bitmap", raw, want)
		}
		var v iso8583.View
		wantReason(t, l.Parse([]byte("\xAABCDEFGH\x00\x00\x00\x00\x00\x00\x00\x00"), &v), 0, iso8583.ReasonMTINotDigits)
	}
}

// Bitmaps that say of more bitmaps than the dialect has.
func TestBitmapsTooMany(t *testing.T) {
	const one, none = "\x80\x00\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\x00\x00"
	ascii := mtis()["0210"]
	tests := []struct {
		bitmap field.Field
		top    int
		bytes  string
		reason string
	}{
		{bitmapOf(8, encoding.Binary, true), 64, one, iso8583.ReasonSecondaryBitmap},
		{bitmapOf(16, encoding.Binary, true), 128, one + none, iso8583.ReasonSecondaryBitmap},
		{bitmapOf(16, encoding.Binary, true), 128, none + one, iso8583.ReasonFieldUnknown},
		{bitmapOf(16, encoding.Binary, false), 128, one + none, iso8583.ReasonSecondaryBitmap},
		{bitmapOf(8, encoding.Binary, false), 128, one + one + none, iso8583.ReasonTertiaryBitmap},
		{bitmapOf(8, encoding.Binary, false), 192, one + one + one + none, iso8583.ReasonFourthBitmap},
		{bitmapOf(8, iso8583.HexEBCDIC{}, false), 128, "0000000000000000", iso8583.ReasonBitmapNotHex},
	}
	for i, tt := range tests {
		l := compiled(t, headSpec(ascii, tt.bitmap, tt.top))
		var v iso8583.View
		err := l.Parse([]byte("0210"+tt.bytes), &v)
		field := 1
		if tt.reason == iso8583.ReasonFieldUnknown {
			field = 65
		}
		if e := wantReason(t, err, field, tt.reason); e.Offset > 4+len(tt.bytes) {
			t.Errorf("case %d: %v", i, err)
		}
	}
}

// Fields 65 and 129 may be named as what they are: bits that say of a bitmap.
func TestNamesForBits(t *testing.T) {
	spec := headSpec(mtis()["0210"], bitmapOf(8, encoding.Binary, false), 192)
	spec.Fields[65] = field.NewBitmap(&field.Spec{Length: 8, Description: "third bitmap", Enc: encoding.Binary, Pref: prefix.Binary.Fixed})
	l := compiled(t, spec)
	if l.Defines(65) || l.Description(65) != "third bitmap" {
		t.Errorf("field 65 is defined: %v, as %q", l.Defines(65), l.Description(65))
	}
}

// A bitmap that does not grow can be a field like any other.
func TestBitmapAsField(t *testing.T) {
	spec := specWith(2, bitmapOf(3, encoding.BytesToASCIIHex, true))
	l := compiled(t, spec)
	var b iso8583.Builder
	b.Reset(l, 0x0200)
	b.SetBytes(2, []byte{0x12, 0xAB, 0xFF})
	raw := mustAppend(t, &b)
	if !bytes.HasSuffix(raw, []byte("12ABFF")) {
		t.Errorf("built %q", raw)
	}
	theirs := moov.NewMessage(spec)
	if err := theirs.Unpack(raw); err != nil {
		t.Fatal(err)
	}
	if got, _ := theirs.GetBytes(2); !bytes.Equal(got, []byte{0x12, 0xAB, 0xFF}) {
		t.Errorf("moov reads %X", got)
	}
}

// moov's packers for track 2 fill one digit and count without it.
func TestTrack2Packers(t *testing.T) {
	for pad, padder := range map[string]padding.Padder{"left": padding.Left('0'), "right": padding.Right('0')} {
		for _, enc := range []encoding.Encoder{encoding.BCD, encoding.LBCD} {
			spec := specWith(35, field.NewString(&field.Spec{Length: 37, Enc: enc, Pref: prefix.BCD.LL, Pad: padder,
				Packer: field.Track2Packer{}, Unpacker: field.Track2Unpacker{}}))
			l := compiled(t, spec)
			for _, value := range []string{"", "1", "12", "123", "1234567890123456789012345678901234567"} {
				var b iso8583.Builder
				b.Reset(l, 0x0200)
				b.SetString(35, value)
				theirs := moov.NewMessage(spec)
				theirs.MTI("0200")
				if err := theirs.Field(35, value); err != nil {
					t.Fatal(err)
				}
				raw := mustAppend(t, &b)
				if packed, err := theirs.Pack(); err != nil || !bytes.Equal(raw, packed) {
					t.Errorf("%s %T %q: %X, moov %X %v", pad, enc, value, raw, packed, err)
				}
				var v iso8583.View
				if err := l.Parse(raw, &v); err != nil || string(v.AppendText(nil, 35)) != value {
					t.Errorf("%s %T %q: read %q %v", pad, enc, value, v.AppendText(nil, 35), err)
				}
			}
		}
	}
}

// Every byte of both EBCDIC pages is one character, and comes back as itself.
func TestEBCDICPages(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, enc := range []encoding.Encoder{encoding.EBCDIC, encoding.EBCDIC1047} {
		l := compiled(t, specWith(2, sub(256, enc, prefix.Binary.Fixed)))
		raw := append([]byte("\x02\x00\x40\x00\x00\x00\x00\x00\x00\x00"), all...)
		var v iso8583.View
		if err := l.Parse(raw, &v); err != nil {
			t.Fatal(err)
		}
		seen := map[byte]bool{}
		text := v.AppendText(nil, 2)
		for _, c := range text {
			seen[c] = true
		}
		var b iso8583.Builder
		b.Reset(l, 0x0200)
		b.SetText(2, text)
		if again := mustAppend(t, &b); !bytes.Equal(again, raw) || len(seen) != 256 {
			t.Errorf("%T: %d characters, built %X", enc, len(seen), again)
		}
	}
}

// Every encoding is read and written without allocation.
func TestNoEncodingAllocates(t *testing.T) {
	for _, c := range combos() {
		if c.pref != "ASCII.LL" && c.pref != "BerTLV" || c.pad == "left x" || c.pad == "right F" {
			continue
		}
		c, ok := c.compile(t)
		if !ok {
			continue
		}
		values := c.values()
		raw := c.write(t, values[len(values)-1])
		if raw == nil {
			continue
		}
		var v iso8583.View
		var b iso8583.Builder
		text, out := make([]byte, 0, 256), make([]byte, 0, 256)
		if n := testing.AllocsPerRun(2, func() {
			if err := c.layout.Parse(raw, &v); err != nil {
				t.Error(err)
			}
			text = v.AppendText(text[:0], 2)
			b.Reset(c.layout, 0x0200)
			b.SetText(2, text)
			b.SetText(3, v.Raw(3))
			if again, err := b.Append(out); err != nil || !bytes.Equal(again, raw) {
				t.Error(c, err)
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations", c, n)
		}
	}
}
