// SPDX-License-Identifier: Apache-2.0

package iso8583

import "encoding/binary"

// InsideKind is how subfields follow each other.
type InsideKind uint8

// The kinds of a composite.
const (
	InsideNone       InsideKind = iota
	InsidePositional            // one after the other, each in its place
	InsideTagged                // each with its tag in front: subelements, TLV, BER-TLV
	InsideBitmapped             // a bitmap says which are there
)

// item is a subfield.
type item struct {
	fieldCode
	tag    string  // its key in the specification
	text   string  // what it is
	wire   string  // its tag on the wire, when tagged
	bit    int     // its bit, when bitmapped
	inside *inside // its own subfields
}

// inside is what a composite is made of.
type inside struct {
	kind     InsideKind
	items    []item         // in the order in which they are written
	byTag    map[string]int // index of items
	byWire   map[string]int
	byBit    []int     // index of items plus 1, for bits from 1
	tagSize  int       // bytes of a tag; 0: as BER says
	unknown  fieldCode // how a tag that is not known says its length; encodingNone: it must be known
	bitmap   fieldCode // of a bitmapped composite
	mayStop  bool      // positional: the last ones may be missing
	flat     bool      // positional with all lengths fixed: its text is that of its subfields in a row
	digits   bool      // flat, and a number can be spread over it
	width    int       // flat: characters of all
	size     int       // flat: bytes of all
	leaves   []leaf    // flat: what it is made of, down to the last
	runs     []run     // flat: what the bytes must be, neighbours that must be the same together
	identity string    // equal when two layouts write it alike
}

// leaf is a subfield with a fixed place, counted from the composite's start.
type leaf struct {
	code   fieldCode
	offset int
}

// run is bytes of a flat composite that must all be the same.
type run struct {
	check    check
	from, to int
}

// Sub is a subfield of a parsed message. Like the View it came from it points
// into the message's bytes. The zero Sub is an absent one.
type Sub struct {
	raw  []byte // the message up to the end of the composite
	item *item  // nil: a tag that the dialect lacks
	s    span
	tag  int // where its tag starts; s.from() when it has none
}

// Subs walks over subfields: for it := v.Subs(n); it.Next(); { it.Sub() … }.
// Parse has looked at all of them before, so a walk does not fail.
type Subs struct {
	in     *inside
	raw    []byte // up to the end of the composite
	at     int    // where the next one starts
	next   int    // item or bit that is due
	broken bool   // the next one cannot be read: fault says why
	item   *item
	s      span
	tag    int
	bitmap [words]uint64
}

// start starts a walk over the value of a composite; w is new.
func (w *Subs) start(in *inside, raw []byte, s span) {
	w.in, w.raw, w.at = in, raw[:s.to()], s.at()
	if in.kind == InsideBitmapped && (!in.mayStop || s.at() != s.to()) {
		w.readBitmap()
	}
}

// verify reads all subfields of a composite, down to the last.
func (in *inside) verify(raw []byte, s span) fail {
	if in.holdsFlat(raw, s) {
		return fail{}
	}
	var w Subs
	w.start(in, raw, s)
	for w.Next() {
		if w.item == nil {
			continue
		}
		if in := w.item.inside; in != nil {
			if bad := in.verify(w.raw, w.s); bad.reason != "" {
				return bad
			}
			continue
		}
		if value := w.raw[w.s.at():w.s.to()]; !w.item.right(value, w.s.chars()) {
			if bad := w.item.wrong(value, w.s); bad.reason != "" {
				return bad
			}
		}
	}
	if w.broken {
		return w.fault()
	}
	if w.at != s.to() {
		return fail{reason: ReasonSubfieldsEnd, at: w.at, got: s.to() - w.at}
	}
	return fail{}
}

// holdsFlat says whether a composite is flat and whole and its bytes are what they
// must be. When they are not, the walk finds out which.
func (in *inside) holdsFlat(raw []byte, s span) bool {
	if !in.flat || s.to()-s.at() != in.size {
		return false
	}
	value := raw[s.at():s.to()]
	for i := range in.runs {
		r := &in.runs[i]
		if !charsets[r.check].holds(value[r.from:r.to]) {
			return false
		}
	}
	return true
}

// Next goes to the next subfield; false after the last.
func (w *Subs) Next() bool {
	if w.in == nil || w.broken {
		return false
	}
	switch w.in.kind {
	case InsidePositional:
		if w.next == len(w.in.items) || w.in.mayStop && w.at == len(w.raw) {
			return false
		}
		w.item, w.tag = &w.in.items[w.next], w.at
		w.next++
		return w.take(&w.item.fieldCode, w.at)
	case InsideTagged:
		return w.nextTag()
	}
	return w.nextBit()
}

