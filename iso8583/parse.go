// SPDX-License-Identifier: Apache-2.0

package iso8583

import (
	"encoding/binary"
	"math/bits"
)

// Parse reads raw, which must be exactly one message, into v. It is one pass
// without allocation; v aliases raw. On failure the error is an *Error and v
// holds the fields before it.
func (l *Layout) Parse(raw []byte, v *View) error {
	v.layout, v.raw, v.mti, v.has = l, raw, 0, [words]uint64{}
	if len(raw) > MaxMessage {
		return l.fault(WholeMessage, MaxMessage, ReasonMessageTooLong, MaxMessage, len(raw))
	}
	at, err := l.parseMTI(raw, v)
	if err != nil {
		return err
	}
	bitmap, at, err := l.parseBitmap(raw, at)
	if err != nil {
		return err
	}
	if bitmap&more == 0 && l.bitmaps == 1 {
		at, err = l.parseFields(raw, at, 0, bitmap, v)
	} else {
		at, err = l.parseWords(raw, at, bitmap, v)
	}
	if err != nil {
		return err
	}
	if at != len(raw) {
		return l.fault(WholeMessage, at, ReasonTrailingBytes, 0, len(raw)-at)
	}
	return nil
}

// parseFields reads the fields of one bitmap word; it is the hot loop. What it
// does for a field is what fieldCode.read does, for the common kinds and for
// what is as it should be: all else goes there.
func (l *Layout) parseFields(raw []byte, at, word int, bitmap uint64, v *View) (int, error) {
	v.has[word] = bitmap
	n := word << 6
	for bitmap != 0 {
		skip := bits.LeadingZeros64(bitmap) + 1
		bitmap <<= uint(skip)
		n += skip
		f := &l.fields[n]
		if f.flags&rare != 0 {
			next, err := l.parseRare(raw, at, n, v)
			if err != nil {
				return next, err
			}
			at = next
			continue
		}
		from, chars := at, int(f.max)
		if f.pref != prefixFixed {
			if len(raw)-at < int(f.prefLen) {
				return l.parseRare(raw, from, n, v)
			}
			chars = f.pref.readLength(raw[at : at+int(f.prefLen)])
			if uint(chars) > uint(f.max) {
				return l.parseRare(raw, from, n, v)
			}
			at += int(f.prefLen)
		}
		size := chars
		if f.enc >= EncodingBCD {
			size = (chars + 1) / 2
		}
		if len(raw)-at < size {
			return l.parseRare(raw, from, n, v)
		}
		if f.check != checkNone {
			p := raw[at : at+size]
			if !charsets[f.check].holds(p) || chars&1 != 0 && f.enc >= EncodingBCD && !f.enc.filler(p) {
				return l.parseRare(raw, from, n, v)
			}
		}
		v.spans[n] = spanOf(from, at, at+size, chars)
		at += size
	}
	return at, nil
}

// parseRare reads a field of a kind the hot loop does not know, or says what is
// wrong with one.
func (l *Layout) parseRare(raw []byte, at, n int, v *View) (int, error) {
	f := &l.fields[n]
	if f.enc == encodingNone {
		return at, l.stop(v, n, fail{reason: ReasonFieldUnknown, at: at})
	}
	s, bad := f.read(raw, at)
	if f.check == checkInside && bad.reason == "" {
		if in := l.insides[n]; in.holdsFlat(raw, s) {
			v.spans[n] = s
			return s.to(), nil
		}
		bad = l.insides[n].verify(raw, s)
	}
	if bad.reason != "" {
		return at, l.stop(v, n, bad)
	}
	v.spans[n] = s
	return s.to(), nil
}

// stop takes field n and those after it out of the view again.
func (l *Layout) stop(v *View, n int, bad fail) error {
	word, mask := bit(n)
	v.has[word] &^= mask | (mask - 1)
	return l.fault(n, bad.at, bad.reason, bad.want, bad.got)
}

