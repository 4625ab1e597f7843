// SPDX-License-Identifier: Apache-2.0

package iso8583_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"

	"tapswitch/iso8583"
)

// combo is one way to specify a field.
type combo struct {
	kind, enc, pref, pad string
	spec                 *moov.MessageSpec // field 2 is of this kind, field 3 follows
	layout               *iso8583.Layout
}

const comboLength = 24

func kinds() map[string]func(*field.Spec) field.Field {
	return map[string]func(*field.Spec) field.Field{
		"String":  func(s *field.Spec) field.Field { return field.NewString(s) },
		"Numeric": func(s *field.Spec) field.Field { return field.NewNumeric(s) },
		"Binary":  func(s *field.Spec) field.Field { return field.NewBinary(s) },
		"Hex":     func(s *field.Spec) field.Field { return field.NewHex(s) },
		"Track1":  func(s *field.Spec) field.Field { return field.NewTrack1(s) },
		"Track2":  func(s *field.Spec) field.Field { return field.NewTrack2(s) },
		"Track3":  func(s *field.Spec) field.Field { return field.NewTrack3(s) },
	}
}

func encoders() map[string]encoding.Encoder {
	return map[string]encoding.Encoder{
		"ASCII": encoding.ASCII, "BCD": encoding.BCD, "LBCD": encoding.LBCD, "EBCDIC": encoding.EBCDIC,
		"EBCDIC1047": encoding.EBCDIC1047, "Binary": encoding.Binary, "BytesToASCIIHex": encoding.BytesToASCIIHex,
		"ASCIIHexToBytes": encoding.ASCIIHexToBytes, "BerTLVTag": encoding.BerTLVTag, "HexEBCDIC": iso8583.HexEBCDIC{},
	}
}

func prefixes() map[string]prefix.Prefixer {
	all := map[string]prefix.Prefixer{"BerTLV": prefix.BerTLV, "None.Fixed": prefix.None.Fixed}
	for _, p := range []prefix.Prefixers{prefix.ASCII, prefix.BCD, prefix.EBCDIC, prefix.EBCDIC1047, prefix.Binary, prefix.Hex} {
		for _, one := range []prefix.Prefixer{p.Fixed, p.L, p.LL, p.LLL, p.LLLL, p.LLLLL, p.LLLLLL} {
			all[one.Inspect()] = one
		}
	}
	return all
}

func paddings() map[string]padding.Padder {
	return map[string]padding.Padder{
		"": nil, "none": padding.None, "left 0": padding.Left('0'), "right 0": padding.Right('0'),
		"left space": padding.Left(' '), "right space": padding.Right(' '), "right F": padding.Right('F'), "left x": padding.Left('x'),
	}
}

// refusals are the combinations that Compile refuses, with its reason.
func (c combo) refusal() string {
	track, decimal := strings.HasPrefix(c.kind, "Track"), c.enc == "BCD" || c.enc == "LBCD"
	switch {
	case c.enc == "BerTLVTag":
		return "is for the tags of a composite"
	case (c.kind == "Binary" || c.kind == "Hex") && decimal:
		return "bytes cannot be written as"
	case track && decimal, (c.kind == "Track1" || c.kind == "Track3") && c.enc == "ASCIIHexToBytes":
		return "a track cannot be written as"
	case c.kind == "Numeric" && c.enc == "HexEBCDIC":
		return "a number cannot be written as"
	case c.pad != "" && c.pad != "none" && strings.HasSuffix(c.pref, ".L") && c.pref != "Binary.L" && c.pref != "Hex.L":
		return "padding fills to 24, which the prefix"
	}
	return ""
}

