// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/switch/chip"
	"tapswitch/switch/config"
	"tapswitch/switch/flow"
	"tapswitch/switch/journal"
	"tapswitch/switch/route"
	"tapswitch/switch/standin"
	"tapswitch/switch/txn"
)

// standIns is flow's port on the mandates.
type standIns struct {
	table    *route.Table
	mandates map[string]*mandate
	limits   *standin.Limits
	clock    env.Clock
}

type mandate struct {
	flow.Mandate
	rules standin.Rules
}

// Mandate finds the mandate of a card's range.
func (s standIns) Mandate(pan secret.PAN) *flow.Mandate {
	d, err := s.table.Choose(pan, func(string) bool { return true })
	if err != nil || d.StandIn == "" {
		return nil
	}
	return &s.mandates[d.StandIn].Mandate
}

// Allows climbs the rules that need no counter.
func (s standIns) Allows(in *txn.Request, m *flow.Mandate) error {
	return s.mandates[m.Name].rules.Check(standin.Ask{
		Amount: in.Amount.Minor, Type: in.MerchantType, Chip: !in.Card.ICC.IsZero(), PIN: !in.Card.PIN.IsZero()})
}

// Take counts a payment against the card's limits of today.
func (s standIns) Take(p *txn.Payment, m *flow.Mandate) ([]journal.Record, func(), error) {
	r, failed, err := s.limits.Take(s.mandates[m.Name].rules, p, s.clock.Now())
	if err != nil {
		return nil, nil, err
	}
	return []journal.Record{r}, failed, nil
}

// Auth makes an authorization code.
func (s standIns) Auth(n txn.Numbers) [6]byte { return standin.Auth(n.STAN) }

// standIns is the port for what the configuration enables, nil when that is nothing.
func (n *Node) standIns(table *route.Table, issuers map[string]*chip.Issuer) (flow.StandIns, error) {
	if !n.cfg.StandIn.Enabled {
		return nil, nil
	}
	s := standIns{table: table, mandates: map[string]*mandate{}, limits: n.limits, clock: n.world.Clock}
	for _, c := range n.cfg.StandIn.Mandates {
		is := issuers[c.Issuer]
		if is == nil || is.PVK == nil || !is.ATC.InUse() {
			return nil, fmt.Errorf("stand_in: mandate %q: issuer %q must be configured, with pvk and atc_ahead", c.Name, c.Issuer)
		}
		s.mandates[c.Name] = &mandate{flow.Mandate{Name: c.Name, Issuer: *is}, rules(c)}
	}
	for _, b := range n.cfg.BINs {
		if err := n.standsIn(s, b); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// standsIn refuses a range whose mandate is not there, or whose advices no link
// could carry.
func (n *Node) standsIn(s standIns, b config.BIN) error {
	if b.StandIn == "" {
		return nil
	}
	if s.mandates[b.StandIn] == nil {
		return fmt.Errorf("stand_in: range %s-%s: there is no mandate %q", b.Low, b.High, b.StandIn)
	}
	for _, l := range b.Links {
		if !n.links.Serves(l, txn.StandIn) {
			return fmt.Errorf("stand_in: range %s-%s: the dialect of link %q carries no advices, so the acquirer could not be told of what is decided here; route the range elsewhere, or remove its stand_in", b.Low, b.High, l)
		}
	}
	return nil
}

func rules(c config.Mandate) standin.Rules {
	r := standin.Rules{MaxAmount: money.MinorUnits(c.MaxAmount), MaxCount: c.MaxCount, MaxSum: money.MinorUnits(c.MaxSum), PINAbove: money.MinorUnits(c.PINAbove)}
	for _, t := range c.Types {
		r.Types = append(r.Types, merchantType(t))
	}
	for _, t := range c.Refused {
		r.Refused = append(r.Refused, merchantType(t))
	}
	return r
}

// merchantType is four digits, zero when there are none.
func merchantType(s string) (t [4]byte) {
	copy(t[:], s)
	return t
}

// merchantTypeOf is the type of the merchant of a payment, zero when it is not known.
func (n *Node) merchantTypeOf(k txn.Key) [4]byte {
	t, err := n.fleet.Lookup(k.Terminal.String(), k.Merchant.String())
	if err != nil {
		return [4]byte{}
	}
	return merchantType(t.Merchant.Category)
}

// newLimits makes the counters of the day's stand-in.
func (n *Node) newLimits() *standin.Limits {
	return standin.NewLimits(n.cfg.Payment.Counters, time.Duration(n.cfg.StandIn.DayOffset)*time.Minute)
}
