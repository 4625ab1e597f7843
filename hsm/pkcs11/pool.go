// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/env"
)

// job is one operation on its way to a worker. What work writes belongs to the
// job until its end: a caller that gave up must not look at it.
type job struct {
	task  task
	first bool          // of its function: see reused
	key   *hsm.Key      // it can be served together with others under this one (coalesce.go)
	since env.Mono      // when the caller came
	until env.Mono      // when its patience ends
	done  chan struct{} // one token, when a caller that waits has its answer
	err   error         // written by the worker, read by the caller after the end

	gaveUp error // under the pool's lock: the answer of a caller that leaves the job behind
}

// task is what a worker does for a job.
type task interface{ run(w *worker) error }

type workFunc func(w *worker) error

func (f workFunc) run(w *worker) error { return f(w) }

func newJob() *job { return &job{done: make(chan struct{}, 1)} }

// pool stands between callers and workers: who is idle, who waits, until when.
// It is one lock and no timer: the watchdog alone knows the time.
type pool struct {
	world   env.Env
	max     int           // jobs that may wait
	timeout time.Duration // for the reason given to those it ran out for

	mu      sync.Mutex
	workers []*worker
	idle    []*worker     // the last one to become idle is the first to work again
	waiting []*job        // in the order of arrival
	stuck   atomic.Int32  // workers that a caller gave up on; written under the lock
	floor   time.Duration // the shortest time of late in which a worker served its jobs
	closed  bool
	gone    sync.WaitGroup // workers that are not stopped
	alarm   env.Event      // ends the watchdog's sleep
	wakes   env.Mono       // when it ends by itself
}

// enter gives an idle worker to the job's caller, or lets the job wait when it
// returns none; the refusals are at once. An idle one means that the pool is not
// closed and that not all hang.
func (p *pool) enter(j *job) (w *worker, err error) {
	p.mu.Lock()
	last := len(p.idle) - 1
	if last < 0 || last+1 < len(p.workers) && p.underWay(j.key, j.since) {
		err = p.line(j)
	} else {
		w, p.idle = p.idle[last], p.idle[:last]
		w.give(j, j.since)
	}
	if err == nil && j.until < p.wakes {
		p.wakeBy(j.until)
	}
	p.mu.Unlock()
	return w, err
}

// line lets a job wait, or refuses it. The lock is held.
func (p *pool) line(j *job) error {
	switch {
	case p.closed:
		return errClosed
	case int(p.stuck.Load()) >= len(p.workers):
		return fmt.Errorf("%w: all %d sessions hang in the module", hsm.ErrUnavailable, len(p.workers))
	case len(p.waiting) >= p.max:
		return fmt.Errorf("%w: %d operations wait", hsm.ErrBusy, p.max)
	}
	p.waiting = append(p.waiting, j)
	if len(p.idle) > 0 {
		p.wakeBy(j.since.Add(patience))
	}
	return nil
}

// give makes j the first job of an idle worker. The lock is held.
func (w *worker) give(j *job, now env.Mono) {
	w.jobs = w.jobs[:1] // it has room: startWorkers
	w.jobs[0], w.key, w.began, w.queued = j, j.key, now, false
}

// wakeBy makes sure that the watchdog looks no later than at t. The lock is held.
func (p *pool) wakeBy(t env.Mono) {
	if t < p.wakes {
		p.wakes = t
		p.alarm.Wake()
	}
}

var errClosed = fmt.Errorf("%w: closed", hsm.ErrUnavailable)

// timedEvery is the share of a lone caller's jobs whose time is looked at: reading
// the clock costs more than the rest of next.
const timedEvery = 16

// next is for whoever ran w, after it has served its jobs: it answers those who
// waited for them, and gives w jobs that wait. False when there are none.
//
// What follows is the way of a lone caller, kept short: beside a module on this
// machine the room that code takes in the processor's first cache costs more than its
// running.
func (p *pool) next(w *worker) bool {
	w.done++
	timed := w.queued || w.done%timedEvery == 0
	p.mu.Lock()
	if timed || w.stuck || p.closed || len(p.waiting) > 0 {
		return p.nextOf(w, timed)
	}
	w.jobs[0] = nil // it was the only one
	w.jobs, w.key = w.jobs[:0], nil
	p.idle = p.idle[:len(p.idle)+1] // it has room for all
	p.idle[len(p.idle)-1] = w
	p.mu.Unlock()
	return false
}

