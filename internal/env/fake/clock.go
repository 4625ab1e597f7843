// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"slices"
	"sync"
	"time"

	"tapswitch/internal/env"
)

// Epoch is the wall time at which every fake clock starts.
var Epoch = time.Date(2030, time.January, 2, 3, 4, 5, 0, time.UTC)

// Clock stands still until Advance moves it. It also makes the events that wait
// on it, so it serves as env.Clock and env.Waits.
type Clock struct {
	mu      sync.Mutex
	mono    env.Mono
	wall    time.Time
	timers  []*timer      // by time, then in the order they were set
	changed chan struct{} // closed and replaced when a timer is set
}

// timer wakes one waiter when its time comes.
type timer struct {
	at   env.Mono
	fire func()
}

var (
	_ env.Clock = (*Clock)(nil)
	_ env.Waits = (*Clock)(nil)
)

// NewClock returns a clock at Epoch.
func NewClock() *Clock {
	return &Clock{mono: 1, wall: Epoch, changed: make(chan struct{})}
}

// Now is the wall time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall
}

// Mono is the monotonic time.
func (c *Clock) Mono() env.Mono {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mono
}

// StepWall moves the wall clock alone, as an operator or NTP would.
func (c *Clock) StepWall(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = c.wall.Add(d)
}

// Advance moves the clock by d and wakes those whose time comes, each at its
// own time, the earliest first.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	target := c.mono.Add(max(d, 0))
	for len(c.timers) > 0 && c.timers[0].at <= target {
		t := c.timers[0]
		c.timers = slices.Delete(c.timers, 0, 1)
		c.moveTo(max(t.at, c.mono))
		c.mu.Unlock()
		t.fire()
		c.mu.Lock()
	}
	c.moveTo(max(target, c.mono))
	c.mu.Unlock()
}

func (c *Clock) moveTo(m env.Mono) {
	c.wall = c.wall.Add(m.Sub(c.mono))
	c.mono = m
}

// NextTimer is the time the earliest waiter waits for, env.Never when none does.
func (c *Clock) NextTimer() env.Mono {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.timers) == 0 {
		return env.Never
	}
	return c.timers[0].at
}

// AwaitWaiters blocks the test until at least n waits with a deadline are
// pending, so that an Advance afterwards cannot come too early for them.
func (c *Clock) AwaitWaiters(n int) {
	for {
		c.mu.Lock()
		enough, changed := len(c.timers) >= n, c.changed
		c.mu.Unlock()
		if enough {
			return
		}
		<-changed
	}
}

// set arranges for fire to be called when the clock reaches at; false when that
// time has come already.
func (c *Clock) set(at env.Mono, fire func()) (*timer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at <= c.mono {
		return nil, false
	}
	t := &timer{at: at, fire: fire}
	i, _ := slices.BinarySearchFunc(c.timers, at, func(t *timer, at env.Mono) int {
		if t.at <= at {
			return -1
		}
		return 1
	})
	c.timers = slices.Insert(c.timers, i, t)
	close(c.changed)
	c.changed = make(chan struct{})
	return t, true
}

func (c *Clock) unset(t *timer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.timers, t); i >= 0 {
		c.timers = slices.Delete(c.timers, i, i+1)
	}
}

// NewEvent returns an event whose deadlines are on this clock.
func (c *Clock) NewEvent() env.Event {
	return &event{clock: c, done: make(chan struct{})}
}

type event struct {
	clock *Clock
	once  sync.Once
	done  chan struct{}
}

func (e *event) Wake() { e.once.Do(func() { close(e.done) }) }

func (e *event) Wait(until env.Mono) bool {
	if until == env.Never {
		<-e.done
		return true
	}
	late := make(chan struct{})
	t, ok := e.clock.set(until, func() { close(late) })
	if !ok {
		return e.woken()
	}
	defer e.clock.unset(t)
	select {
	case <-e.done:
		return true
	case <-late:
		return e.woken()
	}
}

func (e *event) woken() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}
