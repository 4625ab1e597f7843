// SPDX-License-Identifier: Apache-2.0

package world

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"tapswitch/internal/env"
)

// errCut is what a broken line says.
var errCut = errors.New("world: the line is cut")

// lines is the network as one switch sees it: every address is a host.
type lines struct{ m *machine }

// Listen implements env.Network; terminals come by node's handler.
func (lines) Listen(string) (net.Listener, error) {
	return nil, errors.New("world: nothing listens here")
}

// Dial implements env.Network.
func (l lines) Dial(_ context.Context, address string) (net.Conn, error) {
	w := l.m.world
	h := w.host(address)
	w.sched.sleep(w.between(time.Millisecond, 20*time.Millisecond))
	if !h.up || l.m.group.dead {
		return nil, errCut
	}
	c := &line{w: w, m: l.m, host: h}
	h.lines = append(h.lines, c)
	return c, nil
}

// line is one connection of a switch to a host; the host's end is called, the
// switch's end is read by a coroutine.
type line struct {
	w      *World
	m      *machine
	host   *host
	in     []byte // on the way to the switch
	out    []byte // taken from the switch, not yet a whole frame
	closed bool
	arrive env.Event // of the reader that waits
}

// Read implements net.Conn.
func (c *line) Read(p []byte) (int, error) {
	for len(c.in) == 0 {
		if c.closed {
			return 0, io.EOF
		}
		e := c.w.sched.NewEvent()
		c.arrive = e
		e.Wait(env.Never)
	}
	n := copy(p, c.in)
	c.in = c.in[n:]
	return n, nil
}

// Write implements net.Conn. The seed may break the line in the middle of it.
func (c *line) Write(p []byte) (int, error) {
	if c.closed || c.m.group.dead {
		return 0, errCut
	}
	if c.w.trouble("write broken", 60) {
		n := 0
		switch c.w.rng.IntN(4) {
		case 0: // the line broke behind the last byte: the host has it all
			n = len(p)
			c.send(p)
		case 1:
			n = c.w.rng.IntN(len(p))
		}
		c.cut()
		return n, errCut
	}
	c.send(p)
	return len(p), nil
}

// send gives bytes to the host, which takes whole frames.
func (c *line) send(p []byte) {
	c.out = append(c.out, p...)
	for {
		body, rest, ok := c.host.split(c.out)
		if !ok {
			return
		}
		c.out = rest
		c.host.take(c, body)
	}
}

// deliver puts bytes before the switch's reader; false: nobody is there to read.
func (c *line) deliver(frame []byte) bool {
	if c.closed || c.m.group.dead {
		return false
	}
	c.in = append(c.in, frame...)
	c.wake()
	return true
}

func (c *line) wake() {
	if c.arrive != nil {
		c.arrive.Wake()
		c.arrive = nil
	}
}

// cut ends the line for both sides.
func (c *line) cut() {
	if !c.closed {
		c.closed = true
		c.wake()
	}
}

// Close implements net.Conn.
func (c *line) Close() error {
	c.cut()
	return nil
}

// address is a host's name.
type address string

// Network implements net.Addr.
func (address) Network() string { return "world" }

// String implements net.Addr.
func (a address) String() string { return string(a) }

// LocalAddr implements net.Conn.
func (c *line) LocalAddr() net.Addr { return address("switch") }

// RemoteAddr implements net.Conn.
func (c *line) RemoteAddr() net.Addr { return address(c.host.name) }

// SetDeadline, SetReadDeadline and SetWriteDeadline implement net.Conn: a line
// of the world takes bytes at once or is cut.
func (c *line) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (c *line) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (c *line) SetWriteDeadline(time.Time) error { return nil }
