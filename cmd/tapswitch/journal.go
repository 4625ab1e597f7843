// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/segment"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

func newJournalCommand() *cobra.Command {
	c := &cobra.Command{Use: "journal", Short: "Read the durable memory of a switch", Example: "  tapswitch journal dump -o json journal"}
	c.AddCommand(newJournalDumpCommand(), newJournalVerifyCommand())
	return c
}

func newJournalVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "verify DIR",
		Short:   "Check every record and the hash chain; say where the first fault is",
		Example: "  tapswitch journal verify journal",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := segment.Verify(env.Real().Disk, args[0])
			if err != nil {
				return fmt.Errorf("after %d good records: %w", r.Records, err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d records in %d segments, all as they were written; %d bytes of a torn end\n", r.Records, r.Segments, r.TornBytes)
			return err
		},
	}
}

// line is one record as the dump shows it; card numbers are masked in the
// journal already.
type line struct {
	Seq      uint64 `json:"seq"`
	Kind     string `json:"kind"`
	Terminal string `json:"terminal,omitempty"`
	Batch    uint32 `json:"batch,omitempty"`
	Trace    uint32 `json:"trace,omitempty"`
	Card     string `json:"card,omitempty"`
	Amount   int64  `json:"amount_minor,omitempty"`
	Currency uint16 `json:"currency,omitempty"`
	Link     string `json:"link,omitempty"`
	STAN     uint32 `json:"stan,omitempty"`
	RRN      string `json:"rrn,omitempty"`
	Event    string `json:"event,omitempty"`
	Code     string `json:"code,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Tries    *uint8 `json:"tries,omitempty"`
	At       string `json:"at,omitempty"`
}

func newJournalDumpCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:     "dump DIR",
		Short:   "Print every record, card numbers masked",
		Example: "  tapswitch journal dump journal\n  tapswitch journal dump -o json journal",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			show, flush, err := printer(format, c.OutOrStdout())
			if err != nil {
				return err
			}
			for e, err := range segment.Dump(env.Real().Disk, args[0]) {
				if err != nil {
					return err
				}
				l, err := describeRecord(e.Number, e.Record)
				if err != nil {
					return fmt.Errorf("record %d in %s at %d: %w", e.Number, e.File, e.Offset, err)
				}
				if err := show(l); err != nil {
					return err
				}
			}
			return flush()
		},
	}
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	return c
}

func printer(format string, out io.Writer) (show func(line) error, flush func() error, err error) {
	switch format {
	case "json":
		enc := json.NewEncoder(out)
		return func(l line) error { return enc.Encode(l) }, func() error { return nil }, nil
	case "table":
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "SEQ\tKIND\tTERMINAL\tTRACE\tCARD\tAMOUNT\tLINK\tSTAN\tEVENT\tCODE\tREASON")
		return func(l line) error {
			_, err := fmt.Fprintf(w, "%d\t%s\t%s\t%06d\t%s\t%d\t%s\t%06d\t%s\t%s\t%s\n",
				l.Seq, l.Kind, l.Terminal, l.Trace, l.Card, l.Amount, l.Link, l.STAN, l.Event, l.Code, l.Reason)
			return err
		}, w.Flush, nil
	}
	return nil, nil, usageError{fmt.Errorf("output %q: table or json", format)}
}

// describeRecord gives a record its meaning.
func describeRecord(seq uint64, r journal.Record) (line, error) {
	l := line{Seq: seq, Kind: record.KindName(r.Kind)}
	if r.Kind == record.KindNumbers {
		return l, nil
	}
	if r.Kind == record.KindTries {
		_, t, err := record.ParseTries(r.Key, r.Body)
		l.Tries = &t.Count
		l.setKey(t.Payment)
		return l, err
	}
	k, err := record.ParseKey(r.Key)
	if err != nil {
		return l, err
	}
	l.setKey(k)
	switch r.Kind {
	case record.KindIntent, record.KindRefused:
		p, err := record.ParsePayment(k, r.Body)
		if err != nil {
			return l, err
		}
		l.Card, l.Amount, l.Currency, l.Link = p.Masked, int64(p.Amount.Minor), uint16(p.Amount.Currency), p.Link
		l.setNumbers(p.Numbers)
		l.Code, l.Reason = p.Answer.Code.String(), string(p.Answer.Reason)
	case record.KindOutcome:
		o, err := record.ParseOutcome(r.Body)
		if err != nil {
			return l, err
		}
		l.Event, l.Code, l.Reason = o.Event.String(), o.Answer.Code.String(), string(o.Answer.Reason)
	case record.KindUndo:
		u, err := record.ParseUndo(r.Body)
		if err != nil {
			return l, err
		}
		l.Event, l.Reason = u.Event.String(), string(u.Reason)
		l.setNumbers(u.Numbers)
	case record.KindUndone:
		u, err := record.ParseUndone(r.Body)
		if err != nil {
			return l, err
		}
		l.Event, l.Code = u.Event.String(), u.Code.String()
	}
	return l, nil
}

func (l *line) setKey(k txn.Key) {
	l.Terminal, l.Batch, l.Trace = k.Terminal.String(), k.Batch, uint32(k.Trace)
}

func (l *line) setNumbers(n txn.Numbers) {
	if n.STAN != 0 {
		l.STAN, l.RRN, l.At = uint32(n.STAN), string(n.RRN[:]), n.At.Format(time.RFC3339)
	}
}
