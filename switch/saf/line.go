// SPDX-License-Identifier: Apache-2.0

package saf

import (
	"container/heap"
	"slices"
	"time"

	"tapswitch/internal/assert"
	"tapswitch/internal/env"
	"tapswitch/switch/txn"
)

// line is what waits for one link. A chain is in one of three places: in later
// while its first item waits for its time, in ready when that may go, nowhere
// while it is being delivered, is in an operator's hand, or is held.
type line struct {
	items  map[ident]*item
	chains map[txn.Key]*chain
	later  chains // the earliest due first
	ready  chains // in the order in which they go
	order  uint64 // of arrival, given to the last item
	pace   pace
	down   bool        // when it was last looked at
	idle   []env.Event // of the loops that wait, the last to begin at the end
}

// ident is what an item is known by: a payment owes one message of a kind.
type ident struct {
	kind Kind
	key  txn.Key
}

type item struct {
	ident
	root  txn.Key   // of the chain it belongs to
	rank  int       // of its kind
	order uint64    // of arrival
	since time.Time // owed since
	began env.Mono  // the same, however the wall clock is set while it waits
	due   env.Mono
	tries int
	code  txn.Code    // of the last answer, zero when none came
	err   error       // why the last attempt was none, nil when it was one
	held  bool        // by an operator: it waits for no time
	again bool        // asked for once more while it was being delivered
	taken bool        // being delivered, or in an operator's hand
	acted bool        // taken by an operator
	waits []env.Event // of acts that wait for the end of the delivery
	fresh bool        // of this process: no delivery of it was begun before
	old   bool        // of an earlier process, which may have sent it: no clock tells, since clocks are set
}

// chain is what belongs to one original, in the order in which it came.
type chain struct {
	root  txn.Key
	items []*item
	in    *chains // where it is, nil while its first item is taken or held
	at    int
}

func (c *chain) first() *item { return c.items[0] }

// rank is that of its most urgent item: what stands before a reversal is as
// urgent as that.
func (c *chain) rank() int {
	least := c.items[0].rank
	for _, it := range c.items[1:] {
		least = min(least, it.rank)
	}
	return least
}

// chains is a heap of chains.
type chains struct {
	less func(a, b *chain) bool
	list []*chain
}

// Len implements heap.Interface.
func (h *chains) Len() int { return len(h.list) }

// Less implements heap.Interface.
func (h *chains) Less(i, j int) bool { return h.less(h.list[i], h.list[j]) }

// Swap implements heap.Interface.
func (h *chains) Swap(i, j int) {
	h.list[i], h.list[j] = h.list[j], h.list[i]
	h.list[i].at, h.list[j].at = i, j
}

// Push implements heap.Interface.
func (h *chains) Push(x any) {
	c := x.(*chain)
	c.in, c.at = h, len(h.list)
	h.list = append(h.list, c)
}

// Pop implements heap.Interface.
func (h *chains) Pop() any {
	last := len(h.list) - 1
	c := h.list[last]
	h.list[last] = nil
	h.list = h.list[:last]
	c.in = nil
	return c
}

// sooner is the order by time alone.
func sooner(a, b *chain) bool {
	x, y := a.first(), b.first()
	if x.due != y.due {
		return x.due < y.due
	}
	return x.order < y.order
}

// urgent is the order of what may go now: a reversal before everything that gives
// no money back, then what is due longest.
func urgent(a, b *chain) bool {
	if x, y := a.rank(), b.rank(); x != y {
		return x < y
	}
	return sooner(a, b)
}

// newLine makes an empty line, whose link counts as down until it was looked at.
func newLine(p Pace) *line {
	return &line{
		items: make(map[ident]*item), chains: make(map[txn.Key]*chain), later: chains{less: sooner}, ready: chains{less: urgent},
		pace: pace{Pace: p}, down: true,
	}
}

// add puts an item at the end of its chain.
func (l *line) add(it *item) {
	l.order++
	it.order = l.order
	l.items[it.ident] = it
	c := l.chains[it.root]
	if c == nil {
		c = &chain{root: it.root, items: []*item{it}}
		l.chains[it.root] = c
		l.place(c)
		return
	}
	c.items = append(c.items, it)
	if c.in != nil {
		heap.Fix(c.in, c.at) // it may be more urgent now
	}
}

// take gives the first item of the chain that goes next, or until when there is none.
func (l *line) take(now env.Mono) (it *item, until env.Mono) {
	for len(l.later.list) > 0 && l.later.list[0].first().due <= now {
		heap.Push(&l.ready, heap.Pop(&l.later))
	}
	if len(l.ready.list) == 0 {
		if len(l.later.list) == 0 {
			return nil, env.Never
		}
		return nil, l.later.list[0].first().due
	}
	if at := l.pace.next; at > now {
		return nil, at
	}
	l.pace.took(now)
	it = heap.Pop(&l.ready).(*chain).first()
	it.taken = true
	return it, 0
}

// seize keeps an item that nobody has from being taken: an operator has it.
func (l *line) seize(it *item) {
	it.taken, it.acted = true, true
	l.place(l.chains[it.root])
}

// remove takes an item that is taken out, for good.
func (l *line) remove(it *item) {
	c := l.chains[it.root]
	i := slices.Index(c.items, it)
	if !it.taken || i < 0 {
		assert.Fail("saf: %s of trace %06d ends without being delivered", it.kind, it.key.Trace)
	}
	delete(l.items, it.ident)
	c.items = slices.Delete(c.items, i, i+1)
	l.place(c)
}

// putBack lets an item that was taken wait until due.
func (l *line) putBack(it *item, due env.Mono) {
	it.taken, it.acted, it.again, it.due = false, false, false, due
	l.place(l.chains[it.root])
}

// place puts a chain where its first item belongs.
func (l *line) place(c *chain) {
	if c.in != nil {
		heap.Remove(c.in, c.at)
	}
	switch {
	case len(c.items) == 0:
		delete(l.chains, c.root)
	case !c.first().taken && !c.first().held:
		heap.Push(&l.later, c)
	}
}

// next gives the event of one idle loop, if anything waits that it could take.
func (l *line) next() []env.Event {
	if len(l.idle) == 0 || len(l.ready.list)+len(l.later.list) == 0 {
		return nil
	}
	last := len(l.idle) - 1
	e := l.idle[last]
	l.idle = l.idle[:last]
	return []env.Event{e}
}

// all gives the events of all idle loops.
func (l *line) all() []env.Event {
	all := l.idle
	l.idle = nil
	return all
}
