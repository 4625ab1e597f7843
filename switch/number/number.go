// SPDX-License-Identifier: Apache-2.0

// Package number hands out the switch's own STAN and RRN.
//
// Promise: no number is given twice, whatever crashes. A STAN comes again only
// after 999,999 others and never within the configured window; an RRN is unique
// for ten years. What would break this is refused by name instead.
//
// How: one counter makes both. It is reserved block by block: a durable record
// says where the next block begins before the first number of a block is given,
// so numbers cost no sync, and a restart goes on behind the last block. The RRN
// is the last digit of the year, the day of the year and eight digits of the
// counter, all in UTC. Non-obvious: the request key holds F7, too, which has the
// second in it, so even a window of one second keeps keys unique; a longer one
// is for acquirers that match by STAN alone. A wall clock that was ahead by more than
// the window and is right again does not make its numbers wait: F7 tells them apart.
//
// Imported by: flow's ports, recover, node. Imports: journal, internal.
package number

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"tapswitch/internal/assert"
	"tapswitch/internal/env"
	"tapswitch/switch/journal"
)

// The ranges of the numbers.
const (
	// STANMax is the greatest STAN; it is followed by 1.
	STANMax = 999_999
	// counterMax is how many RRNs one day has.
	counterMax = 100_000_000
	// BlockMin and BlockMax bound a block: under it a sync is paid too often,
	// over it a crash wastes too much of the STAN's range.
	BlockMin = 100
	BlockMax = 50_000
)

// ErrExhausted is the refusal when the next number was given too recently. It
// ends by itself once the window has passed.
var ErrExhausted = errors.New("number: exhausted")

// Config says how numbers are made.
type Config struct {
	Kind   byte          // of the journal's records
	Block  int           // numbers reserved at a time
	Window time.Duration // in which no STAN comes again
}

// Validate names everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Block < BlockMin || c.Block > BlockMax {
		errs = append(errs, fmt.Errorf("number: block of %d; use %d to %d", c.Block, BlockMin, BlockMax))
	}
	if c.Window < time.Second {
		errs = append(errs, fmt.Errorf("number: window of %v; F7 tells seconds apart, so use at least one", c.Window))
	}
	return errors.Join(errs...)
}

// Numbers gives out numbers; any number of callers may ask at the same time.
type Numbers struct {
	waits env.Waits
	log   journal.Appender
	cfg   Config

	mu      sync.Mutex
	state   State  // what is durable, and when blocks were used
	next    uint64 // the next number
	end     uint64 // behind the last reserved one
	pending *reservation
}

// reservation is the one block that is being made durable.
type reservation struct {
	done env.Event
	err  error // set before the wake
}

// Open goes on behind everything that state has seen.
func Open(waits env.Waits, appender journal.Appender, state State, cfg Config) (*Numbers, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	state = state.clone()
	return &Numbers{waits: waits, log: appender, cfg: cfg, state: state, next: state.end, end: state.end}, nil
}

// Next is the next pair of numbers. Now is the wall time; its day is taken in
// UTC. An error is ErrExhausted or that of the journal.
func (n *Numbers) Next(now time.Time) (stan uint32, rrn [12]byte, err error) {
	for {
		n.mu.Lock()
		if n.next < n.end {
			defer n.mu.Unlock()
			return n.take(now)
		}
		r := n.pending
		if r != nil {
			n.mu.Unlock()
			r.done.Wait(env.Never)
			err = r.err
		} else {
			r = &reservation{done: n.waits.NewEvent()}
			n.pending = r
			n.mu.Unlock()
			err = n.reserve(r, now)
		}
		if err != nil {
			return 0, rrn, err
		}
	}
}

// take gives out n.next. The lock is held.
func (n *Numbers) take(now time.Time) (stan uint32, rrn [12]byte, err error) {
	c := n.next
	if n.next >= n.end {
		assert.Fail("number: %d is not reserved, only those before %d", c, n.end)
	}
	if used, ok := n.state.lastUse(c); ok && n.cfg.near(now, used) {
		return 0, rrn, fmt.Errorf("%w: STAN %06d was given %v ago and the window is %v; lower the load or the window",
			ErrExhausted, stanOf(c), now.Sub(used), n.cfg.Window)
	}
	if first := n.state.firstOf(now, c); c-first >= counterMax {
		return 0, rrn, fmt.Errorf("%w: the day has had its %d RRNs", ErrExhausted, counterMax)
	}
	n.state.use(c, now)
	n.next++
	return stanOf(c), rrnOf(c, now), nil
}

// near says whether a STAN was used within the window: before now, or behind it when
// the wall clock was ahead then. F7 has no year, so neither must it be so in another one.
func (c Config) near(now, used time.Time) bool {
	if used.After(now) {
		now = now.AddDate(used.UTC().Year()-now.UTC().Year(), 0, 0)
	}
	return now.Sub(used).Abs() < c.Window
}

// reserve makes the next block durable, without the lock, and tells those who
// wait for it. After a failure the same block is asked for again: its record
// may be there twice and says the same.
func (n *Numbers) reserve(r *reservation, now time.Time) error {
	first := n.end // only the one who reserves changes it
	next := first + uint64(n.cfg.Block)
	err := n.log.Append(journal.Record{Kind: n.cfg.Kind, Body: encode(block{next: next, at: now})})
	if err != nil {
		err = fmt.Errorf("number: reserve a block: %w", err)
	}
	n.mu.Lock()
	if n.pending != r || n.end != first {
		assert.Fail("number: two reservations at a time, at %d and %d", first, n.end)
	}
	if err == nil {
		n.state.add(block{next: next, at: now})
		n.next, n.end = first, next
	}
	n.pending = nil
	r.err = err
	n.mu.Unlock()
	r.done.Wake()
	return err
}

func stanOf(c uint64) uint32 { return uint32(c%STANMax) + 1 }

// rrnOf is YDDDnnnnnnnn.
func rrnOf(c uint64, now time.Time) (rrn [12]byte) {
	now = now.UTC()
	digits(rrn[:1], uint64(now.Year()%10))
	digits(rrn[1:4], uint64(now.YearDay()))
	digits(rrn[4:], c%counterMax)
	return rrn
}

// digits writes n in decimal, with zeros in front.
func digits(b []byte, n uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}
