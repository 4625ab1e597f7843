// SPDX-License-Identifier: Apache-2.0

package listen

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/iso8583/frame"
)

func TestConnections(t *testing.T) {
	scene(t, "byte by byte", nil, func(p *shop) {
		c := p.dial()
		for _, b := range message("sale", "void") {
			p.write(c, []byte{b})
		}
		p.expect(c, "ok sale")
		p.expect(c, "ok void")
		c.Close()
	})
	scene(t, "two messages in one write, answers in turn", nil, func(p *shop) {
		c := p.dial()
		p.write(c, message("slow 1", "sale"))
		p.expect(c, "ok sale") // a quick one does not wait for a slow one
		p.till.finish("slow 1")
		p.expect(c, "ok slow 1")
		c.Close()
	})
	scene(t, "ten at once, four at a time", nil, func(p *shop) {
		c := p.dial()
		var names []string
		for i := range 10 {
			names = append(names, fmt.Sprint("slow ", i))
		}
		p.write(c, message(names...))
		if p.till.now != 4 {
			p.t.Errorf("%d messages inside, want 4", p.till.now)
		}
		for i, name := range names {
			p.till.finish(name)
			p.expect(c, "ok "+name)
			synctest.Wait()
			if want := min(10, 5+i); len(p.till.got) != want {
				p.t.Errorf("after %d answers %d messages were read, want %d", i+1, len(p.till.got), want)
			}
		}
		if p.till.most != 4 {
			p.t.Errorf("%d messages at once", p.till.most)
		}
		c.Close()
	})
}

// How connections end, and answers that are none.
func TestEnds(t *testing.T) {
	scene(t, "half close: the answer still comes", nil, func(p *shop) {
		c := p.dial()
		p.write(c, message("slow 1"))
		if err := c.(*fake.Conn).CloseWrite(); err != nil {
			p.t.Error(err)
		}
		synctest.Wait()
		p.till.finish("slow 1")
		p.expect(c, "ok slow 1")
		p.expect(c, "EOF")
		p.counted(ReasonEnd, 1)
	})
	scene(t, "the handler closes", nil, func(p *shop) {
		c := p.dial()
		p.write(c, message("bye", "sale"))
		if got := read(c); got != "ok bye" && got != "ok sale" {
			p.t.Errorf("read %q", got)
		}
		synctest.Wait()
		if p.server.Connections() != 0 {
			p.t.Error("the connection is still there")
		}
	})
	scene(t, "no answer, and one that fits no frame", nil, func(p *shop) {
		c := p.dial()
		p.write(c, message("mute"))
		p.write(c, message("huge"))
		if got, want := p.till.told(), pad("mute")+" not_written, "+pad("huge")+" not_written"; got != want {
			p.t.Errorf("told %q, want %q", got, want)
		}
		p.counted(ReasonAnswerForm, 1)
		p.write(c, message("sale"))
		p.expect(c, "ok sale")
		c.Close()
	})
}

func TestBounds(t *testing.T) {
	scene(t, "slow loris", nil, func(p *shop) {
		c := p.dial()
		for _, b := range message("sale")[:15] { // a byte a second
			if _, err := c.Write([]byte{b}); err != nil {
				break
			}
			synctest.Wait()
			p.advance(1)
		}
		p.counted(ReasonTooSlow, 1)
		p.expect(c, "EOF")
	})
	scene(t, "slow loris does not stop the answers it waits for", nil, func(p *shop) {
		c := p.dial()
		p.write(c, message("slow 1"))
		p.write(c, []byte{0})
		p.advance(10)
		p.counted(ReasonTooSlow, 1)
		p.till.finish("slow 1")
		p.expect(c, "ok slow 1")
		p.expect(c, "EOF")
	})
	scene(t, "idle", nil, func(p *shop) {
		c := p.dial()
		p.write(c, message("sale"))
		p.expect(c, "ok sale")
		p.advance(599)
		p.counted(ReasonIdle, 0)
		p.advance(1)
		p.counted(ReasonIdle, 1)
		p.expect(c, "EOF")
	})
	scene(t, "not idle while a message waits", nil, func(p *shop) {
		c := p.dial()
		p.write(c, message("slow 1"))
		p.advance(1500)
		p.till.finish("slow 1")
		p.expect(c, "ok slow 1")
		p.advance(600)
		p.counted(ReasonIdle, 1)
	})
}

