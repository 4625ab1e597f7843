// SPDX-License-Identifier: Apache-2.0

package listen

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"tapswitch/internal/env"
)

// Server is one listener and its connections.
type Server struct {
	cfg      Config
	handler  Handler
	listener net.Listener
	ctx      context.Context // of handlers
	cancel   context.CancelFunc
	messages gate
	pool     sync.Pool // of *buffer

	closing atomic.Bool
	stop    env.Event // woken with closing
	mu      sync.Mutex
	conns   map[uint64]*conn
	last    uint64    // number given to a connection
	empty   env.Event // not nil while Close waits; woken when the last connection is gone
}

// buffer holds one frame.
type buffer struct{ b []byte }

// Listen opens the listener and serves until Close.
func Listen(cfg Config, h Handler) (*Server, error) {
	cfg = cfg.Defaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	l, err := cfg.Env.Net.Listen(cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", cfg.Address, err)
	}
	s := &Server{
		cfg: cfg, handler: h, listener: l,
		messages: gate{waits: cfg.Env.Waits, free: cfg.MaxMessages},
		stop:     cfg.Env.Waits.NewEvent(),
		conns:    map[uint64]*conn{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.pool.New = func() any { return &buffer{} }
	go s.accept()
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Connections is how many are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// The pause after an Accept that failed: the system is short of descriptors or
// memory, and trying at once would only burn the processor.
const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

func (s *Server) accept() {
	pause := acceptPauseMin
	for {
		c, err := s.listener.Accept()
		if s.closing.Load() {
			if err == nil {
				_ = c.Close() // nothing was read from it
			}
			return
		}
		if err != nil {
			s.count(ReasonAccept)
			s.stop.Wait(s.cfg.Env.Clock.Mono().Add(pause))
			pause = min(2*pause, acceptPauseMax)
			continue
		}
		pause = acceptPauseMin
		s.admit(c)
	}
}

// admit starts a connection, or closes it when there are enough.
func (s *Server) admit(n net.Conn) {
	s.mu.Lock()
	if s.closing.Load() || len(s.conns) >= s.cfg.MaxConnections {
		s.mu.Unlock()
		s.count(ReasonTooMany)
		_ = n.Close() // nothing was read from it
		return
	}
	s.last++
	c := newConn(s, s.last, n)
	s.conns[c.id] = c
	s.mu.Unlock()
	go c.run()
}

// forget takes a closed connection off the list.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c.id)
	if len(s.conns) == 0 && s.empty != nil {
		s.empty.Wake()
	}
}

// Close stops accepting and reading, and waits until the messages in flight are
// answered. When until comes first, it ends the handlers' context and cuts the
// connections that are left; it returns how many.
func (s *Server) Close(until env.Mono) (cut int) {
	s.mu.Lock()
	s.closing.Store(true)
	s.empty = s.cfg.Env.Waits.NewEvent()
	if len(s.conns) == 0 {
		s.empty.Wake()
	}
	empty := s.empty
	for _, c := range s.conns {
		c.stopReading()
	}
	s.mu.Unlock()
	s.stop.Wake()
	_ = s.listener.Close() // at worst it is closed already
	empty.Wait(until)
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.raw.Close() // its handlers are told by the context
	}
	return len(s.conns)
}

func (s *Server) count(reason string) {
	if s.cfg.Count != nil {
		s.cfg.Count(reason)
	}
}

// run is the life of a connection.
func (c *conn) run() {
	s := c.server
	defer s.forget(c)
	if t, ok := c.line.(*tls.Conn); ok && !c.handshake(t) {
		return
	}
	for !s.closing.Load() && !c.ending.Load() {
		c.slots.enter(env.Never)
		m, buf, reason := c.next()
		if reason != "" {
			s.count(reason)
			c.slots.leave()
			break
		}
		if m.At == 0 { // stopped between two messages
			c.slots.leave()
			break
		}
		if !s.messages.enter(s.cfg.Env.Clock.Mono().Add(s.cfg.AdmitTime)) {
			s.count(ReasonProcessFull)
			s.putBuffer(buf)
			c.slots.leave()
			break
		}
		go c.serve(m, buf)
	}
	for range s.cfg.PerConnection { // until the last answer is written
		c.slots.enter(env.Never)
	}
	_ = c.line.Close() // all that was to be said is said
}

// serve is the life of one message.
func (c *conn) serve(m Message, buf *buffer) {
	s := c.server
	reply := s.handler.Serve(s.ctx, m)
	delivery := NotWritten
	if len(reply.Frame.Body) > 0 {
		delivery = c.answer(reply)
	}
	if reply.Done != nil {
		reply.Done(delivery)
	}
	s.putBuffer(buf)
	if reply.Close {
		c.stopReading()
	}
	s.messages.leave()
	c.slots.leave()
}
