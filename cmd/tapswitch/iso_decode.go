// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tapswitch/iso8583"
	"tapswitch/iso8583/describe"
	"tapswitch/iso8583/paste"
	"tapswitch/iso8583/recognise"
)

// decoded is a message for programs; `encode` takes it back when it is clear.
type decoded struct {
	Dialect string            `json:"dialect"`
	Length  *int              `json:"len,omitempty"`
	TPDU    string            `json:"tpdu,omitempty"`
	Header  string            `json:"header,omitempty"`
	MTI     string            `json:"mti"`
	Bitmap  string            `json:"bitmap"`
	Fields  describe.ByNumber `json:"fields"`
	Text    describe.Texts    `json:"text,omitempty"`
	Masked  bool              `json:"masked"`
}

func (t *isoTools) decodeCommand() *cobra.Command {
	var format output
	var name string
	var asJSON, unsafe bool
	c := &cobra.Command{
		Use:   "decode --dialect NAME [MESSAGE|FILE|-]",
		Short: "Give the fields of a message of a known dialect to a program",
		Long: "Give the fields of a message of a known dialect to a program: characters as they are, bytes in hex,\n" +
			"masked as `view` masks. --unsafe-unmasked gives card data in clear: for test data only.",
		Example: "  tapswitch iso decode --dialect iso87ascii --json 30383030...\n" +
			"  tapswitch iso decode --dialect unionpaypos message.bin\n" +
			"  tapswitch iso decode --dialect iso87ascii --json --unsafe-unmasked - < message.hex | tapswitch iso encode -",
		Args: words(0, -1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := format.check(); err != nil {
				return err
			}
			dialects, err := t.pick(name)
			if err != nil {
				return err
			}
			all, err := readings(c, args)
			if err != nil {
				return err
			}
			g, err := decodeInput(all, dialects)
			if err != nil {
				return err
			}
			return printDecoded(c.OutOrStdout(), g, asJSON || format == "json", unsafe)
		},
	}
	format.add(c)
	c.Flags().StringVar(&name, "dialect", "", "the dialect (required)")
	c.Flags().BoolVar(&asJSON, "json", false, "the same as -o json")
	c.Flags().BoolVar(&unsafe, "unsafe-unmasked", false, "card data in clear, PIN blocks included; for test data only")
	required(c, "dialect")
	return c
}

// decodeInput reads the input as the one dialect that was named.
func decodeInput(all []paste.Reading, dialects []recognise.Dialect) (recognise.Guess, error) {
	m := recogniseInput(all, dialects)
	if len(m.guesses) > 0 && m.guesses[0].Failure == nil {
		return m.guesses[0], nil
	}
	var v iso8583.View
	for _, r := range all { // a message too short to be told from noise is one all the same
		if dialects[0].Layout.Parse(r.Bytes, &v) == nil {
			return recognise.Guess{Dialect: dialects[0], Body: r.Bytes}, nil
		}
	}
	if len(m.guesses) == 0 {
		return recognise.Guess{}, unrecognised(m)
	}
	return recognise.Guess{}, broken(m.guesses[0])
}

func printDecoded(w io.Writer, g recognise.Guess, asJSON, unsafe bool) error {
	var v iso8583.View
	if err := g.Dialect.Layout.Parse(g.Body, &v); err != nil {
		return err
	}
	shape := describe.Of(&v, nil)
	f := framingOf(g.Head)
	d := decoded{Dialect: g.Dialect.Name, TPDU: f.TPDU, Header: f.Header, MTI: shape.MTI, Bitmap: shape.Bitmap, Masked: !unsafe}
	if g.Head.Length != recognise.LengthNone {
		d.Length = &g.Head.Says
	}
	values := describe.Values(&v)
	if unsafe {
		values = describe.UnsafeValues(&v)
	}
	d.Fields, d.Text = values, values
	if asJSON {
		return printJSON(w, d)
	}
	out := fmt.Appendf(nil, "mti     %s\nbitmap  %s\n", d.MTI, d.Bitmap)
	for _, x := range values {
		out = fmt.Appendf(out, "%-7d %s", x.Field, x.Value)
		if x.Text != "" {
			out = fmt.Appendf(out, "  %s", x.Text)
		}
		out = append(out, '\n')
	}
	_, err := w.Write(out)
	return err
}
