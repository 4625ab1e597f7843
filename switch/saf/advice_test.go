// SPDX-License-Identifier: Apache-2.0

package saf

import (
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// advising brings an advice into the index, and queues it.
func (r *rig) advising(trace int, says ...string) txn.Key {
	r.Helper()
	k := txn.Key{Trace: txn.STAN(trace), Class: txn.OfflineSale}
	p := &txn.Payment{Key: k, Link: "acq", Numbers: txn.Numbers{STAN: txn.STAN(trace), At: r.clock.Now()}, Answer: txn.Answer{Code: txn.CodeApproved}}
	r.says[txn.STAN(trace)] = says
	r.change(k, record.Advice(p))
	r.queue.Enqueue("acq", k)
	return k
}

// Every code of two characters and every failure has one end: 00 is done, what
// defers is sent again, and all else is a case for a person; 94 is one too when it
// comes to a first sending, and done when it comes to a repeat.
func TestWhatTheAcquirerSaysOfAnAdvice(t *testing.T) {
	ends := map[string]txn.State{"00": txn.Advised}
	words := []string{"silent", "unsent", "unchecked", "none"}
	for _, word := range append(words, "68", "90", "91", "96", "98", "A0") {
		ends[word] = txn.Advising
	}
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
		k := r.advising(1, word)
		r.want(r.drain(), "1 advice repeat=false")
		if r.state(k) != want {
			t.Errorf("%s: %s, want %s", word, r.state(k), want)
		}
		if got := r.attempts[0]; got.Kind != Advice || (got.Case == txn.CaseAdviceRefused) != (want == txn.Disputed) || got.Done != (want == txn.Advised) {
			t.Errorf("%s: %s done %v, case %q", word, got.Kind, got.Done, got.Case)
		}
		r.clock.Advance(maxAge / 2)
		if again := len(r.drain()) > 0; again != (want == txn.Advising) {
			t.Errorf("%s: sent again %v", word, again)
		}
	}
}

// 94 to a repeat says that the acquirer has the advice; so it does to the first
// sending of a process that found it in its journal.
func TestDuplicateOfAnAdvice(t *testing.T) {
	r := newRig(t)
	k := r.advising(1, "silent", "94")
	r.drain()
	r.clock.Advance(time.Second)
	r.want(r.drain(), "1 advice repeat=true")
	if r.state(k) != txn.Advised {
		t.Errorf("94 to a repeat: %s", r.state(k))
	}
	k = r.advising(2, "94")
	r.clock.StepWall(-time.Hour) // whatever the clock says
	r.queue = New(r.queue.cfg, env.Env{Clock: r.clock, Waits: r.clock}, r, r, r.queue.observe)
	r.queue.EnqueueAgain("acq", k)
	r.want(r.drain(), "2 advice repeat=true")
	if r.state(k) != txn.Advised {
		t.Errorf("94 after a restart: %s", r.state(k))
	}
}

// An advice that was sent and never acknowledged is a case once it is old; one of
// which nothing left is not. Of two that are due at once the reversal goes first.
func TestAgeAndPlaceOfAnAdvice(t *testing.T) {
	r := newRig(t)
	k, unsent := r.advising(1, "silent", "silent"), r.advising(2, "unsent", "unsent")
	r.reversing(3)
	r.want(r.drain(), "3/103 repeat=false", "1 advice repeat=false", "2 advice repeat=false")
	r.clock.Advance(maxAge)
	r.drain()
	p, _ := r.index.Find(k)
	if p.State != txn.Disputed || p.Case.Why != txn.CaseAdviceExpired || p.Case.At != fake.Epoch.Add(maxAge) || r.state(unsent) != txn.Advising {
		t.Errorf("%s for %q at %v; the other %s", p.State, p.Case.Why, p.Case.At, r.state(unsent))
	}
}
