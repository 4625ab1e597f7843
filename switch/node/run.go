// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"tapswitch/iso8583/frame"
	"tapswitch/switch/flow"
	"tapswitch/switch/link"
	"tapswitch/switch/listen"
	"tapswitch/switch/saf"
	"tapswitch/switch/translate"
)

// ready is what /readyz asks.
type ready struct{ serving atomic.Bool }

// buildLinks makes the acquirer links; Run starts them.
func (n *Node) buildLinks(nums numbers, vault *cards) error {
	for _, c := range n.cfg.Links {
		a := &acquirer{
			name: c.Name, dialect: translate.NewAcquirer(c.Institution, c.MerchantType), timeout: c.Timeout,
			macer: n.module, numbers: nums, clock: n.world.Clock, cards: vault,
		}
		var err error
		if a.zpk, err = n.key(c.ZPK, hsmZPK); err != nil {
			return err
		}
		if a.zak, err = n.key(c.ZAK, hsmZAK); err != nil {
			return err
		}
		cfg := link.Config{
			Name: c.Name, Addresses: c.Addresses, Frame: frame.ISO87(), Protocol: a, Env: n.world,
			Connections: c.Connections, Timeout: c.Timeout,
			Table:   link.TableConfig{MaxInFlight: c.MaxInFlight},
			Session: link.SessionConfig{SignOnTimeout: c.SignOn, EchoEvery: c.Echo},
			OnStray: func(s link.Stray) { a.stray(n.flow.Late, s) },
			Count:   n.metrics.Link(c.Name),
			OnState: func(conn int, s link.State, why link.Kind) { n.linkState(c.Name, conn, s, why) },
		}.Defaults()
		if a.link, err = link.New(cfg); err != nil {
			return fmt.Errorf("link %s: %w", c.Name, err)
		}
		n.links[c.Name] = a
	}
	return nil
}

// linkState is told with the link locked: it must neither block nor call back.
func (n *Node) linkState(name string, conn int, s link.State, why link.Kind) {
	n.metrics.LinkState(name, s.String())
	n.log.Info("link", "name", name, "connection", conn, "state", s.String(), "why", why.String())
}

// buildListeners makes the terminal listeners; Run opens them.
func (n *Node) buildListeners() error {
	handler := &pos{
		dialect: translate.NewTerminal(), flow: n.flow, macer: n.module, deadline: n.cfg.Payment.Deadline,
		count: n.metrics.Refused,
	}
	for _, c := range n.cfg.Listeners {
		l, err := listen.New(listen.Config{
			Address: c.Address, Frame: frame.UnionPayPOS(), PrivateLine: c.PrivateLine, Handler: handler, Env: n.world,
			MaxConnections: c.MaxConnections, Idle: c.Idle, Message: c.Message, InFlightPerConnection: c.InFlightPerConnection,
			InFlight: n.cfg.Payment.MaxInFlight * 2, Count: n.metrics.Refused,
		})
		if err != nil {
			return fmt.Errorf("listener %s: %w", c.Name, err)
		}
		n.listeners = append(n.listeners, l)
	}
	return nil
}

// Run serves until ctx ends or a fault forbids to go on.
func (n *Node) Run(ctx context.Context) error {
	if err := n.startAdmin(); err != nil {
		return err
	}
	for _, c := range n.cfg.Links {
		n.links[c.Name].link.Start()
		n.delivery.Add(1)
		go func() {
			defer n.delivery.Done()
			n.saf.Run(context.WithoutCancel(ctx), c.Name)
		}()
	}
	for i, l := range n.listeners {
		if err := l.Open(); err != nil {
			n.shutdown()
			return fmt.Errorf("listener %s: %w", n.cfg.Listeners[i].Name, err)
		}
		n.log.Info("listening", "name", n.cfg.Listeners[i].Name, "address", l.Addr())
	}
	n.ready.serving.Store(true)
	var err error
	select {
	case <-ctx.Done():
	case err = <-n.fatal:
	}
	n.shutdown()
	return err
}

// shutdown stops top down; messages in flight get their drain time.
func (n *Node) shutdown() {
	n.ready.serving.Store(false)
	until := n.world.Clock.Mono().Add(n.cfg.Node.Drain)
	for _, l := range n.listeners {
		l.Close(until)
	}
	n.saf.Close()
	n.delivery.Wait()
	for _, c := range n.cfg.Links {
		n.links[c.Name].link.Close(n.world.Clock.Mono().Add(time.Second))
	}
	n.events.Close()
	n.admin.Close()
	if err := n.journal.Close(); err != nil {
		n.log.Error("journal close", "err", err)
	}
}

// observe derives metrics and the wide event from the flow's report.
func (n *Node) observe(r flow.Report) { n.events.Payment(event(r)) }

// reversalAttempt reports one delivery of the store-and-forward.
func (n *Node) reversalAttempt(a saf.Attempt) { n.events.Reversal(reversalEvent(a)) }
