// SPDX-License-Identifier: Apache-2.0

package retain_test

import (
	"testing"
	"time"

	"tapswitch/internal/money"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/retain"
	"tapswitch/switch/txn"
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

// What was decided in an issuer's place stays while its day is not over, wherever
// that is counted; afterwards it goes. A payment and its advice go together.
func TestStandInStaysForItsDay(t *testing.T) {
	b := newBook(t)
	day := func(at time.Time) uint32 { return uint32(at.Unix() / 86400) }
	standIn := func(token byte, day uint32) {
		b.add(record.MakeStandIn([16]byte{token}, record.StandIn{Day: day, Amount: money.Amount{Minor: 5, Currency: money.CNY}}))
	}
	standIn(1, day(cutoff)-3)
	standIn(2, day(cutoff)-1)
	standIn(3, day(cutoff))
	pair := func() (p, a *txn.Payment) {
		p = b.intent()
		b.outcome(p, txn.StoodIn)
		owed := *p
		owed.Key, owed.Original, owed.Reserved = txn.StandInKey(p.Key), p.Key, record.AdviceRoom
		b.add(record.Advice(&owed))
		return p, &owed
	}
	done, doneAdvice := pair()
	b.add(record.MakeAdvised(doneAdvice, record.Advised{Code: txn.CodeApproved, At: b.at}))
	owing, owingAdvice := pair()
	b.filler(60)
	b.carry(txn.BatchOpen)
	_, err := retain.Purge(b.j, retain.Config{Before: cutoff})
	must(t, err)
	left := map[byte]bool{}
	must(t, b.j.Replay(func(_ uint64, r journal.Record) error {
		if r.Kind == record.KindStandIn {
			left[r.Key[0]] = true
		}
		return nil
	}))
	if left[1] || !left[2] || !left[3] {
		t.Errorf("the days that are left: %v", left)
	}
	if b.has(done.Key) || b.has(doneAdvice.Key) || !b.has(owing.Key) || !b.has(owingAdvice.Key) {
		t.Errorf("done %v %v, owing %v %v", b.has(done.Key), b.has(doneAdvice.Key), b.has(owing.Key), b.has(owingAdvice.Key))
	}
}
