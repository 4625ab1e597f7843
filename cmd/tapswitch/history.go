// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/switch/config"
	past "tapswitch/switch/history"
	"tapswitch/switch/node"
)

func newHistoryCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "history",
		Short:   "Search the past of payments",
		Example: "  tapswitch history search --config switch.yaml --terminal 10000001 --state approved\n  tapswitch history show --config switch.yaml 17",
	}
	c.AddCommand(newHistorySearchCommand(), newHistoryShowCommand(), newHistoryRebuildCommand())
	return c
}

// historyOf loads the configuration and says which history it names.
func historyOf(file string) (*config.Config, error) {
	cfg, err := config.Load(file, machine())
	if err != nil {
		return nil, err
	}
	if !cfg.History.InUse() {
		return nil, fmt.Errorf("%s keeps no history: add `history: {path: history.db}`, or `{store: postgres, url: …}`, and start the switch, or run tapswitch history rebuild", file)
	}
	return cfg, nil
}

// reading opens the history of a configuration for as long as fn takes.
func reading(cfg *config.Config, fn func(*past.Book) error) error {
	at, err := node.HistoryPlace(env.Real(), cfg.History)
	if err != nil {
		return err
	}
	b, err := past.Read(at)
	if err != nil {
		return err
	}
	return errors.Join(fn(b), b.Close())
}

func newHistoryRebuildCommand() *cobra.Command {
	var file string
	var drop bool
	c := &cobra.Command{
		Use:   "rebuild --config FILE",
		Short: "Make the history anew from the journal",
		Long: "Make the history anew from the journal, into a new file or schema that then takes the place of the old one. The switch must be stopped, or run without\n" +
			"its history because that is damaged. Payments that only the old history knows are kept: the rebuild is refused, unless --drop says otherwise.",
		Example: "  tapswitch history rebuild --config switch.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := historyOf(file)
			if err != nil {
				return err
			}
			at, err := node.HistoryPlace(env.Real(), cfg.History)
			if err != nil {
				return err
			}
			done, err := past.Rebuild(at, configuredJournal(cfg), drop)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d payments from %d records, up to record %d\n", done.Payments, done.Records, done.Last)
			return err
		},
	}
	c.Flags().StringVar(&file, "config", "", "switch configuration (required)")
	c.Flags().BoolVar(&drop, "drop", false, "drop payments that the journal does not have any more")
	required(c, "config")
	return c
}

func newHistoryShowCommand() *cobra.Command {
	var file, format string
	c := &cobra.Command{
		Use:     "show --config FILE ID",
		Short:   "Show one payment and everything that became of it; search gives its ID",
		Example: "  tapswitch history show --config switch.yaml 17\n  tapswitch history show --config switch.yaml -o json 17",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || id < 1 || len(args[0]) > 15 {
				return usageError{errors.New("the ID is not one that search gives")} // and not repeated: it may be a card number
			}
			if format != "table" && format != "json" {
				return usageError{fmt.Errorf("output %q: table or json", format)}
			}
			cfg, err := historyOf(file)
			if err != nil {
				return err
			}
			return reading(cfg, func(b *past.Book) error {
				l, err := b.Life(c.Context(), id)
				if err != nil {
					return err
				}
				return showLife(c.OutOrStdout(), format, l)
			})
		},
	}
	c.Flags().StringVar(&file, "config", "", "switch configuration (required)")
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	required(c, "config")
	return c
}

// showRows prints what a search found.
func showRows(out io.Writer, format string, rows []past.Row) error {
	if format == "json" {
		enc := json.NewEncoder(out)
		for _, r := range rows {
			if err := enc.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tAT\tTERMINAL\tBATCH\tTRACE\tCLASS\tCARD\tAMOUNT\tLINK\tSTAN\tRRN\tSTATE\tCODE\tREASON")
	for _, r := range rows {
		fmt.Fprintf(w, "%d\t%s\t%s\t%06d\t%06d\t%s\t%s\t%s\t%s\t%06d\t%s\t%s\t%s\t%s\n",
			r.ID, r.At, r.Terminal, r.Batch, r.Trace, r.Class, r.Card, amountOf(r), r.Link, r.STAN, r.RRN, r.State, r.Code, r.Reason)
	}
	return w.Flush()
}

func amountOf(r past.Row) string {
	if r.Currency == 0 {
		return ""
	}
	return money.Amount{Minor: money.MinorUnits(r.Amount), Currency: money.Currency(r.Currency)}.String()
}

// showLife prints one payment: what it is, then its records in order.
func showLife(out io.Writer, format string, l past.Life) error {
	if format == "json" {
		return json.NewEncoder(out).Encode(l)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if strings.TrimSpace(value) != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	line("id", fmt.Sprint(l.ID))
	line("at", l.At)
	line("terminal", l.Terminal+" of merchant "+l.Merchant)
	line("batch, trace", fmt.Sprintf("%06d %06d", l.Batch, l.Trace))
	line("class", l.Class)
	line("card", l.Card)
	line("card token", l.Token)
	line("amount", amountOf(l.Row))
	if l.Link != "" {
		line("sent to", fmt.Sprintf("%s, STAN %06d, RRN %s", l.Link, l.STAN, l.RRN))
	}
	line("state", l.State)
	line("answer", l.Code+" "+l.Reason)
	fmt.Fprintln(w, "\nRECORD\tKIND\tEVENT\tAT\tSTAN\tCODE\tREASON\tBY")
	for _, s := range l.Steps {
		event := s.Event
		if s.Link != "" {
			event += " to " + s.Link
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%06d\t%s\t%s\t%s\n", s.Seq, s.Kind, event, s.At, s.STAN, s.Code, s.Reason, s.By)
	}
	return w.Flush()
}
