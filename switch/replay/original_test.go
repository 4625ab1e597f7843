// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"errors"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// voidOf is a void that names o.
func voidOf(o *txn.Payment, trace txn.STAN) *txn.Payment {
	v := newPayment(trace)
	v.Key.Class, v.Original = txn.Void, o.Key
	return v
}

// paid makes a payment with its own reference number that rests completed.
func paid(t *testing.T, x *Index, trace txn.STAN) *txn.Payment {
	t.Helper()
	p := newPayment(trace)
	p.Numbers.RRN = txn.RRN([]byte("00000000000" + string(rune('0'+trace))))
	intend(t, x, p)
	settle(t, x, p.Key, txn.SaidYes, txn.CodeApproved)
	x.Finish(p.Key)
	x.Move(p.Key, txn.Written)
	return p
}

// A change of both sees what named the original before, and holds both turns.
func TestOriginalsTakeTurns(t *testing.T) {
	x, l, _ := newIndex(10)
	p := paid(t, x, 1)
	inside := make(chan struct{})
	var order []string
	first := voidOf(p, 2)
	if _, err := x.Claim(first, 0); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	_, err := x.ChangeBoth(first.Key, p.Key, func(now, of View) ([]journal.Record, error) {
		if of.Payment == nil || of.Payment.State != txn.Completed || len(of.Later) != 0 || now.Payment != nil {
			t.Errorf("first sees %+v %+v", now, of)
		}
		go func() {
			defer close(done)
			close(inside)
			_, err := x.Change(p.Key, func(of View) ([]journal.Record, error) {
				order = append(order, "second")
				if len(of.Later) != 1 || of.Later[0].Key != first.Key || of.Later[0].State != txn.Intended {
					t.Errorf("second sees %+v", of.Later)
				}
				return nil, txn.DeclineOriginalBusy
			})
			if !errors.Is(err, txn.DeclineOriginalBusy) {
				t.Errorf("second: %v", err)
			}
		}()
		<-inside
		order = append(order, "first")
		return []journal.Record{record.Intent(first)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-done
	if len(order) != 2 || order[0] != "first" {
		t.Errorf("order %v", order)
	}
	again, _, _ := newIndex(10) // the same from the journal
	for _, r := range l.records {
		if err := again.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := again.Change(p.Key, func(of View) ([]journal.Record, error) {
		if len(of.Later) != 1 || of.Later[0].Key != first.Key {
			t.Errorf("after a restart %+v", of.Later)
		}
		return nil, nil
	}); err != nil {
		t.Fatal(err)
	}
}

// What names an original is kept as long as the original; both go together, and
// the reference number with them.
func TestOriginalAndItsVoidAreForgottenTogether(t *testing.T) {
	x, _, clock := newIndex(10)
	p := paid(t, x, 1)
	v := voidOf(p, 2)
	intend(t, x, v)
	settle(t, x, v.Key, txn.SaidNo, txn.CodeBadTxn)
	x.Finish(v.Key)
	if k, ok := x.FindRRN(p.Numbers.RRN); !ok || k != p.Key {
		t.Errorf("by reference number: %+v %v", k, ok)
	}
	old := x.payments.get(p.Key)
	x.mu.Lock()
	old.since = old.since.Add(30 * time.Minute) // a late look at the original
	x.order = append(x.order[1:], x.order[0])
	x.mu.Unlock()
	clock.Advance(65 * time.Minute)
	x.mu.Lock()
	x.forget()
	x.mu.Unlock()
	if _, ok := x.Find(v.Key); !ok {
		t.Error("the void is forgotten before its original")
	}
	clock.Advance(time.Hour)
	for range 3 {
		x.mu.Lock()
		x.forget()
		x.mu.Unlock()
	}
	if _, ok := x.FindRRN(p.Numbers.RRN); ok || x.Len() != 0 || len(x.later) != 0 || x.rrns.used != 0 {
		t.Errorf("%d payments, %d originals, %d numbers are left", x.Len(), len(x.later), x.rrns.used)
	}
}

// A void waits for its original's delivery, no longer than its deadline.
func TestAwait(t *testing.T) {
	x, _, clock := newIndex(10)
	x.Await(txn.Key{Trace: 9}, env.Never) // unknown: at once
	p := newPayment(1)
	intend(t, x, p)
	settle(t, x, p.Key, txn.SaidYes, txn.CodeApproved)
	x.Await(p.Key, clock.Mono()) // the deadline
	x.Finish(p.Key)
	ready := make(chan struct{})
	go func() {
		x.Await(p.Key, env.Never)
		close(ready)
	}()
	select {
	case <-ready:
		t.Error("went on before the delivery was known")
	case <-time.After(20 * time.Millisecond):
	}
	x.Move(p.Key, txn.Written)
	<-ready
}
