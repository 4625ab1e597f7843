// SPDX-License-Identifier: Apache-2.0

package link

import (
	"context"
	"encoding/binary"
	"errors"
	"io"

	"tapswitch/internal/env"
	"tapswitch/iso8583/frame"
)

// conn is one connection's place in a link, through all its reconnects. Its
// fields are guarded by the link's lock.
type conn struct {
	link    *Link
	index   int
	session Session
	wire    *wire              // nil while there is none
	cancel  context.CancelFunc // of a dial
	todo    []Action           // network messages to send
	wake    env.Event          // of the driver
	armed   env.Mono           // until when the driver waits

	pending    Key // of the network request that waits for its answer
	pendingFor Do
	isPending  bool
	garbage    int // unreadable messages in a row
}

// Start begins to connect; it does not wait for it.
func (l *Link) Start() {
	for _, c := range l.conns {
		c.start()
	}
}

func (c *conn) start() {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	c.step(Event{Kind: Start})
	c.link.spawn(c.drive)
}

// spawn starts what Close waits for.
func (l *Link) spawn(fn func()) {
	l.run.Add(1)
	l.cfg.Env.Start(func() {
		defer l.run.Done()
		fn()
	})
}

// Close takes no more requests, waits for those in flight, signs off, and ends
// all connections, at the latest when until comes. Requests then still in
// flight end with ErrNoAnswer. Close returns when no goroutine is left.
func (l *Link) Close(until env.Mono) {
	l.mu.Lock()
	for _, c := range l.conns {
		c.step(Event{Kind: Drain})
		l.drained(c)
	}
	l.mu.Unlock()
	if !l.ended.Wait(until) {
		l.mu.Lock()
		for _, c := range l.conns { // draining or signing off: a lost connection ends both
			c.step(Event{Kind: Lost, Generation: c.session.Generation()})
		}
		l.mu.Unlock()
	}
	l.run.Wait()
}

// step advances the session and carries out what needs no waiting; what does is
// left to the driver. The link's lock is held.
func (c *conn) step(e Event) {
	before := c.session.State()
	if before == Ended {
		return
	}
	if e.Kind != Answered && e.Kind != TimedOut {
		e.Rand = c.link.random()
	}
	for _, a := range c.session.Step(c.link.cfg.Env.Clock.Mono(), e) {
		switch a.Do {
		case Dial:
			ctx, cancel := context.WithCancel(context.Background())
			c.cancel = cancel
			c.link.spawn(func() { c.connect(ctx, a) })
		case Close:
			c.close()
		default:
			c.todo = append(c.todo, a)
		}
	}
	after := c.session.State()
	if after != before && c.link.cfg.OnState != nil {
		c.link.cfg.OnState(c.index, after, c.session.Why())
	}
	if after == Ended {
		if c.link.live--; c.link.live == 0 {
			c.link.ended.Wake()
		}
	}
	if len(c.todo) > 0 || c.session.Due() < c.armed || after == Ended {
		c.wake.Wake()
	}
}

// random gives the jitter of the next try; without randomness, none.
func (l *Link) random() uint64 {
	var b [8]byte
	if _, err := io.ReadFull(l.cfg.Env.Rand, b[:]); err != nil {
		return 0
	}
	return binary.BigEndian.Uint64(b[:])
}

// close ends the connection or the dial, and every request in flight on it. The
// link's lock is held.
func (c *conn) close() {
	if c.cancel != nil {
		c.cancel()
		c.cancel = nil
	}
	c.todo, c.isPending = nil, false
	if c.wire == nil {
		return
	}
	w := c.wire
	c.wire = nil
	_ = w.net.Close() // nothing more is expected of it
	l := c.link
	for _, slot := range l.table.Break(l.cfg.Env.Clock.Mono(), w.generation, nil) {
		waits := l.wait[slot]
		waits.err = ErrLost
		l.release(waits)
		waits.done.Wake()
	}
}

// drive sends the session's network messages and tells it the time, until it
// ends.
func (c *conn) drive() {
	l := c.link
	for {
		l.mu.Lock()
		c.step(Event{Kind: Tick})
		if c.session.State() == Ended {
			l.mu.Unlock()
			return
		}
		todo, w := c.todo, c.wire
		c.todo = nil
		c.wake, c.armed = l.cfg.Env.Waits.NewEvent(), c.session.Due()
		wake, until := c.wake, c.armed
		l.mu.Unlock()
		for _, a := range todo {
			c.network(w, a)
		}
		wake.Wait(until)
	}
}

// network sends one network request of the session.
func (c *conn) network(w *wire, a Action) {
	l := c.link
	if w == nil || w.generation != a.Generation {
		return // closed in between
	}
	build := l.cfg.Protocol.Echo
	switch a.Do {
	case SendSignOn:
		build = l.cfg.Protocol.SignOn
	case SendSignOff:
		build = l.cfg.Protocol.SignOff
	}
	body, key, err := build()
	if err != nil {
		l.count(CountNetworkFailed)
		c.lost(w)
		return
	}
	l.mu.Lock()
	c.pending, c.pendingFor, c.isPending = key, a.Do, true
	l.mu.Unlock()
	c.put(w, body)
}

