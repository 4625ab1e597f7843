// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/internal/assert"
	"tapswitch/internal/env"
)

// worker is one session with its locked page. It serves one job at a time, or
// several in one go.
type worker struct {
	m          *Module
	room       *clear.Room
	session    p11.SessionHandle
	generation uint64 // of the link the session belongs to
	held       []*entry
	orphans    []p11.ObjectHandle // objects the module would not destroy yet
	id         []byte             // scratch: what names a key in the cache
	scratch    *scratch
	nearby     nearby

	ciphers     []*roomCipher // made once; blockCipher lends the next one
	ciphersUsed int

	// For lots of more than one job (coalesce.go).
	maxLot  int
	lanes   []*lane
	lot     *clear.Room          // blocks of several jobs in one call
	running []*lane              // scratch
	like    []*blocks            // scratch
	hand    func(b blocks) error // set in a lane: how it asks for blocks

	// The coroutine that serves the jobs (turns).
	turn  func() (answered, more bool)
	stop  func()
	yield func(answered bool) bool
	state atomic.Int32
	left  chan struct{} // the caller that was stood in for is out

	// Under the pool's lock.
	jobs   []*job   // under way
	key    *hsm.Key // that the first of them is under, until others are looked for
	began  env.Mono // when they were given to it
	done   uint     // turns so far
	queued bool     // they waited, and none of their callers runs the worker
	ended  []*job   // scratch of pool.next
	stuck  bool     // a caller gave up on one of the jobs
}

// The states of a worker.
const (
	resting   int32 = iota
	running         // in the module, perhaps
	abandoned       // still there, and its caller is not
)

// scratch takes results. It stands apart because memory handed to C must not
// share an allocation with Go pointers.
type scratch struct {
	block [8]byte
	sum   [16]byte
}

func (m *Module) startWorkers(rooms []*clear.Room) {
	p := &m.pool
	for _, room := range rooms {
		w := &worker{m: m, room: room, scratch: new(scratch), left: make(chan struct{}, 1), jobs: make([]*job, 0, maxLot)}
		w.maxLot = min(maxLot, m.cfg.Cache/(4*m.cfg.Sessions)) // each lane may hold keys
		w.turn, w.stop = iter.Pull(w.turns)
		p.workers = append(p.workers, w)
	}
	p.idle = append(p.idle, p.workers...)
	p.gone.Add(len(p.workers))
	p.alarm, p.wakes = m.world.Waits.NewEvent(), env.Never
	m.watchdog.Go(func() { p.watch(func() { m.suspect.Store(true) }) })
}

// Close stops the workers and ends the use of the module. Calls under way end
// first; a call that hangs in the module is left behind with its session.
func (m *Module) Close() error {
	if m.closed.Swap(true) {
		return nil
	}
	m.pool.close()
	gone := m.world.Waits.NewEvent()
	go func() {
		m.pool.gone.Wait()
		m.pool.close() // wakes the watchdog: nobody is left to watch
		m.watchdog.Wait()
		gone.Wake()
	}()
	if !gone.Wait(m.world.Clock.Mono().Add(m.cfg.Timeout)) {
		return fmt.Errorf("%w: a call hangs in the module; its session is left open", hsm.ErrUnavailable)
	}
	m.lib.leave(m)
	return nil
}

// A call that hangs in C cannot be left by the goroutine that made it, and yet
// its caller must go on in time. So each worker is a coroutine: its caller
// switches to it and sleeps, without the scheduler's help, which is dear (waking
// another goroutine costs more than the module's work on many machines). When
// the caller's time is over, the watchdog has another goroutine stand in for it:
// that one switches to the coroutine's caller in place of the worker, and takes
// its place asleep until the module answers.
//
// Jobs that had to wait are done by a goroutine that nobody waits for as such
// (drain): it goes on from one to the next without waking anybody but those whose
// job is done.
//
// As coroutines do, a worker runs on the thread of its caller: who has locked
// its goroutine to a thread (runtime.LockOSThread) cannot use a Module.

// turns is the coroutine of a worker: the jobs it is given, one turn after the
// other. It ends when the worker stops, or at the end of a turn whose caller was
// stood in for.
func (w *worker) turns(yield func(answered bool) bool) {
	w.yield = yield
	for more := true; more; more = yield(true) {
		w.state.Store(running)
		w.serve()
		if !w.state.CompareAndSwap(running, resting) {
			<-w.left // the caller must be out of turn() before the coroutine ends
			w.state.Store(resting)
			return
		}
	}
}

