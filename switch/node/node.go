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
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/keystore"
	"tapswitch/internal/env"
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
)

// Module is what a switch needs of its HSM.
type Module interface {
	hsm.MACer
	hsm.Translator
	hsm.PINVerifier
	hsm.CryptogramVerifier
	hsm.KeyMaker
	hsm.Sealer
	hsm.Tokener
	hsm.Health
}

// maxPayments bounds the replay index: about 1 KiB each.
const maxPayments = 2_000_000

// numberBlock is how many trace numbers one durable record reserves.
const numberBlock = 1000

// Node is one switch.
type Node struct {
	cfg     *config.Config
	world   env.Env
	module  Module
	log     *slog.Logger
	metrics *observe.Metrics
	events  *observe.Events

	journal   *segment.Journal
	keys      *keystore.Store
	index     *replay.Index
	tries     *pin.Checker
	saf       *saf.Queue
	links     acquirers
	flow      *flow.Flow
	listeners []*listen.Listener
	admin     *observe.Server
	ready     ready

	stopOnce sync.Once
	fatal    chan error
	delivery sync.WaitGroup // the store-and-forward lines
}

// New builds a switch and recovers its state from the journal; nothing is
// started and nothing listens yet.
func New(ctx context.Context, cfg *config.Config, world env.Env, module Module, log *slog.Logger) (*Node, error) {
	n := &Node{cfg: cfg, world: world, module: module, log: log, fatal: make(chan error, 1), links: acquirers{}}
	n.metrics = observe.New(metricNames(cfg))
	n.events = observe.NewEvents(world, log, n.metrics)
	if err := module.Health(); err != nil {
		return nil, fmt.Errorf("hsm: %w", err)
	}
	var err error
	if n.journal, err = n.openJournal(); err != nil {
		return nil, err
	}
	if err := n.build(ctx); err != nil {
		return nil, errors.Join(err, n.journal.Close())
	}
	return n, nil
}

func (n *Node) openJournal() (*segment.Journal, error) {
	c := n.cfg.Journal
	j, err := segment.Open(n.world, segment.Config{
		Dir: c.Dir, SegmentBytes: c.SegmentBytes, MaxBytes: c.MaxBytes, QueueMax: c.Queue,
		OnBroken: func(err error) { n.stop(fmt.Errorf("journal: %w", err)) },
	})
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", c.Dir, err)
	}
	return j, nil
}

// build makes the parts over the journal, recovers, and joins the flow.
func (n *Node) build(ctx context.Context) error {
	var err error
	if n.keys, err = keystore.Open(n.world.Disk, n.cfg.HSM.Keystore); err != nil {
		return err
	}
	n.index = replay.New(replay.Config{Max: maxPayments, Window: n.cfg.Payment.ReplayWindow}, n.world, n.journal)
	n.tries = pin.New(n.module, uint8(n.cfg.Payment.PINTries))
	source := number.New(n.world, n.journal, number.Config{Kind: record.KindNumbers, Block: numberBlock})
	began := n.world.Clock.Mono()
	records, err := recover.Replay(n.journal, n.index, n.tries, source)
	if err != nil {
		return fmt.Errorf("recovery from journal %s: %w", n.cfg.Journal.Dir, err)
	}
	nums := numbers{source, n.world.Clock}
	vault, err := n.cards()
	if err != nil {
		return err
	}
	if err := n.buildLinks(nums, vault); err != nil {
		return err
	}
	n.saf = saf.New(saf.Config{Retry: n.cfg.Reversal.Retry, MaxRetry: n.cfg.Reversal.MaxRetry}, n.world, n.index, n.links, n.reversalAttempt)
	if err := n.buildFlow(nums, vault); err != nil {
		return err
	}
	sum, err := recover.Resolve(n.index, nums.Next, n.saf.Enqueue)
	if err != nil {
		return err
	}
	n.log.Info("recovered", "records", records, "payments", sum.Payments, "reversed", sum.Reversed, "reversing", sum.Reversing,
		"presumed_delivered", sum.Delivered, "ms", n.world.Clock.Mono().Sub(began).Milliseconds())
	return n.buildListeners()
}

// key finds a key by name and refuses one of another usage.
func (n *Node) key(name string, usage hsm.Usage) (*hsm.Key, error) {
	k, ok := n.keys.Get(name)
	if !ok {
		return nil, fmt.Errorf("keystore %s has no key %q (needed as %s): load it with the key ceremony, or correct the name", n.cfg.HSM.Keystore, name, usage)
	}
	if k.Usage != usage {
		return nil, fmt.Errorf("key %q is a %s where a %s is needed", name, k.Usage, usage)
	}
	return &k, nil
}

func (n *Node) cards() (*cards, error) {
	seal, err := n.key(n.cfg.PAN.Seal, hsm.PANSeal)
	if err != nil {
		return nil, err
	}
	token, err := n.key(n.cfg.PAN.Token, hsm.PANToken)
	if err != nil {
		return nil, err
	}
	return &cards{n.module, seal, token}, nil
}

func (n *Node) buildFlow(nums numbers, vault *cards) error {
	table, issuers, err := n.routes()
	if err != nil {
		return err
	}
	fl, err := n.fleet()
	if err != nil {
		return err
	}
	n.flow = &flow.Flow{
		Terminals: terminals{fl},
		Admission: newAdmission(n.cfg.Payment.MaxInFlight),
		Cards:     vault,
		Payments:  n.index,
		Routes:    routes{table, issuers, n.links},
		Chips:     chip.Checker{Module: n.module},
		PINs:      pins{n.tries, n.links},
		Numbers:   nums,
		Acquirers: n.links,
		Reversals: n.saf,
		Currency:  []uint16{156},
		Clock:     n.world.Clock,
		Observe:   n.observe,
		Stop:      n.stop,
	}
	return nil
}

// routes builds the BIN table and the issuers of on-us cards.
func (n *Node) routes() (*route.Table, map[string]*chip.Issuer, error) {
	profiles := map[string]hsm.Profile{"visa_cvn10": hsm.VisaCVN10, "visa_cvn18": hsm.VisaCVN18, "unionpay_cvn01": hsm.UnionPayCVN01}
	issuers := make(map[string]*chip.Issuer, len(n.cfg.Issuers))
	for _, c := range n.cfg.Issuers {
		is := &chip.Issuer{Name: c.Name, Profile: profiles[c.Profile]}
		var err error
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
		ranges[i] = route.Range{Line: i + 1, Low: b.Low, High: b.High, Scheme: b.Scheme, Links: b.Links, OnUs: b.Issuer != "", IssuerProfile: b.Issuer}
	}
	table, err := route.New(ranges)
	return table, issuers, err
}

// fleet builds the terminal directory.
func (n *Node) fleet() (*fleet.Fleet, error) {
	merchants := map[string]*fleet.Merchant{}
	terminals := make([]fleet.Terminal, len(n.cfg.Terminals))
	for i, c := range n.cfg.Terminals {
		m := merchants[c.Merchant]
		if m == nil {
			m = &fleet.Merchant{ID: c.Merchant, Status: fleet.Active}
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
		Clock: n.world.Clock, Waits: n.world.Waits, Store: fleetKeys{n.keys}, Maker: n.module, MACer: n.module, SignOnWait: time.Second,
		Trouble: func(terminal string, err error) { n.log.Warn("key set not retired", "terminal", terminal, "err", err) },
	}, terminals)
}

// stop ends the process: what cannot be made durable must not be answered.
func (n *Node) stop(err error) {
	n.stopOnce.Do(func() {
		n.log.Error("stopping", "err", err)
		n.fatal <- err
	})
}
