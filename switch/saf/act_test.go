// SPDX-License-Identifier: Apache-2.0

package saf

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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

// act does something that must be possible at once.
func (r *rig) act(k txn.Key, what txn.Deed) Item {
	r.Helper()
	got, err := r.try(k, what, r.clock.Mono())
	if err != nil {
		r.Errorf("%s of trace %d: %v", what, k.Trace, err)
	}
	return got
}

func (r *rig) try(k txn.Key, what txn.Deed, until env.Mono) (Item, error) {
	return r.queue.Act("acq", k, txn.Act{What: what, By: "ann", Why: "told by the acquirer", At: r.clock.Now()}, until)
}

// again is the queue of the next process.
func (r *rig) again() {
	r.queue = New(r.queue.cfg, r.queue.world, r, r, r.queue.observe)
	for _, p := range r.index.Owing(txn.Reversing) {
		r.queue.Enqueue(p.Link, p.Key)
	}
}

// places says where each item stands, in the order of the list.
func (r *rig) places() (all []string) {
	items, _ := r.queue.List("acq", 100)
	for _, s := range items {
		all = append(all, fmt.Sprintf("%d %s", s.Payment.Key.Trace, s.Place))
	}
	return all
}

// What is held is not sent, whatever time passes, over a restart too; what belongs
// to the same original waits behind it, and nothing else does. A retry sends it at
// once, and then what waited behind it.
func TestHoldAndRetry(t *testing.T) {
	r := newRig(t)
	first := r.reversing(1, "silent", "96", "00")
	r.belonging(2, 1)
	r.reversing(3)
	if got := r.act(first, txn.Hold); got.Place != Held || got.Payment.Held == nil || got.Payment.Held.Why != "told by the acquirer" {
		t.Errorf("%+v", got)
	}
	r.want(r.drain(), "3/103 repeat=false")
	for range 2 {
		r.clock.Advance(2 * maxAge)
		r.want(r.drain())
		r.want(r.places(), "1 held", "2 behind")
		if r.queue.HeldCount("acq") != 1 || r.state(first) != txn.Reversing {
			t.Errorf("%d held, %s", r.queue.HeldCount("acq"), r.state(first))
		}
		r.again()
	}
	if got := r.act(first, txn.Retry); got.Place != Due || got.Payment.Held != nil {
		t.Errorf("%+v", got)
	}
	r.want(r.drain(), "1/101 repeat=false", "2/102 repeat=false") // the first is too old, and silent: a case
	if r.state(first) != txn.Disputed {
		t.Errorf("%s", r.state(first))
	}
}

// A retry does not wait for the pause, and its repeats are repeats.
func TestRetryIsAtOnce(t *testing.T) {
	r := newRig(t)
	first := r.reversing(1, "silent", "96")
	second := r.belonging(2, 1)
	r.want(r.drain(), "1/101 repeat=false")
	r.want(r.drain())
	if got := r.act(second, txn.Retry); got.Place != Behind || got.First.String() != "" || got.first != first {
		t.Errorf("%+v", got) // it does not overtake
	}
	r.want(r.drain())
	items, _ := r.queue.List("acq", 100)
	if s := items[0]; s.Place != Later || s.Wait != time.Second || s.Tries != 1 || s.Err == nil {
		t.Errorf("%+v", s)
	}
	r.act(first, txn.Retry)
	r.want(r.drain(), "1/101 repeat=true")
	if items, _ = r.queue.List("acq", 100); items[0].Code != txn.CodeMalfunction || items[0].Err != nil || items[0].Tries != 2 {
		t.Errorf("%+v", items[0])
	}
	r.act(first, txn.Retry)
	r.want(r.drain(), "1/101 repeat=true", "2/102 repeat=false")
}

// A drop ends with a case that says what the acquirer said at last; what waited
// behind it goes on. It is not sent again, after a restart neither.
func TestDropOpensACase(t *testing.T) {
	r := newRig(t)
	first := r.reversing(1, "96")
	second := r.belonging(2, 1)
	r.belonging(3, 1)
	r.drain()
	r.act(first, txn.Hold)
	r.act(first, txn.Drop)
	p, _ := r.index.Find(first)
	if p.State != txn.Disputed || p.Case != (txn.Case{Why: txn.CaseDropped, Code: txn.CodeMalfunction, At: r.clock.Now()}) || p.Held != nil || r.index.Cases() != 1 {
		t.Errorf("%s, %+v, %d cases", p.State, p.Case, r.index.Cases())
	}
	r.act(second, txn.Drop)
	r.want(r.drain(), "3/103 repeat=false")
	if _, err := r.try(first, txn.Drop, r.clock.Mono()); !errors.Is(err, ErrNothing) {
		t.Errorf("dropped twice: %v", err)
	}
	r.again()
	r.clock.Advance(maxAge)
	r.want(r.drain())
	if r.queue.Depth("acq") != 0 || r.index.Cases() != 2 {
		t.Errorf("%d wait, %d cases", r.queue.Depth("acq"), r.index.Cases())
	}
}