// combos are all combinations that compile.
func combos(t testing.TB) (all []combo) {
	t.Helper()
	refused := 0
	kinds, encoders, prefixes, paddings := kinds(), encoders(), prefixes(), paddings()
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		for _, enc := range slices.Sorted(maps.Keys(encoders)) {
			for _, pref := range slices.Sorted(maps.Keys(prefixes)) {
				for _, pad := range slices.Sorted(maps.Keys(paddings)) {
					c := combo{kind: kind, enc: enc, pref: pref, pad: pad}
					c.spec = specWith(2, kinds[kind](&field.Spec{
						Length: comboLength, Enc: encoders[enc], Pref: prefixes[pref], Pad: paddings[pad]}))
					c.spec.Fields[3] = field.NewString(&field.Spec{Length: 2, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed})
					var err error
					c.layout, err = iso8583.Compile(c.spec, nil)
					want := c.refusal()
					if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
						t.Fatalf("%v: error is %v, want %q", c, err, want)
					}
					if err != nil {
						refused++
						continue
					}
					all = append(all, c)
				}
			}
		}
	}
	t.Logf("%d combinations compile, %d are refused with their reason", len(all), refused)
	return all
}

func (c combo) String() string { return fmt.Sprint(c.kind, " ", c.enc, " ", c.pref, " ", c.pad) }

// values that the kind can have, short and long.
func (c combo) values() []string {
	digits := "123456789012345678"
	switch c.kind {
	case "Numeric":
		return []string{"7", "42", "10000", digits}
	case "Track1":
		return []string{"B1^AB^29122011", "B4242^DOE/JO^29122011999"}
	case "Track2":
		if c.enc == "ASCIIHexToBytes" {
			return []string{"4D29122011", "4242424242D2912201999990"}
		}
		return []string{"4=29122011", "4242424242=2912201999999"}
	case "Track3":
		return []string{"011234=1234", "014242424242424=12345678"}
	}
	switch c.enc {
	case "BCD", "LBCD":
		return []string{"", "1", "12", digits, digits + "901234"}
	case "ASCIIHexToBytes":
		return []string{"", "0A", "ABCD", digits + digits + "901234567890"}
	}
	return []string{"", "a", "Az", "a value of 17 char", "a value of 24 characters"}
}

// moovWritesOtherwise says why moov's codec writes a value otherwise than we do.
func (c combo) moovWritesOtherwise(value string) string {
	switch {
	case c.pref == "Hex.Fixed" && c.enc != "ASCIIHexToBytes":
		return "moov wants twice the length for Hex.Fixed when it writes, and reads it once"
	case c.enc == "ASCIIHexToBytes" && c.pref != "Hex.Fixed":
		return "moov counts characters when it writes and bytes when it reads"
	case c.enc == "ASCIIHexToBytes" && c.pad != "" && c.pad != "none":
		return "moov fills to the length in characters, which is half the field"
	case c.pref == "BerTLV" && value == "":
		return "moov leaves the length of an empty value out"
	case c.pref == "None.Fixed" && (c.enc == "BCD" || c.enc == "LBCD") && len(value)&1 != 0:
		return "without a length nothing tells the filler from a digit"
	}
	return ""
}

// moovReadsOtherwise says why moov's codec reads otherwise than we do.
func (c combo) moovReadsOtherwise() string {
	switch {
	case c.pref == "Binary.LLLLL" || c.pref == "Binary.LLLLLL":
		return "moov reads the first four bytes of the length only"
	case c.pref == "None.Fixed" && (c.enc == "BCD" || c.enc == "LBCD" || strings.Contains(c.enc, "Hex")):
		return "moov takes the bytes that are left for characters"
	case strings.HasPrefix(c.kind, "Track"):
		return "moov takes a track apart and refuses what it does not know; here it is passed on"
	}
	return ""
}

// Every combination: written alike, read alike, cut at every byte and bent at
// every byte, or the difference has its reason above.
func TestEveryCombinationEqualsMoov(t *testing.T) {
	for i, c := range combos(t) {
		for _, value := range c.values() {
			raw := c.write(t, value)
			if raw == nil {
				continue
			}
			c.read(t, raw)
			var v iso8583.View
			for size := range raw {
				if c.pref == "None.Fixed" && size >= 10 {
					break // what is left is all there is
				}
				if err := c.layout.Parse(raw[:size:size], &v); err == nil {
					t.Fatalf("%v: %q cut at %d was read", c, value, size)
				}
			}
			for at := 10 + i%7; at < len(raw); at += 7 {
				bent := bytes.Clone(raw)
				bent[at] ^= []byte{0x01, 0x10, 0x80, 0xFF}[(i+at)%4]
				c.read(t, bent)
			}
		}
	}
}

