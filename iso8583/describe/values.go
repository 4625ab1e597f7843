// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"encoding/json"
	"strconv"
	"strings"

	"tapswitch/iso8583"
)

// Value is one field for programs: characters as they are, bytes in hex.
type Value struct {
	Field  int
	Value  string
	Text   string // what bytes say, when they are printable
	Masked bool   // Value is not what is on the wire
}

// Values gives the fields of v, masked.
func Values(v *iso8583.View) []Value { return values(v, false) }

// UnsafeValues gives the fields of v as they are: card numbers, tracks and PIN
// blocks included. Nobody but a person who asked for it by name may see them.
func UnsafeValues(v *iso8583.View) []Value { return values(v, true) }

func values(v *iso8583.View, unsafe bool) (all []Value) {
	l := v.Layout()
	if l == nil {
		return nil
	}
	for n := v.Next(0); n != 0; n = v.Next(n) {
		raw := v.AppendText(nil, n)
		o := Value{Field: n, Value: latin(raw)}
		if InHex(l, n) {
			o.Value = hex(raw)
			if s, ok := text(raw); ok && len(raw) > 0 {
				o.Text = s
			}
		}
		if !unsafe {
			o.mask(l, v, n, raw)
		}
		all = append(all, o)
	}
	return all
}

// mostStars bounds the stars of a masked value.
const mostStars = 32

// mask puts stars where the field may not be shown.
func (o *Value) mask(l *iso8583.Layout, v *iso8583.View, n int, raw []byte) {
	switch mark := MarkOf(l, n); {
	case mark == iso8583.MarkPAN && !InHex(l, n):
		o.Value = maskPAN(raw)
	case mark == iso8583.MarkMAC, mark == iso8583.MarkNone && !holdsCard(l, v, n):
		return
	default:
		o.Value = strings.Repeat("*", min(len(o.Value), mostStars))
	}
	o.Text, o.Masked = "", true
}

// latin gives bytes as the characters of the same numbers, since a text in
// EBCDIC may have more than ASCII.
func latin(p []byte) string {
	var b strings.Builder
	for _, c := range p {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// ByNumber is values as a JSON object with the field numbers as its keys, in
// their order.
type ByNumber []Value

// MarshalJSON writes the object.
func (o ByNumber) MarshalJSON() ([]byte, error) {
	return object(o, func(v Value) (string, bool) { return v.Value, true })
}

// Texts is the same for what bytes say.
type Texts []Value

// MarshalJSON writes the object.
func (o Texts) MarshalJSON() ([]byte, error) {
	return object(o, func(v Value) (string, bool) { return v.Text, v.Text != "" })
}

func object(all []Value, pick func(Value) (string, bool)) ([]byte, error) {
	out := []byte{'{'}
	for _, v := range all {
		s, ok := pick(v)
		if !ok {
			continue
		}
		encoded, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = strconv.AppendQuote(out, strconv.Itoa(v.Field))
		out = append(append(out, ':'), encoded...)
	}
	return append(out, '}'), nil
}

// Summary says in one line what the message is about, masked.
func (m Message) Summary() string {
	parts := []string{strings.TrimSpace(m.MTI + " " + m.Means)}
	value := func(n int) (f Field, ok bool) {
		for _, f := range m.Fields {
			if f.Number == n && !f.Hidden {
				return f, true
			}
		}
		return Field{}, false
	}
	add := func(n int, label string, means bool) {
		f, ok := value(n)
		if !ok {
			return
		}
		text := strings.TrimSpace(f.Value)
		if means && f.Means != "" {
			text = f.Means
			if n == 39 {
				text = f.Value + " " + f.Means
			}
		}
		parts = append(parts, label+text)
	}
	add(3, "", true)
	add(4, "", true)
	add(2, "card ", false)
	add(22, "", true)
	add(39, "answer ", true)
	add(70, "", true)
	add(11, "trace ", false)
	add(41, "terminal ", false)
	return strings.Join(parts, ", ")
}
