// SPDX-License-Identifier: Apache-2.0

package iso8583

import (
	"encoding/binary"

	"github.com/moov-io/iso8583/encoding"
)

// Encoding is how a field's characters become bytes.
type Encoding uint8

// The encodings a Layout can hold. Those from EncodingBCD on take half a byte
// per character.
const (
	encodingNone    Encoding = iota
	EncodingBytes            // the bytes themselves
	EncodingASCII            // one 7-bit character a byte
	EncodingDigits           // one ASCII decimal digit a byte
	EncodingBCD              // decimal nibbles, an odd count filled by a 0 on the left
	EncodingLeftBCD          // decimal nibbles, an odd count filled by a 0 on the right
	EncodingTrack            // any nibbles (an encrypted track has them), D as '=', filled like LeftBCD
)

// String gives the encoding's name.
func (e Encoding) String() string {
	switch e {
	case EncodingBytes:
		return "bytes"
	case EncodingASCII:
		return "ascii"
	case EncodingDigits:
		return "digits"
	case EncodingBCD:
		return "bcd"
	case EncodingLeftBCD:
		return "left_bcd"
	case EncodingTrack:
		return "track"
	}
	return "none"
}

// Native is a moov encoder that does exactly what one of our encodings does. A
// dialect whose rule moov has no encoder for brings its own, works with both
// codecs, and Compile knows it by this method.
type Native interface {
	encoding.Encoder
	Native() Encoding
}

// size is how many bytes n characters take.
func (e Encoding) size(n int) int {
	if e >= EncodingBCD {
		return (n + 1) / 2
	}
	return n
}

// Eight bytes at a time: the high bit of each, its high nibble, its low nibble.
const (
	highBits  = 0x8080808080808080
	highNibs  = 0xF0F0F0F0F0F0F0F0
	lowNibs   = 0x0F0F0F0F0F0F0F0F
	sixes     = 0x0606060606060606 // a nibble plus 6 passes 15 when it is above 9
	digitHigh = 0x3030303030303030
)

// charset is a test of eight characters at once, without a branch: the bits in
// mask must be as in want, and no low or high nibble plus its addend may pass 15.
type charset struct {
	mask, want, low, high uint64
}

// charsets are the tests of the encodings; want is also a word that passes.
var charsets = [...]charset{
	EncodingBytes:   {},
	EncodingASCII:   {mask: highBits},
	EncodingDigits:  {mask: highNibs, want: digitHigh, low: sixes},
	EncodingBCD:     {low: sixes, high: sixes},
	EncodingLeftBCD: {low: sixes, high: sixes},
	EncodingTrack:   {},
}

// bad has a bit set when a character of w is not in the set.
func (c *charset) bad(w uint64) uint64 {
	tens := ((w & lowNibs) + c.low) | ((w >> 4 & lowNibs) + c.high)
	return (w&c.mask ^ c.want) | tens&highNibs
}

// holds says whether all bytes of p are in the set. The last eight are looked at
// together, some of them for the second time.
func (c *charset) holds(p []byte) bool {
	if len(p) < 8 {
		return c.bad(word(p, c.want)) == 0
	}
	last := p[len(p)-8:]
	bad := c.bad(binary.LittleEndian.Uint64(last))
	for ; len(p) > 8; p = p[8:] {
		bad |= c.bad(binary.LittleEndian.Uint64(p))
	}
	return bad == 0
}

// word gives less than 8 bytes as one word, filled up with bytes of their own or
// of pass, a word of eight equal bytes.
func word(p []byte, pass uint64) uint64 {
	switch n := len(p); {
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(p)) | uint64(binary.LittleEndian.Uint32(p[n-4:]))<<32
	case n >= 2:
		return pass<<32 | uint64(binary.LittleEndian.Uint16(p)) | uint64(binary.LittleEndian.Uint16(p[n-2:]))<<16
	case n == 1:
		return pass<<8 | uint64(p[0])
	}
	return pass
}

func allDigits(p []byte) bool { return charsets[EncodingDigits].holds(p) }
func allBCD(p []byte) bool    { return charsets[EncodingBCD].holds(p) }

// misfit names a character that is not in the set.
func (e Encoding) misfit() string {
	if e == EncodingASCII {
		return ReasonNotASCII
	}
	return ReasonNotDigit
}

// filler says whether the nibble that fills an odd count of characters is as e
// wants it. Chips fill a track with F, and some terminals send that through.
func (e Encoding) filler(p []byte) bool {
	switch e {
	case EncodingBCD:
		return p[0] <= 0x0F
	case EncodingLeftBCD:
		return p[len(p)-1]&0x0F == 0
	}
	fill := p[len(p)-1] & 0x0F
	return fill == 0 || fill == 0x0F
}

// appendText appends the n characters that p holds.
func (e Encoding) appendText(dst, p []byte, n int) []byte {
	if e < EncodingBCD {
		return append(dst, p...)
	}
	skip := 0
	if e == EncodingBCD {
		skip = n & 1
	}
	for i := skip; i < n+skip; i++ {
		nibble := p[i>>1]
		if i&1 == 0 {
			nibble >>= 4
		}
		nibble &= 0x0F
		c := hexDigits[nibble]
		if nibble == 0x0D {
			c = '='
		}
		dst = append(dst, c)
	}
	return dst
}

// appendWire appends text as e writes it; the reason is "" when all went well.
func (e Encoding) appendWire(dst, text []byte) ([]byte, string) {
	switch e {
	case EncodingASCII:
		if !charsets[e].holds(text) {
			return dst, ReasonNotASCII
		}
		return append(dst, text...), ""
	case EncodingDigits:
		if !allDigits(text) {
			return dst, ReasonNotDigit
		}
		return append(dst, text...), ""
	case EncodingBCD, EncodingLeftBCD:
		if !allDigits(text) {
			return dst, ReasonNotDigit
		}
		return appendBCD(dst, text, e == EncodingBCD), ""
	case EncodingTrack:
		return appendTrack(dst, text)
	}
	return append(dst, text...), ""
}

// appendBCD packs decimal digits, filling an odd count on the left or right.
func appendBCD(dst, digits []byte, fillLeft bool) []byte {
	if fillLeft && len(digits)&1 != 0 {
		dst = append(dst, digits[0]&0x0F)
		digits = digits[1:]
	}
	for ; len(digits) >= 2; digits = digits[2:] {
		dst = append(dst, digits[0]<<4|digits[1]&0x0F)
	}
	if len(digits) == 1 {
		dst = append(dst, digits[0]<<4)
	}
	return dst
}

func appendTrack(dst, text []byte) ([]byte, string) {
	for ; len(text) > 0; text = text[min(2, len(text)):] {
		high, ok := trackNibble(text[0])
		low, okLow := byte(0), true
		if len(text) > 1 {
			low, okLow = trackNibble(text[1])
		}
		if !ok || !okLow {
			return dst, ReasonNotTrackCharacter
		}
		dst = append(dst, high<<4|low)
	}
	return dst, ""
}

func trackNibble(c byte) (byte, bool) {
	switch {
	case c-'0' <= 9:
		return c & 0x0F, true
	case c == '=':
		return 0x0D, true
	case c-'A' <= 5:
		return c - 'A' + 10, true
	}
	return 0, false
}