// nextOf is next for a worker that has, or may have, to do with others. The lock
// is held, and given back.
func (p *pool) nextOf(w *worker, timed bool) bool {
	var now env.Mono
	if timed {
		now = p.world.Clock.Mono()
		p.floor = min(p.floor+p.floor/64+1, now.Sub(w.began))
	}
	p.end(w)
	if n := len(w.ended); n > 0 {
		p.mu.Unlock()
		for i, j := range w.ended {
			w.ended[i] = nil // its caller uses it again
			j.done <- struct{}{}
		}
		w.ended = w.ended[:0]
		if n > 1 {
			runtime.Gosched() // they tend to want the same again: let them come
		}
		p.mu.Lock()
	}
	w.key = nil
	if len(p.waiting) > 0 && !timed {
		now = p.world.Clock.Mono()
	}
	if p.take(w, now) {
		p.mu.Unlock()
		return true
	}
	closed := p.closed
	if !closed {
		p.idle = append(p.idle, w)
	}
	if len(p.waiting) > 0 {
		p.wakeBy(now.Add(patience))
	}
	p.mu.Unlock()
	if closed {
		w.stop()
		w.shut()
		p.gone.Done()
	}
	return false
}

// end sets apart the jobs whose callers wait for an answer: not those whose
// callers gave up, nor one whose caller runs the worker. The lock is held.
func (p *pool) end(w *worker) {
	for _, j := range w.jobs {
		if w.queued && j.gaveUp == nil {
			w.ended = append(w.ended, j)
		}
	}
	clear(w.jobs)
	w.jobs = w.jobs[:0]
	if w.stuck { // the module answered after all
		w.stuck = false
		p.stuck.Add(-1)
	}
}

// take moves the oldest job whose time has come to w, and with it others under
// the same key. The lock is held.
func (p *pool) take(w *worker, now env.Mono) bool {
	at := slices.IndexFunc(p.waiting, func(j *job) bool { return !p.underWay(j.key, now) })
	if at < 0 {
		return false
	}
	first, most := p.waiting[at], p.lotMax(w, len(p.waiting))
	w.give(first, now)
	w.queued = true
	rest := p.waiting[:at]
	for _, j := range p.waiting[at+1:] {
		if len(w.jobs) < most && first.key != nil && sameKey(first.key, j.key) {
			w.jobs = append(w.jobs, j)
		} else {
			rest = append(rest, j)
		}
	}
	clear(p.waiting[len(rest):])
	p.waiting = rest
	return true
}

// watch answers callers whose time is over, and helps those who wait for a key
// under way that does not come back. It sleeps until the earliest moment at
// which there can be something to do, however many jobs there are. overdue is
// told when the module did not answer in time.
func (p *pool) watch(overdue func()) {
	for {
		p.mu.Lock()
		now := p.world.Clock.Mono()
		next, late := p.expire(now)
		if p.closed && next == env.Never {
			p.mu.Unlock()
			return
		}
		for last := len(p.idle) - 1; last >= 0 && p.take(p.idle[last], now); last-- { // what they waited for takes long
			go p.drain(p.idle[last])
			p.idle = p.idle[:last]
		}
		if len(p.idle) > 0 && len(p.waiting) > 0 {
			next = min(next, now.Add(patience))
		}
		alarm := p.world.Waits.NewEvent()
		p.alarm, p.wakes = alarm, next
		p.mu.Unlock()
		if late {
			overdue()
		}
		alarm.Wait(next)
	}
}

// expire gives up for all whose time is over. It returns when the next one's
// is, and whether a worker is late.
func (p *pool) expire(now env.Mono) (next env.Mono, late bool) {
	next = env.Never
	rest := p.waiting[:0]
	for _, j := range p.waiting {
		if j.until <= now {
			j.giveUp(fmt.Errorf("%w: no session became free in time", hsm.ErrUnavailable))
			continue
		}
		next = min(next, j.until)
		rest = append(rest, j)
	}
	clear(p.waiting[len(rest):])
	p.waiting = rest
	for _, w := range p.workers {
		for _, j := range w.jobs {
			switch {
			case j.gaveUp != nil:
				continue
			case j.until > now:
				next = min(next, j.until)
				continue
			}
			why := fmt.Errorf("%w: the module did not answer within %v", hsm.ErrUnavailable, p.timeout)
			switch {
			case w.queued:
				j.giveUp(why)
			case w.state.CompareAndSwap(running, abandoned):
				j.gaveUp = why
				go w.standIn()
			default: // its caller is about to begin, or has just ended
				next = min(next, now.Add(patience))
				continue
			}
			late = true
			if !w.stuck {
				w.stuck = true
				p.stuck.Add(1)
			}
		}
	}
	return next, late
}

// giveUp answers a caller that waits. The pool's lock is held.
func (j *job) giveUp(why error) {
	j.gaveUp = why
	j.done <- struct{}{}
}

// close refuses all who wait and stops the workers, each when its call has
// returned.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	for _, j := range p.waiting {
		j.giveUp(errClosed)
	}
	clear(p.waiting)
	p.waiting = p.waiting[:0]
	idle := p.idle
	p.idle = nil
	p.alarm.Wake()
	p.mu.Unlock()
	for _, w := range idle {
		w.stop()
		w.shut()
		p.gone.Done()
	}
}

// hanging is the number of workers in calls that nobody waits for any more.
func (p *pool) hanging() int { return int(p.stuck.Load()) }
