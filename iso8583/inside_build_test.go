// SPDX-License-Identifier: Apache-2.0

package iso8583_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"

	"tapswitch/iso8583"
)

// What cannot be written is refused with the field and the reason.
func TestSubfieldsRefused(t *testing.T) {
	l := compiled(t, compositeSpec())
	set := func(n int, value string, path ...string) func(*iso8583.Builder) {
		return func(b *iso8583.Builder) { b.SetSub(n, []byte(value), path...) }
	}
	whole := func(n int, value string) func(*iso8583.Builder) {
		return func(b *iso8583.Builder) { b.SetString(n, value) }
	}
	tests := []struct {
		set    func(*iso8583.Builder)
		field  int
		reason string
	}{
		{set(3, "00", "1"), 3, iso8583.ReasonSubfieldMissing},
		{set(3, "00", "2"), 3, iso8583.ReasonSubfieldMissing},
		{set(54, "02", "2"), 54, iso8583.ReasonSubfieldMissing},
		{set(55, "x", "9F99"), 55, iso8583.ReasonTagUnknown},
		{set(55, "x", "9F26", "1"), 55, iso8583.ReasonNoSubfields},
		{set(55, "too long for its tag", "9F26"), 55, iso8583.ReasonLengthAboveMax},
		{set(55, "x", "70", "95"), 55, iso8583.ReasonTagUnknown},
		{set(62, "1x", "2"), 62, iso8583.ReasonLengthNotFixed},
		{set(62, "12345678901234x", "2"), 62, iso8583.ReasonNotDigit},
		{set(70, "1", "1"), 70, iso8583.ReasonNoSubfields},
		{set(2, "1", "1"), 2, iso8583.ReasonFieldUnknown},
		{set(200, "1", "1"), 200, iso8583.ReasonFieldUnknown},
		{set(55, "1"), 55, iso8583.ReasonFieldUnknown},
		{whole(3, "00102"), 3, iso8583.ReasonLengthNotFixed},
		{whole(3, "0010200"), 3, iso8583.ReasonLengthAboveMax},
		{whole(3, "00102x"), 3, iso8583.ReasonNotDigit},
		{whole(55, "\x95\x05abc"), 55, iso8583.ReasonTruncated},
		{whole(62, "short"), 62, iso8583.ReasonTruncated},
		{func(b *iso8583.Builder) { b.SetUint(55, 1) }, 55, iso8583.ReasonNotNumeric},
	}
	var b iso8583.Builder
	for i, tt := range tests {
		b.Reset(l, 0x0100)
		tt.set(&b)
		out, err := b.Append([]byte("before"))
		wantReason(t, err, tt.field, tt.reason)
		if string(out) != "before" {
			t.Errorf("case %d: dst is %q", i, out)
		}
	}
}

// What cannot be read is refused where it lies.
func TestSubfieldsWrong(t *testing.T) {
	l := compiled(t, compositeSpec())
	tests := []struct {
		n      int
		wire   string // prefix and value
		reason string
		offset int // from the field's start
	}{
		{55, "\x03\x95\x05a", iso8583.ReasonTruncated, 3},
		{55, "\x01\x9F", iso8583.ReasonTruncated, 1},
		{55, "\x05\x9F\x80\x80\x80\x01", iso8583.ReasonTagTooLong, 1},
		{55, "\x04\x95\x80\x00\x00", iso8583.ReasonPrefixNotDigits, 2},
		{55, "\x07\x95\x85\x00\x00\x00\x00\x00", iso8583.ReasonPrefixNotDigits, 2},
		{55, "\x04\x95\x81\x06a", iso8583.ReasonLengthAboveMax, 2},
		{55, "\x05\x70\x03\x95\x01a", iso8583.ReasonTagUnknown, 3},
		{60, "00401ab", iso8583.ReasonPrefixNotDigits, 5},
		{60, "0040401", iso8583.ReasonTagUnknown, 3},
		{61, "\x01A", iso8583.ReasonTruncated, 1},
		{61, "\x12AB04four0400", iso8583.ReasonTruncated, 11},
		{61, "\x11AB02xx02yyz", iso8583.ReasonSubfieldsEnd, 11},
		{62, "\x04\x80\x00\x00\x00", iso8583.ReasonTruncated, 1},
		{62, "\x08\x10\x00\x00\x00\x00\x00\x00\x00", iso8583.ReasonTagUnknown, 9},
		{63, "\x0600000G", iso8583.ReasonNotHex, 1},
	}
	for i, tt := range tests {
		raw := []byte("0100\x00\x00\x00\x00\x00\x00\x00\x00")
		raw[4+(tt.n-1)/8] = 0x80 >> ((tt.n - 1) % 8)
		start := len(raw)
		raw = append(raw, tt.wire...)
		var v iso8583.View
		e := wantReason(t, l.Parse(raw, &v), tt.n, tt.reason)
		if e.Offset != start+tt.offset {
			t.Errorf("case %d: %v, want it at %d", i, e, start+tt.offset)
		}
	}
}

