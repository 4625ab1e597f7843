// SPDX-License-Identifier: Apache-2.0

package saf

import (
	"context"
	"testing"
	"time"

	"tapswitch/internal/env"
)

// paced is a rig with a pace, driven through virtual time.
func paced(t *testing.T, p Pace, items int) *rig {
	r := newRig(t)
	r.queue.cfg.Pace = func(string) Pace { return p }
	for i := range items {
		r.reversing(1 + i)
	}
	return r
}

// play lets d pass, as a loop of Run would, and gives the times of the deliveries.
func (r *rig) play(d time.Duration) (at []time.Duration) {
	began := r.clock.Mono()
	end := began.Add(d)
	for r.clock.Mono() < end {
		it, _, until, _ := r.queue.pick("acq", false)
		if it == nil {
			r.clock.Advance(min(until, end).Sub(r.clock.Mono()))
			continue
		}
		at = append(at, r.clock.Mono().Sub(began))
		r.queue.attempt(context.Background(), "acq", it)
	}
	return at
}

// most is the greatest number of deliveries within any span.
func most(at []time.Duration, span time.Duration) (n int) {
	for i := range at {
		j := i
		for j < len(at) && at[j] < at[i]+span {
			j++
		}
		n = max(n, j-i)
	}
	return n
}

// After an outage the backlog begins at a tenth of the rate, grows to the whole
// within the ramp and stays there; a second outage begins it anew.
func TestPacingAfterAnOutage(t *testing.T) {
	p := Pace{PerSecond: 10, Ramp: 10 * time.Second}
	r := paced(t, p, 90)
	first := r.play(time.Second)
	if len(first) < 1 || len(first) > 2 {
		t.Errorf("%d in the first second, want one or two", len(first))
	}
	ramp := r.play(9 * time.Second)
	if n := len(first) + len(ramp); n < 45 || n > 55 { // a tenth for a second, then growing: 50.5
		t.Errorf("%d in the ramp, want about 50", n)
	}
	for half := time.Duration(1); half < 9; half++ {
		if a, b := between(ramp, 0, half*time.Second), between(ramp, half*time.Second, 2*half*time.Second); 2*half < 9 && b <= a {
			t.Errorf("the pace does not grow: %d, then %d, in %v", a, b, half*time.Second)
		}
	}
	whole := r.play(2 * time.Second)
	if len(whole) < 19 || len(whole) > 21 || most(whole, time.Second) > 11 {
		t.Errorf("%d in two seconds at the whole rate, at most %d in one", len(whole), most(whole, time.Second))
	}
	r.down = true
	if got := r.play(30 * time.Second); len(got) != 0 {
		t.Errorf("%d sent on a link that is down", len(got))
	}
	r.down = false
	if again := r.play(time.Second); len(again) < 1 || len(again) > 2 {
		t.Errorf("%d in the first second after the second outage", len(again))
	}
}

func between(at []time.Duration, from, to time.Duration) (n int) {
	for _, a := range at {
		if from <= a && a < to {
			n++
		}
	}
	return n
}

// A pace is not saved up: after a quiet hour it is what it was.
func TestPaceIsNotSavedUp(t *testing.T) {
	r := paced(t, Pace{PerSecond: 10}, 1)
	r.play(time.Hour)
	for i := range 50 {
		r.reversing(100 + i)
	}
	if got := r.play(2 * time.Second); len(got) < 19 || len(got) > 22 {
		t.Errorf("%d in two seconds", len(got))
	}
}

// Without a rate nothing but the window bounds a line.
func TestNoPace(t *testing.T) {
	r := paced(t, Pace{Ramp: time.Hour}, 50)
	if got := r.drain(); len(got) != 50 {
		t.Errorf("%d sent", len(got))
	}
}

// Of the paces between two deliveries none is shorter than the whole rate's, and
// none longer than the ramp's beginning.
func TestPauseIsBounded(t *testing.T) {
	for _, rate := range []int{1, 7, 100, 100_000} {
		p := pace{Pace: Pace{PerSecond: rate, Ramp: 10 * time.Second}}
		p.restart(1)
		whole, before := time.Second/time.Duration(rate), time.Duration(1<<62)
		for at := env.Mono(1); at < env.Mono(12*time.Second); at = at.Add(100 * time.Millisecond) {
			got := p.pause(at)
			if got < whole || got > rampFrom*whole || got > before {
				t.Fatalf("rate %d after %v: %v", rate, at.Sub(1), got)
			}
			before = got
		}
	}
}
