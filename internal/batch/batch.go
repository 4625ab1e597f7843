// SPDX-License-Identifier: Apache-2.0

// Package batch is natural batching, once: whoever finds the resource idle
// serves all who wait.
//
// Promise: every item is served exactly once, in the order of arrival, never
// two batches at a time. A caller serves at most one batch, the one its own
// item is in. Who finds the queue full is told so at once.
//
// How: a caller that finds the resource idle serves its item alone and pays a
// lock and nothing else. Those who come meanwhile queue up; the first of them
// leads next and takes all who have come by then. There is no timer and no
// goroutine: the batch grows with the load by itself. Waiting is by env.Event.
//
// Imported by: the journal, the HSM driver, link writes. Imports: internal/env,
// internal/assert.
package batch

import (
	"errors"
	"sync"

	"tapswitch/internal/assert"
	"tapswitch/internal/env"
)

// ErrFull is returned when as many callers wait as may. The item was not served.
var ErrFull = errors.New("batch: queue full")

// Queue stands before one resource.
type Queue[T any] struct {
	waits env.Waits
	max   int
	serve func([]T) error

	mu      sync.Mutex
	busy    bool         // somebody leads, or was told to
	waiting []*ticket[T] // in the order of arrival; the leader to be is the first

	// These belong to the leader: leadership passes under mu.
	led   []*ticket[T]
	items []T
}

// ticket is one caller that waits.
type ticket[T any] struct {
	item  T
	event env.Event
	leads bool  // set before the wake: serve, instead of being served
	err   error // set before the wake otherwise
}

// New returns a queue in which at most max callers wait, so that no batch is
// longer than max. Serve gets the items in order of arrival, and the slice only
// until it returns; its error is what every Do of the batch returns.
func New[T any](waits env.Waits, max int, serve func(items []T) error) *Queue[T] {
	if max < 1 {
		assert.Fail("batch: a queue for %d callers", max)
	}
	return &Queue[T]{waits: waits, max: max, serve: serve}
}

// Do has item served and returns what serve returned for its batch. Once
// queued it waits as long as it takes.
func (q *Queue[T]) Do(item T) error {
	q.mu.Lock()
	if !q.busy {
		if len(q.waiting) != 0 {
			assert.Fail("batch: %d wait for an idle resource", len(q.waiting))
		}
		q.busy = true
		q.mu.Unlock()
		q.items = append(q.items[:0], item)
		return q.lead()
	}
	if len(q.waiting) >= q.max {
		q.mu.Unlock()
		return ErrFull
	}
	t := &ticket[T]{item: item, event: q.waits.NewEvent()}
	q.waiting = append(q.waiting, t)
	q.mu.Unlock()

	if !t.event.Wait(env.Never) {
		assert.Fail("batch: a wait without a deadline timed out")
	}
	if !t.leads {
		return t.err
	}
	q.take(t)
	return q.lead()
}

// Waiting is how many callers wait now.
func (q *Queue[T]) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// take makes everybody who waits the batch of leader, which is the first.
func (q *Queue[T]) take(leader *ticket[T]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 || q.waiting[0] != leader {
		assert.Fail("batch: the leader is not the first of %d", len(q.waiting))
	}
	q.led, q.waiting = q.waiting, q.led[:0]
	q.items = q.items[:0]
	for _, t := range q.led {
		q.items = append(q.items, t.item)
	}
}

// lead serves the batch in q.items, tells those it belongs to and passes the
// leadership on. When serve panics the queue stays busy: after a broken
// assertion nothing may be served any more.
func (q *Queue[T]) lead() error {
	err := q.serve(q.items)
	clear(q.items)
	for i, t := range q.led {
		if i > 0 { // the first is the leader itself
			t.err = err
			t.event.Wake()
		}
	}
	clear(q.led)
	q.led = q.led[:0]
	q.passOn()
	return err
}

func (q *Queue[T]) passOn() {
	q.mu.Lock()
	if len(q.waiting) == 0 {
		q.busy = false
		q.mu.Unlock()
		return
	}
	next := q.waiting[0]
	next.leads = true
	q.mu.Unlock()
	next.event.Wake()
}
