// SPDX-License-Identifier: Apache-2.0

package iso8583

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
)

// compileInside compiles the subfields of a composite that is written as c.
func compileInside(s *field.Spec, c fieldCode) (*inside, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if s.Packer != nil || s.Unpacker != nil {
		return nil, fmt.Errorf("own packers are not supported")
	}
	in := &inside{byTag: map[string]int{}, mayStop: c.prefLen > 0}
	tags := make([]string, 0, len(s.Subfields))
	for tag := range s.Subfields {
		tags = append(tags, tag)
	}
	slices.Sort(tags) // the specification's order need not be total
	var err error
	switch {
	case s.Bitmap != nil:
		slices.SortFunc(tags, byNumber)
		err = in.compileBitmapped(s, tags)
	case s.Tag.Enc != nil:
		s.Tag.Sort(tags)
		err = in.compileTagged(s, tags)
	default:
		s.Tag.Sort(tags)
		in.kind = InsidePositional
		err = in.compileItems(s, tags)
	}
	if err != nil {
		return nil, err
	}
	if size := in.measure(); in.flat && c.pref == prefixFixed && size != int(c.max) {
		return nil, fmt.Errorf("its length is %d, but its subfields take %d bytes", c.max, size)
	}
	in.identity = in.identify()
	return in, nil
}

func byNumber(a, b string) int {
	x, _ := strconv.Atoi(a) // Validate has looked at them
	y, _ := strconv.Atoi(b)
	return x - y
}

func (in *inside) compileItems(s *field.Spec, tags []string) error {
	if len(tags) == 0 && in.kind != InsideTagged {
		return fmt.Errorf("a composite without subfields")
	}
	in.items = make([]item, len(tags))
	for i, tag := range tags {
		it, f := &in.items[i], s.Subfields[tag]
		if f == nil || f.Spec() == nil {
			return fmt.Errorf("subfield %s: has no specification", tag)
		}
		it.tag, it.text = tag, f.Spec().Description
		var err error
		if it.fieldCode, it.inside, err = compileCode(f); err != nil {
			return fmt.Errorf("subfield %s: %w", tag, err)
		}
		in.byTag[tag] = i
	}
	return nil
}

func (in *inside) compileBitmapped(s *field.Spec, tags []string) error {
	in.kind = InsideBitmapped
	var err error
	if in.bitmap, err = compileBits(s.Bitmap.Spec()); err != nil {
		return err
	}
	if err := in.compileItems(s, tags); err != nil {
		return err
	}
	in.byBit = make([]int, 8*int(in.bitmap.max)+1)
	for i := range in.items {
		it := &in.items[i]
		it.bit, _ = strconv.Atoi(it.tag)
		if it.bit >= len(in.byBit) || it.tag != strconv.Itoa(it.bit) {
			return fmt.Errorf("subfield %s: no bit of a bitmap of %d bytes", it.tag, in.bitmap.max)
		}
		in.byBit[it.bit] = i + 1
	}
	return nil
}

func (in *inside) compileTagged(s *field.Spec, tags []string) error {
	in.kind, in.byWire = InsideTagged, map[string]int{}
	if err := in.compileItems(s, tags); err != nil {
		return err
	}
	ber := s.Tag.Enc == encoding.BerTLVTag
	if !ber && s.Tag.Length < 1 {
		return fmt.Errorf("tags of length %d", s.Tag.Length)
	}
	for i := range in.items {
		it := &in.items[i]
		wire, err := tagOnWire(s.Tag, it.tag)
		if err != nil {
			return fmt.Errorf("subfield %s: %w", it.tag, err)
		}
		if ber && (len(wire) > maxBERTag || berTagSize([]byte(wire)) != len(wire)) {
			return fmt.Errorf("subfield %s: not one BER tag of at most %d bytes", it.tag, maxBERTag)
		}
		it.wire, in.byWire[wire] = wire, i
		if !ber {
			in.tagSize = len(wire)
		}
	}
	if !s.Tag.SkipUnknownTLVTags || !ber && s.Tag.PrefUnknownTLV == nil {
		if len(tags) == 0 {
			return fmt.Errorf("a composite without subfields")
		}
		return nil
	}
	return in.compileUnknown(s.Tag, ber)
}

