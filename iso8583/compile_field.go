// SPDX-License-Identifier: Apache-2.0

package iso8583

import (
	"fmt"
	"math"
	"strings"

	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"
)

// compileCode compiles a field of the message or of a composite.
func compileCode(f field.Field) (c fieldCode, in *inside, err error) {
	s := f.Spec()
	if _, bits := f.(*field.Bitmap); bits {
		c, err = compileBits(s)
		if err == nil && !s.DisableAutoExpand {
			err = fmt.Errorf("a bitmap that grows is the message's own only: set DisableAutoExpand")
		}
		return c, nil, err
	}
	if c.pref, c.prefLen, c.max, err = compileLength(s); err != nil {
		return c, nil, err
	}
	if _, composite := f.(*field.Composite); composite {
		c.enc, c.check, c.flags = EncodingComposite, checkInside, rare
		in, err = compileInside(s, c)
		return c, in, err
	}
	if c.enc, err = compileEncoding(f, s); err != nil {
		return c, nil, err
	}
	if err = compilePadding(s.Pad, &c); err != nil {
		return c, nil, err
	}
	if err = compilePackers(s, &c); err != nil {
		return c, nil, err
	}
	if c.flags&(padLeft|padRight) != 0 && s.Length > int(c.max) {
		return c, nil, fmt.Errorf("padding fills to %d, which the prefix %s cannot express", s.Length, s.Pref.Inspect())
	}
	c.check = plainCheck(c.enc)
	if _, number := f.(*field.Numeric); number {
		compileNumber(&c)
	}
	if c.pref > prefixBinary || c.check > checkEBCDICDigits || c.enc.size(2) > 2 || c.enc.textSize(2) > 2 {
		c.flags |= rare
	}
	return c, nil, nil
}

// plainCheck is what every value in that encoding must be.
func plainCheck(e Encoding) check {
	switch e {
	case EncodingASCII:
		return checkASCII
	case EncodingDigits:
		return checkDigits
	case EncodingBCD, EncodingLeftBCD:
		return checkBCD
	case EncodingTrack, EncodingBCDTrack:
		return checkNibbles
	case EncodingFilledBCD:
		return checkFilled
	case EncodingHex, EncodingHexEBCDIC:
		return checkHex
	}
	return checkNone
}

// compileNumber narrows the check to digits, with filling where the padding is
// something else.
func compileNumber(c *fieldCode) {
	if c.flags&(padLeft|padRight) != 0 && c.pad-'0' > 9 && !c.enc.half() {
		c.check = checkNumber
		return
	}
	switch c.enc {
	case EncodingASCII, EncodingBytes:
		c.enc, c.check = EncodingDigits, checkDigits
	case EncodingEBCDIC, EncodingEBCDIC1047:
		c.check = checkEBCDICDigits
	case EncodingHexPacked:
		c.check = checkBCD
	case EncodingHex:
		c.check = checkHexDigits
	}
}

// compileEncoding finds our encoding for a moov field type and encoder.
func compileEncoding(f field.Field, s *field.Spec) (Encoding, error) {
	found := encodingNone
	switch s.Enc {
	case encoding.ASCII:
		found = EncodingASCII
	case encoding.BCD:
		found = EncodingBCD
	case encoding.LBCD:
		found = EncodingLeftBCD
	case encoding.Binary:
		found = EncodingBytes
	case encoding.EBCDIC:
		found = EncodingEBCDIC
	case encoding.EBCDIC1047:
		found = EncodingEBCDIC1047
	case encoding.BytesToASCIIHex:
		found = EncodingHex
	case encoding.ASCIIHexToBytes:
		found = EncodingHexPacked
	case encoding.BerTLVTag:
		return encodingNone, fmt.Errorf("encoding BerTLVTag is for the tags of a composite, not for values")
	default:
		if own, ok := s.Enc.(Native); ok && own.Native() < endOfEncodings && own.Native() != EncodingComposite {
			found = own.Native()
		}
	}
	if found == encodingNone {
		return encodingNone, fmt.Errorf("encoding %T is not supported", s.Enc)
	}
	decimal := found == EncodingBCD || found == EncodingLeftBCD || found == EncodingFilledBCD || found == EncodingDigits
	switch f.(type) {
	case *field.String:
	case *field.Numeric:
		if found == EncodingTrack || found == EncodingBCDTrack || found == EncodingHexEBCDIC {
			return encodingNone, fmt.Errorf("a number cannot be written as %v", found)
		}
	case *field.Binary, *field.Hex:
		if decimal || found == EncodingTrack || found == EncodingBCDTrack {
			return encodingNone, fmt.Errorf("bytes cannot be written as %v", found)
		}
	case *field.Track1, *field.Track2, *field.Track3:
		_, one := f.(*field.Track1)
		_, two := f.(*field.Track2)
		if decimal || one && (found == EncodingTrack || found == EncodingBCDTrack) || !two && found == EncodingHexPacked {
			return encodingNone, fmt.Errorf("a track cannot be written as %v, which has no separator", found)
		}
	default:
		return encodingNone, fmt.Errorf("field type %T is not supported", f)
	}
	return found, nil
}

