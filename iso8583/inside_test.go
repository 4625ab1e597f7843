// SPDX-License-Identifier: Apache-2.0

package iso8583_test

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"

	moov "github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"
	moovsort "github.com/moov-io/iso8583/sort"

	"tapswitch/iso8583"
)

// sub makes a field of a composite.
func sub(length int, enc encoding.Encoder, pref prefix.Prefixer) field.Field {
	return field.NewString(&field.Spec{Length: length, Enc: enc, Pref: pref})
}

// compositeSpec has a composite of every kind in the fields that carry one.
func compositeSpec() *moov.MessageSpec {
	ascii := func(n int) field.Field { return sub(n, encoding.ASCII, prefix.ASCII.Fixed) }
	bcd := func(n int) field.Field { return sub(n, encoding.BCD, prefix.BCD.Fixed) }
	ebc := func(n int) field.Field { return sub(n, encoding.EBCDIC, prefix.EBCDIC.Fixed) }
	raw := func(n int) field.Field {
		return field.NewBinary(&field.Spec{Length: n, Enc: encoding.Binary, Pref: prefix.BerTLV})
	}
	ber := field.TagSpec{Enc: encoding.BerTLVTag, Sort: moovsort.StringsByHex}
	open := ber
	open.SkipUnknownTLVTags, open.StoreUnknownTLVTags = true, true
	zeros := field.TagSpec{Length: 2, Enc: encoding.ASCII, Pad: padding.Left('0'), Sort: moovsort.StringsByInt}
	subelements := field.TagSpec{Length: 2, Enc: encoding.EBCDIC, Sort: moovsort.StringsByInt, SkipUnknownTLVTags: true, PrefUnknownTLV: prefix.EBCDIC.LL}
	bits8 := field.Spec{Length: 8, Enc: encoding.Binary, Pref: prefix.Binary.Fixed}
	bits3 := field.Spec{Length: 3, Enc: encoding.BytesToASCIIHex, Pref: prefix.Hex.Fixed}
	return &moov.MessageSpec{Name: "composites", Fields: map[int]field.Field{
		0:  sub(4, encoding.ASCII, prefix.ASCII.Fixed),
		1:  field.NewBitmap(&bits8),
		3:  positional(3, prefix.BCD.Fixed, map[string]field.Field{"1": bcd(2), "2": bcd(2), "3": bcd(2)}),
		43: positional(40, prefix.ASCII.Fixed, map[string]field.Field{"1": ascii(25), "2": ascii(13), "3": ascii(2)}),
		48: tagged(999, prefix.EBCDIC.LLL, subelements, map[string]field.Field{
			"26": sub(3, encoding.EBCDIC, prefix.EBCDIC.LL), "42": positional(7, prefix.EBCDIC.LL, map[string]field.Field{"1": ebc(2), "2": ebc(3)}),
			"92": sub(3, encoding.EBCDIC, prefix.EBCDIC.LL)}),
		53: positional(8, prefix.Binary.L, map[string]field.Field{"1": ebc(2), "2": bcd(4), "3": bcd(4), "4": bcd(4)}),
		54: positional(120, prefix.ASCII.LLL, map[string]field.Field{"1": ascii(2), "2": ascii(2), "3": ascii(3), "4": ascii(13)}),
		55: tagged(255, prefix.Binary.L, open, map[string]field.Field{"9F26": raw(8), "95": raw(5), "9F02": raw(6), "5A": raw(10),
			"70": tagged(255, prefix.BerTLV, ber, map[string]field.Field{"84": raw(16), "5F24": raw(3)})}),
		60: tagged(200, prefix.ASCII.LLL, zeros, map[string]field.Field{"1": sub(20, encoding.ASCII, prefix.ASCII.LL), "3": ascii(4), "12": sub(9, encoding.ASCII, prefix.None.Fixed)}),
		61: positional(30, prefix.BCD.LL, map[string]field.Field{"1": ascii(2), "2": sub(9, encoding.ASCII, prefix.ASCII.LL), "3": sub(9, encoding.ASCII, prefix.ASCII.LL)}),
		62: bitmapped(255, prefix.Binary.L, bits8, map[string]field.Field{"1": ebc(1), "2": sub(15, encoding.BCD, prefix.BCD.Fixed), "23": ebc(2), "64": ebc(4)}),
		63: bitmapped(255, prefix.Binary.L, bits3, map[string]field.Field{"1": bcd(4), "3": bcd(4), "19": ebc(3)}),
		70: sub(3, encoding.BCD, prefix.BCD.Fixed),
		90: positional(42, prefix.ASCII.Fixed, map[string]field.Field{"1": ascii(4), "2": ascii(6), "3": ascii(10), "4": ascii(11), "5": ascii(11)}),
		126: bitmapped(255, prefix.Binary.L, bits8, map[string]field.Field{"10": ebc(6),
			"5": positional(4, prefix.Binary.L, map[string]field.Field{"1": ebc(1), "2": positional(3, prefix.ASCII.Fixed, map[string]field.Field{"1": ebc(1), "2": bcd(4)})})}),
		150: positional(3, prefix.ASCII.L, map[string]field.Field{"1": ascii(2), "2": ascii(1)}),
	}}
}

