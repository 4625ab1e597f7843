// SPDX-License-Identifier: Apache-2.0

package link

import (
	"bytes"
	"errors"
	"time"

	"tapswitch/internal/assert"
	"tapswitch/internal/env"
)

// KeySize holds the longest request key of the dialects in service: message
// class 4, F7 10, F11 6, F32 2+11, rounded up.
const KeySize = 40

// Key names a request so that its answer can be found: the fields that the
// dialect says an answer repeats, zero filled. It never holds card data.
type Key [KeySize]byte

// KeyOf joins the parts of a key. Parts of varying length must carry it, or
// stand last. False: the parts are longer than a key.
func KeyOf(parts ...[]byte) (k Key, ok bool) {
	n := 0
	for _, p := range parts {
		if n+len(p) > KeySize {
			return Key{}, false
		}
		n += copy(k[n:], p)
	}
	return k, true
}

// String gives the key without its filling.
func (k Key) String() string { return string(bytes.TrimRight(k[:], "\x00")) }

// Outcome is what an answer turned out to be.
type Outcome uint8

// The outcomes. Only Matched reaches who asked; each has its counter.
const (
	Matched   Outcome = iota // the answer of a request that waits
	Late                     // its request was given up: deadline passed or connection lost
	Duplicate                // its request has had its answer
	Unknown                  // nobody asked, or longer ago than we remember
	WrongLink                // another link asked

	NumOutcomes = 5
)

// String names the outcome as metrics and transcripts do.
func (o Outcome) String() string {
	return [...]string{"matched", "late", "duplicate", "unknown", "wrong_link"}[o]
}

// Errors of Add. Nothing was sent.
var (
	ErrDuplicateKey = errors.New("a request with this key is in flight")
	ErrTableFull    = errors.New("in-flight table is full")
)

// slotState is where a request stands.
type slotState uint8

const (
	free slotState = iota
	waiting
	givenUp  // no answer in time; one that comes is late
	answered // one more that comes is a duplicate
)

// slot is one request, waiting or remembered. The remembered ones form a list
// from oldest to newest; next also links the free ones.
type slot struct {
	key        Key
	deadline   env.Mono
	ended      env.Mono
	generation uint32
	state      slotState
	prev, next int32
}

// none ends a list of slots.
const none = int32(-1)

// TableConfig bounds a table.
type TableConfig struct {
	MaxInFlight int           // requests that wait
	Remember    int           // requests remembered after their end, to tell late and duplicate from unknown
	RememberFor time.Duration // and for how long
}

// Table is the requests in flight on one link: a pure machine, not safe for
// concurrent use. Its memory is taken once.
type Table struct {
	cfg            TableConfig
	index          map[Key]int32
	slots          []slot
	freeHead       int32
	oldest, newest int32 // of the remembered
	inFlight       int
	counts         [NumOutcomes]uint64
}

// NewTable takes all the memory that the bounds ask for.
func NewTable(cfg TableConfig) *Table {
	if cfg.MaxInFlight < 1 || cfg.Remember < 1 {
		assert.Fail("link: table for %d in flight and %d remembered", cfg.MaxInFlight, cfg.Remember)
	}
	n := cfg.MaxInFlight + cfg.Remember
	t := &Table{
		cfg:    cfg,
		index:  make(map[Key]int32, n),
		slots:  make([]slot, n),
		oldest: none,
		newest: none,
	}
	for i := range t.slots {
		t.slots[i].next = int32(i) + 1
	}
	t.slots[n-1].next = none
	return t
}

// InFlight is the number of requests that wait.
func (t *Table) InFlight() int { return t.inFlight }

// Counts tells how many answers had each outcome.
func (t *Table) Counts() [NumOutcomes]uint64 { return t.counts }

// Waits reports whether a request with this key is in flight.
func (t *Table) Waits(key Key) bool {
	i, ok := t.index[key]
	return ok && t.slots[i].state == waiting
}

// Size is the number of slots; those that Add, Match and Break name are below it.
func (t *Table) Size() int { return len(t.slots) }

