// SPDX-License-Identifier: Apache-2.0

package saf

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// journalOf accepts everything unless it has a fault.
type journalOf struct{ fault error }

func (j *journalOf) Append(...journal.Record) error { return j.fault }

// maxAge is the longest time of the tests.
const maxAge = time.Hour

// rig is a queue over a real index; it is the acquirer, too.
type rig struct {
	*testing.T
	clock   *fake.Clock
	journal journalOf
	index   *replay.Index
	queue   *Queue

	mu       sync.Mutex
	down     bool
	says     map[txn.STAN][]string // by trace, what is answered next; "00" when used up
	sent     []string
	attempts []Attempt
	after    func()        // runs once, right after the acquirer's word is durable
	blocks   chan struct{} // lets one Send after the other go on, nil: all at once
	under    int           // Sends that wait for it
	most     int           // and how many at once
}

func newRig(t *testing.T) *rig {
	r := &rig{T: t, clock: fake.NewClock(), says: map[txn.STAN][]string{}}
	world := env.Env{Clock: r.clock, Waits: r.clock}
	r.index = replay.New(replay.Config{Max: 100, Window: time.Hour}, world, &r.journal)
	r.queue = New(Config{Retry: time.Second, MaxRetry: 4 * time.Second, MaxAge: maxAge}, world, r, r, func(a Attempt) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.attempts = append(r.attempts, a)
	})
	return r
}

// Find implements Payments.
func (r *rig) Find(k txn.Key) (txn.Payment, bool) { return r.index.Find(k) }

// Doubtful implements Payments.
func (r *rig) Doubtful() bool { return r.index.Doubtful() }

// Change implements Payments.
func (r *rig) Change(k txn.Key, decide func(replay.View) ([]journal.Record, error)) (replay.View, error) {
	v, err := r.index.Change(k, decide)
	if after := r.after; after != nil {
		r.after = nil
		after()
	}
	return v, err
}

// Up implements Sender.
func (r *rig) Up(string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.down
}

// Send implements Sender.
func (r *rig) Send(_ context.Context, kind Kind, p txn.Payment, repeat bool) (txn.Code, error) {
	r.block()
	r.mu.Lock()
	defer r.mu.Unlock()
	line := fmt.Sprintf("%d/%d repeat=%v", p.Key.Trace, p.Undo.STAN, repeat)
	if kind == Advice && p.State == txn.Advising {
		line = fmt.Sprintf("%d advice repeat=%v", p.Key.Trace, repeat)
	}
	r.sent = append(r.sent, line)
	word := "00"
	if list := r.says[p.Key.Trace]; len(list) > 0 {
		word, r.says[p.Key.Trace] = list[0], list[1:]
	}
	switch word {
	case "silent":
		return txn.Code{}, errors.New("no answer")
	case "unsent":
		return txn.Code{}, fmt.Errorf("%w: no connection", ErrUnsent)
	case "unchecked": // a code came with it, and must not count
		return txn.CodeFormat, errors.New("wrong MAC")
	case "none":
		return txn.Code{}, nil
	}
	return txn.Code([]byte(word)), nil
}

// block holds a Send up, when the test wants that.
func (r *rig) block() {
	r.mu.Lock()
	blocks := r.blocks
	if blocks == nil {
		r.mu.Unlock()
		return
	}
	r.under++
	r.most = max(r.most, r.under)
	r.mu.Unlock()
	<-blocks
	r.mu.Lock()
	r.under--
	r.mu.Unlock()
}

func (r *rig) underWay() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.under
}

func (r *rig) seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sent)
}

func key(trace int) txn.Key { return txn.Key{Trace: txn.STAN(trace), Class: txn.Purchase} }

// reversing brings a payment into the index that is to be reversed, and queues it.
func (r *rig) reversing(trace int, says ...string) txn.Key {
	r.Helper()
	k := key(trace)
	p := &txn.Payment{Key: k, Link: "acq", Numbers: txn.Numbers{STAN: txn.STAN(trace), At: fake.Epoch}}
	r.says[txn.STAN(trace)] = says
	r.change(k, record.Intent(p))
	r.undo(k, txn.TimedOut, 100+trace)
	r.queue.Enqueue("acq", k)
	return k
}

func (r *rig) undo(k txn.Key, e txn.Event, stan int) {
	r.change(k, record.MakeUndo(k, record.Undo{Event: e, Numbers: txn.Numbers{STAN: txn.STAN(stan), At: fake.Epoch}}))
}

func (r *rig) change(k txn.Key, rec journal.Record) {
	r.Helper()
	if _, err := r.index.Change(k, func(replay.View) ([]journal.Record, error) { return []journal.Record{rec}, nil }); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) state(k txn.Key) txn.State {
	p, _ := r.index.Find(k)
	return p.State
}

// drain delivers what is due and returns what the acquirer saw of it.
func (r *rig) drain() []string {
	r.sent = nil
	for r.queue.Deliver(context.Background(), "acq") {
	}
	return r.sent
}

func (r *rig) want(got []string, want ...string) {
	r.Helper()
	if !slices.Equal(got, want) {
		r.Errorf("sent %q, want %q", got, want)
	}
}

