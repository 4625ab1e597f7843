// SPDX-License-Identifier: Apache-2.0

package retain

import "tapswitch/switch/journal"

// Purge folds the journal and removes what may go. It may run beside the switch
// when cfg.Live asks it.
func Purge(j journal.Compacter, cfg Config) (journal.Compaction, error) {
	p, err := Fold(j, cfg)
	if err != nil {
		return journal.Compaction{}, err
	}
	before, err := j.ClosedBelow(p.before)
	if err != nil {
		return journal.Compaction{}, err
	}
	p.before = before // a payment with a record that stays in its segment stays whole
	return j.Compact(before, p.keep)
}
