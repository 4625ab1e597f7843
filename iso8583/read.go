// SPDX-License-Identifier: Apache-2.0

package iso8583

// fail says why something could not be read; without a reason it could.
type fail struct {
	reason    string
	at        int
	want, got int
}

// read reads the field that starts at from and must end within raw. Subfields
// are not looked at.
func (f *fieldCode) read(raw []byte, from int) (s span, bad fail) {
	at, to, chars := f.where(raw, from)
	if to < 0 {
		return 0, f.extent(raw, from)
	}
	if s = spanOf(from, at, to, chars); !f.right(raw[at:to], chars) {
		bad = f.wrong(raw[at:to], s)
	}
	return s, bad
}

// right says whether a value is surely as it must be; else wrong says it.
func (f *fieldCode) right(value []byte, chars int) bool {
	if chars&1 != 0 && f.enc.half() {
		return false
	}
	switch f.check {
	case checkNone, checkInside:
		return true
	case checkASCII, checkDigits, checkBCD, checkEBCDICDigits, checkHexDigits:
		return charsets[f.check].holds(value)
	}
	return false
}

// wrong says what is not as it must be in a value, with where it lies.
func (f *fieldCode) wrong(value []byte, s span) (bad fail) {
	switch chars := s.chars(); {
	case !f.passes(value):
		bad = fail{reason: f.check.misfit(), at: s.at()}
	case f.check == checkFilled && chars&1 == 0 && !charsets[checkBCD].holds(value): // an F in the place of a digit
		bad = fail{reason: ReasonNotDigit, at: s.at()}
	case chars&1 != 0 && f.enc.half() && !f.enc.filler(value):
		bad = fail{reason: ReasonPaddingNotZero, at: s.at()}
	}
	return bad
}

// where finds the value of the field that starts at from: its bytes are at to to,
// and it has chars characters. When it cannot be found to is below 0, and extent
// says why.
func (f *fieldCode) where(raw []byte, from int) (at, to, chars int) {
	at, chars = from, int(f.max)
	switch f.pref {
	case prefixFixed:
	case prefixAll:
		var whole bool
		if chars, whole = f.enc.charsIn(len(raw) - from); !whole {
			return 0, -1, 0
		}
	default:
		width := f.width(raw[from:])
		if uint(width) > uint(len(raw)-from) {
			return 0, -1, 0
		}
		at += width
		chars = f.pref.readLength(raw[from:at])
	}
	if uint(chars) > uint(f.max) {
		return 0, -1, 0
	}
	if to = at + f.enc.size(chars); to > len(raw) {
		return 0, -1, 0
	}
	return at, to, chars
}

// extent says why where found no value.
func (f *fieldCode) extent(raw []byte, from int) fail {
	at, chars := from, int(f.max)
	switch f.pref {
	case prefixFixed:
	case prefixAll:
		var whole bool
		if chars, whole = f.enc.charsIn(len(raw) - from); !whole {
			return fail{ReasonTruncated, from, 2*chars + 2, len(raw) - from}
		}
	default:
		width := f.width(raw[from:])
		if width < 0 {
			return fail{reason: ReasonPrefixNotDigits, at: from}
		}
		if len(raw)-from < width {
			return fail{ReasonTruncated, from, width, len(raw) - from}
		}
		at += width
		if chars = f.pref.readLength(raw[from:at]); chars < 0 {
			return fail{reason: ReasonPrefixNotDigits, at: from}
		}
	}
	if chars > int(f.max) {
		return fail{ReasonLengthAboveMax, from, int(f.max), chars}
	}
	return fail{ReasonTruncated, at, f.enc.size(chars), len(raw) - at}
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
