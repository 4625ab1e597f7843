// SPDX-License-Identifier: Apache-2.0

package iso8583

import (
	"fmt"
	"math"
	"strings"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
)

// Compile turns a moov specification and our marks into a Layout. What it does
// not support it refuses, naming the field and the reason: fields of type
// Composite, Track1 and Track3, EBCDIC and BER-TLV encodings, prefixes above
// four digits, own packers, fields above 128.
func Compile(spec *moov.MessageSpec, marks Marks) (*Layout, error) {
	if spec == nil {
		return nil, fmt.Errorf("iso8583: compile: no specification given")
	}
	if err := spec.Validate(); err != nil {
		return nil, fmt.Errorf("iso8583: compile %q: %w", spec.Name, err)
	}
	l := &Layout{name: spec.Name}
	for n, f := range spec.Fields {
		if err := l.compileField(n, f); err != nil {
			return nil, fmt.Errorf("iso8583: compile %q: field %d: %w", spec.Name, n, err)
		}
	}
	for n, mark := range marks {
		if !l.Defines(n) {
			return nil, fmt.Errorf("iso8583: compile %q: field %d: marked but not in the specification", spec.Name, n)
		}
		if mark >= endOfMarks {
			return nil, fmt.Errorf("iso8583: compile %q: field %d: mark %d is not known", spec.Name, n, mark)
		}
		l.marks[n] = mark
	}
	for n := 65; n <= MaxField && !l.secondary; n++ {
		if l.Defines(n) {
			return nil, fmt.Errorf("iso8583: compile %q: field %d: above 64, but the bitmap does not expand", spec.Name, n)
		}
	}
	return l, nil
}

func (l *Layout) compileField(n int, f field.Field) error {
	if f == nil || f.Spec() == nil {
		return fmt.Errorf("has no specification")
	}
	s := f.Spec()
	switch {
	case n < 0 || n > MaxField:
		return fmt.Errorf("number is outside 0 to %d", MaxField)
	case n == 65:
		return fmt.Errorf("a third bitmap is not supported")
	case s.Packer != nil || s.Unpacker != nil:
		return fmt.Errorf("own packers are not supported")
	}
	l.texts[n] = s.Description
	switch n {
	case 0:
		return l.compileMTI(f, s)
	case 1:
		return l.compileBitmap(s)
	}
	code, err := compileCode(f, s)
	l.fields[n] = code
	return err
}

func (l *Layout) compileMTI(f field.Field, s *field.Spec) error {
	code, err := compileCode(f, s)
	if err != nil {
		return err
	}
	if code.pref != prefixFixed || code.max != 4 {
		return fmt.Errorf("the MTI must be four fixed digits")
	}
	switch code.enc {
	case EncodingASCII, EncodingDigits:
	case EncodingBCD, EncodingLeftBCD:
		l.mtiBCD = true
	default:
		return fmt.Errorf("the MTI must be ASCII or BCD, not %v", code.enc)
	}
	return nil
}

func (l *Layout) compileBitmap(s *field.Spec) error {
	if s.Length != 8 && s.Length != 0 {
		return fmt.Errorf("a bitmap of %d bytes is not supported, only 8", s.Length)
	}
	switch s.Enc {
	case encoding.Binary:
	case encoding.BytesToASCIIHex:
		l.bitmapHex = true
	default:
		return fmt.Errorf("bitmap encoding %T is not supported", s.Enc)
	}
	l.secondary = !s.DisableAutoExpand
	return nil
}

func compileCode(f field.Field, s *field.Spec) (fieldCode, error) {
	var c fieldCode
	var err error
	if c.enc, err = compileEncoding(f, s.Enc); err != nil {
		return c, err
	}
	if c.pref, c.prefLen, err = compilePrefix(s); err != nil {
		return c, err
	}
	c.max = uint16(s.Length)
	return c, compilePadding(s.Pad, &c)
}

// compileEncoding finds our encoding for a moov field type and encoder.
func compileEncoding(f field.Field, enc encoding.Encoder) (Encoding, error) {
	found := encodingNone
	switch enc {
	case encoding.ASCII:
		found = EncodingASCII
	case encoding.BCD:
		found = EncodingBCD
	case encoding.LBCD:
		found = EncodingLeftBCD
	case encoding.Binary:
		found = EncodingBytes
	default:
		if own, ok := enc.(Native); ok {
			found = own.Native()
		}
	}
	if found == encodingNone || found > EncodingTrack {
		return encodingNone, fmt.Errorf("encoding %T is not supported", enc)
	}
	switch f.(type) {
	case *field.String:
	case *field.Numeric:
		if found == EncodingASCII {
			found = EncodingDigits
		}
		if !found.numeric() {
			return encodingNone, fmt.Errorf("a number cannot be written as %v", found)
		}
	case *field.Binary, *field.Hex:
		if found != EncodingBytes {
			return encodingNone, fmt.Errorf("a binary field cannot be written as %v", found)
		}
	case *field.Track2:
		if found != EncodingASCII && found != EncodingTrack {
			return encodingNone, fmt.Errorf("a track cannot be written as %v", found)
		}
	default:
		return encodingNone, fmt.Errorf("field type %T is not supported", f)
	}
	return found, nil
}

// compilePrefix reads moov's own name of the prefix, such as BCD.LLL: the types
// behind it are not exported.
func compilePrefix(s *field.Spec) (kind prefixKind, size uint8, err error) {
	if s.Pref == nil {
		return 0, 0, fmt.Errorf("has no length prefix, not even a fixed one")
	}
	if s.Length < 1 || s.Length > 9999 {
		return 0, 0, fmt.Errorf("length %d is outside 1 to 9999", s.Length)
	}
	name, form, _ := strings.Cut(s.Pref.Inspect(), ".")
	base := 10.0
	switch name {
	case "ASCII":
		kind = prefixASCII
	case "BCD":
		kind = prefixBCD
	case "Binary":
		kind, base = prefixBinary, 256
	default:
		return 0, 0, fmt.Errorf("length prefix %q is not supported", s.Pref.Inspect())
	}
	if form == "Fixed" {
		return prefixFixed, 0, nil
	}
	digits := len(form)
	if digits < 1 || digits > 4 || strings.Trim(form, "L") != "" {
		return 0, 0, fmt.Errorf("length prefix %q is not supported", s.Pref.Inspect())
	}
	if float64(s.Length) >= math.Pow(base, float64(digits)) {
		return 0, 0, fmt.Errorf("length %d does not fit the prefix %s", s.Length, s.Pref.Inspect())
	}
	if kind == prefixBCD {
		digits = (digits + 1) / 2
	}
	return kind, uint8(digits), nil
}

// compilePadding accepts a zero on the left and a space on the right.
func compilePadding(pad padding.Padder, c *fieldCode) error {
	if pad == nil || pad == padding.None {
		return nil
	}
	fill := pad.Inspect()
	filled := pad.Pad([]byte("x"), 2)
	if len(fill) != 1 || len(filled) != 2 {
		return fmt.Errorf("padding %T is not supported", pad)
	}
	c.pad, c.padLeft = fill[0], filled[1] == 'x'
	switch {
	case c.padLeft && c.pad == '0':
	case !c.padLeft && c.pad == ' ' && (c.enc == EncodingASCII || c.enc == EncodingBytes):
	default:
		return fmt.Errorf("padding %q is supported neither on that side nor in %v", fill, c.enc)
	}
	return nil
}