func TestCrowds(t *testing.T) {
	scene(t, "too many connections", func(c *Config) { c.MaxConnections = 2 }, func(p *shop) {
		a, b := p.dial(), p.dial()
		synctest.Wait()
		p.expect(p.dial(), "EOF")
		p.counted(ReasonTooMany, 1)
		a.Close()
		synctest.Wait()
		c := p.dial()
		p.write(c, message("sale"))
		p.expect(c, "ok sale")
		b.Close()
		c.Close()
	})
	scene(t, "too many messages", func(c *Config) { c.MaxMessages = 1 }, func(p *shop) {
		a, b, c := p.dial(), p.dial(), p.dial()
		p.write(a, message("slow 1"))
		p.write(b, message("sale"))
		p.till.finish("slow 1") // in time
		p.expect(a, "ok slow 1")
		p.expect(b, "ok sale")
		p.write(a, message("slow 2"))
		p.write(c, message("sale"))
		p.advance(1)
		p.counted(ReasonProcessFull, 1)
		p.expect(c, "EOF")
		p.till.finish("slow 2")
		p.expect(a, "ok slow 2")
		a.Close()
		b.Close()
	})
}

// What is no frame ends the connection, after the answers that are due.
func TestGarbage(t *testing.T) {
	for _, g := range []struct{ name, hex, reason string }{
		{"length zero", "\x00\x00", frame.ReasonLengthZero},
		{"too short", "\x00\x05abcde", frame.ReasonTooShort},
		{"too long", "\xff\xff", frame.ReasonTooLong},
		{"a web browser", "GET / HTTP/1.1\r\n\r\n", frame.ReasonTooLong},
		{"ends in the length", "\x00", frame.ReasonEndInLength},
		{"ends in the frame", "\x00\x40abc", frame.ReasonEndInFrame},
	} {
		scene(t, g.name, nil, func(p *shop) {
			c := p.dial()
			p.write(c, message("slow 1"))
			p.write(c, []byte(g.hex))
			if err := c.(*fake.Conn).CloseWrite(); err != nil {
				p.t.Error(err)
			}
			synctest.Wait()
			p.counted(g.reason, 1)
			p.till.finish("slow 1") // what came before the garbage is answered
			p.expect(c, "ok slow 1")
			p.expect(c, "EOF")
		})
	}
}

// Wherever a write breaks, the handler hears once, and NotWritten only when no
// byte arrived; the answers behind it are not written either.
func TestDeliveries(t *testing.T) {
	size := len(message("ok " + pad("slow 1")))
	for k := range size + 2 {
		scene(t, fmt.Sprint("break at byte ", k), nil, func(p *shop) {
			c := p.dial()
			p.write(c, message("slow 1", "slow 2"))
			p.server.mu.Lock()
			for _, s := range p.server.conns {
				s.raw.Conn.(*fake.Conn).BreakAfter(k)
			}
			p.server.mu.Unlock()
			p.till.finish("slow 1")
			synctest.Wait()
			p.till.finish("slow 2")
			synctest.Wait()
			first, second := "maybe_written", "not_written"
			if k == 0 {
				first = "not_written"
			}
			if k > size {
				first, second = "written", "maybe_written"
			}
			want := pad("slow 1") + " " + first + ", " + pad("slow 2") + " " + second
			if got := p.till.told(); got != want {
				p.t.Errorf("told %q, want %q", got, want)
			}
		})
	}
	scene(t, "a terminal that does not read", nil, func(p *shop) {
		c := p.dial()
		big := strings.Repeat("x", 4000)
		for i := range 20 { // more than the window between the two holds
			p.write(c, message(fmt.Sprintf("%02d%s", i, big)))
		}
		p.advance(10)
		if told := p.till.told(); strings.Count(told, " maybe_written") != 1 || !strings.Contains(told, " not_written") {
			p.t.Errorf("%d written, %d maybe, %d not", strings.Count(told, " written"), strings.Count(told, "maybe"), strings.Count(told, "not_"))
		}
		p.counted(ReasonAnswerMaybe, 1)
	})
}

