// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tapswitch/internal/env"
	"tapswitch/iso8583/frame"
	"tapswitch/switch/listen"
	"tapswitch/switch/translate"
	"tapswitch/switch/txn"
)

// Run serves until ctx ends or a fault forbids to go on.
func (n *Node) Run(ctx context.Context) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	if err := n.serveAdmin(background); err != nil {
		stop()
		return errors.Join(err, n.closeStores())
	}
	n.spawn(func() { n.observer.Run(background) })
	n.history.start()
	ended := n.world.Waits.NewEvent()
	n.Connect(background)
	err := n.openDesk()
	if err == nil {
		err = n.open()
	}
	if err == nil {
		n.spawn(func() { n.refresh(ended) })
		if n.cfg.Journal.Retention > 0 {
			n.spawn(func() { n.purging(ended) })
		}
		n.serving.Store(true)
		select {
		case <-ctx.Done():
		case err = <-n.fatal:
		}
	}
	n.shutdown(func() {
		ended.Wake()
		stop()
	})
	return err
}

// Connect starts the links and the delivery of reversals. Run does so, and a
// simulator that has no listeners.
func (n *Node) Connect(ctx context.Context) {
	for _, c := range n.cfg.Links {
		n.links[c.Name].link.Start()
		for range max(1, c.SAFWindow) {
			n.delivery.Add(1)
			n.world.Start(func() {
				defer n.delivery.Done()
				n.saf.Run(ctx, c.Name)
			})
		}
	}
}

// Handler answers the messages of terminals; Run puts it behind the listeners.
func (n *Node) Handler() listen.Handler {
	return &pos{
		dialect: translate.NewTerminal(), flow: n.flow, macer: n.module, clock: n.world.Clock, deadline: n.cfg.Payment.Deadline, count: n.observer.Refused,
	}
}

// Payments calls fn with a copy of every payment that is remembered, in order of arrival.
func (n *Node) Payments(fn func(txn.Payment)) { n.index.Each(fn) }

// Payment is a copy of one payment, false when it is not remembered.
func (n *Node) Payment(k txn.Key) (txn.Payment, bool) { return n.index.Find(k) }

// Moves is how often each arrow of the state table was taken since the start.
func (n *Node) Moves() txn.Moves { return n.index.Moves() }

// Act does what an operator asks to the payment of a reference number, as the
// operator's socket has it done.
func (n *Node) Act(of txn.RRN, a txn.Act, until env.Mono) error {
	_, err := desk{n}.Act(of, a, until)
	return err
}

// Waiting is how many reversals the acquirers have not acknowledged yet.
func (n *Node) Waiting() (reversals int) {
	for _, name := range n.saf.Links() {
		reversals += n.saf.Depth(name)
	}
	return reversals
}

// spawn runs fn until the background context ends.
func (n *Node) spawn(fn func()) {
	n.workers.Add(1)
	go func() {
		defer n.workers.Done()
		fn()
	}()
}

// serveAdmin opens /metrics, /healthz and /readyz when they are configured.
func (n *Node) serveAdmin(ctx context.Context) error {
	if n.cfg.Observe.Address == "" {
		return nil
	}
	ln, err := n.world.Net.Listen(n.cfg.Observe.Address)
	if err != nil {
		return fmt.Errorf("observe.address: %w", err)
	}
	n.spawn(func() {
		if err := n.observer.Serve(ctx, ln, n.checks()); err != nil {
			n.observer.Log().Error("metrics and health are gone", "err", err)
		}
	})
	return nil
}

// refresh keeps the gauges fresh until ended is woken.
func (n *Node) refresh(ended env.Event) {
	for {
		n.gauges()
		if ended.Wait(n.world.Clock.Mono().Add(gaugePause)) {
			return
		}
	}
}

// open starts the terminal listeners; it is the last thing at start.
func (n *Node) open() error {
	handler := n.Handler()
	for _, c := range n.cfg.Listeners {
		s, err := listen.Listen(listen.Config{
			Address: c.Address, Frame: frame.UnionPayPOS(), Env: n.world, PrivateLine: c.PrivateLine,
			MaxConnections: c.MaxConnections, PerConnection: c.InFlightPerConnection, MaxMessages: 2 * n.cfg.Payment.MaxInFlight,
			IdleTime: c.Idle, MessageTime: c.Message, Count: n.observer.Refused,
		}.Defaults(), handler)
		if err != nil {
			return fmt.Errorf("listener %s: %w", c.Name, err)
		}
		n.listeners = append(n.listeners, s)
		n.observer.Log().Info("listening", "name", c.Name, "address", s.Addr().String())
	}
	return nil
}

// closeStores ends the use of what is on disk.
func (n *Node) closeStores() error {
	err := n.journal.Close()
	if n.keys != nil {
		err = errors.Join(err, n.keys.Close())
	}
	return err
}

// linkClose is the most that one link may take to sign off.
const linkClose = 2 * time.Second

// shutdown stops top down; messages in flight get their drain time.
func (n *Node) shutdown(stop func()) {
	n.serving.Store(false)
	until := n.world.Clock.Mono().Add(n.cfg.Node.Drain)
	for _, l := range n.listeners {
		if cut := l.Close(until); cut > 0 {
			n.observer.Log().Warn("messages were cut off at stop", "messages", cut)
		}
	}
	n.saf.Close()
	n.delivery.Wait()
	n.closeDesk()
	for _, c := range n.cfg.Links {
		n.links[c.Name].link.Close(n.world.Clock.Mono().Add(linkClose))
	}
	n.history.stop()
	if err := n.closeStores(); err != nil {
		n.observer.Log().Error("close of journal and keystore", "err", err)
	}
	n.observer.Log().Info("stopped")
	stop()
	n.workers.Wait()
}
