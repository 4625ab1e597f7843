// SPDX-License-Identifier: Apache-2.0

package link

import (
	"fmt"

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
	out, err := l.framed(req.Body)
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

// finish gives the answer, or ErrNoAnswer with the reason. A failed write says
// more than the lost connection that follows from it.
func (l *Link) finish(w *waiter, why error) ([]byte, error) {
	l.mu.Lock()
	if !w.ended || why != ErrTimeout {
		w.err = why
	}
	if !w.ended {
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
	return nil, fmt.Errorf("link %s: %w: %w", l.cfg.Name, ErrNoAnswer, err)
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
	return fmt.Errorf("link %s: %w: %w", l.cfg.Name, ErrNotSent, reason)
}

// framed gives a message as it travels.
func (l *Link) framed(body []byte) ([]byte, error) {
	f := frame.Frame{Body: body}
	if l.cfg.Frame.HasHeader() {
		f.Header = l.cfg.Header(nil, len(body))
	}
	return l.cfg.Frame.Append(nil, f)
}