// Add takes a request on a connection of this generation. A key that ended
// before may come again: a repeat carries its original's key, and an answer to
// either answers the repeat.
func (t *Table) Add(now env.Mono, key Key, generation uint32, deadline env.Mono) (int, error) {
	t.forgetOld(now)
	i, known := t.index[key]
	if known && t.slots[i].state == waiting {
		return 0, ErrDuplicateKey
	}
	if t.inFlight == t.cfg.MaxInFlight {
		return 0, ErrTableFull
	}
	if known {
		t.unlink(i)
	} else {
		i = t.take()
		t.index[key] = i
	}
	t.slots[i] = slot{key: key, generation: generation, deadline: deadline, state: waiting, prev: none, next: none}
	t.inFlight++
	return int(i), nil
}

// Result is what Match found.
type Result struct {
	Outcome Outcome
	// Slot is the request's when it waited until now (Matched, or Late because
	// the deadline passed before its waiter noticed), else -1.
	Slot int
	// Moved says that the answer came on another connection than its request left on.
	Moved bool
}

// Match tells what an answer is, counts it, and ends the request that waited for
// it. The key alone decides; the generation only describes. elsewhere, which
// may be nil, says whether another link waits for the key.
func (t *Table) Match(now env.Mono, key Key, generation uint32, elsewhere func(Key) bool) Result {
	t.forgetOld(now)
	r := t.match(now, key, generation, elsewhere)
	t.counts[r.Outcome]++
	return r
}

func (t *Table) match(now env.Mono, key Key, generation uint32, elsewhere func(Key) bool) Result {
	i, ok := t.index[key]
	if !ok {
		if elsewhere != nil && elsewhere(key) {
			return Result{Outcome: WrongLink, Slot: -1}
		}
		return Result{Outcome: Unknown, Slot: -1}
	}
	s := &t.slots[i]
	r := Result{Outcome: Duplicate, Slot: -1, Moved: s.generation != generation}
	switch s.state {
	case waiting:
		r.Slot = int(i)
		r.Outcome = Matched
		if now >= s.deadline {
			r.Outcome = Late
		}
		t.end(now, i, answered)
	case givenUp:
		r.Outcome = Late
		s.state = answered
	}
	return r
}

// GiveUp ends a request that got no answer: the next one will be late.
func (t *Table) GiveUp(now env.Mono, i int) {
	if t.slots[i].state != waiting {
		assert.Fail("link: slot %d given up in state %d", i, t.slots[i].state)
	}
	t.end(now, int32(i), givenUp)
}

// Forget drops a request of which surely nothing was sent.
func (t *Table) Forget(i int) {
	if t.slots[i].state != waiting {
		assert.Fail("link: slot %d forgotten in state %d", i, t.slots[i].state)
	}
	t.inFlight--
	t.release(int32(i))
}

// Break gives up all requests of a connection and appends their slots to dst,
// in order of slot.
func (t *Table) Break(now env.Mono, generation uint32, dst []int) []int {
	for i := range t.slots {
		if s := &t.slots[i]; s.state == waiting && s.generation == generation {
			t.end(now, int32(i), givenUp)
			dst = append(dst, i)
		}
	}
	return dst
}

// end moves a request that waits to the end of the remembered.
func (t *Table) end(now env.Mono, i int32, state slotState) {
	s := &t.slots[i]
	s.state, s.ended, s.prev, s.next = state, now, t.newest, none
	if t.newest == none {
		t.oldest = i
	} else {
		t.slots[t.newest].next = i
	}
	t.newest = i
	t.inFlight--
}

// take returns a free slot; when there is none, the oldest remembered one. There
// is always either, because Add stops at MaxInFlight.
func (t *Table) take() int32 {
	if t.freeHead == none {
		oldest := t.oldest
		t.unlink(oldest)
		t.release(oldest)
	}
	i := t.freeHead
	t.freeHead = t.slots[i].next
	return i
}

// forgetOld drops what ended longer ago than RememberFor.
func (t *Table) forgetOld(now env.Mono) {
	for t.oldest != none && now >= t.slots[t.oldest].ended.Add(t.cfg.RememberFor) {
		oldest := t.oldest
		t.unlink(oldest)
		t.release(oldest)
	}
}

// unlink takes a slot out of the remembered.
func (t *Table) unlink(i int32) {
	s := &t.slots[i]
	if s.prev == none {
		t.oldest = s.next
	} else {
		t.slots[s.prev].next = s.next
	}
	if s.next == none {
		t.newest = s.prev
	} else {
		t.slots[s.next].prev = s.prev
	}
}

// release makes a slot free.
func (t *Table) release(i int32) {
	delete(t.index, t.slots[i].key)
	t.slots[i] = slot{prev: none, next: t.freeHead}
	t.freeHead = i
}
