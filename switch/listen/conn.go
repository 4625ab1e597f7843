// SPDX-License-Identifier: Apache-2.0

package listen

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"tapswitch/internal/env"
	"tapswitch/iso8583/frame"
)

// conn is one connection. Its reader alone calls next.
type conn struct {
	server *Server
	id     uint64
	raw    *counted
	line   net.Conn // raw, or TLS over it
	slots  gate
	ending atomic.Bool // nothing more is read

	started env.Mono // first byte of the message being read, 0 before it

	turn   gate // one answer at a time, in the order they were ready
	broken bool // a write failed: the stream is out of step. Belongs to whose turn it is
}

func newConn(s *Server, id uint64, n net.Conn) *conn {
	c := &conn{server: s, id: id, raw: &counted{Conn: n}}
	c.slots = gate{waits: s.cfg.Env.Waits, free: s.cfg.PerConnection}
	c.turn = gate{waits: s.cfg.Env.Waits, free: 1}
	c.line = c.raw
	if s.cfg.TLS != nil {
		c.line = tls.Server(c.raw, s.cfg.TLS)
	}
	return c
}

// counted counts the bytes that may have left, under whatever is above.
type counted struct {
	net.Conn
	wrote atomic.Int64
}

// Write counts what the system took.
func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.wrote.Add(int64(n))
	return n, err
}

// handshake is bounded like a message.
func (c *conn) handshake(t *tls.Conn) bool {
	cfg := &c.server.cfg
	err := c.raw.SetDeadline(cfg.Env.Clock.Now().Add(cfg.MessageTime))
	if err == nil {
		err = t.HandshakeContext(c.server.ctx)
	}
	if err != nil {
		c.server.count(ReasonHandshake)
		_ = c.raw.Close() // nothing was agreed
	}
	return err == nil
}

// stopReading makes the reader come to its end; answers are still written.
func (c *conn) stopReading() {
	c.ending.Store(true)
	_ = c.raw.SetReadDeadline(time.Unix(1, 0)) // fails only on a closed connection
}

// next reads one message. A reason means that the connection is at its end; so
// does a message without time, for which there is nothing to count.
func (c *conn) next() (Message, *buffer, string) {
	f := &c.server.cfg.Frame
	for {
		c.started = 0
		if err := c.await(c.server.cfg.IdleTime); err != nil {
			return Message{}, nil, ReasonLost
		}
		if c.ending.Load() || c.server.closing.Load() { // after the deadline was set, so that neither is missed
			return Message{}, nil, ""
		}
		n, err := f.ReadLength(c)
		if err != nil {
			if c.goesOn(err) {
				continue
			}
			return Message{}, nil, c.reason(err)
		}
		buf := c.server.getBuffer(n)
		fr, _, err := f.ReadBody(c, n, buf.b)
		if err != nil {
			c.server.putBuffer(buf)
			return Message{}, nil, c.reason(err)
		}
		return Message{Conn: c.id, Remote: c.raw.RemoteAddr().String(), Frame: fr, At: c.started}, buf, ""
	}
}

// Read is what frames are read from: with the first byte of a message the time
// for the whole of it begins.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.line.Read(p)
	if n > 0 && c.started == 0 {
		c.started = c.server.cfg.Env.Clock.Mono()
		if e := c.await(c.server.cfg.MessageTime); err == nil {
			err = e
		}
	}
	return n, err
}

// await sets for how long reading may take.
func (c *conn) await(d time.Duration) error {
	return c.raw.SetReadDeadline(c.server.cfg.Env.Clock.Now().Add(d))
}

// goesOn tells whether a failed wait for the next message is only a connection
// that waits for its answers.
func (c *conn) goesOn(err error) bool {
	return c.started == 0 && timeout(err) && !c.ending.Load() && !c.server.closing.Load() && c.waiting()
}

// waiting reports messages in flight; the reader itself holds one slot.
func (c *conn) waiting() bool {
	c.slots.mu.Lock()
	defer c.slots.mu.Unlock()
	return c.slots.free < c.server.cfg.PerConnection-1
}

// reason names why a connection ends; nothing when we end it ourselves.
func (c *conn) reason(err error) string {
	var fe *frame.Error
	switch {
	case timeout(err) && c.started != 0:
		return ReasonTooSlow
	case timeout(err) && (c.ending.Load() || c.server.closing.Load()):
		return ""
	case timeout(err):
		return ReasonIdle
	case errors.As(err, &fe):
		return fe.Reason
	case errors.Is(err, io.EOF):
		return ReasonEnd
	}
	return ReasonLost
}

func timeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// answer writes one answer. After a failure the connection is closed: what
// follows half a frame could only be misread.
func (c *conn) answer(r Reply) Delivery {
	s := c.server
	buf := s.getBuffer(s.cfg.Frame.Max + lengthMax)
	defer s.putBuffer(buf)
	out, err := s.cfg.Frame.Append(buf.b[:0], r.Frame)
	if err != nil {
		s.count(ReasonAnswerForm)
		return NotWritten
	}
	c.turn.enter(env.Never) // not for long: every write has its deadline
	defer c.turn.leave()
	if c.broken {
		s.count(ReasonAnswerLost)
		return NotWritten
	}
	before := c.raw.wrote.Load()
	if err = c.raw.SetWriteDeadline(s.cfg.Env.Clock.Now().Add(s.cfg.WriteTime)); err == nil {
		_, err = c.line.Write(out)
	}
	if err == nil {
		return Written
	}
	c.broken = true
	_ = c.raw.Close() // the reader ends, too
	if c.raw.wrote.Load() == before {
		s.count(ReasonAnswerLost)
		return NotWritten
	}
	s.count(ReasonAnswerMaybe)
	return MaybeWritten
}

// lengthMax is the longest length field of a frame.
const lengthMax = 4

// getBuffer takes a buffer of n bytes.
func (s *Server) getBuffer(n int) *buffer {
	buf, ok := s.pool.Get().(*buffer)
	if !ok || cap(buf.b) < n {
		// One size for all, so that any buffer of the pool serves any frame.
		buf = &buffer{b: make([]byte, s.cfg.Frame.Max+lengthMax)}
	}
	buf.b = buf.b[:n]
	return buf
}

// putBuffer wipes a buffer, because it held card data, and gives it back.
func (s *Server) putBuffer(buf *buffer) {
	clear(buf.b[:cap(buf.b)])
	s.pool.Put(buf)
}
