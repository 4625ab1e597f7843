// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"tapswitch/internal/env"
)

// windowBytes is how much one direction holds before a writer waits.
const windowBytes = 64 << 10

// Conn is one end of a connection.
type Conn struct {
	link          *link
	in, out       *stream
	local, remote addr
}

var _ net.Conn = (*Conn)(nil)

// link is what both ends share: one lock, one signal, one clock.
type link struct {
	mu      sync.Mutex
	changed *sync.Cond
	clock   *Clock
	broken  bool
}

// stream is one direction.
type stream struct {
	data     []byte
	ended    bool  // the writer closed
	deaf     bool  // the reader closed
	cutAfter int64 // bytes until the connection breaks; negative is never
	readBy   deadline
	writeBy  deadline
}

// deadline is a wall time turned into a timer on the fake clock.
type deadline struct {
	set    bool
	passed bool
	timer  *timer
}

func newConnPair(clock *Clock, near, far addr) (*Conn, *Conn) {
	l := &link{clock: clock}
	l.changed = sync.NewCond(&l.mu)
	there, back := &stream{cutAfter: -1}, &stream{cutAfter: -1}
	return &Conn{link: l, in: back, out: there, local: near, remote: far},
		&Conn{link: l, in: there, out: back, local: far, remote: near}
}

// Break resets the connection: both ends fail from now on, what was in flight
// is lost.
func (c *Conn) Break() {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	c.link.broken = true
	c.in.data, c.out.data = nil, nil
	c.link.changed.Broadcast()
}

// BreakAfter lets n more bytes be written by this end and then resets the
// connection in the middle of the write; those n bytes arrive.
func (c *Conn) BreakAfter(n int) {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	c.out.cutAfter = int64(n)
}

func (c *Conn) gone() bool {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	return c.link.broken || c.out.ended
}

// Read takes what has arrived, or waits for it.
func (c *Conn) Read(p []byte) (int, error) {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	for {
		switch {
		case c.in.deaf:
			return 0, c.fail("read", net.ErrClosed)
		case c.in.readBy.passed:
			return 0, c.fail("read", os.ErrDeadlineExceeded)
		case len(p) == 0:
			return 0, nil
		case len(c.in.data) > 0:
			n := copy(p, c.in.data)
			c.in.data = c.in.data[n:]
			c.link.changed.Broadcast()
			return n, nil
		case c.link.broken:
			return 0, c.fail("read", syscall.ECONNRESET)
		case c.in.ended:
			return 0, io.EOF
		}
		c.link.changed.Wait()
	}
}

// Write puts p on its way, waiting while the other end does not read.
func (c *Conn) Write(p []byte) (int, error) {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	done := 0
	for {
		switch {
		case c.out.ended:
			return done, c.fail("write", net.ErrClosed)
		case c.out.writeBy.passed:
			return done, c.fail("write", os.ErrDeadlineExceeded)
		case c.link.broken:
			return done, c.fail("write", syscall.ECONNRESET)
		case c.out.deaf:
			return done, c.fail("write", syscall.EPIPE)
		case done == len(p):
			return done, nil
		}
		n := c.send(p[done:])
		done += n
		if n == 0 && !c.link.broken {
			c.link.changed.Wait()
		}
	}
}

// send moves what the window and the ordered cut allow. The lock is held.
func (c *Conn) send(p []byte) int {
	n := min(len(p), windowBytes-len(c.out.data))
	if cut := c.out.cutAfter; cut >= 0 {
		n = min(n, int(cut))
		c.out.cutAfter -= int64(n)
		if c.out.cutAfter == 0 {
			c.link.broken = true
		}
	}
	c.out.data = append(c.out.data, p[:n]...)
	c.link.changed.Broadcast()
	return n
}

// Close ends both directions of this end; what was written still arrives.
func (c *Conn) Close() error {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	if c.out.ended && c.in.deaf {
		return c.fail("close", net.ErrClosed)
	}
	c.out.ended, c.in.deaf = true, true
	c.link.stop(&c.in.readBy)
	c.link.stop(&c.out.writeBy)
	c.link.changed.Broadcast()
	return nil
}

// CloseWrite ends the writing direction alone.
func (c *Conn) CloseWrite() error {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	c.out.ended = true
	c.link.changed.Broadcast()
	return nil
}

// LocalAddr is this end.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the other end.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines, in wall time of the fake clock.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets the time after which Read fails; the zero time is never.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.in.readBy, t) }

// SetWriteDeadline sets the time after which Write fails; the zero time is never.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.out.writeBy, t) }

func (c *Conn) setDeadline(d *deadline, t time.Time) error {
	at := env.Never
	if !t.IsZero() {
		at = c.link.clock.Mono().Add(t.Sub(c.link.clock.Now()))
	}
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	c.link.stop(d)
	if at != env.Never {
		c.link.start(d, at)
	}
	c.link.changed.Broadcast()
	return nil
}

// start and stop are called with the link's lock held; the clock's lock is
// always the inner one, and fire is called without it.
func (l *link) start(d *deadline, at env.Mono) {
	d.set = true
	var mine *timer
	mine, waiting := l.clock.set(at, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if d.set && d.timer == mine {
			d.passed = true
			l.changed.Broadcast()
		}
	})
	d.timer = mine
	d.passed = !waiting
}

func (l *link) stop(d *deadline) {
	if d.timer != nil {
		l.clock.unset(d.timer)
	}
	*d = deadline{}
}

func (c *Conn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "fake", Source: c.local, Addr: c.remote, Err: err}
}
