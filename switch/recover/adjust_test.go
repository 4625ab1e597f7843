// SPDX-License-Identifier: Apache-2.0

package recover_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/env/fake"
	"tapswitch/internal/money"
	"tapswitch/switch/flow"
	"tapswitch/switch/txn"
)

// Terminal and Link implement flow.Limits.
func (still) Terminal(txn.TerminalID) flow.TerminalLimits { return flow.TerminalLimits{} }

// Link implements flow.Limits.
func (still) Link(string) flow.LinkLimits { return flow.LinkLimits{TipPercent: 50} }

// adjusted has an original come to what an adjustment says; with the mood "silent"
// nobody is told.
func (h *host) adjusted(p txn.Payment) (txn.Code, error) {
	if h.debits[p.Of.STAN] == 0 {
		h.clash = fmt.Sprintf("trace %d adjusts what was not debited", p.Key.Trace)
	}
	h.debits[p.Of.STAN] = int64(p.Amount.Minor)
	if h.mood == "silent" {
		return txn.Code{}, errors.New("no answer")
	}
	return txn.CodeApproved, nil
}

// sums are what the sale comes to by the adjustments of the day, by trace number.
func sums() map[txn.STAN]money.MinorUnits {
	return map[txn.STAN]money.MinorUnits{2: amount + 10, 3: amount + 20, 4: amount - 30}
}

// adjust sends an adjustment of the sale of trace 1.
func (n *node) adjust(clock *fake.Clock, trace txn.STAN, rrn txn.RRN) txn.Answer {
	in := step{trace: trace, class: txn.Adjustment}.request(clock)
	in.Amount.Minor, in.OfRRN = sums()[trace], rrn
	in.Original.Trace, in.Original.Class, in.Original.Type = 1, 0, 0
	return n.flow.Adjust(context.Background(), in)
}

// adjusting is a day with a sale and three adjustments of it, and every moment of them.
func adjusting(t *testing.T, keep fake.Keep, mood string) (all []moment) {
	t.Helper()
	clock, disk, h := fake.NewClock(), fake.NewDisk(), newHost()
	n, err := boot(clock, disk, h)
	if err != nil {
		t.Fatal(err)
	}
	received := map[txn.STAN]txn.Answer{1: n.run(clock, h, step{trace: 1, class: txn.Purchase})}
	take := func(op string) {
		m := moment{op: op, disk: disk.CrashClone(keep, uint64(len(all))), host: h.clone(), received: map[txn.STAN]txn.Answer{}}
		for k, v := range received {
			m.received[k] = v
		}
		all = append(all, m)
	}
	disk.OnOp(func(o fake.Op) { take(fmt.Sprintf("%d %v %s", o.K, o.Kind, o.Name)) })
	for trace := txn.STAN(2); trace <= 4; trace++ {
		clock.Advance(time.Second)
		if a := n.adjust(clock, trace, received[1].RRN); a.Approved() {
			received[trace] = a
		}
		take("after the answer")
		h.mood = mood
		n.drain()
		take("after a drain")
	}
	take("at the end")
	return all
}

// TestCrashWhileAdjusting restarts the switch from every disk operation of three
// adjustments of one sale, with a host that answers and one that books in silence:
// what the terminal was told yes is told on, in order, and in the end the host has what
// the last one says, and so has the batch.
func TestCrashWhileAdjusting(t *testing.T) {
	for _, keep := range fake.Keeps() {
		for _, mood := range []string{"", "silent"} {
			all := adjusting(t, keep, mood)
			if len(all) < 8 {
				t.Fatalf("only %d moments: the disk is not being written", len(all))
			}
			for _, m := range all {
				afterAdjusting(t, fmt.Sprintf("keep %s, %q, %s", keep, mood, m.op), m)
			}
		}
	}
}

func afterAdjusting(t *testing.T, name string, m moment) {
	t.Helper()
	n, clock := restarted(t, name, m, 10*time.Minute)
	if n == nil {
		return
	}
	m.host.mood = ""
	n.drain()
	last := money.MinorUnits(amount)
	for trace := txn.STAN(2); trace <= 4; trace++ {
		p, ok := n.index.Find(step{trace: trace, class: txn.Adjustment}.request(clock).Key)
		if _, told := m.received[trace]; told && !ok {
			t.Errorf("%s: trace %d was told yes and is lost", name, trace)
		}
		if ok {
			last = p.Amount.Minor
		}
	}
	if held := m.host.held(); held != int64(last) {
		t.Errorf("%s: the acquirer holds %d, the last adjustment that is known says %d", name, held, last)
	}
	for trace := txn.STAN(2); trace <= 4; trace++ {
		if a := n.adjust(clock, trace, m.received[1].RRN); !a.Approved() {
			t.Errorf("%s: trace %d is told %s %s in the end", name, trace, a.Code, a.Reason)
		}
		n.drain()
	}
	in := step{trace: 90, class: txn.Settle}.request(clock)
	in.Card.Wipe()
	in.Totals = txn.Totals{Debits: 1, DebitMinor: sums()[4]}
	if a := n.flow.Settle(context.Background(), in); m.host.held() != int64(sums()[4]) || a.Settled == nil || !a.Settled.Balanced || m.host.clash != "" || n.stopped != nil {
		t.Errorf("%s: held %d, batch %+v; %s; stopped: %v", name, m.host.held(), a.Settled, m.host.clash, n.stopped)
	}
}
