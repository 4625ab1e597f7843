// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"container/list"
	"sync"

	p11 "github.com/miekg/pkcs11"
)

// cache is a bounded set of unwrapped keys: session objects by the whole bound
// content of the key, so that a key with one changed field is another key and
// its binding is checked afresh. The least recently used goes first.
type cache struct {
	mu      sync.Mutex
	max     int
	entries map[string]*entry
	order   *list.List // of *entry, most recently used in front
}

// entry is one unwrapped key. refs counts operations under way; an entry with
// any is not evicted.
type entry struct {
	id    string
	keys  pair
	refs  int
	place *list.Element
}

// pair is a key's session objects: the key; for MAC keys the companion K1‖K1 under
// which the CBC part of algorithm 3 is single DES, for a TDES base derivation key its
// masked form, for an initial key its carrier; and for triple DES key block protection
// keys their two variants.
type pair struct {
	whole    p11.ObjectHandle
	doubled  p11.ObjectHandle    // 0 when there is none
	variants [2]p11.ObjectHandle // by keyblock.Purpose; 0 when there are none
	carried  [carriedLen]byte    // of a new initial key, under its carrier
}

// parts are the objects in the order in which they are wrapped, 0 where there is none.
func (p *pair) parts() []*p11.ObjectHandle {
	return []*p11.ObjectHandle{&p.whole, &p.doubled, &p.variants[0], &p.variants[1]}
}

// newCache bounds the cache; max must exceed the keys in use at any moment.
func newCache(max int) *cache {
	return &cache{max: max, entries: make(map[string]*entry), order: list.New()}
}

// get returns the entry of id in use, or nil.
func (c *cache) get(id []byte) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[string(id)]
	if e != nil {
		e.refs++
		c.order.MoveToFront(e.place)
	}
	return e
}

// put adds a key in use. It returns the entry to use (another worker may have
// been first) and the objects that must be destroyed.
func (c *cache) put(id []byte, keys pair) (e *entry, drop []pair) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e = c.entries[string(id)]; e != nil {
		e.refs++
		return e, []pair{keys}
	}
	for place := c.order.Back(); place != nil && len(c.entries) >= c.max; {
		old, _ := place.Value.(*entry)
		place = place.Prev()
		if old.refs == 0 {
			c.order.Remove(old.place)
			delete(c.entries, old.id)
			drop = append(drop, old.keys)
		}
	}
	e = &entry{id: string(id), keys: keys, refs: 1}
	e.place = c.order.PushFront(e)
	c.entries[e.id] = e
	return e, drop
}

// release ends one use.
func (c *cache) release(e *entry) {
	c.mu.Lock()
	e.refs--
	c.mu.Unlock()
}

// reset forgets everything: the objects died with their sessions.
func (c *cache) reset() {
	c.mu.Lock()
	clear(c.entries)
	c.order.Init()
	c.mu.Unlock()
}

// size is the number of keys held.
func (c *cache) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}
