// SPDX-License-Identifier: Apache-2.0

package world

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/simulators/oracle"
	"tapswitch/switch/txn"
)

// seeds is how many seeds the tests play; make sim sets it.
func seeds(t *testing.T) uint64 {
	t.Helper()
	s := os.Getenv("TAPSWITCH_SEEDS")
	if s == "" {
		return 5
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Every seed keeps all promises, with enough payments and kinds of faults to
// say something.
func TestSimWorld(t *testing.T) {
	const minPayments, minKinds = 30, 5
	for seed := uint64(1); seed <= seeds(t); seed++ {
		r, err := Run(seed)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, v := range r.Violations {
			t.Errorf("seed %d: %s", seed, v)
		}
		for _, f := range r.Findings {
			t.Errorf("seed %d: %s", seed, f)
		}
		if r.Payments < minPayments || len(r.Faults) < minKinds || len(r.Crashes) == 0 {
			t.Errorf("seed %d: %d payments, %d kinds of faults, %d crashes", seed, r.Payments, len(r.Faults), len(r.Crashes))
		}
	}
}

// The same seed gives the same run, line by line; another seed another one.
func TestSimSameSeedSameHash(t *testing.T) {
	first, err := run(7, true)
	if err != nil {
		t.Fatal(err)
	}
	again, err := run(7, true)
	if err != nil {
		t.Fatal(err)
	}
	for i := range min(len(first.lines), len(again.lines)) {
		if first.lines[i] != again.lines[i] {
			t.Fatalf("line %d: %v, then %v", i, first.lines[i], again.lines[i])
		}
	}
	if first.Hash != again.Hash || len(first.lines) != len(again.lines) || len(first.lines) < 100 {
		t.Errorf("%s with %d lines, then %s with %d", first.Hash, len(first.lines), again.Hash, len(again.lines))
	}
	if other, err := Run(8); err != nil || other.Hash == first.Hash {
		t.Errorf("another seed: %s %v", other.Hash, err)
	}
}

// A run that broke a promise is told with its seed and the trace of its payment.
func TestBrokenRunIsTold(t *testing.T) {
	r, err := run(3, true)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, l := range r.lines {
		all.WriteString(l.text + "\n")
	}
	var k oracle.Key // the first payment with a reversal of the switch, both of which came to the host
	for other, stans := range r.stans {
		came := len(stans) > 1 && !slices.ContainsFunc(stans, func(s string) bool { return !strings.Contains(all.String(), s) })
		if came && (k == oracle.Key{} || other.Terminal+fmt.Sprint(other.Trace) < k.Terminal+fmt.Sprint(k.Trace)) {
			k = other
		}
	}
	if k == (oracle.Key{}) {
		t.Fatal("no payment of this seed was reversed by the switch: take another")
	}
	about := strings.Join(r.about(k), "\n")
	for _, want := range append([]string{k.Terminal + " asks "}, r.stans[k]...) {
		if !strings.Contains(about, want) {
			t.Errorf("%q is missing in the trace of a payment:\n%s", want, about)
		}
	}
	if strings.Contains(about, fmt.Sprintf("trace %06d", k.Trace+1)) {
		t.Errorf("another payment is in\n%s", about)
	}
}

// Every arrow of the table is printed with how often it was taken; two runs are
// too few for all.
func TestArrowsAreTold(t *testing.T) {
	var out strings.Builder
	if err := Play(&out, 1, 2, false); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if err := Play(io.Discard, 1, 1, true); !errors.Is(err, ErrArrows) {
		t.Errorf("a run without all arrows: %v", err)
	}
	for _, want := range []string{"seed 1: ", "seed 2: ", "2 runs, ", "received + journaled -> intended", "   never  ", fmt.Sprintf(" of %d arrows taken", len(txn.Arrows()))} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

// Coroutines run one at a time, time moves when none can, and a group that is
// killed does nothing more.
func TestScheduler(t *testing.T) {
	s := newSched(1)
	var said []string
	s.wrong = func(text string) { said = append(said, text) }
	g, h := &group{name: "g"}, &group{name: "h"}
	e := s.NewEvent()
	s.start(g, func() {
		if !e.Wait(env.Never) {
			t.Error("woken, and told of the deadline")
		}
		said = append(said, "woken")
		s.sleep(time.Hour)
		said = append(said, "never")
	})
	s.start(h, func() {
		if s.NewEvent().Wait(s.mono.Add(time.Second)) {
			t.Error("woken by nobody")
		}
		e.Wake()
		s.sleep(time.Second)
		s.kill(g)
		said = append(said, "killed")
		panic("a bug")
	})
	s.run(env.Mono(2*time.Hour), func() bool { return false })
	if want := []string{"woken", "killed", "h: panic: a bug"}; !slices.Equal(said, want) {
		t.Errorf("%q, want %q", said, want)
	}
	if s.mono != env.Mono(2*time.Hour) {
		t.Errorf("the time is %v", s.since())
	}
}
