// SPDX-License-Identifier: Apache-2.0

package frame

// HeaderKind is what the bytes between TPDU and body are.
type HeaderKind uint8

// The kinds of header. Append writes the lengths that a header holds itself.
const (
	Plain       HeaderKind = iota // as many bytes as the format says
	Interchange                   // UnionPay interchange: 46 bytes
	BaseI                         // Visa Base I: 22 bytes, before them 26 more when rejected
)

// The sizes of the headers.
const (
	InterchangeSize = 46
	BaseISize       = 22
	BaseIRejectSize = 26
)

// size is how many bytes the header has at least.
func (k HeaderKind) size(plain int) int {
	switch k {
	case Interchange:
		return InterchangeSize
	case BaseI:
		return BaseISize
	}
	return plain
}

// HasHeader says whether bytes stand between TPDU and body.
func (f Format) HasHeader() bool { return f.Kind.size(f.Header) > 0 }

// another is the bit of a Base I header's second byte that says that one more
// header follows.
const another = 0x80

// split finds how many bytes of p are header.
func (f Format) split(p []byte) (n int, err error) {
	n = f.Kind.size(f.Header)
	switch f.Kind {
	case Interchange:
		if p[0] != InterchangeSize {
			return 0, &Error{Reason: ReasonHeaderWrong, Length: int(p[0]), Bound: InterchangeSize}
		}
		total, reason := ASCII4.decode(p[2:6])
		if reason != "" || total != len(p) {
			return 0, &Error{Reason: ReasonHeaderTotal, Length: total, Bound: len(p)}
		}
	case BaseI:
		return splitBaseI(p)
	}
	return n, nil
}

// splitBaseI finds the header, or the two of a rejected message.
func splitBaseI(p []byte) (n int, err error) {
	if p[1]&another != 0 {
		if p[0] != BaseIRejectSize {
			return 0, &Error{Reason: ReasonHeaderWrong, Length: int(p[0]), Bound: BaseIRejectSize}
		}
		n = BaseIRejectSize
	}
	if len(p)-n < BaseISize {
		return 0, &Error{Reason: ReasonTooShort, Length: len(p), Bound: n + BaseISize}
	}
	if p[n] != BaseISize || p[n+1]&another != 0 {
		return 0, &Error{Reason: ReasonHeaderWrong, Length: int(p[n]), Bound: BaseISize}
	}
	return n + BaseISize, nil
}

// checkHeader says whether a header given for writing is one.
func (f Format) checkHeader(h []byte) error {
	want := f.Kind.size(f.Header)
	if f.Kind == BaseI && len(h) == BaseIRejectSize+BaseISize {
		if h[0] != BaseIRejectSize || h[1]&another == 0 || h[BaseIRejectSize+1]&another != 0 {
			return &Error{Reason: ReasonHeaderWrong, Length: len(h)}
		}
		return nil
	}
	if len(h) != want {
		return &Error{Reason: ReasonHeaderLength, Length: len(h), Bound: want}
	}
	if f.Kind == BaseI && h[1]&another != 0 {
		return &Error{Reason: ReasonHeaderWrong, Length: len(h)}
	}
	return nil
}

// fill writes the lengths that are inside the header; p is header and body.
func (k HeaderKind) fill(p []byte) {
	switch k {
	case Interchange:
		p[0] = InterchangeSize
		ASCII4.append(p[2:2], len(p))
	case BaseI:
		if p[1]&another != 0 { // the one inside is the rejected message's own
			p[BaseIRejectSize] = BaseISize
		} else {
			p[0] = BaseISize
		}
		p[3], p[4] = byte(len(p)>>8), byte(len(p))
	}
}
