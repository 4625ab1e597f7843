// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"slices"
	"sync"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/switch/chip"
	"tapswitch/switch/config"
	"tapswitch/switch/fleet"
	"tapswitch/switch/flow"
	"tapswitch/switch/journal"
	"tapswitch/switch/number"
	"tapswitch/switch/pin"
	"tapswitch/switch/record"
	"tapswitch/switch/route"
	"tapswitch/switch/txn"
)

// terminals is flow's port on the fleet.
type terminals struct {
	fleet     *fleet.Fleet
	settleMAC bool // messages about batches must have a MAC
}

// Authenticate finds the terminal and verifies the MAC of its message.
func (t terminals) Authenticate(ctx context.Context, in *txn.Request) error {
	who, err := t.fleet.Lookup(in.Key.Terminal.String(), in.Key.Merchant.String())
	if err != nil {
		return terminalRefusal(err)
	}
	if !in.HasMAC && !t.settleMAC && aboutBatch(in.Key.Class) {
		return nil // and no key to answer with
	}
	if !in.HasMAC {
		return txn.DeclineMACMissing
	}
	set, err := t.fleet.VerifyMAC(ctx, who, hsm.MACUnionPayECB, in.MACInput, in.MAC)
	if err != nil {
		return terminalRefusal(err)
	}
	in.PINKey, in.MACKey = set.PIN, set.MAC
	in.MerchantType = merchantType(who.Merchant.Category)
	return nil
}

// aboutBatch says whether a message concerns a batch: no money moves by it.
func aboutBatch(c txn.Class) bool { return c == txn.Settle || c == txn.Upload || c == txn.BatchEnd }

// SignOn makes a new key set.
func (t terminals) SignOn(ctx context.Context, in *txn.Request) (flow.Keys, error) {
	who, err := t.fleet.Lookup(in.Key.Terminal.String(), in.Key.Merchant.String())
	if err != nil {
		return flow.Keys{}, terminalRefusal(err)
	}
	keys, err := t.fleet.SignOn(ctx, who)
	if err != nil {
		return flow.Keys{}, terminalRefusal(err)
	}
	return flow.Keys{PIN: keys.PIN, MAC: keys.MAC}, nil
}

// Known checks terminal and merchant alone.
func (t terminals) Known(in *txn.Request) error {
	if _, err := t.fleet.Lookup(in.Key.Terminal.String(), in.Key.Merchant.String()); err != nil {
		return terminalRefusal(err)
	}
	return nil
}

// terminalRefusal names what the fleet said.
func terminalRefusal(err error) error {
	for _, c := range []struct {
		err error
		no  *txn.Decline
	}{
		{fleet.ErrUnknownTerminal, txn.DeclineTerminalUnknown},
		{fleet.ErrTerminalBlocked, txn.DeclineTerminalBlocked},
		{fleet.ErrMerchantMismatch, txn.DeclineMerchant},
		{fleet.ErrMerchantBlocked, txn.DeclineMerchant},
		{fleet.ErrNoKeys, txn.DeclineNotSignedOn},
		{fleet.ErrSignOnBusy, txn.DeclineOverload},
		{fleet.ErrKeysNotStored, txn.DeclineJournal},
		{fleet.ErrVersions, txn.DeclineKey},
	} {
		if errors.Is(err, c.err) {
			return c.no.Why(err)
		}
	}
	return pin.Refusal(err)
}

// admission bounds the messages in flight; reversals have a share of their own,
// so that payments never crowd them out.
type admission struct {
	mu              sync.Mutex
	payments, undos int
	max, maxUndos   int
}

func newAdmission(max int) *admission { return &admission{max: max, maxUndos: max/4 + 1} }

// Enter takes a slot, or refuses at once.
func (a *admission) Enter(class txn.Class) (func(), error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, limit := &a.payments, a.max
	if class == txn.Reversal {
		n, limit = &a.undos, a.maxUndos
	}
	if *n >= limit {
		return nil, txn.DeclineOverload
	}
	*n++
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		*n--
	}, nil
}

// InFlight is the number of payments being worked on.
func (a *admission) InFlight() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.payments
}

// routes is flow's port on the BIN table.
type routes struct {
	table   *route.Table
	issuers map[string]*chip.Issuer
	links   acquirers
}

// Issuer finds whose card it is.
func (r routes) Issuer(pan secret.PAN) (*chip.Issuer, error) {
	d, err := r.table.Choose(pan, func(string) bool { return true })
	if err != nil {
		return nil, txn.DeclineNoRoute.Why(err)
	}
	if !d.OnUs {
		return nil, nil
	}
	return r.issuers[d.IssuerProfile], nil
}

