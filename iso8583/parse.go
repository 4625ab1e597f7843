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
	v.layout, v.raw, v.mti, v.has = l, raw, 0, [2]uint64{}
	if len(raw) > MaxMessage {
		return l.fault(WholeMessage, MaxMessage, ReasonMessageTooLong, MaxMessage, len(raw))
	}
	at, err := l.parseMTI(raw, v)
	if err != nil {
		return err
	}
	bitmaps, at, err := l.parseBitmaps(raw, at)
	if err != nil {
		return err
	}
	for half, bitmap := range bitmaps {
		if at, err = l.parseFields(raw, at, half, bitmap, v); err != nil {
			return err
		}
	}
	if at != len(raw) {
		return l.fault(WholeMessage, at, ReasonTrailingBytes, 0, len(raw)-at)
	}
	return nil
}

// parseFields reads the fields of one bitmap half; it is the hot loop.
func (l *Layout) parseFields(raw []byte, at, half int, bitmap uint64, v *View) (int, error) {
	v.has[half] = bitmap
	n := half << 6
	for bitmap != 0 {
		skip := bits.LeadingZeros64(bitmap) + 1
		bitmap <<= uint(skip)
		n += skip
		f := &l.fields[n]
		if f.enc == encodingNone {
			return at, l.stop(v, n, at, ReasonFieldUnknown, 0, 0)
		}
		from, chars := at, int(f.max)
		if f.pref != prefixFixed {
			if len(raw)-at < int(f.prefLen) {
				return at, l.stop(v, n, at, ReasonTruncated, int(f.prefLen), len(raw)-at)
			}
			chars = f.pref.readLength(raw[at : at+int(f.prefLen)])
			if chars < 0 {
				return at, l.stop(v, n, at, ReasonPrefixNotDigits, 0, 0)
			}
			if chars > int(f.max) {
				return at, l.stop(v, n, at, ReasonLengthAboveMax, int(f.max), chars)
			}
			at += int(f.prefLen)
		}
		size := f.enc.size(chars)
		if len(raw)-at < size {
			return at, l.stop(v, n, at, ReasonTruncated, size, len(raw)-at)
		}
		if f.enc != EncodingBytes {
			p := raw[at : at+size]
			if !charsets[f.enc].holds(p) {
				return at, l.stop(v, n, at, f.enc.misfit(), 0, 0)
			}
			if chars&1 != 0 && f.enc >= EncodingBCD && !f.enc.filler(p) {
				return at, l.stop(v, n, at, ReasonPaddingNotZero, 0, 0)
			}
		}
		v.spans[n] = spanOf(from, at, at+size, chars)
		at += size
	}
	return at, nil
}

// stop takes field n and those after it out of the view again.
func (l *Layout) stop(v *View, n, at int, reason string, want, got int) error {
	half, mask := bit(n)
	v.has[half] &^= mask | (mask - 1)
	return l.fault(n, at, reason, want, got)
}

func (l *Layout) parseMTI(raw []byte, v *View) (int, error) {
	size := l.mtiSize()
	if len(raw) < size {
		return 0, l.fault(0, 0, ReasonTruncated, size, len(raw))
	}
	if l.mtiBCD {
		if !allBCD(raw[:2]) {
			return 0, l.fault(0, 0, ReasonMTINotDigits, 0, 0)
		}
		v.mti = MTI(binary.BigEndian.Uint16(raw))
		return size, nil
	}
	if !allDigits(raw[:4]) {
		return 0, l.fault(0, 0, ReasonMTINotDigits, 0, 0)
	}
	for _, c := range raw[:4] {
		v.mti = v.mti<<4 | MTI(c&0x0F)
	}
	return size, nil
}

func (l *Layout) parseBitmaps(raw []byte, at int) (maps [2]uint64, next int, err error) {
	if maps[0], at, err = l.parseBitmap(raw, at); err != nil {
		return maps, at, err
	}
	const more = 1 << 63 // bit 1 says that another bitmap follows
	if maps[0]&more == 0 {
		return maps, at, nil
	}
	maps[0] &^= more
	if !l.secondary {
		return maps, at, l.fault(1, at, ReasonSecondaryBitmap, 0, 0)
	}
	if maps[1], at, err = l.parseBitmap(raw, at); err != nil {
		return maps, at, err
	}
	if maps[1]&more != 0 {
		return maps, at, l.fault(1, at, ReasonTertiaryBitmap, 0, 0)
	}
	return maps, at, nil
}

func (l *Layout) parseBitmap(raw []byte, at int) (bitmap uint64, next int, err error) {
	size := l.bitmapSize()
	if len(raw)-at < size {
		return 0, at, l.fault(1, at, ReasonTruncated, size, len(raw)-at)
	}
	if !l.bitmapHex {
		return binary.BigEndian.Uint64(raw[at:]), at + size, nil
	}
	bad := byte(0)
	for _, c := range raw[at : at+size] {
		nibble := hexNibbles[c]
		bad |= nibble
		bitmap = bitmap<<4 | uint64(nibble)
	}
	if bad > 0x0F {
		return 0, at, l.fault(1, at, ReasonBitmapNotHex, 0, 0)
	}
	return bitmap, at + size, nil
}

const none = 0xFF // no hexadecimal digit

// hexNibbles gives the value of a hexadecimal digit of either case.
var hexNibbles = func() (t [256]byte) {
	for i := range t {
		t[i] = none
	}
	for i, c := range []byte(hexDigits) {
		t[c], t[c|0x20] = byte(i), byte(i)
	}
	return t
}()

func (l *Layout) mtiSize() int {
	if l.mtiBCD {
		return 2
	}
	return 4
}

func (l *Layout) bitmapSize() int {
	if l.bitmapHex {
		return 16
	}
	return 8
}

// fault makes an error about this dialect.
func (l *Layout) fault(field, at int, reason string, want, got int) error {
	return &Error{Layout: l.name, Field: field, Offset: at, Reason: reason, Want: want, Got: got}
}