// part is a subfield set by a test.
type part struct {
	n    int
	path string
	text string
}

// parts is something in every composite, in the order in which it is written.
var parts = []part{
	{3, "1", "00"}, {3, "2", "10"}, {3, "3", "20"},
	{43, "1", "THE OLD BOOK SHOP        "}, {43, "2", "SPRINGFIELD  "}, {43, "3", "US"},
	{48, "26", "216"}, {48, "42.1", "01"}, {48, "42.2", "210"}, {48, "92", "123"},
	{53, "1", "20"}, {53, "2", "0100"}, {53, "3", "0002"}, {53, "4", "9999"},
	{54, "1", "00"}, {54, "2", "02"}, {54, "3", "840"}, {54, "4", "C000000001000"},
	{55, "5A", "\x47\x61\x73\x90\x01\x01\x01\x19"}, {55, "70.84", "\xA0\x00\x00\x00\x03\x10\x10"}, {55, "70.5F24", "\x29\x12\x31"},
	{55, "95", "\x00\x00\x00\x80\x00"}, {55, "9F26", "\x46\xFD\x62\x98\x5C\xAA\xE7\x58"},
	{60, "1", "hello"}, {60, "3", "abcd"}, {60, "12", "the rest"},
	{61, "1", "AB"}, {61, "2", "four"}, {61, "3", ""},
	{62, "1", "E"}, {62, "2", "123456789012345"}, {62, "23", "C1"}, {62, "64", "last"},
	{63, "1", "0002"}, {63, "19", "XYZ"},
	{90, "1", "0200"}, {90, "2", "500079"}, {90, "3", "0824061554"}, {90, "4", "00048431665"}, {90, "5", "00000000000"},
	{126, "5.1", "Q"}, {126, "5.2.1", "R"}, {126, "5.2.2", "4711"}, {126, "10", "112345"},
	{150, "1", "yz"}, {150, "2", "!"},
}

