// SPDX-License-Identifier: Apache-2.0

package saf

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// belonging brings a payment into the index that is to be reversed and takes
// the payment of another trace back.
func (r *rig) belonging(trace, original int, says ...string) txn.Key {
	r.Helper()
	k := key(trace)
	k.Class = txn.Void
	p := &txn.Payment{Key: k, Original: key(original), Link: "acq", Numbers: txn.Numbers{STAN: txn.STAN(trace), At: fake.Epoch}}
	r.says[txn.STAN(trace)] = says
	r.change(k, record.Intent(p))
	r.undo(k, txn.TimedOut, 100+trace)
	r.queue.Enqueue("acq", k)
	return k
}

// What belongs to one original goes one after the other, in the order in which
// it came: the second waits for the end of the first, not for its answer. Other
// originals wait for neither.
func TestChainsKeepTheirOrder(t *testing.T) {
	r := newRig(t)
	r.reversing(1, "silent", "96", "25")
	r.belonging(2, 1, "silent")
	r.belonging(3, 1)
	r.reversing(4)
	r.want(r.drain(), "1/101 repeat=false", "4/104 repeat=false")
	r.clock.Advance(time.Second)
	r.want(r.drain(), "1/101 repeat=true")
	r.clock.Advance(2 * time.Second)
	r.want(r.drain(), "1/101 repeat=true", "2/102 repeat=false")
	r.reversing(5)
	r.want(r.drain(), "5/105 repeat=false")
	r.clock.Advance(time.Second)
	r.want(r.drain(), "2/102 repeat=true", "3/103 repeat=false")
}

// A case ends its item and lets the next one of its chain go.
func TestCaseLetsTheNextGo(t *testing.T) {
	r := newRig(t)
	r.reversing(1, "30")
	r.belonging(2, 1)
	r.want(r.drain(), "1/101 repeat=false", "2/102 repeat=false")
}

// One that a late yes reopens has become a new debt: it goes behind what came
// to be owed meanwhile.
func TestReopenedGoesToTheEndOfItsChain(t *testing.T) {
	r := newRig(t)
	k := r.reversing(1, "25")
	r.belonging(2, 1)
	r.after = func() {
		r.undo(k, txn.SaidYes, 900)
		r.queue.Enqueue("acq", k)
	}
	r.want(r.drain(), "1/101 repeat=false", "2/102 repeat=false", "1/900 repeat=false")
}

// A restart keeps the order of a chain, which is not that of its payments.
func TestChainsAfterARestart(t *testing.T) {
	r := newRig(t)
	a, b := key(1), key(2)
	b.Class = txn.Void
	r.change(a, record.Intent(&txn.Payment{Key: a, Link: "acq", Numbers: txn.Numbers{STAN: 1, At: fake.Epoch}}))
	r.change(b, record.Intent(&txn.Payment{Key: b, Original: a, Link: "acq", Numbers: txn.Numbers{STAN: 2, At: fake.Epoch}}))
	r.undo(b, txn.TimedOut, 102)
	r.undo(a, txn.TimedOut, 101)
	for _, p := range r.index.Owing(txn.Reversing) {
		r.queue.Enqueue(p.Link, p.Key)
	}
	r.want(r.drain(), "2/102 repeat=false", "1/101 repeat=false")
}

// advices gives the kinds of the tests a second row: what is reversed is told of
// by an advice, too.
func (r *rig) advices() {
	r.queue.rule = func(k Kind) (rule, bool) {
		row, _ := Reversal.rule()
		if k == Advice {
			row.rank = 2
		}
		return row, true
	}
}

// told queues an advice about a payment that is in the index already.
func (r *rig) told(trace int, original int) {
	k := key(trace)
	r.change(k, record.Intent(&txn.Payment{Key: k, Original: original0(original), Link: "acq", Numbers: txn.Numbers{STAN: txn.STAN(trace), At: fake.Epoch}}))
	r.undo(k, txn.TimedOut, 100+trace)
	r.queue.Add("acq", Advice, k)
}

func original0(trace int) txn.Key {
	if trace == 0 {
		return txn.Key{}
	}
	return key(trace)
}

