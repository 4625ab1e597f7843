// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/recover"
	"tapswitch/switch/replay"
	"tapswitch/switch/settle"
	"tapswitch/switch/txn"
)

// batchSums are totals as an operator sees them, amounts in minor units.
type batchSums struct {
	Debits      uint32 `json:"debits"`
	DebitMinor  int64  `json:"debit_minor"`
	Credits     uint32 `json:"credits"`
	CreditMinor int64  `json:"credit_minor"`
}

func sumsOf(t txn.Totals) batchSums {
	return batchSums{t.Debits, int64(t.DebitMinor), t.Credits, int64(t.CreditMinor)}
}

// batchView is a batch of a terminal as the journal has it.
type batchView struct {
	Terminal string     `json:"terminal"`
	Merchant string     `json:"merchant"`
	Batch    uint32     `json:"batch"`
	State    string     `json:"state"`
	Payments int        `json:"payments"` // that the journal has of it, in force or not
	Now      batchSums  `json:"now"`      // of the payments in force, those that left the journal included
	Told     *batchSums `json:"told,omitempty"`
	Theirs   *batchSums `json:"theirs,omitempty"` // what the terminal said
	Since    string     `json:"since,omitempty"`  // when it came to its state
	Cases    int        `json:"cases"`

	id       txn.BatchID
	payments []txn.Payment
	uploaded []txn.Uploaded
}

// batchBook folds a journal into batches. index and sums are those of a switch that
// forgets nothing.
type batchBook struct {
	index   *replay.Index
	sums    *settle.Book
	records map[txn.BatchID]txn.Batch
	uploads map[txn.BatchID][]txn.Uploaded
	closed  map[txn.BatchID][]txn.Uploaded // cases of them that a person closed
}

// Apply takes the records of batches; it stands before the sums.
func (b *batchBook) Apply(r journal.Record) error {
	switch r.Kind {
	case record.KindBatch:
		id, batch, err := record.ParseBatch(r)
		b.records[id] = batch
		return err
	case record.KindUpload:
		id, items, _, err := record.ParseUpload(r)
		for _, u := range items {
			if !slices.Contains(b.uploads[id], u) { // a crash may have left it twice
				b.uploads[id] = append(b.uploads[id], u)
			}
		}
		return err
	case record.KindUploadClosed:
		id, items, _, err := record.ParseUploadClosed(r)
		b.closed[id] = append(b.closed[id], items...)
		return err
	}
	return nil
}

// batchesOf are all batches of a journal, by terminal, merchant and number.
func batchesOf(j journal.Replayer) ([]batchView, error) {
	world := env.Real()
	b := &batchBook{records: map[txn.BatchID]txn.Batch{}, uploads: map[txn.BatchID][]txn.Uploaded{}, closed: map[txn.BatchID][]txn.Uploaded{}}
	b.index = replay.New(replay.Config{Max: math.MaxInt}, world, nil)
	b.sums = settle.New(settle.Config{Max: math.MaxInt}, world, nil)
	b.index.Account(b.sums)
	if _, err := recover.Replay(j, b, b.index, b.sums); err != nil {
		return nil, err
	}
	now := map[txn.BatchID]txn.Batch{}
	b.sums.Each(func(id txn.BatchID, batch txn.Batch) { now[id] = batch })
	for id, batch := range b.records {
		if _, ok := now[id]; !ok { // closed so long ago that a switch does not count it any more
			now[id] = batch
		}
	}
	b.index.Each(func(p txn.Payment) {
		if _, ok := now[p.Key.BatchID()]; !ok { // nothing of it is in force
			now[p.Key.BatchID()] = txn.Batch{State: txn.BatchOpen}
		}
	})
	var all []batchView
	for id, batch := range now {
		all = append(all, b.view(id, batch))
	}
	slices.SortFunc(all, func(x, y batchView) int {
		return cmp.Or(cmp.Compare(x.Terminal, y.Terminal), cmp.Compare(x.Merchant, y.Merchant), cmp.Compare(x.Batch, y.Batch))
	})
	return all, nil
}

