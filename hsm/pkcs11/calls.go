// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"sync"
	"sync/atomic"
)

// The functions that every payment needs bring their input to a worker in a call
// that is used again: beside a module on this machine the memory of closures and
// results, cold after each of its operations, costs as much as the rest of the way.
type calls struct {
	mac       reused[macCall, *macCall]
	token     reused[tokenCall, *tokenCall]
	translate reused[translateCall, *translateCall]
	pvv       reused[pvvCall, *pvvCall]
}

// open makes what each function has from the start.
func (c *calls) open() {
	c.mac.open()
	c.token.open()
	c.translate.open()
	c.pvv.open()
}

// call is a job with its input and output.
type call[T any] interface {
	*T
	task
	own() *job
	wipe() // leaves nothing of the caller behind
}

// own is the job of a call that embeds it.
func (j *job) own() *job { return j }

// reused are calls of one function that nobody uses now: the first, which is all
// that a lone caller needs, and others.
type reused[T any, C call[T]] struct {
	busy  atomic.Bool // the first has a user, to whom it belongs
	first C
	pool  sync.Pool
}

// open makes the first call.
func (r *reused[T, C]) open() {
	r.first = r.make()
	r.first.own().first = true
}

func (r *reused[T, C]) make() C {
	c := C(new(T))
	*c.own() = job{task: c, done: make(chan struct{}, 1)}
	return c
}

func (r *reused[T, C]) take() C {
	if r.busy.CompareAndSwap(false, true) {
		return r.first
	}
	return r.another()
}

func (r *reused[T, C]) another() C {
	if c, ok := r.pool.Get().(C); ok {
		return c
	}
	return r.make()
}

// leave is for the caller of a call that has ended. One that gave up leaves it to
// the worker, which may still be at it.
func (r *reused[T, C]) leave(c C) {
	j := c.own()
	if j.gaveUp != nil {
		if j.first {
			r.open()
			r.busy.Store(false)
		}
		return
	}
	c.wipe()
	if j.first {
		r.busy.Store(false)
	} else {
		r.pool.Put(c)
	}
}
