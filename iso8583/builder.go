// SPDX-License-Identifier: Apache-2.0

package iso8583

import (
	"encoding/binary"
	"strconv"
)

// slot is a value waiting for Append. With more than four parts it would not be
// kept in registers.
type slot struct {
	p     []byte
	subs  int32  // index of the first subfield plus 1; then p is not used
	chars uint16 // of a value that is already as on the wire
	form  form
}

// form is what a slot's p holds.
type form uint8

const (
	formText   form = iota // characters
	formWire               // the value as on the wire
	formNumber             // characters from SetUint
)

// Builder collects the fields of a message, in any order, and lays them down by
// Append. The zero value is ready for Reset and meant to be reused. Values are
// aliased, not copied, until Append; nothing is checked before it.
type Builder struct {
	layout  *Layout
	mti     MTI
	has     [words]uint64
	unknown int // first number set that is no field at all
	slots   [MaxField + 1]slot
	nodes   []node // subfields of composites
	scratch []byte // for values that had to be rewritten; wiped by Reset
	work    []byte // a composite that is being built
}

// Reset starts a new message, forgetting all values.
func (b *Builder) Reset(l *Layout, mti MTI) {
	for word, bitmap := range b.has {
		for bitmap != 0 {
			n := leftmost(word, bitmap)
			b.slots[n] = slot{}
			bitmap &^= 1 << 63 >> uint((n-1)&63)
		}
	}
	clear(b.scratch)
	clear(b.nodes)
	clear(b.work)
	b.layout, b.mti, b.has, b.unknown = l, mti, [words]uint64{}, 0
	b.scratch, b.nodes = b.scratch[:0], b.nodes[:0]
}

// SetText sets field n to characters or digits. A composite takes what
// View.AppendText gives of it.
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
		width := b.layout.Max(n)
		if in := b.layout.insides[n]; in != nil && in.flat {
			width = in.width
		}
		for ; width > len(text); width-- {
			b.scratch = append(b.scratch, '0')
		}
	}
	b.scratch = append(b.scratch, text...)
	b.set(n, slot{p: b.scratch[from:], form: formNumber})
}

// Copy sets field n to the value it has in v, written anew where the two
// dialects write it differently. When v lacks the field nothing is set.
func (b *Builder) Copy(n int, v *View) {
	if !v.Has(n) {
		return
	}
	s := v.spans[n]
	if b.layout != nil && b.layout.sameValue(n, v.layout) {
		b.set(n, slot{p: v.raw[s.at():s.to():s.to()], chars: uint16(s.chars()), form: formWire})
		return
	}
	if b.layout != nil && b.layout.insides[n] != nil && v.layout.insides[n] != nil && !v.layout.insides[n].flat {
		b.CopySubs(n, v)
		return
	}
	from := len(b.scratch)
	b.scratch = v.AppendText(b.scratch, n)
	b.set(n, slot{p: b.scratch[from:]})
}

// sameValue says whether both layouts write a value of field n alike.
func (l *Layout) sameValue(n int, other *Layout) bool {
	f, g := &l.fields[n], &other.fields[n]
	if f.enc != g.enc || f.check != g.check {
		return false
	}
	return l == other || f.check != checkInside && f.check != checkNumber ||
		f.check == checkInside && l.insides[n].identity == other.insides[n].identity
}

// Unset takes field n out again.
func (b *Builder) Unset(n int) {
	if n < 2 || n > MaxField {
		return
	}
	word, mask := bit(n)
	b.has[word] &^= mask
	b.slots[n] = slot{}
}

func (b *Builder) set(n int, s slot) {
	if n < 2 || n > MaxField {
		b.refuse(n)
		return
	}
	word, mask := bit(n)
	b.has[word] |= mask
	b.slots[n] = s
}

