// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"

	"tapswitch/internal/money"
)

// OfflineLimits are what the terminal sells by an authorization that was given by word
// of mouth. Zero sets no bound. A completion that has happened is not among it: the
// issuer holds its money.
type OfflineLimits struct {
	Amount money.MinorUnits // of one sale: the floor limit
	Count  int              // sales of one batch
	Sum    money.MinorUnits // of one batch
}

// unasked says whether r is a sale of which the switch is told, and was not asked: such
// a one is never reversed, so it has no reason for that.
func (r *reversal) unasked() bool { return r.Kind == KindSale && r.Why == "" }

// offlineUse is what the offline sales of the batch come to: those that the switch has,
// as they were sold, and those that it is still to be told of. One that it refused has
// happened too, until it is discarded.
func (s *state) offlineUse() (count int, sum money.MinorUnits) {
	list := s.lists[s.batch]
	for _, i := range live(list) {
		if list[i].Unasked {
			count++
			sum += list[i].Amount
		}
	}
	for _, r := range s.offline {
		if r.Kind == KindSale && r.Batch == s.batch {
			count++
			sum += r.Amount
		}
	}
	return count, sum
}

// over says by which limit one more offline sale is not made, before the goods go.
func (l OfflineLimits) over(s *state, amount money.MinorUnits) (Reason, string) {
	count, sum := s.offlineUse()
	switch {
	case l.Amount > 0 && amount > l.Amount:
		return ReasonOfflineFloor, fmt.Sprintf("an offline sale is for %d minor units at most", l.Amount)
	case l.Count > 0 && count >= l.Count:
		return ReasonOfflineCount, fmt.Sprintf("the batch has %d offline sales, at most %d are made: settle it first", count, l.Count)
	case l.Sum > 0 && amount > l.Sum-sum:
		return ReasonOfflineSum, fmt.Sprintf("the offline sales of the batch come to %d minor units, at most %d are sold: settle it first", sum, l.Sum)
	}
	return ReasonNone, ""
}
