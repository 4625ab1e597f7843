// SPDX-License-Identifier: Apache-2.0

package node

import (
	"time"

	"tapswitch/internal/env"
	"tapswitch/switch/retain"
)

// When the journal is purged: once the start is over, and every day.
const (
	purgeFirst = time.Minute
	purgeEvery = 24 * time.Hour
)

// purging purges the journal until ended is woken.
func (n *Node) purging(ended env.Event) {
	for pause := purgeFirst; !ended.Wait(n.world.Clock.Mono().Add(pause)); pause = purgeEvery {
		n.purge()
	}
}

// purge removes from the journal what is older than the retention period. A
// failure leaves everything as it was and is tried again the next day.
func (n *Node) purge() {
	began := n.world.Clock.Mono()
	n.index.Forget()
	if err := n.batches.Carry(); err != nil {
		n.observer.Log().Error("the totals of open batches were not carried on: their payments stay in the journal", "err", err)
	}
	now := n.world.Clock.Now()
	c, err := retain.Purge(n.journal, retain.Config{
		Before: now.AddDate(0, 0, -n.cfg.Journal.Retention), Now: now, HoldsFrom: now.Add(-n.cfg.HoldsLast()), Live: n.index.Knows,
	})
	if err != nil {
		n.observer.Log().Error("the journal was not purged", "err", err)
		return
	}
	n.observer.Log().Info("journal purged", "removed", c.Removed, "records_dropped", c.Dropped, "records_kept", c.Kept, "bytes_freed", c.Freed,
		"ms", n.world.Clock.Mono().Sub(began).Milliseconds())
}
