// SPDX-License-Identifier: Apache-2.0

// Package node wires a switch together and decides in which order its parts
// start and stop.
//
// Promise: two nodes run in one process without knowing of each other; nothing
// listens before recovery is over, and nothing that is in flight is dropped at
// stop: readiness off, listeners, messages in flight, links, journal.
//
// How: New builds every part from the configuration, bottom up; Run starts
// them, waits for the context or a fatal fault, and stops them in reverse
// order. ports.go, acquirers.go and pos.go join the parts to the flow's ports.
//
// Imported by: cmd. Imports: all of switch, hsm, iso8583.
package node

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/keystore"
	"tapswitch/internal/env"
	"tapswitch/switch/admin"
	"tapswitch/switch/chip"
	"tapswitch/switch/config"
	"tapswitch/switch/fleet"
	"tapswitch/switch/flow"
	"tapswitch/switch/journal/segment"
	"tapswitch/switch/link"
	"tapswitch/switch/listen"
	"tapswitch/switch/number"
	"tapswitch/switch/observe"
	"tapswitch/switch/pin"
	"tapswitch/switch/record"
	"tapswitch/switch/recover"
	"tapswitch/switch/replay"
	"tapswitch/switch/route"
	"tapswitch/switch/saf"
	"tapswitch/switch/settle"
	"tapswitch/switch/standin"
	"tapswitch/switch/translate"
	"tapswitch/switch/txn"
	"tapswitch/switch/window"
)

// Module is what a switch needs of its HSM.
type Module interface {
	hsm.MACer
	hsm.Translator
	hsm.PINVerifier
	hsm.CryptogramVerifier
	hsm.CSUAnswerer
	hsm.KeyMaker
	hsm.Sealer
	hsm.Tokener
	hsm.Health
}

// maxPayments bounds the replay index: about 1 KiB each.
const maxPayments = 2_000_000

// maxBatches bounds the batches remembered: about 300 bytes each.
const maxBatches = 500_000

// numberBlock is how many trace numbers one durable record reserves.
const numberBlock = 1000

// numberWindow is the time in which no STAN comes again. The request key holds
// field 7 besides, which tells seconds apart.
const numberWindow = time.Minute

// Options are what a node takes besides its configuration.
type Options struct {
	Log     io.Writer // one JSON object a line
	Version string
	Stopped func(error) // hears at once of the fault that ends Run; may be nil
}

// Node is one switch.
type Node struct {
	cfg      *config.Config
	world    env.Env
	module   Module
	group    hsm.Grouped // nil when the module is one token
	observer *observe.Observer

	journal   store
	segments  *segment.Journal // the same, nil when it is in PostgreSQL
	keys      *keystore.Store
	index     *replay.Index
	batches   *settle.Book
	tries     *pin.Checker
	counters  *window.Book
	limits    *standin.Limits
	saf       *saf.Queue
	links     acquirers
	fleet     *fleet.Fleet
	admission *admission
	flow      *flow.Flow
	listeners []*listen.Server
	desk      *admin.Server // nil when no operator's port is configured
	history   *past         // nil when none is configured
	serving   atomic.Bool
	serves    map[string]bool // tokens of the group, as the log has it; of the goroutine that refreshes the gauges

	stopOnce sync.Once
	stopped  func(error)
	fatal    chan error
	delivery sync.WaitGroup // the store-and-forward lines
	workers  sync.WaitGroup // observer and gauges
}

// New builds a switch and recovers its state from the journal; nothing is
// started and nothing listens yet.
func New(cfg *config.Config, world env.Env, module Module, o Options) (*Node, error) {
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(cfg.Observe.LogLevel)); err != nil {
		return nil, fmt.Errorf("observe.log_level: %w", err)
	}
	labels := sets(cfg)
	group, _ := module.(hsm.Grouped)
	if group != nil {
		for _, m := range group.Members() {
			labels.Tokens = append(labels.Tokens, m.Name)
		}
	}
	n := &Node{
		cfg: cfg, world: world, group: group, fatal: make(chan error, 1), links: acquirers{}, stopped: o.Stopped,
		observer: observe.New(observe.Options{Sets: labels, Version: o.Version, Log: o.Log, Level: level}),
	}
	if err := module.Health(); err != nil {
		return nil, fmt.Errorf("hsm: %w", err)
	}
	n.module = metered{module, n.observer.Metrics, world.Clock}
	var err error
	if err = n.openJournal(); err != nil {
		return nil, err
	}
	if err := n.build(); err != nil {
		return nil, errors.Join(err, n.closeStores())
	}
	return n, nil
}

