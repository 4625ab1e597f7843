// SPDX-License-Identifier: Apache-2.0

package iso8583_test

import (
	"bytes"
	"errors"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/field"

	"tapswitch/iso8583"
)

// stricter are the reasons for which we refuse what moov's codec lets pass:
//   - it ignores bytes after the last field, bits of a bitmap that does not
//     expand, and a third bitmap without bits;
//   - it drops the filler nibble unseen, takes a filler F for a missing digit,
//     and a sign in an ASCII length.
var stricter = map[string]bool{
	iso8583.ReasonTrailingBytes:   true,
	iso8583.ReasonPaddingNotZero:  true,
	iso8583.ReasonNotDigit:        true,
	iso8583.ReasonMTINotDigits:    true,
	iso8583.ReasonPrefixNotDigits: true,
	iso8583.ReasonLengthAboveMax:  true, // the filler nibble of a BCD length
	iso8583.ReasonSecondaryBitmap: true,
	iso8583.ReasonTertiaryBitmap:  true,
}

// sameParse reads raw with both codecs and compares all they say.
func sameParse(t *testing.T, d dialect, raw []byte) {
	t.Helper()
	var v iso8583.View
	err := d.layout.Parse(raw, &v)
	theirs, moovErr := unpack(d.spec, raw)
	if err != nil {
		var e *iso8583.Error
		if !errors.As(err, &e) {
			t.Fatalf("%v is not an *Error", err)
		}
		if moovErr == nil && !stricter[e.Reason] {
			t.Fatalf("refused here (%v), read by moov: %X", err, raw)
		}
		return
	}
	if moovErr != nil {
		t.Fatalf("read here, refused by moov (%v): %X", moovErr, raw)
	}
	var b iso8583.Builder
	b.Reset(d.layout, v.MTI())
	count := 0
	for n := v.Next(0); n != 0; n = v.Next(n) {
		count++
		ours := v.AppendText(nil, n)
		b.SetText(n, ours)
		if got, err := theirs.GetBytes(n); err != nil || !bytes.Equal(got, unpad(d, n, ours)) {
			t.Fatalf("field %d: %q here, %q by moov (%v)", n, ours, got, err)
		}
	}
	for n := range theirs.GetFields() {
		if n > 1 {
			count--
		}
	}
	if count != 0 {
		t.Fatalf("%d fields more here than by moov", count)
	}
	packed, err := theirs.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if built := mustAppend(t, &b); !bytes.Equal(built, packed) {
		t.Fatalf("built %X\nmoov  %X", built, packed)
	}
}

// unpad does what moov does after reading: it takes the filling off.
func unpad(d dialect, n int, text []byte) []byte {
	if pad := d.spec.Fields[n].Spec().Pad; pad != nil {
		return pad.Unpad(text)
	}
	return text
}

// sameBuild builds the message that script describes with both codecs and
// compares bytes, or that both refuse. Three bytes of script make a field:
// number, length, and which alphabet.
func sameBuild(t *testing.T, d dialect, script []byte) {
	t.Helper()
	var b iso8583.Builder
	b.Reset(d.layout, 0x0200)
	theirs := moov.NewMessage(d.spec)
	theirs.MTI("0200")
	for ; len(script) >= 3; script = script[3:] {
		n := int(script[0])&0x7F + 1
		if !d.layout.Defines(n) {
			continue
		}
		length := int(script[1])
		if script[2]&0x80 != 0 {
			length = d.layout.Max(n) - length&1
		}
		enc := d.layout.Encoding(n)
		if script[2]&0x0F == 1 {
			enc = iso8583.EncodingASCII // characters the field may not know
		}
		s := []byte(text(enc, length))
		b.SetText(n, s)
		var err error
		if _, binary := d.spec.Fields[n].(*field.Binary); binary {
			err = theirs.BinaryField(n, s)
		} else {
			err = theirs.Field(n, string(s))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ours, err := b.Append(nil)
	packed, moovErr := theirs.Pack()
	if (err == nil) != (moovErr == nil) {
		t.Fatalf("here: %v, moov: %v", err, moovErr)
	}
	if err == nil && !bytes.Equal(ours, packed) {
		t.Fatalf("built %X\nmoov  %X", ours, packed)
	}
}

// The sample of each dialect, and all messages one byte away from it, read the
// same by both codecs.
func TestParseEqualsMoov(t *testing.T) {
	each(t, func(t *testing.T, d dialect) {
		raw := d.build(t)
		sameParse(t, d, raw)
		for i := range raw {
			for _, change := range []byte{0x01, 0x10, 0x80, 0xFF} {
				bent := bytes.Clone(raw)
				bent[i] ^= change
				sameParse(t, d, bent)
			}
		}
	})
}

// Every field at its bounds is built the same by both codecs.
func TestBuildEqualsMoov(t *testing.T) {
	each(t, func(t *testing.T, d dialect) {
		for n := byte(1); n < 128; n++ {
			for _, length := range []byte{0, 1, 2, 7, 8, 40, 255} {
				sameBuild(t, d, []byte{n, length, 0})
				sameBuild(t, d, []byte{n, length, 1})
				sameBuild(t, d, []byte{n, length, 0x80, 3, 12, 0})
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	all := dialects()
	for i, d := range all {
		f.Add(byte(i), d.build(f))
	}
	f.Fuzz(func(t *testing.T, which byte, raw []byte) {
		sameParse(t, all[int(which)%len(all)], raw)
	})
}

func FuzzBuild(f *testing.F) {
	all := dialects()
	for i := range all {
		f.Add(byte(i), []byte{1, 16, 0, 2, 6, 0, 34, 37, 0, 54, 200, 0, 63, 8, 0})
		f.Add(byte(i), []byte{127, 8, 0, 89, 42, 0, 34, 0, 0x80})
	}
	f.Fuzz(func(t *testing.T, which byte, script []byte) {
		sameBuild(t, all[int(which)%len(all)], script)
	})
}
