// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"tapswitch/iso8583"
	"tapswitch/iso8583/bertlv"
	"tapswitch/iso8583/describe"
	"tapswitch/iso8583/dialect"
	"tapswitch/iso8583/frame"
)

// draft is a message to be written: what `decode --json --unsafe-unmasked`
// gives, or the same in YAML.
type draft struct {
	dialect, mti, tpdu, header string
	framed                     bool // a length was given
	fields                     map[int]string
	lines                      map[int]int // of the fields, for errors
}

func (t *isoTools) encodeCommand() *cobra.Command {
	var format output
	var name string
	var usual bool
	c := &cobra.Command{
		Use:   "encode [MESSAGE|FILE|-]",
		Short: "Write a message given as JSON or YAML, as hex",
		Long: "Write a message given as JSON or YAML, as hex: dialect, mti and fields, as `decode --unsafe-unmasked` gives\n" +
			"them. Characters are given as they are, bytes in hex or as text:…; field 55 also as a map of tags. With\n" +
			"tpdu, header or len in it, or with --frame, the message gets its framing.",
		Example: "  tapswitch iso encode sale.yaml\n" +
			"  tapswitch iso encode --dialect iso87ascii '{\"mti\":\"0800\",\"fields\":{\"11\":\"000001\",\"70\":\"301\"}}'\n" +
			"  tapswitch iso encode --frame sale.yaml | xxd -r -p | nc host 7100",
		Args: words(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := format.check(); err != nil {
				return err
			}
			p, from, err := source(c, args)
			if err != nil {
				return &isoError{Code: "ISO-101", What: "the " + from + " cannot be read", Why: ioReason(err), Fix: "check its rights"}
			}
			d, err := readDraft(p)
			if err != nil {
				return err
			}
			if name != "" {
				d.dialect = name
			}
			wire, err := t.encode(d, usual)
			if err != nil {
				return err
			}
			return printWire(c.OutOrStdout(), wire, format)
		},
	}
	format.add(c)
	c.Flags().StringVar(&name, "dialect", "", "the dialect, when the message does not name it")
	c.Flags().BoolVar(&usual, "frame", false, "with the length and headers usual for the dialect")
	return c
}

