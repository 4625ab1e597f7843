// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"bytes"
	encoding "encoding/hex"
	"errors"
	"strconv"
	"strings"

	"tapswitch/iso8583"
	"tapswitch/iso8583/bertlv"
	"tapswitch/iso8583/emv"
)

// Message is a masked message, ready for encoding/json.
type Message struct {
	Dialect string   `json:"dialect"`
	MTI     string   `json:"mti"`
	Means   string   `json:"means,omitempty"` // of the MTI
	Bitmap  string   `json:"bitmap,omitempty"`
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
	Raw    string `json:"raw,omitempty"` // its bytes on the wire in hex, ".." for those not shown
	Value  string `json:"value,omitempty"`
	Hidden bool   `json:"hidden,omitempty"` // only the length is shown
	Means  string `json:"means,omitempty"`
	Tags   []Tag  `json:"tags,omitempty"` // of chip data
	Subs   []Sub  `json:"subfields,omitempty"`

	prefix int // bytes of its length prefix
}

// Tag is one masked object of chip data, with its meaning; objects inside a
// template follow it. Offsets count from the first byte of the field's value.
type Tag = emv.Item

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
		m.Means = MTI(v.MTI())
		m.Bitmap = bitmap(v)
		for n := v.Next(0); n != 0; n = v.Next(n) {
			m.Fields = append(m.Fields, one(l, v, n))
		}
	}
	if err != nil {
		m.Failure = &Failure{Field: iso8583.WholeMessage, Reason: "other", Text: err.Error()}
		if e, ok := errors.AsType[*iso8583.Error](err); ok {
			m.Failure = &Failure{Field: e.Field, Offset: e.Offset, Reason: e.Reason, Text: Expected(e)}
		}
	}
	return m
}

func one(l *iso8583.Layout, v *iso8583.View, n int) Field {
	from, to := v.Span(n)
	f := Field{Number: n, Name: l.Description(n), Offset: from, Length: v.Len(n)}
	mark := MarkOf(l, n)
	if mark != iso8583.MarkNone {
		f.Mark = mark.String()
	}
	whole, prefix := v.Bytes()[from:to], to-from-len(v.Raw(n))
	switch mark {
	case iso8583.MarkNone, iso8583.MarkMAC:
		if mark == iso8583.MarkNone && holdsCard(l, v, n) {
			f.Mark, f.Hidden = "looks like a card number", true
			break
		}
		text := v.AppendText(nil, n)
		f.Value = plain(text)
		f.Raw = hex(whole)
		f.Means = meaning(v, n, text)
		f.Subs = subs(v.Subs(n), "")
	case iso8583.MarkPAN:
		f.Value = maskPAN(v.AppendText(nil, n))
		f.Raw = rawPAN(whole, prefix, v.Len(n))
	case iso8583.MarkICC:
		f.Hidden = true
		kernel, from := kernelOf(l, v, v.Raw(n))
		f.Tags, f.prefix = tags(v.Raw(n), kernel), prefix
		if kernel != emv.Unknown {
			f.Means = kernel.String() + " by " + from
		}
	default: // also a mark this package does not know
		f.Hidden = true
	}
	if f.Hidden {
		f.Raw = hidden(whole, prefix)
	}
	return f
}

// maskPAN shows the first six and the last four of 13 digits and more, else none:
// a dialect in EBCDIC may have any character there.
func maskPAN(p []byte) string {
	if len(p) < shortest || !isNumber(p) {
		return strings.Repeat("*", len(p))
	}
	return string(p[:leading]) + strings.Repeat("*", len(p)-leading-trailing) + string(p[len(p)-trailing:])
}

// kernelOf finds out whose chip data it is: what it says itself, or else the
// first digits of the card number, wherever the message has one.
func kernelOf(l *iso8583.Layout, v *iso8583.View, data []byte) (kernel emv.Kernel, from string) {
	if kernel, from = emv.KernelOf(data); kernel != emv.Unknown {
		return kernel, "tag " + from
	}
	var room [64]byte
	defer clear(room[:])
	for n := v.Next(0); n != 0; n = v.Next(n) {
		mark := MarkOf(l, n)
		if mark != iso8583.MarkPAN && (mark != iso8583.MarkTrack || n != 35) || v.Len(n) > len(room)/2 {
			continue
		}
		pan, _, _ := bytes.Cut(v.AppendText(room[:0], n), []byte("="))
		if kernel = emv.KernelOfPAN(pan); kernel != emv.Unknown {
			return kernel, "the first digits of field " + strconv.Itoa(n)
		}
	}
	if pan, ok := bertlv.Find(data, bertlv.CardNumber); ok {
		if kernel = emv.KernelOfPAN([]byte(hex(pan))); kernel != emv.Unknown {
			return kernel, "the first digits of tag 5A"
		}
	}
	return emv.Unknown, ""
}

// tags shows the objects of chip data. A value that may be shown is looked
// through for a card number all the same.
func tags(data []byte, kernel emv.Kernel) []Tag {
	all := emv.Describe(data, kernel)
	for i := range all {
		if t := &all[i]; t.Value != "" && t.Mark == "" && HoldsCard(unhex(t.Value)) {
			t.Value, t.Meaning, t.Hidden, t.Mark = "", nil, true, "looks like a card number"
		}
	}
	return all
}

// unhex reads what hex wrote.
func unhex(s string) []byte {
	p, err := encoding.DecodeString(s)
	if err != nil {
		return nil // a masked number
	}
	return p
}

func hex(p []byte) string {
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, 2*len(p))
	for _, c := range p {
		out = append(out, digits[c>>4], digits[c&0x0F])
	}
	return string(out)
}
