// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"math"

	"github.com/spf13/cobra"

	"tapswitch/iso8583/describe"
)

// diagnosis is one guess as `doctor` gives it.
type diagnosis struct {
	Rank     int      `json:"rank"` // guesses of the same rank are told apart by nothing in the bytes
	Dialect  string   `json:"dialect"`
	Framing  string   `json:"framing"`
	Known    bool     `json:"recognised"`
	Whole    bool     `json:"whole"`
	Evidence int      `json:"evidence_bits"`
	Stop     int      `json:"stops_at"` // the byte of what was given
	Bytes    int      `json:"bytes"`
	Expected string   `json:"expected,omitempty"`
	Reasons  []string `json:"reasons"`
	Doubts   []doubt  `json:"doubts,omitempty"`
}

func (t *isoTools) doctorCommand() *cobra.Command {
	var format output
	var name string
	var most int
	c := &cobra.Command{
		Use:   "doctor [MESSAGE|FILE|-]",
		Short: "Say what a message most likely is, why, and where it stops making sense",
		Long: "Rank the dialects and framings that could have written a message, with reasons, and say at which byte it\n" +
			"stops making sense and what was expected there. Exit code 1 when no dialect reads it whole.",
		Example: "  tapswitch iso doctor 0041600000000060220000000008000038000000C000...\n" +
			"  tapswitch iso doctor --most 10 trace.log\n  tapswitch iso doctor -o json - < message.bin",
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
			return diagnose(c.OutOrStdout(), recogniseInput(all, dialects), format, most)
		},
	}
	format.add(c)
	c.Flags().StringVar(&name, "dialect", "", "try only this dialect")
	c.Flags().IntVar(&most, "most", 5, "how many guesses to show")
	return c
}

func diagnose(w io.Writer, m message, format output, most int) error {
	list := []diagnosis{}
	for i, g := range m.guesses[:min(len(m.guesses), max(most, 1))] {
		d := diagnosis{Rank: g.Equal + 1, Dialect: g.Dialect.Name, Framing: g.Head.String(), Known: g.Known(), Whole: g.Failure == nil,
			Evidence: int(math.Round(g.Bits)), Stop: g.Stop(), Bytes: len(m.reading.Bytes), Reasons: g.Reasons}
		if i > 0 && g.Equal != i && m.guesses[g.Equal].Equal != g.Equal {
			d.Rank = i + 1
		}
		if g.Failure != nil {
			d.Expected = describe.Expected(g.Failure)
		}
		for _, x := range g.Doubts {
			d.Doubts = append(d.Doubts, doubt(x))
		}
		list = append(list, d)
	}
	if format == "json" {
		if err := printJSON(w, list); err != nil {
			return err
		}
	} else if _, err := w.Write(diagnosisText(m, list)); err != nil {
		return err
	}
	switch {
	case len(list) == 0 || !list[0].Known:
		return unrecognised(m)
	case !list[0].Whole:
		return broken(m.guesses[0])
	}
	return nil
}

func diagnosisText(m message, list []diagnosis) []byte {
	out := fmt.Appendf(nil, "%d bytes, read as %s\n", len(m.reading.Bytes), m.reading.Form)
	for _, d := range list {
		verdict := "whole"
		if !d.Whole {
			verdict = "broken"
		}
		if !d.Known {
			verdict = "unlikely"
		}
		out = fmt.Appendf(out, "\n%d. %s, %s (%s, %d bits)\n", d.Rank, d.Dialect, d.Framing, verdict, d.Evidence)
		for _, r := range d.Reasons {
			out = fmt.Appendf(out, "   + %s\n", r)
		}
		for _, x := range d.Doubts {
			out = fmt.Appendf(out, "   - byte %d: field %d %s\n", x.Offset, x.Field, x.Text)
		}
		if !d.Whole {
			out = fmt.Appendf(out, "   stops at byte %d of %d: %s\n", d.Stop, d.Bytes, d.Expected)
		}
	}
	return out
}
