// SPDX-License-Identifier: Apache-2.0

package iso8583

// node is a subfield waiting for Append; those of one composite are a list in
// the order in which they are written.
type node struct {
	slot
	index int32 // of the items
	next  int32 // index in nodes plus 1; 0 after the last
	raw   bool  // an unknown tag, copied: p has its tag and length too
}

// SetSub sets a subfield of field n, given by its tags in the specification, to
// characters or digits. What was set for the field as a whole is forgotten.
func (b *Builder) SetSub(n int, value []byte, path ...string) {
	if n < 2 || n > MaxField || b.layout == nil || len(path) == 0 {
		b.refuse(n)
		return
	}
	word, mask := bit(n)
	if b.has[word]&mask == 0 || b.slots[n].subs == 0 {
		b.set(n, slot{subs: noSubs})
	}
	s, in := &b.slots[n], b.layout.insides[n]
	for depth, tag := range path {
		index := int32(-1) // a tag that is not known is refused by Append
		if in != nil {
			if i, ok := in.byTag[tag]; ok {
				index = int32(i)
			}
		}
		at := b.insert(s, index)
		s = &b.nodes[at].slot
		if depth == len(path)-1 {
			*s = slot{p: value}
			return
		}
		if index < 0 {
			return
		}
		if in = in.items[index].inside; s.subs == 0 {
			*s = slot{subs: noSubs}
		}
	}
}

// noSubs is the subs of a composite to which no subfield was added yet.
const noSubs = -1

// insert finds or makes the node for an item in the list of s, which may move
// all nodes.
func (b *Builder) insert(s *slot, index int32) (at int32) {
	link := &s.subs
	*link = max(*link, 0)
	for ; *link != 0; link = &b.nodes[*link-1].next {
		switch nd := &b.nodes[*link-1]; {
		case nd.index == index:
			return *link - 1
		case nd.index > index:
			return b.put(link, index)
		}
	}
	return b.put(link, index)
}

// put makes a node in front of the one that link leads to.
func (b *Builder) put(link *int32, index int32) (at int32) {
	added := node{index: index, next: *link}
	*link = int32(len(b.nodes)) + 1 // before appending, which may move what link is in
	b.nodes = append(b.nodes, added)
	return *link - 1
}

// CopySubs sets the subfields of field n to those it has in v, one by one, so
// that SetSub can change them. Tags keep the order they have in v.
func (b *Builder) CopySubs(n int, v *View) {
	if !v.Has(n) {
		return
	}
	if b.layout == nil || b.layout.insides[n] == nil || v.layout.insides[n] == nil {
		b.Copy(n, v)
		return
	}
	b.set(n, slot{})
	list := b.copyAll(b.layout.insides[n], v.Subs(n))
	b.slots[n].subs = list
}

// copyAll makes the list of the subfields that w walks over, written for in.
func (b *Builder) copyAll(in *inside, w Subs) (list int32) {
	list = noSubs
	s, last := slot{subs: noSubs}, int32(-1)
	for w.Next() {
		sub := w.Sub()
		index, known := in.byTag[sub.Tag()]
		known = known && sub.item != nil
		if !known {
			index = -1
		}
		var at int32
		switch {
		case in.kind != InsideTagged:
			at = b.insert(&s, int32(index))
		case last < 0:
			s.subs = 0
			at = b.put(&s.subs, int32(index))
		default:
			at = b.put(&b.nodes[last].next, int32(index))
		}
		last = at
		if !known {
			b.nodes[at].raw = sub.item == nil && in.stepsOverLike(w.in)
			b.nodes[at].p = sub.raw[sub.tag:sub.s.to()]
			continue
		}
		if to := in.items[index].inside; to != nil && sub.item.inside != nil && !sub.item.inside.flat {
			inner := b.copyAll(to, sub.Subs())
			b.nodes[at].slot = slot{subs: inner}
			continue
		}
		from := len(b.scratch)
		b.scratch = sub.AppendText(b.scratch)
		b.nodes[at].slot = slot{p: b.scratch[from:]}
	}
	return s.subs
}

// stepsOverLike says whether both write tags they do not know alike, so that
// one can be taken over as it is.
func (in *inside) stepsOverLike(other *inside) bool {
	return in.kind == other.kind && in.tagSize == other.tagSize && in.unknown == other.unknown && in.unknown.enc != encodingNone
}

