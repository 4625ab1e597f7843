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
	EncodingTrack            // any nibbles, D written as '=', an odd count filled by a 0 on the right
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
	sixes     = 0x0606060606060606 // nibble+6 passes 15 when the nibble is above 9
	digitHigh = 0x3030303030303030
)

func allASCII(p []byte) bool {
	for len(p) >= 8 {
		if binary.LittleEndian.Uint64(p)&highBits != 0 {
			return false
		}
		p = p[8:]
	}
	var all byte
	for _, c := range p {
		all |= c
	}
	return all < 0x80
}

func allDigits(p []byte) bool {
	for len(p) >= 8 {
		w := binary.LittleEndian.Uint64(p)
		if w&highNibs != digitHigh || (w&lowNibs+sixes)&highNibs != 0 {
			return false
		}
		p = p[8:]
	}
	for _, c := range p {
		if c-'0' > 9 {
			return false
		}
	}
	return true
}

func allBCD(p []byte) bool {
	for len(p) >= 8 {
		w := binary.LittleEndian.Uint64(p)
		if ((w&lowNibs+sixes)|(w>>4&lowNibs+sixes))&highNibs != 0 {
			return false
		}
		p = p[8:]
	}
	for _, c := range p {
		if c > 0x99 || c&0x0F > 9 {
			return false
		}
	}
	return true
}

// wireFault names what is wrong with the bytes of a value of n characters, or "".
func (e Encoding) wireFault(p []byte, n int) string {
	switch e {
	case EncodingASCII:
		if !allASCII(p) {
			return ReasonNotASCII
		}
	case EncodingDigits:
		if !allDigits(p) {
			return ReasonNotDigit
		}
	case EncodingBCD:
		if !allBCD(p) {
			return ReasonNotDigit
		}
		if n&1 != 0 && p[0] > 0x0F {
			return ReasonPaddingNotZero
		}
	case EncodingLeftBCD:
		if !allBCD(p) {
			return ReasonNotDigit
		}
		if n&1 != 0 && p[len(p)-1]&0x0F != 0 {
			return ReasonPaddingNotZero
		}
	case EncodingTrack:
		// Any nibble: an encrypted track is no digits. Chips fill with F and
		// some terminals send that through, so F is taken as a filler as well.
		if n&1 != 0 {
			if fill := p[len(p)-1] & 0x0F; fill != 0 && fill != 0x0F {
				return ReasonPaddingNotZero
			}
		}
	}
	return ""
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
		if !allASCII(text) {
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
