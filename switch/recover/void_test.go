// SPDX-License-Identifier: Apache-2.0

package recover_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/flow"
	"tapswitch/switch/txn"
)

// void sends the void of trace 1 under a trace number of its own, or that void's
// reversal, and tells what the terminal received.
func (n *node) void(clock *fake.Clock, h *host, trace txn.STAN, class txn.Class, mood string, d flow.Delivery) txn.Answer {
	h.mood = mood
	in := step{trace: trace, class: class}.request(clock)
	in.Key.Type = 23
	if class == txn.Reversal {
		in.Original = in.Key
		in.Original.Class = txn.Void
		return n.flow.Reverse(context.Background(), in)
	}
	bought := step{trace: 1, class: txn.Purchase}.request(clock).Key
	p, _ := n.index.Find(bought)
	in.Original, in.OfRRN = bought, p.Numbers.RRN
	key := in.Key
	a := n.flow.Void(context.Background(), in)
	n.flow.Delivered(key, a, d)
	if d == flow.NotWritten {
		return txn.Answer{}
	}
	return a
}

// voiding is a purchase and its void, and every moment of the void.
func voiding(t *testing.T, keep fake.Keep, mood string, d flow.Delivery) (all []moment) {
	t.Helper()
	clock, disk, h := fake.NewClock(), fake.NewDisk(), newHost()
	n, err := boot(clock, disk, h)
	if err != nil {
		t.Fatal(err)
	}
	if a := n.run(clock, h, step{trace: 1, class: txn.Purchase}); !a.Approved() || h.held() != amount {
		t.Fatalf("purchase: %s, %d held", a.Code, h.held())
	}
	var told txn.Answer
	take := func(op string) {
		all = append(all, moment{op: op, disk: disk.CrashClone(keep, uint64(len(all))), host: h.clone(), received: map[txn.STAN]txn.Answer{2: told}})
	}
	disk.OnOp(func(o fake.Op) { take(fmt.Sprintf("%d %v %s", o.K, o.Kind, o.Name)) })
	clock.Advance(time.Second)
	told = n.void(clock, h, 2, txn.Void, mood, d)
	take("after the answer")
	n.drain()
	take("after a drain")
	return all
}

// TestCrashWhileVoiding restarts the switch from every disk operation of a void,
// however it ends at the host. A void that the terminal was told of stays done; any
// other leaves the purchase in force, once, and it can be voided then.
func TestCrashWhileVoiding(t *testing.T) {
	for _, keep := range fake.Keeps() {
		for _, mood := range []string{"", "decline", "silent", "lost"} {
			for _, d := range []flow.Delivery{flow.Written, flow.NotWritten} {
				all := voiding(t, keep, mood, d)
				if len(all) < 4 {
					t.Fatalf("only %d moments: the disk is not being written", len(all))
				}
				for _, m := range all {
					afterVoid(t, fmt.Sprintf("keep %s, %q, delivery %d, %s", keep, mood, d, m.op), m)
				}
			}
		}
	}
}

// afterVoid restarts from a moment, lets the terminal reverse the void of which
// it knows nothing, and judges.
func afterVoid(t *testing.T, name string, m moment) {
	t.Helper()
	n, clock := restarted(t, name, m, 10*time.Minute) // within the replay window
	if n == nil {
		return
	}
	told := m.received[2]
	if !known(told) {
		if a := n.void(clock, m.host, 2, txn.Reversal, "", 0); !done(a) {
			t.Errorf("%s: reversal of the void is told %s %s", name, a.Code, a.Reason)
		}
	}
	n.drain()
	left := int64(amount)
	if told.Approved() {
		left = 0
	}
	if got := m.host.held(); got != left {
		t.Errorf("%s: the acquirer holds %d, want %d", name, got, left)
	}
	n.index.Each(func(p txn.Payment) {
		if !p.State.Resting() {
			t.Errorf("%s: trace %d rests in %s", name, p.Key.Trace, p.State)
		}
	})
	clock.Advance(time.Second)
	again := n.void(clock, m.host, 3, txn.Void, "", flow.Written)
	if again.Approved() == told.Approved() || m.host.held() != 0 || m.host.clash != "" {
		t.Errorf("%s: a later void is told %s %s, %d held, %s", name, again.Code, again.Reason, m.host.held(), m.host.clash)
	}
	if n.stopped != nil {
		t.Errorf("%s: stopped: %v", name, n.stopped)
	}
}
