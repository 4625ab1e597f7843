// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"math/rand/v2"
	"testing"

	"tapswitch/switch/txn"
)

// numbered is a table by trace number alone.
func numbered(n int, split func(txn.STAN) (txn.STAN, uint32)) (*roster, *table[txn.STAN]) {
	r := &roster{}
	return r, newTable(n, r, func(e *entry, k txn.STAN) bool { return e.key.Trace == k }, split)
}

// inLines puts eight numbers that follow each other into one line.
func inLines(n txn.STAN) (txn.STAN, uint32) { return n / line, uint32(n % line) }

// TestTableAsMap does to a table and a map what an index does, many times, with few
// keys so that they come again, and with many so that shards grow.
func TestTableAsMap(t *testing.T) {
	for i, keys := range []int{3, 100, 50_000, 3, 100, 50_000} {
		random := rand.New(rand.NewPCG(uint64(keys), 1))
		split := inLines
		if i < 3 {
			split = nil
		}
		r, table := numbered(keys%1000, split)
		model := map[txn.STAN]*entry{}
		for step := range 200_000 {
			k := txn.STAN(random.IntN(keys))
			e := table.get(k)
			if e != model[k] {
				t.Fatalf("%d keys, step %d: %d finds %p, not %p", keys, step, k, e, model[k])
			}
			switch {
			case e == nil:
				e = &entry{key: txn.Key{Trace: k}}
				r.add(e)
				table.put(k, e)
				model[k] = e
			case random.IntN(3) > 0:
				table.drop(k, e)
				r.strike(e)
				delete(model, k)
			}
			if table.used != len(model) {
				t.Fatalf("%d keys, step %d: %d in the table, %d in the map", keys, step, table.used, len(model))
			}
		}
		for k, e := range model {
			if table.get(k) != e {
				t.Errorf("%d keys: %d is lost", keys, k)
			}
		}
		if len(r.entries)-1 > keys {
			t.Errorf("%d keys: numbers up to %d", keys, len(r.entries)-1)
		}
	}
}

// TestTableCloses has keys of one hash: what is removed from among them must not
// hide the others.
func TestTableCloses(t *testing.T) {
	const n = 12
	for gone := range n {
		s := shard{slots: make([]slot, 16)}
		for i := range uint32(n) { // six belong to slot 13, so that they go round the end, and six to slot 15
			home := 13 + i/6*2
			at := home
			for s.slots[at].id != 0 {
				at = (at + 1) % 16
			}
			s.slots[at] = slot{hash: home, id: i + 1}
			s.used++
		}
		for i, p := range s.slots {
			if p.id == uint32(gone+1) {
				s.remove(uint32(i))
				break
			}
		}
		for id := uint32(1); id <= n; id++ {
			found := false
			for i := 13 + (id-1)/6*2; s.slots[i].id != 0; i = (i + 1) % 16 {
				found = found || s.slots[i].id == id
			}
			if found == (id == uint32(gone+1)) {
				t.Errorf("%d removed: %d found: %v", gone+1, id, found)
			}
		}
		if s.used != n-1 {
			t.Errorf("%d used", s.used)
		}
	}
}

// TestTableTakesOver: a key that comes to another entry is that one's, and the
// first can be taken out with no harm to it.
func TestTableTakesOver(t *testing.T) {
	r, table := numbered(0, nil)
	first, second := &entry{key: txn.Key{Trace: 7}}, &entry{key: txn.Key{Trace: 7}}
	r.add(first)
	r.add(second)
	table.put(7, first)
	table.put(7, second)
	if table.get(7) != second || table.used != 1 {
		t.Fatalf("%p of %d", table.get(7), table.used)
	}
	table.drop(7, first)
	if table.get(7) != second {
		t.Error("the second is lost with the first")
	}
	second.key.Trace = 8 // its key is another one before it is taken out
	table.drop(7, second)
	if table.used != 0 {
		t.Errorf("%d left", table.used)
	}
}
