// SPDX-License-Identifier: Apache-2.0

package link

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/iso8583/frame"
)

// Whatever byte the connection breaks at, with several requests written at the
// same time: a request that was said not to be sent left no byte, and every
// request ends.
func TestBreakAtEveryByte(t *testing.T) {
	const requests = 3
	whole := requests * (2 + len("request pay-0"))
	for k := range whole + 2 {
		synctest.Test(t, func(t *testing.T) {
			p := newStage(t)
			p.start(nil)
			p.world.Net.Conns(hostAddress)[0].BreakAfter(k)
			ends := make([]error, requests)
			for i := range requests {
				go func() {
					key, _ := KeyOf(fmt.Appendf(nil, "pay-%d", i))
					_, ends[i] = p.link.Exchange(Request{Key: key, Body: fmt.Appendf(nil, "request pay-%d", i), Deadline: env.Never})
				}()
			}
			synctest.Wait()
			p.advance(61 * time.Second)
			left := 0 // bytes that must have arrived for what was perhaps sent
			for i, err := range ends {
				name := fmt.Sprintf("pay-%d", i)
				arrived := strings.Contains(strings.Join(p.got, "\n"), name)
				switch {
				case errors.Is(err, ErrNotSent) && !errors.Is(err, ErrNoAnswer):
					if arrived {
						t.Errorf("byte %d: %s arrived, and was said not to be sent: %v", k, name, err)
					}
				case errors.Is(err, ErrNoAnswer) && !errors.Is(err, ErrNotSent):
					left++
				default:
					t.Errorf("byte %d: %s ended with %v", k, name, err)
				}
			}
			frame := 2 + len("request pay-0")
			if want := min((k+frame-1)/frame, requests); left != want {
				t.Errorf("byte %d: %d requests count as perhaps sent, want %d", k, left, want)
			}
			if n := p.link.InFlight(); n != 0 {
				t.Errorf("byte %d: %d still in flight", k, n)
			}
			p.end()
		})
	}
}

// The bytes that one write took are shared among its frames, in order.
func TestSettle(t *testing.T) {
	broken := errors.New("broken")
	for n := range 10 {
		frames := []*outgoing{{frame: make([]byte, 3)}, {frame: make([]byte, 4)}, {frame: make([]byte, 2)}}
		w := &wire{batch: frames}
		w.settle(n, broken)
		at := 0
		for i, o := range frames {
			size := len(o.frame)
			switch {
			case n >= at+size:
				if o.sent != size || o.err != nil {
					t.Errorf("%d bytes, frame %d: %d, %v; it left whole", n, i, o.sent, o.err)
				}
			case n <= at:
				if o.sent != 0 || !errors.Is(o.err, ErrWriteFailed) {
					t.Errorf("%d bytes, frame %d: %d, %v; it did not leave", n, i, o.sent, o.err)
				}
			default:
				if o.sent != n-at || o.err != broken {
					t.Errorf("%d bytes, frame %d: %d, %v; it left in part", n, i, o.sent, o.err)
				}
			}
			at += size
		}
	}
}

// Over real sockets, many requests on few connections each get their own answer,
// whatever the order of the answers; afterwards no goroutine is left.
func TestManyExchangesOverLoopback(t *testing.T) {
	before := runtime.NumGoroutine()
	e := env.Real()
	ln, err := e.Net.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var hosts sync.WaitGroup
	hosts.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			hosts.Go(func() { shuffle(c) })
		}
	})
	l, err := New(Config{Name: "loop", Addresses: []string{ln.Addr().String()}, Frame: frame.ISO87(), Protocol: &text{}, Env: e, Connections: 3})
	if err != nil {
		t.Fatal(err)
	}
	l.Start()
	for !l.Health().Up {
		time.Sleep(time.Millisecond)
	}
	var wg sync.WaitGroup
	for g := range 50 {
		wg.Go(func() {
			for i := range 40 {
				name := fmt.Sprintf("pay-%d-%d", g, i)
				key, _ := KeyOf([]byte(name))
				reply, err := l.Exchange(Request{Key: key, Body: []byte("request " + name), Deadline: env.Never})
				if err != nil || string(reply) != "response "+name {
					t.Errorf("%s: %q, %v", name, reply, err)
				}
			}
		})
	}
	wg.Wait()
	if got := l.Outcomes(); got != [NumOutcomes]uint64{Matched: 2000} {
		t.Errorf("outcomes %v", got)
	}
	l.Close(e.Clock.Mono().Add(5 * time.Second))
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	hosts.Wait()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

// shuffle is a host that answers up to eight requests at a time, in any order.
func shuffle(c net.Conn) {
	defer c.Close()
	bodies := make(chan string)
	go func() {
		defer close(bodies)
		var buf []byte
		for {
			fr, next, err := frame.ISO87().Read(c, buf)
			if err != nil {
				return
			}
			buf = next
			bodies <- string(fr.Body)
		}
	}()
	for first := range bodies {
		held := []string{first}
		for more := true; more && len(held) < 8; {
			select {
			case b, ok := <-bodies:
				if more = ok; ok {
					held = append(held, b)
				}
			case <-time.After(time.Millisecond):
				more = false
			}
		}
		rand.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
		var out []byte
		for _, h := range held {
			h = strings.Replace(h, "request ", "response ", 1)
			h = strings.Replace(h, "netreq ", "netresp yes ", 1)
			out, _ = frame.ISO87().Append(out, frame.Frame{Body: []byte(h)})
		}
		_, _ = c.Write(out) // a failure shows as an exchange without answer
	}
}

func TestConfigIsChecked(t *testing.T) {
	_, err := New(Config{Connections: 65, Frame: frame.UnionPayPOS(), Session: SessionConfig{BackoffMin: time.Hour}})
	for _, want := range []string{"name is missing", "no address", "no protocol", "not built", "1 to 64", "backoff"} {
		if !errors.Is(err, ErrConfig) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// A message that no frame holds is refused before anything is done.
func TestTooLongIsNotSent(t *testing.T) {
	world := fake.New(1)
	l, err := New(Config{Name: "a", Addresses: []string{"x"}, Frame: frame.ISO87(), Protocol: &text{}, Env: world.Env()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Exchange(Request{Body: bytes.Repeat([]byte("1"), frame.DefaultMax+1), Deadline: env.Never})
	if !errors.Is(err, ErrNotSent) || !errors.Is(err, ErrFrame) {
		t.Error(err)
	}
	l.Close(env.Never) // never started: ends at once
	if h := l.Health(); h.Up || h.Reason != "ended: drain" {
		t.Errorf("%+v", h)
	}
}
