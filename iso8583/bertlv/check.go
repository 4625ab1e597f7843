// SPDX-License-Identifier: Apache-2.0

package bertlv

// MaxTags bounds the different tags of one level that Check accepts. Field 55
// has room for fewer: two bytes for each of the one-byte tags, three for each
// of the others.
const MaxTags = 512

// Check reads everything, templates too, and refuses a fault, a tag that comes
// twice in one level, and nesting beyond MaxDepth. Templates that EMV repeats
// by design (61, 70 …) may come again. It allocates nothing, and its time is
// linear in the length of the data.
func Check(data []byte) error { return check(data, 0, 1) }

func check(data []byte, base, depth int) error {
	if err := unique(data); err != nil {
		return &Error{base + err.Offset, err.Reason}
	}
	w := NewWalker(data)
	for w.Next() {
		if !w.Tag.Constructed() {
			continue
		}
		if depth == MaxDepth {
			return &Error{base + w.Offset, TooDeep}
		}
		if err := check(w.Value, base+w.Offset+w.HeaderLen(), depth+1); err != nil {
			return err
		}
	}
	if w.err != nil {
		return &Error{base + w.err.Offset, w.err.Reason}
	}
	return nil
}

// few is the number of tags up to which comparing each with each is cheaper than
// a table.
const few = 24

// unique refuses the second of two equal tags, and more tags than MaxTags.
func unique(data []byte) *Error {
	var tags [few]Tag
	n := 0
	w := NewWalker(data)
	for w.Next() {
		if w.Tag.Constructed() {
			continue
		}
		for _, t := range tags[:n] {
			if t == w.Tag {
				return &Error{w.Offset, TagDuplicate}
			}
		}
		if n == few {
			return uniqueOfMany(data)
		}
		tags[n] = w.Tag
		n++
	}
	return nil
}

// uniqueOfMany is unique with an open hash table.
func uniqueOfMany(data []byte) *Error {
	var slots [2 * MaxTags]Tag // 0 is no tag: zero bytes are padding
	n := 0
	w := NewWalker(data)
	for w.Next() {
		if w.Tag.Constructed() {
			continue
		}
		at := int(uint32(w.Tag) * 2654435761 >> 22) // ten bits, the size of the table
		for slots[at] != 0 && slots[at] != w.Tag {
			at = (at + 1) % len(slots)
		}
		if slots[at] == w.Tag {
			return &Error{w.Offset, TagDuplicate}
		}
		if n == MaxTags {
			return &Error{w.Offset, TooManyTags}
		}
		slots[at] = w.Tag
		n++
	}
	return nil
}