func compiled(t testing.TB, spec *moov.MessageSpec) *iso8583.Layout {
	t.Helper()
	l, err := iso8583.Compile(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// setParts sets parts in an order that is not that of the wire.
func setParts(b *iso8583.Builder, l *iso8583.Layout) {
	b.Reset(l, 0x0100)
	for i := range parts {
		p := parts[(i*29+7)%len(parts)]
		b.SetSub(p.n, []byte(p.text), strings.Split(p.path, ".")...)
	}
}

// Subfields set in any order are written as moov writes them, read as it reads
// them, and found one by one.
func TestSubfields(t *testing.T) {
	spec := compositeSpec()
	l := compiled(t, spec)
	var b iso8583.Builder
	setParts(&b, l)
	raw := mustAppend(t, &b)
	theirs := moov.NewMessage(spec)
	theirs.MTI("0100")
	for _, p := range parts {
		id := field.NewBinaryValue([]byte(p.text))
		var err error
		if p.n == 55 {
			err = theirs.MarshalPath(pathOf(p), id)
		} else {
			err = theirs.MarshalPath(pathOf(p), p.text)
		}
		if err != nil {
			t.Fatal(p, err)
		}
	}
	if packed, err := theirs.Pack(); err != nil || !bytes.Equal(packed, raw) {
		t.Fatalf("built %X\nmoov  %X %v", raw, packed, err)
	}
	sameInsides(t, spec, l, raw)
	var v iso8583.View
	if err := l.Parse(raw, &v); err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		s, ok := v.Sub(p.n, strings.Split(p.path, ".")...)
		if got := string(s.AppendText(nil)); !ok || got != p.text {
			t.Errorf("%d.%s is %q, want %q", p.n, p.path, got, p.text)
		}
	}
	for _, absent := range [][]string{{"9F99"}, {"9F02"}, {"70", "9F26"}, {"95", "1"}, {}} {
		if _, ok := v.Sub(55, absent...); ok {
			t.Errorf("%v is there", absent)
		}
	}
}

// A composite of many tags, and one of few, are read alike: each known tag is
// found, the one that is not known is refused.
func TestManyKnownTags(t *testing.T) {
	for _, known := range []int{1, 7, 8, 9, 30} {
		subs := map[string]field.Field{}
		for i := range known {
			subs[strconv.Itoa(i+10)] = sub(9, encoding.ASCII, prefix.ASCII.LL)
		}
		spec := specWith(48, tagged(999, prefix.ASCII.LLL, field.TagSpec{Length: 2, Enc: encoding.ASCII, Sort: moovsort.StringsByInt}, subs))
		l := compiled(t, spec)
		var b iso8583.Builder
		b.Reset(l, 0x0100)
		for i := known - 1; i >= 0; i-- {
			b.SetSub(48, []byte("value"+strconv.Itoa(i)), strconv.Itoa(i+10))
		}
		raw := mustAppend(t, &b)
		sameInsides(t, spec, l, raw)
		var v iso8583.View
		if err := l.Parse(raw, &v); err != nil {
			t.Fatal(err)
		}
		for i := range known {
			if s, ok := v.Sub(48, strconv.Itoa(i+10)); !ok || string(s.AppendText(nil)) != "value"+strconv.Itoa(i) {
				t.Errorf("%d tags: %d is %q, %v", known, i+10, s.AppendText(nil), ok)
			}
		}
		at, _ := v.Span(48)
		raw[at+3], raw[at+4] = '9', '9'
		wantReason(t, l.Parse(raw, &v), 48, iso8583.ReasonTagUnknown)
	}
}

// A composite with fixed places names the subfield that is not as it must be, by
// its byte, whatever stands around it.
func TestFlatCompositeNamesTheByte(t *testing.T) {
	spec := specWith(53, positional(10, prefix.ASCII.LL, map[string]field.Field{
		"1": sub(3, encoding.ASCII, prefix.ASCII.Fixed), "2": sub(4, encoding.BCD, prefix.BCD.Fixed), "3": sub(3, encoding.BCD, prefix.BCD.Fixed), "4": sub(3, encoding.EBCDIC, prefix.EBCDIC.Fixed)}))
	l := compiled(t, spec)
	good := append([]byte("10abc"), 0x12, 0x34, 0x01, 0x23, 0xC1, 0x00, 0xFF)
	for _, c := range []struct {
		at, bend int
		reason   string
	}{{2, 0x80, iso8583.ReasonNotASCII}, {5, 0xA0, iso8583.ReasonNotDigit}, {6, 0x0F, iso8583.ReasonNotDigit}, {7, 0x10, iso8583.ReasonPaddingNotZero}, {8, 0x0C, iso8583.ReasonNotDigit}} {
		var b iso8583.Builder
		b.Reset(l, 0x0100)
		b.SetSub(53, []byte("abc"), "1")
		b.SetSub(53, []byte("1234"), "2")
		b.SetSub(53, []byte("123"), "3")
		b.SetSub(53, []byte{'A', 0, 1}, "4")
		raw := mustAppend(t, &b)
		var v iso8583.View
		if err := l.Parse(raw, &v); err != nil {
			t.Fatal(err)
		}
		from, _ := v.Span(53)
		raw[from+c.at] = good[c.at] | byte(c.bend)
		e := wantReason(t, l.Parse(raw, &v), 53, c.reason)
		start := map[bool]int{true: 2, false: map[bool]int{true: 5, false: 7}[c.at < 7]}[c.at < 5]
		if e.Offset != from+start {
			t.Errorf("byte %d bent: error at %d, want %d", c.at, e.Offset-from, start)
		}
	}
}

func pathOf(p part) string { return strconv.Itoa(p.n) + "." + p.path }

// stricterInside are more reasons to refuse what moov lets pass: characters of
// tags in the other case or with a filler that is not zero, tags of more than
// four bytes, lengths in more than four.
var stricterInside = map[string]bool{
	iso8583.ReasonTagUnknown: true,
	iso8583.ReasonTagTooLong: true,
}

// unpack reads raw with moov's codec. A length of a known BER tag that says more
// than an int holds comes out negative there, and it panics: that is a refusal.
func unpack(spec *moov.MessageSpec, raw []byte) (m *moov.Message, err error) {
	m = moov.NewMessage(spec)
	defer func() {
		if recover() != nil {
			err = errors.New("moov panics")
		}
	}()
	return m, m.Unpack(bytes.Clone(raw))
}

// sameInsides reads raw with both codecs and compares all subfields.
func sameInsides(t *testing.T, spec *moov.MessageSpec, l *iso8583.Layout, raw []byte) {
	t.Helper()
	var v iso8583.View
	err := l.Parse(raw, &v)
	theirs, moovErr := unpack(spec, raw)
	if err != nil {
		var e *iso8583.Error
		if !errors.As(err, &e) || moovErr == nil && !stricter[e.Reason] && !stricterInside[e.Reason] {
			t.Fatalf("refused here (%v), read by moov: %X", err, raw)
		}
		if e.Offset > len(raw) || e.Offset < 0 {
			t.Fatalf("%v: offset outside of %d bytes", err, len(raw))
		}
		return
	}
	if moovErr != nil {
		t.Fatalf("read here, refused by moov (%v): %X", moovErr, raw)
	}
	for n := v.Next(0); n != 0; n = v.Next(n) {
		if l.Inside(n).Kind() == iso8583.InsideNone {
			continue
		}
		sameWalk(t, n, v.Subs(n), theirs.GetField(n).(*field.Composite), raw)
	}
	var b iso8583.Builder
	b.Reset(l, v.MTI())
	for n := v.Next(0); n != 0; n = v.Next(n) {
		b.CopySubs(n, &v)
	}
	if again, err := b.Append(nil); err != nil || !bytes.Equal(again, raw) && !shortened(raw, again) {
		t.Fatalf("copied %X (%v), was %X", again, err, raw)
	}
}

// shortened says whether a BER length was written in more bytes than it needs:
// built again it is shorter.
func shortened(raw, again []byte) bool { return len(again) < len(raw) }

// sameWalk compares one composite. Of a tag that comes twice moov keeps the last.
func sameWalk(t *testing.T, n int, it iso8583.Subs, c *field.Composite, raw []byte) {
	t.Helper()
	seen := map[string]iso8583.Sub{}
	for it.Next() {
		s := it.Sub()
		tag := s.Tag()
		if !s.Known() {
			tag = strings.ToUpper(string(hexed(s.WireTag())))
		}
		seen[tag] = s
	}
	for tag, f := range c.GetSubfields() {
		s, ok := seen[tag]
		if !ok {
			t.Fatalf("field %d has %s by moov: %X", n, tag, raw)
		}
		if inner, ok := f.(*field.Composite); ok {
			sameWalk(t, n, s.Subs(), inner, raw)
		} else if want, err := f.Bytes(); err != nil || !bytes.Equal(s.AppendText(nil), want) {
			t.Fatalf("field %d.%s is %q, %q by moov: %X", n, tag, s.AppendText(nil), want, raw)
		}
		delete(seen, tag)
	}
	for tag, s := range seen {
		if s.Known() || n == 55 { // moov stores what is unknown in field 55 only
			t.Fatalf("field %d has %s here only: %X", n, tag, raw)
		}
	}
}

func hexed(p []byte) []byte {
	out, _ := encoding.BytesToASCIIHex.Encode(p)
	return out
}

// One byte away from good everywhere, and cut everywhere, both codecs agree.
func TestSubfieldsBentAndCut(t *testing.T) {
	spec := compositeSpec()
	l := compiled(t, spec)
	var b iso8583.Builder
	setParts(&b, l)
	raw := mustAppend(t, &b)
	var v iso8583.View
	for i := range raw {
		for _, change := range []byte{0x01, 0x10, 0x80, 0xFF} {
			bent := bytes.Clone(raw)
			bent[i] ^= change
			sameInsides(t, spec, l, bent)
		}
		if err := l.Parse(raw[:i:i], &v); err == nil {
			t.Errorf("cut at %d was read", i)
		}
	}
}

// FuzzSubfields holds composites against moov's codec.
func FuzzSubfields(f *testing.F) {
	spec := compositeSpec()
	l := compiled(f, spec)
	var b iso8583.Builder
	setParts(&b, l)
	raw := mustAppend(f, &b)
	f.Add(raw)
	var v iso8583.View
	if err := l.Parse(raw, &v); err != nil {
		f.Fatal(err)
	}
	for n := v.Next(0); n != 0; n = v.Next(n) {
		b.Reset(l, 0x0100)
		b.Copy(n, &v)
		f.Add(mustAppend(f, &b))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { sameInsides(t, spec, l, raw) })
}
