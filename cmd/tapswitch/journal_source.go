// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/spf13/cobra"

	"tapswitch/internal/env"
	"tapswitch/internal/secret"
	"tapswitch/switch/config"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/postgres"
	"tapswitch/switch/journal/segment"
)

// placed is a record and where it is stored, in words.
type placed struct {
	number uint64
	where  string
	journal.Record
}

// offline is a journal that is read beside whoever has it, and not changed.
type offline interface {
	journal.Replayer
	// records gives every record in order, held to the hash chain; an error
	// comes last.
	records() iter.Seq2[placed, error]
	// verify reads everything and says what it found, up to the first fault.
	verify() (journalVerdict, error)
	// print tells people of a verdict that is good.
	print(out io.Writer, v journalVerdict) error
}

// journalFlag adds --config to a command that reads a journal by its folder.
func journalFlag(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "config", "", "configuration file of the switch, instead of DIR: the journal that it names, in files or in PostgreSQL")
}

// journalOf is the journal that a command line names: a folder of segment files,
// or the one of a configuration.
func journalOf(args []string, file string) (offline, error) {
	switch {
	case len(args) == 1 && file == "":
		return inFiles{args[0]}, nil
	case len(args) == 0 && file != "":
		cfg, err := config.Load(file, machine())
		if err != nil {
			return nil, err
		}
		return configuredJournal(cfg), nil
	}
	return nil, usageError{errors.New("name one journal: its folder, or --config with the switch's configuration")}
}

// configuredJournal is the journal that a configuration names.
func configuredJournal(cfg *config.Config) offline {
	if p := cfg.Journal.Postgres; p.InUse() {
		return inDatabase{postgres.Config{URL: string(p.URL.AppendTo(nil, secret.ForDatabase)), Timeout: p.Timeout}}
	}
	return inFiles{cfg.Journal.Dir}
}

// replayOf walks the records of o for whoever does not ask where they are.
func replayOf(o offline, fn func(seq uint64, r journal.Record) error) error {
	for e, err := range o.records() {
		if err != nil {
			return err
		}
		if err := fn(e.number, e.Record); err != nil {
			return err
		}
	}
	return nil
}

// inFiles is a folder of segment files.
type inFiles struct{ dir string }

// Replay implements journal.Replayer.
func (o inFiles) Replay(fn func(seq uint64, r journal.Record) error) error { return replayOf(o, fn) }

func (o inFiles) records() iter.Seq2[placed, error] {
	return func(yield func(placed, error) bool) {
		for e, err := range segment.Dump(env.Real().Disk, o.dir) {
			if !yield(placed{e.Number, fmt.Sprintf("%s at %d", e.File, e.Offset), e.Record}, err) {
				return
			}
		}
	}
}

func (o inFiles) verify() (journalVerdict, error) {
	r, err := segment.Verify(env.Real().Disk, o.dir)
	v := journalVerdict{Records: r.Records, Segments: r.Segments, Purged: r.Purged, Spares: r.Spares, Reserved: r.Reserved, Torn: r.TornBytes}
	v.judge(r.Head, err)
	if fault := (*segment.Fault)(nil); errors.As(err, &fault) {
		v.File, v.Offset, v.Error = fault.File, &fault.Offset, fault.Reason
	}
	return v, err
}

func (o inFiles) print(out io.Writer, v journalVerdict) error {
	_, err := fmt.Fprintf(out, "%d records in %d segments, all as they were written; %d bytes of a torn end\n", v.Records, v.Segments, v.Torn)
	if err == nil && v.Purged > 0 {
		_, err = fmt.Fprintf(out, "a checkpoint stands for segments 1 to %d\n", v.Purged)
	}
	if err == nil {
		_, err = fmt.Fprintf(out, "head %s, %d bytes reserved, %d spare segments\n", v.Head, v.Reserved, v.Spares)
	}
	return err
}

// inDatabase is a journal in PostgreSQL.
type inDatabase struct{ cfg postgres.Config }

// Replay implements journal.Replayer.
func (o inDatabase) Replay(fn func(seq uint64, r journal.Record) error) error { return replayOf(o, fn) }

func (o inDatabase) records() iter.Seq2[placed, error] {
	return func(yield func(placed, error) bool) {
		for e, err := range postgres.Dump(env.Real(), o.cfg) {
			where := fmt.Sprintf("row %d", e.Row)
			if e.Kept > 0 {
				where = fmt.Sprintf("kept row %d", e.Kept)
			}
			if !yield(placed{e.Number, where, e.Record}, err) {
				return
			}
		}
	}
}

func (o inDatabase) verify() (journalVerdict, error) {
	r, err := postgres.Verify(env.Real(), o.cfg)
	v := journalVerdict{Records: r.Records, Rows: r.Rows, Reserved: r.Reserved, Writers: r.Epoch, Through: r.Purged, Kept: r.Kept}
	v.judge(r.Head, err)
	if fault := (*postgres.Fault)(nil); errors.As(err, &fault) {
		v.Row, v.KeptRow, v.Error = fault.First, fault.Kept, fault.Reason
	}
	return v, err
}

func (o inDatabase) print(out io.Writer, v journalVerdict) error {
	_, err := fmt.Fprintf(out, "%d records in %d rows, all as they were written; taken over %d times\n", v.Records-v.Kept, v.Rows, v.Writers)
	if err == nil && v.Through > 0 {
		_, err = fmt.Fprintf(out, "%d more stand for records 1 to %d\n", v.Kept, v.Through)
	}
	if err == nil {
		_, err = fmt.Fprintf(out, "head %s, %d bytes reserved\n", v.Head, v.Reserved)
	}
	return err
}
