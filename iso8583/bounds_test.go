// SPDX-License-Identifier: Apache-2.0

package iso8583_test

import (
	"bytes"
	"fmt"
	"math/bits"
	"testing"

	"tapswitch/iso8583"
)

// Every field, alone in a message, at its shortest and its longest comes back
// as it was, byte for byte when built again; one more is refused by name.
func TestEveryFieldAtItsBounds(t *testing.T) {
	each(t, func(t *testing.T, d dialect) {
		for _, n := range fields(d.layout) {
			most := d.layout.Max(n)
			lengths := []int{most}
			if !d.layout.Fixed(n) {
				lengths = []int{0, 1, 2, 3, most - 1, most}
			}
			for _, length := range lengths {
				t.Run(fmt.Sprintf("%d/%d", n, length), func(t *testing.T) {
					roundTrip(t, d, n, text(d.layout.Encoding(n), length))
				})
			}
			var b iso8583.Builder
			b.Reset(d.layout, 0x0200)
			b.SetString(n, text(d.layout.Encoding(n), most+1))
			_, err := b.Append(nil)
			wantReason(t, err, n, iso8583.ReasonLengthAboveMax)
		}
	})
}

func roundTrip(t *testing.T, d dialect, n int, want string) {
	t.Helper()
	var b iso8583.Builder
	b.Reset(d.layout, 0x0200)
	b.SetString(n, want)
	raw := mustAppend(t, &b)
	var v iso8583.View
	if err := d.layout.Parse(raw, &v); err != nil {
		t.Fatal(err)
	}
	if got := string(v.AppendText(nil, n)); got != want {
		t.Errorf("came back as %q, went as %q", got, want)
	}
	if v.Len(n) != len(want) {
		t.Errorf("length %d, want %d", v.Len(n), len(want))
	}
	if v.Next(0) != n || v.Next(n) != 0 {
		t.Errorf("walk gives %d then %d, want only %d", v.Next(0), v.Next(n), n)
	}
	if _, to := v.Span(n); to != len(raw) {
		t.Errorf("ends at %d of %d", to, len(raw))
	}
	b.Reset(d.layout, v.MTI())
	b.Copy(n, &v)
	if again := mustAppend(t, &b); !bytes.Equal(again, raw) {
		t.Errorf("copied %X, want %X", again, raw)
	}
}

// A fixed field that is one short is refused, or filled where the dialect fills.
func TestFixedFieldTooShort(t *testing.T) {
	each(t, func(t *testing.T, d dialect) {
		for _, n := range fields(d.layout) {
			if !d.layout.Fixed(n) {
				continue
			}
			var b iso8583.Builder
			b.Reset(d.layout, 0x0200)
			short := text(d.layout.Encoding(n), d.layout.Max(n)-1)
			b.SetString(n, short)
			raw, err := b.Append(nil)
			switch n {
			case 41, 42, 43:
				if err != nil {
					t.Fatal(err)
				}
				if raw[len(raw)-1] != ' ' {
					t.Errorf("field %d: not filled with a space", n)
				}
			default:
				wantReason(t, err, n, iso8583.ReasonLengthNotFixed)
			}
		}
	})
}

// A message cut anywhere is refused, never read as something shorter; the error
// lies within what is there, and the fields before it can be seen.
func TestCutAtEveryByte(t *testing.T) {
	each(t, func(t *testing.T, d dialect) {
		raw := d.build(t)
		var whole, v iso8583.View
		if err := d.layout.Parse(raw, &whole); err != nil {
			t.Fatal(err)
		}
		for size := range raw {
			err := d.layout.Parse(raw[:size:size], &v)
			var field int
			for n := range iso8583.MaxField + 1 {
				if from, to := whole.Span(n); from <= size && size < to {
					field = n
				}
			}
			if first, _ := whole.Span(whole.Next(0)); size < first {
				continue // in the MTI or bitmap, checked below
			}
			e := wantReason(t, err, field, iso8583.ReasonTruncated)
			if e.Offset > size {
				t.Errorf("cut at %d, error at %d", size, e.Offset)
			}
			for n := whole.Next(0); n != field; n = whole.Next(n) {
				if !bytes.Equal(v.Raw(n), whole.Raw(n)) || !v.Has(n) {
					t.Errorf("cut at %d: field %d before it is lost", size, n)
				}
			}
			if v.Has(field) {
				t.Errorf("cut at %d: field %d is said to be there", size, field)
			}
		}
	})
}

// The MTI and the bitmap cut short are named as such.
func TestCutInHead(t *testing.T) {
	sizes := map[string][2]int{"unionpaypos": {2, 10}, "iso87ascii": {4, 20}}
	each(t, func(t *testing.T, d dialect) {
		raw := d.build(t)
		var v iso8583.View
		for size := range sizes[d.name][1] {
			field := 1
			if size < sizes[d.name][0] {
				field = 0
			}
			wantReason(t, d.layout.Parse(raw[:size], &v), field, iso8583.ReasonTruncated)
		}
	})
}

// One byte too many is refused with its place.
func TestTrailingBytes(t *testing.T) {
	each(t, func(t *testing.T, d dialect) {
		raw := d.build(t)
		var v iso8583.View
		e := wantReason(t, d.layout.Parse(append(raw, '0'), &v), iso8583.WholeMessage, iso8583.ReasonTrailingBytes)
		if e.Offset != len(raw) || e.Got != 1 {
			t.Errorf("%v, want one byte at %d", e, len(raw))
		}
	})
}

// A bit for a field the dialect lacks is refused, for every such field, both
// when reading and when building.
func TestBitWithoutField(t *testing.T) {
	each(t, func(t *testing.T, d dialect) {
		top := 64
		if d.name == "iso87ascii" {
			top = 128
		}
		var v iso8583.View
		for n := 2; n <= iso8583.MaxField; n++ {
			if d.layout.Defines(n) {
				continue
			}
			var b iso8583.Builder
			b.Reset(d.layout, 0x0800)
			b.SetString(n, "0")
			_, err := b.Append(nil)
			wantReason(t, err, n, iso8583.ReasonFieldUnknown)
			switch {
			case (n == 65 || n > 128) && top == 128:
				wantReason(t, d.layout.Parse(head(d, n), &v), 1, iso8583.ReasonTertiaryBitmap)
			case n <= top:
				wantReason(t, d.layout.Parse(head(d, n), &v), n, iso8583.ReasonFieldUnknown)
			default:
				wantReason(t, d.layout.Parse(head(d, n), &v), 1, iso8583.ReasonSecondaryBitmap)
			}
		}
		for _, n := range []int{-1, 0, 1, 193, 1 << 40} {
			var b iso8583.Builder
			b.Reset(d.layout, 0x0800)
			b.SetUint(n, 1)
			if _, err := b.Append(nil); err == nil {
				t.Errorf("field %d was built", n)
			}
		}
	})
}

// head is an MTI and bitmaps with only the bit of field n.
func head(d dialect, n int) []byte {
	var maps [3]uint64
	last := (n - 1) / 64
	maps[last] = bits.Reverse64(1 << ((n - 1) % 64))
	for i := range last {
		maps[i] |= 1 << 63
	}
	out := []byte("0800")
	if d.name == "unionpaypos" {
		out = []byte{8, 0}
	}
	for i, m := range maps {
		if i > last {
			break
		}
		if d.name == "unionpaypos" {
			for shift := 56; shift >= 0; shift -= 8 {
				out = append(out, byte(m>>shift))
			}
		} else {
			out = fmt.Appendf(out, "%016X", m)
		}
	}
	return out
}