// write builds the message with both codecs; nil when it cannot be built.
func (c combo) write(t *testing.T, value string) []byte {
	t.Helper()
	var b iso8583.Builder
	b.Reset(c.layout, 0x0200)
	b.SetString(2, value)
	theirs := moov.NewMessage(c.spec)
	theirs.MTI("0200")
	if err := theirs.BinaryField(2, []byte(value)); err != nil {
		t.Fatalf("%v %q: %v", c, value, err)
	}
	if c.pref != "None.Fixed" {
		b.SetString(3, "ZZ")
		if err := theirs.Field(3, "ZZ"); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := b.Append(nil)
	packed, moovErr := theirs.Pack()
	same := (err == nil) == (moovErr == nil) && bytes.Equal(raw, packed)
	if !same && c.moovWritesOtherwise(value) == "" {
		t.Fatalf("%v %q:\n%X %v\nmoov\n%X %v", c, value, raw, err, packed, moovErr)
	}
	if err != nil {
		var e *iso8583.Error
		if !errors.As(err, &e) || e.Field != 2 {
			t.Fatalf("%v %q: %v", c, value, err)
		}
		return nil
	}
	var v iso8583.View
	if err := c.layout.Parse(raw, &v); err != nil {
		t.Fatalf("%v %q: built %X, not read: %v", c, value, raw, err)
	}
	b.Reset(c.layout, 0x0200)
	b.Copy(2, &v)
	b.Copy(3, &v)
	if again := mustAppend(t, &b); !bytes.Equal(again, raw) {
		t.Fatalf("%v: copied %X, was %X", c, again, raw)
	}
	return raw
}

// read reads raw with both codecs.
func (c combo) read(t *testing.T, raw []byte) {
	t.Helper()
	var v iso8583.View
	err := c.layout.Parse(raw, &v)
	theirs := moov.NewMessage(c.spec)
	moovErr := theirs.Unpack(bytes.Clone(raw))
	if c.moovReadsOtherwise() != "" {
		return
	}
	if err != nil {
		var e *iso8583.Error
		if !errors.As(err, &e) || moovErr == nil && !stricter[e.Reason] {
			t.Fatalf("%v: refused here (%v), read by moov: %X", c, err, raw)
		}
		return
	}
	ours := v.AppendText(nil, 2)
	if pad := c.spec.Fields[2].Spec().Pad; pad != nil {
		ours = pad.Unpad(ours)
	}
	if c.kind == "Numeric" { // moov gives the number, without zeros in front
		if ours = bytes.TrimLeft(ours, "0"); len(ours) == 0 {
			ours = []byte("0")
		}
	}
	if moovErr != nil {
		if c.kind != "Numeric" || len(ours) < 19 { // more than moov's number can hold
			t.Fatalf("%v: read here, refused by moov (%v): %X", c, moovErr, raw)
		}
		return
	}
	got, err := theirs.GetBytes(2)
	if c.enc == "EBCDIC1047" && c.kind != "Numeric" { // moov gives UTF-8
		ours = latin1(ours)
	}
	if err != nil || !bytes.Equal(got, ours) {
		t.Fatalf("%v: %q here, %q by moov (%v): %X", c, ours, got, err, raw)
	}
}

// latin1 writes bytes that are Latin-1 characters as UTF-8.
func latin1(p []byte) []byte {
	var out []rune
	for _, c := range p {
		out = append(out, rune(c))
	}
	return []byte(string(out))
}

// FuzzCombination reads any bytes after a good head in every combination.
func FuzzCombination(f *testing.F) {
	all := combos(f)
	for i := 0; i < len(all); i += 97 {
		for _, value := range all[i].values() {
			var b iso8583.Builder
			b.Reset(all[i].layout, 0x0200)
			b.SetString(2, value)
			b.SetString(3, "ZZ")
			if raw, err := b.Append(nil); err == nil {
				f.Add(uint16(i), raw[10:])
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint16, rest []byte) {
		head := []byte("\x02\x00\x60\x00\x00\x00\x00\x00\x00\x00")
		all[int(which)%len(all)].read(t, append(head, rest...))
	})
}
