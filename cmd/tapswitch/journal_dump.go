// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// line is one record as the dump shows it; card numbers are masked in the
// journal already.
type line struct {
	Seq      uint64 `json:"seq"`
	Kind     string `json:"kind"`
	Terminal string `json:"terminal,omitempty"`
	Batch    uint32 `json:"batch,omitempty"`
	Trace    uint32 `json:"trace,omitempty"`
	Class    string `json:"class,omitempty"`
	Of       uint32 `json:"original_trace,omitempty"` // of a void
	Card     string `json:"card,omitempty"`
	Amount   int64  `json:"amount_minor,omitempty"`
	Currency uint16 `json:"currency,omitempty"`
	Link     string `json:"link,omitempty"`
	STAN     uint32 `json:"stan,omitempty"`
	RRN      string `json:"rrn,omitempty"`
	Event    string `json:"event,omitempty"`
	Code     string `json:"code,omitempty"`
	Reason   string `json:"reason,omitempty"`
	By       string `json:"by,omitempty"` // of an operator's act, whose reason is in the operator's own words
	Tries    *uint8 `json:"tries,omitempty"`
	Totals   string `json:"totals,omitempty"` // of a batch
	At       string `json:"at,omitempty"`

	time time.Time // of the record, zero when it has none
}

// selection is which records a dump shows.
type selection struct {
	kinds        []string
	terminal     string
	since, until string

	from, to time.Time
	last     time.Time // of the newest record that has a time
}

func (s *selection) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringSliceVar(&s.kinds, "kind", nil, "only records of these kinds: "+strings.Join(recordKinds(), ", "))
	f.StringVar(&s.terminal, "terminal", "", "only records of payments of this terminal")
	f.StringVar(&s.since, "since", "", "only records from this time on, such as 2026-11-29T08:00:00Z; a record without a time has that of the one before it")
	f.StringVar(&s.until, "until", "", "only records before this time")
}

// recordKinds are the names of all kinds of records.
func recordKinds() (names []string) {
	for k := byte(1); ; k++ {
		name := record.KindName(k)
		if name == fmt.Sprintf("kind_%d", k) {
			return names
		}
		names = append(names, name)
	}
}

// check reads what the flags said.
func (s *selection) check() (err error) {
	for _, k := range s.kinds {
		if !slices.Contains(recordKinds(), k) {
			return usageError{fmt.Errorf("--kind %q: there are %s", k, strings.Join(recordKinds(), ", "))}
		}
	}
	for _, t := range []struct {
		flag, text string
		at         *time.Time
	}{{"since", s.since, &s.from}, {"until", s.until, &s.to}} {
		if t.text == "" {
			continue
		}
		if *t.at, err = time.Parse(time.RFC3339, t.text); err != nil {
			return usageError{fmt.Errorf("--%s %q: a time such as 2026-11-29T08:00:00Z is wanted", t.flag, t.text)}
		}
	}
	return nil
}

// has says whether l is to be shown; it is asked about every record in order.
func (s *selection) has(l line) bool {
	if !l.time.IsZero() {
		s.last = l.time
	}
	switch {
	case len(s.kinds) > 0 && !slices.Contains(s.kinds, l.Kind),
		s.terminal != "" && l.Terminal != s.terminal,
		!s.from.IsZero() && s.last.Before(s.from),
		!s.to.IsZero() && !s.last.Before(s.to):
		return false
	}
	return true
}

func newJournalDumpCommand() *cobra.Command {
	var file, format string
	var only selection
	c := &cobra.Command{
		Use:     "dump [DIR]",
		Short:   "Print every record, card numbers masked",
		Example: "  tapswitch journal dump journal\n  tapswitch journal dump -o json --kind undo,undone journal\n  tapswitch journal dump --terminal 10000001 --since 2026-11-29T08:00:00Z journal\n  tapswitch journal dump --config switch.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := only.check(); err != nil {
				return err
			}
			o, err := journalOf(args, file)
			if err != nil {
				return err
			}
			show, flush, err := printer(format, c.OutOrStdout())
			if err != nil {
				return err
			}
			for e, err := range o.records() {
				if err != nil {
					return err
				}
				l, err := describeRecord(e.number, e.Record)
				if err != nil {
					return fmt.Errorf("record %d in %s: %w", e.number, e.where, err)
				}
				if !only.has(l) {
					continue
				}
				if err := show(l); err != nil {
					return err
				}
			}
			return flush()
		},
	}
	journalFlag(c, &file)
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	only.flags(c)
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
			if l.By != "" {
				l.Reason = l.By + ": " + l.Reason
			}
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
	switch r.Kind {
	case record.KindNumbers, record.KindCounter:
		return l, nil
	case record.KindBatch:
		return describeBatch(l, r)
	case record.KindStandIn:
		_, s, err := record.ParseStandIn(r.Key, r.Body)
		l.Amount, l.Currency = int64(s.Amount.Minor), uint16(s.Amount.Currency)
		l.setKey(s.Payment)
		return l, err
	case record.KindUpload:
		return describeUpload(l, r)
	case record.KindUploadClosed:
		id, items, a, err := record.ParseUploadClosed(r)
		l.Terminal, l.Batch, l.Event, l.By, l.Reason = id.Terminal.String(), id.Batch, fmt.Sprintf("%d cases %s", len(items), a.What), a.By, a.Why
		l.setTime(a.At)
		return l, err
	case record.KindTries:
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
	return describeStep(l, k, r)
}

