// SPDX-License-Identifier: Apache-2.0

package txn

import "time"

// leapGap is the most years from one 29 February to the next: 2096 to 2104.
const leapGap = 8

// NearestDate gives a date MMDD its year: of all years that have the date, the
// one in which it lies nearest to a moment, in UTC. Of two that are equally near
// it is the earlier, since most dates in messages are past. It is false for four
// bytes that are no date in any year.
func NearestDate(at time.Time, date [4]byte) (nearest time.Time, ok bool) {
	for _, c := range date {
		if c < '0' || c > '9' {
			return time.Time{}, false
		}
	}
	month := time.Month(int(date[0]-'0')*10 + int(date[1]-'0'))
	inMonth := int(date[2]-'0')*10 + int(date[3]-'0')
	at = at.UTC()
	day := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	gap := 1
	if month == time.February && inMonth == 29 {
		gap = leapGap
	}
	for year := at.Year() - gap; year <= at.Year()+gap; year++ {
		d := time.Date(year, month, inMonth, 0, 0, 0, 0, time.UTC)
		if d.Month() != month || d.Day() != inMonth {
			continue // this year does not have it
		}
		if !ok || d.Sub(day).Abs() < nearest.Sub(day).Abs() {
			nearest, ok = d, true
		}
	}
	return nearest, ok
}

// NearDate says whether a moment lies within a day of a date MMDD. It may differ by
// a day, since receipts have the terminal's own time zone. A zero date is none, and
// every moment is near.
func NearDate(at time.Time, date [4]byte) bool {
	if date == ([4]byte{}) {
		return true
	}
	d, ok := NearestDate(at, date)
	if !ok {
		return false
	}
	at = at.UTC()
	apart := d.Sub(time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)).Abs()
	return apart <= 24*time.Hour
}
