// SPDX-License-Identifier: Apache-2.0

package load

import (
	"sort"

	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"

	"tapswitch/iso8583/dialect/part"
)

// kind is what a class holds.
type kind uint8

const (
	chars  kind = iota + 1 // text; of fixed length filled with spaces on the right
	digits                 // a number
	octets                 // bytes
	signed                 // a letter C or D and digits
	bitmap                 // the message's bitmap
	unused                 // no field
)

// class is a field class of a generic packager: what it holds, how it is
// written, and how its length is.
type class struct {
	kind   kind
	enc    encoding.Encoder // nil for packed digits: the attribute pad decides
	length prefix.Prefixer
	filled bool // packed digits: an odd count is filled with an F, not a 0
}

// byteLengths are lengths in one binary byte, and in two.
func byteLengths() (one, two prefix.Prefixer) { return prefix.Binary.L, prefix.Binary.LL }

// classes are the standard field classes that are converted. What is left out
// needs code of its own on the other side as well: tags in front of a length,
// hexadecimal lengths, signs inside digits.
func classes() map[string]class {
	a, b, e := prefix.ASCII, prefix.BCD, prefix.EBCDIC
	one, two := byteLengths()
	m := map[string]class{
		"IF_CHAR": {kind: chars, enc: encoding.ASCII, length: a.Fixed}, "IF_NOP": {kind: unused}, "IF_UNUSED": {kind: unused},
		"IFA_NUMERIC": {kind: digits, enc: part.Digits{}, length: a.Fixed}, "IFA_AMOUNT": {kind: signed, enc: encoding.ASCII, length: a.Fixed},
		"IFA_BINARY": {kind: octets, enc: encoding.BytesToASCIIHex, length: prefix.Binary.Fixed}, "IFA_BITMAP": {kind: bitmap, enc: encoding.BytesToASCIIHex, length: prefix.Hex.Fixed},
		"IFB_NUMERIC": {kind: digits, length: b.Fixed}, "IFB_FNUMERIC": {kind: digits, length: b.Fixed, filled: true},
		"IFB_AMOUNT": {kind: signed, length: b.Fixed}, "IFB_BINARY": {kind: octets, enc: encoding.Binary, length: prefix.Binary.Fixed},
		"IFB_BITMAP": {kind: bitmap, enc: encoding.Binary, length: prefix.Binary.Fixed},
		"IFE_CHAR":   {kind: chars, enc: encoding.EBCDIC, length: e.Fixed}, "IFE_NUMERIC": {kind: digits, enc: encoding.EBCDIC, length: e.Fixed},
		"IFE_AMOUNT": {kind: signed, enc: encoding.EBCDIC, length: e.Fixed},
		"IFB_LLHNUM": {kind: digits, length: one}, "IFB_LLLHNUM": {kind: digits, length: two},
		"IFB_LLHCHAR": {kind: chars, enc: encoding.ASCII, length: one}, "IFB_LLLHCHAR": {kind: chars, enc: encoding.ASCII, length: two},
		"IFB_LLHECHAR": {kind: chars, enc: encoding.EBCDIC, length: one}, "IFB_LLLHECHAR": {kind: chars, enc: encoding.EBCDIC, length: two},
		"IFB_LLHBINARY": {kind: octets, enc: encoding.Binary, length: one}, "IFB_LLLHBINARY": {kind: octets, enc: encoding.Binary, length: two},
		"IFB_FLLNUM": {kind: digits, length: b.LL, filled: true}, "IFB_FLLLNUM": {kind: digits, length: b.LLL, filled: true},
	}
	for size, ls := range map[int]string{1: "L", 2: "LL", 3: "LLL", 4: "LLLL"} {
		for family, p := range map[string]prefix.Prefixers{"IFA_": a, "IFB_": b, "IFE_": e} {
			if family == "IFB_" && size == 1 {
				continue // there are none
			}
			text := encoding.Encoder(encoding.ASCII)
			number := encoding.Encoder(part.Digits{})
			if family == "IFE_" {
				text, number = encoding.EBCDIC, encoding.EBCDIC
			}
			if family == "IFB_" {
				number = nil
			}
			m[family+ls+"CHAR"] = class{kind: chars, enc: text, length: part.Var(p, size)}
			m[family+ls+"BINARY"] = class{kind: octets, enc: encoding.Binary, length: part.Var(p, size)}
			if size != 4 && family+ls != "IFA_L" {
				m[family+ls+"NUM"] = class{kind: digits, enc: number, length: part.Var(p, size)}
			}
		}
	}
	return m
}

// Classes are the names of the classes that are converted.
func Classes() (names []string) {
	for name := range classes() {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// field makes a field of the class; padLeft is the packager's attribute pad.
// Packed digits of the fields 35 and 36 are tracks and have a separator.
func (c class) field(n, length int, what string, padLeft bool) field.Field {
	spec := &field.Spec{Length: length, Description: what, Enc: c.enc, Pref: c.length}
	switch c.kind {
	case octets:
		return field.NewBinary(spec)
	case bitmap:
		spec.DisableAutoExpand = length <= 8
		spec.Length = 8
		return field.NewBitmap(spec)
	case signed:
		if c.enc == nil {
			spec.Length, spec.Enc, spec.Pref = 1+length/2, encoding.Binary, prefix.Binary.Fixed
			return field.NewBinary(spec)
		}
	case chars:
		if c.length.Inspect() == "ASCII.Fixed" || c.length.Inspect() == "EBCDIC.Fixed" {
			spec.Pad = padding.Right(' ')
		}
	case digits:
		track := n == 35 || n == 36
		switch {
		case c.enc != nil && track:
			if c.enc != encoding.EBCDIC {
				spec.Enc = encoding.ASCII
			}
		case c.enc != nil:
		case track && padLeft:
			spec.Enc = part.TrackNibblesLeft{}
		case track:
			spec.Enc = part.TrackNibbles{}
		case padLeft:
			spec.Enc = encoding.BCD
		case c.filled:
			spec.Enc = part.FilledDigits{}
		default:
			spec.Enc = encoding.LBCD
		}
	}
	return field.NewString(spec)
}
