// SPDX-License-Identifier: Apache-2.0

package iso8583

import (
	"fmt"
	"maps"
	"slices"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
)

// Compile turns a moov specification and our marks into a Layout. All that moov
// has compiles, save what cannot work there either or cannot be known from
// outside; that it refuses, naming the field and the reason: packers and
// paddings of the caller's own, encodings that cannot hold the field's values,
// fields above 192, a bitmap that is not written as bits.
func Compile(spec *moov.MessageSpec, marks Marks) (*Layout, error) {
	if spec == nil {
		return nil, fmt.Errorf("iso8583: compile: no specification given")
	}
	if err := spec.Validate(); err != nil {
		return nil, fmt.Errorf("iso8583: compile %q: %w", spec.Name, err)
	}
	l := &Layout{name: spec.Name}
	for n := range l.fields {
		l.fields[n].flags = rare
	}
	for _, n := range slices.Sorted(maps.Keys(spec.Fields)) {
		if err := l.compileField(n, spec.Fields[n]); err != nil {
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
	return l, nil
}

func (l *Layout) compileField(n int, f field.Field) error {
	if f == nil || f.Spec() == nil {
		return fmt.Errorf("has no specification")
	}
	if n < 0 || n > MaxField {
		return fmt.Errorf("number is outside 0 to %d", MaxField)
	}
	s := f.Spec()
	l.texts[n] = s.Description
	switch n {
	case 0:
		return l.compileMTI(f, s)
	case 1:
		return l.compileBitmap(s)
	}
	if l.expands && n&63 == 1 {
		if _, bits := f.(*field.Bitmap); bits {
			return nil // a name for the bit
		}
		return fmt.Errorf("its bit says that another bitmap follows")
	}
	if top := 64 * l.bitmaps; !l.expands && n > top {
		return fmt.Errorf("above %d, but the bitmap does not expand", top)
	}
	l.third = l.third || n > 128
	var err error
	l.fields[n], l.insides[n], err = compileCode(f)
	return err
}

func (l *Layout) compileMTI(f field.Field, s *field.Spec) error {
	code, inside, err := compileCode(f)
	if err != nil {
		return err
	}
	if inside != nil || code.pref != prefixFixed || code.enc.textSize(int(code.max)) != 4 {
		return fmt.Errorf("the MTI must be four fixed digits")
	}
	switch code.enc {
	case EncodingASCII, EncodingDigits, EncodingBytes:
		code.enc, code.check = EncodingDigits, checkDigits
	case EncodingBCD, EncodingLeftBCD, EncodingHexPacked:
		code.enc, code.check, code.max = EncodingBCD, checkBCD, 4
	case EncodingEBCDIC, EncodingEBCDIC1047:
		code.check = checkEBCDICDigits
	case EncodingHex:
		code.check = checkHexDigits
	default:
		return fmt.Errorf("the MTI cannot be written as %v", code.enc)
	}
	code.flags = 0
	l.mti = code
	return nil
}

func (l *Layout) compileBitmap(s *field.Spec) error {
	code, err := compileBits(s)
	if err != nil {
		return err
	}
	if code.max%8 != 0 {
		return fmt.Errorf("a bitmap of %d bytes is not supported, only 8, 16 and 24", code.max)
	}
	l.bitmapEnc, l.bitmaps = code.enc, int(code.max/8)
	l.expands = !s.DisableAutoExpand && l.bitmaps == 1
	return nil
}

// compileBits compiles a bitmap, of the message or of a composite.
func compileBits(s *field.Spec) (fieldCode, error) {
	c := fieldCode{enc: EncodingBytes, max: uint16(s.Length), flags: rare}
	if s.Length == 0 {
		c.max = 8
	}
	if s.Length < 0 || s.Length > MaxField/8 {
		return c, fmt.Errorf("a bitmap of %d bytes is not supported, at most %d", s.Length, MaxField/8)
	}
	if s.Pref == nil || s.Packer != nil || s.Unpacker != nil || s.Pad != nil && s.Pad.Inspect() != nil {
		return c, fmt.Errorf("a bitmap has a fixed length and neither own packers nor padding")
	}
	if kind, _, _, err := compilePrefix(s.Pref); err != nil || kind != prefixFixed {
		return c, fmt.Errorf("a bitmap cannot have the length prefix %s", s.Pref.Inspect())
	}
	switch native, ok := s.Enc.(Native); {
	case s.Enc == encoding.Binary:
	case s.Enc == encoding.BytesToASCIIHex:
		c.enc, c.check = EncodingHex, checkHex
	case ok && native.Native() == EncodingHexEBCDIC:
		c.enc, c.check = EncodingHexEBCDIC, checkHex
	default:
		return c, fmt.Errorf("bitmap encoding %T is not supported: bits are Binary, or hexadecimal characters of them", s.Enc)
	}
	return c, nil
}
