// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tapswitch/iso8583"
	"tapswitch/iso8583/describe"
	"tapswitch/iso8583/dialect"
)

// specField is a field of a dialect as `spec show` gives it.
type specField struct {
	Number   int         `json:"number,omitempty"`
	Tag      string      `json:"tag,omitempty"`
	Name     string      `json:"name"`
	Encoding string      `json:"encoding"`
	Length   int         `json:"length"`
	Fixed    bool        `json:"fixed"`
	Mark     string      `json:"mark,omitempty"`
	Subs     []specField `json:"subfields,omitempty"`
}

func (t *isoTools) specCommand() *cobra.Command {
	c := &cobra.Command{Use: "spec", Short: "Show and check the specification of a dialect", Example: "  tapswitch iso spec show unionpaypos"}
	c.AddCommand(t.specShowCommand(), t.specCheckCommand())
	return c
}

func (t *isoTools) specShowCommand() *cobra.Command {
	var format output
	c := &cobra.Command{
		Use:     "show NAME",
		Short:   "List the fields of a dialect: name, encoding, length, who may see it",
		Example: "  tapswitch iso spec show unionpaypos\n  tapswitch iso spec show -o json iso87ascii",
		Args:    words(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := format.check(); err != nil {
				return err
			}
			e, err := t.find(args[0])
			if err != nil {
				return err
			}
			return printSpec(c.OutOrStdout(), e, format)
		},
	}
	format.add(c)
	return c
}

func printSpec(w io.Writer, e dialect.Entry, format output) error {
	l := e.New()
	rows := []specField{}
	for _, n := range fieldsOf(l) {
		f := specField{Number: n, Name: l.Description(n), Encoding: l.Encoding(n).String(), Length: l.Max(n), Fixed: l.Fixed(n), Subs: inside(l.Inside(n))}
		if mark := describe.MarkOf(l, n); mark != iso8583.MarkNone {
			f.Mark = mark.String()
		}
		rows = append(rows, f)
	}
	if format == "json" {
		return printJSON(w, map[string]any{"name": e.Name, "title": e.Title, "standing": e.Standing.String(), "fields": rows})
	}
	out := fmt.Appendf(nil, "%s: %s (%s)\n", e.Name, e.Title, e.Standing)
	for _, f := range rows {
		out = f.append(out, fmt.Sprint(f.Number), 0)
	}
	_, err := w.Write(out)
	return err
}

func inside(in iso8583.Inside) (all []specField) {
	for i := range in.Size() {
		f := in.At(i)
		all = append(all, specField{Tag: f.Tag(), Name: f.Description(), Encoding: f.Encoding().String(), Length: f.Max(), Fixed: f.Fixed(), Subs: inside(f.Inside())})
	}
	return all
}

func (f specField) append(out []byte, key string, depth int) []byte {
	length := fmt.Sprint(f.Length)
	if !f.Fixed {
		length = ".." + length
	}
	mark := f.Mark
	if mark != "" {
		mark = "  (" + mark + ")"
	}
	out = fmt.Appendf(out, "%*s%-6s %-10s %6s  %s%s\n", 2*depth, "", key, f.Encoding, length, f.Name, mark)
	for _, s := range f.Subs {
		out = s.append(out, s.Tag, depth+1)
	}
	return out
}

// fieldsOf are the numbers of the fields a dialect has.
func fieldsOf(l *iso8583.Layout) (all []int) {
	for n := 2; n <= iso8583.MaxField; n++ {
		if l.Defines(n) {
			all = append(all, n)
		}
	}
	return all
}
