// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/switch/txn"
)

// TestEveryHSMCallFails plays the day with its first call of an operation of the HSM
// failing, then with its second, until no call is left, and so every operation: busy
// and gone for this call, and gone for all from it on until the day is over.
func TestEveryHSMCallFails(t *testing.T) {
	s := newSession(t, func(*rig) {}, func() {})
	for _, c := range []struct {
		fault error
		lasts bool
	}{{hsm.ErrUnavailable, false}, {hsm.ErrBusy, false}, {hsm.ErrUnavailable, true}} {
		s.delivers = !c.lasts
		all := 0
		for _, op := range operations() {
			calls := 0
			for s.failing(op, calls+1, c.fault, c.lasts) {
				calls++
			}
			if calls == 0 && !c.lasts || !s.whole() {
				t.Errorf("the day without a fault has %d calls of %s, all well %v", calls, op, s.whole())
			}
			all += calls
		}
		if all < 40 {
			t.Errorf("%d calls failed in all", all)
		}
	}
	s.over(txn.DeclineHSM.Reason, txn.DeclineHSMBusy.Reason)
}

// failing plays and judges a day whose k-th call of an operation fails, and says
// whether there was one.
func (s *session) failing(operation string, k int, fault error, lasts bool) bool {
	s.Helper()
	var mu sync.Mutex
	calls := 0
	s.module.set(func(op string, _ *hsm.Key) error {
		mu.Lock()
		defer mu.Unlock()
		if op == operation {
			calls++
		}
		if op == operation && calls == k || lasts && calls >= k && op != "health" {
			return fmt.Errorf("%w: call %d of %s", fault, k, operation)
		}
		return nil
	})
	s.play(fmt.Sprintf("%s %d fails: %v, lasting %v", operation, k, fault, lasts))
	s.module.set(nil)
	s.judge()
	mu.Lock()
	defer mu.Unlock()
	return calls >= k
}

// The ways in which an operation on a connection fails.
const (
	failBefore = "before anything"  // and the connection stays
	failAfter  = "after everything" // was read or written
	failClosed = "closed"           // by somebody else
)

var errFrail = errors.New("it was told to fail")

// frail is a network whose k-th dial, read or write fails.
type frail struct {
	env.Network
	mu   sync.Mutex
	open map[*frailConn]bool
	what string // the kind of operation whose k-th fails
	n, k int
	mode string
}

type frailConn struct {
	net.Conn
	of *frail
}

// arm cuts all connections and lets the k-th dial, read or write from then on fail.
func (f *frail) arm(what string, k int, mode string) {
	f.mu.Lock()
	open := f.open
	f.open, f.what, f.n, f.k, f.mode = map[*frailConn]bool{}, what, 0, k, mode
	f.mu.Unlock()
	for c := range open {
		c.Conn.Close()
	}
}

// calm ends it, and says how many of them there were.
func (f *frail) calm() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.k = 0
	return f.n
}

// connected is how many connections were opened since arm and are not closed.
func (f *frail) connected() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.open)
}

// op counts an operation and says how it is to fail, "" when it is not.
func (f *frail) op(what string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if what != f.what {
		return ""
	}
	if f.n++; f.n != f.k {
		return ""
	}
	return f.mode
}

func (f *frail) Dial(ctx context.Context, address string) (net.Conn, error) {
	mode := f.op("dial")
	if mode == failBefore {
		return nil, errFrail
	}
	raw, err := f.Network.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	c := &frailConn{Conn: raw, of: f}
	f.mu.Lock()
	f.open[c] = true
	f.mu.Unlock()
	switch mode {
	case failAfter:
		c.Close()
		return nil, errFrail
	case failClosed:
		c.Close()
	}
	return c, nil
}

func (c *frailConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

func (c *frailConn) Read(p []byte) (int, error) { return c.do("read", c.Conn.Read, p, 0) }

func (c *frailConn) Write(p []byte) (int, error) { return c.do("write", c.Conn.Write, p, 1) }

// do is one operation; of a read that fails, what came is lost.
func (c *frailConn) do(what string, run func([]byte) (int, error), p []byte, keeps int) (int, error) {
	switch c.of.op(what) {
	case failBefore:
		return 0, errFrail
	case failClosed:
		c.Close()
	case failAfter:
		n, err := run(p)
		return n * keeps, errors.Join(errFrail, err)
	}
	return run(p)
}

// TestEveryLinkOperationFails plays the day with the first dial of the links failing,
// then the second, until none is left, in each way; then so with writes and reads.
func TestEveryLinkOperationFails(t *testing.T) {
	f := &frail{Network: env.Real().Net, open: map[*frailConn]bool{}}
	var s *session
	s = newSession(t, func(r *rig) { r.world.Net = f }, func() {
		s.soon("both links up", func() bool {
			return f.connected() == 2 && s.node.links.Up("acq-a") && s.node.links.Up("acq-b")
		})
	})
	for _, c := range []struct {
		what  string
		least int // of a day
	}{{"dial", 2}, {"write", 9}, {"read", 18}} {
		for _, mode := range []string{failBefore, failAfter, failClosed} {
			for k := 1; ; k++ {
				f.arm(c.what, k, mode)
				s.play(fmt.Sprintf("%s %d fails, %s", c.what, k, mode))
				n := f.calm()
				s.judge()
				if n >= k {
					continue
				}
				if k <= c.least || !s.whole() {
					t.Errorf("the day without a fault has %d of %s, all well %v", k-1, c.what, s.whole())
				}
				break
			}
		}
	}
	s.over(txn.DeclineNoAnswer.Reason, txn.DeclineNotSent.Reason)
}