// Reversals go before advices, whichever came first and was due first; of two of
// a kind the one that is due longest. An advice before which a reversal of the
// same original cannot go is as urgent as that.
func TestReversalsBeforeAdvices(t *testing.T) {
	r := newRig(t)
	r.advices()
	r.told(1, 0)
	r.clock.Advance(time.Second)
	r.told(2, 0)
	r.told(3, 0)
	r.reversing(4)
	r.belonging(5, 2)
	r.reversing(6)
	r.want(r.drain(), "2/102 repeat=false", "4/104 repeat=false", "5/105 repeat=false", "6/106 repeat=false", "1/101 repeat=false", "3/103 repeat=false")
}

// As many chains are under way as loops run, and of a chain never more than one.
func TestWindow(t *testing.T) {
	const window = 3
	r := newRig(t)
	r.blocks = make(chan struct{})
	for i := range 10 {
		r.reversing(1+i, "00")
		r.belonging(101+i, 1+i)
	}
	var ended []chan struct{}
	for range window {
		ended = append(ended, r.running())
	}
	for i := 0; i < 20; i++ {
		r.soon("a full window", func() bool { return r.underWay() == min(window, r.queue.chainsWaiting("acq")) })
		r.blocks <- struct{}{}
	}
	r.soon("the end", func() bool { return r.queue.Depth("acq") == 0 })
	if r.most != window {
		t.Errorf("%d were under way at once, want %d", r.most, window)
	}
	r.queue.Close()
	for _, e := range ended {
		<-e
	}
	order := map[string]int{}
	for i, s := range r.seen() {
		order[s] = i
	}
	for i := range 10 {
		if first, then := fmt.Sprintf("%d/%d repeat=false", 1+i, 101+i), fmt.Sprintf("%d/%d repeat=false", 101+i, 201+i); order[first] > order[then] {
			t.Errorf("%s before %s", then, first)
		}
	}
}

// chainsWaiting is how many originals still wait for something.
func (q *Queue) chainsWaiting(link string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.line(link).chains)
}

// What comes while every loop idles is taken at once by one of them.
func TestIdleLoopsAreWoken(t *testing.T) {
	r := newRig(t)
	var ended []chan struct{}
	for range 4 {
		ended = append(ended, r.running())
	}
	for i := range 50 {
		r.reversing(1 + i)
		r.soon("delivery while time stands still", func() bool { return len(r.seen()) == 1+i && r.queue.Depth("acq") == 0 })
	}
	r.reversing(60, "silent")
	r.soon("the attempt", func() bool { return len(r.seen()) == 51 })
	r.clock.AwaitWaiters(1)
	r.clock.Advance(time.Second)
	r.soon("its repeat when its time has come", func() bool { return len(r.seen()) == 52 })
	r.queue.Close()
	for _, e := range ended {
		<-e
	}
}

// Loops that idle without a time to wait for share the work when it comes by
// itself: whoever takes something wakes the next.
func TestLoopsWakeOneAnother(t *testing.T) {
	const window = 3
	r := newRig(t)
	var ended []chan struct{}
	for range window {
		ended = append(ended, r.running())
	}
	r.soon("all idle", func() bool { return r.idle() == window })
	for i := range 6 { // the loop that idles last does them all
		r.reversing(1+i, "silent")
		r.soon("the attempt", func() bool { return len(r.seen()) == 1+i && r.idle() == window })
	}
	r.mu.Lock()
	r.blocks = make(chan struct{})
	r.mu.Unlock()
	r.clock.Advance(time.Second)
	r.soon("a full window", func() bool { return r.underWay() == window })
	close(r.blocks)
	r.soon("the end", func() bool { return r.queue.Depth("acq") == 0 })
	r.queue.Close()
	for _, e := range ended {
		<-e
	}
}

// idle is how many loops wait.
func (r *rig) idle() int {
	r.queue.mu.Lock()
	defer r.queue.mu.Unlock()
	return len(r.queue.line("acq").idle)
}

// What comes to a chain that may go already moves it forward at once.
func TestReversalMovesItsChainForward(t *testing.T) {
	r := newRig(t)
	r.advices()
	r.told(1, 0)
	r.told(2, 0)
	r.told(3, 0)
	r.queue.Deliver(context.Background(), "acq") // now all the others may go
	r.belonging(4, 3)
	r.want(r.seen(), "1/101 repeat=false")
	r.want(r.drain(), "3/103 repeat=false", "4/104 repeat=false", "2/102 repeat=false")
}