// Choose finds a healthy link.
func (r routes) Choose(pan secret.PAN) (string, error) {
	d, err := r.table.Choose(pan, r.links.Up)
	switch {
	case errors.Is(err, route.ErrNoHealthyLink):
		return "", txn.DeclineLinkDown.Why(err)
	case err != nil:
		return "", txn.DeclineNoRoute.Why(err)
	}
	return d.Link, nil
}

// Another finds a healthy link for what those that were tried have not sent.
func (r routes) Another(pan secret.PAN, c txn.Class, tried []string) (string, error) {
	d, err := r.table.Choose(pan, func(name string) bool {
		return !slices.Contains(tried, name) && r.links.Up(name) && r.links.Serves(name, c)
	})
	if err != nil || d.Link == "" {
		return "", txn.DeclineLinkDown.Why(err)
	}
	return d.Link, nil
}

// Home finds a link for what has happened already.
func (r routes) Home(pan secret.PAN, c txn.Class) (string, error) {
	serves := func(name string) bool { return r.links.Serves(name, c) }
	for _, fits := range []func(string) bool{func(name string) bool { return serves(name) && r.links.Up(name) }, serves} {
		d, err := r.table.Choose(pan, fits)
		switch {
		case err == nil && d.Link != "":
			return d.Link, nil
		case errors.Is(err, route.ErrNoRoute):
			return "", txn.DeclineNoRoute.Why(err)
		}
	}
	return "", txn.DeclineLinkClass
}

// limits is flow's port on what terminals and links may do.
type limits struct {
	terminals map[txn.TerminalID]flow.TerminalLimits
	links     map[string]flow.LinkLimits
}

func newLimits(c *config.Config) limits {
	l := limits{map[txn.TerminalID]flow.TerminalLimits{}, map[string]flow.LinkLimits{}}
	for _, t := range c.Terminals {
		var id txn.TerminalID
		copy(id[:], t.ID)
		l.terminals[id] = flow.TerminalLimits{Cashback: money.MinorUnits(t.Cashback),
			Offline: txn.OfflineLimits{Amount: money.MinorUnits(t.Offline.Amount), Count: t.Offline.Count, Sum: money.MinorUnits(t.Offline.Sum)}}
	}
	for _, k := range c.Links {
		l.links[k.Name] = flow.LinkLimits{Cashback: money.MinorUnits(k.Cashback), TipPercent: k.TipPercent}
	}
	return l
}

// Terminal gives what a terminal may do.
func (l limits) Terminal(id txn.TerminalID) flow.TerminalLimits { return l.terminals[id] }

// Link gives what a link takes.
func (l limits) Link(name string) flow.LinkLimits { return l.links[name] }

// pins is flow's port on the PIN checker and the links' zone keys.
type pins struct {
	checker *pin.Checker
	links   acquirers
}

// Verify checks the PIN of an on-us card.
func (p pins) Verify(ctx context.Context, in *txn.Request, pay *txn.Payment, is chip.Issuer) ([]journal.Record, func(), error) {
	return p.checker.Verify(ctx, pin.Attempt{Key: in.PINKey, PVK: is.PVK, Card: &in.Card, Token: pay.Token, For: pay.Key})
}

// Translate moves the PIN block to the zone key of a link.
func (p pins) Translate(ctx context.Context, in *txn.Request, name string) (secret.PINBlock, error) {
	return p.checker.Translate(ctx, &in.Card, in.PINKey, p.links[name].zpk)
}

// stored is the projection of the reserved blocks.
type stored struct{ number.State }

// Apply takes the records of reserved blocks and passes over others.
func (s *stored) Apply(r journal.Record) error {
	if r.Kind != record.KindNumbers {
		return nil
	}
	return s.State.Apply(r.Body)
}

// numbers is flow's port on the reserved blocks.
type numbers struct {
	source *number.Numbers
	clock  env.Clock
}

// Next gives numbers that no other request within the window carries.
func (n numbers) Next() (txn.Numbers, error) {
	now := n.clock.Now().UTC()
	stan, rrn, err := n.source.Next(now)
	if err != nil {
		return txn.Numbers{}, txn.DeclineNumbers.Why(err)
	}
	return txn.Numbers{STAN: txn.STAN(stan), At: now, RRN: rrn}, nil
}
