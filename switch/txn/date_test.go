// SPDX-License-Identifier: Apache-2.0

package txn

import (
	"testing"
	"time"
)

// A date without a year is the nearest one, give or take a day: over the turn of
// the year, and at the end of February in every kind of year.
func TestNearDate(t *testing.T) {
	for _, c := range []struct {
		at, date string
		want     bool
	}{
		{"2026-11-29", "1129", true}, {"2026-11-29", "1128", true}, {"2026-11-29", "1130", true}, {"2026-11-29", "1127", false}, {"2026-11-29", "1201", false},
		{"2026-12-31", "0101", true}, {"2027-01-01", "1231", true}, {"2027-01-01", "1230", false},
		{"2028-02-29", "0229", true}, {"2028-02-28", "0229", true}, {"2028-03-01", "0229", true}, {"2028-03-01", "0228", false}, {"2028-03-02", "0229", false},
		{"2026-02-28", "0229", false}, {"2026-02-28", "0301", true}, {"2026-11-29", "1340", false}, {"2026-11-29", "11.9", false},
	} {
		at, err := time.Parse(time.DateOnly, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := NearDate(at.Add(23*time.Hour), [4]byte([]byte(c.date))); got != c.want {
			t.Errorf("%s and %s: %v", c.at, c.date, got)
		}
	}
	if !NearDate(time.Time{}, [4]byte{}) {
		t.Error("no date must be near to everything")
	}
}