func (l *Layout) parseMTI(raw []byte, v *View) (int, error) {
	switch l.mti.enc {
	case EncodingBCD:
		if len(raw) < 2 {
			return 0, l.fault(0, 0, ReasonTruncated, 2, len(raw))
		}
		v.mti = MTI(binary.BigEndian.Uint16(raw))
		if charsets[checkBCD].bad(uint64(v.mti)) != 0 {
			v.mti = 0
			return 0, l.fault(0, 0, ReasonMTINotDigits, 0, 0)
		}
		return 2, nil
	case EncodingDigits:
		if len(raw) < 4 {
			return 0, l.fault(0, 0, ReasonTruncated, 4, len(raw))
		}
		if !allDigits(raw[:4]) {
			return 0, l.fault(0, 0, ReasonMTINotDigits, 0, 0)
		}
		v.mti = MTI(raw[0]&0xF)<<12 | MTI(raw[1]&0xF)<<8 | MTI(raw[2]&0xF)<<4 | MTI(raw[3]&0xF)
		return 4, nil
	}
	return l.parseRareMTI(raw, v)
}

// parseRareMTI reads the MTI as EBCDIC or hexadecimal characters.
func (l *Layout) parseRareMTI(raw []byte, v *View) (int, error) {
	size := l.mti.enc.size(4)
	if len(raw) < size {
		return 0, l.fault(0, 0, ReasonTruncated, size, len(raw))
	}
	if !l.mti.passes(raw[:size]) {
		return 0, l.fault(0, 0, ReasonMTINotDigits, 0, 0)
	}
	for i := range 4 {
		v.mti = v.mti<<4 | MTI(l.mti.enc.charAt(raw, i)&0x0F)
	}
	return size, nil
}

const more uint64 = 1 << 63 // the bit that says that another bitmap follows

// parseWords reads the bitmaps after the first, and then all fields. Bits that
// only say that another bitmap follows are taken out.
func (l *Layout) parseWords(raw []byte, at int, first uint64, v *View) (_ int, err error) {
	maps := [words]uint64{first}
	for i := 1; i < l.bitmaps; i++ {
		if maps[i], at, err = l.parseBitmap(raw, at); err != nil {
			return at, err
		}
	}
	for i := 0; maps[i]&more != 0; i++ {
		switch {
		case !l.expands:
			return at, l.fault(1, at, ReasonSecondaryBitmap, 0, 0)
		case i == 1 && !l.third:
			return at, l.fault(1, at, ReasonTertiaryBitmap, 0, 0)
		case i == words-1:
			return at, l.fault(1, at, ReasonFourthBitmap, 0, 0)
		}
		maps[i] &^= more
		if maps[i+1], at, err = l.parseBitmap(raw, at); err != nil {
			return at, err
		}
	}
	for word, bitmap := range maps {
		if at, err = l.parseFields(raw, at, word, bitmap, v); err != nil {
			return at, err
		}
	}
	return at, nil
}

func (l *Layout) parseBitmap(raw []byte, at int) (bitmap uint64, next int, err error) {
	size := l.bitmapEnc.size(8)
	if len(raw)-at < size {
		return 0, at, l.fault(1, at, ReasonTruncated, size, len(raw)-at)
	}
	if l.bitmapEnc == EncodingBytes {
		return binary.BigEndian.Uint64(raw[at:]), at + size, nil
	}
	nibbles := l.bitmapEnc.nibbles()
	bad := byte(0)
	for _, c := range raw[at : at+size] {
		nibble := nibbles[c]
		bad |= nibble
		bitmap = bitmap<<4 | uint64(nibble)
	}
	if bad > 0x0F {
		return 0, at, l.fault(1, at, ReasonBitmapNotHex, 0, 0)
	}
	return bitmap, at + size, nil
}

// fault makes an error about this dialect.
func (l *Layout) fault(field, at int, reason string, want, got int) error {
	return &Error{Layout: l.name, Field: field, Offset: at, Reason: reason, Want: want, Got: got}
}
