// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"

	"tapswitch/internal/secret"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/postgres"
	"tapswitch/switch/journal/segment"
)

// store is the journal, wherever it is, with what the gauges show of it.
type store interface {
	journal.Journal
	Used() (bytes, reserved int64)
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
