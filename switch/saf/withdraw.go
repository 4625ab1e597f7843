// SPDX-License-Identifier: Apache-2.0

package saf

import "tapswitch/switch/txn"

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
	q.mu.Lock()
	l := q.line(link)
	it := l.items[ident{Advice, k}]
	if it == nil || !it.fresh || it.taken || it.tries > 0 {
		q.mu.Unlock()
		return false
	}
	it.taken = true
	l.remove(it)
	wake := l.next() // it may have been held, and what waited behind it goes
	q.mu.Unlock()
	wakeAll(wake)
	return true
}
