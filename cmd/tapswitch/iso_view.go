// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tapswitch/iso8583"
	"tapswitch/iso8583/describe"
	"tapswitch/iso8583/recognise"
)

// shown is a message as `view -o json` gives it.
type shown struct {
	Summary string           `json:"summary"`
	Form    string           `json:"form"`
	Line    int              `json:"line,omitempty"`
	Bytes   int              `json:"bytes"`
	Framing framing          `json:"framing"`
	Message describe.Message `json:"message"` // offsets count from framing.from
	Tied    []string         `json:"tied,omitempty"`
	Doubts  []doubt          `json:"doubts,omitempty"`
	After   int              `json:"bytes_after,omitempty"`
	Error   *isoError        `json:"error,omitempty"`
}

type framing struct {
	Text   string `json:"text"`
	Length string `json:"length,omitempty"`
	Says   int    `json:"says,omitempty"`
	TPDU   string `json:"tpdu,omitempty"`
	Header string `json:"header,omitempty"`
	From   int    `json:"from"` // byte at which the message type stands
}

type doubt struct {
	Field  int    `json:"field"`
	Offset int    `json:"offset"` // in what was given
	Text   string `json:"text"`
}

func framingOf(h recognise.Head) framing {
	f := framing{Text: h.String(), Length: h.Length, From: h.From, TPDU: fmt.Sprintf("%X", h.TPDU), Header: fmt.Sprintf("%X", h.Header)}
	if h.Length != recognise.LengthNone {
		f.Says = h.Says
	}
	if describe.HoldsCard(h.Header) || describe.HoldsCard(h.TPDU) {
		f.TPDU, f.Header = "", ""
	}
	return f
}

func (t *isoTools) viewCommand() *cobra.Command {
	var format output
	var name string
	c := &cobra.Command{
		Use:   "view [MESSAGE|FILE|-]",
		Short: "Show a pasted message: one line on what it is, then every field",
		Long: "Show a pasted message: one line on what it is, then every field with offset, bytes and meaning.\n" +
			"Framing, TPDU, header and dialect are recognised. Card numbers are masked; tracks, PIN blocks and keys\n" +
			"are never shown.",
		Example: "  tapswitch iso view 0041600000000060220000000008000038000000C00012...\n" +
			"  tapswitch iso view trace.log\n  xclip -o | tapswitch iso view -o json",
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
			m := recogniseInput(all, dialects)
			if len(m.guesses) == 0 || name == "" && !m.guesses[0].Known() {
				return unrecognised(m)
			}
			return showMessage(c.OutOrStdout(), m, format)
		},
	}
	format.add(c)
	c.Flags().StringVar(&name, "dialect", "", "take it for this dialect instead of guessing")
	return c
}

// unrecognised refuses to guess, with the best reason there is.
func unrecognised(m message) error {
	e := &isoError{Code: "ISO-110", What: fmt.Sprintf("no dialect recognised: %d bytes, read as %s", len(m.reading.Bytes), m.reading.Form),
		Why: "no dialect reads a message type, a bitmap and fields here",
		Fix: "check that the message is whole; name its dialect with --dialect; `tapswitch iso doctor` lists the guesses"}
	if len(m.guesses) > 0 {
		g := m.guesses[0]
		e.Why = fmt.Sprintf("the nearest is %s with %s, which stops at byte %d: %s", g.Dialect.Name, g.Head, g.Stop(), failureText(g))
	}
	return e
}

func failureText(g recognise.Guess) string {
	if g.Failure == nil {
		return "too little in it to tell it from noise"
	}
	return describe.Expected(g.Failure)
}

// broken says where a message that was recognised stops making sense.
func broken(g recognise.Guess) *isoError {
	if g.Failure == nil {
		return nil
	}
	e := &isoError{Code: "ISO-111", What: fmt.Sprintf("the message stops making sense as %s", g.Dialect.Name),
		Where: fmt.Sprintf("byte %d of %d", g.Stop(), g.Head.From+len(g.Body)), Why: describe.Expected(g.Failure),
		Fix: "look at the field before that byte; `tapswitch iso doctor` compares dialects and framings"}
	if len(g.Doubts) > 0 {
		d := g.Doubts[0]
		e.Fix = fmt.Sprintf("look at byte %d first: field %d %s; %s", d.Offset, d.Field, d.Text, "something before it has the wrong length, or the dialect is another")
	}
	if g.Head.Says > g.Head.Has {
		e.Fix = fmt.Sprintf("the length says %d bytes and %d are there: get the whole message", g.Head.Says, g.Head.Has)
	}
	return e
}

func showMessage(w io.Writer, m message, format output) error {
	g := m.guesses[0]
	var v iso8583.View
	d := describe.Of(&v, g.Dialect.Layout.Parse(g.Body, &v))
	s := shown{Summary: d.Summary() + " (" + g.Dialect.Name + ")", Form: string(m.reading.Form), Line: m.reading.Line, Bytes: len(m.reading.Bytes),
		Framing: framingOf(g.Head), Message: d, Tied: m.tied(), After: g.After, Error: broken(g)}
	for _, x := range g.Doubts {
		s.Doubts = append(s.Doubts, doubt(x))
	}
	var err error
	if format == "json" {
		err = printJSON(w, s)
	} else {
		_, err = w.Write(s.text())
	}
	if err == nil && s.Error != nil {
		return s.Error
	}
	return err
}

// text is the table for people.
func (s shown) text() []byte {
	where := ""
	if s.Line > 1 {
		where = fmt.Sprintf(" from line %d", s.Line)
	}
	out := fmt.Appendf(nil, "%s\nread as %s%s, %d bytes: %s\n", s.Summary, s.Form, where, s.Bytes, s.Framing.Text)
	if len(s.Tied) > 0 {
		out = fmt.Appendf(out, "these bytes do not tell it from: %s\n", strings.Join(s.Tied, ", "))
	}
	out = append(out, '\n')
	at := s.Framing.From - (len(s.Framing.TPDU)+len(s.Framing.Header))/2
	if s.Framing.TPDU != "" {
		out = fmt.Appendf(out, "TPDU    %s at byte %d\n", s.Framing.TPDU, at)
		at += len(s.Framing.TPDU) / 2
	}
	if s.Framing.Header != "" {
		out = fmt.Appendf(out, "header  %s at byte %d\n", s.Framing.Header, at)
	}
	out = fmt.Appendf(out, "bitmap  %s\n", s.Message.Bitmap)
	out = s.Message.AppendTable(out, s.Framing.From)
	for _, d := range s.Doubts {
		out = fmt.Appendf(out, "doubt: byte %d, field %d %s\n", d.Offset, d.Field, d.Text)
	}
	if s.After > 0 {
		out = fmt.Appendf(out, "%d bytes after this message were not read\n", s.After)
	}
	return out
}
