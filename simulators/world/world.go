// SPDX-License-Identifier: Apache-2.0

package world

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/soft"
	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/simulators/card"
	"tapswitch/simulators/oracle"
	"tapswitch/switch/config"
	"tapswitch/switch/txn"
)

// The size of a run.
const (
	terminals = 5
	troubles  = 300 * time.Second // of trouble, in virtual time
	least     = 80                // payments: a run whose switch was down too long goes on
	patience  = 2 * time.Hour     // for everything to be drained, in virtual time
	deadline  = 4 * time.Second   // of a first answer
)

// mandate is what the switch may decide by itself: so little that a run comes to its
// end.
var mandate = oracle.Mandate{Amount: 40_000, Count: 6, Sum: 80_000}

// World is one run.
type World struct {
	seed    uint64
	sched   *sched
	rng     *rand.Rand
	random  io.Reader
	group   *group // of the world itself
	config  *config.Config
	module  *module
	machine *machine
	hosts   []*host
	shops   []*pos
	plastic []*card.Card

	calm        bool // the time of trouble is over
	calmSince   env.Mono
	faults      map[string]int
	foundUndone map[oracle.Key]bool // by the operator, so that what it took may be taken again
	letGo       map[txn.Key]bool    // offline sales over a limit, by the clerk
	crashes     []string
	moves       txn.Moves // of the lives of the switch that are over
	payments    int
	history     history
	findings    []string
	trace       hash.Hash
	lines       []said
	traceFull   bool // keep the lines themselves
}

// said is one line of the trace.
type said struct {
	at   time.Duration
	text string
}

// newWorld sets everything up; nothing runs yet.
func newWorld(seed uint64) (*World, error) {
	s := newSched(seed)
	w := &World{seed: seed, sched: s, rng: s.rng, random: fake.NewRand(seed), group: &group{name: "world"},
		faults: map[string]int{}, foundUndone: map[oracle.Key]bool{}, letGo: map[txn.Key]bool{}, trace: sha256.New(), config: configuration()}
	s.wrong = func(text string) { w.finding("%s", text) }
	inner, err := soft.New(w.random, s)
	if err != nil {
		return nil, err
	}
	w.module = &module{Module: inner, w: w}
	zak, err := load(inner, "host/zak", hsm.ZAK, hsm.TDES2, zakHex)
	if err != nil {
		return nil, err
	}
	for _, l := range w.config.Links {
		w.hosts = append(w.hosts, newHost(w, l.Name, &zak))
	}
	counters, err := card.OpenCounters("")
	if err != nil {
		return nil, err
	}
	if w.plastic, err = wallet(counters); err != nil {
		return nil, err
	}
	for i := range terminals {
		p, err := newPos(w, i)
		if err != nil {
			return nil, err
		}
		w.shops = append(w.shops, p)
	}
	return w, nil
}

// configuration is the switch of the world, as its file would say it.
func configuration() *config.Config {
	link := func(name, institution string) config.Link {
		return config.Link{Name: name, Dialect: "iso87ascii", Addresses: []string{name}, Institution: institution, Connections: 2,
			Timeout: 2 * time.Second, Echo: 10 * time.Second, SignOn: 2 * time.Second, MaxInFlight: 64,
			SAFWindow: 4, SAFRate: 20, SAFRamp: 5 * time.Second,
			ZPK: "link/" + name + "/zpk", ZAK: "link/" + name + "/zak", MerchantType: "5999",
			HoldDays: 30, CompletionPercent: 115}
	}
	c := &config.Config{
		Version: 1, Environment: "test", Node: config.Node{Name: "world", Drain: time.Second},
		Payment:    config.Payment{Deadline: deadline, MaxInFlight: 16, ReplayWindow: 24 * time.Hour, PINTries: 3, Counters: 100},
		Settlement: config.Settlement{MACRequired: true, Remember: 1_000_000},
		Journal:    config.Journal{Dir: "journal", SegmentBytes: 64 << 10, MaxBytes: 4 << 20, Queue: 64},
		HSM:        config.HSM{Keystore: "keystore"},
		Links:      []config.Link{link("acq-a", "40000001"), link("acq-b", "40000002")},
		Issuers:    []config.Issuer{{Name: "visa", Profile: "visa_cvn10", IMK: "issuer/visa/imk", PVK: "issuer/visa/pvk", ATCAhead: 5000, ATCBehind: 50}},
		Reversal:   config.Reversal{Retry: time.Second, MaxRetry: 8 * time.Second},
		Observe:    config.Observe{LogLevel: "error"},
		PAN:        config.PAN{Seal: "store/pan-seal", Token: "store/pan-token"},
		BINs: []config.BIN{{Low: "622424", High: "622424", Scheme: "unionpay", Links: []string{"acq-a", "acq-b"}},
			{Low: "476173", High: "476173", Scheme: "visa", Links: []string{"acq-b"}, Issuer: "visa", StandIn: "visa"}},
		StandIn: config.StandIn{Enabled: true, Mandates: []config.Mandate{
			{Name: "visa", Issuer: "visa", MaxAmount: mandate.Amount, MaxCount: mandate.Count, MaxSum: mandate.Sum, PINAbove: 20_000}}},
	}
	c.Links[1].Unanswered = "reverse" // of refunds; a case at the other one
	for i := range terminals {
		c.Terminals = append(c.Terminals, config.Terminal{ID: terminalID(i), Merchant: merchant, TMK: "terminal/" + terminalID(i) + "/tmk", Status: "active", Offline: unasked})
	}
	return c
}

