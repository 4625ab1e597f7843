// SPDX-License-Identifier: Apache-2.0

package dialect_test

import (
	"bytes"
	"errors"
	"testing"
	"unicode/utf8"

	moov "github.com/moov-io/iso8583"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect"
	"tapswitch/iso8583/dialect/dialecttest"
)

// stricter are the reasons for which we refuse what moov's codec lets pass,
// with why it does. Whatever else differs is a fault.
func stricter() map[string]string {
	return map[string]string{
		iso8583.ReasonTrailingBytes:   "it ignores bytes after the last field",
		iso8583.ReasonPaddingNotZero:  "it drops the nibble that fills an odd count unseen",
		iso8583.ReasonNotDigit:        "it takes a filler F for a missing digit",
		iso8583.ReasonMTINotDigits:    "the message type is text to it",
		iso8583.ReasonPrefixNotDigits: "it takes a sign in an ASCII length",
		iso8583.ReasonLengthAboveMax:  "it drops the filler nibble of a BCD length of three digits",
		iso8583.ReasonSecondaryBitmap: "it ignores bit 1 of a bitmap that does not expand",
		iso8583.ReasonTertiaryBitmap:  "it ignores bit 65",
		iso8583.ReasonMessageTooLong:  "it has no bound",
	}
}

// sameParse reads raw with both codecs and compares all they say.
func sameParse(t *testing.T, e dialect.Entry, l *iso8583.Layout, spec *moov.MessageSpec, raw []byte) {
	t.Helper()
	var v iso8583.View
	err := l.Parse(raw, &v)
	theirs := moov.NewMessage(spec)
	moovErr := theirs.Unpack(bytes.Clone(raw))
	if err != nil {
		ours, ok := errors.AsType[*iso8583.Error](err)
		if !ok {
			t.Fatalf("%v is not an *Error", err)
		}
		if moovErr == nil && stricter()[ours.Reason] == "" {
			t.Fatalf("%s: refused here (%v), read by moov: %X", e.Name, err, raw)
		}
		return
	}
	if moovErr != nil {
		t.Fatalf("%s: read here, refused by moov (%v): %X", e.Name, moovErr, raw)
	}
	var b iso8583.Builder
	b.Reset(l, v.MTI())
	count, repacks := 0, true
	for n := v.Next(0); n != 0; n = v.Next(n) {
		count++
		ours := v.AppendText(nil, n)
		b.SetText(n, ours)
		if len(ours) == 0 && l.Inside(n).Kind() == iso8583.InsideBitmapped {
			repacks = false // moov gives it, and writes it, as a bitmap without bits
			continue
		}
		if pad := spec.Fields[n].Spec().Pad; pad != nil {
			ours = pad.Unpad(ours) // moov takes the filling off
		}
		if l.Encoding(n) == iso8583.EncodingEBCDIC1047 {
			latin1 := len(ours)
			ours = utf8Of(ours)                      // where moov's characters are
			repacks = repacks && len(ours) == latin1 // it counts bytes of UTF-8 in lengths
		}
		if got, err := theirs.GetBytes(n); err != nil || !bytes.Equal(got, ours) {
			t.Fatalf("%s: field %d: %q here, %q by moov (%v)", e.Name, n, ours, got, err)
		}
	}
	if count -= fieldsOf(theirs); count != 0 {
		t.Fatalf("%s: %d fields more here than by moov", e.Name, count)
	}
	if !repacks {
		return
	}
	packed, err := theirs.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if built, err := b.Append(nil); err != nil || !bytes.Equal(built, packed) {
		t.Fatalf("%s: built %X %v\nmoov  %X", e.Name, built, err, packed)
	}
}

// fieldsOf counts the fields of a message after the bitmap.
func fieldsOf(m *moov.Message) (count int) {
	for n := range m.GetFields() {
		if n > 1 {
			count++
		}
	}
	return count
}

