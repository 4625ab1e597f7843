// SPDX-License-Identifier: Apache-2.0

package iso8583

// Subs walks over the subfields of field n; over none when it is absent or no
// composite.
func (v *View) Subs(n int) (w Subs) {
	if v.Has(n) && v.layout.insides[n] != nil {
		w.start(v.layout.insides[n], v.raw, v.spans[n])
	}
	return w
}

// Sub gives a subfield of field n by its tag in the specification ("3", "9F26"),
// or one within it by more tags. Of a tag that is there more than once it gives
// the first. Like map access it says whether it is there.
func (v *View) Sub(n int, path ...string) (Sub, bool) {
	return find(v.Subs(n), path)
}

// Sub gives a subfield of a subfield.
func (s Sub) Sub(path ...string) (Sub, bool) { return find(s.Subs(), path) }

func find(w Subs, path []string) (Sub, bool) {
	for depth, tag := range path {
		if w.in == nil {
			return Sub{}, false
		}
		i, known := w.in.byTag[tag]
		if !known {
			return Sub{}, false
		}
		want := &w.in.items[i]
		for w.Next() && w.item != want {
		}
		if w.item != want || w.broken {
			return Sub{}, false
		}
		if depth == len(path)-1 {
			return w.Sub(), true
		}
		w = w.Sub().Subs()
	}
	return Sub{}, false
}

// Subs walks over the subfield's own subfields.
func (s Sub) Subs() (w Subs) {
	if s.item != nil && s.item.inside != nil {
		w.start(s.item.inside, s.raw, s.s)
	}
	return w
}

// Known says whether the dialect has this subfield. One that it lacks was
// stepped over, as the dialect allows, and has a WireTag and Raw bytes only.
func (s Sub) Known() bool { return s.item != nil }

// Tag is the subfield's key in the specification; "" when not Known.
func (s Sub) Tag() string {
	if s.item == nil {
		return ""
	}
	return s.item.tag
}

// WireTag is the tag as it is on the wire; empty when there is none.
func (s Sub) WireTag() []byte { return s.raw[s.tag:s.s.from():s.s.from()] }

// Description is the dialect's own name for the subfield.
func (s Sub) Description() string {
	if s.item == nil {
		return ""
	}
	return s.item.text
}

// Encoding is how the subfield is written.
func (s Sub) Encoding() Encoding {
	if s.item == nil {
		return EncodingBytes
	}
	return s.item.enc
}

// Raw gives the value as it is on the wire, without tag and length prefix.
func (s Sub) Raw() []byte { return s.raw[s.s.at():s.s.to():s.s.to()] }

// Len is the length in the subfield's own unit: digits, characters or bytes.
func (s Sub) Len() int { return s.s.chars() }

// Span gives the subfield's bytes in the message: from is the first byte of its
// tag or length prefix, to the byte after its value.
func (s Sub) Span() (from, to int) { return s.tag, s.s.to() }

// AppendText appends the characters, as View.AppendText does.
func (s Sub) AppendText(dst []byte) []byte {
	if s.item == nil {
		return append(dst, s.Raw()...)
	}
	return s.item.appendText(dst, s.raw, s.s, s.item.inside)
}

// Uint gives the subfield as a number; ok is false when it is none, or too large.
func (s Sub) Uint() (u uint64, ok bool) {
	if s.item == nil || !s.item.enc.numeric() || s.s.chars() == 0 || s.s.chars() > maxUintDigits {
		return 0, false
	}
	var digits [maxUintDigits]byte
	return decimal(s.AppendText(digits[:0]))
}

// appendText appends the characters of a field, whole or composite.
func (f *fieldCode) appendText(dst, raw []byte, s span, in *inside) []byte {
	if in == nil || !in.flat {
		return f.enc.appendText(dst, raw[s.at():s.to()], s.chars())
	}
	for i := range in.leaves {
		leaf := &in.leaves[i]
		at := s.at() + leaf.offset
		if at >= s.to() {
			break // the last ones are missing
		}
		chars := int(leaf.code.max)
		dst = leaf.code.enc.appendText(dst, raw[at:at+leaf.code.enc.size(chars)], chars)
	}
	return dst
}

// Inside tells how a composite is made, for those who print or check a dialect.
// The zero Inside is that of a field kept whole.
type Inside struct{ in *inside }

// Inside gives the inside of field n.
func (l *Layout) Inside(n int) Inside {
	if !l.Defines(n) {
		return Inside{}
	}
	return Inside{l.insides[n]}
}

// Kind says how the subfields follow each other.
func (i Inside) Kind() InsideKind {
	if i.in == nil {
		return InsideNone
	}
	return i.in.kind
}

// Size is how many subfields there can be.
func (i Inside) Size() int {
	if i.in == nil {
		return 0
	}
	return len(i.in.items)
}

// At describes a subfield, in the order in which they are written.
func (i Inside) At(index int) InsideField { return InsideField{&i.in.items[index]} }

// Field describes a subfield by its tag.
func (i Inside) Field(tag string) (InsideField, bool) {
	if i.in == nil {
		return InsideField{}, false
	}
	index, ok := i.in.byTag[tag]
	if !ok {
		return InsideField{}, false
	}
	return i.At(index), true
}

// InsideField describes a subfield.
type InsideField struct{ item *item }

// Tag is its key in the specification.
func (f InsideField) Tag() string { return f.item.tag }

// Description is the dialect's own name for it.
func (f InsideField) Description() string { return f.item.text }

// Encoding is how it is written.
func (f InsideField) Encoding() Encoding { return f.item.enc }

// Max is the most characters it can hold.
func (f InsideField) Max() int { return int(f.item.max) }

// Fixed says whether it has one length only.
func (f InsideField) Fixed() bool { return f.item.pref == prefixFixed }

// Inside is what it is made of itself.
func (f InsideField) Inside() Inside { return Inside{f.item.inside} }
