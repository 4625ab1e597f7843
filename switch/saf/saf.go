// SPDX-License-Identifier: Apache-2.0

// Package saf delivers what must reach an acquirer sooner or later: reversals.
//
// Promise: what is in state reversing is sent until the acquirer acknowledges
// it, through any crash, and every repeat carries the same numbers. What the
// acquirer refuses, or leaves without a usable answer for longer than MaxAge, ends
// as a durable case for a person, never as silence.
//
// How: the queue holds keys only; what it sends is the payment as the index has
// it, and what the acquirer says is made durable there. A line per link sends
// one at a time, the one that is due first; one that is refused waits with
// growing spacing and holds up no other. Run is the loop of one line; it waits
// by env.Event alone. An item's age is that of its undo's numbers, which a restart
// does not change, and it is looked at after an attempt: the last word is always
// the acquirer's. Recovery fills the queue again after a crash.
//
// Imported by: node. Imports: switch/{txn,record,replay,journal}, internal.
package saf

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"tapswitch/internal/assert"
	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Config spaces the repeats.
type Config struct {
	Retry    time.Duration // after the first attempt that was not acknowledged
	MaxRetry time.Duration // spacing doubles up to this
	MaxAge   time.Duration // of an undo, then a case is opened; 0 is never
}

// ErrUnsent is a Sender's word that surely not one byte left.
var ErrUnsent = errors.New("saf: not sent")

// Sender sends the message of one kind about p, under the link's present keys,
// and returns the acquirer's field 39. An error says that no usable answer came,
// or that the kind is not built for the link; it is ErrUnsent when nothing left.
type Sender interface {
	Send(ctx context.Context, kind Kind, p txn.Payment, repeat bool) (txn.Code, error)
	// Up reports whether the link can carry it now.
	Up(link string) bool
}

// Payments is the index of payments.
type Payments interface {
	Find(k txn.Key) (txn.Payment, bool)
	Change(k txn.Key, decide func(replay.View) ([]journal.Record, error)) (replay.View, error)
}

// Queue is the lines of all links.
type Queue struct {
	cfg      Config
	world    env.Env
	payments Payments
	sender   Sender
	observe  func(Attempt)

	mu     sync.Mutex
	lines  map[string]*line
	closed bool
}

// Attempt is one delivery attempt, for metrics and the log.
type Attempt struct {
	Kind    Kind
	Payment txn.Payment
	Tries   int
	Code    txn.Code // zero when no answer came
	Done    bool
	Case    txn.Reason // why a case was opened with it, empty when none was
	Err     error
}

type line struct {
	items map[ident]*item
	order uint64    // of arrival, given to the last item
	wake  env.Event // renewed whenever it was woken
}

// ident is what an item is known by: a payment owes one message of a kind.
type ident struct {
	kind Kind
	key  txn.Key
}

type item struct {
	ident
	order uint64
	since env.Mono
	due   env.Mono
	tries int
	again bool // asked for once more while it was being delivered
	taken bool // being delivered
}

// before says whether it is to be delivered before o. Of two that are due at once
// a reversal goes first: it gives a customer's money back.
func (it *item) before(o *item) bool {
	switch {
	case it.due != o.due:
		return it.due < o.due
	case it.kind != o.kind:
		return it.kind < o.kind
	}
	return it.order < o.order
}

// New makes an empty queue; observe may be nil.
func New(cfg Config, world env.Env, p Payments, s Sender, observe func(Attempt)) *Queue {
	if observe == nil {
		observe = func(Attempt) {}
	}
	return &Queue{cfg: cfg, world: world, payments: p, sender: s, observe: observe, lines: make(map[string]*line)}
}

// line finds or makes the line of a link; the lock is held.
func (q *Queue) line(link string) *line {
	l := q.lines[link]
	if l == nil {
		l = &line{items: make(map[ident]*item), wake: q.world.Waits.NewEvent()}
		q.lines[link] = l
	}
	return l
}

// Enqueue adds the reversal of k, once. One that is being delivered just now is
// looked at again afterwards: a late yes may have reopened it.
func (q *Queue) Enqueue(link string, k txn.Key) { q.Add(link, Reversal, k) }

// Add is Enqueue for any kind that has a rule.
func (q *Queue) Add(link string, kind Kind, k txn.Key) {
	id := ident{kind, k}
	if _, ok := kind.rule(); !ok {
		assert.Fail("saf: %s has no rule in this version", kind)
	}
	q.mu.Lock()
	l, now := q.line(link), q.world.Clock.Mono()
	if it := l.items[id]; it != nil {
		it.again = it.taken
		q.mu.Unlock()
		return
	}
	l.order++
	l.items[id] = &item{ident: id, order: l.order, since: now, due: now}
	q.mu.Unlock()
	q.Nudge(link)
}

