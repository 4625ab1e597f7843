// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"tapswitch/iso8583"
	"tapswitch/iso8583/emv"
)

// longestRaw is how many characters of a field's bytes a table shows.
const longestRaw = 32

// AppendText appends the message as a table, one field a line, to dst.
func (m Message) AppendText(dst []byte) []byte { return m.AppendTable(dst, 0) }

// AppendTable is AppendText for a message that begins at that byte of what the
// reader has before him: offsets count from there.
func (m Message) AppendTable(dst []byte, base int) []byte {
	dst = append(dst, m.MTI+"  "+m.Dialect+"  "+strconv.Itoa(m.Bytes)+" bytes"...)
	if m.Means != "" {
		dst = append(dst, "  "+m.Means...)
	}
	dst = append(dst, "\noffset  field  raw                               meaning\n"...)
	width := 0
	for _, f := range m.Fields {
		width = max(width, len(f.Name))
	}
	for _, f := range m.Fields {
		dst = f.appendLine(dst, base, width)
		dst = emv.AppendText(dst, f.Tags, base+f.Offset+f.prefix, 9)
		for _, s := range f.Subs {
			dst = s.appendLine(dst, f.Number)
		}
	}
	if m.Failure != nil {
		dst = append(dst, "not read from byte "+strconv.Itoa(base+m.Failure.Offset)+" on: "+m.Failure.Text+"\n"...)
	}
	return dst
}

func (f Field) appendLine(dst []byte, base, width int) []byte {
	dst = appendPadded(dst, strconv.Itoa(base+f.Offset), -6)
	dst = appendPadded(append(dst, "  "...), strconv.Itoa(f.Number), -5)
	dst = appendPadded(append(dst, "  "...), short(f.Raw), longestRaw)
	dst = appendPadded(append(dst, "  "...), f.Name, width)
	dst = append(dst, "  "...)
	if f.Hidden {
		dst = append(dst, "("+f.Mark+", length "+strconv.Itoa(f.Length)+")"...)
	} else {
		dst = append(dst, strings.TrimRight(f.Value, " ")...)
	}
	if f.Means != "" {
		dst = append(dst, "  "+f.Means...)
	}
	return append(dst, '\n')
}

// short cuts what is too long for its column; the JSON has all of it.
func short(s string) string {
	if len(s) <= longestRaw {
		return s
	}
	return s[:longestRaw-1] + "+"
}

// appendPadded appends s filled up to width, on the left when width is negative.
func appendPadded(dst []byte, s string, width int) []byte {
	fill := strings.Repeat(" ", max(0, max(width, -width)-utf8.RuneCountInString(s)))
	if width < 0 {
		return append(append(dst, fill...), s...)
	}
	return append(append(dst, s...), fill...)
}

// bitmap gives the bits of the fields read, as hex digits.
func bitmap(v *iso8583.View) string {
	var p [iso8583.MaxField / 8]byte
	last := 0
	for n := v.Next(0); n != 0; n = v.Next(n) {
		p[(n-1)/8] |= 0x80 >> uint((n-1)%8)
		last = n
	}
	size := 8
	for ; size < (last+7)/8; size += 8 {
		p[size-8] |= 0x80 // another one follows
	}
	return hex(p[:size])
}