// utf8Of writes Latin-1 characters, one byte each, as UTF-8.
func utf8Of(latin1 []byte) (out []byte) {
	for _, c := range latin1 {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}

// sameBuild builds the message that script describes with both codecs and
// compares bytes, or that both refuse. Three bytes of script make a field:
// number, length, and which alphabet.
func sameBuild(t *testing.T, e dialect.Entry, l *iso8583.Layout, spec *moov.MessageSpec, script []byte) {
	t.Helper()
	var b iso8583.Builder
	b.Reset(l, 0x0200)
	theirs := moov.NewMessage(spec)
	theirs.MTI("0200")
	for ; len(script) >= 3; script = script[3:] {
		n := int(script[0])&0x7F + 1
		if !l.Defines(n) || l.Encoding(n) == iso8583.EncodingComposite {
			continue
		}
		length := int(script[1])
		if script[2]&0x80 != 0 {
			length = l.Max(n) - length&1
		}
		enc := l.Encoding(n)
		if script[2]&0x0F == 1 {
			enc = iso8583.EncodingASCII // characters the field may not know
		}
		s := text(enc, length)
		b.SetText(n, []byte(s))
		if err := dialecttest.SetMoov(theirs, spec, n, s); err != nil {
			t.Fatal(err)
		}
	}
	ours, err := b.Append(nil)
	packed, moovErr := theirs.Pack()
	if (err == nil) != (moovErr == nil) {
		t.Fatalf("%s: here: %v, moov: %v", e.Name, err, moovErr)
	}
	if err == nil && !bytes.Equal(ours, packed) {
		t.Fatalf("%s: built %X\nmoov  %X", e.Name, ours, packed)
	}
}

// The golden messages of each dialect, and all messages one byte away from
// them, read the same by both codecs.
func TestParseEqualsMoov(t *testing.T) {
	each(t, func(t *testing.T, e dialect.Entry, l *iso8583.Layout) {
		spec := e.Spec()
		for _, m := range dialecttest.Read(t, e.Name+"/testdata/golden.txt") {
			sameParse(t, e, l, spec, m.Wire)
			for i := range m.Wire {
				for _, change := range []byte{0x01, 0x90} {
					bent := bytes.Clone(m.Wire)
					bent[i] ^= change
					sameParse(t, e, l, spec, bent)
				}
			}
		}
	})
}

// Every field at its bounds is built the same by both codecs.
func TestBuildEqualsMoov(t *testing.T) {
	each(t, func(t *testing.T, e dialect.Entry, l *iso8583.Layout) {
		spec := e.Spec()
		for n := byte(1); n < 128; n++ {
			if !l.Defines(int(n) + 1) {
				continue
			}
			for _, length := range []byte{0, 1, 2, 7, 8, 40, 255} {
				sameBuild(t, e, l, spec, []byte{n, length, 0})
				sameBuild(t, e, l, spec, []byte{n, length, 1})
				sameBuild(t, e, l, spec, []byte{n, length, 0x80, 3, 12, 0})
			}
		}
	})
}

type compiled struct {
	e    dialect.Entry
	l    *iso8583.Layout
	spec *moov.MessageSpec
}

func byName() map[string]compiled {
	m := map[string]compiled{}
	for _, e := range dialect.All() {
		m[e.Name] = compiled{e, e.New(), e.Spec()}
	}
	return m
}

// FuzzParse holds both codecs against each other on any bytes, by the dialect's name.
func FuzzParse(f *testing.F) {
	all := byName()
	for name := range all {
		for _, m := range dialecttest.Read(f, name+"/testdata/golden.txt") {
			f.Add(name, m.Wire)
		}
	}
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		if d, ok := all[name]; ok {
			sameParse(t, d.e, d.l, d.spec, raw)
		}
	})
}

// FuzzBuild holds both codecs against each other on any set of fields.
func FuzzBuild(f *testing.F) {
	all := byName()
	for name := range all {
		f.Add(name, []byte{1, 16, 0, 2, 6, 0, 34, 37, 0, 54, 200, 0, 63, 8, 0})
		f.Add(name, []byte{127, 8, 0, 89, 42, 0, 34, 0, 0x80})
	}
	f.Fuzz(func(t *testing.T, name string, script []byte) {
		if d, ok := all[name]; ok {
			sameBuild(t, d.e, d.l, d.spec, script)
		}
	})
}
