// SPDX-License-Identifier: Apache-2.0

package txn

import (
	"fmt"
	"time"
)

// NearDate says whether a moment lies within a day of a date MMDD. A date has no
// year: the nearest is meant. It may differ by a day, since receipts have the
// terminal's own time zone. A zero date is none, and every moment is near.
func NearDate(at time.Time, date [4]byte) bool {
	if date == ([4]byte{}) {
		return true
	}
	at = at.UTC()
	day := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	for year := at.Year() - 1; year <= at.Year()+1; year++ {
		d, err := time.Parse("20060102", fmt.Sprintf("%04d%s", year, date[:]))
		if err != nil {
			continue // no 29 February in this year
		}
		if apart := d.Sub(day); apart >= -24*time.Hour && apart <= 24*time.Hour {
			return true
		}
	}
	return false
}
