// SPDX-License-Identifier: Apache-2.0

package retain

import (
	"time"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
)

// standInCounts says whether a payment that the switch approved itself still
// counts: its day, wherever on earth it is counted, was not over at before.
func standInCounts(r journal.Record, before time.Time) bool {
	_, s, err := record.ParseStandIn(r.Key, r.Body)
	return err != nil || before.Unix() < (int64(s.Day)+2)*86400
}