func printWire(w io.Writer, wire []byte, format output) error {
	text := strings.ToUpper(hex.EncodeToString(wire))
	if format == "json" {
		return printJSON(w, map[string]any{"hex": text, "bytes": len(wire)})
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

func draftError(line int, what, fix string) error {
	e := &isoError{Code: "ISO-120", What: what, Fix: fix}
	if line > 0 {
		e.Where = fmt.Sprintf("line %d", line)
	}
	return e
}

// readDraft reads JSON, which is YAML but for tabs.
func readDraft(p []byte) (draft, error) {
	d := draft{fields: map[int]string{}, lines: map[int]int{}}
	var doc yaml.Node
	if strings.HasPrefix(strings.TrimSpace(string(p)), "{") {
		p = []byte(strings.ReplaceAll(string(p), "\t", " "))
	}
	if err := yaml.Unmarshal(p, &doc); err != nil {
		return d, draftError(lineOf(err), "this is neither JSON nor YAML", "look for a missing quote, comma or colon there")
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return d, draftError(0, "no message in it", "give dialect, mti and fields; `tapswitch iso decode --json` shows the form")
	}
	root := doc.Content[0].Content
	for i := 0; i+1 < len(root); i += 2 {
		if err := d.key(root[i], root[i+1]); err != nil {
			return d, err
		}
	}
	return d, nil
}

// lineOf finds the line in an error of the YAML reader, whose text may hold a
// piece of the input.
func lineOf(err error) (line int) {
	_, after, ok := strings.Cut(err.Error(), "line ")
	if ok {
		_, _ = fmt.Sscanf(after, "%d", &line)
	}
	return line
}

func (d *draft) key(k, v *yaml.Node) error {
	to := map[string]*string{"dialect": &d.dialect, "mti": &d.mti, "tpdu": &d.tpdu, "header": &d.header}[k.Value]
	switch {
	case to != nil && v.Kind == yaml.ScalarNode:
		*to = v.Value
	case k.Value == "len":
		d.framed = true
	case k.Value == "masked":
		if v.Value == "true" {
			return draftError(v.Line, "the message is masked", "take it with `tapswitch iso decode --json --unsafe-unmasked`")
		}
	case k.Value == "bitmap", k.Value == "text":
		// made anew, or said twice
	case k.Value == "fields" && v.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(v.Content); i += 2 {
			if err := d.field(v.Content[i], v.Content[i+1]); err != nil {
				return err
			}
		}
	case k.Value != "" && strings.Trim(k.Value, "0123456789") == "":
		return d.field(k, v)
	default:
		return draftError(k.Line, "a key that means nothing here", "use dialect, mti, tpdu, header, len and fields")
	}
	return nil
}

func (d *draft) field(k, v *yaml.Node) error {
	n, err := strconv.Atoi(k.Value)
	if err != nil || n < 2 || n > iso8583.MaxField {
		return draftError(k.Line, "a field has no number", fmt.Sprintf("numbers are 2 to %d", iso8583.MaxField))
	}
	if _, twice := d.lines[n]; twice {
		return draftError(k.Line, fmt.Sprintf("field %d is given twice", n), "take one out")
	}
	d.lines[n] = k.Line
	switch v.Kind {
	case yaml.ScalarNode:
		d.fields[n] = v.Value
		return nil
	case yaml.MappingNode:
		tlv, err := objects(v, 1)
		d.fields[n] = hex.EncodeToString(tlv)
		return err
	}
	return draftError(v.Line, fmt.Sprintf("field %d has no value", n), "give characters, hex, or a map of tags")
}

// objects writes a map of tags, templates as maps within it.
func objects(v *yaml.Node, depth int) (out []byte, err error) {
	for i := 0; i+1 < len(v.Content); i += 2 {
		k, x := v.Content[i], v.Content[i+1]
		tag, err := strconv.ParseUint(k.Value, 16, 32)
		if err != nil || tag == 0 {
			return nil, draftError(k.Line, "a tag is hex digits", "write 9F26, 5F2A, 82")
		}
		var value []byte
		if x.Kind == yaml.MappingNode && depth < bertlv.MaxDepth {
			if value, err = objects(x, depth+1); err != nil {
				return nil, err
			}
		} else if value, err = hex.DecodeString(x.Value); err != nil {
			return nil, draftError(x.Line, "the value of a tag is hex", "write two digits a byte")
		}
		out = bertlv.Append(out, bertlv.Tag(tag), value)
	}
	return out, nil
}

// encode writes the message.
func (t *isoTools) encode(d draft, usual bool) ([]byte, error) {
	if d.dialect == "" {
		return nil, usageError{errors.New("no dialect: name it with --dialect, or in the message")}
	}
	entry, err := t.find(d.dialect)
	if err != nil {
		return nil, err
	}
	mti, err := strconv.ParseUint(d.mti, 16, 16)
	if err != nil || len(d.mti) != 4 {
		return nil, draftError(0, "no message type", `give mti as four digits in quotes: "0200"`)
	}
	body, err := d.body(entry.New(), iso8583.MTI(mti))
	if err != nil {
		return nil, err
	}
	return d.frame(entry, body, usual)
}

func (d draft) body(l *iso8583.Layout, mti iso8583.MTI) ([]byte, error) {
	var b iso8583.Builder
	b.Reset(l, mti)
	numbers := make([]int, 0, len(d.fields))
	for n := range d.fields {
		numbers = append(numbers, n)
	}
	sort.Ints(numbers)
	for _, n := range numbers {
		s := d.fields[n]
		if strings.Contains(s, "*") && (describe.MarkOf(l, n) != iso8583.MarkNone) {
			return nil, draftError(d.lines[n], fmt.Sprintf("field %d is masked", n), "take it with `tapswitch iso decode --json --unsafe-unmasked`")
		}
		value, err := d.value(l, n, s)
		if err != nil {
			return nil, err
		}
		b.SetText(n, value)
	}
	body, err := b.Append(nil)
	if e, ok := errors.AsType[*iso8583.Error](err); ok {
		fix := "`tapswitch iso spec show " + l.Name() + "` lists the fields"
		return nil, draftError(d.lines[max(e.Field, 0)], describe.Expected(e), fix)
	}
	return body, err
}

// value turns what was written into the field's own text.
func (d draft) value(l *iso8583.Layout, n int, s string) ([]byte, error) {
	if !describe.InHex(l, n) {
		out := make([]byte, 0, len(s))
		for _, r := range s {
			if r > 0xFF {
				return nil, draftError(d.lines[n], fmt.Sprintf("field %d has a character that the dialect cannot write", n), "use characters of Latin-1")
			}
			out = append(out, byte(r))
		}
		return out, nil
	}
	if text, ok := strings.CutPrefix(s, "text:"); ok {
		return []byte(text), nil
	}
	p, err := hex.DecodeString(s)
	if err != nil {
		return nil, draftError(d.lines[n], fmt.Sprintf("field %d is bytes, and this is not hex", n), "give two hex digits a byte, or text: and the characters")
	}
	return p, nil
}

// frame puts the message behind what it names, or behind what is usual.
func (d draft) frame(entry dialect.Entry, body []byte, usual bool) ([]byte, error) {
	tpdu, err1 := hex.DecodeString(d.tpdu)
	header, err2 := hex.DecodeString(d.header)
	if err1 != nil || err2 != nil || len(tpdu) != 0 && len(tpdu) != len(frame.TPDU{}) {
		return nil, draftError(0, "tpdu or header is not hex of the right length", "a TPDU has 5 bytes")
	}
	if !usual && !d.framed {
		return append(append(tpdu, header...), body...), nil
	}
	f := frame.Format{Length: frame.Binary2, TPDU: len(tpdu) > 0, Header: len(header), Max: 1<<16 - 1}
	if usual {
		f = entry.Format
		f.Max = max(f.Max, len(body)+f.Header+len(tpdu))
		if len(header) == 0 {
			header = make([]byte, f.Header)
		}
		if f.TPDU && len(tpdu) == 0 {
			tpdu = []byte{0x60, 0, 0, 0, 0}
		}
	}
	fr := frame.Frame{Header: header, Body: body}
	copy(fr.TPDU[:], tpdu)
	out, err := f.Append(nil, fr)
	if err != nil {
		return nil, draftError(0, "the message does not fit its framing", "look at header and length: "+err.Error())
	}
	return out, nil
}