// build makes the parts over the journal, recovers, and joins the flow.
func (n *Node) build() error {
	var err error
	durable := timedJournal{n.journal, n.observer.Metrics, n.world.Clock}
	if n.keys, err = keystore.Open(n.world.Disk, n.cfg.HSM.Keystore); err != nil {
		return err
	}
	bytes, _ := n.journal.Used()
	n.index = replay.New(replay.Config{Max: maxPayments, Window: n.cfg.Payment.ReplayWindow, Holds: n.cfg.HoldsLast(), Keep: n.cfg.Settlement.Remember, Expect: recover.Expect(bytes)}, n.world, durable)
	n.batches = settle.New(settle.Config{Max: maxBatches}, n.world, durable)
	n.index.Account(n.batches)
	n.tries = pin.New(n.module, uint8(n.cfg.Payment.PINTries))
	n.counters, n.limits = window.New(n.cfg.Payment.Counters), n.newLimits()
	var given stored
	began := n.world.Clock.Mono()
	records, err := recover.Replay(n.journal, n.index, n.batches, n.tries, n.counters, n.limits, &given)
	if err != nil {
		return fmt.Errorf("recovery from the journal: %w", err)
	}
	source, err := number.Open(n.world.Waits, durable, given.State, number.Config{Kind: record.KindNumbers, Block: numberBlock, Window: numberWindow})
	if err != nil {
		return err
	}
	nums := numbers{source, n.world.Clock}
	vault, err := n.cards()
	if err != nil {
		return err
	}
	if err := n.buildLinks(nums, vault); err != nil {
		return err
	}
	n.saf = saf.New(n.safConfig(), n.world, n.index, n.links, n.attempt)
	if err := n.buildFlow(nums, vault); err != nil {
		return err
	}
	sum, err := recover.Resolve(n.index, nums.Next, n.enqueueAgain)
	if err != nil {
		return err
	}
	if err := errors.Join(n.openable(vault), n.sameToken(vault)); err != nil {
		return err
	}
	for _, name := range n.saf.Links() {
		if n.links[name] == nil {
			n.observer.Log().Error("reversals wait for a link that is not configured: configure it until they are acknowledged",
				"link", name, "reversals", n.saf.Depth(name))
		}
	}
	if cases := n.index.Cases(); cases > 0 {
		n.observer.Log().Warn("cases are open: what the acquirer holds is for a person to find out; tapswitch txn cases lists them", "cases", cases)
	}
	if cases := n.batches.Cases(); cases > 0 {
		n.observer.Log().Warn("cases are open: terminals uploaded other payments than the switch has; tapswitch txn cases lists them", "cases", cases)
	}
	n.observer.Log().Info("recovered", "records", records, "payments", sum.Payments, "reversed", sum.Reversed, "reversing", sum.Reversing,
		"presumed_delivered", sum.Delivered, "closed", sum.Closed, "advising", sum.Advising, "cases", sum.Cases, "ms", n.world.Clock.Mono().Sub(began).Milliseconds())
	return nil
}

func (n *Node) safConfig() saf.Config {
	paces := map[string]saf.Pace{}
	for _, c := range n.cfg.Links {
		paces[c.Name] = saf.Pace{PerSecond: c.SAFRate, Ramp: c.SAFRamp}
	}
	return saf.Config{
		Retry: n.cfg.Reversal.Retry, MaxRetry: n.cfg.Reversal.MaxRetry, MaxAge: n.cfg.Reversal.MaxAge,
		Pace: func(link string) saf.Pace { return paces[link] },
	}
}

// enqueueAgain queues a reversal or an advice that a crash interrupted. One whose link left
// the configuration waits, and says so at every start.
func (n *Node) enqueueAgain(name string, k txn.Key) {
	if n.links[name] == nil {
		n.observer.Log().Error("a reversal or an advice waits for a link that is not configured: put the link back until it is delivered",
			"link", name, "terminal", k.Terminal.String(), "trace", uint32(k.Trace))
	}
	n.saf.EnqueueAgain(name, k)
}

