// SPDX-License-Identifier: Apache-2.0

package recover_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/txn"
)

// advised books an advice once; with the mood "silent" nobody is told.
func (h *host) advised(p txn.Payment) (txn.Code, error) {
	if p.Key.Class == txn.ScriptResult {
		return h.scriptTold(p)
	}
	n := p.Numbers.STAN
	h.use(n, fmt.Sprintf("advice of trace %d", p.Key.Trace))
	if p.Key.Class == txn.Adjustment {
		return h.adjusted(p)
	}
	again := h.debits[n] != 0
	if o, ok := h.find(p.Original); ok && p.Key.Class == txn.CompletionAdvice && !again && !h.complete(o.Numbers.STAN, &p) {
		return txn.CodeBadTxn, nil
	}
	h.debits[n] = int64(p.Amount.Minor)
	switch {
	case h.mood == "silent":
		return txn.Code{}, errors.New("no answer")
	case again:
		return txn.CodeDuplicate, nil
	}
	return txn.CodeApproved, nil
}

// advise sends an offline sale and tells what the terminal received.
func (n *node) advise(clock *fake.Clock, trace txn.STAN) txn.Answer {
	in := step{trace: trace, class: txn.OfflineSale}.request(clock)
	in.Auth = [6]byte([]byte("VOICE1"))
	return n.flow.Advise(context.Background(), in)
}

// advices is a day with three of them, and every moment of it. With failAt the
// disk's operation of that number fails.
func advices(t *testing.T, keep fake.Keep, mood string, failAt int) (all []moment, ops int) {
	t.Helper()
	clock, disk, h := fake.NewClock(), fake.NewDisk(), newHost()
	if failAt > 0 {
		disk.FailAt(failAt, errors.New("device error"))
	}
	n, err := boot(clock, disk, h)
	received := map[txn.STAN]txn.Answer{}
	take := func(op string) {
		m := moment{op: op, disk: disk.CrashClone(keep, uint64(len(all))), host: h.clone(), received: map[txn.STAN]txn.Answer{}}
		for k, v := range received {
			m.received[k] = v
		}
		all = append(all, m)
	}
	if err == nil {
		disk.OnOp(func(o fake.Op) { take(fmt.Sprintf("%d %v %s", o.K, o.Kind, o.Name)) })
	}
	for trace := txn.STAN(1); trace <= 3 && err == nil && n.stopped == nil; trace++ {
		clock.Advance(time.Second)
		if a := n.advise(clock, trace); a.Approved() {
			received[trace] = a
		}
		take("after the answer")
		if h.mood = mood; trace == 2 {
			n.drain()
			take("after a drain")
		}
	}
	take("at the end")
	return all, disk.Ops()
}

// afterAdvices restarts from a moment: what the terminal was told yes is booked
// once, it repeats what it knows nothing of, and in the end all three are.
func afterAdvices(t *testing.T, name string, m moment) {
	t.Helper()
	n, clock := restarted(t, name, m, 10*time.Minute)
	if n == nil {
		return
	}
	m.host.mood = ""
	n.drain()
	for trace := range m.received {
		p, ok := n.index.Find(step{trace: trace, class: txn.OfflineSale}.request(clock).Key)
		if !ok || p.State != txn.Advised || m.host.debits[p.Numbers.STAN] != amount {
			t.Errorf("%s: trace %d was told yes and is %v, booked with %d", name, trace, p.State, m.host.debits[p.Numbers.STAN])
		}
	}
	for trace := txn.STAN(1); trace <= 3; trace++ {
		if a := n.advise(clock, trace); !a.Approved() {
			t.Errorf("%s: trace %d is told %s %s in the end", name, trace, a.Code, a.Reason)
		}
	}
	n.drain()
	if got := m.host.held(); got != 3*amount || m.host.clash != "" || n.stopped != nil {
		t.Errorf("%s: the acquirer holds %d of three sales of %d; %s; stopped: %v", name, got, amount, m.host.clash, n.stopped)
	}
	n.index.Each(func(p txn.Payment) {
		if p.State != txn.Advised || p.Reserved != 0 {
			t.Errorf("%s: trace %d rests in %s with %d bytes", name, p.Key.Trace, p.State, p.Reserved)
		}
	})
}

// TestCrashWhileAdvising restarts the switch from every disk operation of three
// offline sales, with a host that answers and one that books in silence.
func TestCrashWhileAdvising(t *testing.T) {
	for _, keep := range fake.Keeps() {
		for _, mood := range []string{"", "silent"} {
			all, _ := advices(t, keep, mood, 0)
			if len(all) < 12 {
				t.Fatalf("only %d moments: the disk is not being written", len(all))
			}
			for _, m := range all {
				afterAdvices(t, fmt.Sprintf("keep %s, %q, %s", keep, mood, m.op), m)
			}
		}
	}
}

// TestFaultWhileAdvising fails every disk operation once: a yes is durable, and
// where that is not known nothing was told.
func TestFaultWhileAdvising(t *testing.T) {
	for k := 1; ; k++ {
		all, ops := advices(t, fake.KeepAll, "silent", k)
		if ops < k {
			if k < 12 {
				t.Fatalf("only %d operations: the disk is not being written", k)
			}
			return
		}
		afterAdvices(t, fmt.Sprintf("operation %d failed", k), all[len(all)-1])
	}
}