// Sub is the subfield that Next went to.
func (w *Subs) Sub() Sub { return Sub{w.raw, w.item, w.s, w.tag} }

// take finds one subfield; w.at stays at the start of one that cannot be read.
func (w *Subs) take(f *fieldCode, from int) bool {
	at, to, chars := f.where(w.raw, from)
	if to < 0 {
		w.broken = true
		return false
	}
	w.s = spanOf(from, at, to, chars)
	w.at = to
	return true
}

func (w *Subs) nextBit() bool {
	for i := w.next >> 6; i < words; i++ {
		rest := w.bitmap[i]
		if i == w.next>>6 {
			rest &= ^uint64(0) >> uint(w.next&63)
		}
		if rest == 0 {
			continue
		}
		w.next = leftmost(i, rest)
		if w.next >= len(w.in.byBit) || w.in.byBit[w.next] == 0 {
			w.item, w.broken = nil, true
			return false
		}
		w.item, w.tag = &w.in.items[w.in.byBit[w.next]-1], w.at
		return w.take(&w.item.fieldCode, w.at)
	}
	return false
}

func (w *Subs) readBitmap() {
	s, bad := w.in.bitmap.read(w.raw, w.at)
	if bad.reason != "" {
		w.next, w.broken = bitmapDue, true
		return
	}
	bits := w.raw[s.at():s.to()]
	if w.in.bitmap.enc == EncodingBytes {
		if len(bits) == 8 {
			w.bitmap[0] = binary.BigEndian.Uint64(bits)
		} else {
			for i, b := range bits {
				w.bitmap[i>>3] |= uint64(b) << uint(56-i&7*8)
			}
		}
	} else {
		nibbles := w.in.bitmap.enc.nibbles()
		for i, c := range bits {
			w.bitmap[i>>4] |= uint64(nibbles[c]) << uint(60-i&15*4)
		}
	}
	w.at = s.to()
}

// bitmapDue is the next of a walk whose bitmap could not be read.
const bitmapDue = -1

func (w *Subs) nextTag() bool {
	if w.at == len(w.raw) {
		return false
	}
	size := w.in.tagSize
	if size == 0 {
		size = berTagSize(w.raw[w.at:])
	}
	if size == 0 || size > len(w.raw)-w.at {
		w.broken = true
		return false
	}
	w.tag = w.at
	w.item = w.in.tagged(w.raw[w.at : w.at+size])
	f := &w.in.unknown
	if w.item != nil {
		f = &w.item.fieldCode
	} else if f.enc == encodingNone {
		w.broken = true
		return false
	}
	return w.take(f, w.at+size)
}

// tagged gives the item of a tag on the wire, nil when there is none.
func (in *inside) tagged(tag []byte) *item {
	if len(in.items) > fewItems {
		if i, known := in.byWire[string(tag)]; known {
			return &in.items[i]
		}
		return nil
	}
	for i := range in.items {
		if it := &in.items[i]; it.wire == string(tag) {
			return it
		}
	}
	return nil
}

// fewItems is up to how many items looking at each is faster than a map.
const fewItems = 8

// fault says why the walk could not go on.
func (w *Subs) fault() fail {
	if w.in.kind == InsideBitmapped && w.next == bitmapDue {
		_, bad := w.in.bitmap.read(w.raw, w.at)
		return bad
	}
	from := w.at
	if w.in.kind == InsideTagged {
		size := w.in.tagSize
		if size == 0 {
			size = berTagSize(w.raw[w.at:])
		}
		if size == 0 {
			return fail{reason: ReasonTagTooLong, at: w.at, want: maxBERTag}
		}
		if size > len(w.raw)-w.at {
			return fail{ReasonTruncated, w.at, size, len(w.raw) - w.at}
		}
		from += size
	}
	f := &w.in.unknown
	if w.item != nil {
		f = &w.item.fieldCode
	}
	if f.enc == encodingNone {
		return fail{reason: ReasonTagUnknown, at: w.at}
	}
	return f.extent(w.raw, from)
}

// maxBERTag bounds a tag; EMV has three bytes at most.
const maxBERTag = 4

// berTagSize is how many bytes the tag at the start of p takes, more than p has
// when it does not end there; 0 when it is too long.
func berTagSize(p []byte) int {
	if p[0]&0x1F != 0x1F {
		return 1
	}
	for i := 1; i < maxBERTag; i++ {
		if i >= len(p) || p[i] < 0x80 {
			return i + 1
		}
	}
	return 0
}
