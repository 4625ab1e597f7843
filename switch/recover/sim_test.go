// SPDX-License-Identifier: Apache-2.0

package recover_test

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/flow"
	"tapswitch/switch/txn"
)

// sim is a seeded day: purchases, repeats, reversals, deliveries and crashes by
// chance, with a terminal that behaves as terminals do.
type sim struct {
	t      *testing.T
	r      *rand.Rand
	clock  *fake.Clock
	disk   *fake.Disk
	host   *host
	node   *node
	trace  hash.Hash
	steps  []step // purchases made
	known  map[txn.STAN]txn.Answer
	undone map[txn.STAN]bool // reversals that the terminal has had acknowledged
	owed   map[txn.STAN]bool // reversals that it still has to send
}

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{
		t: t, r: rand.New(rand.NewPCG(seed, 1)), clock: fake.NewClock(), disk: fake.NewDisk(), host: newHost(), trace: sha256.New(),
		known: map[txn.STAN]txn.Answer{}, undone: map[txn.STAN]bool{}, owed: map[txn.STAN]bool{},
	}
	s.boot()
	return s
}

func (s *sim) boot() {
	n, err := boot(s.clock, s.disk, s.host)
	if err != nil {
		s.t.Fatal(err)
	}
	s.node = n
}

func (s *sim) note(format string, args ...any) { fmt.Fprintf(s.trace, format+"\n", args...) }

// crash runs step and loses power at the k-th disk operation from now on, if it
// comes to that; it reports whether it did.
func (s *sim) crash(k int, step func()) bool {
	target := s.disk.Ops() + k
	keep := fake.Keeps()[s.r.IntN(3)]
	seed := s.r.Uint64()
	var disk *fake.Disk
	var outside *host
	s.disk.OnOp(func(o fake.Op) {
		if o.K == target {
			disk, outside = s.disk.CrashClone(keep, seed), s.host.clone()
		}
	})
	step()
	s.disk.OnOp(nil)
	if disk == nil {
		return false
	}
	s.note("crash at operation %d, keep %s", k, keep)
	s.disk, s.host = disk, outside
	s.boot()
	return true
}

// purchase sends p; when the power goes the terminal has no answer and owes a
// reversal, as it does when the answer does not reach it.
func (s *sim) purchase(p step) {
	var a txn.Answer
	send := func() { a = s.node.run(s.clock, s.host, p) }
	if s.r.IntN(3) == 0 {
		if s.crash(1+s.r.IntN(6), send) {
			a = txn.Answer{}
		}
	} else {
		send()
	}
	s.note("purchase %d %s %s: %s %s repeat=%v", p.trace, p.mood, p.pin, a.Code, a.Reason, a.Repeat)
	before, had := s.known[p.trace]
	if known(a) && had && a.Approved() && !before.Approved() {
		s.t.Errorf("trace %d was told %s and then yes", p.trace, before.Code)
	}
	if known(a) && a.Approved() && s.undone[p.trace] {
		s.t.Errorf("trace %d is approved after its reversal", p.trace)
	}
	if !had {
		if s.known[p.trace] = a; !known(a) {
			delete(s.known, p.trace)
			s.owed[p.trace] = true
		}
	}
}

func (s *sim) reversal(trace txn.STAN) {
	s.owed[trace] = true
	var a txn.Answer
	send := func() { a = s.node.run(s.clock, s.host, step{trace: trace, class: txn.Reversal}) }
	if s.r.IntN(3) == 0 && s.crash(1+s.r.IntN(4), send) {
		return // it is sent again later
	}
	if a.Code == (txn.Code{}) {
		send()
	}
	s.note("reversal %d: %s %s", trace, a.Code, a.Reason)
	if done(a) {
		s.undone[trace] = true
		delete(s.owed, trace)
	}
}

// step does one thing by chance.
func (s *sim) step() {
	s.clock.Advance(time.Second)
	some := func() step { return s.steps[s.r.IntN(len(s.steps))] }
	switch what := s.r.IntN(10); {
	case what < 5 || len(s.steps) == 0:
		p := step{
			trace: txn.STAN(len(s.steps) + 1), class: txn.Purchase, mood: []string{"", "", "decline", "silent", "lost"}[s.r.IntN(5)],
			pin: []string{"", "", "", "rightpin", "wrongpin"}[s.r.IntN(5)], deliver: flow.Delivery(1 + s.r.IntN(3)),
		}
		s.steps = append(s.steps, p)
		s.purchase(p)
	case what < 7:
		s.purchase(some())
	case what < 9:
		s.reversal(some().trace)
	default:
		s.node.drain()
		s.note("drain")
	}
}

// end lets terminal and switch finish what they owe, and judges.
func (s *sim) end(seed uint64) string {
	for _, p := range s.steps {
		for tries := 0; s.owed[p.trace] && tries < 20; tries++ {
			s.reversal(p.trace)
		}
	}
	s.clock.Advance(time.Hour)
	s.node.drain()
	want := int64(0)
	for trace, a := range s.known {
		if a.Approved() && !s.undone[trace] {
			want += amount
		}
	}
	if got := s.host.held(); got != want {
		s.t.Errorf("seed %d: the acquirer holds %d, the terminal knows of %d", seed, got, want)
	}
	if s.host.clash != "" {
		s.t.Errorf("seed %d: %s", seed, s.host.clash)
	}
	s.node.index.Each(func(p txn.Payment) {
		if !p.State.Resting() {
			s.t.Errorf("seed %d: trace %d rests in %s", seed, p.Key.Trace, p.State)
		}
		s.note("end %d %s", p.Key.Trace, p.State)
	})
	sameAgain(s.t, fmt.Sprintf("seed %d", seed), s.node, moment{})
	return fmt.Sprintf("%x", s.trace.Sum(nil))
}

// TestSimSeeds plays many seeded days; each seed twice, with the same trace.
func TestSimSeeds(t *testing.T) {
	seeds := 40
	if n, err := strconv.Atoi(os.Getenv("TAPSWITCH_SEEDS")); err == nil {
		seeds = n * 100
	}
	for seed := range uint64(seeds) {
		var first string
		for range 2 {
			s := newSim(t, seed)
			for range 60 {
				s.step()
			}
			got := s.end(seed)
			if first != "" && got != first {
				t.Errorf("seed %d: two runs differ: %s and %s", seed, first, got)
			}
			first = got
		}
		if t.Failed() {
			t.Fatalf("reproduce with: TAPSWITCH_SEEDS=1 and seed %d", seed)
		}
	}
}