// troubled says whether faults may happen; shortly after the time of trouble
// its consequences are still to be seen.
func (w *World) troubled() bool { return !w.calm || w.sched.mono < w.calmSince.Add(10*time.Second) }

// trouble is one fault with a chance of so many in a thousand.
func (w *World) trouble(kind string, chance int) bool {
	if w.calm || w.rng.IntN(1000) >= chance {
		return false
	}
	w.fault(kind)
	return true
}

// fault counts a fault that happens now.
func (w *World) fault(kind string) {
	w.faults[kind]++
	w.say("fault: %s", kind)
}

// between draws a duration.
func (w *World) between(from, to time.Duration) time.Duration {
	return from + time.Duration(w.rng.Int64N(int64(to-from)))
}

// say adds a line to the trace.
func (w *World) say(format string, args ...any) {
	line := said{w.sched.since(), fmt.Sprintf(format, args...)}
	fmt.Fprintf(w.trace, "%d %s\n", line.at, line.text)
	if w.traceFull {
		w.lines = append(w.lines, line)
	}
}

// broken is a promise that needs no oracle to be seen broken.
func (w *World) broken(promise int, format string, args ...any) {
	w.finding("promise %d: %s", promise, fmt.Sprintf(format, args...))
}

// finding is something wrong that needs no oracle to be seen.
func (w *World) finding(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.findings = append(w.findings, text)
	w.say("FINDING: %s", text)
}

func (w *World) host(name string) *host {
	for _, h := range w.hosts {
		if h.name == name {
			return h
		}
	}
	return nil
}

// misfortune is what happens to machines, hosts and terminals by themselves.
func (w *World) misfortune() {
	for !w.calm {
		w.sched.sleep(w.between(500*time.Millisecond, 5*time.Second))
		if w.calm {
			return
		}
		m, h, p := w.machine, w.hosts[w.rng.IntN(len(w.hosts))], w.shops[w.rng.IntN(len(w.shops))]
		switch w.rng.IntN(16) {
		case 0, 1, 2:
			m.crashIn, m.keep = 1+w.rng.IntN(30), fake.Keeps()[w.rng.IntN(3)] // the fault is counted when it comes
		case 3:
			w.fault("host silent")
			h.silent = true
			w.sched.after(w.group, w.between(time.Second, 15*time.Second), func() { h.silent = false })
		case 4:
			w.fault("host gone")
			h.flap(false)
			w.sched.after(w.group, w.between(100*time.Millisecond, 15*time.Second), func() { h.flap(true) })
		case 5:
			w.fault("terminal loses power")
			p.powerLoss()
		case 6:
			w.fault("hsm gone")
			w.module.gone = true
			w.sched.after(w.group, w.between(100*time.Millisecond, 4*time.Second), func() { w.module.gone = false })
		case 7:
			w.fault("disk full")
			m.full(w.between(time.Second, 6*time.Second))
		case 8:
			w.fault("sync fails")
			m.failSync()
		case 9:
			w.fault("wall clock jumps")
			w.sched.stepped += w.between(-30*time.Minute, 30*time.Minute)
		default:
			w.sluggishness()
		}
	}
}

// sluggishness is what makes everything take long for a while, so that more happens
// in between; and hosts that will not undo.
func (w *World) sluggishness() {
	m, h := w.machine, w.hosts[w.rng.IntN(len(w.hosts))]
	during := func(kind string, most time.Duration, set func(bool)) {
		w.fault(kind)
		set(true)
		w.sched.after(w.group, w.between(time.Second, most), func() { set(false) })
	}
	switch w.rng.IntN(4) {
	case 0:
		during("host sluggish", 10*time.Second, func(on bool) { h.sluggish = on })
	case 1:
		during("host undoes nothing", 12*time.Second, func(on bool) { h.refusing = on })
	case 2:
		during("hsm sluggish", 8*time.Second, func(on bool) { w.module.sluggish = on })
	case 3:
		during("disk sluggish", 8*time.Second, func(on bool) { m.sluggish = on })
	}
}

