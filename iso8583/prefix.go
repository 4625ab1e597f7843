// SPDX-License-Identifier: Apache-2.0

package iso8583

// prefixKind is how a field's length is written in front of it.
type prefixKind uint8

const (
	prefixFixed prefixKind = iota // not at all
	prefixASCII
	prefixBCD
	prefixBinary
)

// readLength reads the length that fills all of p; below 0 when it is no number.
// Every nibble and byte counts, so that a filler that is not zero shows as a
// length above the maximum.
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
	}
	return n
}

// appendLength appends n in size bytes; Compile has checked that it fits.
func (k prefixKind) appendLength(dst []byte, n int, size uint8) []byte {
	var p [4]byte
	for i := int(size) - 1; i >= 0; i-- {
		switch k {
		case prefixASCII:
			p[i] = byte('0' + n%10)
			n /= 10
		case prefixBCD:
			p[i] = byte(n/10%10<<4 | n%10)
			n /= 100
		case prefixBinary:
			p[i] = byte(n)
			n >>= 8
		}
	}
	return append(dst, p[:size]...)
}