// lottery is a queue whose loops, answers and restarts are drawn: what is taken
// at the same time ends in any order.
type lottery struct {
	*rapid.T
	clock  *fake.Clock
	index  *replay.Index
	queue  *Queue
	window int
	under  []*item
	says   string
	made   int
	debts  []txn.Key // in the order in which they came to be owed, a reopened one again
	down   bool
}

// Find and Change are the index's.
func (l *lottery) Find(k txn.Key) (txn.Payment, bool) { return l.index.Find(k) }

// Doubtful implements Payments.
func (l *lottery) Doubtful() bool { return l.index.Doubtful() }

// Change implements Payments.
func (l *lottery) Change(k txn.Key, decide func(replay.View) ([]journal.Record, error)) (replay.View, error) {
	return l.index.Change(k, decide)
}

// Up implements Sender.
func (l *lottery) Up(string) bool { return !l.down }

// Send implements Sender: nothing that came before it in its chain may be owed,
// and it is not held.
func (l *lottery) Send(_ context.Context, _ Kind, p txn.Payment, _ bool) (txn.Code, error) {
	if p.Held != nil {
		l.Fatalf("trace %d is sent while %s holds it", p.Key.Trace, p.Held.By)
	}
	for _, k := range l.debts[:l.last(p.Key)] {
		if q, _ := l.index.Find(k); chainOf(k) == chainOf(p.Key) && k != p.Key && q.State == txn.Reversing && l.last(k) < l.last(p.Key) {
			l.Fatalf("trace %d is sent while trace %d of its original still waits", p.Key.Trace, k.Trace)
		}
	}
	switch l.says {
	case "silent":
		return txn.Code{}, fmt.Errorf("no answer")
	case "unsent":
		return txn.Code{}, ErrUnsent
	}
	return txn.Code([]byte(l.says)), nil
}

// last is the place of the newest debt of k.
func (l *lottery) last(k txn.Key) int {
	for i := len(l.debts) - 1; i >= 0; i-- {
		if l.debts[i] == k {
			return i
		}
	}
	l.Fatalf("trace %d owes nothing", k.Trace)
	return 0
}

// chainOf is the original that a trace number of the lottery belongs to.
func chainOf(k txn.Key) txn.STAN { return k.Trace % 5 }

func (l *lottery) restart() {
	world := env.Env{Clock: l.clock, Waits: l.clock}
	l.queue = New(Config{Retry: time.Second, MaxRetry: 4 * time.Second}, world, l, l, nil)
	l.under = nil
	for _, p := range l.index.Owing(txn.Reversing) {
		l.queue.Enqueue("acq", p.Key)
	}
}

func (l *lottery) store(k txn.Key, records ...journal.Record) {
	if _, err := l.index.Change(k, func(replay.View) ([]journal.Record, error) { return records, nil }); err != nil {
		l.Fatal(err)
	}
}

// owe makes a new payment of a chain that is to be reversed.
func (l *lottery) owe(chain int) {
	l.made++
	k := key(5*l.made + chain)
	p := &txn.Payment{Key: k, Link: "acq", Original: key(5000 + chain), Numbers: txn.Numbers{STAN: k.Trace, At: fake.Epoch}}
	l.store(k, record.Intent(p), record.MakeUndo(k, record.Undo{Event: txn.TimedOut, Numbers: txn.Numbers{STAN: 1, At: fake.Epoch}}))
	l.debts = append(l.debts, k)
	l.queue.Enqueue("acq", k)
}

// reopen lets a late yes of the acquirer reopen what it did not know.
func (l *lottery) reopen() {
	for _, p := range l.index.Owing(txn.Unmatched) {
		l.store(p.Key, record.MakeUndo(p.Key, record.Undo{Event: txn.SaidYes, Numbers: txn.Numbers{STAN: 2, At: fake.Epoch}}))
		l.debts = append(l.debts, p.Key)
		l.queue.Enqueue("acq", p.Key)
		return
	}
}