// key finds a key by name and refuses one of another usage.
func (n *Node) key(name string, usage hsm.Usage) (*hsm.Key, error) {
	k, ok := n.keys.Get(name)
	if !ok {
		return nil, fmt.Errorf("keystore %s has no key %q (needed as %s): bring it in or make it (tapswitch hsm key import, generate), or correct the name", n.cfg.HSM.Keystore, name, usage)
	}
	if k.Usage != usage {
		return nil, fmt.Errorf("key %q is a %s where a %s is needed", name, k.Usage, usage)
	}
	return &k, nil
}

func (n *Node) buildFlow(nums numbers, vault *cards) error {
	table, issuers, err := n.routes()
	if err != nil {
		return err
	}
	if n.fleet, err = n.terminals(); err != nil {
		return err
	}
	standIns, err := n.standIns(table, issuers)
	if err != nil {
		return err
	}
	if n.cfg.History.InUse() {
		if n.history, err = n.newPast(); err != nil {
			return err
		}
	}
	n.admission = newAdmission(n.cfg.Payment.MaxInFlight)
	n.flow = &flow.Flow{
		Terminals: terminals{n.fleet, n.cfg.Settlement.MACRequired},
		Admission: n.admission,
		Cards:     vault,
		Payments:  n.index,
		Batches:   n.batches,
		Routes:    routes{table, issuers, n.links},
		Chips:     chip.Checker{Module: n.module},
		Counters:  chip.Counters{Book: n.counters},
		PINs:      pins{n.tries, n.links},
		Numbers:   nums,
		Limits:    newLimits(n.cfg),
		Holds:     n.links,
		Acquirers: n.links,
		Reversals: n.saf,
		StandIns:  standIns,
		Currency:  []uint16{156},
		Clock:     n.world.Clock,
		Observe:   n.report,
		Stop:      n.stop,
		Opened:    n.opened,
	}
	if n.history != nil {
		n.flow.Past = former{n.history}
	}
	return nil
}

// buildLinks makes the acquirer links; Run starts them.
func (n *Node) buildLinks(nums numbers, vault *cards) error {
	for _, c := range n.cfg.Links {
		part, err := translate.ParsePart(c.PartApproval)
		if err != nil {
			return fmt.Errorf("link %s: %w", c.Name, err)
		}
		dialect, err := translate.NewAcquirerOf(translate.AcquirerProfile{
			Dialect: c.Dialect, Institution: c.Institution, MerchantType: c.MerchantType, Destination: c.Destination, Part: part})
		if err != nil {
			return fmt.Errorf("link %s: %w", c.Name, err)
		}
		a := &acquirer{
			name: c.Name, dialect: dialect, timeout: c.Timeout, undoes: c.Unanswered == "reverse", ended: n.observer.Exchange,
			holds: flow.HoldTerms{Percent: c.CompletionPercent, Lasts: time.Duration(c.HoldDays) * 24 * time.Hour},
			macer: n.module, numbers: nums, clock: n.world.Clock, cards: vault, find: n.index.Find, merchantType: n.merchantTypeOf,
		}
		if a.zpk, err = n.key(c.ZPK, hsm.ZPK); err != nil {
			return err
		}
		if a.zak, err = n.key(c.ZAK, hsm.ZAK); err != nil {
			return err
		}
		if a.link, err = link.New(n.linkConfig(c, a)); err != nil {
			return fmt.Errorf("link %s: %w", c.Name, err)
		}
		n.links[c.Name] = a
	}
	return nil
}

func (n *Node) linkConfig(c config.Link, a *acquirer) link.Config {
	return link.Config{
		Name: c.Name, Addresses: c.Addresses, Frame: a.dialect.Format(), Header: a.dialect.Header, Protocol: a, Env: n.world, Connections: c.Connections, Timeout: c.Timeout,
		Table:   link.TableConfig{MaxInFlight: c.MaxInFlight},
		Session: link.SessionConfig{SignOnTimeout: c.SignOn, EchoEvery: c.Echo},
		Count:   n.observer.LinkEvents(c.Name),
		OnStray: func(s link.Stray) {
			if s.Outcome == link.Late {
				n.observer.LateAnswer(c.Name)
			}
			a.stray(n.flow.Late, s)
		},
		OnState: func(connection int, s link.State, why link.Kind) { // told with the link locked: no call back
			n.observer.Log().Info("link", "name", c.Name, "connection", connection, "state", s.String(), "why", why.String())
			n.saf.Nudge(c.Name)
		},
	}.Defaults()
}

