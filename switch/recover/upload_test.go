// SPDX-License-Identifier: Apache-2.0

package recover_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/env/fake"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/switch/flow"
	"tapswitch/switch/txn"
)

// upload sends payments by trace number and amount, end the end of the upload.
func (n *node) upload(clock *fake.Clock, items map[txn.STAN]int64, order ...txn.STAN) txn.Answer {
	in := step{trace: 91, class: txn.Upload}.request(clock)
	for _, trace := range order {
		pan, _ := secret.NewPAN([]byte("4761739001010119"))
		in.Card.Items = append(in.Card.Items, txn.Item{Trace: trace, PAN: pan, Minor: money.MinorUnits(items[trace])})
	}
	return n.flow.Upload(context.Background(), in)
}

func (n *node) end(clock *fake.Clock, count uint32) txn.Answer {
	in := step{trace: 92, class: txn.BatchEnd}.request(clock)
	in.Count = count
	return n.flow.EndBatch(context.Background(), in)
}

// said is what the terminal uploads: payment 1 as it is, 2 with another
// amount, 9 that does not exist; 3 it leaves out.
func said() map[txn.STAN]int64 { return map[txn.STAN]int64{1: amount, 2: amount + 1, 9: 5} }

// uploading is a terminal's batch with three payments, its totals that differ, two
// messages of upload and the end. Moments are those of all after the payments.
func uploading(t *testing.T, keep fake.Keep) (all []moment) {
	t.Helper()
	clock, disk, h := fake.NewClock(), fake.NewDisk(), newHost()
	n, err := boot(clock, disk, h)
	if err != nil {
		t.Fatal(err)
	}
	for trace := txn.STAN(1); trace <= 3; trace++ {
		n.run(clock, h, step{trace: trace, class: txn.Purchase})
	}
	clock.Advance(time.Second)
	told := map[txn.STAN]txn.Answer{}
	take := func(op string) {
		m := moment{op: op, disk: disk.CrashClone(keep, uint64(len(all))), host: h.clone(), received: map[txn.STAN]txn.Answer{}}
		for k, v := range told {
			m.received[k] = v
		}
		all = append(all, m)
	}
	disk.OnOp(func(o fake.Op) { take(fmt.Sprintf("%d %v %s", o.K, o.Kind, o.Name)) })
	told[90] = n.settle(clock, 2)
	told[91] = n.upload(clock, said(), 1, 2)
	told[92] = n.upload(clock, said(), 9)
	told[93] = n.end(clock, 3)
	take("after the answer")
	for k, a := range told {
		if !a.Approved() {
			t.Fatalf("message %d is told %s %s", k, a.Code, a.Reason)
		}
	}
	if n.batches.Cases() != 3 {
		t.Fatalf("%d cases", n.batches.Cases())
	}
	return all
}

// TestCrashWhileUploading restarts the switch from every disk operation of an
// upload. The terminal begins again with its totals and gets the same answers; in
// the end the batch is closed, each disagreement is one case, and no money moved.
func TestCrashWhileUploading(t *testing.T) {
	for _, keep := range fake.Keeps() {
		all := uploading(t, keep)
		if len(all) < 8 {
			t.Fatalf("only %d moments: the disk is not being written", len(all))
		}
		for _, m := range all {
			afterUpload(t, fmt.Sprintf("keep %s, %s", keep, m.op), m)
		}
	}
}

func afterUpload(t *testing.T, name string, m moment) {
	t.Helper()
	n, clock := restarted(t, name, m, 10*time.Minute)
	if n == nil {
		return
	}
	before := n.batches.Cases()
	for _, again := range []int{1, 2} {
		answers := []txn.Answer{n.settle(clock, 2), n.upload(clock, said(), 1, 2), n.upload(clock, said(), 9), n.end(clock, 3)}
		for i, a := range answers {
			if !a.Approved() {
				t.Errorf("%s: round %d: message %d is told %s %s", name, again, i, a.Code, a.Reason)
			}
		}
		if s := answers[0].Settled; s == nil || s.Balanced || s.Ours.Debits != 3 {
			t.Errorf("%s: round %d: the totals are told as %+v", name, again, s)
		}
	}
	if got := n.batches.Cases(); got != 3 || m.received[93].Approved() && before != 3 {
		t.Errorf("%s: %d cases, %d before", name, got, before)
	}
	if a := n.run(clock, m.host, step{trace: 4, class: txn.Purchase, deliver: flow.Written}); a.Code != txn.CodeBatch {
		t.Errorf("%s: a payment behind the end is told %s %s", name, a.Code, a.Reason)
	}
	if got := m.host.held(); got != 3*amount || m.host.clash != "" || n.stopped != nil {
		t.Errorf("%s: the acquirer holds %d, %s, %v", name, got, m.host.clash, n.stopped)
	}
	sameAgain(t, name, n, m)
}
