// SPDX-License-Identifier: Apache-2.0

package txn

import "tapswitch/internal/money"

// OfflineLimits are what a terminal may sell without asking, by an authorization that
// was given by word of mouth (OfflineSale). Amounts are minor units; zero sets no bound.
type OfflineLimits struct {
	Amount money.MinorUnits // of one sale
	Count  int              // sales of one batch
	Sum    money.MinorUnits // of one batch
}

// OfflineUse is what the offline sales in force of a batch come to.
type OfflineUse struct {
	Count uint32
	Minor money.MinorUnits
}

// Add counts a sale in that comes to s; one that is not in force comes to nothing.
func (u *OfflineUse) Add(s Share) {
	if s.Side == OnDebit {
		u.Count++
		u.Minor += s.Minor
	}
}

// Sub counts a sale out that was counted in, unless that was by an earlier version
// which did not count.
func (u *OfflineUse) Sub(s Share) {
	if s.Side == OnDebit && u.Count > 0 {
		u.Count--
		u.Minor = max(0, u.Minor-s.Minor)
	}
}

// Over names the limit that one more sale would break beside those of u; empty when
// it breaks none. What breaks several has the name of the first.
func (l OfflineLimits) Over(u OfflineUse, minor money.MinorUnits) Reason {
	switch {
	case l.Amount > 0 && minor > l.Amount:
		return OfflineAmount
	case l.Count > 0 && int64(u.Count) >= int64(l.Count):
		return OfflineCount
	case l.Sum > 0 && minor > l.Sum-u.Minor:
		return OfflineSum
	}
	return ""
}

// Why an offline sale is held back from its acquirer until a person lets it go. It has
// happened and is kept, so the answer's code is 00.
const (
	OfflineAmount Reason = "offline_sale_above_limit"
	OfflineCount  Reason = "offline_sales_above_limit"
	OfflineSum    Reason = "offline_sum_above_limit"
)

// OfflineReasons is the closed set of them, for metrics labels and documentation.
func OfflineReasons() []Reason { return []Reason{OfflineAmount, OfflineCount, OfflineSum} }
