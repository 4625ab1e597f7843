// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tapswitch/internal/env"
	"tapswitch/internal/secret"
	"tapswitch/switch/config"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/postgres"
	"tapswitch/switch/journal/segment"
	"tapswitch/switch/recover"
	"tapswitch/switch/replay"
	"tapswitch/switch/retain"
	"tapswitch/switch/settle"
)

// purged is what purge did, as -o json shows it.
type purged struct {
	Before   string `json:"before"`
	Segments uint64 `json:"segments"`
	Rows     uint64 `json:"rows,omitempty"` // instead of segments, in PostgreSQL
	Kept     uint64 `json:"records_kept"`
	Dropped  uint64 `json:"records_dropped"`
	Freed    int64  `json:"bytes_freed"`
}

func newJournalPurgeCommand() *cobra.Command {
	var file, format string
	var age time.Duration
	c := &cobra.Command{
		Use:   "purge --config FILE",
		Short: "Remove payments that are over and older than the retention period",
		Long: "Remove closed segments, or rows in PostgreSQL, in which everything is older than journal.retention_days; what must live on is carried forward first. " +
			"The switch must not be running: one that runs purges by itself, every day.",
		Example: "  tapswitch journal purge --config switch.yaml\n  tapswitch journal purge --config switch.yaml --older-than 2160h -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "table" && format != "json" {
				return usageError{fmt.Errorf("output %q: table or json", format)}
			}
			cfg, err := config.Load(file, machine())
			if err != nil {
				return err
			}
			if !c.Flags().Changed("older-than") {
				age = time.Duration(cfg.Journal.Retention) * 24 * time.Hour
			}
			p, err := purge(cfg, age)
			if err != nil {
				return err
			}
			return p.print(c.OutOrStdout(), format)
		},
	}
	c.Flags().StringVar(&file, "config", "", "configuration file of the switch (required)")
	c.Flags().DurationVar(&age, "older-than", 0, "how old; instead of journal.retention_days")
	c.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	required(c, "config")
	return c
}

// purge removes what is older than age from the journal of a switch that stands
// still.
func purge(cfg *config.Config, age time.Duration) (p purged, err error) {
	switch {
	case age == 0:
		return p, errors.New("journal.retention_days is 0, which keeps everything: set it, or give --older-than")
	case age < cfg.Payment.ReplayWindow:
		return p, fmt.Errorf("older than %v: a repeat finds its answer for %v (payment.replay_window_ms), so nothing younger may go; give a longer time", age, cfg.Payment.ReplayWindow)
	}
	world := env.Real()
	before := world.Clock.Now().Add(-age)
	j, err := stillJournal(world, cfg)
	if err != nil {
		return p, err
	}
	var done journal.Compaction
	if err = carry(j, world); err == nil {
		done, err = retain.Purge(j, retain.Config{Before: before, Now: world.Clock.Now(), HoldsFrom: world.Clock.Now().Add(-cfg.HoldsLast())})
	}
	if err := errors.Join(err, j.Close()); err != nil {
		return p, err
	}
	p = purged{Before: before.UTC().Format(time.RFC3339), Segments: done.Removed, Kept: done.Kept, Dropped: done.Dropped, Freed: done.Freed}
	if cfg.Journal.Postgres.InUse() {
		p.Segments, p.Rows = 0, done.Removed
	}
	return p, nil
}

// compacter is a journal that is appended to and purged.
type compacter interface {
	journal.Journal
	journal.Compacter
}

// stillJournal opens the journal of a switch that stands still, as its only writer.
func stillJournal(world env.Env, cfg *config.Config) (compacter, error) {
	c := cfg.Journal
	if c.Postgres.InUse() {
		return postgres.Open(world, postgres.Config{
			URL: string(c.Postgres.URL.AppendTo(nil, secret.ForDatabase)), MaxBytes: c.MaxBytes, Timeout: c.Postgres.Timeout, Resolve: c.Postgres.Resolve,
		})
	}
	return segment.Open(world, segment.Config{Dir: c.Dir, SegmentBytes: c.SegmentBytes, MaxBytes: c.MaxBytes})
}

// carry makes the totals of open batches durable, as a running switch does before
// it purges: the payments that count in them may go then.
func carry(j journal.Journal, world env.Env) error {
	index := replay.New(replay.Config{}, world, j)
	batches := settle.New(settle.Config{}, world, j)
	index.Account(batches)
	if _, err := recover.Replay(j, index, batches); err != nil {
		return err
	}
	return batches.Carry()
}

func (p purged) print(out io.Writer, format string) (err error) {
	switch {
	case format == "json":
		return json.NewEncoder(out).Encode(p)
	case p.Segments+p.Rows == 0:
		_, err = fmt.Fprintf(out, "no closed segment or row that is new holds only records from before %s: nothing to do\n", p.Before)
	case p.Rows > 0:
		_, err = fmt.Fprintf(out, "%d rows from before %s: %d records gone, %d carried forward, %d bytes freed for other rows\n", p.Rows, p.Before, p.Dropped, p.Kept, p.Freed)
	default:
		_, err = fmt.Fprintf(out, "%d segments from before %s: %d records gone, %d carried forward, %d bytes freed\n", p.Segments, p.Before, p.Dropped, p.Kept, p.Freed)
	}
	return err
}
