// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tapswitch/iso8583"
	"tapswitch/iso8583/describe"
	"tapswitch/iso8583/paste"
	"tapswitch/iso8583/recognise"
)

// volatile are the values that differ between any two messages: times, numbers,
// MACs, and what a chip makes anew each time.
func volatile() []string {
	return []string{"7", "11", "12", "13", "15", "37", "38", "52", "64", "128", "55.9A", "55.9F21", "55.9F26", "55.9F36", "55.9F37", "55.9F41"}
}

func (t *isoTools) diffCommand() *cobra.Command {
	var format output
	var name string
	var ignore []string
	c := &cobra.Command{
		Use:   "diff MESSAGE|FILE|- MESSAGE|FILE|-",
		Short: "Compare two messages by field, down into chip data",
		Long: "Compare two messages by field, down into chip data and subfields. The two may be of different dialects.\n" +
			"--ignore takes paths as the output shows them (7, 55.9F26), or the word volatile for what differs between\n" +
			"any two messages. Exit code 0 when nothing else differs, 1 when something does.",
		Example: "  tapswitch iso diff good.hex bad.hex\n  tapswitch iso diff --ignore volatile yesterday.bin today.bin\n" +
			"  tapswitch iso diff --ignore 11,37,55.9F26 -o json good.hex - < bad.hex",
		Args: words(2, 2),
		RunE: func(c *cobra.Command, args []string) error {
			if err := format.check(); err != nil {
				return err
			}
			dialects, err := t.pick(name)
			if err != nil {
				return err
			}
			var views [2]iso8583.View
			for i := range views {
				if err := one(c, args[i:i+1], dialects, name, &views[i]); err != nil {
					return fmt.Errorf("message %d: %w", i+1, err)
				}
			}
			return printChanges(c.OutOrStdout(), describe.Diff(&views[0], &views[1], paths(ignore)), format)
		},
	}
	format.add(c)
	c.Flags().StringVar(&name, "dialect", "", "take both for this dialect instead of guessing")
	c.Flags().StringSliceVar(&ignore, "ignore", nil, "paths to leave out, and the word volatile")
	return c
}

func paths(ignore []string) (all []string) {
	for _, i := range ignore {
		if i == "volatile" {
			all = append(all, volatile()...)
		} else {
			all = append(all, strings.ToUpper(strings.TrimSpace(i)))
		}
	}
	return all
}

// one reads one whole message into v.
func one(c *cobra.Command, args []string, dialects []recognise.Dialect, name string, v *iso8583.View) error {
	all, err := readings(c, args)
	if err != nil {
		return err
	}
	g, err := whole(all, dialects, name)
	if err != nil {
		return err
	}
	return g.Dialect.Layout.Parse(g.Body, v)
}

// whole reads a message whose dialect is named or recognised, to its end.
func whole(all []paste.Reading, dialects []recognise.Dialect, name string) (recognise.Guess, error) {
	if name != "" {
		return decodeInput(all, dialects)
	}
	m := recogniseInput(all, dialects)
	if len(m.guesses) == 0 || !m.guesses[0].Known() {
		return recognise.Guess{}, unrecognised(m)
	}
	if m.guesses[0].Failure != nil {
		return recognise.Guess{}, broken(m.guesses[0])
	}
	return m.guesses[0], nil
}

func printChanges(w io.Writer, all []describe.Change, format output) error {
	if format == "json" {
		if err := printJSON(w, all); err != nil {
			return err
		}
	} else {
		var out []byte
		for _, x := range all {
			a, b := x.A, x.B
			switch x.Note {
			case "only in the first":
				b = "(absent)"
			case "only in the second":
				a = "(absent)"
			case "":
			default:
				b += "  " + x.Note
			}
			out = fmt.Appendf(out, "%-12s %-36s %s -> %s\n", x.Path, x.Name, a, b)
		}
		if len(all) == 0 {
			out = append(out, "no difference\n"...)
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
	}
	if len(all) > 0 {
		return fmt.Errorf("%s", count(len(all), "difference"))
	}
	return nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
