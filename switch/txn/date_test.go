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

// The year of a date is the one in which it lies nearest, if that year has it: over
// the turn of the year, half a year away, and at 29 February where the nearest years
// have none.
func TestNearestDate(t *testing.T) {
	for _, c := range []struct{ at, date, want string }{
		{"2026-12-31", "0101", "2027-01-01"}, {"2027-01-01", "1231", "2026-12-31"}, {"2026-12-31", "1231", "2026-12-31"}, {"2027-01-01", "0101", "2027-01-01"},
		{"2026-07-15", "0101", "2027-01-01"}, {"2026-06-15", "1231", "2025-12-31"}, {"2027-01-01", "0701", "2027-07-01"}, {"2027-01-01", "0704", "2026-07-04"},
		{"2028-02-29", "0229", "2028-02-29"}, {"2028-03-01", "0229", "2028-02-29"}, {"2028-02-28", "0229", "2028-02-29"}, {"2028-12-31", "0229", "2028-02-29"},
		{"2027-02-28", "0229", "2028-02-29"}, {"2027-03-01", "0229", "2028-02-29"}, {"2025-03-01", "0229", "2024-02-29"}, {"2100-03-01", "0229", "2104-02-29"}, {"2099-12-31", "0229", "2096-02-29"},
		{"2027-12-31", "0229", "2028-02-29"}, {"2029-01-01", "0229", "2028-02-29"}, {"2028-08-30", "0229", "2028-02-29"},
		{"2026-11-29", "0230", ""}, {"2026-11-29", "1340", ""}, {"2026-11-29", "0000", ""}, {"2026-11-29", "11.9", ""}, {"2026-11-29", "\x00\x00\x00\x00", ""},
	} {
		at, err := time.Parse(time.DateOnly, c.at)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := NearestDate(at.Add(23*time.Hour+59*time.Minute), [4]byte([]byte(c.date)))
		if ok != (c.want != "") || ok && got.Format(time.DateOnly) != c.want {
			t.Errorf("%q on %s: %s %v, want %q", c.date, c.at, got.Format(time.DateOnly), ok, c.want)
		}
	}
	east := time.FixedZone("east", 8*60*60) // on 3 July in the east, still 2 July in UTC, the coming new year is nearer
	if got, _ := NearestDate(time.Date(2027, 7, 3, 3, 0, 0, 0, east), [4]byte([]byte("0101"))); got.Year() != 2027 {
		t.Errorf("%v: the nearest year is taken in UTC", got)
	}
}
