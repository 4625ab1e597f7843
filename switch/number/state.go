// SPDX-License-Identifier: Apache-2.0

package number

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// The record of a block, big-endian:
//
//	0  1  version 1
//	1  8  number behind the block: where the next one begins
//	9  8  time of the reservation, Unix seconds
const (
	version  = 1
	bodySize = 17
)

// block is one reservation.
type block struct {
	next uint64    // behind its last number
	at   time.Time // when it was reserved
	used time.Time // when a number of it was given last; zero is never
}

func encode(b block) []byte {
	body := append(make([]byte, 0, bodySize), version)
	body = binary.BigEndian.AppendUint64(body, b.next)
	return binary.BigEndian.AppendUint64(body, uint64(b.at.Unix()))
}

func decode(body []byte) (block, error) {
	if len(body) != bodySize || body[0] != version {
		return block{}, fmt.Errorf("number: a record of %d bytes that is not of version %d; it was written by another release", len(body), version)
	}
	b := block{next: binary.BigEndian.Uint64(body[1:])}
	b.at = time.Unix(int64(binary.BigEndian.Uint64(body[9:])), 0)
	return b, nil
}

// daysKept is how many days' first numbers are remembered: today's, and those
// the wall clock may be set back to.
const daysKept = 4

// State is what the journal tells about the numbers. The zero State is that of
// a new journal; Apply folds in every record of the configured kind.
type State struct {
	end    uint64  // behind the last reserved number
	blocks []block // the newest, as far back as a STAN reaches
	days   []day   // by date
}

// day is a date and the first number that may have been given on it.
type day struct {
	date  int64 // days since 1970, UTC
	first uint64
}

func dateOf(t time.Time) int64 {
	const secondsPerDay = 86_400
	s := t.Unix()
	if s < 0 {
		s -= secondsPerDay - 1
	}
	return s / secondsPerDay
}

// Apply folds in the body of one record, in the order of the journal.
func (s *State) Apply(body []byte) error {
	b, err := decode(body)
	if err != nil {
		return err
	}
	if b.next < s.end {
		return fmt.Errorf("number: a block ends at %d, but one before it ended at %d; the journal's order is wrong", b.next, s.end)
	}
	s.add(b)
	return nil
}

// Reserved is when the block of a record's body was reserved.
func (s *State) Reserved(body []byte) (time.Time, error) {
	b, err := decode(body)
	return b.at, err
}

// Needs says whether the record with this body, which s has seen, still tells
// anything: a STAN of its block, or of the one before, may not have come again,
// or its day is one that the wall clock may be set back to. What it does not need
// may be left out of the journal from the beginning on.
func (s *State) Needs(body []byte) (bool, error) {
	b, err := decode(body)
	if err != nil || len(s.blocks) == 0 || len(s.days) == 0 {
		return true, err
	}
	return b.next >= s.blocks[0].next || dateOf(b.at) >= s.days[0].date, nil
}

// clone makes the state its holder's own.
func (s *State) clone() State {
	return State{end: s.end, blocks: slices.Clone(s.blocks), days: slices.Clone(s.days)}
}

// firstIn is the first number of block i.
func (s *State) firstIn(i int) uint64 {
	if i > 0 {
		return s.blocks[i-1].next
	}
	return s.blocks[0].next - min(s.blocks[0].next, BlockMax)
}

// add takes up a reserved block and forgets those whose STANs all came again.
// Of the block before it is only known that its numbers may have been given up
// to now, on this day too: a restart may lie in between.
func (s *State) add(b block) {
	n := len(s.blocks)
	if n > 0 && s.blocks[n-1].next == b.next { // a reservation that was tried again
		s.blocks[n-1].at = later(s.blocks[n-1].at, b.at)
		return
	}
	first := b.next - min(b.next, BlockMax) // of a journal whose beginning was purged
	if n > 0 {
		s.blocks[n-1].used = later(s.blocks[n-1].used, b.at)
		first = s.firstIn(n - 1)
	}
	s.mark(b.at, first)
	s.blocks = append(s.blocks, b)
	s.end = b.next
	old := 0
	for old < len(s.blocks) && s.blocks[old].next+STANMax+BlockMax < s.end {
		old++
	}
	s.blocks = slices.Delete(s.blocks, 0, old)
}

// find is the block that c is in.
func (s *State) find(c uint64) (int, bool) {
	i, _ := slices.BinarySearchFunc(s.blocks, c, func(b block, c uint64) int {
		if b.next <= c {
			return -1
		}
		return 1
	})
	return i, i < len(s.blocks)
}

// lastUse is when the STAN of c was given before, at the latest.
func (s *State) lastUse(c uint64) (time.Time, bool) {
	if c < STANMax {
		return time.Time{}, false
	}
	i, ok := s.find(c - STANMax)
	if !ok {
		return time.Time{}, false
	}
	return later(s.blocks[i].used, s.blocks[i].at), true
}

// use notes that c, which is in the last block, was given at now.
func (s *State) use(c uint64, now time.Time) {
	last := &s.blocks[len(s.blocks)-1]
	last.used = later(last.used, now)
	s.mark(now, c)
}

// firstOf is the first number that may have been given on the day of now; c
// when it is a new day.
func (s *State) firstOf(now time.Time, c uint64) uint64 {
	date := dateOf(now)
	for _, d := range s.days {
		if d.date == date {
			return d.first
		}
	}
	if len(s.days) == 0 || date > s.days[0].date { // the earliest are forgotten first, so no number was given on it
		return c
	}
	return s.days[0].first // set back to a day that is forgotten
}

// mark makes sure that the day of now is known to begin at c or before.
func (s *State) mark(now time.Time, c uint64) {
	d := day{dateOf(now), s.firstOf(now, c)}
	i := 0
	for i < len(s.days) && s.days[i].date < d.date {
		i++
	}
	if i < len(s.days) && s.days[i].date == d.date {
		return
	}
	s.days = slices.Insert(s.days, i, d)
	if len(s.days) > daysKept {
		s.days = slices.Delete(s.days, 0, 1)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