// put writes a network message; its failure is the connection's.
func (c *conn) put(w *wire, body []byte) {
	out, err := c.link.framed(body)
	if err != nil {
		c.link.count(CountNetworkFailed)
		c.lost(w)
		return
	}
	if _, err := w.write(out, env.Never); err != nil {
		c.lost(w)
	}
}

// lost tells the session that a connection broke.
func (c *conn) lost(w *wire) {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	c.step(Event{Kind: Lost, Generation: w.generation})
}

// connect opens a connection and reads it until it breaks.
func (c *conn) connect(ctx context.Context, a Action) {
	l := c.link
	conn, err := l.cfg.Env.Net.Dial(ctx, l.cfg.Addresses[a.Address])
	l.mu.Lock()
	if err != nil {
		c.step(Event{Kind: DialFailed, Generation: a.Generation})
		l.mu.Unlock()
		return
	}
	if c.session.State() != Dialing || c.session.Generation() != a.Generation {
		l.mu.Unlock()
		_ = conn.Close() // came too late; nothing was said on it
		return
	}
	w := newWire(c, a.Generation, conn)
	c.wire, c.garbage = w, 0
	c.step(Event{Kind: Connected, Generation: a.Generation})
	l.mu.Unlock()
	c.read(w)
	c.lost(w)
	_ = conn.Close() // when the session had left it already
}

// read takes the host's messages until the connection breaks or makes no sense.
func (c *conn) read(w *wire) {
	var buf []byte
	for {
		fr, next, err := c.link.cfg.Frame.Read(w.net, buf)
		if err != nil {
			if _, ok := errors.AsType[*frame.Error](err); ok {
				c.link.count(CountFrame)
			}
			clear(next[:cap(next)])
			return
		}
		ok := c.receive(w, fr.Body)
		buf = next
		clear(buf[:cap(buf)]) // card data
		if !ok {
			return
		}
	}
}

// receive deals with one message of the host; false gives the connection up.
func (c *conn) receive(w *wire, body []byte) bool {
	l := c.link
	key, kind, err := l.cfg.Protocol.Key(body)
	if err != nil {
		l.count(CountGarbage)
		c.garbage++
		return c.garbage < l.cfg.MaxGarbage
	}
	c.garbage = 0
	switch kind {
	case NetworkRequest:
		l.count(CountNetworkRequest)
		answer, err := l.cfg.Protocol.Answer(body)
		if err != nil {
			l.count(CountNetworkFailed)
			return true
		}
		c.put(w, answer)
	case NetworkResponse:
		return c.networkAnswer(w, key, l.cfg.Protocol.Accepted(body))
	case Response:
		c.answer(w, key, body)
	default:
		l.count(CountUnserved)
	}
	return true
}

// networkAnswer tells the session of the answer to its network request.
func (c *conn) networkAnswer(w *wire, key Key, accepted bool) bool {
	l := c.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if !c.isPending || key != c.pending || w != c.wire {
		l.count(CountNetworkUnknown)
		return true
	}
	c.isPending = false
	e := Event{Kind: EchoAnswered, Generation: w.generation}
	switch {
	case c.pendingFor == SendSignOff:
		e.Kind = SignedOff // whatever it says: we are leaving
	case c.pendingFor == SendSignOn && accepted:
		e.Kind = SignedOn
	case c.pendingFor == SendSignOn:
		e.Kind = Refused
	case !accepted: // the host does not take us for signed on
		l.count(CountEchoRefused)
		return false
	}
	c.step(e)
	return true
}

// answer gives an answer to the request that it belongs to, or to OnStray.
func (c *conn) answer(w *wire, key Key, body []byte) {
	l := c.link
	elsewhere := l.cfg.Elsewhere
	if elsewhere != nil { // other links are asked without our lock
		found := !l.Waits(key) && elsewhere(key)
		elsewhere = func(Key) bool { return found }
	}
	l.mu.Lock()
	r := l.table.Match(l.cfg.Env.Clock.Mono(), key, w.generation, elsewhere)
	if r.Slot >= 0 {
		waits := l.wait[r.Slot]
		waits.err = ErrTimeout
		if r.Outcome == Matched {
			waits.err, waits.reply = nil, append(make([]byte, 0, len(body)), body...)
			c.step(Event{Kind: Answered, Generation: w.generation})
		}
		l.release(waits)
		l.drained(waits.wire.conn)
		waits.done.Wake()
	}
	l.mu.Unlock()
	l.count(OutcomeCount(r.Outcome))
	if r.Outcome != Matched && l.cfg.OnStray != nil {
		l.cfg.OnStray(Stray{Link: l.cfg.Name, Outcome: r.Outcome, Key: key, Body: body})
	}
}
