// SPDX-License-Identifier: Apache-2.0

package pkcs11

import "sync"

// The functions that every payment needs bring their input to a worker in a call
// that is used again: beside a module on this machine the memory of closures and
// results, cold after each of its operations, costs as much as the rest of the way.
type calls struct {
	mac       reused[macCall, *macCall]
	token     reused[tokenCall, *tokenCall]
	translate reused[translateCall, *translateCall]
	pvv       reused[pvvCall, *pvvCall]
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

// reused are calls of one function that nobody uses now.
type reused[T any, C call[T]] struct{ pool sync.Pool }

func (r *reused[T, C]) take() C {
	if c, ok := r.pool.Get().(C); ok {
		return c
	}
	c := C(new(T))
	*c.own() = job{task: c, done: make(chan struct{}, 1)}
	return c
}

// leave is for the caller of a call that has ended. One that gave up leaves it to
// the worker, which may still be at it.
func (r *reused[T, C]) leave(c C) {
	if c.own().gaveUp == nil {
		c.wipe()
		r.pool.Put(c)
	}
}
