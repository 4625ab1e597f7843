// SPDX-License-Identifier: Apache-2.0

package journaltest

import (
	"context"
	"errors"
	"math"
	"net"
	"sync"

	"tapswitch/internal/env"
)

// lossy is the machine's network, of which one operation fails: a dial, a read
// or a write of any of its connections. A write that fails has sent its first
// half; the connection is gone.
type lossy struct {
	env.Network
	before func() error // done before the operation; nil is nothing

	mu      sync.Mutex
	at      int // the operation that fails
	forGood bool
	ops     int
	failed  string // which it was, "" while none has
}

func newLossy(at int, forGood bool) *lossy {
	return &lossy{Network: env.Real().Net, at: at, forGood: forGood}
}

// arm makes the k-th operation from here on fail.
func (n *lossy) arm(k int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at = n.ops + k
}

// disarm lets all further operations go well, unless they fail for good; it gives
// the one that failed.
func (n *lossy) disarm() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failed == "" || !n.forGood {
		n.at, n.forGood = math.MaxInt, false
	}
	return n.failed
}

var errLost = errors.New("the network is gone")

// enter counts an operation and says whether it fails.
func (n *lossy) enter(kind string) error {
	n.mu.Lock()
	n.ops++
	now := n.ops == n.at
	fails := now || n.forGood && n.ops > n.at
	if fails && n.failed == "" {
		n.failed = kind
	}
	n.mu.Unlock()
	if now && n.before != nil {
		if err := n.before(); err != nil {
			return err
		}
	}
	if fails {
		return errLost
	}
	return nil
}

func (n *lossy) Dial(ctx context.Context, address string) (net.Conn, error) {
	if err := n.enter("dial"); err != nil {
		return nil, err
	}
	c, err := n.Network.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return &lossyConn{c, n}, nil
}

type lossyConn struct {
	net.Conn
	n *lossy
}

func (c *lossyConn) Read(p []byte) (int, error) {
	if err := c.n.enter("read"); err != nil {
		return 0, errors.Join(err, c.Conn.Close())
	}
	return c.Conn.Read(p)
}

func (c *lossyConn) Write(p []byte) (int, error) {
	if err := c.n.enter("write"); err != nil {
		n, _ := c.Conn.Write(p[:len(p)/2])
		return n, errors.Join(err, c.Conn.Close())
	}
	return c.Conn.Write(p)
}