// describeStep gives one step of a payment its meaning.
func describeStep(l line, k txn.Key, r journal.Record) (line, error) {
	switch r.Kind {
	case record.KindIntent, record.KindRefused, record.KindAdvice:
		p, err := record.ParsePayment(k, r.Body)
		if err != nil {
			return l, err
		}
		l.setPayment(p)
	case record.KindOutcome:
		o, err := record.ParseOutcome(r.Body)
		if err != nil {
			return l, err
		}
		l.Event, l.Code, l.Reason = o.Event.String(), o.Answer.Code.String(), string(o.Answer.Reason)
		l.Amount = int64(o.Answer.Part) // of an approval in part
		l.setTime(o.Answer.At)
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
	case record.KindCase:
		c, err := record.ParseCase(r.Body)
		if err != nil {
			return l, err
		}
		l.Event, l.Code, l.Reason = txn.CaseOpened.String(), c.Code.String(), string(c.Why)
		l.setTime(c.At)
	case record.KindAdvised:
		a, err := record.ParseAdvised(r.Body)
		if err != nil {
			return l, err
		}
		l.Event, l.Code = txn.AdviceAcked.String(), a.Code.String()
		l.setTime(a.At)
	case record.KindRerouted:
		link, err := record.ParseRerouted(r.Body)
		if err != nil {
			return l, err
		}
		l.Event, l.Link = txn.Rerouted.String(), link
	case record.KindAct:
		return l, l.setAct(r.Body)
	}
	return l, nil
}

func (l *line) setAct(body []byte) error {
	a, err := record.ParseAct(body)
	if err != nil {
		return err
	}
	l.Event, l.Code, l.Reason, l.By = a.What.String(), a.Code.String(), a.Why, a.By
	l.setTime(a.At)
	return nil
}

// describeBatch tells how a batch stands: the state as the event, the totals in words.
func describeBatch(l line, r journal.Record) (line, error) {
	id, b, err := record.ParseBatch(r)
	l.Terminal, l.Batch, l.Event, l.Totals = id.Terminal.String(), id.Batch, b.State.String(), totalsText(b.Now)
	l.setTime(b.At)
	return l, err
}

// describeUpload tells what was uploaded of a batch: how many items, and how many of
// them are cases.
func describeUpload(l line, r journal.Record) (line, error) {
	id, items, at, err := record.ParseUpload(r)
	cases := 0
	for _, u := range items {
		if u.Verdict != txn.UploadAgrees {
			cases++
		}
	}
	l.Terminal, l.Batch, l.Event = id.Terminal.String(), id.Batch, fmt.Sprintf("%d items, %d cases", len(items), cases)
	l.setTime(at)
	return l, err
}

// totalsText is totals in one line, amounts in minor units.
func totalsText(t txn.Totals) string {
	return fmt.Sprintf("%d debits %d, %d credits %d", t.Debits, t.DebitMinor, t.Credits, t.CreditMinor)
}

func (l *line) setPayment(p *txn.Payment) {
	l.Card, l.Amount, l.Currency, l.Link = p.Masked, int64(p.Amount.Minor), uint16(p.Amount.Currency), p.Link
	l.Of = uint32(p.Original.Trace)
	l.setNumbers(p.Numbers)
	l.Code, l.Reason = p.Answer.Code.String(), string(p.Answer.Reason)
}

func (l *line) setKey(k txn.Key) {
	l.Terminal, l.Batch, l.Trace = k.Terminal.String(), k.Batch, uint32(k.Trace)
	l.Class = k.Class.String()
}

func (l *line) setNumbers(n txn.Numbers) {
	if n.STAN != 0 {
		l.STAN, l.RRN = uint32(n.STAN), n.RRN.String()
		l.setTime(n.At)
	}
}

func (l *line) setTime(at time.Time) {
	if !at.IsZero() {
		l.time, l.At = at, at.UTC().Format(time.RFC3339)
	}
}