// Nudge makes the line of link look again: something was added, or the link
// came up.
func (q *Queue) Nudge(link string) {
	q.mu.Lock()
	l := q.line(link)
	wake := l.wake
	l.wake = q.world.Waits.NewEvent()
	q.mu.Unlock()
	wake.Wake()
}

// Depth is the number of reversals waiting on a link.
func (q *Queue) Depth(link string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.line(link).items)
}

// Links are the links that a reversal waits for, sorted.
func (q *Queue) Links() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var names []string
	for name, l := range q.lines {
		if len(l.items) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Oldest is how long the oldest reversal of all links has waited.
func (q *Queue) Oldest() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.world.Clock.Mono()
	oldest := time.Duration(0)
	for _, l := range q.lines {
		for _, it := range l.items {
			oldest = max(oldest, now.Sub(it.since))
		}
	}
	return oldest
}

// Close ends every Run after its present attempt.
func (q *Queue) Close() {
	q.mu.Lock()
	q.closed = true
	links := make([]env.Event, 0, len(q.lines))
	for _, l := range q.lines {
		links = append(links, l.wake)
	}
	q.mu.Unlock()
	for _, e := range links {
		e.Wake()
	}
}

// Deliver makes one attempt if one is due now, and says whether it did.
func (q *Queue) Deliver(ctx context.Context, link string) bool {
	it, wait, _, closed := q.pick(link)
	if closed || wait != nil {
		return false
	}
	q.attempt(ctx, link, it)
	return true
}

// Run delivers the reversals of one link until Close.
func (q *Queue) Run(ctx context.Context, link string) {
	for {
		it, wait, until, closed := q.pick(link)
		if closed {
			return
		}
		if wait != nil {
			wait.Wait(until)
			continue
		}
		q.attempt(ctx, link, it)
	}
}

// pick returns the item that is due, or what to wait for.
func (q *Queue) pick(link string) (it item, wait env.Event, until env.Mono, closed bool) {
	up := q.sender.Up(link)
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.line(link)
	if q.closed {
		return it, nil, 0, true
	}
	now := q.world.Clock.Mono()
	if !up {
		return it, l.wake, now.Add(q.cfg.Retry), false
	}
	var first *item
	for _, o := range l.items { // the least is the same in any order
		if first == nil || o.before(first) {
			first = o
		}
	}
	if first == nil {
		return it, l.wake, env.Never, false
	}
	if first.due > now {
		return it, l.wake, first.due, false
	}
	first.taken = true
	return *first, nil, 0, false
}

// attempt sends one item and makes the acquirer's word durable.
func (q *Queue) attempt(ctx context.Context, link string, it item) {
	r, _ := it.kind.rule() // Add asked for it
	p, ok := q.payments.Find(it.key)
	if !ok || p.State != r.owes {
		q.remove(link, it.ident)
		return
	}
	code, err := q.sender.Send(ctx, it.kind, p, it.tries > 0)
	if err != nil {
		code = txn.Code{} // of an answer that failed its checks
	}
	now := q.world.Clock.Now()
	event, why, over := r.decide(code, err, now.Sub(p.Undo.At), q.cfg.MaxAge)
	if over {
		if failed := q.end(it.key, r, event, txn.Case{Why: why, Code: code, At: now}); failed != nil {
			err, over, why = failed, false, ""
		}
	}
	if over {
		q.remove(link, it.ident)
	} else {
		q.later(link, it)
	}
	q.observe(Attempt{Kind: it.kind, Payment: p, Tries: it.tries + 1, Code: code, Done: over && why == "", Case: why, Err: err})
}

// end makes durable how an item ended, unless it no longer owes anything.
func (q *Queue) end(k txn.Key, r rule, event txn.Event, c txn.Case) error {
	_, err := q.payments.Change(k, func(now replay.View) ([]journal.Record, error) {
		switch {
		case now.Payment.State != r.owes:
			return nil, nil
		case event == txn.CaseOpened:
			return []journal.Record{record.MakeCase(now.Payment, c)}, nil
		}
		return []journal.Record{r.record(now.Payment, event, c.Code)}, nil
	})
	return err
}

// remove ends an item, or begins it anew when it was asked for meanwhile.
func (q *Queue) remove(link string, id ident) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.line(link)
	if it := l.items[id]; it.again {
		it.again, it.taken, it.tries, it.due = false, false, 0, q.world.Clock.Mono()
		return
	}
	delete(l.items, id)
}

// later spaces the next attempt: Retry, then double, up to MaxRetry.
func (q *Queue) later(link string, it item) {
	wait := q.cfg.Retry
	for i := 0; i < it.tries && wait < q.cfg.MaxRetry; i++ {
		wait *= 2
	}
	wait = min(wait, q.cfg.MaxRetry)
	q.mu.Lock()
	defer q.mu.Unlock()
	at := q.line(link).items[it.ident]
	at.tries, at.taken, at.again = at.tries+1, false, false
	at.due = q.world.Clock.Mono().Add(wait)
}
