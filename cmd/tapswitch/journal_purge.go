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
	"tapswitch/switch/config"
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
		Long: "Remove closed segments in which everything is older than journal.retention_days; what must live on is carried forward first. " +
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
	case cfg.Journal.Postgres.InUse():
		return p, errors.New("the journal is in PostgreSQL: this version purges segment files alone, and keeps every row there")
	case age == 0:
		return p, errors.New("journal.retention_days is 0, which keeps everything: set it, or give --older-than")
	case age < cfg.Payment.ReplayWindow:
		return p, fmt.Errorf("older than %v: a repeat finds its answer for %v (payment.replay_window_ms), so nothing younger may go; give a longer time", age, cfg.Payment.ReplayWindow)
	}
	world := env.Real()
	before := world.Clock.Now().Add(-age)
	j, err := segment.Open(world, segment.Config{Dir: cfg.Journal.Dir, SegmentBytes: cfg.Journal.SegmentBytes, MaxBytes: cfg.Journal.MaxBytes})
	if err != nil {
		return p, err
	}
	var done segment.Compaction
	if err = carry(j, world); err == nil {
		done, err = retain.Purge(j, retain.Config{Before: before, HoldsFrom: world.Clock.Now().Add(-cfg.HoldsLast())})
	}
	if err := errors.Join(err, j.Close()); err != nil {
		return p, err
	}
	return purged{before.UTC().Format(time.RFC3339), done.Segments, done.Kept, done.Dropped, done.Freed}, nil
}

// carry makes the totals of open batches durable, as a running switch does before
// it purges: the payments that count in them may go then.
func carry(j *segment.Journal, world env.Env) error {
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
	case p.Segments == 0:
		_, err = fmt.Fprintf(out, "no closed segment holds only records from before %s: nothing to do\n", p.Before)
	default:
		_, err = fmt.Fprintf(out, "%d segments from before %s: %d records gone, %d carried forward, %d bytes freed\n", p.Segments, p.Before, p.Dropped, p.Kept, p.Freed)
	}
	return err
}
