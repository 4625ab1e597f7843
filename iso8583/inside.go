// SPDX-License-Identifier: Apache-2.0

package iso8583

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
	leaves   []leaf    // flat: what it is made of, down to the last
	identity string    // equal when two layouts write it alike
}

// leaf is a subfield with a fixed place, counted from the composite's start.
type leaf struct {
	code   fieldCode
	offset int
}

// Sub is a subfield of a parsed message. Like the View it came from it points
// into the message's bytes. The zero Sub is an absent one.
type Sub struct {
	raw  []byte
	item *item // nil: a tag that the dialect lacks
	p    place
	tag  int // where its tag starts; p.from when it has none
}

// Subs walks over subfields: for it := v.Subs(n); it.Next(); { it.Sub() … }.
// Parse has looked at all of them before, so a walk does not fail.
type Subs struct {
	in     *inside
	raw    []byte // up to the end of the composite
	at     int
	next   int // item or bit that is due
	bitmap [words]uint64
	sub    Sub
	bad    fail
}

// walk starts a walk over the value of a composite.
func (in *inside) walk(raw []byte, p place) (w Subs) {
	w = Subs{in: in, raw: raw[:p.to], at: p.at}
	if in.kind == InsideBitmapped && (!in.mayStop || p.at != p.to) {
		w.readBitmap()
	}
	return w
}

// verify reads all subfields of a composite, down to the last.
func (in *inside) verify(raw []byte, p place) fail {
	w := in.walk(raw, p)
	for w.Next() {
		s := &w.sub
		if s.item == nil || s.item.inside == nil {
			continue
		}
		if bad := s.item.inside.verify(s.raw, s.p); bad.reason != "" {
			return bad
		}
	}
	if w.bad.reason == "" && w.at != p.to {
		return fail{reason: ReasonSubfieldsEnd, at: w.at, got: p.to - w.at}
	}
	return w.bad
}

// Next goes to the next subfield; false after the last.
func (w *Subs) Next() bool {
	if w.in == nil || w.bad.reason != "" {
		return false
	}
	switch w.in.kind {
	case InsidePositional:
		return w.nextPosition()
	case InsideTagged:
		return w.nextTag()
	}
	return w.nextBit()
}

// Sub is the subfield that Next went to.
func (w *Subs) Sub() Sub { return w.sub }

func (w *Subs) nextPosition() bool {
	if w.next == len(w.in.items) || w.in.mayStop && w.at == len(w.raw) {
		return false
	}
	w.next++
	return w.take(&w.in.items[w.next-1], w.at)
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
			return w.stop(fail{reason: ReasonTagUnknown, at: w.at})
		}
		return w.take(&w.in.items[w.in.byBit[w.next]-1], w.at)
	}
	return false
}

func (w *Subs) readBitmap() {
	p, bad := w.in.bitmap.read(w.raw, w.at)
	if bad.reason != "" {
		w.stop(bad)
		return
	}
	for i := range p.chars {
		b := w.raw[p.at+i]
		if nibbles := w.in.bitmap.enc.nibbles(); w.in.bitmap.enc != EncodingBytes {
			b = nibbles[w.raw[p.at+2*i]]<<4 | nibbles[w.raw[p.at+2*i+1]]
		}
		w.bitmap[i>>3] |= uint64(b) << uint(56-i&7*8)
	}
	w.at = p.to
}

func (w *Subs) nextTag() bool {
	if w.at == len(w.raw) {
		return false
	}
	size := w.in.tagSize
	if size == 0 {
		size = berTagSize(w.raw[w.at:])
	}
	if size == 0 {
		return w.stop(fail{reason: ReasonTagTooLong, at: w.at, want: maxBERTag})
	}
	if size > len(w.raw)-w.at {
		return w.stop(fail{ReasonTruncated, w.at, size, len(w.raw) - w.at})
	}
	tag, from := w.at, w.at+size
	w.sub.tag = tag
	if i, known := w.in.byWire[string(w.raw[tag:from])]; known {
		return w.take(&w.in.items[i], from)
	}
	if w.in.unknown.enc == encodingNone {
		return w.stop(fail{reason: ReasonTagUnknown, at: tag})
	}
	p, bad := w.in.unknown.read(w.raw, from)
	if bad.reason != "" {
		return w.stop(bad)
	}
	w.sub = Sub{raw: w.raw, p: p, tag: tag}
	w.at = p.to
	return true
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

// take reads one subfield; w.sub.tag is where its tag is, if it has one.
func (w *Subs) take(it *item, from int) bool {
	p, bad := it.read(w.raw, from)
	if bad.reason != "" {
		return w.stop(bad)
	}
	tag := from
	if w.in.kind == InsideTagged {
		tag = w.sub.tag
	}
	w.sub = Sub{raw: w.raw, item: it, p: p, tag: tag}
	w.at = p.to
	return true
}

func (w *Subs) stop(bad fail) bool {
	w.bad = bad
	return false
}
