// SPDX-License-Identifier: Apache-2.0

package iso8583

// span is where a field lies, as four numbers of 16 bits: its length prefix
// starts at from, its value at at and ends before to, and it has chars
// characters. One word, because one store is what the hot loop can afford.
type span uint64

func spanOf(from, at, to, chars int) span {
	return span(from) | span(at)<<16 | span(to)<<32 | span(chars)<<48
}

func (s span) from() int  { return int(uint16(s)) }
func (s span) at() int    { return int(uint16(s >> 16)) }
func (s span) to() int    { return int(uint16(s >> 32)) }
func (s span) chars() int { return int(uint16(s >> 48)) }

// View is a parsed message. It has a fixed size, is reused by the next Parse,
// and points into the bytes it was parsed from: it is good only as long as they
// are unchanged. After a failed Parse it holds the fields before the failure.
type View struct {
	layout *Layout
	raw    []byte
	mti    MTI
	has    [words]uint64
	spans  [MaxField + 1]span
}

// Layout is the dialect the message was parsed with.
func (v *View) Layout() *Layout { return v.layout }

// Bytes are the whole message as it was given to Parse.
func (v *View) Bytes() []byte { return v.raw }

// MTI is the message type.
func (v *View) MTI() MTI { return v.mti }

// Has says whether field n is in the message.
func (v *View) Has(n int) bool {
	if n < 2 || n > MaxField {
		return false
	}
	word, mask := bit(n)
	return v.has[word]&mask != 0
}

// Raw gives the value of field n as it is on the wire, without its length
// prefix; nil when absent. The bytes are the message's own.
func (v *View) Raw(n int) []byte {
	if !v.Has(n) {
		return nil
	}
	s := v.spans[n]
	return v.raw[s.at():s.to():s.to()]
}

// Len is the length of field n in its own unit: digits, characters or bytes.
func (v *View) Len(n int) int {
	if !v.Has(n) {
		return 0
	}
	return v.spans[n].chars()
}

// AppendText appends the characters of field n: digits unpacked, the filler
// nibble left out, a track's D as '='. Filling zeros and spaces are part of the
// value and stay. A field of bytes is appended as it is, an absent one not at
// all. A composite whose subfields all have fixed places gives their characters
// in a row, any other its bytes.
func (v *View) AppendText(dst []byte, n int) []byte {
	if !v.Has(n) {
		return dst
	}
	s := v.spans[n]
	if in := v.layout.insides[n]; in != nil {
		return v.layout.fields[n].appendText(dst, v.raw, s, in)
	}
	return v.layout.fields[n].enc.appendText(dst, v.raw[s.at():s.to()], s.chars())
}

// Uint gives field n as a number.
func (v *View) Uint(n int) (uint64, error) {
	if !v.Has(n) {
		return 0, v.fault(n, 0, ReasonFieldAbsent)
	}
	s := v.spans[n]
	f := &v.layout.fields[n]
	if !f.enc.numeric() && !v.layout.insides[n].isDigits() || s.chars() == 0 {
		return 0, v.fault(n, s.at(), ReasonNotNumeric)
	}
	if s.chars() > maxUintDigits {
		return 0, v.fault(n, s.at(), ReasonNumberTooLarge)
	}
	var digits [2 * maxUintDigits]byte // a composite has up to two characters a byte
	text := v.AppendText(digits[:0], n)
	if len(text) > maxUintDigits {
		return 0, v.fault(n, s.at(), ReasonNumberTooLarge)
	}
	u, ok := decimal(text)
	if !ok {
		return 0, v.fault(n, s.at(), ReasonNotNumeric)
	}
	return u, nil
}

// decimal reads digits, of which there are at most maxUintDigits.
func decimal(digits []byte) (u uint64, ok bool) {
	for _, c := range digits {
		if c-'0' > 9 {
			return 0, false
		}
		u = u*10 + uint64(c-'0')
	}
	return u, len(digits) > 0
}

// maxUintDigits is how many decimal digits always fit a uint64.
const maxUintDigits = 19

// Span gives the bytes of field n in the message: from is its first byte,
// length prefix included, to is the byte after its value. The bytes that a MAC
// covers are those before the from of the MAC field. Absent: 0, 0.
func (v *View) Span(n int) (from, to int) {
	if !v.Has(n) {
		return 0, 0
	}
	return v.spans[n].from(), v.spans[n].to()
}

// Next gives the first field after n that is in the message, or 0 after the
// last. A walk over all fields starts with Next(0).
func (v *View) Next(n int) int {
	if n < 0 {
		n = 0
	}
	for word := n >> 6; word < words; word++ {
		rest := v.has[word]
		if word == n>>6 {
			rest &= ^uint64(0) >> uint(n&63)
		}
		if rest != 0 {
			return leftmost(word, rest)
		}
	}
	return 0
}

func (v *View) fault(n, at int, reason string) error {
	name := ""
	if v.layout != nil {
		name = v.layout.name
	}
	return &Error{Layout: name, Field: n, Offset: at, Reason: reason}
}
