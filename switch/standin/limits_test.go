// SPDX-License-Identifier: Apache-2.0

package standin

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tapswitch/internal/money"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

var (
	noon  = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	three = Rules{MaxCount: 3, MaxSum: 1000}
)

func payment(card byte, minor money.MinorUnits) *txn.Payment {
	return &txn.Payment{Token: [16]byte{card}, Amount: money.Amount{Minor: minor, Currency: money.CNY}}
}

func TestCountAndSum(t *testing.T) {
	l := NewLimits(10, 0)
	for _, s := range []struct {
		name  string
		card  byte
		minor money.MinorUnits
		want  error
	}{
		{"first", 1, 600, nil},
		{"more than is left", 1, 401, txn.DeclineStandInSum},
		{"what is left", 1, 400, nil},
		{"nothing is left", 1, 1, txn.DeclineStandInSum},
		{"another card", 2, 1, nil},
		{"its second", 2, 1, nil},
		{"its third", 2, 1, nil},
		{"its fourth", 2, 1, txn.DeclineStandInCount},
		{"a sum at once", 3, 1001, txn.DeclineStandInSum},
		{"a sum beyond all numbers", 3, money.Max, txn.DeclineStandInSum},
	} {
		if _, _, err := l.Take(three, payment(s.card, s.minor), noon); !errors.Is(err, s.want) {
			t.Errorf("%s: %v, want %v", s.name, err, s.want)
		}
	}
	if n, sum := l.Spent([16]byte{1}, noon); n != 2 || sum != 1000 {
		t.Errorf("%d payments, %d", n, sum)
	}
}

// A day begins at midnight of the offset; a clock that is set back begins none.
func TestDays(t *testing.T) {
	l := NewLimits(10, 8*time.Hour)
	take := func(at time.Time) error {
		_, _, err := l.Take(Rules{MaxCount: 1, MaxSum: 1000}, payment(1, 10), at)
		return err
	}
	for _, s := range []struct {
		name string
		at   time.Time
		want error
	}{
		{"a day", time.Date(2026, 11, 28, 16, 0, 0, 0, time.UTC), nil},
		{"its last second", time.Date(2026, 11, 29, 15, 59, 59, 0, time.UTC), txn.DeclineStandInCount},
		{"the next day", time.Date(2026, 11, 29, 16, 0, 0, 0, time.UTC), nil},
		{"the clock is set back", time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC), txn.DeclineStandInCount},
		{"far back", time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), txn.DeclineStandInCount},
	} {
		if err := take(s.at); !errors.Is(err, s.want) {
			t.Errorf("%s: %v, want %v", s.name, err, s.want)
		}
	}
}

// Payments in parallel cannot pass a bound together.
func TestParallelPaymentsAreBounded(t *testing.T) {
	l := NewLimits(10, 0)
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if _, _, err := l.Take(Rules{MaxCount: 20, MaxSum: 1000}, payment(1, 70), noon); err == nil {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if taken.Load() != 14 { // 14 × 70 = 980
		t.Errorf("%d payments", taken.Load())
	}
}

func TestBoundedCards(t *testing.T) {
	l := NewLimits(1, 0)
	for i, s := range []struct {
		card byte
		at   time.Time
		want error
	}{{1, noon, nil}, {2, noon, txn.DeclineCounters}, {1, noon, nil}, {2, noon.Add(24 * time.Hour), nil}} {
		if _, _, err := l.Take(three, payment(s.card, 1), s.at); !errors.Is(err, s.want) {
			t.Errorf("%d: %v, want %v", i, err, s.want)
		}
	}
}

// What was not made durable is given back, alone; not in another day.
func TestGivenBack(t *testing.T) {
	l := NewLimits(10, 0)
	_, failed, _ := l.Take(three, payment(1, 600), noon)
	_, _, _ = l.Take(three, payment(1, 100), noon)
	failed()
	if n, sum := l.Spent([16]byte{1}, noon); n != 1 || sum != 100 {
		t.Errorf("%d payments, %d", n, sum)
	}
	_, failed, _ = l.Take(three, payment(1, 50), noon)
	_, _, _ = l.Take(three, payment(1, 200), noon.Add(24*time.Hour))
	failed()
	if n, sum := l.Spent([16]byte{1}, noon.Add(24*time.Hour)); n != 1 || sum != 200 {
		t.Errorf("%d payments, %d on the next day", n, sum)
	}
}

// The records give the same counters, in any order within a day, and what failed
// is not among them.
func TestReplay(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	for range 200 {
		l := NewLimits(10, 0)
		var records []journal.Record
		for day := range 3 {
			var today []journal.Record
			for range 30 {
				rec, failed, err := l.Take(Rules{MaxCount: 8, MaxSum: 5000}, payment(byte(r.IntN(3)), money.MinorUnits(1+r.IntN(900))), noon.Add(time.Duration(day)*24*time.Hour))
				switch {
				case err != nil:
				case r.IntN(4) == 0:
					failed()
				default:
					today = append(today, rec)
				}
			}
			r.Shuffle(len(today), func(i, j int) { today[i], today[j] = today[j], today[i] })
			records = append(records, today...)
		}
		again := NewLimits(10, 0)
		for _, rec := range records {
			if err := again.Apply(rec); err != nil {
				t.Fatal(err)
			}
		}
		for card := range byte(3) {
			at := noon.Add(48 * time.Hour)
			n, sum := l.Spent([16]byte{card}, at)
			if m, other := again.Spent([16]byte{card}, at); m != n || other != sum {
				t.Fatalf("card %d: %d payments of %d after a restart, %d of %d before", card, m, other, n, sum)
			}
		}
	}
	l := NewLimits(1, 0)
	if l.Apply(journal.Record{Kind: record.KindTries}) != nil || l.Apply(journal.Record{Kind: record.KindStandIn, Body: []byte{1}}) == nil {
		t.Error("a record of another projection, or one that is damaged")
	}
}
