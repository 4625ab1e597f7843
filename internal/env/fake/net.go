// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"

	"tapswitch/internal/env"
)

// backlogMax is how many dialed connections wait for Accept before Dial is
// refused.
const backlogMax = 1024

// Network joins Dial to Listen by the text of the address. Deadlines of its
// connections are on the fake clock.
type Network struct {
	clock     *Clock
	mu        sync.Mutex
	listeners map[string]*listener
	refusals  map[string]error
	conns     map[string][]*Conn // the dialing ends, by address, in order
	nextPort  int
}

var _ env.Network = (*Network)(nil)

// NewNetwork returns a network on which nobody listens.
func NewNetwork(clock *Clock) *Network {
	return &Network{
		clock:     clock,
		listeners: map[string]*listener{},
		refusals:  map[string]error{},
		conns:     map[string][]*Conn{},
		nextPort:  40000,
	}
}

type addr string

func (a addr) Network() string { return "fake" }
func (a addr) String() string  { return string(a) }

// Listen takes the address; an address that ends in ":0" gets a free port.
func (n *Network) Listen(address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if host, port, err := net.SplitHostPort(address); err == nil && port == "0" {
		n.nextPort++
		address = net.JoinHostPort(host, fmt.Sprint(n.nextPort))
	}
	if n.listeners[address] != nil {
		return nil, opError("listen", address, syscall.EADDRINUSE)
	}
	l := &listener{net: n, address: address}
	l.arrived = sync.NewCond(&l.mu)
	n.listeners[address] = l
	return l, nil
}

// Dial connects to whoever listens on address.
func (n *Network) Dial(ctx context.Context, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, opError("dial", address, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.refusals[address]; err != nil {
		return nil, opError("dial", address, err)
	}
	l := n.listeners[address]
	if l == nil {
		return nil, opError("dial", address, syscall.ECONNREFUSED)
	}
	n.nextPort++
	from := addr(fmt.Sprintf("dialer:%d", n.nextPort))
	near, far := newConnPair(n.clock, from, addr(address))
	if !l.offer(far) {
		return nil, opError("dial", address, syscall.ECONNREFUSED)
	}
	n.conns[address] = append(n.conns[address], near)
	return near, nil
}

// Refuse makes Dial to address fail with err; nil ends it.
func (n *Network) Refuse(address string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refusals[address] = err
}

// Conns are the dialing ends of the connections to address that are still
// open, the oldest first.
func (n *Network) Conns(address string) []*Conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns[address] = slices.DeleteFunc(n.conns[address], (*Conn).gone)
	return slices.Clone(n.conns[address])
}

// Break resets every connection to address, as a pulled cable ends up doing.
func (n *Network) Break(address string) {
	for _, c := range n.Conns(address) {
		c.Break()
	}
}

func opError(op, address string, err error) error {
	return &net.OpError{Op: op, Net: "fake", Addr: addr(address), Err: err}
}

type listener struct {
	net     *Network
	address string
	mu      sync.Mutex
	arrived *sync.Cond
	backlog []*Conn
	closed  bool
}

// offer queues a connection for Accept.
func (l *listener) offer(c *Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.backlog) >= backlogMax {
		return false
	}
	l.backlog = append(l.backlog, c)
	l.arrived.Signal()
	return true
}

// Accept waits for the next connection.
func (l *listener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.backlog) == 0 && !l.closed {
		l.arrived.Wait()
	}
	if l.closed {
		return nil, opError("accept", l.address, net.ErrClosed)
	}
	c := l.backlog[0]
	l.backlog = slices.Delete(l.backlog, 0, 1)
	return c, nil
}

// Close ends listening and resets what nobody accepted.
func (l *listener) Close() error {
	l.net.mu.Lock()
	if l.net.listeners[l.address] == l {
		delete(l.net.listeners, l.address)
	}
	l.net.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return opError("close", l.address, net.ErrClosed)
	}
	l.closed = true
	for _, c := range l.backlog {
		c.Break()
	}
	l.backlog = nil
	l.arrived.Broadcast()
	return nil
}

// Addr is the address that Dial takes.
func (l *listener) Addr() net.Addr { return addr(l.address) }
