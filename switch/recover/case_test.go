// SPDX-License-Identifier: Apache-2.0

package recover_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/saf"
	"tapswitch/switch/txn"
)

// refusing is a host that refuses reversals with a code, or, without one, leaves
// them unanswered.
type refusing struct {
	*host
	code txn.Code
	sent int
}

// Send implements saf.Sender.
func (h *refusing) Send(context.Context, saf.Kind, txn.Payment, bool) (txn.Code, error) {
	h.sent++
	return h.code, nil
}

// disputed boots on a disk and lets the host say no to what is to be reversed.
func disputed(clock *fake.Clock, disk *fake.Disk, h *refusing) (*node, error) {
	n, err := boot(clock, disk, h.host)
	if err != nil {
		return nil, err
	}
	q := saf.New(saf.Config{Retry: time.Second, MaxRetry: time.Second, MaxAge: time.Minute}, n.world, n.index, h, nil)
	n.index.Each(func(p txn.Payment) {
		if p.State == txn.Reversing {
			q.Enqueue(p.Link, p.Key)
		}
	})
	n.saf, n.flow.Reversals = q, q
	return n, nil
}

// TestCasesSurviveCrashes crashes at every disk operation around the opening of
// cases. Whatever is kept, the payment is afterwards still being reversed or has
// its case, never neither; a case that was observed is there; and once it is
// there, nothing is sent any more.
func TestCasesSurviveCrashes(t *testing.T) {
	for _, code := range []txn.Code{txn.CodeFormat, {}} {
		for _, keep := range fake.Keeps() {
			clock, disk, h := fake.NewClock(), fake.NewDisk(), &refusing{host: newHost(), code: code}
			n, err := disputed(clock, disk, h)
			if err != nil {
				t.Fatal(err)
			}
			n.run(clock, h.host, step{trace: 1, class: txn.Purchase, mood: "silent"})
			n.run(clock, h.host, step{trace: 2, class: txn.Purchase, deliver: 3}) // not written
			clock.Advance(time.Hour)
			type moment struct {
				disk *fake.Disk
				open int
			}
			var all []moment
			disk.OnOp(func(fake.Op) { all = append(all, moment{disk.CrashClone(keep, uint64(len(all))), n.index.Cases()}) })
			n.drain()
			disk.OnOp(nil)
			all = append(all, moment{disk.CrashClone(keep, 99), n.index.Cases()})
			if len(all) < 3 || n.index.Cases() != 2 {
				t.Fatalf("%d moments, %d cases", len(all), n.index.Cases())
			}
			for i, m := range all {
				afterCase(t, fmt.Sprintf("code %q, keep %s, moment %d", code, keep, i), m.disk, m.open, code)
			}
		}
	}
}

// afterCase restarts from a moment at which open cases had been told of.
func afterCase(t *testing.T, name string, disk *fake.Disk, open int, code txn.Code) {
	t.Helper()
	clock, h := fake.NewClock(), &refusing{host: newHost(), code: code}
	clock.Advance(2 * time.Hour)
	n, err := disputed(clock, disk, h)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	sameAgain(t, name, n, moment{})
	known := n.index.Cases()
	payments := 0
	n.index.Each(func(p txn.Payment) {
		payments++
		if p.State != txn.Reversing && p.State != txn.Disputed {
			t.Errorf("%s: trace %d is %s", name, p.Key.Trace, p.State)
		}
	})
	if payments != 2 || known < open {
		t.Errorf("%s: %d payments, %d cases, %d were told", name, payments, known, open)
	}
	n.drain()
	if h.sent != 2-known || n.index.Cases() != 2 {
		t.Errorf("%s: %d cases were known, %d sent, %d cases in the end", name, known, h.sent, n.index.Cases())
	}
	n.index.Each(func(p txn.Payment) {
		if want := map[bool]txn.Reason{true: txn.CaseExpired, false: txn.CaseRefused}[code == txn.Code{}]; p.Case.Why != want || p.Case.Code != code || p.Case.At.IsZero() {
			t.Errorf("%s: trace %d: %+v", name, p.Key.Trace, p.Case)
		}
	})
	if err := n.journal.Close(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}
