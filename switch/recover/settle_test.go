// SPDX-License-Identifier: Apache-2.0

package recover_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/env/fake"
	"tapswitch/internal/money"
	"tapswitch/switch/flow"
	"tapswitch/switch/txn"
)

// settle closes the batch with the terminal's own sum.
func (n *node) settle(clock *fake.Clock, payments int) txn.Answer {
	in := step{trace: 90, class: txn.Settle}.request(clock)
	in.Card.Wipe()
	in.Totals = txn.Totals{Debits: uint32(payments), DebitMinor: money.MinorUnits(payments) * amount}
	return n.flow.Settle(context.Background(), in)
}

// settling is a terminal's day with its close at the end: one payment that
// stands, one that was not answered and one that the terminal reversed. Moments
// are those of the last payment, its reversal and the close.
func settling(t *testing.T, keep fake.Keep, payments int) (all []moment) {
	t.Helper()
	clock, disk, h := fake.NewClock(), fake.NewDisk(), newHost()
	n, err := boot(clock, disk, h)
	if err != nil {
		t.Fatal(err)
	}
	n.run(clock, h, step{trace: 1, class: txn.Purchase})
	n.run(clock, h, step{trace: 2, class: txn.Purchase, mood: "silent"})
	n.drain()
	told := map[txn.STAN]txn.Answer{}
	take := func(op string) {
		m := moment{op: op, disk: disk.CrashClone(keep, uint64(len(all))), host: h.clone(), received: map[txn.STAN]txn.Answer{}}
		for k, v := range told {
			m.received[k] = v
		}
		all = append(all, m)
	}
	disk.OnOp(func(o fake.Op) { take(fmt.Sprintf("%d %v %s", o.K, o.Kind, o.Name)) })
	clock.Advance(time.Second)
	told[3] = n.run(clock, h, step{trace: 3, class: txn.Purchase})
	n.run(clock, h, step{trace: 3, class: txn.Reversal})
	n.drain()
	told[90] = n.settle(clock, payments)
	take("after the answer")
	if s := told[90].Settled; s == nil || s.Balanced != (payments == 1) || s.Ours != (txn.Totals{Debits: 1, DebitMinor: amount}) {
		t.Fatalf("told %+v", s)
	}
	return all
}

// TestCrashWhileSettling restarts the switch from every disk operation of a
// payment, its reversal and the close of the batch. What the terminal was told of
// its batch it is told again, and no payment comes behind it; a terminal that was
// told nothing reverses what it does not know, closes, and is balanced.
func TestCrashWhileSettling(t *testing.T) {
	for _, keep := range fake.Keeps() {
		for _, payments := range []int{1, 2} {
			all := settling(t, keep, payments)
			if len(all) < 8 {
				t.Fatalf("only %d moments: the disk is not being written", len(all))
			}
			for _, m := range all {
				afterSettle(t, fmt.Sprintf("keep %s, %d payments, %s", keep, payments, m.op), m)
			}
		}
	}
}

func afterSettle(t *testing.T, name string, m moment) {
	t.Helper()
	n, clock := restarted(t, name, m, 10*time.Minute) // within the replay window
	if n == nil {
		return
	}
	told := m.received[90].Settled
	if told == nil {
		if a := n.run(clock, m.host, step{trace: 3, class: txn.Reversal}); !done(a) {
			t.Errorf("%s: the reversal is told %s %s", name, a.Code, a.Reason)
		}
		n.drain()
	}
	again := n.settle(clock, 1).Settled
	if again == nil || !again.Balanced || again.Ours != (txn.Totals{Debits: 1, DebitMinor: amount}) {
		t.Errorf("%s: told %+v, now %+v", name, told, again)
	}
	if a := n.run(clock, m.host, step{trace: 4, class: txn.Purchase, deliver: flow.Written}); a.Code != txn.CodeBatch {
		t.Errorf("%s: a payment behind the close is told %s %s", name, a.Code, a.Reason)
	}
	n.drain()
	if got := m.host.held(); got != amount || m.host.clash != "" || n.stopped != nil {
		t.Errorf("%s: the acquirer holds %d, %s, %v", name, got, m.host.clash, n.stopped)
	}
	sameAgain(t, name, n, m)
}