// compileUnknown compiles how a tag that is not known is stepped over.
func (in *inside) compileUnknown(s *field.TagSpec, ber bool) error {
	in.unknown = fieldCode{enc: EncodingBytes, pref: prefixBER, prefLen: 1, max: MaxMessage}
	if s.PrefUnknownTLV != nil {
		var err error
		if in.unknown.pref, in.unknown.prefLen, _, err = compilePrefix(s.PrefUnknownTLV); err != nil {
			return fmt.Errorf("unknown tags: %w", err)
		}
		if in.unknown.pref == prefixFixed {
			return fmt.Errorf("unknown tags: a fixed length is not known for them")
		}
	}
	if !ber && in.tagSize == 0 { // no tag is known
		wire, err := s.Enc.Encode([]byte(strings.Repeat("0", s.Length)))
		if err != nil {
			return fmt.Errorf("unknown tags: how long they are cannot be found out")
		}
		in.tagSize = len(wire)
	}
	return nil
}

// tagOnWire writes a tag as moov's codec does, and makes sure that it would read
// it back: a tag that it cannot find again is an error in the specification.
func tagOnWire(s *field.TagSpec, tag string) (string, error) {
	text := []byte(tag)
	if s.Pad != nil {
		text = s.Pad.Pad(text, s.Length)
	}
	wire, err := s.Enc.Encode(text)
	if err != nil {
		return "", fmt.Errorf("the tag cannot be written")
	}
	back, read, err := s.Enc.Decode(wire, s.Length)
	if err != nil || read != len(wire) {
		return "", fmt.Errorf("the tag is not %d long as written", s.Length)
	}
	if s.Pad != nil {
		back = s.Pad.Unpad(back)
	}
	if string(back) != tag {
		return "", fmt.Errorf("the tag would be read as another one")
	}
	return string(wire), nil
}

// measure finds out whether the subfields all have one length and lie in a row,
// and how many bytes they take then.
func (in *inside) measure() (at int) {
	in.flat, in.digits = in.kind == InsidePositional, true
	for i := range in.items {
		it := &in.items[i]
		if it.pref != prefixFixed || it.inside != nil && !it.inside.flat {
			in.flat = false
			break
		}
		in.digits = in.digits && (it.enc.numeric() || it.inside.isDigits())
		in.width += it.textSize()
		if it.inside == nil {
			in.leaves = append(in.leaves, leaf{it.fieldCode, at})
		} else {
			for _, inner := range it.inside.leaves {
				in.leaves = append(in.leaves, leaf{inner.code, at + inner.offset})
			}
		}
		at += it.enc.size(int(it.max))
	}
	if in.digits = in.digits && in.flat; !in.flat {
		in.leaves, in.width = nil, 0
		return at
	}
	in.size = at
	for i := range in.leaves {
		l := &in.leaves[i]
		if l.code.check >= checkHex || l.code.check == checkNibbles || l.code.enc.half() && l.code.max&1 != 0 {
			in.size = -1 // a look at each is needed
		}
		in.addRun(run{l.code.check, l.offset, l.offset + l.code.enc.size(int(l.code.max))})
	}
	return at
}

// addRun notes what bytes of a flat composite must be.
func (in *inside) addRun(r run) {
	if r.check == checkNone {
		return
	}
	if last := len(in.runs) - 1; last >= 0 && in.runs[last].check == r.check && in.runs[last].to == r.from {
		in.runs[last].to = r.to
		return
	}
	in.runs = append(in.runs, r)
}

// isDigits says whether a number can be spread over the composite, if it is one.
func (in *inside) isDigits() bool { return in != nil && in.digits }

// textSize is how many characters a subfield of fixed length has.
func (it *item) textSize() int {
	if it.inside != nil {
		return it.inside.width
	}
	return it.enc.textSize(int(it.max))
}

// identify describes all that decides how the value is written.
func (in *inside) identify() string {
	text := fmt.Sprint(in.kind, in.mayStop, in.tagSize, in.unknown, in.bitmap)
	for i := range in.items {
		it := &in.items[i]
		text += fmt.Sprintf("|%q %q %v", it.tag, it.wire, it.fieldCode)
		if it.inside != nil {
			text += "(" + it.inside.identity + ")"
		}
	}
	return text
}
