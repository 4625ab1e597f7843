// SPDX-License-Identifier: Apache-2.0

package window

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
)

var policy = Profile{Ahead: 1000, Behind: 16}

func card(n byte) Key { return Card([16]byte{n}, [2]byte{'0', '1'}) }

func TestCardsAreToldApart(t *testing.T) {
	b := New(10)
	for name, k := range map[string]Key{
		"a card": card(1), "another": card(2), "its second plastic": Card([16]byte{1}, [2]byte{'0', '2'}), "without a number": Card([16]byte{1}, [2]byte{}),
	} {
		if _, _, err := b.Take(k, 7, policy); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := b.Take(Card([16]byte{1}, [2]byte{'0', '0'}), 7, policy); !errors.Is(err, ErrSeen) {
		t.Errorf("00 is the card without a number: %v", err)
	}
}

// Of many messages with one counter at the same time, one has it.
func TestOneOfManyAtOnce(t *testing.T) {
	b := New(10)
	for v := range uint32(50) {
		var taken atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if _, _, err := b.Take(card(1), v+1, policy); err == nil {
					taken.Add(1)
				} else if !errors.Is(err, ErrSeen) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if taken.Load() != 1 {
			t.Fatalf("counter %d was taken %d times", v+1, taken.Load())
		}
	}
}

// What was not made durable is given back, alone, in any order.
func TestGiveBack(t *testing.T) {
	b := New(10)
	_, failed, _ := b.Take(card(1), 5, policy)
	failed()
	if b.Len() != 0 {
		t.Error("a card of which nothing is durable stayed")
	}
	_, one, _ := b.Take(card(1), 5, policy)
	_, two, _ := b.Take(card(1), 6, policy)
	one()
	if b.Seen(card(1)).Check(5, policy) != nil || !errors.Is(b.Seen(card(1)).Check(6, policy), ErrSeen) {
		t.Errorf("the first given back: %+v", b.Seen(card(1)))
	}
	two()
	for _, v := range []uint32{5, 6, 7} {
		if err := b.Seen(card(1)).Check(v, policy); err != nil {
			t.Errorf("%d after both were given back: %v", v, err)
		}
	}
}

// What is durable stays whatever is given back around it.
func TestGiveBackKeepsTheDurable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		b := New(10)
		durable := map[uint32]bool{}
		var open []func()
		for range 30 {
			v := r.Uint32N(100)
			_, failed, err := b.Take(card(1), v, policy)
			switch {
			case err != nil:
			case r.IntN(2) == 0:
				durable[v] = true
			default:
				open = append(open, failed)
			}
			if len(open) > 0 && r.IntN(2) == 0 {
				i := r.IntN(len(open))
				open[i]()
				open = append(open[:i], open[i+1:]...)
			}
		}
		for _, failed := range open {
			failed()
		}
		for v := range durable {
			if b.Seen(card(1)).Check(v, policy) == nil {
				t.Fatalf("%d is durable and could be used again: %+v", v, b.Seen(card(1)))
			}
		}
	}
}

// The records of a book, in any order, give a book that refuses all that the
// first had made durable.
func TestReplay(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 500 {
		b := New(10)
		var records []journal.Record
		used := map[uint32]bool{}
		for range 40 {
			v := r.Uint32N(120)
			if rec, _, err := b.Take(card(1), v, policy); err == nil {
				records, used[v] = append(records, rec), true
			}
		}
		r.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		again := New(10)
		for _, rec := range records {
			if err := again.Apply(rec); err != nil {
				t.Fatal(err)
			}
		}
		if again.Seen(card(1)) != b.Seen(card(1)) {
			t.Fatalf("%+v after a restart, %+v before", again.Seen(card(1)), b.Seen(card(1)))
		}
	}
}

func TestBookIsBounded(t *testing.T) {
	b := New(2)
	for n := range byte(3) {
		_, _, err := b.Take(card(n+1), 1, policy)
		if (n == 2) != errors.Is(err, ErrFull) {
			t.Errorf("card %d: %v", n+1, err)
		}
	}
	if _, _, err := b.Take(card(1), 2, policy); err != nil {
		t.Errorf("a known card when there is no more room: %v", err)
	}
	for n := range byte(3) { // a journal of a switch with more room: nothing is forgotten
		if err := b.Apply(record.MakeCounter(card(n+1).bytes(), record.Counter{High: 9, Bits: 1})); err != nil {
			t.Error(err)
		}
	}
	if b.Len() != 3 {
		t.Errorf("%d cards", b.Len())
	}
}

func TestRecordsOfOtherForms(t *testing.T) {
	good := record.MakeCounter(card(1).bytes(), record.Counter{High: 9, Bits: 1})
	for name, edit := range map[string]func(*journal.Record){
		"short key":         func(r *journal.Record) { r.Key = r.Key[:17] },
		"unknown kind":      func(r *journal.Record) { r.Key = append([]byte{9}, r.Key[1:]...) },
		"no counter":        func(r *journal.Record) { r.Body = r.Body[:1] },
		"no bits":           func(r *journal.Record) { r.Body = record.MakeCounter(r.Key, record.Counter{High: 9}).Body },
		"another version":   func(r *journal.Record) { r.Body = append([]byte{77}, r.Body[1:]...) },
		"counter cut short": func(r *journal.Record) { r.Body = append([]byte{1, r.Body[1], 11}, r.Body[3:14]...) },
	} {
		r := good
		edit(&r)
		if New(1).Apply(r) == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if b := New(1); b.Apply(journal.Record{Kind: record.KindTries}) != nil || b.Apply(good) != nil || b.Len() != 1 {
		t.Error("a record of another projection, or a good one")
	}
}