// pick lets a loop take what goes next, if one is free.
func (l *lottery) pick() {
	if len(l.under) == l.window {
		return
	}
	it, _, _, _ := l.queue.pick("acq", false)
	if it == nil {
		return
	}
	for _, o := range l.under {
		if o.root == it.root {
			l.Fatalf("traces %d and %d of one original are under way together", o.key.Trace, it.key.Trace)
		}
	}
	l.under = append(l.under, it)
}

// end ends one of what is under way.
func (l *lottery) end(i int, says string) {
	it := l.under[i]
	l.under = slices.Delete(l.under, i, i+1)
	l.says = says
	l.queue.attempt(context.Background(), "acq", it)
}

// act lets an operator do something to one of the debts, old ones too.
func (l *lottery) act(k txn.Key, what txn.Deed) {
	under := slices.ContainsFunc(l.under, func(it *item) bool { return it.key == k })
	before, _ := l.index.Find(k)
	got, err := l.queue.Act("acq", k, txn.Act{What: what, By: "ann", Why: "drawn", At: l.clock.Now()}, l.clock.Mono())
	after, _ := l.index.Find(k)
	switch {
	case under:
		if !errors.Is(err, ErrSending) || after.State != before.State || after.Held != before.Held {
			l.Fatalf("%s of what is under way: %v, %s", what, err, after.State)
		}
	case before.State != txn.Reversing:
		if !errors.Is(err, ErrNothing) || after.State != before.State {
			l.Fatalf("%s of what is %s: %v, %s", what, before.State, err, after.State)
		}
	case err != nil, (after.State == txn.Disputed) != (what == txn.Drop), (after.Held != nil) != (what == txn.Hold), (got.Place == Held) != (what == txn.Hold):
		l.Fatalf("%s: %v, %s, held %v, %s", what, err, after.State, after.Held != nil, got.Place)
	}
}

// TestChainOrderUnderAnyAnswers: whatever is answered, in whatever order, over
// restarts, outages and what an operator does, nothing is sent while what came before it in its chain is
// owed, nothing of one chain goes together, and all ends.
func TestChainOrderUnderAnyAnswers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := fake.NewClock()
		l := &lottery{T: t, clock: clock, window: rapid.IntRange(1, 4).Draw(t, "window")}
		l.index = replay.New(replay.Config{Max: 1000, Window: time.Hour}, env.Env{Clock: clock, Waits: clock}, &journalOf{})
		l.restart()
		words := []string{"00", "00", "25", "96", "30", "silent", "unsent"}
		t.Repeat(map[string]func(*rapid.T){
			"owe":    func(t *rapid.T) { l.owe(rapid.IntRange(0, 4).Draw(t, "chain")) },
			"reopen": func(*rapid.T) { l.reopen() },
			"pick":   func(*rapid.T) { l.pick() },
			"end": func(t *rapid.T) {
				if n := len(l.under); n > 0 {
					l.end(rapid.IntRange(0, n-1).Draw(t, "which"), rapid.SampledFrom(words).Draw(t, "says"))
				}
			},
			"time": func(t *rapid.T) {
				clock.Advance(time.Duration(rapid.IntRange(1, 3000).Draw(t, "ms")) * time.Millisecond)
			},
			"act": func(t *rapid.T) {
				if len(l.debts) > 0 {
					l.act(rapid.SampledFrom(l.debts).Draw(t, "which"), rapid.SampledFrom([]txn.Deed{txn.Hold, txn.Hold, txn.Retry, txn.Drop}).Draw(t, "deed"))
				}
			},
			"link":    func(t *rapid.T) { l.down = rapid.Bool().Draw(t, "down") },
			"restart": func(t *rapid.T) { l.restart() },
		})
		l.down = false
		for len(l.under) > 0 {
			l.end(0, "silent")
		}
		for _, p := range l.index.Owing(txn.Reversing) {
			l.act(p.Key, txn.Retry)
		}
		for round := 0; l.queue.Depth("acq") > 0; round++ {
			if round > 5*len(l.debts)+50 {
				t.Fatalf("%d still wait", l.queue.Depth("acq"))
			}
			for l.pick(); len(l.under) > 0; l.pick() {
				l.end(0, "00")
			}
			clock.Advance(4 * time.Second)
		}
		if left := l.index.Owing(txn.Reversing); len(left) > 0 {
			t.Fatalf("%d payments are owed a reversal that waits nowhere", len(left))
		}
	})
}
