// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"

	"tapswitch/internal/env"
	"tapswitch/internal/secret"
	"tapswitch/switch/config"
	"tapswitch/switch/history"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/postgres"
	"tapswitch/switch/journal/segment"
)

// store is the journal, wherever it is, with what the gauges show of it.
type store interface {
	journal.Journal
	journal.Compacter
	Used() (bytes, reserved int64)
}

// tail follows the journal, wherever it is, for the history.
func (n *Node) tail() (history.Source, func() error) {
	if t, ok := n.journal.(interface{ Tail() *postgres.Tail }); ok {
		tail := t.Tail()
		return tail, tail.Close
	}
	return n.segments.Tail(), func() error { return nil }
}

// HistoryPlace is where a configuration has its history.
func HistoryPlace(world env.Env, c config.History) (history.Place, error) {
	if !c.InDatabase() {
		return history.InFile(world.Disk, c.Path), nil
	}
	return history.InDatabase(world, history.Database{URL: string(c.URL.AppendTo(nil, secret.ForDatabase)), Schema: c.Schema, Timeout: c.Timeout})
}

// openJournal opens the store that the configuration names.
func (n *Node) openJournal() (err error) {
	broken := func(err error) { n.stop(fmt.Errorf("journal: %w", err)) }
	c := n.cfg.Journal
	if c.Postgres.InUse() {
		n.journal, err = postgres.Open(n.world, postgres.Config{
			URL: string(c.Postgres.URL.AppendTo(nil, secret.ForDatabase)), MaxBytes: c.MaxBytes, QueueMax: c.Queue,
			Timeout: c.Postgres.Timeout, Resolve: c.Postgres.Resolve, OnBroken: broken,
		})
		return err
	}
	n.segments, err = segment.Open(n.world, segment.Config{
		Dir: c.Dir, SegmentBytes: c.SegmentBytes, MaxBytes: c.MaxBytes, QueueMax: c.Queue, OnBroken: broken,
	})
	if err != nil {
		return fmt.Errorf("journal %s: %w", c.Dir, err)
	}
	n.journal = n.segments
	return nil
}
