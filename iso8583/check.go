// SPDX-License-Identifier: Apache-2.0

package iso8583

import "encoding/binary"

// check is what the bytes of a field must be.
type check uint8

// Those before checkHex are tests of eight bytes at once.
const (
	checkNone check = iota // anything
	checkASCII
	checkDigits
	checkBCD          // two decimal nibbles
	checkNibbles      // anything, but the filler of an odd count is looked at
	checkEBCDICDigits // F0 to F9
	checkHexDigits    // the hexadecimal characters of decimal ASCII digits
	checkHex          // hexadecimal characters
	checkNumber       // a number between filling that is no digit
	checkInside       // subfields
	checkFilled       // decimal nibbles, the last may be F
)

// Eight bytes at a time: the high bit of each, its high nibble, its low nibble.
const (
	highBits   = 0x8080808080808080
	highNibs   = 0xF0F0F0F0F0F0F0F0
	lowNibs    = 0x0F0F0F0F0F0F0F0F
	sixes      = 0x0606060606060606 // a nibble plus 6 passes 15 when it is above 9
	digitHigh  = 0x3030303030303030
	hexedMask  = 0xF0FFF0FFF0FFF0FF // a 3, then a digit
	hexedWant  = 0x3033303330333033
	hexedSixes = 0x0600060006000600
)

// charset is a test of eight characters at once, without a branch: the bits in
// mask must be as in want, and no low or high nibble plus its addend may pass 15.
type charset struct {
	mask, want, low, high uint64
}

// charsets are the tests; want is also a word that passes.
var charsets = [...]charset{
	checkNone:         {},
	checkASCII:        {mask: highBits},
	checkDigits:       {mask: highNibs, want: digitHigh, low: sixes},
	checkBCD:          {low: sixes, high: sixes},
	checkNibbles:      {},
	checkEBCDICDigits: {mask: highNibs, want: highNibs, low: sixes},
	checkHexDigits:    {mask: hexedMask, want: hexedWant, low: hexedSixes},
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
// of pass, a word of equal pairs of bytes. An even count keeps even and odd
// places apart.
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

func allDigits(p []byte) bool { return charsets[checkDigits].holds(p) }

// misfit names a byte that is not as the check wants it.
func (c check) misfit() string {
	switch c {
	case checkASCII:
		return ReasonNotASCII
	case checkHex:
		return ReasonNotHex
	}
	return ReasonNotDigit
}

// passes says whether the value p of a field is what it must be; subfields are
// looked at elsewhere.
func (f *fieldCode) passes(p []byte) bool {
	switch f.check {
	case checkNone, checkInside:
		return true
	case checkHex:
		return allHex(p, f.enc.nibbles())
	case checkNumber:
		return f.isNumber(p)
	case checkFilled:
		last := len(p) - 1
		return last < 0 || charsets[checkBCD].holds(p[:last]) && p[last]>>4 <= 9 && (p[last]&0x0F <= 9 || p[last]&0x0F == 0x0F)
	}
	return charsets[f.check].holds(p)
}

func allHex(p []byte, nibbles *[256]byte) bool {
	bad := byte(0)
	for _, c := range p {
		bad |= nibbles[c]
	}
	return bad <= 0x0F
}

// isNumber says whether p is digits and, on one side, filling.
func (f *fieldCode) isNumber(p []byte) bool {
	n, ok := f.enc.charsIn(len(p))
	n = f.enc.textSize(n)
	if !ok || f.enc == EncodingHex && !allHex(p, f.enc.nibbles()) {
		return false
	}
	first, last := 0, n
	if f.flags&padLeft != 0 {
		for first < n && f.enc.charAt(p, first) == f.pad {
			first++
		}
	}
	if f.flags&padRight != 0 {
		for last > 0 && f.enc.charAt(p, last-1) == f.pad {
			last--
		}
	}
	for i := first; i < last; i++ {
		if f.enc.charAt(p, i)-'0' > 9 {
			return false
		}
	}
	return true
}

// charAt is one character of the text of p, of an encoding that a padded number
// can have.
func (e Encoding) charAt(p []byte, i int) byte {
	switch e {
	case EncodingEBCDIC, EncodingEBCDIC1047:
		return e.page().toText[p[i]]
	case EncodingHexPacked:
		return hexDigits[p[i>>1]>>(4*uint(^i&1))&0x0F]
	case EncodingHex:
		return hexNibbles[p[2*i]]<<4 | hexNibbles[p[2*i+1]]
	}
	return p[i]
}
