// SPDX-License-Identifier: Apache-2.0

package dissector

import (
	_ "embed" // for the Lua code
	"fmt"
	"strconv"
	"strings"

	moov "github.com/moov-io/iso8583"

	"tapswitch/iso8583"
	"tapswitch/iso8583/describe"
	"tapswitch/iso8583/frame"
)

//go:embed body.lua
var body string

// Dialect is what a dissector is written for.
type Dialect struct {
	Name   string
	Title  string
	Spec   *moov.MessageSpec
	Layout *iso8583.Layout
	Format frame.Format
	Port   int // TCP port that is taken for the dialect's; 0 none, "Decode As" remains
}

// Write gives the Lua file.
func Write(d Dialect) ([]byte, error) {
	head, err := probe(d.Layout)
	if err != nil {
		return nil, fmt.Errorf("dissector: %s: %w", d.Name, err)
	}
	length, ok := map[frame.Length]string{frame.Binary2: "binary2", frame.Binary2Whole: "binary2self", frame.Binary4: "binary4",
		frame.BCD2: "bcd2", frame.ASCII4: "ascii4", frame.ASCII4Whole: "ascii4self", frame.Visa: "visa"}[d.Format.Length]
	if !ok {
		return nil, fmt.Errorf("dissector: %s: its framing is not among those the dissector reads", d.Name)
	}
	tpdu := 0
	if d.Format.TPDU {
		tpdu = len(frame.TPDU{})
	}
	header := map[frame.HeaderKind]int{frame.Plain: d.Format.Header, frame.Interchange: frame.InterchangeSize, frame.BaseI: frame.BaseISize}[d.Format.Kind]
	var b strings.Builder
	fmt.Fprintf(&b, "-- SPDX-License-Identifier: Apache-2.0\n--\n-- Wireshark dissector for %s.\n", oneLine(d.Title))
	fmt.Fprintf(&b, "-- Written by: tapswitch iso lua %s\n-- Use: tshark -X lua_script:%s.lua, or put it into Wireshark's folder of personal plugins.\n\n", oneLine(d.Name), oneLine(d.Name))
	fmt.Fprintf(&b, "local dialect = {\n\tname = %s, title = %s, port = %d,\n", quote(d.Name), quote(d.Title), d.Port)
	fmt.Fprintf(&b, "\tlength = %s, tpdu = %d, header = %d, mti = %s, bitmap = %s,\n\tfields = {\n", quote(length), tpdu, header, quote(head.mti), quote(head.bitmap))
	for n := 2; n <= iso8583.MaxField; n++ {
		if !d.Layout.Defines(n) {
			continue
		}
		line, err := fieldLine(d, n)
		if err != nil {
			return nil, fmt.Errorf("dissector: %s: field %d: %w", d.Name, n, err)
		}
		b.WriteString(line)
	}
	b.WriteString("\t},\n}\n\n")
	b.WriteString(body)
	return []byte(b.String()), nil
}

// fieldLine is one row of the table.
func fieldLine(d Dialect, n int) (string, error) {
	enc := d.Layout.Encoding(n)
	switch enc {
	case iso8583.EncodingBytes, iso8583.EncodingASCII, iso8583.EncodingDigits, iso8583.EncodingEBCDIC, iso8583.EncodingEBCDIC1047,
		iso8583.EncodingHexPacked, iso8583.EncodingComposite, iso8583.EncodingHex, iso8583.EncodingBCD, iso8583.EncodingLeftBCD, iso8583.EncodingFilledBCD, iso8583.EncodingTrack,
		iso8583.EncodingBCDTrack:
	default:
		return "", fmt.Errorf("encoding %s is not among those the dissector reads", enc)
	}
	f := d.Spec.Fields[n]
	if f == nil || f.Spec() == nil || f.Spec().Pref == nil {
		return "", fmt.Errorf("the specification does not say how its length is written")
	}
	kind, form, _ := strings.Cut(f.Spec().Pref.Inspect(), ".")
	width := 0
	kind = strings.TrimSuffix(kind, "1047") // digits are the same in both code pages
	switch kind {
	case "ASCII", "EBCDIC", "Binary":
		width = strings.Count(form, "L")
	case "BCD":
		width = (strings.Count(form, "L") + 1) / 2
	}
	if form == "Fixed" {
		kind, width = "fixed", 0
	} else if width == 0 || strings.Trim(form, "L") != "" {
		return "", fmt.Errorf("length prefix %s is not among those the dissector reads", f.Spec().Pref.Inspect())
	}
	mark := ""
	if m := describe.MarkOf(d.Layout, n); m != iso8583.MarkNone {
		mark = ", mark = " + quote(m.String())
	}
	return fmt.Sprintf("\t\t[%d] = { name = %s, enc = %s, prefix = %s, width = %d, max = %d%s },\n",
		n, quote(d.Layout.Description(n)), quote(enc.String()), quote(strings.ToLower(kind)), width, d.Layout.Max(n), mark), nil
}

// head is how message type and bitmap are written.
type head struct{ mti, bitmap string }

// probe finds it out by writing a message without fields.
func probe(l *iso8583.Layout) (head, error) {
	var b iso8583.Builder
	b.Reset(l, 0x0200)
	p, err := b.Append(nil)
	if err != nil || len(p) < 2 {
		return head{}, fmt.Errorf("a message without fields cannot be written: %w", err)
	}
	h, size := head{mti: "bcd"}, 2
	switch p[0] {
	case '0':
		h.mti, size = "ascii", 4
	case 0xF0:
		h.mti, size = "ebcdic", 4
	}
	switch rest := p[size:]; {
	case len(rest) == 8:
		h.bitmap = "binary"
	case len(rest) == 16 && rest[0] == '0':
		h.bitmap = "ascii"
	case len(rest) == 16 && rest[0] == 0xF0:
		h.bitmap = "ebcdic"
	default:
		return h, fmt.Errorf("a bitmap of %d bytes is not among those the dissector reads", len(rest))
	}
	return h, nil
}

// quote writes a Lua string; names come from specifications of others.
func quote(s string) string { return strconv.QuoteToASCII(oneLine(s)) }

// oneLine keeps a text from ending a comment or needing an escape that Lua and
// Go write differently.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, s)
}
