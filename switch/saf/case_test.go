// SPDX-License-Identifier: Apache-2.0

package saf

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Every code of two characters and every failure has one end: 00 is done, the
// provisional three leave it unmatched, what defers it is sent again, and all
// else is a case for a person.
func TestWhatTheAcquirerSaysDecides(t *testing.T) {
	ends := map[string]txn.State{"00": txn.Reversed, "25": txn.Unmatched, "12": txn.Unmatched, "94": txn.Unmatched}
	for _, word := range []string{"68", "90", "91", "96", "98", "A0", "silent", "unsent", "unchecked", "none"} {
		ends[word] = txn.Reversing
	}
	words := []string{"silent", "unsent", "unchecked", "none"}
	const signs = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for _, a := range signs {
		for _, b := range signs {
			words = append(words, string([]rune{a, b}))
		}
	}
	for _, word := range words {
		want, known := ends[word]
		if !known {
			want = txn.Disputed
		}
		r := newRig(t)
		k := r.reversing(1, word)
		r.drain()
		if r.state(k) != want {
			t.Errorf("%s: %s, want %s", word, r.state(k), want)
		}
		if waits := r.queue.Depth("acq"); (waits == 1) != (want == txn.Reversing) {
			t.Errorf("%s: %d wait", word, waits)
		}
		if got := r.attempts[0]; (got.Case == txn.CaseRefused) != (want == txn.Disputed) || got.Done != (want == txn.Reversed || want == txn.Unmatched) {
			t.Errorf("%s: done %v, case %q", word, got.Done, got.Case)
		}
		r.clock.Advance(maxAge / 2)
		if again := len(r.drain()) > 0; again != (want == txn.Reversing) {
			t.Errorf("%s: sent again %v", word, again)
		}
	}
}

// A case says why, what the acquirer said and when.
func TestCaseSaysWhy(t *testing.T) {
	r := newRig(t)
	k := r.reversing(1, "96", "05")
	r.drain()
	r.clock.Advance(time.Second)
	r.drain()
	p, _ := r.index.Find(k)
	want := txn.Case{Why: txn.CaseRefused, Code: txn.Code([]byte("05")), At: fake.Epoch.Add(time.Second)}
	if p.Case != want || r.index.Cases() != 1 {
		t.Errorf("case %+v, %d open", p.Case, r.index.Cases())
	}
}

// What is never acknowledged ends at its age, after one attempt more: not a
// moment sooner, whatever was said meanwhile, and never when nothing left.
func TestExpiry(t *testing.T) {
	for word, expires := range map[string]bool{"silent": true, "96": true, "unchecked": true, "none": true, "unsent": false} {
		r := newRig(t)
		k := r.reversing(1, word, word, word, word)
		r.drain()
		r.clock.Advance(maxAge - time.Nanosecond)
		r.drain()
		if r.state(k) != txn.Reversing {
			t.Errorf("%s: %s before its time", word, r.state(k))
		}
		r.clock.Advance(2 * time.Second)
		r.drain()
		if (r.state(k) == txn.Disputed) != expires {
			t.Errorf("%s: %s after its time", word, r.state(k))
		}
		if p, _ := r.index.Find(k); expires && (p.Case.Why != txn.CaseExpired || p.Case.Code.String() == "30") {
			t.Errorf("%s: case %+v", word, p.Case)
		}
		r.clock.Advance(10 * maxAge)
		if again := len(r.drain()) > 0; again == expires {
			t.Errorf("%s: sent again %v", word, again)
		}
	}
}

// The wall clock may be set while an item waits: that makes it neither old nor young.
func TestSetClockExpiresNothing(t *testing.T) {
	for name, step := range map[string]time.Duration{"forward": 100 * maxAge, "back": -100 * maxAge} {
		r := newRig(t)
		k := r.reversing(1, "silent", "silent", "silent", "silent")
		r.clock.StepWall(step)
		r.drain()
		r.clock.Advance(maxAge / 2)
		r.drain()
		if r.state(k) != txn.Reversing {
			t.Errorf("%s: %s before its time", name, r.state(k))
		}
		r.clock.Advance(maxAge)
		r.drain()
		if r.state(k) != txn.Disputed {
			t.Errorf("%s: %s after its time", name, r.state(k))
		}
	}
}

// The last word is the acquirer's: a link that was down beyond the longest time
// delivers what waited, and a yes then counts.
func TestOldOnesAreSentOnce(t *testing.T) {
	r := newRig(t)
	k, silent := r.reversing(1), r.reversing(2, "silent")
	r.down = true
	r.clock.Advance(5 * maxAge)
	r.want(r.drain())
	if r.state(k) != txn.Reversing {
		t.Errorf("%s while the link is down", r.state(k))
	}
	r.down = false
	r.want(r.drain(), "1/101 repeat=false", "2/102 repeat=false")
	if r.state(k) != txn.Reversed || r.state(silent) != txn.Disputed {
		t.Errorf("answered %s, not answered %s", r.state(k), r.state(silent))
	}
}

// Age counts from the undo that is being sent: one that a late yes reopened is
// young again. Without a longest time nothing expires.
func TestAgeIsThatOfTheUndo(t *testing.T) {
	r := newRig(t)
	k := r.reversing(1, "25", "silent", "silent", "silent")
	r.drain()
	r.clock.Advance(2 * maxAge)
	r.change(k, record.MakeUndo(k, record.Undo{Event: txn.SaidYes, Numbers: txn.Numbers{STAN: 900, At: r.clock.Now()}}))
	r.queue.Enqueue("acq", k)
	for _, c := range []struct {
		pause time.Duration
		want  txn.State
	}{{0, txn.Reversing}, {maxAge - time.Nanosecond, txn.Reversing}, {2 * time.Second, txn.Disputed}} {
		r.clock.Advance(c.pause)
		if r.want(r.drain(), fmt.Sprintf("1/900 repeat=%v", c.pause > 0)); r.state(k) != c.want {
			t.Errorf("%s after %v more", r.state(k), c.pause)
		}
	}
	if e, _, over := ruleOf(t).decide(&txn.Payment{}, said{}, nil, 100*maxAge, 0); over {
		t.Errorf("ended by %s without a longest time", e)
	}
}

func ruleOf(t *testing.T) rule {
	t.Helper()
	r, ok := Reversal.rule()
	if !ok {
		t.Fatal("a reversal has no rule")
	}
	return r
}

// A case that could not be made durable is none: the reversal is sent again.
func TestCaseThatIsNotDurable(t *testing.T) {
	r := newRig(t)
	k := r.reversing(1, "30", "30")
	r.queue.payments = failing{r}
	r.drain()
	if a := r.attempts[0]; a.Case != "" || a.Done || !errors.Is(a.Err, journal.ErrBroken) || r.state(k) != txn.Reversing {
		t.Errorf("%+v, %s", a, r.state(k))
	}
	r.queue.payments = r
	r.clock.Advance(time.Second)
	r.want(r.drain(), "1/101 repeat=true")
	if r.state(k) != txn.Disputed {
		t.Errorf("state %s", r.state(k))
	}
}

// failing finds payments and changes none.
type failing struct{ *rig }

// Change implements Payments.
func (f failing) Change(txn.Key, func(replay.View) ([]journal.Record, error)) (replay.View, error) {
	return replay.View{}, fmt.Errorf("append: %w", journal.ErrBroken)
}