func TestClose(t *testing.T) {
	scene(t, "waits for what is in flight", nil, func(p *shop) {
		a, b := p.dial(), p.dial()
		p.write(a, message("slow 1"))
		synctest.Wait()
		cut := -1
		go func() { cut = p.server.Close(env.Never) }()
		synctest.Wait()
		p.expect(b, "EOF")
		if _, err := p.world.Net.Dial(p.t.Context(), "switch:1"); err == nil {
			p.t.Error("still accepting")
		}
		p.till.finish("slow 1")
		p.expect(a, "ok slow 1")
		p.expect(a, "EOF")
		synctest.Wait()
		if cut != 0 || p.till.ended != 0 {
			p.t.Errorf("%d connections cut, %d handlers told to stop", cut, p.till.ended)
		}
	})
	scene(t, "cuts when its time is over", nil, func(p *shop) {
		a := p.dial()
		p.write(a, message("slow 1"))
		cut := -1
		go func() { cut = p.server.Close(p.world.Clock.Mono().Add(5 * time.Second)) }()
		synctest.Wait()
		p.advance(4)
		if cut != -1 {
			p.t.Error("cut too early")
		}
		p.advance(1)
		if cut != 1 {
			p.t.Errorf("%d connections cut, want 1", cut)
		}
		p.expect(a, "EOF")
		p.till.finish("slow 1")
		synctest.Wait()
		if got, want := p.till.told(), pad("slow 1")+" not_written"; got != want || p.till.ended != 1 {
			p.t.Errorf("told %q, want %q; %d handlers told to stop", got, want, p.till.ended)
		}
	})
}

// short is a network whose Accept fails as long as descriptors are short.
type short struct {
	env.Network
	fails int
	tries int
	mu    sync.Mutex
}

type shortListener struct {
	net.Listener
	s *short
}

func (s *short) Listen(a string) (net.Listener, error) {
	l, err := s.Network.Listen(a)
	return &shortListener{l, s}, err
}

func (l *shortListener) Accept() (net.Conn, error) {
	l.s.mu.Lock()
	l.s.tries++
	fail := l.s.tries <= l.s.fails
	l.s.mu.Unlock()
	if fail {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// Out of descriptors, accept waits, longer each time, and then goes on.
func TestAcceptDoesNotSpin(t *testing.T) {
	var s *short
	scene(t, "out of descriptors", func(c *Config) {
		s = &short{Network: c.Env.Net, fails: 12}
		c.Env.Net = s
	}, func(p *shop) {
		tries := func() int { s.mu.Lock(); defer s.mu.Unlock(); return s.tries }
		synctest.Wait()
		if got := tries(); got != 1 {
			p.t.Errorf("%d tries in no time", got)
		}
		p.advance(1)
		if got := tries(); got > 10 {
			p.t.Errorf("%d tries in a second", got)
		}
		p.advance(12)
		p.counted(ReasonAccept, 12)
		c := p.dial()
		p.write(c, message("sale"))
		p.expect(c, "ok sale")
		c.Close()
	})
}

func TestConfigIsChecked(t *testing.T) {
	_, err := Listen(Config{MaxConnections: -1, IdleTime: -1}, nil)
	for _, want := range []string{"address is missing", "frame has no bound", "private-line", "at least 1", "must be positive"} {
		if !errors.Is(err, ErrConfig) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}
