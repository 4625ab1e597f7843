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

// Format says how messages travel on a connection.
type Format struct {
	Length Length
	TPDU   bool       // five bytes before the header
	Header int        // bytes between TPDU and body, when Kind is Plain
	Kind   HeaderKind // what those bytes are
	Max    int        // the most a frame may be long, its length field not counted
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

// UnionPayInterchange is four ASCII digits of length and the header of 46 bytes.
func UnionPayInterchange() Format {
	return Format{Length: ASCII4, Kind: Interchange, Max: DefaultMax}
}

// VisaBaseI is two bytes of length, two of zero, and the header of 22 bytes,
// before which a rejected message has one more of 26.
func VisaBaseI() Format {
	return Format{Length: Visa, Kind: BaseI, Max: DefaultMax}
}

const tpduSize = len(TPDU{})

// minBody is the shortest body: an MTI of two bytes and a bitmap of eight.
const minBody = 10

// overhead is how many bytes at least come before the body.
func (f Format) overhead() int {
	n := f.Kind.size(f.Header)
	if f.TPDU {
		n += tpduSize
	}
	return n
}

// Extra is how many bytes a frame has on the wire beside those that Max counts.
func (f Format) Extra() int { return f.Length.size() + f.Length.trailer() }

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
	if err := f.checkHeader(fr.Header); err != nil {
		return dst, err
	}
	n := len(fr.Header) + len(fr.Body)
	if f.TPDU {
		n += tpduSize
	}
	if err := f.check(n); err != nil {
		return dst, err
	}
	start := len(dst)
	out := f.Length.append(dst, n)
	from := len(out)
	if f.TPDU {
		out = append(out, fr.TPDU[:]...)
	}
	header := len(out)
	out = append(out, fr.Header...)
	out = append(out, fr.Body...)
	f.Kind.fill(out[header:])
	if f.Length == STX && indexETX(out[from:]) >= 0 {
		return dst, &Error{Reason: ReasonETXInside, Length: n}
	}
	return f.Length.close(out, start), nil
}