// A composite of fixed places is also its characters in a row, as the same field
// kept whole would be; others are their bytes.
func TestCompositeAsText(t *testing.T) {
	l := compiled(t, compositeSpec())
	var b iso8583.Builder
	b.Reset(l, 0x0100)
	b.SetUint(3, 1020)
	b.SetString(53, "20010000029999")
	b.SetString(90, "020050007908240615540004843166500000000000")
	b.SetString(55, "\x95\x05abcde\xDF\x01\x01z")
	b.SetString(150, "yz")
	raw := mustAppend(t, &b)
	var v iso8583.View
	if err := l.Parse(raw, &v); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]string{3: "001020", 53: "20010000029999", 55: "\x95\x05abcde\xDF\x01\x01z", 150: "yz",
		90: "020050007908240615540004843166500000000000"} {
		if got := string(v.AppendText(nil, n)); got != want {
			t.Errorf("field %d is %q, want %q", n, got, want)
		}
	}
	if u, err := v.Uint(3); u != 1020 || err != nil {
		t.Errorf("field 3 is %d, %v", u, err)
	}
	if got := v.Raw(3); !bytes.Equal(got, []byte{0, 0x10, 0x20}) {
		t.Errorf("field 3 is written %X", got)
	}
	if s, ok := v.Sub(3, "2"); !ok || s.Len() != 2 || s.Description() != "" || s.Encoding() != iso8583.EncodingBCD {
		t.Errorf("subfield 3.2 is %d long", s.Len())
	} else if u, ok := s.Uint(); !ok || u != 10 {
		t.Errorf("subfield 3.2 is %d", u)
	}
}

// A composite crosses to a dialect that writes it otherwise, or keeps it whole,
// and back.
func TestCopyComposites(t *testing.T) {
	digits := func(n int) field.Field { return sub(n, encoding.ASCII, prefix.ASCII.Fixed) }
	spec := compositeSpec()
	spec.Fields[3] = digits(6)
	spec.Fields[48] = tagged(999, prefix.ASCII.LLL, field.TagSpec{Length: 2, Enc: encoding.ASCII}, map[string]field.Field{
		"26": sub(3, encoding.ASCII, prefix.ASCII.LL), "92": sub(3, encoding.ASCII, prefix.ASCII.LLL),
		"42": positional(7, prefix.ASCII.LL, map[string]field.Field{"1": digits(2), "2": digits(3)})})
	spec.Fields[53] = digits(14)
	spec.Fields[62] = tagged(255, prefix.ASCII.LLL, field.TagSpec{Length: 2, Enc: encoding.BCD}, map[string]field.Field{
		"01": digits(1), "02": digits(15), "23": digits(2), "64": digits(4)})
	delete(spec.Fields, 62) // its tags differ: 1 is not 01
	here, there := compiled(t, compositeSpec()), compiled(t, spec)
	var b iso8583.Builder
	setParts(&b, here)
	b.Unset(62)
	raw := mustAppend(t, &b)
	var v, other iso8583.View
	if err := here.Parse(raw, &v); err != nil {
		t.Fatal(err)
	}
	copyAll := func(l *iso8583.Layout, from *iso8583.View) []byte {
		b.Reset(l, from.MTI())
		for n := from.Next(0); n != 0; n = from.Next(n) {
			b.Copy(n, from)
		}
		return mustAppend(t, &b)
	}
	over := copyAll(there, &v)
	if err := there.Parse(over, &other); err != nil {
		t.Fatal(err)
	}
	if got := string(other.AppendText(nil, 48)); got != "2603216420501210"+"92003123" {
		t.Errorf("field 48 is %q", got)
	}
	if got := string(other.AppendText(nil, 53)); got != "20010000029999" {
		t.Errorf("field 53 is %q", got)
	}
	if back := copyAll(here, &other); !bytes.Equal(back, raw) {
		t.Errorf("came back as %X\nwent as %X", back, raw)
	}
}

