// SPDX-License-Identifier: Apache-2.0

package frame

// TPDU is the transport header of dial-up days that POS messages still carry: an
// identifier (60), a destination and a source of two bytes each.
type TPDU [5]byte

// Swap gives the TPDU of the answer: destination and source change places.
func (t TPDU) Swap() TPDU {
	return TPDU{t[0], t[3], t[4], t[1], t[2]}
}

// Header is the UnionPay POS message header of twelve BCD digits: application
// class 2, software version 2, terminal status 1, processing requirement 1,
// reserved 6.
type Header [6]byte

// Requirement is the digit by which the host tells the terminal what to do next
// (docs/dialects/unionpaypos.md).
func (h Header) Requirement() byte { return h[2] & 0x0F }

// WithRequirement gives the header with that digit, 0 to 9, replaced.
func (h Header) WithRequirement(digit byte) Header {
	h[2] = h[2]&0xF0 | digit&0x0F
	return h
}

// Frame is one message as it travels. After Read its slices alias the buffer.
type Frame struct {
	TPDU   TPDU
	Header []byte
	Body   []byte // MTI and on
}

// Length is how a frame's length is written in front of it.
type Length uint8

// The forms of the length.
const (
	Binary2      Length = iota // two bytes, high first, not counting themselves
	Binary2Whole               // the same, counting themselves
	Binary4                    // four bytes, high first, not counting themselves
	BCD2                       // four BCD digits, not counting themselves
	ASCII4                     // four ASCII digits, not counting themselves
)

// size is how many bytes the length itself takes.
func (l Length) size() int {
	if l == Binary4 || l == ASCII4 {
		return 4
	}
	return 2
}

// most is the longest frame the form can express.
func (l Length) most() int {
	switch l {
	case Binary2:
		return 1<<16 - 1
	case Binary2Whole:
		return 1<<16 - 1 - 2
	case Binary4:
		return 1<<31 - 1
	}
	return 9999
}

// decode reads the length; ok is false when it is not written as the form wants.
func (l Length) decode(p []byte) (n int, ok bool) {
	switch l {
	case ASCII4:
		for _, c := range p {
			if c < '0' || c > '9' {
				return 0, false
			}
			n = n*10 + int(c-'0')
		}
		return n, true
	case BCD2:
		for _, c := range p {
			if c>>4 > 9 || c&0x0F > 9 {
				return 0, false
			}
			n = n*100 + int(c>>4)*10 + int(c&0x0F)
		}
		return n, true
	}
	u := uint64(0)
	for _, c := range p {
		u = u<<8 | uint64(c)
	}
	n = int(u)
	if l == Binary2Whole {
		n -= 2
	}
	return n, true
}

func (l Length) append(dst []byte, n int) []byte {
	switch l {
	case ASCII4:
		return append(dst, byte('0'+n/1000%10), byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10))
	case BCD2:
		return append(dst, byte(n/1000%10<<4|n/100%10), byte(n/10%10<<4|n%10))
	case Binary4:
		return append(dst, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	case Binary2Whole:
		n += 2
	}
	return append(dst, byte(n>>8), byte(n))
}

// Format says how messages travel on a connection.
type Format struct {
	Length Length
	TPDU   bool // five bytes before the header
	Header int  // bytes between TPDU and body
	Max    int  // the most a frame may be long, its length field not counted
}

// DefaultMax bounds a frame where nothing else is said: the longest message of
// the shipped dialects in real use stays well under it.
const DefaultMax = 4096

// UnionPayPOS is two bytes of length, TPDU, six bytes of header.
func UnionPayPOS() Format {
	return Format{Length: Binary2, TPDU: true, Header: 6, Max: DefaultMax}
}

// ISO87 is two bytes of length and the message.
func ISO87() Format {
	return Format{Length: Binary2, Max: DefaultMax}
}

const tpduSize = len(TPDU{})

// minBody is the shortest body: an MTI of two bytes and a bitmap of eight.
const minBody = 10

// overhead is how many bytes come before the body.
func (f Format) overhead() int {
	if f.TPDU {
		return tpduSize + f.Header
	}
	return f.Header
}

// check names what is wrong with a frame of n bytes, or gives nil.
func (f Format) check(n int) error {
	switch {
	case n == 0:
		return &Error{Reason: ReasonLengthZero}
	case n < f.overhead()+minBody:
		return &Error{Reason: ReasonTooShort, Length: n, Bound: f.overhead() + minBody}
	case n > f.Max || n > f.Length.most():
		return &Error{Reason: ReasonTooLong, Length: n, Bound: min(f.Max, f.Length.most())}
	}
	return nil
}

// Append appends fr with its length to dst. On failure dst comes back as it was.
func (f Format) Append(dst []byte, fr Frame) ([]byte, error) {
	if len(fr.Header) != f.Header {
		return dst, &Error{Reason: ReasonHeaderLength, Length: len(fr.Header), Bound: f.Header}
	}
	n := f.overhead() + len(fr.Body)
	if err := f.check(n); err != nil {
		return dst, err
	}
	dst = f.Length.append(dst, n)
	if f.TPDU {
		dst = append(dst, fr.TPDU[:]...)
	}
	dst = append(dst, fr.Header...)
	return append(dst, fr.Body...), nil
}
