// SPDX-License-Identifier: Apache-2.0

package retain

import (
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/segment"
)

// Compacter is a journal that can carry records forward; segment's is one.
type Compacter interface {
	journal.Replayer
	ClosedBelow(before uint64) (uint64, error)
	Compact(before uint64, keep func(seq uint64, r journal.Record) bool) (segment.Compaction, error)
}

// Purge folds the journal and removes what may go. It may run beside the switch
// when cfg.Live asks it.
func Purge(j Compacter, cfg Config) (segment.Compaction, error) {
	p, err := Fold(j, cfg)
	if err != nil {
		return segment.Compaction{}, err
	}
	before, err := j.ClosedBelow(p.before)
	if err != nil {
		return segment.Compaction{}, err
	}
	p.before = before // a payment with a record that stays in its segment stays whole
	return j.Compact(before, p.keep)
}
