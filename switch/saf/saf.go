// SPDX-License-Identifier: Apache-2.0

// Package saf delivers what must reach an acquirer sooner or later: reversals
// and advices.
//
// Promise: what is in state reversing or advising is sent until the acquirer
// acknowledges it, through any crash, and every repeat carries the same numbers. What the
// acquirer refuses, or leaves without a usable answer for longer than MaxAge, ends
// as a durable case for a person, never as silence. What belongs to one original
// is sent in the order in which it came to be owed, one after the other; nothing
// else waits for it. No request for money is ever sent from here.
//
// How: the queue holds keys only; what it sends is the payment as the index has
// it, built and authenticated at that moment, and what the acquirer says is made
// durable there. A line per link holds chains: a chain is what belongs to one
// original, and only its first item is ever under way. As many chains are under
// way as the line has loops of Run (the window), the most urgent kind first, the
// one that is due longest first; pace.go spaces them after an outage. One that is
// refused waits with growing pauses and holds up no other chain. Run waits by
// env.Event alone. An item's age is that of the debt, which neither a restart nor a
// wall clock that is set changes, and it is looked at after an attempt: the last word is
// always the acquirer's. Recovery fills the queue again after a crash, in the same order.
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
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Config spaces the repeats.
type Config struct {
	Retry    time.Duration // after the first attempt that was not acknowledged
	MaxRetry time.Duration // spacing doubles up to this
	MaxAge   time.Duration // of an undo or an advice, then a case is opened; 0 is never
	// Pace is the pace of a link; nil, or one without a rate, is as fast as its loops.
	Pace func(link string) Pace
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
	// Doubtful says that nobody knows whether the records of some change are durable:
	// the process is about to stop.
	Doubtful() bool
}

// Queue is the lines of all links.
type Queue struct {
	cfg      Config
	world    env.Env
	payments Payments
	sender   Sender
	observe  func(Attempt)
	rule     func(Kind) (rule, bool) // Kind.rule; tests have kinds of their own

	mu     sync.Mutex // never held across a wait or a port call
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

// New makes an empty queue; observe may be nil.
func New(cfg Config, world env.Env, p Payments, s Sender, observe func(Attempt)) *Queue {
	if observe == nil {
		observe = func(Attempt) {}
	}
	if cfg.Pace == nil {
		cfg.Pace = func(string) Pace { return Pace{} }
	}
	return &Queue{cfg: cfg, world: world, payments: p, sender: s, observe: observe, rule: Kind.rule, lines: make(map[string]*line)}
}

// line finds or makes the line of a link; the lock is held.
func (q *Queue) line(link string) *line {
	l := q.lines[link]
	if l == nil {
		l = newLine(q.cfg.Pace(link))
		q.lines[link] = l
	}
	return l
}

// Enqueue adds what k owes, its reversal or its advice, once; nothing when it owes
// nothing any more. One that is being delivered just now is looked at again
// afterwards: a late yes may have reopened it.
func (q *Queue) Enqueue(link string, k txn.Key) { q.enqueue(link, k, false) }

// EnqueueAgain is Enqueue of what recovery found owed: an earlier process may have
// sent it, so an advice goes as a repeat from the first.
func (q *Queue) EnqueueAgain(link string, k txn.Key) { q.enqueue(link, k, true) }

func (q *Queue) enqueue(link string, k txn.Key, old bool) {
	if p, ok := q.payments.Find(k); ok {
		if kind, owes := KindOf(&p); owes {
			q.add(link, kind, k, old)
		}
	}
}

// Add is Enqueue of a kind.
func (q *Queue) Add(link string, kind Kind, k txn.Key) { q.add(link, kind, k, false) }

func (q *Queue) add(link string, kind Kind, k txn.Key, old bool) {
	r, ok := q.rule(kind)
	if !ok {
		assert.Fail("saf: %s has no rule in this version", kind)
	}
	it := &item{ident: ident{kind, k}, rank: r.rank, since: q.world.Clock.Now(), old: old}
	it.root = k
	if p, known := q.payments.Find(k); known {
		it.since, it.root, it.held = r.since(&p), q.root(p), p.Held != nil
	}
	q.mu.Lock()
	l := q.line(link)
	if old := l.items[it.ident]; old != nil {
		old.again = old.taken
		q.mu.Unlock()
		return
	}
	it.due = q.world.Clock.Mono()
	it.began = it.due.Add(-max(0, q.world.Clock.Now().Sub(it.since)))
	l.add(it)
	wake := l.next()
	q.mu.Unlock()
	wakeAll(wake)
}

// chainMax is more originals behind one another than any flow makes: the refund
// of the completion of a pre-authorization has two.
const chainMax = 8

// root is the original of all that p belongs to: of a void what it takes back.
// All of it goes to the link of the original. One that is forgotten rests.
func (q *Queue) root(p txn.Payment) txn.Key {
	k := p.Key
	for range chainMax {
		if p.Original == (txn.Key{}) {
			return k
		}
		k = p.Original
		var known bool
		if p, known = q.payments.Find(k); !known {
			return k
		}
	}
	return k
}

// Nudge makes the line of link look again: the link came up or went down.
func (q *Queue) Nudge(link string) {
	q.mu.Lock()
	wake := q.line(link).all()
	q.mu.Unlock()
	wakeAll(wake)
}

// Depth is the number of items waiting on a link.
func (q *Queue) Depth(link string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.line(link).items)
}

// Links are the links that an item waits for, sorted.
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

// Oldest is how long the oldest item of a link has been owed, by the wall clock.
func (q *Queue) Oldest(link string) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.world.Clock.Now()
	oldest := time.Duration(0)
	for _, it := range q.line(link).items {
		oldest = max(oldest, now.Sub(it.since))
	}
	return oldest
}

// Close ends every Run after its present attempt.
func (q *Queue) Close() {
	q.mu.Lock()
	q.closed = true
	var wake []env.Event
	for _, l := range q.lines {
		wake = append(wake, l.all()...)
	}
	q.mu.Unlock()
	wakeAll(wake)
}

func wakeAll(events []env.Event) {
	for _, e := range events {
		e.Wake()
	}
}
