// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/internal/env"
)

// The life of a job. Caller and worker meet in one compare-and-swap, so that
// exactly one of them knows that the other is gone.
const (
	jobQueued int32 = iota
	jobRunning
	jobDone
	jobAbandoned
)

// job is one operation on its way to a worker. What work writes belongs to the
// job until done: a caller that gave up must not look at it.
type job struct {
	work  func(w *worker) error
	err   error
	done  env.Event
	state atomic.Int32
}

// worker is one session with its locked page.
type worker struct {
	m          *Module
	room       *clear.Room
	session    p11.SessionHandle
	generation uint64 // of the link the session belongs to
	held       []*entry
	id         []byte // scratch: what names a key in the cache
	scratch    *scratch
}

// scratch takes results. It stands apart because memory handed to C must not
// share an allocation with Go pointers.
type scratch struct {
	block [8]byte
	sum   [16]byte
}

func (m *Module) startWorkers(rooms []*clear.Room) {
	for _, room := range rooms {
		w := &worker{m: m, room: room, scratch: new(scratch)}
		m.workers.Go(w.loop)
	}
}

// Close stops the workers and ends the use of the module. Calls under way end
// first; a call that hangs in the module is left behind with its session.
func (m *Module) Close() error {
	if m.closed.Swap(true) {
		return nil
	}
	close(m.quit)
	gone := m.world.Waits.NewEvent()
	go func() { m.workers.Wait(); gone.Wake() }()
	if !gone.Wait(m.world.Clock.Mono().Add(m.cfg.Timeout)) {
		return fmt.Errorf("%w: a call hangs in the module; its session is left open", hsm.ErrUnavailable)
	}
	stop(m.ctx)
	return nil
}

// loop serves jobs until the module closes.
func (w *worker) loop() {
	defer func() { _ = w.room.Close() }() // wiped all the same
	for {
		select {
		case <-w.m.quit:
			return
		case j := <-w.m.queue:
			w.serve(j)
		}
	}
}

// serve runs one job unless its caller left.
func (w *worker) serve(j *job) {
	if !j.state.CompareAndSwap(jobQueued, jobRunning) {
		return
	}
	j.err = w.run(j.work)
	if !j.state.CompareAndSwap(jobRunning, jobDone) {
		w.m.stuck.Add(-1) // the caller gave up on us; we are back
		return
	}
	j.done.Wake()
}

// run does the work on a link that is up.
func (w *worker) run(work func(w *worker) error) error {
	if err := w.revive(); err != nil {
		return err
	}
	w.m.gate.RLock()
	defer w.m.gate.RUnlock()
	if err := w.ready(); err != nil {
		return err
	}
	err := work(w)
	w.room.Wipe()
	for _, e := range w.held {
		w.m.cache.release(e)
	}
	dropAll(w.held)
	w.held = w.held[:0]
	return err
}

// dropAll drops the references a scratch slice holds.
func dropAll(held []*entry) {
	for i := range held {
		held[i] = nil
	}
}

// do hands work to a worker and waits for it, no longer than the time-out or
// the caller's deadline. After an error the caller must not read what work wrote.
func (m *Module) do(ctx context.Context, work func(w *worker) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: the caller left: %w", hsm.ErrUnavailable, err)
	}
	if m.closed.Load() {
		return fmt.Errorf("%w: closed", hsm.ErrUnavailable)
	}
	if int(m.stuck.Load()) >= m.cfg.Sessions {
		return fmt.Errorf("%w: all %d sessions hang in the module", hsm.ErrUnavailable, m.cfg.Sessions)
	}
	if err := m.refuseWhileLost(); err != nil {
		return err
	}
	j := &job{work: work, done: m.world.Waits.NewEvent()}
	select {
	case m.queue <- j:
	default:
		return fmt.Errorf("%w: %d operations wait", hsm.ErrBusy, cap(m.queue))
	}
	if j.done.Wait(m.until(ctx)) {
		return j.err
	}
	if j.state.CompareAndSwap(jobQueued, jobAbandoned) {
		return fmt.Errorf("%w: no session became free in time", hsm.ErrUnavailable)
	}
	m.stuck.Add(1) // before the swap: a worker that returns between takes it back
	if j.state.CompareAndSwap(jobRunning, jobAbandoned) {
		m.suspect.Store(true)
		return fmt.Errorf("%w: the module did not answer within %v", hsm.ErrUnavailable, m.cfg.Timeout)
	}
	m.stuck.Add(-1)
	return j.err // it was done in the last moment
}

// until is the end of a caller's patience.
func (m *Module) until(ctx context.Context) env.Mono {
	now := m.world.Clock.Mono()
	wait := m.cfg.Timeout
	if end, ok := ctx.Deadline(); ok {
		wait = max(0, min(wait, end.Sub(m.world.Clock.Now())))
	}
	return now.Add(wait)
}

// fault turns an error of the module into what callers know, and remembers
// that something is wrong with the link.
func (w *worker) fault(what string, err error) error {
	var code p11.Error
	if errors.As(err, &code) && lostCode(code) {
		w.m.lose(fmt.Errorf("%s: %w", what, err), false)
	} else {
		w.m.suspect.Store(true)
	}
	return fmt.Errorf("%w: %s: %w", hsm.ErrUnavailable, what, err)
}

// lostCode reports whether a return value means that sessions, objects or the
// token are not what they were.
func lostCode(code p11.Error) bool {
	switch code {
	case p11.CKR_DEVICE_ERROR, p11.CKR_DEVICE_REMOVED, p11.CKR_TOKEN_NOT_PRESENT, p11.CKR_TOKEN_NOT_RECOGNIZED,
		p11.CKR_SESSION_HANDLE_INVALID, p11.CKR_SESSION_CLOSED, p11.CKR_USER_NOT_LOGGED_IN, p11.CKR_OBJECT_HANDLE_INVALID,
		p11.CKR_KEY_HANDLE_INVALID, p11.CKR_UNWRAPPING_KEY_HANDLE_INVALID, p11.CKR_WRAPPING_KEY_HANDLE_INVALID,
		p11.CKR_CRYPTOKI_NOT_INITIALIZED, p11.CKR_SLOT_ID_INVALID,
		p11.CKR_OPERATION_ACTIVE: // an operation failed half way; only a new session is sure to be clean
		return true
	}
	return false
}