// An advice is held, sent and dropped as a reversal is.
func TestActsOnAnAdvice(t *testing.T) {
	r := newRig(t)
	k, other := r.advising(1), r.advising(2)
	if got := r.act(k, txn.Hold); got.Kind != Advice || got.Place != Held {
		t.Errorf("%+v", got)
	}
	r.act(other, txn.Drop)
	r.want(r.drain())
	r.act(k, txn.Retry)
	r.want(r.drain(), "1 advice repeat=false")
	if p, _ := r.index.Find(other); r.state(k) != txn.Advised || p.State != txn.Disputed || p.Case.Why != txn.CaseDropped || p.Reserved != 0 {
		t.Errorf("%s, %s %+v, %d bytes kept", r.state(k), p.State, p.Case, p.Reserved)
	}
}

// Nothing is done to what is under way before its end is there: an act waits for
// it, or is refused when it does not come.
func TestActsWaitForTheEnd(t *testing.T) {
	for word, want := range map[string]error{"00": ErrNothing, "silent": nil} {
		r := newRig(t)
		r.blocks = make(chan struct{})
		k := r.reversing(1, word)
		ended := r.running()
		r.soon("the attempt", func() bool { return r.underWay() == 1 })
		r.want(r.places(), "1 sending")
		for _, what := range []txn.Deed{txn.Hold, txn.Retry, txn.Drop} {
			if _, err := r.try(k, what, r.clock.Mono()); !errors.Is(err, ErrSending) {
				t.Errorf("%s of what is being sent: %v", what, err)
			}
		}
		acted := make(chan error)
		go func() {
			_, err := r.try(k, txn.Hold, env.Never)
			acted <- err
		}()
		r.soon("the act waits", func() bool { return r.waiting(k) == 4 })
		if p, _ := r.index.Find(k); p.Held != nil {
			t.Error("held while it is being sent")
		}
		r.blocks <- struct{}{}
		if err := <-acted; !errors.Is(err, want) {
			t.Errorf("%s: %v", word, err)
		}
		if p, _ := r.index.Find(k); (p.Held != nil) != (want == nil) || (p.State == txn.Reversed) != (want != nil) {
			t.Errorf("%s: %s, held %v", word, p.State, p.Held != nil)
		}
		r.queue.Close()
		<-ended
	}
}

// waiting is how many acts wait, or have waited, for the end of an attempt.
func (r *rig) waiting(k txn.Key) int {
	r.queue.mu.Lock()
	defer r.queue.mu.Unlock()
	return len(r.queue.line("acq").find(k).waits)
}

// An act that is not durable changes nothing.
func TestActThatIsNotDurable(t *testing.T) {
	r := newRig(t)
	k := r.reversing(1, "silent")
	r.drain()
	r.queue.payments = failing{r}
	for _, what := range []txn.Deed{txn.Hold, txn.Retry, txn.Drop} {
		if _, err := r.try(k, what, r.clock.Mono()); !errors.Is(err, journal.ErrBroken) {
			t.Errorf("%s: %v", what, err)
		}
	}
	r.want(r.places(), "1 later")
	r.queue.payments = r
	r.clock.Advance(time.Second)
	r.want(r.drain(), "1/101 repeat=true")
}

// What waits for nothing cannot be acted on, nor what is not known.
func TestNothingToActOn(t *testing.T) {
	r := newRig(t)
	done := r.reversing(1)
	r.drain()
	for _, k := range []txn.Key{done, key(99)} {
		if _, err := r.try(k, txn.Hold, env.Never); !errors.Is(err, ErrNothing) {
			t.Errorf("trace %d: %v", k.Trace, err)
		}
	}
}

// A reversal that its payment does not owe any more leaves the queue.
func TestActOnWhatIsOver(t *testing.T) {
	r := newRig(t)
	k := r.reversing(1)
	r.queue.payments = forgetful{r}
	if _, err := r.try(k, txn.Drop, r.clock.Mono()); !errors.Is(err, ErrNothing) || r.queue.Depth("acq") != 0 {
		t.Errorf("%v, %d wait", err, r.queue.Depth("acq"))
	}
}

