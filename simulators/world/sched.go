// SPDX-License-Identifier: Apache-2.0

package world

import (
	"container/heap"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
)

// sched runs coroutines one at a time. It is the clock and the maker of events
// of everything in the world.
type sched struct {
	rng     *rand.Rand
	mono    env.Mono
	stepped time.Duration // by which the wall clock was set ahead
	ready   []*task
	timers  timers
	order   uint64 // of timers
	current *task
	wrong   func(text string) // hears of panics
}

// group is tasks that die together: a switch, a terminal, the world itself.
type group struct {
	name  string
	tasks []*task
	dead  bool
}

// task is one coroutine.
type task struct {
	group *group
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	turn  uint64 // grows whenever it is made ready: outdates timers
	over  bool
}

// killed unwinds the coroutines of a dead group.
type killed struct{}

func newSched(seed uint64) *sched {
	return &sched{rng: rand.New(rand.NewPCG(seed, 0x57a7)), mono: 1}
}

// Now implements env.Clock.
func (s *sched) Now() time.Time { return fake.Epoch.Add(time.Duration(s.mono) + s.stepped) }

// Mono implements env.Clock.
func (s *sched) Mono() env.Mono { return s.mono }

// since is the time since the world began.
func (s *sched) since() time.Duration { return time.Duration(s.mono) }

// start makes a coroutine of fn.
func (s *sched) start(g *group, fn func()) {
	if g.dead {
		return
	}
	t := &task{group: g}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer s.ended(t)
		fn()
	})
	g.tasks = append(g.tasks, t)
	s.ready = append(s.ready, t)
}

// ended takes a task out; a panic of one that was not killed is a finding.
func (s *sched) ended(t *task) {
	t.over = true
	r := recover()
	if r == nil || t.group.dead {
		return
	}
	s.wrong(fmt.Sprintf("%s: panic: %v", t.group.name, r))
}

// park lets others run until somebody wakes the current task.
func (s *sched) park() {
	t := s.current
	if t == nil {
		panic("world: a wait outside of every coroutine")
	}
	if t.group.dead || !t.yield(struct{}{}) || t.group.dead {
		panic(killed{})
	}
}

func (s *sched) wake(t *task) {
	t.turn++
	s.ready = append(s.ready, t)
}

// sleep lets d pass for the current task.
func (s *sched) sleep(d time.Duration) { s.NewEvent().Wait(s.mono.Add(d)) }

// after runs fn in a coroutine of g once d is over.
func (s *sched) after(g *group, d time.Duration, fn func()) {
	s.set(s.mono.Add(d), func() { s.start(g, fn) })
}

// kill ends all tasks of g. The current one, when it is of g, ends as soon as it
// waits or is told so by its caller.
func (s *sched) kill(g *group) {
	g.dead = true
	was := s.current
	for _, t := range g.tasks {
		if t != was && !t.over {
			s.current = t
			t.stop()
			t.over = true
		}
	}
	s.current = was
	g.tasks = nil
}

// run goes on until done says so, or until the time comes.
func (s *sched) run(until env.Mono, done func() bool) {
	for !done() {
		if len(s.ready) == 0 {
			if len(s.timers) == 0 || s.timers[0].at > until {
				s.mono = max(s.mono, until)
				return
			}
			t := heap.Pop(&s.timers).(*timer)
			s.mono = max(s.mono, t.at)
			t.fire()
			continue
		}
		i := s.rng.IntN(len(s.ready))
		t := s.ready[i]
		s.ready = slices.Delete(s.ready, i, i+1)
		if t.over || t.group.dead {
			continue
		}
		s.current = t
		t.next()
		s.current = nil
		s.reap(t.group)
	}
}

// reap forgets tasks that are over.
func (s *sched) reap(g *group) {
	const many = 64
	if len(g.tasks) > many {
		g.tasks = slices.DeleteFunc(g.tasks, func(t *task) bool { return t.over })
	}
}

// timer is something to do at a time.
type timer struct {
	at    env.Mono
	order uint64
	fire  func()
}

func (s *sched) set(at env.Mono, fire func()) {
	s.order++
	heap.Push(&s.timers, &timer{at, s.order, fire})
}

// timers is a heap by time, then by the order in which they were set.
type timers []*timer

func (h timers) Len() int { return len(h) }
func (h timers) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].order < h[j].order
}
func (h timers) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *timers) Push(x any) { *h = append(*h, x.(*timer)) }

// Pop implements heap.Interface.
func (h *timers) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// event implements env.Event.
type event struct {
	s       *sched
	woken   bool
	waiters []*task
}

// NewEvent implements env.Waits.
func (s *sched) NewEvent() env.Event { return &event{s: s} }

// Wake implements env.Event.
func (e *event) Wake() {
	if e.woken {
		return
	}
	e.woken = true
	for _, t := range e.waiters {
		e.s.wake(t)
	}
	e.waiters = nil
}

// Wait implements env.Event.
func (e *event) Wait(until env.Mono) bool {
	s := e.s
	if e.woken || until <= s.mono {
		return e.woken
	}
	t := s.current
	e.waiters = append(e.waiters, t)
	if until != env.Never {
		turn := t.turn
		s.set(until, func() {
			if !t.over && t.turn == turn {
				s.wake(t)
			}
		})
	}
	s.park()
	if !e.woken {
		e.waiters = slices.DeleteFunc(e.waiters, func(w *task) bool { return w == t })
	}
	return e.woken
}
