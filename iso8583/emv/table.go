// SPDX-License-Identifier: Apache-2.0

package emv

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// Table says what the bits and bytes of a value mean. Its rows cover every bit
// of every byte up to Len exactly once; a test says so.
type Table struct {
	Name string
	Len  int // bytes covered, a rest row left out; only with one may a value be longer
	Rows []Row

	form form // not bits but a list, a text, a number: see forms.go
}

// RowKind says how a row reads its bits.
type RowKind uint8

// The kinds of rows.
const (
	Flag     RowKind = iota // one bit
	Choice                  // one value, or a range of values, of the bits under the mask
	Number                  // the bits under the mask are a number
	Bytes                   // whole bytes without bit meaning
	Rest                    // from here to the end of the value
	Reserved                // for future use: shown when set
)

// Row gives meaning to the bits of Mask in byte Byte, counted from 1.
type Row struct {
	Byte        int
	Last        int // of Bytes rows
	Mask        byte
	Is, To      byte // of Choice rows: from Is to To, in place
	Kind        RowKind
	Text        string
	Unconfirmed bool
}

// unsurePrefix marks a text of the tables as general knowledge.
const unsurePrefix = "? "

func row(r Row) Row {
	r.Text, r.Unconfirmed = strings.CutPrefix(r.Text, unsurePrefix)
	return r
}

// table puts rows together; Len is the last byte they name.
func table(name string, rows ...[]Row) Table {
	t := Table{Name: name, Rows: slices.Concat(rows...)}
	for _, r := range t.Rows {
		if r.Kind != Rest {
			t.Len = max(t.Len, r.Byte, r.Last)
		}
	}
	return t
}

// flags names the bits of a byte from b8 to b1; "" is reserved for future use.
func flags(at int, b8, b7, b6, b5, b4, b3, b2, b1 string) []Row {
	out := make([]Row, 0, 8)
	for i, text := range [8]string{b8, b7, b6, b5, b4, b3, b2, b1} {
		kind := Flag
		if text == "" {
			kind = Reserved
		}
		out = append(out, row(Row{Byte: at, Mask: 0x80 >> i, Kind: kind, Text: text}))
	}
	return out
}

// bit names one bit.
func bit(at int, mask byte, text string) []Row {
	return []Row{row(Row{Byte: at, Mask: mask, Kind: Flag, Text: text})}
}

// value is one value of the bits under a mask.
type value struct {
	is   byte
	text string
}

// choice names the values of the bits under mask; values without a name are
// unknown when they come.
func choice(at int, mask byte, values ...value) []Row {
	out := make([]Row, 0, len(values))
	for _, v := range values {
		out = append(out, row(Row{Byte: at, Mask: mask, Is: v.is, To: v.is, Kind: Choice, Text: v.text}))
	}
	return out
}

// between names a range of values.
func between(at int, mask, from, to byte, text string) []Row {
	return []Row{row(Row{Byte: at, Mask: mask, Is: from, To: to, Kind: Choice, Text: text})}
}

// number says that the bits under mask are a number.
func number(at int, mask byte, text string) []Row {
	return []Row{row(Row{Byte: at, Mask: mask, Kind: Number, Text: text})}
}

// span names whole bytes from first to last.
func span(first, last int, text string) []Row {
	return []Row{row(Row{Byte: first, Last: last, Mask: 0xFF, Kind: Bytes, Text: text})}
}

// rest names what follows from byte at on, if anything does.
func rest(at int, text string) []Row {
	return []Row{row(Row{Byte: at, Mask: 0xFF, Kind: Rest, Text: text})}
}

// reserved says that the bits under mask are for future use.
func reserved(at int, mask byte) []Row {
	return []Row{{Byte: at, Mask: mask, Kind: Reserved}}
}

// from moves rows so that their byte 1 is byte at.
func from(at int, rows []Row) []Row {
	out := slices.Clone(rows)
	for i := range out {
		out[i].Byte += at - 1
		if out[i].Last != 0 {
			out[i].Last += at - 1
		}
	}
	return out
}

// Line is one thing a value says.
type Line struct {
	Byte        int    `json:"byte,omitempty"` // from 1; 0 when the line is about the whole value
	Last        int    `json:"last,omitempty"` // of several bytes
	Bits        string `json:"bits,omitempty"` // "b8" or "b6-b1"
	Value       string `json:"value,omitempty"`
	Text        string `json:"text"`
	Off         bool   `json:"off,omitempty"`      // the bit is not set (ExplainAll only)
	Reserved    bool   `json:"reserved,omitempty"` // set although it is for future use
	Unknown     bool   `json:"unknown,omitempty"`  // the tables do not hold it
	Unconfirmed bool   `json:"unconfirmed,omitempty"`
}

