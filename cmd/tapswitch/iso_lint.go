// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tapswitch/iso8583"
	"tapswitch/iso8583/lint"
)

// linted is what `lint -o json` gives.
type linted struct {
	Dialect  string         `json:"dialect"`
	MTI      string         `json:"mti"`
	Findings []lint.Finding `json:"findings"` // offsets count from the message type
}

func (t *isoTools) lintCommand() *cobra.Command {
	var format output
	var name string
	var rules, strict bool
	c := &cobra.Command{
		Use:   "lint [MESSAGE|FILE|-]",
		Short: "Check the fields that a message's type and entry mode ask for",
		Long: "Check the fields that a message's type and entry mode ask for, and values that contradict each other.\n" +
			"Every rule has a code (--rules lists them; docs/reference/iso-tools.md explains). Exit code 1 when there is an\n" +
			"error, or, with --strict, a warning.",
		Example: "  tapswitch iso lint sale.hex\n  tapswitch iso lint --strict -o json - < sale.hex\n  tapswitch iso lint --rules",
		Args:    words(0, -1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := format.check(); err != nil {
				return err
			}
			if rules {
				return printRules(c.OutOrStdout(), format)
			}
			dialects, err := t.pick(name)
			if err != nil {
				return err
			}
			var v iso8583.View
			if err := one(c, args, dialects, name, &v); err != nil {
				return err
			}
			return printFindings(c.OutOrStdout(), linted{v.Layout().Name(), v.MTI().String(), lint.Check(&v)}, format, strict)
		},
	}
	format.add(c)
	c.Flags().StringVar(&name, "dialect", "", "take it for this dialect instead of guessing")
	c.Flags().BoolVar(&rules, "rules", false, "list the rules")
	c.Flags().BoolVar(&strict, "strict", false, "warnings count too")
	return c
}

func printRules(w io.Writer, format output) error {
	type row struct {
		Code     string        `json:"code"`
		Severity lint.Severity `json:"severity"`
		Title    string        `json:"rule"`
		Fix      string        `json:"fix"`
	}
	rows := []row{}
	for _, r := range lint.Rules() {
		rows = append(rows, row{r.Code, r.Severity, r.Title, r.Fix})
	}
	if format == "json" {
		return printJSON(w, rows)
	}
	var out []byte
	for _, r := range rows {
		out = fmt.Appendf(out, "%s  %-7s  %s\n", r.Code, r.Severity, r.Title)
	}
	_, err := w.Write(out)
	return err
}

func printFindings(w io.Writer, l linted, format output, strict bool) error {
	errs, warnings := 0, 0
	out := fmt.Appendf(nil, "%s %s\n", l.MTI, l.Dialect)
	for _, f := range l.Findings {
		if f.Severity == lint.Fault {
			errs++
		} else {
			warnings++
		}
		place := fmt.Sprintf("field %d", f.Field)
		if f.Offset > 0 {
			place += fmt.Sprintf(" at byte %d of the message", f.Offset)
		}
		out = fmt.Appendf(out, "%s[%s]: %s\n  where: %s\n  fix: %s\n", f.Severity, f.Code, f.Text, place, f.Fix)
	}
	verdict := count(errs, "error") + ", " + count(warnings, "warning")
	out = fmt.Appendf(out, "%s\n", verdict)
	var err error
	if format == "json" {
		err = printJSON(w, l)
	} else {
		_, err = w.Write(out)
	}
	if err == nil && (errs > 0 || strict && warnings > 0) {
		return fmt.Errorf("%s", verdict)
	}
	return err
}
