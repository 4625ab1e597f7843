// SPDX-License-Identifier: Apache-2.0

package bertlv

import "fmt"

// MaxTag is the longest tag in bytes; EMV uses three at most (DF81xx).
const MaxTag = 4

// MaxDepth bounds nesting: PPSE, the deepest template of EMV, has four levels.
const MaxDepth = 8

// MaxLength bounds one value; a longer one fits in no APDU and no field.
const MaxLength = 65535

// Tag is the tag's bytes as one big-endian number: 0x9F02, 0x82, 0xBF0C.
type Tag uint32

// Constructed reports that the value holds further objects.
func (t Tag) Constructed() bool {
	return t.firstByte()&0x20 != 0
}

func (t Tag) firstByte() byte {
	for t > 0xFF {
		t >>= 8
	}
	return byte(t)
}

// String gives the tag in hex digits: "9F02".
func (t Tag) String() string { return fmt.Sprintf("%02X", uint32(t)) }

// Reason says which rule the data broke; a closed set, fit for counting.
type Reason string

// The reasons.
const (
	TagTruncated    Reason = "tlv_tag_truncated"
	TagTooLong      Reason = "tlv_tag_too_long"
	TagDuplicate    Reason = "tlv_tag_duplicate"
	LengthTruncated Reason = "tlv_length_truncated"
	LengthForm      Reason = "tlv_length_form_not_supported"
	LengthTooLong   Reason = "tlv_length_too_long"
	ValueTruncated  Reason = "tlv_value_truncated"
	TooDeep         Reason = "tlv_nested_too_deep"
	TooManyTags     Reason = "tlv_too_many_tags"
)

// Error is a fault of the data: where and which rule, never the bytes.
type Error struct {
	Offset int // of the object at fault, in the data the caller handed in
	Reason Reason
}

// Error gives offset and reason.
func (e *Error) Error() string {
	return fmt.Sprintf("bertlv: byte %d: %s", e.Offset, e.Reason)
}

// Walker steps over the objects of one level. Tag, Value and Offset describe
// the object of the last Next that returned true; Value aliases the data.
type Walker struct {
	Tag    Tag
	Value  []byte
	Offset int // of the object's tag

	data []byte
	next int
	err  *Error
}

// NewWalker starts before the first object of data.
func NewWalker(data []byte) Walker { return Walker{data: data} }

// Next steps to the next object; false at the end of the data or at a fault.
func (w *Walker) Next() bool {
	if w.err != nil {
		return false
	}
	for w.next < len(w.data) && w.data[w.next] == 0 {
		w.next++ // padding between objects
	}
	if w.next >= len(w.data) {
		return false
	}
	w.Offset = w.next
	tag, n, reason := readTag(w.data[w.next:])
	if reason != "" {
		return w.fail(reason)
	}
	at := w.next + n
	size, n, reason := readLength(w.data[at:])
	if reason != "" {
		return w.fail(reason)
	}
	at += n
	if size > len(w.data)-at {
		return w.fail(ValueTruncated)
	}
	w.Tag, w.Value, w.next = tag, w.data[at:at+size:at+size], at+size
	return true
}

// Err is the fault that ended the walk, nil when the data ended it.
func (w *Walker) Err() error {
	if w.err == nil {
		return nil
	}
	return w.err
}

// Fault is Err as the type it is.
func (w *Walker) Fault() *Error { return w.err }

// HeaderLen is how many bytes tag and length of the object have: its value
// begins at Offset+HeaderLen.
func (w *Walker) HeaderLen() int { return w.next - len(w.Value) - w.Offset }

func (w *Walker) fail(reason Reason) bool {
	w.Tag, w.Value = 0, nil
	w.err = &Error{w.Offset, reason}
	return false
}

func readTag(data []byte) (tag Tag, n int, reason Reason) {
	tag = Tag(data[0])
	if data[0]&0x1F != 0x1F {
		return tag, 1, ""
	}
	for n = 1; ; n++ {
		if n == MaxTag {
			return 0, 0, TagTooLong
		}
		if n == len(data) {
			return 0, 0, TagTruncated
		}
		tag = tag<<8 | Tag(data[n])
		if data[n]&0x80 == 0 {
			return tag, n + 1, ""
		}
	}
}

func readLength(data []byte) (size, n int, reason Reason) {
	if len(data) == 0 {
		return 0, 0, LengthTruncated
	}
	first := data[0]
	if first < 0x80 {
		return int(first), 1, ""
	}
	more := int(first & 0x7F)
	if more == 0 || more > 3 { // indefinite form, or longer than anything here
		return 0, 0, LengthForm
	}
	if len(data) < 1+more {
		return 0, 0, LengthTruncated
	}
	for _, b := range data[1 : 1+more] {
		size = size<<8 | int(b)
	}
	if size > MaxLength {
		return 0, 0, LengthTooLong
	}
	return size, 1 + more, ""
}

// Find returns the value of the first object with that tag at the top level.
// It looks no further than the first fault: data of unknown origin goes through
// Check first.
func Find(data []byte, tag Tag) (value []byte, ok bool) {
	w := NewWalker(data)
	for w.Next() {
		if w.Tag == tag {
			return w.Value, true
		}
	}
	return nil, false
}

// Path follows tags from level to level, the first of each, and returns the
// value of the last: Path(fci, 0x6F, 0xA5, 0x9F38).
func Path(data []byte, tags ...Tag) (value []byte, ok bool) {
	for _, tag := range tags {
		if data, ok = Find(data, tag); !ok {
			return nil, false
		}
	}
	return data, ok
}

// Walk calls each object of the top level in the order of the data. It returns
// the data's fault or the first error of each.
func Walk(data []byte, each func(tag Tag, value []byte) error) error {
	w := NewWalker(data)
	for w.Next() {
		if err := each(w.Tag, w.Value); err != nil {
			return err
		}
	}
	return w.Err()
}

// Append appends one object with the shortest length. A value beyond MaxLength
// is the caller's mistake, and so is tag 0, which would read as padding: nothing
// is appended.
func Append(dst []byte, tag Tag, value []byte) []byte {
	if len(value) > MaxLength || tag == 0 {
		return dst
	}
	for shift := 24; shift >= 0; shift -= 8 {
		if b := byte(tag >> shift); b != 0 || tag>>shift != 0 {
			dst = append(dst, b)
		}
	}
	switch n := len(value); {
	case n < 0x80:
		dst = append(dst, byte(n))
	case n <= 0xFF:
		dst = append(dst, 0x81, byte(n))
	default:
		dst = append(dst, 0x82, byte(n>>8), byte(n))
	}
	return append(dst, value...)
}
