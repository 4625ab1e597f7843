// SPDX-License-Identifier: Apache-2.0

package link

import (
	"fmt"
	"net"
	"sync"

	"tapswitch/internal/env"
	"tapswitch/iso8583/frame"
)

// Request is one message that wants an answer.
type Request struct {
	Key      Key
	Body     []byte // not kept after Exchange
	Deadline env.Mono
}

// waiter is one call of Exchange. Its fields are guarded by the link's lock.
type waiter struct {
	done  env.Event
	wire  *wire
	slot  int
	ended bool   // the slot is no more the waiter's
	reply []byte // not nil when answered in time
	err   error  // else why not
}

// Exchange sends a request and waits for its answer, which belongs to the
// caller. An error is ErrNotSent or ErrNoAnswer, see there.
//
// What decides between them is the connection's Write alone: once it was
// called, ErrNotSent means that it returned an error and no byte.
func (l *Link) Exchange(req Request) ([]byte, error) {
	deadline := min(req.Deadline, l.cfg.Env.Clock.Mono().Add(l.cfg.Timeout))
	out, err := l.cfg.Frame.Append(nil, frame.Frame{Body: req.Body})
	if err != nil {
		return nil, l.notSent(fmt.Errorf("%w: %w", ErrFrame, err))
	}
	defer clear(out) // card data
	w, err := l.begin(req.Key, deadline)
	if err != nil {
		return nil, l.notSent(err)
	}
	if err := l.send(w, out, deadline); err != nil {
		return l.sendFailed(w, err)
	}
	w.done.Wait(deadline)
	return l.finish(w, ErrTimeout)
}

// begin chooses a connection in service and takes a slot of the table.
func (l *Link) begin(key Key, deadline env.Mono) (*waiter, error) {
	now := l.cfg.Env.Clock.Mono()
	if now >= deadline {
		return nil, ErrDeadline
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c, err := l.pick()
	if err != nil {
		return nil, err
	}
	slot, err := l.table.Add(now, key, c.session.Generation(), deadline)
	if err != nil {
		return nil, err
	}
	c.wire.inFlight++
	w := &waiter{done: l.cfg.Env.Waits.NewEvent(), wire: c.wire, slot: slot}
	l.wait[slot] = w
	return w, nil
}

// pick takes the connections in service in turn.
func (l *Link) pick() (*conn, error) {
	worst := ErrDown
	for range l.conns {
		c := l.conns[l.turn]
		l.turn = (l.turn + 1) % len(l.conns)
		switch c.session.State() {
		case Up:
			return c, nil
		case Suspect:
			worst = ErrHostSilent
		case Draining, SigningOff, Ended:
			if worst == ErrDown {
				worst = ErrSignedOff
			}
		}
	}
	return nil, worst
}

// sendError is a write that failed: n bytes were taken.
type sendError struct {
	n   int
	err error
}

func (l *Link) send(w *waiter, out []byte, deadline env.Mono) *sendError {
	n, err := w.wire.write(out, deadline)
	if err == nil {
		return nil
	}
	return &sendError{n, err}
}

// sendFailed ends an exchange whose write failed. An answer that came all the
// same wins: the request may be a repeat, and its original was answered.
func (l *Link) sendFailed(w *waiter, failed *sendError) ([]byte, error) {
	if failed.n > 0 {
		return l.finish(w, fmt.Errorf("%w: %w", ErrLost, failed.err))
	}
	l.mu.Lock()
	if w.reply != nil {
		l.mu.Unlock()
		return w.reply, nil
	}
	if !w.ended {
		l.release(w)
		l.table.Forget(w.slot)
		l.drained(w.wire.conn)
	}
	l.mu.Unlock()
	return nil, l.notSent(failed.err)
}

// finish gives the answer, or ErrNoAnswer with the reason that ended the wait
// or, when nothing did, with why.
func (l *Link) finish(w *waiter, why error) ([]byte, error) {
	l.mu.Lock()
	if !w.ended {
		w.err = why
		l.release(w)
		l.table.GiveUp(l.cfg.Env.Clock.Mono(), w.slot)
	}
	if w.err == ErrTimeout {
		w.wire.conn.step(Event{Kind: TimedOut, Generation: w.wire.generation})
	}
	l.drained(w.wire.conn)
	reply, err := w.reply, w.err
	l.mu.Unlock()
	if reply != nil {
		return reply, nil
	}
	if err == ErrTimeout {
		l.count(CountTimeout)
	} else {
		l.count(CountLost)
	}
	return nil, fmt.Errorf("%w: link %s: %w", ErrNoAnswer, l.cfg.Name, err)
}

// release parts a waiter from its slot. The lock is held.
func (l *Link) release(w *waiter) {
	w.ended = true
	w.wire.inFlight--
	l.wait[w.slot] = nil
}

// drained tells a connection that signs off when its last request is over. The
// lock is held.
func (l *Link) drained(c *conn) {
	if c.session.State() == Draining && c.wire != nil && c.wire.inFlight == 0 {
		c.step(Event{Kind: Drained})
	}
}

func (l *Link) notSent(reason error) error {
	l.count(CountNotSent)
	return fmt.Errorf("%w: link %s: %w", ErrNotSent, l.cfg.Name, reason)
}

// wire is one connection from dial to close.
type wire struct {
	conn       *conn
	generation uint32
	net        net.Conn
	inFlight   int // guarded by the link's lock

	mu     sync.Mutex // one writer at a time
	broken bool       // a write failed or the connection was closed: nothing is written any more
}

// write puts one whole frame on the connection and returns how many bytes may
// have left. After a failure the stream is out of step, so it is closed.
func (w *wire) write(out []byte, deadline env.Mono) (int, error) {
	clock := w.conn.link.cfg.Env.Clock
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken {
		return 0, ErrDown
	}
	if clock.Mono() >= deadline { // others wrote for too long
		return 0, ErrDeadline
	}
	if err := w.net.SetWriteDeadline(clock.Now().Add(w.conn.link.cfg.WriteTimeout)); err != nil {
		w.breakOff()
		return 0, fmt.Errorf("%w: %w", ErrWriteFailed, err)
	}
	n, err := w.net.Write(out)
	if err == nil && n == len(out) {
		return n, nil
	}
	w.breakOff()
	if err == nil {
		err = fmt.Errorf("link: connection took %d of %d bytes without an error", n, len(out))
	}
	if n == 0 {
		err = fmt.Errorf("%w: %w", ErrWriteFailed, err)
	}
	return n, err
}

// breakOff closes the connection after a failed write; its reader notices and
// tells the session.
func (w *wire) breakOff() {
	w.broken = true
	_ = w.net.Close() // the write's own error says more
}
