// SPDX-License-Identifier: Apache-2.0

package history

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// refundOf is a refund of o.
func refundOf(o *txn.Payment, i int, minor money.MinorUnits) *txn.Payment {
	p := payment(i)
	p.Key.Class, p.Key.Type, p.Token, p.Amount.Minor, p.Original, p.OfRRN = txn.Refund, 25, o.Token, minor, o.Key, o.Numbers.RRN
	return p
}

// yes is a payment that was approved.
func (p *pages) yes(q *txn.Payment) *txn.Payment {
	p.add(record.Intent(q))
	q.State = txn.Intended
	p.add(record.MakeOutcome(q, record.Outcome{Event: txn.SaidYes, Answer: txn.Answer{Code: txn.CodeApproved, RRN: q.Numbers.RRN, At: noon}}))
	return q
}

// A payment of the past comes with all that names it, and with nothing that names
// another life of its key, another card's payment, or nothing.
func TestFormer(t *testing.T) { both(t, tellsFormer) }

func tellsFormer(t *testing.T, fresh func() string) {
	j := &pages{}
	o, other := j.yes(payment(1)), j.yes(payment(8)) // of one card
	j.yes(refundOf(o, 2, 10))
	j.yes(refundOf(other, 3, 20))
	j.add(record.Intent(refundOf(o, 4, 30)))
	again := payment(1) // the key's next life
	again.Numbers.RRN = rrn("632799999999")
	j.yes(again)
	j.yes(refundOf(again, 5, 40))
	void := refundOf(o, 6, 101)
	void.Key.Class = txn.Void
	j.yes(void)
	advice := payment(8) // of stand-in: the numbers of its payment, which it names by key alone
	advice.Key, advice.Original = txn.StandInKey(other.Key), other.Key
	j.add(record.Advice(advice))
	name := fresh()
	must(t, catchUp(t, name, j, 3))
	b, err := Read(at(t, name))
	must(t, err)
	defer b.Close()
	for _, c := range []struct {
		of    *txn.Payment
		later []txn.STAN
	}{{o, []txn.STAN{2, 4, 6}}, {other, []txn.STAN{3, 8}}, {again, []txn.STAN{5}}} {
		p, err := b.named(t.Context(), c.of.Numbers.RRN, txn.Key{Merchant: c.of.Key.Merchant, Batch: 1, Trace: c.of.Key.Trace})
		if err != nil || p.Key != c.of.Key || p.Numbers.RRN != c.of.Numbers.RRN || p.State != txn.Approved {
			t.Fatalf("trace %d: %+v, %v", c.of.Key.Trace, p, err)
		}
		f, err := b.since(t.Context(), &p)
		if err != nil || len(f.Later) != len(c.later) || f.Payment.Numbers.RRN != p.Numbers.RRN {
			t.Fatalf("trace %d: %+v, %v", c.of.Key.Trace, f, err)
		}
		for i, l := range f.Later {
			if l.Key.Trace != c.later[i] || l.Amount.Minor == 0 {
				t.Errorf("trace %d: %d names it, want %v", c.of.Key.Trace, l.Key.Trace, c.later)
			}
		}
	}
	twice := payment(9)
	twice.Key, twice.Numbers.RRN, twice.Key.Terminal[7] = o.Key, o.Numbers.RRN, '9'
	j.yes(twice)
	must(t, catchUp(t, name, j, 3))
	if _, err := b.named(t.Context(), o.Numbers.RRN, o.Key); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("two of one number: %v", err)
	}
	for _, k := range []txn.Key{{}, {Merchant: o.Key.Merchant, Batch: 2, Trace: 1}, {Merchant: o.Key.Merchant, Batch: 1, Trace: 2}} {
		if _, err := b.named(t.Context(), o.Numbers.RRN, k); !errors.Is(err, ErrNotFound) {
			t.Errorf("%+v: %v", k, err)
		}
	}
	if _, err := b.since(t.Context(), payment(77)); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

// gapped is a journal of which records up to number before were purged, but for
// those of a few numbers.
type gapped struct {
	*pages
	before uint64
	left   map[uint64]bool
}

func (g gapped) Follow(after uint64, fn func(uint64, journal.Record) error) error {
	return g.pages.Follow(after, func(seq uint64, r journal.Record) error {
		if seq < g.before && !g.left[seq] {
			return nil
		}
		return fn(seq, r)
	})
}

func (g gapped) Replay(fn func(uint64, journal.Record) error) error { return g.Follow(0, fn) }

// A payment from before records that the history never had is not told what was
// made of it; one from behind them is, also after more was written and read back.
func TestGap(t *testing.T) { both(t, namesGaps) }

