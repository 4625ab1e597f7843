// SPDX-License-Identifier: Apache-2.0

package iso8583

import (
	"encoding/binary"
	"strconv"
)

// slot is a value waiting for Append.
type slot struct {
	p     []byte
	chars uint16 // of a value that is already as on the wire
	wire  bool   // p is as on the wire, not text
	num   bool   // p came from SetUint
}

// Builder collects the fields of a message, in any order, and lays them down by
// Append. The zero value is ready for Reset and meant to be reused. Values are
// aliased, not copied, until Append; nothing is checked before it.
type Builder struct {
	layout  *Layout
	mti     MTI
	has     [2]uint64
	unknown int // first number set that is no field at all
	slots   [MaxField + 1]slot
	scratch []byte // for values that had to be rewritten; wiped by Reset
}

// Reset starts a new message, forgetting all values.
func (b *Builder) Reset(l *Layout, mti MTI) {
	for half, bitmap := range b.has {
		for bitmap != 0 {
			n := leftmost(half, bitmap)
			b.slots[n] = slot{}
			bitmap &^= 1 << 63 >> uint((n-1)&63)
		}
	}
	clear(b.scratch)
	b.layout, b.mti, b.has, b.unknown, b.scratch = l, mti, [2]uint64{}, 0, b.scratch[:0]
}

// SetText sets field n to characters or digits.
func (b *Builder) SetText(n int, s []byte) { b.set(n, slot{p: s}) }

// SetBytes sets field n to bytes. It is SetText by another name: the dialect
// says how a value is written.
func (b *Builder) SetBytes(n int, p []byte) { b.set(n, slot{p: p}) }

// SetString sets field n to characters or digits.
func (b *Builder) SetString(n int, s string) {
	from := len(b.scratch)
	b.scratch = append(b.scratch, s...)
	b.set(n, slot{p: b.scratch[from:]})
}

// SetUint sets field n to a number, zero filled on the left when its length is
// fixed. A field that cannot hold digits is refused by Append.
func (b *Builder) SetUint(n int, u uint64) {
	var digits [maxUintDigits + 1]byte
	text := strconv.AppendUint(digits[:0], u, 10)
	from := len(b.scratch)
	if b.layout != nil && b.layout.Fixed(n) {
		for width := b.layout.Max(n); width > len(text); width-- {
			b.scratch = append(b.scratch, '0')
		}
	}
	b.scratch = append(b.scratch, text...)
	b.set(n, slot{p: b.scratch[from:], num: true})
}

// Copy sets field n to the value it has in v, written anew where the two
// dialects write it differently. When v lacks the field nothing is set.
func (b *Builder) Copy(n int, v *View) {
	if !v.Has(n) {
		return
	}
	if b.layout != nil && b.layout.fields[n].enc == v.layout.fields[n].enc {
		b.set(n, slot{p: v.Raw(n), chars: uint16(v.spans[n].chars()), wire: true})
		return
	}
	from := len(b.scratch)
	b.scratch = v.AppendText(b.scratch, n)
	b.set(n, slot{p: b.scratch[from:]})
}

// Unset takes field n out again.
func (b *Builder) Unset(n int) {
	if n < 2 || n > MaxField {
		return
	}
	half, mask := bit(n)
	b.has[half] &^= mask
	b.slots[n] = slot{}
}

func (b *Builder) set(n int, s slot) {
	if n < 2 || n > MaxField {
		if b.unknown == 0 {
			b.unknown = n
		}
		if n == 0 { // 0 means none; the MTI is given to Reset
			b.unknown = WholeMessage
		}
		return
	}
	half, mask := bit(n)
	b.has[half] |= mask
	b.slots[n] = s
}

