// SPDX-License-Identifier: Apache-2.0

package retain_test

import (
	"testing"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/retain"
	"tapswitch/switch/window"
)

// counterBook is what the journal tells of used counters, and how many records
// tell it.
func (b *book) counterBook() (*window.Book, int) {
	b.t.Helper()
	c, n := window.New(1000), 0
	must(b.t, b.j.Replay(func(_ uint64, r journal.Record) error {
		if r.Kind == record.KindCounter {
			n++
		}
		return c.Apply(r)
	}))
	return c, n
}

// Used counters stay however old they are; a record that a later one covers goes.
// Of two that were written the other way round, both stay.
func TestCountersStay(t *testing.T) {
	b := newBook(t)
	live := window.New(1000)
	p := window.Profile{Ahead: 1000, Behind: 16}
	cards := []window.Key{window.Card([16]byte{1}, [2]byte{}), window.Card([16]byte{2}, [2]byte{}), window.Card([16]byte{3}, [2]byte{})}
	for v := range uint32(20) {
		r, _, err := live.Take(cards[0], v+1, p)
		must(t, err)
		b.add(r)
	}
	one, _, err := live.Take(cards[1], 7, p)
	must(t, err)
	two, _, err := live.Take(cards[1], 8, p)
	must(t, err)
	b.add(two)
	b.add(one)
	for _, n := range []uint32{5, 9} { // the first was refused by the journal, so the second knows nothing of it
		b.add(record.MakeCounter(append([]byte{1, 3}, make([]byte, 16)...), record.Counter{High: n, Bits: 1}))
	}
	b.filler(60)
	before, _ := b.counterBook()
	_, err = retain.Purge(b.j, retain.Config{Before: cutoff})
	must(t, err)
	must(t, b.j.Close())

	b.open()
	after, n := b.counterBook()
	for i, k := range cards {
		if after.Seen(k) != before.Seen(k) || after.Seen(k).Empty() {
			t.Errorf("card %d: %+v after the purge, %+v before", i+1, after.Seen(k), before.Seen(k))
		}
	}
	if n != 1+2+2 {
		t.Errorf("%d records of counters are left", n)
	}
}