func (b *batchBook) view(id txn.BatchID, batch txn.Batch) batchView {
	v := batchView{
		Terminal: id.Terminal.String(), Merchant: id.Merchant.String(), Batch: id.Batch, State: batch.State.String(), Now: sumsOf(batch.Now),
		id: id, payments: b.index.OfBatch(id), uploaded: b.uploads[id],
	}
	v.Payments = len(v.payments)
	if is, ok := b.records[id]; ok && batch.State != txn.BatchOpen {
		told, theirs := sumsOf(is.Told), sumsOf(is.Theirs)
		v.Told, v.Theirs, v.Since = &told, &theirs, is.At.UTC().Format(time.RFC3339)
	}
	for _, u := range v.uploaded {
		if u.Verdict != txn.UploadAgrees && !slices.Contains(b.closed[id], u) {
			v.Cases++
		}
	}
	return v
}

func newBatchCommand() *cobra.Command {
	c := &cobra.Command{Use: "batch", Short: "Look at terminals' batches: what they come to, and what was uploaded", Example: "  tapswitch batch list --journal journal"}
	c.AddCommand(newBatchListCommand(), newBatchShowCommand())
	return c
}

// batchFlags are those of both commands.
type batchFlags struct{ dir, file, format string }

func (f *batchFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.dir, "journal", "", "folder of the journal's files")
	c.Flags().StringVar(&f.file, "config", "", "configuration file of the switch, instead of --journal: the journal that it names, in files or in PostgreSQL")
	c.Flags().StringVarP(&f.format, "output", "o", "table", "table or json")
}

// read folds the journal that the flags name.
func (f *batchFlags) read() ([]batchView, error) {
	if !slices.Contains([]string{"table", "json"}, f.format) {
		return nil, usageError{fmt.Errorf("output %q: table or json", f.format)}
	}
	var args []string
	if f.dir != "" {
		args = []string{f.dir}
	}
	j, err := journalOf(args, f.file)
	if err != nil {
		return nil, err
	}
	return batchesOf(j)
}

func newBatchListCommand() *cobra.Command {
	var f batchFlags
	var terminal, state string
	c := &cobra.Command{
		Use:   "list {--journal DIR | --config FILE}",
		Short: "List the batches of all terminals",
		Long: `List the batches of all terminals: how each stands, what its payments in force come to, and how many cases of its upload are open.
Amounts are minor units. A batch whose totals differ and that is not uploaded waits for its terminal. Reads the journal and changes nothing, beside a
running switch too; the newest payments may then be missing.`,
		Example: "  tapswitch batch list --journal journal\n  tapswitch batch list --config switch.yaml --state differs -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if state != "" && !slices.Contains(batchStates(), state) {
				return usageError{fmt.Errorf("--state %q: there are %v", state, batchStates())}
			}
			all, err := f.read()
			if err != nil {
				return err
			}
			all = slices.DeleteFunc(all, func(v batchView) bool {
				return terminal != "" && v.Terminal != terminal || state != "" && v.State != state
			})
			return printBatches(c.OutOrStdout(), f.format, all)
		},
	}
	f.add(c)
	c.Flags().StringVar(&terminal, "terminal", "", "only batches of this terminal")
	c.Flags().StringVar(&state, "state", "", fmt.Sprintf("only batches in this state: %v", batchStates()))
	return c
}

func batchStates() (all []string) {
	for s := txn.BatchOpen; s.Known(); s++ {
		all = append(all, s.String())
	}
	return all
}

func newBatchShowCommand() *cobra.Command {
	var f batchFlags
	c := &cobra.Command{
		Use:   "show TERMINAL BATCH {--journal DIR | --config FILE}",
		Short: "Show one batch: its totals, its payments, and what the terminal uploaded",
		Long: `Show one batch of a terminal: totals now, as told and as the terminal said, every payment with the side on which it counts, and what
the terminal uploaded of it. Card numbers are masked, amounts are minor units. A payment that was purged from the journal counts and is not shown.`,
		Example: "  tapswitch batch show 10000001 17 --journal journal\n  tapswitch batch show 10000001 000017 --config switch.yaml -o json",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			number, err := batchNumber(args[1])
			if err != nil {
				return err
			}
			all, err := f.read()
			if err != nil {
				return err
			}
			all = slices.DeleteFunc(all, func(v batchView) bool { return v.Terminal != args[0] || v.Batch != number })
			if len(all) == 0 {
				return fmt.Errorf("the journal has no batch %06d of terminal %s: tapswitch batch list shows those that it has", number, args[0])
			}
			for _, v := range all { // one, unless the terminal moved to another merchant
				if err := printBatch(c.OutOrStdout(), f.format, v); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f.add(c)
	return c
}