// compileLength reads the prefix and the length it bounds. A prefix too short
// for the length bounds it further, as it does in moov's codec.
func compileLength(s *field.Spec) (kind prefixKind, size uint8, most uint16, err error) {
	if s.Pref == nil {
		return 0, 0, 0, fmt.Errorf("has no length prefix, not even a fixed one")
	}
	kind, size, limit, err := compilePrefix(s.Pref)
	if err != nil {
		return 0, 0, 0, err
	}
	length := s.Length
	if length == 0 && (kind == prefixAll || kind == prefixBER) { // not bounded
		length = MaxMessage
	}
	if length < 1 {
		return 0, 0, 0, fmt.Errorf("length %d is outside 1 to %d", s.Length, MaxMessage)
	}
	if kind == prefixFixed && length > MaxMessage {
		return 0, 0, 0, fmt.Errorf("length %d is above %d, the longest message", s.Length, MaxMessage)
	}
	return kind, size, uint16(min(length, limit, MaxMessage)), nil
}

// compilePrefix reads moov's own name of the prefix, such as BCD.LLL: the types
// behind it are not exported. limit is what it can express.
func compilePrefix(p prefix.Prefixer) (kind prefixKind, size uint8, limit int, err error) {
	name, form, _ := strings.Cut(p.Inspect(), ".")
	base, width := 10.0, func(digits int) int { return digits }
	switch name {
	case "BerTLV":
		return prefixBER, 1, MaxMessage, nil
	case "None":
		return prefixAll, 0, MaxMessage, nil
	case "ASCII":
		kind = prefixASCII
	case "EBCDIC", "EBCDIC1047":
		kind = prefixEBCDIC // their digits are the same
	case "BCD":
		kind, width = prefixBCD, func(digits int) int { return (digits + 1) / 2 }
	case "Binary":
		kind, base = prefixBinary, 256
	case "Hex":
		kind, base, width = prefixHex, 256, func(digits int) int { return 2 * digits }
	default:
		return 0, 0, 0, fmt.Errorf("length prefix %q is not supported", p.Inspect())
	}
	if form == "Fixed" {
		return prefixFixed, 0, MaxMessage, nil
	}
	digits := len(form)
	if digits < 1 || digits > maxPrefix || strings.Trim(form, "L") != "" {
		return 0, 0, 0, fmt.Errorf("length prefix %q is not supported", p.Inspect())
	}
	return kind, uint8(width(digits)), int(math.Pow(base, float64(digits))) - 1, nil
}

// compilePadding finds out by trying: the types are not exported.
func compilePadding(pad padding.Padder, c *fieldCode) error {
	if pad == nil || pad == padding.None {
		return nil
	}
	fill := pad.Inspect()
	if len(fill) != 1 {
		return fmt.Errorf("padding %q is not one byte", fill)
	}
	c.pad = fill[0]
	other := "x"
	if fill[0] == 'x' {
		other = "y"
	}
	switch string(pad.Pad([]byte(other), 2)) {
	case string(fill) + other:
		c.flags |= padLeft
	case other + string(fill):
		c.flags |= padRight
	default:
		return fmt.Errorf("padding %T is not supported", pad)
	}
	if fill[0] >= 0x80 && c.enc != EncodingBytes {
		return fmt.Errorf("padding %q is not a character", fill)
	}
	return nil
}

// compilePackers knows moov's own packers for track 2, which fill an odd count of
// digits; of the caller's own it cannot know what they do.
func compilePackers(s *field.Spec, c *fieldCode) error {
	if s.Packer == nil && s.Unpacker == nil {
		return nil
	}
	_, packs := s.Packer.(field.Track2Packer)
	_, unpacks := s.Unpacker.(field.Track2Unpacker)
	if !packs || !unpacks {
		return fmt.Errorf("own packers are not supported")
	}
	decimal := c.enc == EncodingBCD || c.enc == EncodingLeftBCD
	if !decimal || c.pad != '0' || c.flags&(padLeft|padRight) == 0 {
		return fmt.Errorf("the packers of track 2 are supported with BCD or LBCD and a padding of zeros only")
	}
	c.enc = EncodingBCD
	if c.flags&padRight != 0 {
		c.enc = EncodingLeftBCD
	}
	c.flags, c.pad = 0, 0 // they fill one nibble, not the field
	return nil
}
