// SPDX-License-Identifier: Apache-2.0

package frame

import "bytes"

// Length is how a frame's length is written in front of it, or how else its end
// is known.
type Length uint8

// The forms of the length.
const (
	Binary2      Length = iota // two bytes, high first, not counting themselves
	Binary2Whole               // the same, counting themselves
	Binary4                    // four bytes, high first, not counting themselves
	BCD2                       // four BCD digits, not counting themselves
	ASCII4                     // four ASCII digits, not counting themselves
	ASCII4Whole                // the same, counting themselves
	Visa                       // two bytes and two of zero, counting none of them
	STX                        // none: STX, a frame without an ETX in it, ETX, LRC
	STXBCD2                    // STX, four BCD digits as BCD2, the frame, ETX, LRC
	Body                       // none: the frame is all there is, as the body of an HTTP POST
)

// The characters around a frame on a serial line.
const (
	stx = 0x02
	etx = 0x03
)

// size is how many bytes come before the frame.
func (l Length) size() int {
	switch l {
	case Body:
		return 0
	case STX:
		return 1
	case STXBCD2:
		return 3
	case Binary4, ASCII4, ASCII4Whole, Visa:
		return 4
	}
	return 2
}

// trailer is how many bytes come after it.
func (l Length) trailer() int {
	if l == STX || l == STXBCD2 {
		return 2
	}
	return 0
}

// most is the longest frame the form can express.
func (l Length) most() int {
	switch l {
	case Binary2, Visa:
		return 1<<16 - 1
	case Binary2Whole:
		return 1<<16 - 1 - 2
	case Binary4, STX, Body:
		return 1<<31 - 1
	case ASCII4Whole:
		return 9999 - 4
	}
	return 9999
}

// decode reads the length; the reason is "" when it is written as the form wants.
func (l Length) decode(p []byte) (n int, reason string) {
	switch l {
	case STXBCD2:
		if p[0] != stx {
			return 0, ReasonNoSTX
		}
		return BCD2.decode(p[1:])
	case Visa:
		if p[2] != 0 || p[3] != 0 {
			return 0, ReasonReservedNotZero
		}
		return int(p[0])<<8 | int(p[1]), ""
	case ASCII4, ASCII4Whole:
		for _, c := range p {
			if c < '0' || c > '9' {
				return 0, ReasonLengthNotDigits
			}
			n = n*10 + int(c-'0')
		}
		if l == ASCII4Whole {
			n -= 4
		}
		return n, ""
	case BCD2:
		for _, c := range p {
			if c>>4 > 9 || c&0x0F > 9 {
				return 0, ReasonLengthNotDigits
			}
			n = n*100 + int(c>>4)*10 + int(c&0x0F)
		}
		return n, ""
	}
	u := uint64(0)
	for _, c := range p {
		u = u<<8 | uint64(c)
	}
	n = int(u)
	if l == Binary2Whole {
		n -= 2
	}
	return n, ""
}

// append appends what comes before a frame of n bytes.
func (l Length) append(dst []byte, n int) []byte {
	switch l {
	case Body:
		return dst
	case STX:
		return append(dst, stx)
	case STXBCD2:
		return BCD2.append(append(dst, stx), n)
	case ASCII4Whole:
		return ASCII4.append(dst, n+4)
	case ASCII4:
		return append(dst, byte('0'+n/1000%10), byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10))
	case BCD2:
		return append(dst, byte(n/1000%10<<4|n/100%10), byte(n/10%10<<4|n%10))
	case Binary4:
		return append(dst, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	case Visa:
		return append(dst, byte(n>>8), byte(n), 0, 0)
	case Binary2Whole:
		n += 2
	}
	return append(dst, byte(n>>8), byte(n))
}

// close appends what comes after the frame that starts, with its length, at start.
func (l Length) close(dst []byte, start int) []byte {
	if l.trailer() == 0 {
		return dst
	}
	dst = append(dst, etx)
	return append(dst, lrc(dst[start+1:]))
}

// lrc is the check character over all between STX and itself.
func lrc(p []byte) (sum byte) {
	for _, c := range p {
		sum ^= c
	}
	return sum
}

func indexETX(p []byte) int { return bytes.IndexByte(p, etx) }
