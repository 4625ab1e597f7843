// SPDX-License-Identifier: Apache-2.0

package recover_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/switch/flow"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// archive is a history that reads the journal anew for every question.
type archive struct{ n *node }

func (p archive) lives() (all []*txn.Payment, err error) {
	newest := map[txn.Key]*txn.Payment{}
	return all, p.n.journal.Replay(func(_ uint64, r journal.Record) error {
		k, err := record.ParseKey(r.Key)
		if err != nil || slices.Contains([]byte{record.KindTombstone, record.KindTries, record.KindNumbers, record.KindBatch, record.KindCounter, record.KindStandIn}, r.Kind) {
			return nil
		}
		before := newest[k]
		if before != nil && record.Begins(r.Kind) && record.Over(before) {
			before = nil
		}
		q, err := record.Fold(before, k, r)
		if before == nil && err == nil {
			all = append(all, q)
		}
		newest[k] = q
		return err
	})
}

func (p archive) Named(_ context.Context, n txn.RRN, o txn.Key, _ env.Mono) (txn.Payment, error) {
	all, err := p.lives()
	if err != nil {
		return txn.Payment{}, err
	}
	for _, l := range all {
		if l.Numbers.RRN == n && l.Key.Trace == o.Trace {
			return *l, nil
		}
	}
	return txn.Payment{}, txn.DeclineOriginalUnknown
}

func (p archive) Since(_ context.Context, o *txn.Payment, _ env.Mono) (now txn.Payment, later []txn.Payment, err error) {
	all, err := p.lives()
	for _, l := range all {
		switch {
		case l.Key == o.Key && l.Numbers == o.Numbers:
			now = *l
		case l.Original == o.Key && l.OfRRN == o.Numbers.RRN:
			later = append(later, *l)
		}
	}
	return now, later, err
}

// TestCrashWhileRefundingTheOld is TestCrashWhileRefunding of a purchase that the
// switch has forgotten, and with it the refunds before: at the crash, and again
// when it is asked after it.
func TestCrashWhileRefundingTheOld(t *testing.T) {
	for _, keep := range fake.Keeps() {
		for _, mood := range []string{"", "decline", "silent", "lost"} {
			for _, undoes := range []bool{false, true} {
				all := refunding(t, keep, undoes, mood, flow.Written, 2*remembers)
				if len(all) < 4 {
					t.Fatalf("only %d moments: the disk is not being written", len(all))
				}
				for _, m := range all {
					name := fmt.Sprintf("keep %s, %q, undoes %v, %s", keep, mood, undoes, m.op)
					afterOldRefund(t, name, m)
					afterRefund(t, name, m, 10*time.Minute)
				}
			}
		}
	}
}

// afterOldRefund restarts from a moment, lets the switch forget everything, and
// asks for more than can be left, for all that can be, and for more again.
func afterOldRefund(t *testing.T, name string, m moment) {
	t.Helper()
	clock, h := fake.NewClock(), m.host.clone()
	clock.Advance(10 * time.Minute)
	n, err := boot(clock, m.disk.CrashClone(fake.KeepAll, 1), h)
	if err != nil {
		t.Errorf("%s: the switch does not start: %v", name, err)
		return
	}
	n.drain()
	given := amount - h.held()
	clock.Advance(3 * remembers)
	n.index.Forget()
	if s := n.state(2); s == txn.Disputed {
		given = part
	}
	over := n.refund(clock, h, 13, amount-given+1, "", flow.Written)
	clock.Advance(3 * remembers)
	n.index.Forget()
	rest := n.refund(clock, h, 14, amount-given, "", flow.Written)
	clock.Advance(3 * remembers)
	n.index.Forget()
	more := n.refund(clock, h, 15, 1, "", flow.Written)
	if over.Approved() || !rest.Approved() || more.Approved() || h.held() < 0 {
		t.Errorf("%s: %d given, over it %s %s, rest %s %s, more %s, %d held", name, given, over.Code, over.Reason, rest.Code, rest.Reason, more.Code, h.held())
	}
}
