// SPDX-License-Identifier: Apache-2.0

package fake_test

import (
	"sync"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
)

func TestAdvanceWakesInOrder(t *testing.T) {
	c := fake.NewClock()
	start := c.Mono()
	woken := make(chan env.Mono)
	for _, d := range []time.Duration{30, 10, 20} {
		go func() {
			c.NewEvent().Wait(start.Add(d * time.Second))
			woken <- c.Mono()
		}()
	}
	c.AwaitWaiters(3)
	if next := c.NextTimer(); next != start.Add(10*time.Second) {
		t.Fatalf("next timer %v", next)
	}
	for i := range 3 {
		c.Advance(10 * time.Second)
		if at, want := <-woken, start.Add(time.Duration(i+1)*10*time.Second); at != want {
			t.Fatalf("woken at %v, not at %v", at, want)
		}
	}
	if next := c.NextTimer(); next != env.Never {
		t.Fatalf("a timer is left: %v", next)
	}
	if d := c.Now().Sub(fake.Epoch); d != 30*time.Second {
		t.Fatalf("wall clock moved %v", d)
	}
}

func TestStepWallChangesNoDeadline(t *testing.T) {
	c := fake.NewClock()
	before := c.Mono()
	c.StepWall(-time.Hour)
	if c.Mono() != before || c.Now() != fake.Epoch.Add(-time.Hour) {
		t.Fatalf("mono %v, wall %v", c.Mono(), c.Now())
	}
}

func TestEventOutcomes(t *testing.T) {
	c := fake.NewClock()
	ev := c.NewEvent()
	if ev.Wait(c.Mono()) {
		t.Fatal("woken before Wake")
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if !ev.Wait(c.Mono().Add(time.Hour)) {
				t.Error("deadline came first although the clock stood still")
			}
		})
	}
	c.AwaitWaiters(8)
	ev.Wake()
	ev.Wake()
	all.Wait()
	if !ev.Wait(0) || !ev.Wait(env.Never) {
		t.Fatal("a woken event did not stay woken")
	}
}

func TestRandDependsOnSeedAlone(t *testing.T) {
	read := func(seed uint64) (b [16]byte) {
		fake.NewRand(seed).Read(b[:])
		return b
	}
	first, again, other := read(1), read(1), read(2)
	if first != again || first == other {
		t.Fatal("randomness is not the seed's")
	}
}
