// SPDX-License-Identifier: Apache-2.0

package dialect_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/moov-io/iso8583/field"

	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect"
)

// each runs a test for every dialect of the catalogue.
func each(t *testing.T, test func(*testing.T, dialect.Entry, *iso8583.Layout)) {
	for _, e := range dialect.All() {
		t.Run(e.Name, func(t *testing.T) { test(t, e, e.New()) })
	}
}

// fields are those of one value. Fields with subfields have bounds of their own
// making: the golden messages and the comparison with moov hold them.
func fields(l *iso8583.Layout) (all []int) {
	for n := 2; n <= iso8583.MaxField; n++ {
		if l.Defines(n) && l.Encoding(n) != iso8583.EncodingComposite {
			all = append(all, n)
		}
	}
	return all
}

// text makes a value of n characters that the encoding can write.
func text(e iso8583.Encoding, n int) string {
	alphabet := "0123456789"
	switch e {
	case iso8583.EncodingBytes:
		alphabet = "\x01\x7F\x80\xFFAz09\xD0"
	case iso8583.EncodingASCII, iso8583.EncodingEBCDIC, iso8583.EncodingEBCDIC1047:
		alphabet = "Az0 9.x"
	case iso8583.EncodingTrack, iso8583.EncodingBCDTrack:
		alphabet = "0123456789=ABCEF"
	}
	return strings.Repeat(alphabet, n/len(alphabet)+1)[:n]
}

func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	each(t, func(t *testing.T, e dialect.Entry, l *iso8583.Layout) {
		if seen[e.Name] || e.Name != l.Name() || e.Title == "" {
			t.Errorf("name %q, layout %q, title %q", e.Name, l.Name(), e.Title)
		}
		seen[e.Name] = true
		if e.Standing != dialect.Production && e.Standing != dialect.PublicFacts {
			t.Errorf("standing %s", e.Standing)
		}
		if _, err := os.Stat("../../" + e.Page); err != nil {
			t.Errorf("page: %v", err)
		}
		if found, ok := dialect.Find(e.Name); !ok || found.Name != e.Name {
			t.Error("not found by its name")
		}
	})
	if _, ok := dialect.Find("nobody"); ok {
		t.Error("found a dialect that is not there")
	}
	if got := dialect.Standing(9).String(); got != "unknown" {
		t.Errorf("standing 9 is %q", got)
	}
}

// The fields that every dialect has are marked in every dialect.
func TestSensitiveFieldsAreMarked(t *testing.T) {
	want := iso8583.Marks{2: iso8583.MarkPAN, 35: iso8583.MarkTrack, 36: iso8583.MarkTrack, 45: iso8583.MarkTrack, 52: iso8583.MarkPINBlock,
		55: iso8583.MarkICC, 64: iso8583.MarkMAC, 128: iso8583.MarkMAC}
	each(t, func(t *testing.T, e dialect.Entry, l *iso8583.Layout) {
		for n, mark := range want {
			if l.Defines(n) && l.Mark(n) != mark {
				t.Errorf("field %d is marked %s, want %s", n, l.Mark(n), mark)
			}
		}
	})
}

// Fields do not overlap and lengths fit: all of a half of the fields at their
// longest, laid down in one message, read back one behind the other.
func TestNoOverlap(t *testing.T) {
	each(t, func(t *testing.T, e dialect.Entry, l *iso8583.Layout) {
		all := fields(l)
		for len(all) > 0 {
			var b iso8583.Builder
			b.Reset(l, 0x0200)
			sum, some := 0, []int(nil)
			for len(all) > 0 && sum+l.Max(all[0]) < 50_000 {
				n := all[0]
				all, some, sum = all[1:], append(some, n), sum+l.Max(n)
				b.SetString(n, text(l.Encoding(n), l.Max(n)))
			}
			raw, err := b.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			var v iso8583.View
			if err := l.Parse(raw, &v); err != nil {
				t.Fatal(err)
			}
			_, end := v.Span(some[0])
			for _, n := range some[1:] {
				from, to := v.Span(n)
				if from != end {
					t.Errorf("field %d starts at %d, the one before ends at %d", n, from, end)
				}
				end = to
			}
			if end != len(raw) {
				t.Errorf("the last field ends at %d of %d", end, len(raw))
			}
		}
	})
}

// Every field comes back at its shortest and longest; one more is refused by name.
func TestEveryFieldAtItsBounds(t *testing.T) {
	each(t, func(t *testing.T, e dialect.Entry, l *iso8583.Layout) {
		for _, n := range fields(l) {
			most := l.Max(n)
			lengths := []int{most}
			if !l.Fixed(n) {
				lengths = []int{0, 1, 2, most - 1, most}
			}
			for _, length := range lengths {
				roundTrip(t, l, n, text(l.Encoding(n), length))
			}
			var b iso8583.Builder
			b.Reset(l, 0x0200)
			b.SetString(n, text(l.Encoding(n), most+1))
			_, err := b.Append(nil)
			if e, ok := errors.AsType[*iso8583.Error](err); !ok || e.Field != n || e.Reason != iso8583.ReasonLengthAboveMax {
				t.Errorf("field %d, one too long: %v", n, err)
			}
		}
	})
}

func roundTrip(t *testing.T, l *iso8583.Layout, n int, want string) {
	t.Helper()
	var b iso8583.Builder
	b.Reset(l, 0x0200)
	b.SetString(n, want)
	raw, err := b.Append(nil)
	if err != nil {
		t.Fatalf("field %d of %d: %v", n, len(want), err)
	}
	var v iso8583.View
	if err := l.Parse(raw, &v); err != nil {
		t.Fatalf("field %d of %d: %v", n, len(want), err)
	}
	if got := string(v.AppendText(nil, n)); got != want || v.Len(n) != len(want) {
		t.Errorf("field %d came back as %q, went as %q", n, got, want)
	}
	b.Reset(l, v.MTI())
	b.Copy(n, &v)
	if again, err := b.Append(nil); err != nil || !bytes.Equal(again, raw) {
		t.Errorf("field %d copied: %X %v, want %X", n, again, err, raw)
	}
}

// A fixed field of digits or bytes that is one short is refused, one that is
// filled is filled.
func TestFixedFieldTooShort(t *testing.T) {
	each(t, func(t *testing.T, e dialect.Entry, l *iso8583.Layout) {
		spec := e.Spec()
		for _, n := range fields(l) {
			if !l.Fixed(n) || l.Max(n) == 1 {
				continue
			}
			var b iso8583.Builder
			b.Reset(l, 0x0200)
			b.SetString(n, text(l.Encoding(n), l.Max(n)-1))
			_, err := b.Append(nil)
			if filled := spec.Fields[n].Spec().Pad != nil; filled != (err == nil) {
				t.Errorf("field %d: filled %v, error %v", n, filled, err)
			}
		}
	})
}

// Two calls of Spec share nothing that a caller could change.
func TestSpecIsNew(t *testing.T) {
	each(t, func(t *testing.T, e dialect.Entry, _ *iso8583.Layout) {
		one, two := e.Spec(), e.Spec()
		one.Fields[2] = field.NewString(&field.Spec{})
		if fmt.Sprintf("%p", one.Fields[2]) == fmt.Sprintf("%p", two.Fields[2]) {
			t.Error("two specifications share their table")
		}
		e.Marks()[2] = iso8583.MarkNone
		if e.Marks()[2] != iso8583.MarkPAN {
			t.Error("two calls of Marks share their table")
		}
	})
}
