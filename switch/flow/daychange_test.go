// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The date by which a refund or a cancel names its original has no year: over the turn
// of the year and at the end of February the nearest is meant, a day apart at most.
func TestOriginalDatesOverADayChange(t *testing.T) {
	for _, c := range []struct {
		paid, later string // UTC
		date        string
		known       bool
	}{
		{"2030-12-31 23:59", "2031-01-01 00:01", "1231", true},
		{"2030-12-31 23:59", "2031-01-01 00:01", "0101", true}, // it is January already at the terminal
		{"2030-12-31 23:59", "2031-01-01 00:01", "0102", false},
		{"2031-01-01 00:01", "2031-01-01 00:02", "1231", true}, // still December there
		{"2031-01-01 00:01", "2031-01-01 00:02", "1230", false},
		{"2032-02-29 12:00", "2032-03-01 12:00", "0229", true},
		{"2032-02-28 23:59", "2032-03-01 12:00", "0229", true},
		{"2032-03-01 00:01", "2032-03-01 12:00", "0229", true},
		{"2032-03-02 00:01", "2032-03-02 12:00", "0229", false},
		{"2031-02-28 23:59", "2031-03-01 12:00", "0229", false}, // that year has none
		{"2031-02-28 23:59", "2031-03-01 12:00", "0301", true},
	} {
		for first, second := range map[string]string{"purchase": "refund", "preauth": "cancel"} {
			w := newWorld(t)
			w.today(c.paid)
			w.command(first + " trace=1 amount=500")
			if !w.last.Approved() {
				t.Fatalf("%s at %s: %s", first, c.paid, w.last.Reason)
			}
			w.command("delivered written")
			w.today(c.later)
			w.command(fmt.Sprintf("%s trace=2 original=1 amount=500 date=%s", second, c.date))
			if known := w.last.Approved(); known != c.known || !known && !strings.Contains(string(w.last.Reason), "original") {
				t.Errorf("%s of %s at %s by date %s: %s", second, first, c.paid, c.date, w.last.Reason)
			}
		}
	}
}

// today sets the wall time.
func (w *world) today(when string) {
	at, err := time.Parse("2006-01-02 15:04", when)
	if err != nil {
		w.t.Fatal(err)
	}
	w.clock.StepWall(at.Sub(w.clock.Now()))
}
