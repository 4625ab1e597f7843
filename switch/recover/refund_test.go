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

// refund sends a refund of trace 1 and tells what the terminal received.
func (n *node) refund(clock *fake.Clock, h *host, trace txn.STAN, minor int64, mood string, d flow.Delivery) txn.Answer {
	h.mood = mood
	in := step{trace: trace, class: txn.Refund}.request(clock)
	in.Key.Type, in.Amount.Minor = 25, money.MinorUnits(minor)
	in.Original.Trace = 1
	all, _ := archive{n}.lives()
	in.OfRRN = all[0].Numbers.RRN
	key := in.Key
	a := n.flow.Refund(context.Background(), in)
	n.flow.Delivered(key, a, d)
	if d == flow.NotWritten {
		return txn.Answer{}
	}
	return a
}

// part is what the refund of these tests gives back of a purchase.
const part = amount * 6 / 10

// refunding is a purchase and, a while later, its refund, and every moment of the refund.
func refunding(t *testing.T, keep fake.Keep, undoes bool, mood string, d flow.Delivery, while time.Duration) (all []moment) {
	t.Helper()
	clock, disk, h := fake.NewClock(), fake.NewDisk(), newHost()
	h.undoes = undoes
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
	clock.Advance(while)
	n.index.Forget()
	told = n.refund(clock, h, 2, part, mood, d)
	take("after the answer")
	n.drain()
	take("after a drain")
	return all
}

// TestCrashWhileRefunding restarts the switch from every disk operation of a
// refund, however it ends at the host, and with each rule for one whose end is not
// known. What the terminal was told stays so, and the refunds of the purchase are
// never more than it, whatever is asked for then.
func TestCrashWhileRefunding(t *testing.T) {
	for _, keep := range fake.Keeps() {
		for _, mood := range []string{"", "decline", "silent", "lost"} {
			for _, d := range []flow.Delivery{flow.Written, flow.NotWritten} {
				for _, undoes := range []bool{false, true} {
					all := refunding(t, keep, undoes, mood, d, time.Second)
					if len(all) < 4 {
						t.Fatalf("only %d moments: the disk is not being written", len(all))
					}
					for _, m := range all {
						afterRefund(t, fmt.Sprintf("keep %s, %q, delivery %d, undoes %v, %s", keep, mood, d, undoes, m.op), m, 10*time.Minute)
					}
				}
			}
		}
	}
}

// afterRefund restarts from a moment, sends the refund again, then asks for the
// whole purchase, and for the rest, and judges.
func afterRefund(t *testing.T, name string, m moment, later time.Duration) {
	t.Helper()
	n, clock := restarted(t, name, m, later)
	if n == nil {
		return
	}
	if n.state(2) == txn.Reversing { // until the host says that it is reversed, it may be in force
		if a := n.refund(clock, m.host, 6, part+1, "", flow.Written); a.Approved() || a.Reason != txn.DeclineOriginalBusy.Reason {
			t.Errorf("%s: over what is under way %s %s", name, a.Code, a.Reason)
		}
	}
	n.drain()
	told := m.received[2]
	switch again := n.refund(clock, m.host, 2, part, "", flow.Written); {
	case known(told) && again.Code != told.Code:
		t.Errorf("%s: told %s, then %s %s", name, told.Code, again.Code, again.Reason)
	case again.Approved() != (m.host.held() == amount-part) && n.state(2) != txn.Disputed:
		t.Errorf("%s: told %s %s, the acquirer holds %d", name, again.Code, again.Reason, m.host.held())
	}
	if m.host.undoes && n.state(2) == txn.Disputed {
		t.Errorf("%s: a case on a link that reverses", name)
	}
	whole := n.refund(clock, m.host, 3, amount, "", flow.Written)
	rest := n.refund(clock, m.host, 4, amount-part, "", flow.Written)
	over := n.refund(clock, m.host, 5, part+1, "", flow.Written)
	if whole.Approved() == rest.Approved() || over.Approved() || m.host.held() < 0 {
		t.Errorf("%s: whole %s, rest %s, over it %s, %d held", name, whole.Code, rest.Code, over.Code, m.host.held())
	}
	n.index.Each(func(p txn.Payment) {
		if !p.State.Resting() {
			t.Errorf("%s: trace %d rests in %s", name, p.Key.Trace, p.State)
		}
	})
	if n.stopped != nil || m.host.clash != "" {
		t.Errorf("%s: stopped: %v, %s", name, n.stopped, m.host.clash)
	}
}

// state is how the refund with a trace number stands.
func (n *node) state(trace txn.STAN) (s txn.State) {
	n.index.Each(func(p txn.Payment) {
		if p.Key.Class == txn.Refund && p.Key.Trace == trace {
			s = p.State
		}
	})
	return s
}
