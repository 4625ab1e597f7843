// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"tapswitch/internal/env"
	"tapswitch/switch/txn"
)

// The bounds of the port. A message under way to an acquirer is waited for as long
// as most answers take; whoever needs longer asks again.
const (
	servedMax  = 8
	readTime   = 5 * time.Second
	writeTime  = 5 * time.Second
	actTime    = 15 * time.Second
	leaveTime  = 500 * time.Millisecond
	leaveMax   = 1 << 20
	acceptWait = 100 * time.Millisecond // after an accept that failed
)

// Server serves a listener.
type Server struct {
	listener net.Listener
	desk     Desk
	world    env.Env

	mu     sync.Mutex
	served int
	closed bool
	ended  sync.WaitGroup
}

// NewServer makes a server of a listener; Run serves it.
func NewServer(l net.Listener, d Desk, world env.Env) *Server {
	return &Server{listener: l, desk: d, world: world}
}

// Run serves until Close.
func (s *Server) Run() {
	for {
		c, err := s.listener.Accept()
		switch enter := s.enter(err == nil); {
		case enter == shut:
			if c != nil {
				c.Close()
			}
			return
		case err != nil: // such as no file descriptor left
			s.world.Waits.NewEvent().Wait(s.world.Clock.Mono().Add(acceptWait))
		case enter == full:
			s.turnAway(c, Reply{Error: Crowded, Text: "too many ask at the same time: try again"})
		default:
			s.world.Start(func() {
				defer s.ended.Done()
				s.serve(c)
			})
		}
	}
}

type entry int

const (
	free entry = iota
	full
	shut
)

// enter takes a place for a connection, when there is one to be had.
func (s *Server) enter(wanted bool) entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return shut
	case !wanted:
		return free
	case s.served == servedMax:
		return full
	}
	s.served++
	s.ended.Add(1)
	return free
}

// Close takes no more requests and waits for those that are being carried out.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := s.listener.Close()
	s.ended.Wait()
	return err
}

// serve carries out the one request of a connection.
func (s *Server) serve(c net.Conn) {
	defer func() {
		s.mu.Lock()
		s.served--
		s.mu.Unlock()
	}()
	if c.SetReadDeadline(s.world.Clock.Now().Add(readTime)) != nil {
		c.Close()
		return
	}
	line, err := bufio.NewReaderSize(c, RequestMax).ReadSlice('\n')
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		c.Close() // it is gone, or says nothing
		return
	}
	var r Request
	if err == nil {
		r, err = ParseRequest(line)
	} else {
		err = errors.New("the request is no line of at most 2048 bytes")
	}
	if err != nil {
		s.turnAway(c, Reply{Error: BadRequest, Text: err.Error()})
		return
	}
	s.answer(c, s.carryOut(r))
	c.Close()
}

// turnAway answers a request that was not read to its end. Closed at once, the
// connection would break off under the reply.
func (s *Server) turnAway(c net.Conn, r Reply) {
	defer c.Close()
	s.answer(c, r)
	if c.SetReadDeadline(s.world.Clock.Now().Add(leaveTime)) == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(c, leaveMax)) // until it has gone
	}
}

func (s *Server) carryOut(r Request) Reply {
	if r.Do == List {
		limit := r.Limit
		if limit == 0 {
			limit = ListMax
		}
		items, more, err := s.desk.List(r.Link, limit)
		if err != nil {
			return refused(err)
		}
		return Reply{Items: items, More: more}
	}
	a := r.Act()
	a.At = s.world.Clock.Now()
	if a.What == txn.Settled {
		cases, err := s.desk.CloseUpload(r.Upload, a)
		if err != nil {
			return refused(err)
		}
		return Reply{Cases: cases}
	}
	it, err := s.desk.Act(r.Of(), a, s.world.Clock.Mono().Add(actTime))
	if err != nil {
		return refused(err)
	}
	return Reply{Item: &it}
}

func refused(err error) Reply {
	var no *Refusal
	if !errors.As(err, &no) {
		no = &Refusal{Word: Failed, Text: "nobody can say whether this was stored; the log says why: " + err.Error()}
	}
	return Reply{Error: no.Word, Text: no.Text}
}

// answer writes the reply. Whoever is gone by then finds in the journal what was
// done.
func (s *Server) answer(c net.Conn, r Reply) {
	r.Version = Version
	b, err := json.Marshal(r)
	if err != nil || c.SetWriteDeadline(s.world.Clock.Now().Add(writeTime)) != nil {
		return
	}
	_, _ = c.Write(append(b, '\n')) // nobody is left to be told
}
