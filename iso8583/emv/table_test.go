// SPDX-License-Identifier: Apache-2.0

package emv

import (
	"strings"
	"testing"
)

// tables are all tables of bits there are: those of the dictionary, the shapes,
// and the rules inside a CVM list.
func tables() map[string]*Table {
	out := map[string]*Table{"CVM rule": &cvmRule}
	add := func(t *Table) {
		if t != nil && t.form == 0 {
			out[t.Name] = t
		}
	}
	for _, e := range Dictionary() {
		add(e.Table)
	}
	for _, shapes := range [][]shape{iadShapes[:], authDataShapes[:]} {
		for _, s := range shapes {
			add(s.table)
		}
	}
	for _, t := range []*Table{&cvrCommonCore, &cvrVisa, &cvrVisaLong, &cvrMChip, &cvrUnionPay, &csu, &arpcMethod2} {
		add(t)
	}
	return out
}

// TestEveryBitHasOneMeaning: no gap and no overlap in any byte of any table, and
// every choice lies under its mask and overlaps no other.
func TestEveryBitHasOneMeaning(t *testing.T) {
	for name, table := range tables() {
		covered := make([]byte, table.Len+1)
		claim := func(at int, mask byte, text string) {
			if covered[at]&mask != 0 {
				t.Errorf("%s: byte %d, %02X (%s): a bit has two meanings", name, at, mask, text)
			}
			covered[at] |= mask
		}
		for i, r := range table.Rows {
			if r.Kind != Reserved && r.Text == "" || strings.HasPrefix(r.Text, unsurePrefix) {
				t.Errorf("%s: byte %d has a row without text: %q", name, r.Byte, r.Text)
			}
			switch r.Kind {
			case Rest:
				if r.Byte != table.Len+1 || i != len(table.Rows)-1 {
					t.Errorf("%s: the rest does not follow the last byte", name)
				}
			case Bytes:
				for at := r.Byte; at <= r.Last; at++ {
					claim(at, 0xFF, r.Text)
				}
			case Choice:
				if r.Is&^r.Mask != 0 || r.To&^r.Mask != 0 || r.Is > r.To {
					t.Errorf("%s: byte %d: value %02X to %02X is not under %02X", name, r.Byte, r.Is, r.To, r.Mask)
				}
				if i == 0 || table.Rows[i-1].Kind != Choice || table.Rows[i-1].Byte != r.Byte || table.Rows[i-1].Mask != r.Mask {
					claim(r.Byte, r.Mask, r.Text)
				}
				for _, other := range table.Rows[:i] {
					if other.Kind == Choice && other.Byte == r.Byte && other.Mask == r.Mask && r.Is <= other.To && other.Is <= r.To {
						t.Errorf("%s: byte %d: %q and %q share a value", name, r.Byte, other.Text, r.Text)
					}
				}
			case Flag:
				if r.Mask&(r.Mask-1) != 0 {
					t.Errorf("%s: byte %d: flag %q has several bits", name, r.Byte, r.Text)
				}
				claim(r.Byte, r.Mask, r.Text)
			default:
				claim(r.Byte, r.Mask, r.Text)
			}
		}
		for at := 1; at <= table.Len; at++ {
			if covered[at] != 0xFF {
				t.Errorf("%s: byte %d: bits %08b have no meaning", name, at, ^covered[at])
			}
		}
	}
}

// TestEveryBitIsShown sets one bit at a time: each value must be explained by a
// line about that byte, reserved bits as such.
func TestEveryBitIsShown(t *testing.T) {
	for name, table := range tables() {
		for at := 1; at <= table.Len; at++ {
			for bit := byte(0x80); bit != 0; bit >>= 1 {
				value := make([]byte, table.Len)
				value[at-1] = bit
				found := false
				for _, l := range table.lines(value, false) {
					found = found || l.Byte <= at && at <= max(l.Byte, l.Last) && !l.Off
				}
				if !found {
					t.Errorf("%s: byte %d, bit %02X: no line", name, at, bit)
				}
			}
		}
	}
}

func TestBitsOfAMask(t *testing.T) {
	for mask, want := range map[byte]string{0xFF: "", 0x80: "b8", 0x01: "b1", 0xC0: "b8-b7", 0x3F: "b6-b1", 0x10: "b5", 0: ""} {
		if got := bits(mask); got != want {
			t.Errorf("%02X: %q, want %q", mask, got, want)
		}
	}
	if shift(0xF0) != 4 || shift(0x30) != 4 || shift(0x0F) != 0 || shift(0) != 0 {
		t.Error("shift")
	}
}

func TestLineText(t *testing.T) {
	for want, l := range map[string]Line{
		"byte 1 b8: SDA failed":                {Byte: 1, Bits: "b8", Text: "SDA failed"},
		"byte 1 b8: not SDA failed":            {Byte: 1, Bits: "b8", Text: "SDA failed", Off: true},
		"bytes 2-5: script = 00000000":         {Byte: 2, Last: 5, Text: "script", Value: "00000000"},
		"kernel 3: something (unconfirmed)":    {Text: "kernel 3: something", Unconfirmed: true},
		"byte 4: one byte = AA":                {Byte: 4, Last: 4, Text: "one byte", Value: "AA"},
		"byte 2: reserved for future use = 05": {Byte: 2, Text: "reserved for future use", Value: "05", Reserved: true},
	} {
		if got := l.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
