// SPDX-License-Identifier: Apache-2.0

package iso8583

// fail says why something could not be read; without a reason it could.
type fail struct {
	reason    string
	at        int
	want, got int
}

// place is where a value lies: its prefix at from, itself from at to to.
type place struct {
	from, at, to, chars int
}

// read reads the field that starts at from and must end within raw. Subfields
// are not looked at.
func (f *fieldCode) read(raw []byte, from int) (p place, bad fail) {
	p, bad = f.extent(raw, from)
	if bad.reason != "" {
		return p, bad
	}
	value := raw[p.at:p.to]
	switch {
	case !f.passes(value):
		bad = fail{reason: f.check.misfit(), at: p.at}
	case f.check == checkFilled && p.chars&1 == 0 && !charsets[checkBCD].holds(value): // an F in the place of a digit
		bad = fail{reason: ReasonNotDigit, at: p.at}
	case p.chars&1 != 0 && f.enc.half() && !f.enc.filler(value):
		bad = fail{reason: ReasonPaddingNotZero, at: p.at}
	}
	return p, bad
}

// extent finds where the value lies, whatever it is.
func (f *fieldCode) extent(raw []byte, from int) (p place, bad fail) {
	p = place{from: from, at: from, chars: int(f.max)}
	switch f.pref {
	case prefixFixed:
	case prefixAll:
		var whole bool
		if p.chars, whole = f.enc.charsIn(len(raw) - from); !whole {
			return p, fail{ReasonTruncated, from, 2*p.chars + 2, len(raw) - from}
		}
	default:
		width := f.width(raw[from:])
		if width < 0 {
			return p, fail{reason: ReasonPrefixNotDigits, at: from}
		}
		if len(raw)-from < width {
			return p, fail{ReasonTruncated, from, width, len(raw) - from}
		}
		p.at += width
		if p.chars = f.pref.readLength(raw[from:p.at]); p.chars < 0 {
			return p, fail{reason: ReasonPrefixNotDigits, at: from}
		}
	}
	if p.chars > int(f.max) {
		return p, fail{ReasonLengthAboveMax, from, int(f.max), p.chars}
	}
	size := f.enc.size(p.chars)
	if len(raw)-p.at < size {
		return p, fail{ReasonTruncated, p.at, size, len(raw) - p.at}
	}
	p.to = p.at + size
	return p, bad
}

// append appends the field with its length. text is its characters, or, when
// wire is set, the value as read from a field of the same encoding and check.
func (f *fieldCode) append(dst, text []byte, wire bool, chars int) ([]byte, fail) {
	if chars > int(f.max) {
		return dst, fail{reason: ReasonLengthAboveMax, want: int(f.max), got: chars}
	}
	switch f.pref {
	case prefixFixed:
		if chars != int(f.max) {
			return dst, fail{reason: ReasonLengthNotFixed, want: int(f.max), got: chars}
		}
	case prefixAll:
		if f.enc.half() && chars&1 != 0 { // nothing would tell the filler from a digit
			return dst, fail{reason: ReasonLengthOdd, got: chars}
		}
	default:
		dst = f.appendLength(dst, chars)
	}
	if wire {
		return append(dst, text...), fail{}
	}
	dst, reason := f.appendWire(dst, text)
	return dst, fail{reason: reason}
}
