// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"
	"time"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// A repeat of an advice is told what was told first, whatever became of it; it is
// forgotten once the acquirer has it, never before. A no to one is no end.
func TestAdvices(t *testing.T) {
	for name, c := range map[string]struct {
		end    func(*txn.Payment) []journal.Record
		state  txn.State
		forget bool
	}{
		"owed": {func(*txn.Payment) []journal.Record { return nil }, txn.Advising, false},
		"acknowledged": {func(p *txn.Payment) []journal.Record {
			return []journal.Record{record.MakeAdvised(p, record.Advised{Code: txn.CodeApproved})}
		}, txn.Advised, true},
		"in dispute": {func(p *txn.Payment) []journal.Record {
			return []journal.Record{record.MakeCase(p, txn.Case{Why: txn.CaseAdviceRefused})}
		}, txn.Disputed, false},
	} {
		x, _, clock := newIndex(10)
		p := newPayment(1)
		p.Key.Class, p.Answer = txn.OfflineSale, txn.Answer{Code: txn.CodeApproved, Auth: [6]byte([]byte("VOICE1"))}
		if old, err := x.Claim(p, clock.Mono()); old != nil || err != nil {
			t.Fatalf("%s: %v %v", name, old, err)
		}
		x.Refused(p, txn.Answer{Code: txn.CodeMalfunction})
		x.Finish(p.Key)
		if !x.RefuseFirst(p.Key, txn.Answer{Code: txn.CodeMalfunction}) {
			t.Errorf("%s: a first refusal is not told", name)
		}
		if old, err := x.Claim(p, clock.Mono()); old != nil || err != nil { // judged anew
			t.Fatalf("%s: after a refusal: %v %v", name, old, err)
		}
		for _, r := range append([]journal.Record{record.Advice(p)}, c.end(p)...) {
			if _, err := x.Change(p.Key, func(View) ([]journal.Record, error) { return []journal.Record{r}, nil }); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		x.Finish(p.Key)
		if q, _ := x.Find(p.Key); q.State != c.state {
			t.Errorf("%s: %s", name, q.State)
		}
		if old, err := x.Claim(p, clock.Mono()); err != nil || old == nil || !old.Approved() || !old.Repeat || old.Auth != p.Answer.Auth {
			t.Errorf("%s: a repeat is told %+v, %v", name, old, err)
		}
		if k, ok := x.FindRRN(p.Numbers.RRN); !ok || k != p.Key {
			t.Errorf("%s: not found by its RRN", name)
		}
		clock.Advance(1000 * time.Hour)
		x.Forget()
		if (x.Len() == 0) != c.forget {
			t.Errorf("%s: %d remembered", name, x.Len())
		}
	}
}

// A stood-in payment is remembered while its advice is in dispute: in a new life of
// its key it could be stood in again, and that advice would have the key of this one.
func TestStoodInStaysWhileItsAdviceIsInDispute(t *testing.T) {
	x, _, clock := newIndex(10)
	p := newPayment(1)
	a := *p
	a.Key, a.Original, a.OfRRN = txn.StandInKey(p.Key), p.Key, p.Numbers.RRN
	change := func(k txn.Key, makes func(View) journal.Record) {
		t.Helper()
		if _, err := x.Change(k, func(now View) ([]journal.Record, error) { return []journal.Record{makes(now)}, nil }); err != nil {
			t.Fatal(err)
		}
	}
	change(p.Key, func(View) journal.Record { return record.Intent(p) })
	change(p.Key, func(now View) journal.Record {
		return record.MakeOutcome(now.Payment, record.Outcome{Event: txn.StoodIn, Answer: txn.Answer{Code: txn.CodeApproved}})
	})
	x.Move(p.Key, txn.Written)
	change(a.Key, func(View) journal.Record { return record.Advice(&a) })
	change(a.Key, func(now View) journal.Record {
		return record.MakeCase(now.Payment, txn.Case{Why: txn.CaseAdviceRefused})
	})
	clock.Advance(1000 * time.Hour)
	x.Forget()
	if _, ok := x.Find(p.Key); !ok {
		t.Error("forgotten while the case of its advice is open")
	}
	change(a.Key, func(now View) journal.Record {
		return record.MakeAct(now.Payment, txn.Act{What: txn.FoundStands, By: "ann", Why: "asked", At: clock.Now()})
	})
	x.Forget()
	if x.Len() != 0 {
		t.Errorf("%d remembered after the case", x.Len())
	}
}
