// SPDX-License-Identifier: Apache-2.0

package saf

import (
	"container/heap"
	"slices"

	"tapswitch/switch/txn"
)

// EnqueueFresh is Enqueue of an advice that this process has just made durable,
// and of which surely nothing has left: until it is taken for its first delivery
// Withdraw can take it back. What recovery queues is never fresh: it may have left
// before the crash.
func (q *Queue) EnqueueFresh(link string, k txn.Key) {
	id := ident{Advice, k}
	q.mu.Lock()
	_, known := q.line(link).items[id]
	q.mu.Unlock()
	q.Add(link, Advice, k)
	if known {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if it := q.line(link).items[id]; it != nil {
		it.fresh = true
	}
}

// Withdraw takes the advice of k out of the queue when surely not a byte of it
// has left, and says whether it did. The caller makes durable that it is not owed
// any more, or queues it again.
func (q *Queue) Withdraw(link string, k txn.Key) bool {
	id := ident{Advice, k}
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.line(link)
	it := l.items[id]
	if it == nil || !it.fresh || it.taken || it.tries > 0 {
		return false
	}
	l.withdraw(it)
	return true
}

// withdraw takes an item out that is not being delivered.
func (l *line) withdraw(it *item) {
	c := l.chains[it.root]
	delete(l.items, it.ident)
	c.items = slices.DeleteFunc(c.items, func(o *item) bool { return o == it })
	switch {
	case c.in == nil: // its first item is under way, and there is more
	case len(c.items) == 0:
		heap.Remove(c.in, c.at)
		delete(l.chains, it.root)
	default:
		heap.Fix(c.in, c.at)
	}
}