// CopySubs keeps what is not known and the order of tags, and lets one be changed.
func TestCopySubsThenChange(t *testing.T) {
	l := compiled(t, compositeSpec())
	var b iso8583.Builder
	b.Reset(l, 0x0100)
	b.SetString(55, "\xDF\x01\x01z\x95\x05abcde\xDF\x01\x01y\x5A\x01\x47")
	var v iso8583.View
	if err := l.Parse(mustAppend(t, &b), &v); err != nil {
		t.Fatal(err)
	}
	var next iso8583.Builder
	next.Reset(l, 0x0100)
	next.CopySubs(55, &v)
	next.SetSub(55, []byte("fghij"), "95")
	var w iso8583.View
	if err := l.Parse(mustAppend(t, &next), &w); err != nil {
		t.Fatal(err)
	}
	if got, want := string(w.Raw(55)), "\xDF\x01\x01z\x95\x05fghij\xDF\x01\x01y\x5A\x01\x47"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	var tags []string
	for it := w.Subs(55); it.Next(); {
		s := it.Sub()
		tags = append(tags, s.Tag()+string(hexed(s.WireTag())))
	}
	if got, want := len(tags), 4; got != want || tags[0] != "DF01" || tags[1] != "9595" {
		t.Errorf("tags are %q", tags)
	}
}

// Reading and writing subfields allocates nothing.
func TestSubfieldsDoNotAllocate(t *testing.T) {
	l := compiled(t, compositeSpec())
	var b iso8583.Builder
	setParts(&b, l)
	raw := mustAppend(t, &b)
	var v iso8583.View
	out, text := make([]byte, 0, 2*len(raw)), make([]byte, 0, 256)
	value := []byte("00")
	found := 0
	if n := testing.AllocsPerRun(100, func() {
		if err := l.Parse(raw, &v); err != nil {
			t.Error(err)
		}
		for n := v.Next(0); n != 0; n = v.Next(n) {
			for it := v.Subs(n); it.Next(); {
				s := it.Sub()
				text = s.AppendText(text[:0])
				for inner := s.Subs(); inner.Next(); {
					found += inner.Sub().Len()
				}
			}
			text = v.AppendText(text[:0], n)
		}
		if s, ok := v.Sub(55, "70", "84"); !ok || s.Len() != 7 {
			t.Error("55.70.84 is not there")
		}
		b.Reset(l, 0x0100)
		b.SetSub(126, value, "5", "2", "2")
		b.Unset(126)
		for n := v.Next(0); n != 0; n = v.Next(n) {
			b.CopySubs(n, &v)
		}
		if again, err := b.Append(out); err != nil || !bytes.Equal(again, raw) {
			t.Error(err)
		}
	}); n != 0 || found == 0 {
		t.Errorf("%v allocations, %d found", n, found)
	}
}

// manyTags is a message of the smallest tags there are, known and not.
func manyTags(t testing.TB, size int) (*iso8583.Layout, []byte) {
	l := compiled(t, specWith(55, tagged(65535, prefix.Binary.LL, field.TagSpec{Enc: encoding.BerTLVTag, SkipUnknownTLVTags: true},
		map[string]field.Field{"95": field.NewBinary(&field.Spec{Length: 5, Enc: encoding.Binary, Pref: prefix.BerTLV})})))
	var b iso8583.Builder
	b.Reset(l, 0x0100)
	b.SetBytes(55, bytes.Repeat([]byte{0x95, 0, 0xC1, 0}, size/4))
	return l, mustAppend(t, &b)
}

// The longest message of them comes through.
func TestManyTags(t *testing.T) {
	l, raw := manyTags(t, 65000)
	var v iso8583.View
	if err := l.Parse(raw, &v); err != nil {
		t.Fatal(err)
	}
	var b iso8583.Builder
	b.Reset(l, 0x0200)
	b.CopySubs(55, &v)
	if again := mustAppend(t, &b); !bytes.Equal(again[2:], raw[2:]) {
		t.Error("came back otherwise")
	}
}

// BenchmarkManyTags shows that the time is in proportion to the length.
func BenchmarkManyTags(b *testing.B) {
	for _, size := range []int{1000, 8000, 64000} {
		l, raw := manyTags(b, size)
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			var v iso8583.View
			var build iso8583.Builder
			out := make([]byte, 0, 1<<17)
			for b.Loop() {
				if err := l.Parse(raw, &v); err != nil {
					b.Fatal(err)
				}
				build.Reset(l, 0x0100)
				build.CopySubs(55, &v)
				if _, err := build.Append(out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
