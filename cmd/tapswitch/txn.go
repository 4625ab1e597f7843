// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

func newTxnCommand() *cobra.Command {
	c := &cobra.Command{Use: "txn", Short: "Look at payments that a person must settle, and act on what waits for an acquirer",
		Example: "  tapswitch txn cases --config switch.yaml\n  tapswitch txn saf list --config switch.yaml"}
	c.AddCommand(newTxnCasesCommand(), newTxnSAFCommand())
	return c
}

// openCase is a payment with an open case; the card number is masked in the
// journal already.
type openCase struct {
	Seq      uint64 `json:"seq"` // the journal's number of the case
	At       string `json:"opened"`
	Why      string `json:"why"`
	Code     string `json:"code,omitempty"` // the acquirer's last word
	Terminal string `json:"terminal"`
	Merchant string `json:"merchant"`
	Batch    uint32 `json:"batch"`
	Trace    uint32 `json:"trace"`
	Class    string `json:"class"`
	Card     string `json:"card"`
	Amount   int64  `json:"amount_minor"`
	Currency uint16 `json:"currency"`
	Link     string `json:"link"`
	Sent     string `json:"sent"` // when the payment was
	STAN     uint32 `json:"stan"`
	RRN      string `json:"rrn"`
	Undo     uint32 `json:"reversal_stan,omitempty"`  // 0: none was sent, as of an advice
	Undone   string `json:"reversed_since,omitempty"` // of the reversal's numbers
	UndoWhy  string `json:"reversed_because,omitempty"`
	By       string `json:"dropped_by,omitempty"`  // who opened it, when an operator did
	Words    string `json:"dropped_why,omitempty"` // and the operator's own reason
}

// opening is where a case was opened, and by whom when an operator did.
type opening struct {
	seq uint64
	act txn.Act
}

// opens says whether a record opens or closes a case.
func opens(r journal.Record) (o opening, opens, closes bool, err error) {
	switch r.Kind {
	case record.KindCase:
		return o, true, false, nil
	case record.KindAct:
		if o.act, err = record.ParseAct(r.Body); err != nil {
			return o, false, false, err
		}
		return o, o.act.What == txn.Drop, o.act.What == txn.FoundUndone || o.act.What == txn.FoundStands, nil
	}
	return o, false, false, nil
}

// openCases folds the payments of a journal that have an open case; they come in
// the order in which the cases were opened.
func openCases(j journal.Replayer) ([]openCase, error) {
	opened := map[string]opening{}
	err := j.Replay(func(seq uint64, r journal.Record) error {
		o, yes, no, err := opens(r)
		switch key := string(r.Key); {
		case err != nil:
			return fmt.Errorf("record %d: %w", seq, err)
		case yes:
			o.seq = seq
			opened[key] = o
		case no:
			delete(opened, key)
		}
		return nil
	})
	if err != nil || len(opened) == 0 {
		return nil, err
	}
	folded := map[string]*txn.Payment{}
	err = j.Replay(func(seq uint64, r journal.Record) error {
		key := string(r.Key)
		last, wanted := opened[key]
		if !wanted || seq > last.seq || r.Kind == record.KindTombstone {
			return nil
		}
		k, err := record.ParseKey(r.Key)
		if err != nil {
			return fmt.Errorf("record %d: %w", seq, err)
		}
		p := folded[key]
		if record.Begins(r.Kind) && p != nil && p.State.Resting() {
			p = nil // the key came to a new life
		}
		if folded[key], err = record.Fold(p, k, r); err != nil {
			return fmt.Errorf("record %d: %w", seq, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var all []openCase
	for key, o := range opened {
		p := folded[key]
		if p == nil || p.State != txn.Disputed {
			return nil, fmt.Errorf("record %d is a case of a payment that is not disputed: see tapswitch journal verify", o.seq)
		}
		c := caseOf(o.seq, p)
		c.By, c.Words = o.act.By, o.act.Why
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b openCase) int { return cmp.Compare(a.Seq, b.Seq) })
	return all, nil
}

func caseOf(seq uint64, p *txn.Payment) openCase {
	o := openCase{
		Seq: seq, At: p.Case.At.Format(time.RFC3339), Why: string(p.Case.Why), Code: p.Case.Code.String(),
		Terminal: p.Key.Terminal.String(), Merchant: p.Key.Merchant.String(), Batch: p.Key.Batch, Trace: uint32(p.Key.Trace), Class: p.Key.Class.String(),
		Card: p.Masked, Amount: int64(p.Amount.Minor), Currency: uint16(p.Amount.Currency), Link: p.Link,
		Sent: p.Numbers.At.Format(time.RFC3339), STAN: uint32(p.Numbers.STAN), RRN: p.Numbers.RRN.String(),
		Undo: uint32(p.Undo.STAN), UndoWhy: string(p.UndoWhy),
	}
	if o.Undo != 0 {
		o.Undone = p.Undo.At.Format(time.RFC3339)
	}
	return o
}

func newTxnCasesCommand() *cobra.Command {
	var format, dir, file string
	c := &cobra.Command{
		Use:   "cases {--config FILE | --journal DIR}",
		Short: "List the open cases: payments of which a person must ask the acquirer what it holds, and uploads that disagree",
		Long: `List the open cases: payments whose reversal or advice the acquirer refused or never acknowledged, or an operator dropped, and refunds
without a usable answer. Nothing more is sent; ask the acquirer with STAN and RRN what it holds, have it settled there, and close the case
with what was found. Those of class upload are of another kind: what a terminal has in a batch and the switch has not, or the other way round; tapswitch
batch show tells more of that batch. The list reads the journal and changes nothing, beside a running switch too; the newest batch of its files may then look torn.`,
		Example: "  tapswitch txn cases --config switch.yaml\n  tapswitch txn cases --journal journal -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !slices.Contains([]string{"table", "json"}, format) {
				return usageError{fmt.Errorf("output %q: table or json", format)}
			}
			var args []string
			if dir != "" {
				args = []string{dir}
			}
			j, err := journalOf(args, file)
			if err != nil {
				return err
			}
			all, err := allCases(j)
			if err != nil {
				return err
			}
			return printCases(c.OutOrStdout(), format, all)
		},
	}
	c.Flags().StringVar(&dir, "journal", "", "folder of the journal's files")
	c.Flags().StringVar(&file, "config", "", "configuration file of the switch, whose journal is read, in files or in PostgreSQL")
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json, one object a case")
	c.AddCommand(newCasesCloseCommand())
	return c
}

func printCases(out io.Writer, format string, all []openCase) error {
	if format == "json" {
		enc := json.NewEncoder(out)
		for _, o := range all {
			if err := enc.Encode(o); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "no case is open")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "OPENED\tWHY\tCODE\tTERMINAL\tBATCH\tTRACE\tCLASS\tCARD\tAMOUNT\tCURRENCY\tLINK\tSTAN\tRRN")
	for _, o := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%06d\t%06d\t%s\t%s\t%d\t%03d\t%s\t%06d\t%s\n",
			o.At, o.Why, o.Code, o.Terminal, o.Batch, o.Trace, o.Class, o.Card, o.Amount, o.Currency, o.Link, o.STAN, o.RRN)
	}
	return w.Flush()
}
