// SPDX-License-Identifier: Apache-2.0

package replay

import "hash/maphash"

// roster gives every entry a number that is its own until it is struck off.
type roster struct {
	entries []*entry // by number; the first stays empty
	free    []uint32
}

// add enters e.
func (r *roster) add(e *entry) {
	if n := len(r.free); n > 0 {
		e.id, r.free = r.free[n-1], r.free[:n-1]
		r.entries[e.id] = e
		return
	}
	if len(r.entries) == 0 {
		r.entries = append(r.entries, nil)
	}
	e.id = uint32(len(r.entries))
	r.entries = append(r.entries, e)
}

// strike takes e off; no table has it any more.
func (r *roster) strike(e *entry) {
	r.entries[e.id] = nil
	r.free = append(r.free, e.id)
}

// table finds the entry that has a key. It is a map that keeps neither keys nor
// pointers: a key is compared with what its entry has when hashes are equal. So an entry costs
// some 16 bytes, of which one line of memory is looked at, and the garbage collector
// has nothing to follow. Open addressing with linear probing; what is removed closes
// its gap.
type table[K comparable] struct {
	roster *roster
	is     func(e *entry, k K) bool // says whether e has the key k
	split  func(K) (K, uint32)      // a key that others share with k, and the place among them, below line; nil for none
	seed   maphash.Seed
	shards [shards]shard // by the highest bits of the hash
	used   int
}

// shards is how many parts a table has: they grow one by one, so that no call waits
// for all of it.
const shards = 256

// shard has a power of two of slots, of which three quarters are used at most.
type shard struct {
	slots []slot
	used  int
}

// slot is free when its id is zero.
type slot struct{ hash, id uint32 }

// line is how many slots are in one line of memory, a power of two. Keys that split
// gives the same first part go there together: of numbers that follow each other only
// each eighth looks into memory that nothing else has touched.
const line = 8

// newTable makes a table for about n entries. Split may be nil.
func newTable[K comparable](n int, of *roster, is func(*entry, K) bool, split func(K) (K, uint32)) *table[K] {
	t := &table[K]{roster: of, is: is, split: split, seed: maphash.MakeSeed()}
	if n < shards {
		return t
	}
	size := shardMin
	for size*3/4*shards < n {
		size *= 2
	}
	for i := range t.shards {
		t.shards[i].slots = make([]slot, size)
	}
	return t
}

// shardMin is how many slots a shard begins with.
const shardMin = 8

// hash says where k belongs.
func (t *table[K]) hash(k K) (*shard, uint32) {
	if t.split == nil {
		h := maphash.Comparable(t.seed, k)
		return &t.shards[h>>56], uint32(h)
	}
	all, among := t.split(k)
	h := maphash.Comparable(t.seed, all)
	return &t.shards[h>>56], uint32(h)&^(line-1) | among
}

// at is the place of k in its shard: its slot, or the free one where it would go.
func (t *table[K]) at(s *shard, hash uint32, k K) int {
	mask := uint32(len(s.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		if p := s.slots[i]; p.id == 0 || p.hash == hash && t.is(t.roster.entries[p.id], k) {
			return int(i)
		}
	}
}

// get is the entry that has k, nil when none has.
func (t *table[K]) get(k K) *entry {
	s, hash := t.hash(k)
	if len(s.slots) == 0 {
		return nil
	}
	if p := s.slots[t.at(s, hash, k)]; p.id != 0 {
		return t.roster.entries[p.id]
	}
	return nil
}

// put makes e the entry that has k; another that had it is not found any more.
func (t *table[K]) put(k K, e *entry) {
	s, hash := t.hash(k)
	if s.used >= len(s.slots)*3/4 {
		s.grow()
	}
	i := t.at(s, hash, k)
	if s.slots[i].id == 0 {
		s.used++
		t.used++
	}
	s.slots[i] = slot{hash, e.id}
}

// drop takes e out, which was put there with k; its key may be another one by now.
// When k has come to another entry nothing happens.
func (t *table[K]) drop(k K, e *entry) {
	s, hash := t.hash(k)
	if len(s.slots) == 0 {
		return
	}
	mask := uint32(len(s.slots) - 1)
	for i := hash & mask; s.slots[i].id != 0; i = (i + 1) & mask {
		if s.slots[i] == (slot{hash, e.id}) {
			s.remove(i)
			t.used--
			return
		}
	}
}

// remove empties a slot, and moves up what could not go where it belongs because of it.
func (s *shard) remove(hole uint32) {
	mask := uint32(len(s.slots) - 1)
	for i := (hole + 1) & mask; s.slots[i].id != 0; i = (i + 1) & mask {
		if past := (i - s.slots[i].hash) & mask; past >= (i-hole)&mask {
			s.slots[hole] = s.slots[i]
			hole = i
		}
	}
	s.slots[hole] = slot{}
	s.used--
}

// grow doubles a shard.
func (s *shard) grow() {
	old := s.slots
	s.slots = make([]slot, max(shardMin, 2*len(old)))
	mask := uint32(len(s.slots) - 1)
	for _, p := range old {
		if p.id == 0 {
			continue
		}
		i := p.hash & mask
		for s.slots[i].id != 0 {
			i = (i + 1) & mask
		}
		s.slots[i] = p
	}
}
