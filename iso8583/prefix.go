// SPDX-License-Identifier: Apache-2.0

package iso8583

// prefixKind is how a field's length is written in front of it.
type prefixKind uint8

const (
	prefixFixed prefixKind = iota // not at all
	prefixASCII
	prefixBCD
	prefixBinary
	prefixEBCDIC
	prefixHex // hexadecimal characters, two a byte of the length
	prefixBER // one byte, or 81 to 84 and as many as those say
	prefixAll // not at all: all that is left
)

// readLength reads the length that fills all of p; below 0 when it is no number.
// Every nibble and byte counts, so that a filler that is not zero shows as a
// length above the maximum. A length that does not fit comes back as hugeLength.
func (k prefixKind) readLength(p []byte) int {
	n := 0
	switch k {
	case prefixASCII:
		for _, c := range p {
			if c-'0' > 9 {
				return -1
			}
			n = n*10 + int(c-'0')
		}
	case prefixBCD:
		for _, c := range p {
			if c > 0x99 || c&0x0F > 9 {
				return -1
			}
			n = n*100 + int(c-6*(c>>4))
		}
	case prefixBinary:
		for _, c := range p {
			n = n<<8 | int(c)
		}
	default:
		return k.readRareLength(p)
	}
	return n
}

func (k prefixKind) readRareLength(p []byte) int {
	n := 0
	switch k {
	case prefixEBCDIC:
		for _, c := range p {
			if c-0xF0 > 9 {
				return -1
			}
			n = n*10 + int(c-0xF0)
		}
	case prefixHex:
		for _, c := range p {
			if hexNibbles[c] == noNibble {
				return -1
			}
			n = n<<4 | int(hexNibbles[c])
		}
	case prefixBER:
		if p[0] < 0x80 {
			return int(p[0])
		}
		for _, c := range p[1:] {
			n = n<<8 | int(c)
		}
	}
	return n
}

// maxBERLength is how many bytes may follow the first of a BER length.
const maxBERLength = 4

// width is how many bytes the prefix in front of rest takes; below 0 when its
// first byte cannot be one. The indefinite length, 80, is not in use on cards.
func (f *fieldCode) width(rest []byte) int {
	if f.pref != prefixBER || len(rest) == 0 || rest[0] < 0x80 {
		return int(f.prefLen)
	}
	more := int(rest[0] & 0x7F)
	if more == 0 || more > maxBERLength {
		return -1
	}
	return 1 + more
}

// appendLength appends the length n; Compile has checked that it fits.
func (f *fieldCode) appendLength(dst []byte, n int) []byte {
	switch {
	case f.pref == prefixASCII && f.prefLen == 2:
		return append(dst, byte('0'+n/10), byte('0'+n%10))
	case f.pref == prefixASCII && f.prefLen == 3:
		return append(dst, byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
	case f.pref == prefixBCD && f.prefLen == 1:
		return append(dst, byte(n/10<<4|n%10))
	case f.pref == prefixBCD && f.prefLen == 2:
		return append(dst, byte(n/1000<<4|n/100%10), byte(n/10%10<<4|n%10))
	case f.pref == prefixBER:
		return appendBERLength(dst, n)
	}
	return f.appendRareLength(dst, n)
}

func (f *fieldCode) appendRareLength(dst []byte, n int) []byte {
	var p [2 * maxPrefix]byte
	for i := int(f.prefLen) - 1; i >= 0; i-- {
		switch f.pref {
		case prefixASCII:
			p[i] = byte('0' + n%10)
			n /= 10
		case prefixEBCDIC:
			p[i] = byte(0xF0 + n%10)
			n /= 10
		case prefixBCD:
			p[i] = byte(n/10%10<<4 | n%10)
			n /= 100
		case prefixBinary:
			p[i] = byte(n)
			n >>= 8
		case prefixHex:
			p[i] = hexDigits[n&0x0F]
			n >>= 4
		}
	}
	return append(dst, p[:f.prefLen]...)
}

// maxPrefix is the longest prefix there is, LLLLLL.
const maxPrefix = 6

func appendBERLength(dst []byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(dst, byte(n))
	case n < 1<<8:
		return append(dst, 0x81, byte(n))
	}
	return append(dst, 0x82, byte(n>>8), byte(n)) // no message is longer
}