// Append appends the message to dst: bitmaps and lengths are computed. On
// failure dst comes back as it was, with an *Error naming the field.
func (b *Builder) Append(dst []byte) ([]byte, error) {
	if b.layout == nil {
		return dst, &Error{Field: WholeMessage, Reason: ReasonNoLayout}
	}
	if b.unknown != 0 {
		return dst, b.layout.fault(b.unknown, 0, ReasonFieldUnknown, 0, 0)
	}
	if b.mti>>12 > 9 || b.mti>>8&0x0F > 9 || b.mti>>4&0x0F > 9 || b.mti&0x0F > 9 {
		return dst, b.layout.fault(0, 0, ReasonMTINotDigits, 0, 0)
	}
	start := len(dst)
	out := b.appendHead(dst)
	for half, bitmap := range b.has {
		for bitmap != 0 {
			n := leftmost(half, bitmap)
			bitmap &^= 1 << 63 >> uint((n-1)&63)
			var err error
			if out, err = b.appendField(out, start, n); err != nil {
				return dst, err
			}
		}
	}
	if len(out)-start > MaxMessage {
		return dst, b.layout.fault(WholeMessage, MaxMessage, ReasonMessageTooLong, MaxMessage, len(out)-start)
	}
	return out, nil
}

func (b *Builder) appendHead(dst []byte) []byte {
	if b.layout.mtiBCD {
		dst = binary.BigEndian.AppendUint16(dst, uint16(b.mti))
	} else {
		dst = b.mti.AppendText(dst)
	}
	first := b.has[0]
	if b.has[1] != 0 {
		first |= 1 << 63
	}
	dst = b.layout.appendBitmap(dst, first)
	if b.has[1] != 0 {
		dst = b.layout.appendBitmap(dst, b.has[1])
	}
	return dst
}

func (l *Layout) appendBitmap(dst []byte, bitmap uint64) []byte {
	if !l.bitmapHex {
		return binary.BigEndian.AppendUint64(dst, bitmap)
	}
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[bitmap>>uint(shift)&0x0F])
	}
	return dst
}

func (b *Builder) appendField(dst []byte, start, n int) ([]byte, error) {
	f, s := &b.layout.fields[n], &b.slots[n]
	at := len(dst) - start
	if f.enc == encodingNone {
		return dst, b.layout.fault(n, at, ReasonFieldUnknown, 0, 0)
	}
	if s.num && !f.enc.numeric() {
		return dst, b.layout.fault(n, at, ReasonNotNumeric, 0, 0)
	}
	value, chars, wire := s.p, len(s.p), s.wire
	if wire {
		chars = int(s.chars)
	}
	if chars < int(f.max) && f.pad != 0 {
		value, wire = b.filled(f, s), false
		chars = len(value)
	}
	if chars > int(f.max) {
		return dst, b.layout.fault(n, at, ReasonLengthAboveMax, int(f.max), chars)
	}
	if f.pref == prefixFixed {
		if chars != int(f.max) {
			return dst, b.layout.fault(n, at, ReasonLengthNotFixed, int(f.max), chars)
		}
	} else {
		dst = f.pref.appendLength(dst, chars, f.prefLen)
	}
	if wire {
		return append(dst, value...), nil
	}
	dst, reason := f.enc.appendWire(dst, value)
	if reason != "" {
		return dst, b.layout.fault(n, at, reason, 0, 0)
	}
	return dst, nil
}

// filled gives the slot's text, filled up to the field's length.
func (b *Builder) filled(f *fieldCode, s *slot) []byte {
	text := s.p
	if s.wire {
		from := len(b.scratch)
		b.scratch = f.enc.appendText(b.scratch, s.p, int(s.chars))
		text = b.scratch[from:]
	}
	from := len(b.scratch)
	if !f.padLeft {
		b.scratch = append(b.scratch, text...)
	}
	for i := len(text); i < int(f.max); i++ {
		b.scratch = append(b.scratch, f.pad)
	}
	if f.padLeft {
		b.scratch = append(b.scratch, text...)
	}
	return b.scratch[from:]
}