// lead runs w for its one job, the caller's own. It returns when that one is
// answered.
func (p *pool) lead(w *worker) {
	if answered, _ := w.turn(); !answered {
		w.left <- struct{}{}
		return
	}
	if p.next(w) {
		go p.drain(w)
	}
}

// drain runs w for jobs that waited, until none does.
func (p *pool) drain(w *worker) {
	for more := true; more; more = p.next(w) {
		w.turn()
	}
}

// standIn lets the caller of a worker go whose time is over, and waits in its
// place for the module. The worker then gets a new coroutine.
func (w *worker) standIn() {
	w.yield(false)
	if w.state.Load() != resting {
		assert.Fail("pkcs11: a job ended in a panic after its caller had left")
	}
	w.turn, w.stop = iter.Pull(w.turns)
	if w.m.pool.next(w) {
		w.m.pool.drain(w)
	}
}

// serve does the worker's jobs on a link that is up.
func (w *worker) serve() {
	var err error
	if w.m.lost.Load() != nil {
		err = w.revive()
	}
	if err == nil {
		w.m.gate.RLock()
		defer w.m.gate.RUnlock()
		if !w.isReady() {
			err = w.ready()
		}
	}
	if err == nil && len(w.jobs) == 1 {
		w.serveOne(w.jobs[0])
		return
	}
	w.serveAll(err)
}

// serveAll does several jobs, or fails all with err.
func (w *worker) serveAll(err error) {
	if err == nil {
		w.serveLot(w.jobs)
		return
	}
	for _, j := range w.jobs {
		j.err = err
	}
}

func (w *worker) serveOne(j *job) {
	j.err = j.task.run(w)
	w.tidy()
}

// tidy leaves nothing of a job behind.
func (w *worker) tidy() {
	w.room.Wipe()
	w.ciphersUsed = 0
	if len(w.held) > 0 {
		w.release()
	}
}

func (w *worker) release() {
	for i, e := range w.held {
		w.m.cache.release(e)
		w.held[i] = nil
	}
	w.held = w.held[:0]
}

// do has work done by a worker and waits for it, no longer than the time-out or
// the caller's deadline. After an error the caller must not read what work wrote.
func (m *Module) do(ctx context.Context, work func(w *worker) error) error {
	return m.submit(ctx, nil, work)
}

// submit is do for work that with a key may be served together with others under it.
func (m *Module) submit(ctx context.Context, key *hsm.Key, work func(w *worker) error) error {
	j, ok := m.jobs.Get().(*job)
	if !ok {
		j = newJob()
	}
	j.task = workFunc(work)
	err := m.serve(ctx, key, j)
	if j.gaveUp == nil { // else the worker may still be at it: the job is not used again
		j.task = nil
		m.jobs.Put(j)
	}
	return err
}

// serve is the way of a job to a worker and back.
func (m *Module) serve(ctx context.Context, key *hsm.Key, j *job) error {
	if err := ctx.Err(); err != nil {
		return left(err)
	}
	if m.lost.Load() != nil {
		if err := m.refuseWhileLost(); err != nil {
			return err
		}
	}
	j.key, j.since, j.err = key, m.world.Clock.Mono(), nil
	j.until = m.until(ctx, j.since)
	w, err := m.pool.enter(j)
	if err != nil {
		return err
	}
	if w != nil {
		m.pool.lead(w)
	} else {
		<-j.done // answered by a worker, or by the watchdog
	}
	if j.gaveUp != nil {
		return j.gaveUp
	}
	j.key = nil
	return j.err
}

func left(err error) error {
	return fmt.Errorf("%w: the caller left: %w", hsm.ErrUnavailable, err)
}

// until is the end of a caller's patience.
func (m *Module) until(ctx context.Context, now env.Mono) env.Mono {
	if end, ok := ctx.Deadline(); ok {
		return now.Add(max(0, min(m.cfg.Timeout, end.Sub(m.world.Clock.Now()))))
	}
	return now.Add(m.cfg.Timeout)
}

// fault turns an error of the module into what callers know, and remembers
// that something is wrong with the link.
func (w *worker) fault(what string, err error) error {
	var code p11.Error
	if errors.As(err, &code) && lostCode(code) {
		w.m.lose(fmt.Errorf("%s: %w", what, err))
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
		p11.CKR_PIN_LOCKED, p11.CKR_PIN_EXPIRED,
		p11.CKR_OPERATION_ACTIVE: // an operation failed half way; only a new session is sure to be clean
		return true
	}
	return false
}