func namesGaps(t *testing.T, fresh func() string) {
	j := &pages{}
	old := j.yes(payment(1))      // 1, 2
	j.yes(refundOf(old, 2, 10))   // 3, 4: purged
	early := j.yes(payment(3))    // 5, 6: the first that is whole
	j.yes(refundOf(early, 4, 20)) // 7, 8
	name := fresh()
	if _, err := Rebuild(at(t, name), gapped{j, 5, map[uint64]bool{1: true, 2: true}}, false); err != nil {
		t.Fatal(err)
	}
	ask := func(what string) {
		t.Helper()
		b, err := Read(at(t, name))
		must(t, err)
		defer b.Close()
		if _, err := b.since(t.Context(), old); !errors.Is(err, ErrGap) {
			t.Errorf("%s: before the gap: %v", what, err)
		}
		if f, err := b.since(t.Context(), early); err != nil || len(f.Later) == 0 {
			t.Errorf("%s: behind the gap: %+v, %v", what, f, err)
		}
	}
	ask("made anew")
	for i := 5; i < 9; i++ {
		j.yes(refundOf(early, i, 1))
		must(t, catchUp(t, name, j, 3))
		ask("written on")
	}
	late := j.yes(payment(20))
	must(t, catchUp(t, name, j, 3))
	p, db := openProjection(t, name)
	defer db.Close()
	j.add(record.MakeTries(late.Token, record.Tries{Count: 1, Payment: late.Key}), record.Intent(payment(21)))
	last := j.Last()
	must(t, p.take(last, j.all[last-1])) // one is missing
	if p.whole != last {
		t.Errorf("whole from %d on, want %d", p.whole, last)
	}
	must(t, p.abandon())
	if p.whole != 5 {
		t.Errorf("what was not committed counts: whole from %d on", p.whole)
	}
	must(t, p.take(last, j.all[last-1]))
	must(t, p.commit())
	b, err := Read(at(t, name))
	must(t, err)
	defer b.Close()
	if _, err := b.since(t.Context(), late); !errors.Is(err, ErrGap) {
		t.Errorf("after a gap while running: %v", err)
	}
}

// At whatever record the writer stands, a question is answered with everything that
// was durable when it was asked, or not at all.
func TestNothingIsMissing(t *testing.T) { both(t, missesNothing) }

func missesNothing(t *testing.T, fresh func() string) {
	j := &pages{}
	o := j.yes(payment(1))
	name := fresh()
	w := NewWriter(Config{At: at(t, name), Pause: time.Millisecond, Batch: 2}, env.Real(), j)
	soon := func() env.Mono { return env.Real().Clock.Mono().Add(time.Minute) }
	if _, err := w.Named(t.Context(), o.Numbers.RRN, o.Key, env.Real().Clock.Mono().Add(time.Millisecond)); !errors.Is(err, ErrBehind) {
		t.Errorf("not open in time: %v", err)
	}
	ended := env.Real().Waits.NewEvent()
	var run sync.WaitGroup
	run.Go(func() { w.Run(ended) })
	for w.Status() != (Status{Up: true}) {
		time.Sleep(time.Millisecond)
	}
	for i := 2; i < 60; i++ {
		j.yes(refundOf(o, i, 1))
		f, err := w.Since(t.Context(), o, soon())
		if err != nil || len(f.Later) != i-1 || f.Later[i-2].State != txn.Approved {
			t.Fatalf("after %d: %d, %v", i-1, len(f.Later), err)
		}
	}
	if p, err := w.Named(t.Context(), o.Numbers.RRN, o.Key, soon()); err != nil || p.Key != o.Key {
		t.Errorf("%+v, %v", p, err)
	}
	ended.Wake()
	run.Wait()
	j.yes(refundOf(o, 60, 1))
	if _, err := w.Since(t.Context(), o, soon()); !errors.Is(err, ErrBehind) {
		t.Errorf("ended: %v", err)
	}

	p, closers, err := w.open() // it stands still, with one record to go
	must(t, err)
	must(t, w.round(p, env.Real().Waits.NewEvent(), true))
	j.yes(refundOf(o, 61, 1))
	if _, err := w.Since(t.Context(), o, env.Real().Clock.Mono().Add(5*time.Millisecond)); !errors.Is(err, ErrBehind) {
		t.Errorf("behind: %v", err)
	}
	if len(w.waits) != 0 {
		t.Error("who gave up still waits")
	}
	for _, c := range closers {
		must(t, c.Close())
	}

	w.wrote(j.Last(), true) // the file is taken away when all was written
	takeAway(t, name)
	_, closers, err = w.open()
	must(t, err)
	if _, err := w.Since(t.Context(), o, soon()); !errors.Is(err, ErrBehind) {
		t.Errorf("another file: %v", err)
	}
	for _, c := range closers {
		must(t, c.Close())
	}
}

func openProjection(t *testing.T, name string) (*projection, interface{ Close() error }) {
	t.Helper()
	db, err := at(t, name).writing()
	must(t, err)
	db.SetMaxOpenConns(1)
	p, err := newProjection(db, 100, 0)
	must(t, err)
	return p, db
}

// takeAway removes a history.
func takeAway(t *testing.T, name string) {
	t.Helper()
	if schema, ok := strings.CutPrefix(name, inSchema); ok {
		statement(t, "DROP SCHEMA "+quoted(schema)+" CASCADE")
		return
	}
	must(t, os.Remove(name))
}
