// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"errors"
	"strconv"
	"strings"

	"tapswitch/iso8583"
	"tapswitch/iso8583/bertlv"
)

// Message is a masked message, ready for encoding/json.
type Message struct {
	Dialect string   `json:"dialect"`
	MTI     string   `json:"mti"`
	Bytes   int      `json:"bytes"`
	Fields  []Field  `json:"fields"`
	Failure *Failure `json:"failure,omitempty"` // nil when the whole message was read
}

// Field is one masked field.
type Field struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
	Offset int    `json:"offset"` // of its first byte, length prefix included
	Length int    `json:"length"` // digits, characters or bytes, as the dialect counts
	Mark   string `json:"mark,omitempty"`
	Value  string `json:"value,omitempty"`
	Hidden bool   `json:"hidden,omitempty"` // only the length is shown
	Tags   []Tag  `json:"tags,omitempty"`   // of chip data
}

// Tag is one masked object of chip data.
type Tag struct {
	Tag    string `json:"tag"`
	Name   string `json:"name,omitempty"`
	Length int    `json:"length"`
	Value  string `json:"value,omitempty"`
	Hidden bool   `json:"hidden,omitempty"`
}

// Failure says where reading stopped and why.
type Failure struct {
	Field  int    `json:"field"` // 0 the MTI, 1 the bitmap, -1 the message as a whole
	Offset int    `json:"offset"`
	Reason string `json:"reason"`
	Text   string `json:"text"`
}

// Of masks what v holds; err is what Parse returned.
func Of(v *iso8583.View, err error) Message {
	m := Message{Bytes: len(v.Bytes()), Fields: []Field{}}
	if l := v.Layout(); l != nil {
		m.Dialect = l.Name()
		m.MTI = v.MTI().String()
		for n := v.Next(0); n != 0; n = v.Next(n) {
			m.Fields = append(m.Fields, one(l, v, n))
		}
	}
	if err != nil {
		m.Failure = &Failure{Field: iso8583.WholeMessage, Reason: "other", Text: err.Error()}
		if e, ok := errors.AsType[*iso8583.Error](err); ok {
			m.Failure.Field, m.Failure.Offset, m.Failure.Reason = e.Field, e.Offset, e.Reason
		}
	}
	return m
}

func one(l *iso8583.Layout, v *iso8583.View, n int) Field {
	from, _ := v.Span(n)
	f := Field{Number: n, Name: l.Description(n), Offset: from, Length: v.Len(n)}
	mark := l.Mark(n)
	if mark != iso8583.MarkNone {
		f.Mark = mark.String()
	}
	switch mark {
	case iso8583.MarkNone, iso8583.MarkMAC:
		f.Value = plain(v.AppendText(nil, n))
	case iso8583.MarkPAN:
		f.Value = maskPAN(v.AppendText(nil, n))
	case iso8583.MarkICC:
		f.Hidden = true
		f.Tags = tags(v.Raw(n))
	default: // also a mark this package does not know
		f.Hidden = true
	}
	return f
}

// plain gives printable characters as they are and anything else in hex, so that
// no control character of a message reaches a screen or a log.
func plain(p []byte) string {
	for _, c := range p {
		if c < ' ' || c > '~' {
			return "hex " + hex(p)
		}
	}
	return string(p)
}

// maskPAN shows the first six and the last four of 13 digits and more, else none.
func maskPAN(p []byte) string {
	const first, last, shortest = 6, 4, 13
	if len(p) < shortest {
		return strings.Repeat("*", len(p))
	}
	return string(p[:first]) + strings.Repeat("*", len(p)-first-last) + string(p[len(p)-last:])
}

// longestValue bounds what is shown of a tag. Longer ones are certificates, from
// which the card number can be recovered with public keys.
const longestValue = 32

// tags shows the objects of chip data up to the first fault.
func tags(data []byte) []Tag {
	var all []Tag
	for w := bertlv.NewWalker(data); w.Next(); {
		info, known := bertlv.Lookup(w.Tag)
		t := Tag{Tag: w.Tag.String(), Name: info.Name, Length: len(w.Value)}
		switch {
		case !known, w.Tag.Constructed(), len(w.Value) > longestValue:
			t.Hidden = true
		case info.Mark == bertlv.Plain:
			t.Value = hex(w.Value)
		case info.Mark == bertlv.PAN:
			t.Value = maskPAN([]byte(strings.TrimRight(hex(w.Value), "F")))
		default:
			t.Hidden = true
		}
		all = append(all, t)
	}
	return all
}

func hex(p []byte) string {
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, 2*len(p))
	for _, c := range p {
		out = append(out, digits[c>>4], digits[c&0x0F])
	}
	return string(out)
}

// AppendText appends the message as a table, one field a line, to dst.
func (m Message) AppendText(dst []byte) []byte {
	dst = append(dst, m.MTI+"  "+m.Dialect+"  "+strconv.Itoa(m.Bytes)+" bytes\n"...)
	width := 0
	for _, f := range m.Fields {
		width = max(width, len(f.Name))
	}
	for _, f := range m.Fields {
		dst = appendPadded(dst, strconv.Itoa(f.Number), -5)
		dst = append(dst, "  "...)
		dst = appendPadded(dst, f.Name, width)
		dst = append(dst, "  "...)
		if f.Hidden {
			dst = append(dst, "("+f.Mark+", length "+strconv.Itoa(f.Length)+")\n"...)
		} else {
			dst = append(dst, f.Value+"\n"...)
		}
		for _, t := range f.Tags {
			dst = append(dst, "         "...)
			dst = appendPadded(dst, t.Tag, 8)
			if t.Hidden {
				dst = append(dst, "(length "+strconv.Itoa(t.Length)+")"...)
			} else {
				dst = append(dst, t.Value...)
			}
			if t.Name != "" {
				dst = append(dst, "  "+t.Name...)
			}
			dst = append(dst, '\n')
		}
	}
	if m.Failure != nil {
		dst = append(dst, "not read from byte "+strconv.Itoa(m.Failure.Offset)+" on: "+m.Failure.Text+"\n"...)
	}
	return dst
}

// appendPadded appends s filled up to width, on the left when width is negative.
func appendPadded(dst []byte, s string, width int) []byte {
	if width < 0 {
		return append(append(dst, strings.Repeat(" ", max(0, -width-len(s)))...), s...)
	}
	return append(append(dst, s...), strings.Repeat(" ", max(0, width-len(s)))...)
}