// The list is bounded, the oldest first.
func TestListIsBounded(t *testing.T) {
	r := newRig(t)
	for i := range 5 {
		r.reversing(1+i, "silent")
		r.clock.Advance(time.Second)
	}
	items, more := r.queue.List("acq", 3)
	if len(items) != 3 || more != 2 || items[0].Payment.Key.Trace != 1 || items[2].Payment.Key.Trace != 3 {
		t.Errorf("%d items, %d more, %+v", len(items), more, items)
	}
	if items, more = r.queue.List("nowhere", 3); len(items) != 0 || more != 0 {
		t.Errorf("%d items, %d more", len(items), more)
	}
}

// TestActsAtTheSameTime lets operators and loops at the same payments: each ends
// once, acknowledged or as a case, and nothing is left behind.
func TestActsAtTheSameTime(t *testing.T) {
	const payments, operators, window = 40, 4, 3
	r := newRig(t)
	var keys []txn.Key
	for i := range payments {
		keys = append(keys, r.reversing(1+i, "silent", "96"))
		if i%4 == 0 {
			keys = append(keys, r.belonging(101+i, 1+i, "silent"))
		}
	}
	var loops, acting sync.WaitGroup
	for range window {
		loops.Go(func() { r.queue.Run(context.Background(), "acq") })
	}
	for o := range operators {
		acting.Go(func() {
			chance := rand.New(rand.NewPCG(uint64(o), 9))
			for range 200 {
				what := []txn.Deed{txn.Hold, txn.Retry, txn.Retry, txn.Drop}[chance.IntN(4)]
				if what == txn.Drop && chance.IntN(8) > 0 {
					what = txn.Hold
				}
				k := keys[chance.IntN(len(keys))]
				if _, err := r.try(k, what, env.Never); err != nil && !errors.Is(err, ErrNothing) {
					t.Errorf("%s: %v", what, err)
				}
				r.queue.List("acq", 10)
			}
		})
	}
	acting.Wait()
	for _, k := range keys {
		if _, err := r.try(k, txn.Retry, env.Never); err != nil && !errors.Is(err, ErrNothing) {
			t.Errorf("retry in the end: %v", err)
		}
	}
	r.soon("the end of all", func() bool {
		r.clock.Advance(5 * time.Second)
		return r.queue.Depth("acq") == 0
	})
	r.queue.Close()
	loops.Wait()
	cases := 0
	for _, k := range keys {
		switch r.state(k) {
		case txn.Disputed:
			cases++
		case txn.Reversed:
		default:
			t.Errorf("trace %d is %s", k.Trace, r.state(k))
		}
	}
	if cases != r.index.Cases() || cases == 0 || cases == len(keys) {
		t.Errorf("%d of %d are cases, the index has %d", cases, len(keys), r.index.Cases())
	}
}

// forgetful has nothing that is to be reversed.
type forgetful struct{ *rig }

// Change implements Payments.
func (f forgetful) Change(k txn.Key, decide func(v replay.View) ([]journal.Record, error)) (replay.View, error) {
	_, err := decide(replay.View{Payment: &txn.Payment{Key: k, State: txn.Reversed, Numbers: txn.Numbers{At: fake.Epoch}}})
	return replay.View{}, err
}

// After a drop of which nobody knows whether it is durable, nothing is sent: the next
// start might find it dropped. A refusal of the journal that left nothing behind
// changes nothing.
func TestNothingIsSentInDoubt(t *testing.T) {
	for fault, sends := range map[error]bool{journal.ErrFull: true, journal.ErrBusy: true, journal.ErrUnknown: false, journal.ErrBroken: false, errors.New("anything else"): false} {
		r := newRig(t)
		k := r.reversing(1)
		r.reversing(2)
		r.journal.fault = fault
		if fault == journal.ErrBusy { // what is owed waits for its place; a new payment does not
			_, err := r.index.Change(txn.Key{Trace: 9}, func(replay.View) ([]journal.Record, error) {
				return []journal.Record{record.Intent(&txn.Payment{Key: txn.Key{Trace: 9}})}, nil
			})
			if !errors.Is(err, fault) {
				t.Errorf("%v: %v", fault, err)
			}
		} else if _, err := r.try(k, txn.Drop, r.clock.Mono()); !errors.Is(err, fault) {
			t.Errorf("%v: the drop says %v", fault, err)
		}
		r.journal.fault = nil
		if sent := r.drain(); (len(sent) > 0) != sends || r.index.Doubtful() == sends {
			t.Errorf("%v: sent %v", fault, sent)
		}
	}
}