// settle ends all trouble.
func (w *World) settle() {
	w.calm, w.calmSince = true, w.sched.mono
	w.say("calm")
	w.module.gone, w.module.sluggish, w.machine.sluggish = false, false, false
	for _, h := range w.hosts {
		h.up, h.silent, h.sluggish, h.refusing = true, false, false, false
	}
	w.machine.crashIn = 0
	w.machine.disk.SetCapacity(0)
}

// drained says whether all is settled: terminals owe nothing, and neither does
// the switch.
func (w *World) drained() bool {
	if w.machine.node == nil || w.machine.group.dead || w.machine.node.Waiting() > 0 {
		return false
	}
	for _, p := range w.shops {
		if !p.done {
			return false
		}
	}
	for _, h := range w.hosts {
		for _, e := range h.order {
			if e.request != nil {
				return false
			}
		}
	}
	return true
}

// Run plays one seed to its end and judges it.
func Run(seed uint64) (Result, error) { return run(seed, false) }

func run(seed uint64, full bool) (Result, error) {
	w, err := newWorld(seed)
	if err != nil {
		return Result{}, err
	}
	w.traceFull = full
	disk := fake.NewDisk()
	if err := w.install(disk); err != nil {
		return Result{}, err
	}
	w.boot(disk)
	for _, p := range w.shops {
		p.switchOn()
	}
	w.sched.start(w.group, w.misfortune)
	w.sched.start(w.group, w.operator)
	w.sched.start(w.group, w.clerk)
	s := w.sched
	s.run(s.mono.Add(troubles), func() bool { return false })
	for s.mono < env.Mono(patience) && w.payments < least {
		s.run(s.mono.Add(time.Second), func() bool { return false })
	}
	w.settle()
	const quiet = 30 * time.Second // stray answers arrive, presumed deliveries settle
	end := s.mono.Add(patience)
	for s.mono < end && !w.drained() {
		s.run(s.mono.Add(time.Second), func() bool { return false })
	}
	s.run(s.mono.Add(quiet), func() bool { return false })
	if !w.drained() {
		w.broken(3, "not drained after %v: %s", patience, w.owing())
	}
	return w.result()
}

// owing says who still owes what.
func (w *World) owing() string {
	var b strings.Builder
	if n := w.machine.node; n != nil {
		fmt.Fprintf(&b, "the switch %d reversals; ", n.Waiting())
	}
	for _, p := range w.shops {
		if !p.done {
			fmt.Fprintf(&b, "terminal %s is not done; ", p.id)
		}
	}
	return b.String()
}

// Result is what a run came to.
type Result struct {
	Seed       uint64
	Payments   int
	Faults     map[string]int
	Crashes    []string
	Moves      txn.Moves // along the state table, in all lives of the switch
	Hash       string
	Violations []oracle.Violation
	Findings   []string                // wrong without the oracle: panics, what cannot be drained
	stans      map[oracle.Key][]string // how the trace names a payment at its acquirer
	lines      []said
}

// Failed says whether anything is wrong.
func (r Result) Failed() bool { return len(r.Violations)+len(r.Findings) > 0 }

func (w *World) result() (Result, error) {
	if w.machine.node != nil {
		w.judgeLimits()
	}
	r := Result{Seed: w.seed, Payments: w.payments, Faults: w.faults, Crashes: w.crashes, Moves: w.moves, Findings: w.findings, lines: w.lines}
	if w.machine.node != nil {
		r.Moves.Add(w.machine.node.Moves())
		h, err := w.gather()
		if err != nil {
			return r, err
		}
		r.Violations = oracle.Judge(h)
		r.stans = map[oracle.Key][]string{}
		for _, rec := range h.Records {
			if rec.STAN != 0 {
				r.stans[rec.Key] = append(r.stans[rec.Key], fmt.Sprintf("stan=%06d", rec.STAN))
			}
		}
	}
	r.Hash = hex.EncodeToString(w.trace.Sum(nil)[:8])
	w.sched.kill(w.machine.group)
	w.sched.kill(w.group)
	for _, p := range w.shops {
		w.sched.kill(p.group)
	}
	return r, nil
}
