// SPDX-License-Identifier: Apache-2.0

package listen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/iso8583/frame"
)

// till is a handler: it answers "ok" and the message, at once or, for messages
// that begin with "slow", when told.
type till struct {
	env   env.Env
	mu    sync.Mutex
	gates map[string]env.Event
	got   []string
	now   int // messages inside
	most  int
	done  []string
	ended int // handlers whose context ended
}

func (x *till) Serve(ctx context.Context, m Message) Reply {
	body := string(m.Frame.Body)
	x.mu.Lock()
	x.got = append(x.got, body)
	x.now++
	x.most = max(x.most, x.now)
	wait := x.gate(body)
	x.mu.Unlock()
	if strings.HasPrefix(body, "slow") {
		wait.Wait(env.Never)
	}
	x.mu.Lock()
	x.now--
	if ctx.Err() != nil {
		x.ended++
	}
	x.mu.Unlock()
	r := Reply{Frame: frame.Frame{TPDU: m.Frame.TPDU.Swap(), Header: slices.Clone(m.Frame.Header), Body: []byte("ok " + body)}, Done: func(d Delivery) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.done = append(x.done, body+" "+d.String())
	}}
	switch {
	case strings.HasPrefix(body, "mute"):
		r.Frame.Body = nil
	case strings.HasPrefix(body, "bye"):
		r.Close = true
	case strings.HasPrefix(body, "huge"):
		r.Frame.Body = make([]byte, frame.DefaultMax+1)
	}
	return r
}

// gate is what a slow message waits for. The lock is held.
func (x *till) gate(body string) env.Event {
	if x.gates[body] == nil {
		x.gates[body] = x.env.Waits.NewEvent()
	}
	return x.gates[body]
}

func (x *till) finish(bodies ...string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, b := range bodies {
		x.gate(pad(b)).Wake()
	}
}

func (x *till) told() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return strings.Join(x.done, ", ")
}

// pad makes a body long enough to be a message.
func pad(s string) string { return fmt.Sprintf("%-10s", s) }

// shop is a server on the fake network and what it counted.
type shop struct {
	t      *testing.T
	world  *fake.World
	till   *till
	server *Server
	mu     sync.Mutex
	counts map[string]int
}

func open(t *testing.T, edit func(*Config)) *shop {
	t.Helper()
	p := &shop{t: t, world: fake.New(1), counts: map[string]int{}}
	cfg := Config{Address: "switch:1", Frame: frame.UnionPayPOS(), Env: p.world.Env(), PrivateLine: true, Count: p.count}
	if edit != nil {
		edit(&cfg)
	}
	p.till = &till{env: cfg.Env, gates: map[string]env.Event{}}
	s, err := Listen(cfg, p.till)
	if err != nil {
		t.Fatal(err)
	}
	p.server = s
	return p
}

func (p *shop) count(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[reason]++
}

func (p *shop) counted(reason string, n int) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.counts[reason] != n {
		p.t.Errorf("%s: %d times, want %d; all: %v", reason, p.counts[reason], n, p.counts)
	}
}

func (p *shop) dial() net.Conn {
	p.t.Helper()
	c, err := p.world.Net.Dial(p.t.Context(), "switch:1")
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// advance moves the time by seconds, one by one, so that what follows from a
// deadline happens at its own time.
func (p *shop) advance(seconds int) {
	for range seconds {
		p.world.Clock.Advance(time.Second)
		synctest.Wait()
	}
}

func message(bodies ...string) (out []byte) {
	for _, b := range bodies {
		out, _ = frame.UnionPayPOS().Append(out, frame.Frame{TPDU: frame.TPDU{0x60, 0, 3, 0, 1}, Header: make([]byte, 6), Body: []byte(pad(b))})
	}
	return out
}

func (p *shop) write(c net.Conn, b []byte) {
	p.t.Helper()
	if _, err := c.Write(b); err != nil {
		p.t.Error(err)
	}
	synctest.Wait()
}

// read returns the next answer, or why there is none.
func read(c net.Conn) string {
	fr, _, err := frame.UnionPayPOS().Read(c, nil)
	if errors.Is(err, io.EOF) {
		return "EOF"
	}
	if err != nil {
		return "broken"
	}
	if fr.TPDU != (frame.TPDU{0x60, 0, 1, 0, 3}) {
		return "wrong TPDU"
	}
	return strings.TrimRight(string(fr.Body), " ")
}

func (p *shop) expect(c net.Conn, want string) {
	p.t.Helper()
	if got := read(c); got != want {
		p.t.Errorf("read %q, want %q", got, want)
	}
}

// shut ends a test: nothing may be left.
func (p *shop) shut() {
	p.t.Helper()
	if cut := p.server.Close(p.world.Clock.Mono()); cut != 0 && !p.t.Failed() {
		p.t.Errorf("%d connections were cut at the end", cut)
	}
}

// scene plays f on a fake network, where time moves only when told.
func scene(t *testing.T, name string, edit func(*Config), f func(*shop)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := open(t, edit)
			f(p)
			synctest.Wait()
			p.shut()
		})
	})
}