func TestRepeatsAreSpaced(t *testing.T) {
	r := newRig(t)
	k := r.reversing(1, "silent", "silent", "96", "silent", "silent")
	r.want(r.drain(), "1/101 repeat=false")
	for _, pause := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second, 4 * time.Second} {
		r.clock.Advance(pause - time.Nanosecond)
		r.want(r.drain())
		r.clock.Advance(time.Nanosecond)
		r.want(r.drain(), "1/101 repeat=true")
	}
	if r.state(k) != txn.Reversed || r.queue.Depth("acq") != 0 {
		t.Errorf("state %s, %d wait", r.state(k), r.queue.Depth("acq"))
	}
	var ends []string
	for _, a := range r.attempts {
		ends = append(ends, fmt.Sprintf("%d %s %v", a.Tries, a.Code, a.Done))
	}
	want := []string{"1  false", "2  false", "3 96 false", "4  false", "5  false", "6 00 true"}
	if !slices.Equal(ends, want) {
		t.Errorf("attempts %q", ends)
	}
}

func TestOneThatFailsHoldsUpNoOther(t *testing.T) {
	r := newRig(t)
	r.reversing(1, "silent", "silent", "silent")
	r.reversing(2)
	r.reversing(3)
	r.want(r.drain(), "1/101 repeat=false", "2/102 repeat=false", "3/103 repeat=false")
	if r.queue.Depth("acq") != 1 {
		t.Errorf("%d wait", r.queue.Depth("acq"))
	}
}

func TestOldestAndDepth(t *testing.T) {
	r := newRig(t)
	if r.queue.Oldest("acq") != 0 || r.queue.Depth("acq") != 0 {
		t.Error("an empty queue is old")
	}
	k := r.reversing(1, "silent")
	r.clock.Advance(3 * time.Second)
	r.reversing(2, "silent")
	r.queue.Enqueue("acq", k) // once
	r.drain()
	if r.queue.Oldest("acq") != 3*time.Second || r.queue.Depth("acq") != 2 || r.queue.Depth("other") != 0 {
		t.Errorf("oldest %v, depth %d", r.queue.Oldest("acq"), r.queue.Depth("acq"))
	}
	if links := r.queue.Links(); !slices.Equal(links, []string{"acq"}) {
		t.Errorf("links %q", links)
	}
	r.clock.Advance(time.Second)
	r.drain()
	if r.queue.Oldest("acq") != 0 {
		t.Errorf("oldest %v after all are done", r.queue.Oldest("acq"))
	}
}

// What is no more to be reversed is not sent.
func TestStateChangedMeanwhile(t *testing.T) {
	r := newRig(t)
	k := r.reversing(1)
	p, _ := r.index.Find(k)
	r.change(k, record.MakeUndone(&p, record.Undone{Event: txn.UndoAcked, Code: txn.CodeApproved}))
	r.queue.Enqueue("acq", key(77)) // not in the index at all
	r.want(r.drain())
	if r.queue.Depth("acq") != 0 {
		t.Error("it still waits")
	}
}

// A late yes reopens a reversal at the very moment at which the queue is about
// to forget it: it is delivered again, with its new numbers.
func TestReopenedWhileItEnds(t *testing.T) {
	r := newRig(t)
	k := r.reversing(1, "25")
	r.after = func() {
		r.undo(k, txn.SaidYes, 900)
		r.queue.Enqueue("acq", k)
	}
	r.want(r.drain(), "1/101 repeat=false", "1/900 repeat=false")
	if r.state(k) != txn.Reversed || r.queue.Depth("acq") != 0 {
		t.Errorf("state %s, %d wait", r.state(k), r.queue.Depth("acq"))
	}
}

// running starts Run and gives a way to wait for its end.
func (r *rig) running() (ended chan struct{}) {
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		r.queue.Run(context.Background(), "acq")
	}()
	return ended
}

func (r *rig) soon(what string, is func() bool) {
	r.Helper()
	for until := time.Now().Add(5 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			r.Fatalf("%s: not within five seconds; sent %q", what, r.seen())
		}
	}
}

func TestLinkUpIsNoticedAtOnce(t *testing.T) {
	r := newRig(t)
	r.down = true
	ended := r.running()
	r.reversing(1)
	r.clock.AwaitWaiters(1)
	if len(r.seen()) != 0 {
		t.Error("sent on a link that is down")
	}
	r.mu.Lock()
	r.down = false
	r.mu.Unlock()
	r.queue.Nudge("acq") // time stands still
	r.soon("delivery", func() bool { return len(r.seen()) == 1 && r.queue.Depth("acq") == 0 })
	r.reversing(2)
	r.soon("delivery of what comes later", func() bool { return len(r.seen()) == 2 })
	r.queue.Close()
	<-ended
}

func TestCloseEndsEveryLine(t *testing.T) {
	r := newRig(t)
	r.reversing(1, "silent", "silent")
	ended := r.running()
	r.soon("first attempt", func() bool { return len(r.seen()) == 1 })
	r.clock.AwaitWaiters(1)
	r.queue.Close()
	<-ended
	idle := newRig(t)
	ended = idle.running() // nothing to do, and nothing ever comes
	idle.queue.Close()
	<-ended
	if idle.queue.Deliver(context.Background(), "acq") {
		t.Error("delivered after Close")
	}
	if r.queue.Depth("acq") != 1 {
		t.Error("what was not acknowledged is gone")
	}
}
