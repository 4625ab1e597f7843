// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"errors"
	"slices"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// held makes an approved pre-authorization of a card.
func held(t *testing.T, x *Index, trace txn.STAN, card byte, auth string) *txn.Payment {
	t.Helper()
	p := newPayment(trace)
	p.Key.Class, p.Token = txn.PreAuth, [16]byte{card}
	p.Numbers.RRN = txn.RRN([]byte("00000000000" + string(rune('0'+trace))))
	intend(t, x, p)
	if _, err := x.Change(p.Key, func(now View) ([]journal.Record, error) {
		o := record.Outcome{Event: txn.SaidYes, Answer: txn.Answer{Code: txn.CodeApproved, Auth: [6]byte([]byte(auth))}}
		return []journal.Record{record.MakeOutcome(now.Payment, o)}, nil
	}); err != nil {
		t.Fatal(err)
	}
	x.Finish(p.Key)
	x.Move(p.Key, txn.Written)
	return p
}

// An approved pre-authorization is found by card and authorization code, after a
// restart as before, until it is forgotten; nothing else is.
func TestFindAuth(t *testing.T) {
	x, l, clock := newIndex(10)
	a, b := held(t, x, 1, 7, "AUTH01"), held(t, x, 2, 7, "AUTH01")
	held(t, x, 3, 8, "AUTH01")
	paid(t, x, 4)
	again, _, _ := newIndex(10)
	for _, r := range l.records {
		if err := again.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	for name, x := range map[string]*Index{"running": x, "after a restart": again} {
		if got := x.FindAuth(AuthKey{[16]byte{7}, [6]byte([]byte("AUTH01"))}); !slices.Equal(got, []txn.Key{a.Key, b.Key}) {
			t.Errorf("%s: %v", name, got)
		}
		for _, none := range []AuthKey{{[16]byte{7}, [6]byte([]byte("AUTH02"))}, {[16]byte{9}, [6]byte([]byte("AUTH01"))}, {}} {
			if got := x.FindAuth(none); got != nil {
				t.Errorf("%s: %v is found as %v", name, none, got)
			}
		}
	}
	clock.Advance(2 * time.Hour)
	x.Forget()
	if x.Len() != 0 || len(x.auths) != 0 {
		t.Errorf("%d payments, %d codes are left", x.Len(), len(x.auths))
	}
}

// A change of a pre-authorization sees its completion and the void of that.
func TestViewSeesBeyond(t *testing.T) {
	x, _, clock := newIndex(10)
	p := held(t, x, 1, 7, "AUTH01")
	c := newPayment(2)
	c.Key.Class, c.Original = txn.Completion, p.Key
	v := newPayment(3)
	v.Key.Class, v.Original = txn.CompletionVoid, c.Key
	for _, q := range []*txn.Payment{c, v} {
		intend(t, x, q)
		settle(t, x, q.Key, txn.SaidYes, txn.CodeApproved)
		x.Finish(q.Key)
		x.Move(q.Key, txn.Written)
	}
	if _, err := x.ChangeBoth(txn.Key{Trace: 9}, p.Key, func(_, of View) ([]journal.Record, error) {
		if len(of.Later) != 1 || of.Later[0].Key != c.Key || len(of.Beyond) != 1 || of.Beyond[0].Key != v.Key {
			t.Errorf("later %+v, beyond %+v", of.Later, of.Beyond)
		}
		return nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	clock.Advance(2 * time.Hour)
	x.Forget()
	if x.Len() != 0 || len(x.later) != 0 {
		t.Errorf("%d payments and %d originals are left", x.Len(), len(x.later))
	}
	x.Await(p.Key, env.Never)
}

// What an advice is about is remembered as long as that is owed to the acquirer, also
// beyond the window: its message names it.
func TestOriginalIsKeptWhileOwed(t *testing.T) {
	x, l, clock := newIndex(10)
	p := held(t, x, 1, 7, "AUTH01")
	a := newPayment(2)
	a.Key.Class, a.Original, a.Answer.Code = txn.CompletionAdvice, p.Key, txn.CodeApproved
	if _, err := x.ChangeBoth(a.Key, p.Key, func(_, _ View) ([]journal.Record, error) {
		return []journal.Record{record.Advice(a)}, nil
	}); err != nil {
		t.Fatal(err)
	}
	again, _, later := newIndex(10)
	for _, r := range l.records {
		if err := again.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	again.Move(p.Key, txn.MaybeWritten)
	for x, clock := range map[*Index]interface{ Advance(time.Duration) }{x: clock, again: later} {
		clock.Advance(100 * time.Hour)
		x.Forget()
		if _, ok := x.Find(p.Key); !ok || x.Len() != 2 {
			t.Fatalf("of the hold and its advice %d are left", x.Len())
		}
		if _, err := x.Change(a.Key, func(now View) ([]journal.Record, error) {
			return []journal.Record{record.MakeAdvised(now.Payment, record.Advised{Code: txn.CodeApproved})}, nil
		}); err != nil {
			t.Fatal(err)
		}
		x.Forget()
		if x.Len() != 0 || len(x.later) != 0 {
			t.Errorf("%d payments and %d originals are left", x.Len(), len(x.later))
		}
	}
}

// takesTwo says that an index has room for two more, and not for a third.
func takesTwo(t *testing.T, name string, x *Index) {
	t.Helper()
	for trace := txn.STAN(11); trace <= 12; trace++ {
		if old, err := x.Claim(newPayment(trace), env.Never); old != nil || err != nil {
			t.Fatalf("%s: %v %v", name, old, err)
		}
	}
	if _, err := x.Claim(newPayment(13), env.Never); !errors.Is(err, txn.DeclineOverload) {
		t.Errorf("%s: a third: %v", name, err)
	}
	x.Finish(newPayment(11).Key)
	x.Finish(newPayment(12).Key)
}

// A hold, its completion and the void of that are remembered as long as the hold may
// be used, also after a restart, and count among what the index remembers; what came
// and went meanwhile is forgotten by the common rule.
func TestHoldsAreRememberedLonger(t *testing.T) {
	clock := fake.NewClock()
	world, l := env.Env{Clock: clock, Waits: clock}, &log{}
	cfg := Config{Max: 5, Window: time.Hour, Holds: 30 * 24 * time.Hour}
	x := New(cfg, world, l)
	p := held(t, x, 1, 7, "AUTH01")
	p2 := held(t, x, 5, 7, "AUTH02")
	if _, err := x.Change(p2.Key, func(now View) ([]journal.Record, error) { // reversed, it is none
		return []journal.Record{record.MakeUndo(p2.Key, record.Undo{Event: txn.UndoAsked, Numbers: SpareNumbers(now.Payment)}),
			record.MakeUndone(now.Payment, record.Undone{Event: txn.UndoAcked, Code: txn.CodeApproved})}, nil
	}); err != nil {
		t.Fatal(err)
	}
	clock.Advance(20 * time.Hour)
	about := []*txn.Payment{newPayment(2), newPayment(3)}
	about[0].Key.Class, about[0].Original = txn.Completion, p.Key
	about[1].Key.Class, about[1].Original = txn.CompletionVoid, about[0].Key
	for _, q := range about {
		q.Numbers.At = clock.Now()
		intend(t, x, q)
		settle(t, x, q.Key, txn.SaidYes, txn.CodeApproved)
		x.Finish(q.Key)
		x.Move(q.Key, txn.Written)
	}
	paid(t, x, 4)
	clock.Advance(29 * 24 * time.Hour)
	again := New(cfg, world, l)
	for _, r := range l.records {
		if err := again.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	again.Each(func(p txn.Payment) { // as recovery does
		if p.State == txn.Approved {
			again.Move(p.Key, txn.MaybeWritten)
		}
	})
	for name, x := range map[string]*Index{"running": x, "after a restart": again} {
		x.Forget()
		if got := x.FindAuth(AuthKey{[16]byte{7}, [6]byte([]byte("AUTH01"))}); len(got) != 1 || x.Len() != 3 {
			t.Errorf("%s: %d holds of the code and %d payments are left", name, len(got), x.Len())
		}
		if _, err := x.ChangeBoth(txn.Key{Trace: 9}, p.Key, func(_, of View) ([]journal.Record, error) {
			if len(of.Later) != 1 || len(of.Beyond) != 1 {
				t.Errorf("%s: later %+v, beyond %+v", name, of.Later, of.Beyond)
			}
			return nil, nil
		}); err != nil {
			t.Fatal(err)
		}
		takesTwo(t, name, x)
	}
	clock.Advance(3 * 24 * time.Hour)
	for name, x := range map[string]*Index{"running": x, "after a restart": again} {
		if x.Forget(); x.Len() != 0 || len(x.later) != 0 || len(x.auths) != 0 || len(x.longer) != 0 {
			t.Errorf("%s: %d payments, %d originals, %d codes are left", name, x.Len(), len(x.later), len(x.auths))
		}
	}
}
