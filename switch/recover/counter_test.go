// SPDX-License-Identifier: Apache-2.0

package recover_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/env/fake"
	"tapswitch/internal/secret"
	"tapswitch/switch/chip"
	"tapswitch/switch/flow"
	"tapswitch/switch/recover"
	"tapswitch/switch/txn"
	"tapswitch/switch/window"
)

// windowed is still with cards whose transaction counters are looked at.
type windowed struct{ still }

func (windowed) Issuer(secret.PAN) (*chip.Issuer, error) {
	return &chip.Issuer{Name: "test", ATC: window.Profile{Ahead: 100, Behind: 8}}, nil
}

// bootWindowed is boot with counters.
func bootWindowed(clock *fake.Clock, disk *fake.Disk, h *host) (*node, error) {
	n, err := boot(clock, disk, h)
	if err != nil {
		return nil, err
	}
	b := window.New(100)
	n.flow.Routes, n.flow.Counters = windowed{still{n.tries}}, chip.Counters{Book: b}
	_, err = recover.Replay(n.journal, b)
	return n, err
}

// tap sends a purchase with the transaction counter atc.
func (n *node) tap(clock *fake.Clock, h *host, trace txn.STAN, atc int, mood string) txn.Answer {
	h.mood = mood
	in := step{trace: trace, class: txn.Purchase}.request(clock)
	data, _ := hex.DecodeString(fmt.Sprintf("9F2701809F0206%012d5F2A0201569F3602%04X", amount, atc))
	in.Card.ICC, _ = secret.NewICC(data)
	a := n.flow.Authorize(context.Background(), in)
	n.flow.Delivered(in.Key, a, flow.Written)
	return a
}

// taps are the counters of a day, some overtaken; moods are the host's.
func taps() (atcs []int, moods []string) {
	return []int{40, 41, 43, 42, 60, 55, 120, 119}, []string{"", "decline", "", "silent", "", "lost", "", ""}
}

// TestCountersSurviveCrashes crashes at every disk operation of a day of taps.
// Whatever is kept: a counter with which the host was asked is refused when the
// tap comes again under another trace number, and no counter is served twice after
// the crash.
func TestCountersSurviveCrashes(t *testing.T) {
	atcs, moods := taps()
	for _, keep := range fake.Keeps() {
		clock, disk, h := fake.NewClock(), fake.NewDisk(), newHost()
		n, err := bootWindowed(clock, disk, h)
		if err != nil {
			t.Fatal(err)
		}
		var all []countedMoment
		take := func() { all = append(all, countedMoment{disk.CrashClone(keep, uint64(len(all))), h.clone()}) }
		disk.OnOp(func(fake.Op) { take() })
		for i, atc := range atcs {
			clock.Advance(time.Second)
			n.tap(clock, h, txn.STAN(i+1), atc, moods[i])
			take()
		}
		if len(all) < 20 {
			t.Fatalf("only %d moments", len(all))
		}
		for i, m := range all {
			m.judge(t, fmt.Sprintf("keep %s, moment %d", keep, i))
		}
	}
}

// countedMoment is what a crash leaves, and the host that outlives it.
type countedMoment struct {
	disk *fake.Disk
	host *host
}

// reached says whether the host was asked for the payment with a trace number.
func (m countedMoment) reached(trace int) bool {
	for _, what := range m.host.request {
		if what == fmt.Sprintf("purchase of trace %d", trace) {
			return true
		}
	}
	return false
}

func (m countedMoment) judge(t *testing.T, name string) {
	t.Helper()
	atcs, _ := taps()
	clock := fake.NewClock()
	clock.Advance(time.Hour)
	n, err := bootWindowed(clock, m.disk, m.host)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	refused := func(a txn.Answer) bool {
		return a.Reason == txn.DeclineATCSeen.Reason || a.Reason == txn.DeclineATCWindow.Reason
	}
	for i, atc := range atcs {
		reached := m.reached(i + 1)
		if a := n.tap(clock, m.host, txn.STAN(100+i), atc, ""); reached && !refused(a) {
			t.Errorf("%s: the host was asked with counter %d before the crash, which is told %s %s", name, atc, a.Code, a.Reason)
		}
		if a := n.tap(clock, m.host, txn.STAN(200+i), atc, ""); !refused(a) {
			t.Errorf("%s: counter %d again after the crash is told %s %s", name, atc, a.Code, a.Reason)
		}
	}
	if err := errors.Join(n.stopped, n.journal.Close()); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}