// writeComposite writes a field of subfields with its length behind b.work. The
// length is known only when they are all there: they make room for it then.
func (b *Builder) writeComposite(f *fieldCode, in *inside, s *slot) (bad fail) {
	if s.form == formWire {
		b.work, bad = f.append(b.work, s.p, true, int(s.chars))
		return bad
	}
	if s.form == formNumber && !in.digits {
		return fail{reason: ReasonNotNumeric}
	}
	start := len(b.work)
	switch {
	case s.subs != 0:
		bad = b.writeSubs(in, max(s.subs, 0))
	case in.flat:
		bad = b.writeFlat(in, s.p)
	default:
		if len(s.p) > int(f.max) {
			return fail{reason: ReasonLengthAboveMax, want: int(f.max), got: len(s.p)}
		}
		b.work = append(b.work, s.p...)
		bad = in.verify(b.work[start:], spanOf(0, 0, len(s.p), len(s.p)))
	}
	if bad.reason != "" {
		return bad
	}
	end := len(b.work)
	b.work, bad = f.append(b.work, nil, true, end-start)
	prefix := len(b.work) - end
	if bad.reason != "" || prefix == 0 {
		return bad
	}
	var held [2 * maxPrefix]byte
	copy(held[:], b.work[end:])
	copy(b.work[start+prefix:], b.work[start:end])
	copy(b.work[start:], held[:prefix])
	return bad
}

// writeSubs writes the listed subfields.
func (b *Builder) writeSubs(in *inside, first int32) (bad fail) {
	if in.kind == InsideBitmapped && (first != 0 || !in.mayStop) {
		b.writeInnerBitmap(in, first)
	}
	due := int32(0)
	for at := first; at != 0 && bad.reason == ""; at = b.nodes[at-1].next {
		nd := &b.nodes[at-1]
		if nd.raw {
			b.work = append(b.work, nd.p...)
			continue
		}
		if nd.index < 0 {
			return fail{reason: ReasonTagUnknown}
		}
		if in.kind == InsidePositional && nd.index != due {
			return fail{reason: ReasonSubfieldMissing, want: int(due) + 1, got: int(nd.index) + 1}
		}
		due++
		it := &in.items[nd.index]
		b.work = append(b.work, it.wire...)
		bad = b.writeItem(it, &nd.slot)
	}
	if in.kind == InsidePositional && int(due) < len(in.items) && bad.reason == "" && !in.mayStop {
		bad = fail{reason: ReasonSubfieldMissing, want: len(in.items), got: int(due)}
	}
	return bad
}

// writeFlat spreads text over subfields that lie in a row.
func (b *Builder) writeFlat(in *inside, text []byte) (bad fail) {
	whole := len(text)
	for i := range in.items {
		it := &in.items[i]
		if len(text) == 0 && in.mayStop {
			break
		}
		size := it.textSize()
		if len(text) < size {
			return fail{reason: ReasonLengthNotFixed, want: in.width, got: whole}
		}
		if bad = b.writeItem(it, &slot{p: text[:size]}); bad.reason != "" {
			return bad
		}
		text = text[size:]
	}
	if len(text) != 0 {
		return fail{reason: ReasonLengthAboveMax, want: in.width, got: whole}
	}
	return bad
}

func (b *Builder) writeItem(it *item, s *slot) (bad fail) {
	if it.inside != nil {
		return b.writeComposite(&it.fieldCode, it.inside, s)
	}
	if s.subs != 0 {
		return fail{reason: ReasonNoSubfields}
	}
	b.work, bad = b.appendPlain(b.work, &it.fieldCode, s)
	return bad
}

func (b *Builder) writeInnerBitmap(in *inside, first int32) {
	var bits [MaxField / 8]byte
	for at := first; at != 0; at = b.nodes[at-1].next {
		if i := b.nodes[at-1].index; i >= 0 {
			bit := in.items[i].bit - 1
			bits[bit>>3] |= 0x80 >> uint(bit&7)
		}
	}
	b.work, _ = in.bitmap.appendWire(b.work, bits[:in.bitmap.max])
}
