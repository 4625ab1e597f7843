// SPDX-License-Identifier: Apache-2.0

package retain

import (
	"slices"

	"tapswitch/switch/journal"
	"tapswitch/switch/window"
)

// counters are the records that the counters of cards and devices are made of:
// those that no later one of the same key covers. They stay however old they are,
// since a cryptogram does not grow old.
type counters map[window.Key][]counter

type counter struct {
	seq  uint64
	seen window.Seen
}

func (c counters) apply(seq uint64, r journal.Record) error {
	k, s, err := window.Parse(r)
	if err != nil {
		return err
	}
	c[k] = append(slices.DeleteFunc(c[k], func(old counter) bool { return s.Covers(old.seen) }), counter{seq, s})
	return nil
}

func (c counters) keep(seq uint64, r journal.Record) bool {
	k, _, err := window.Parse(r)
	return err != nil || slices.ContainsFunc(c[k], func(n counter) bool { return n.seq == seq })
}