// profiles are the words of the configuration.
func profiles() map[string]hsm.Profile {
	return map[string]hsm.Profile{
		"visa_cvn10": hsm.VisaCVN10, "visa_cvn17": hsm.VisaCVN17, "visa_cvn18": hsm.VisaCVN18, "visa_cvn22": hsm.VisaCVN22,
		"mchip_cvn16": hsm.MChipCVN16, "mchip_cvn17": hsm.MChipCVN17, "mchip_cvn20": hsm.MChipCVN20, "mchip_cvn21": hsm.MChipCVN21,
		"unionpay_cvn01": hsm.UnionPayCVN01, "unionpay_pboc": hsm.UnionPayPBOC, "interac_cvn133": hsm.InteracCVN133, "ccd": hsm.CCD,
	}
}

// issuer is how an issuer's cards are checked and answered, without its keys.
func issuer(c config.Issuer) (*chip.Issuer, error) {
	is := &chip.Issuer{Name: c.Name, Profile: profiles()[c.Profile], ATC: window.Profile{Ahead: uint32(c.ATCAhead), Behind: uint32(c.ATCBehind)}}
	if is.Profile == 0 {
		return nil, fmt.Errorf("issuer %q: cryptogram profile %q is not built", c.Name, c.Profile)
	}
	if c.Option == "b" {
		is.Option = hsm.OptionB
	}
	arc, err := hex.DecodeString(c.ARC)
	if err != nil || len(arc) != 0 && len(arc) != 2 {
		return nil, fmt.Errorf("issuer %q: arc is not four hex digits", c.Name)
	}
	copy(is.Answer.ARC[:], arc)
	csu, err := hex.DecodeString(c.CSU)
	if err != nil || len(csu) != 4 && (is.Profile.AnsweredByCSU() || len(csu) != 0) {
		return nil, fmt.Errorf("issuer %q: csu is not eight hex digits", c.Name)
	}
	copy(is.Answer.CSU[:], csu)
	return is, nil
}

// routes builds the BIN table and the issuers of on-us cards.
func (n *Node) routes() (*route.Table, map[string]*chip.Issuer, error) {
	issuers := make(map[string]*chip.Issuer, len(n.cfg.Issuers))
	for _, c := range n.cfg.Issuers {
		is, err := issuer(c)
		if err != nil {
			return nil, nil, err
		}
		if is.IMK, err = n.key(c.IMK, hsm.IMKAC); err != nil {
			return nil, nil, err
		}
		if c.PVK != "" {
			if is.PVK, err = n.key(c.PVK, hsm.PVK); err != nil {
				return nil, nil, err
			}
		}
		issuers[c.Name] = is
	}
	ranges := make([]route.Range, len(n.cfg.BINs))
	for i, b := range n.cfg.BINs {
		ranges[i] = route.Range{Line: i + 1, Low: b.Low, High: b.High, Scheme: b.Scheme, Links: b.Links, OnUs: b.Issuer != "", IssuerProfile: b.Issuer, StandIn: b.StandIn}
	}
	table, err := route.New(ranges)
	return table, issuers, err
}

// terminals builds the terminal directory.
func (n *Node) terminals() (*fleet.Fleet, error) {
	merchants := map[string]*fleet.Merchant{}
	terminals := make([]fleet.Terminal, len(n.cfg.Terminals))
	for i, c := range n.cfg.Terminals {
		m := merchants[c.Merchant]
		if m == nil {
			m = &fleet.Merchant{ID: c.Merchant, Category: c.MerchantType, Status: fleet.Active}
			merchants[c.Merchant] = m
		}
		tmk, err := n.key(c.TMK, hsm.TMK)
		if err != nil {
			return nil, err
		}
		status := fleet.Active
		if c.Status == "blocked" {
			status = fleet.Blocked
		}
		terminals[i] = fleet.Terminal{ID: c.ID, Merchant: m, Status: status, TMK: tmk, MACRequired: true}
	}
	return fleet.New(fleet.Config{
		Clock: n.world.Clock, Waits: n.world.Waits, Store: n.keys, Maker: n.module, MACer: n.module, SignOnWait: time.Second,
		Trouble: func(terminal string, err error) {
			n.observer.Log().Warn("key set not retired", "terminal", terminal, "err", err)
		},
	}, terminals)
}

// stop ends the process: what cannot be made durable must not be answered.
func (n *Node) stop(err error) {
	n.stopOnce.Do(func() {
		n.observer.Log().Error("stopping", "err", err)
		n.fatal <- err
		if n.stopped != nil {
			n.stopped(err)
		}
	})
}