// refuse remembers a number that is no field, for Append.
func (b *Builder) refuse(n int) {
	if b.unknown == 0 {
		b.unknown = n
	}
	if n == 0 { // 0 means none; the MTI is given to Reset
		b.unknown = WholeMessage
	}
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
	for word, bitmap := range b.has {
		for bitmap != 0 {
			n := leftmost(word, bitmap)
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
	var digits [4]byte
	if b.layout.mti.enc.half() {
		dst = binary.BigEndian.AppendUint16(dst, uint16(b.mti))
	} else {
		dst, _ = b.layout.mti.appendWire(dst, b.mti.AppendText(digits[:0]))
	}
	if b.layout.bitmaps == 1 && b.has[1]|b.has[2] == 0 {
		return b.layout.appendBitmap(dst, b.has[0])
	}
	last := b.layout.bitmaps - 1
	if b.layout.expands {
		last = 1
		if b.has[2] != 0 {
			last = 2
		}
	}
	for i := 0; i <= last; i++ {
		bitmap := b.has[i]
		if i < last && b.layout.expands {
			bitmap |= more
		}
		dst = b.layout.appendBitmap(dst, bitmap)
	}
	return dst
}

func (l *Layout) appendBitmap(dst []byte, bitmap uint64) []byte {
	if l.bitmapEnc == EncodingBytes {
		return binary.BigEndian.AppendUint64(dst, bitmap)
	}
	for shift := 60; shift >= 0; shift -= 4 {
		c := hexDigits[bitmap>>uint(shift)&0x0F]
		if l.bitmapEnc == EncodingHexEBCDIC {
			c = ebcdic.toWire[c]
		}
		dst = append(dst, c)
	}
	return dst
}

// appendField appends a field; what it does is appendPlain for the common kinds.
func (b *Builder) appendField(dst []byte, start, n int) ([]byte, error) {
	f, s := &b.layout.fields[n], &b.slots[n]
	chars := len(s.p)
	if s.form == formWire {
		chars = int(s.chars)
	}
	fits := chars == int(f.max) || f.pref != prefixFixed && f.flags == 0 && chars < int(f.max)
	if !fits || f.flags&rare != 0 || s.form == formNumber || s.subs != 0 {
		return b.appendRare(dst, start, n)
	}
	if f.pref != prefixFixed {
		dst = f.appendLength(dst, chars)
	}
	if s.form == formWire {
		return append(dst, s.p...), nil
	}
	at := len(dst)
	dst, reason := f.appendWire(dst, s.p)
	if reason != "" {
		return dst, b.layout.fault(n, at-start, reason, 0, 0)
	}
	return dst, nil
}

// appendRare appends a field of any kind, or says why not.
func (b *Builder) appendRare(dst []byte, start, n int) ([]byte, error) {
	f, s := &b.layout.fields[n], &b.slots[n]
	at := len(dst) - start
	var bad fail
	switch {
	case f.enc == encodingNone:
		bad.reason = ReasonFieldUnknown
	case f.check == checkInside:
		clear(b.work)
		b.work = b.work[:0]
		bad = b.writeComposite(f, b.layout.insides[n], s)
		dst = append(dst, b.work...)
	case s.subs != 0:
		bad.reason = ReasonNoSubfields
	default:
		dst, bad = b.appendPlain(dst, f, s)
	}
	if bad.reason != "" {
		return dst, b.layout.fault(n, at, bad.reason, bad.want, bad.got)
	}
	return dst, nil
}

// appendPlain appends a field that has no subfields.
func (b *Builder) appendPlain(dst []byte, f *fieldCode, s *slot) ([]byte, fail) {
	if s.form == formNumber && !f.enc.numeric() {
		return dst, fail{reason: ReasonNotNumeric}
	}
	value, chars, wire := s.p, int(s.chars), s.form == formWire
	if !wire {
		var whole bool
		if chars, whole = f.enc.chars(len(value)); !whole {
			return dst, fail{reason: ReasonNotHex}
		}
	}
	if chars < int(f.max) && f.flags&(padLeft|padRight) != 0 {
		value, wire = b.filled(f, s), false
		chars = int(f.max)
	}
	return f.append(dst, value, wire, chars)
}

// filled gives the slot's text, filled up to the field's length.
func (b *Builder) filled(f *fieldCode, s *slot) []byte {
	text := s.p
	if s.form == formWire {
		from := len(b.scratch)
		b.scratch = f.enc.appendText(b.scratch, s.p, int(s.chars))
		text = b.scratch[from:]
	}
	from := len(b.scratch)
	if f.flags&padRight != 0 {
		b.scratch = append(b.scratch, text...)
	}
	for i := len(text); i < f.enc.textSize(int(f.max)); i++ {
		b.scratch = append(b.scratch, f.pad)
	}
	if f.flags&padLeft != 0 {
		b.scratch = append(b.scratch, text...)
	}
	return b.scratch[from:]
}
