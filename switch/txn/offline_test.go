// SPDX-License-Identifier: Apache-2.0

package txn

import (
	"testing"

	"tapswitch/internal/money"
)

// Each limit alone is broken at its border and by its own name; of several the first has the word. No
// limit is no bound, and no amount overflows one.
func TestOfflineLimits(t *testing.T) {
	all := OfflineLimits{Amount: 100, Count: 3, Sum: 250}
	for _, c := range []struct {
		name  string
		l     OfflineLimits
		u     OfflineUse
		minor money.MinorUnits
		want  Reason
	}{
		{"the first", all, OfflineUse{}, 100, ""},
		{"a fen more than one may be", all, OfflineUse{}, 101, OfflineAmount},
		{"the last of the count, and all of the sum", all, OfflineUse{2, 150}, 100, ""},
		{"one more than the count", all, OfflineUse{3, 3}, 1, OfflineCount},
		{"a fen more than the sum", all, OfflineUse{2, 151}, 100, OfflineSum},
		{"everything at once", all, OfflineUse{9, 9999}, 101, OfflineAmount},
		{"the sum was broken before", all, OfflineUse{1, 9999}, 1, OfflineSum},
		{"the largest amount there is", OfflineLimits{Sum: money.Max}, OfflineUse{1, money.Max}, money.Max, OfflineSum},
		{"no limits", OfflineLimits{}, OfflineUse{1000, money.Max}, money.Max, ""},
	} {
		if got := c.l.Over(c.u, c.minor); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A sale counts while it is in force. One that an earlier version did not count takes nothing off.
func TestOfflineUse(t *testing.T) {
	p := &Payment{Key: Key{Class: OfflineSale}, State: Advising, Amount: money.Amount{Minor: 70, Currency: money.CNY}}
	var u OfflineUse
	u.Add(p.Share())
	if u != (OfflineUse{1, 70}) {
		t.Errorf("%+v", u)
	}
	p.State = Reversed
	u.Add(p.Share())
	p.State = Advised
	u.Sub(p.Share())
	u.Sub(p.Share())
	if u != (OfflineUse{}) {
		t.Errorf("%+v", u)
	}
}