// String gives the line as text: "byte 1 b8: CDA failed".
func (l Line) String() string {
	out := ""
	if l.Byte != 0 {
		out = "byte " + strconv.Itoa(l.Byte)
		if l.Last > l.Byte {
			out = "bytes " + strconv.Itoa(l.Byte) + "-" + strconv.Itoa(l.Last)
		}
		if l.Bits != "" {
			out += " " + l.Bits
		}
		out += ": "
	}
	if l.Off {
		out += "not "
	}
	out += l.Text
	if l.Value != "" {
		out += " = " + l.Value
	}
	if l.Unconfirmed {
		out += " (unconfirmed)"
	}
	return out
}

// bits names the bits of a mask, which are next to each other.
func bits(mask byte) string {
	if mask == 0xFF || mask == 0 {
		return ""
	}
	high, low := 8, 1
	for mask>>(high-1) == 0 {
		high--
	}
	for mask>>(low-1)&1 == 0 {
		low++
	}
	if high == low {
		return "b" + strconv.Itoa(high)
	}
	return "b" + strconv.Itoa(high) + "-b" + strconv.Itoa(low)
}

// shift is how far the bits under mask stand from b1.
func shift(mask byte) int {
	low := 0
	for mask != 0 && mask>>low&1 == 0 {
		low++
	}
	return low
}

func hexUpper(p []byte) string { return strings.ToUpper(hex.EncodeToString(p)) }

// lines explains a value row by row. Flags that are not set and reserved bits
// that are clear are left out unless everything is asked for.
func (t *Table) lines(p []byte, everything bool) []Line {
	var out []Line
	for i := 0; i < len(t.Rows); i++ {
		r := &t.Rows[i]
		if r.Byte > len(p) {
			continue
		}
		l := Line{Byte: r.Byte, Bits: bits(r.Mask), Text: r.Text, Unconfirmed: r.Unconfirmed}
		b := p[r.Byte-1] & r.Mask
		switch r.Kind {
		case Flag:
			l.Off = b == 0
		case Reserved:
			l.Off, l.Reserved, l.Text = b == 0, b != 0, "reserved for future use"
		case Number:
			l.Value = strconv.Itoa(int(b >> shift(r.Mask)))
		case Bytes:
			end := min(r.Last, len(p))
			l.Last, l.Value = end, hexUpper(p[r.Byte-1:end])
			if end < r.Last {
				l.Text += " (cut short)"
			}
		case Rest:
			l.Last, l.Value = len(p), hexUpper(p[r.Byte-1:])
		case Choice:
			l, i = t.choose(p, i)
		}
		if !l.Off || everything {
			out = append(out, l)
		}
	}
	if len(p) < t.Len {
		out = append(out, Line{Byte: len(p) + 1, Last: t.Len, Text: "missing"})
	} else if last := t.end(); last != 0 && len(p) > last {
		out = append(out, Line{Byte: last + 1, Last: len(p), Value: hexUpper(p[last:]), Text: "unknown, beyond the table", Unknown: true})
	}
	return out
}

// end is the last byte the table knows, 0 when a rest row takes what comes.
func (t *Table) end() int {
	for i := range t.Rows {
		if t.Rows[i].Kind == Rest {
			return 0
		}
	}
	return t.Len
}

// choose explains the group of choices that begins at row i and returns the
// group's last row.
func (t *Table) choose(p []byte, i int) (Line, int) {
	first := t.Rows[i]
	b := p[first.Byte-1] & first.Mask
	l := Line{Byte: first.Byte, Bits: bits(first.Mask), Text: "unknown value", Value: hexUpper([]byte{b >> shift(first.Mask)}), Unknown: true}
	for ; i < len(t.Rows); i++ {
		r := &t.Rows[i]
		if r.Kind != Choice || r.Byte != first.Byte || r.Mask != first.Mask {
			break
		}
		if l.Unknown && b >= r.Is && b <= r.To {
			l.Text, l.Unconfirmed, l.Unknown = r.Text, r.Unconfirmed, false
			l.Reserved = strings.HasPrefix(r.Text, "reserved")
			if r.Is == r.To {
				l.Value = ""
			}
		}
	}
	return l, i - 1
}
