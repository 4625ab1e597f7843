// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"tapswitch/internal/money"
	"tapswitch/switch/txn"
)

// Offline counts an offline sale in that is about to be made durable, so that sales at
// once cannot pass a limit together, and names the limit of its batch that it breaks,
// empty when none. Broken or not, it has happened and counts. What counts is what is
// in force, and comes back from the journal with its payments; a person who finds that
// one is not gives its share back, and an adjustment adds nothing. done must be called
// when the sale is durable or failed.
func (b *Book) Offline(k txn.Key, minor money.MinorUnits, l txn.OfflineLimits) (over txn.Reason, done func()) {
	id := k.BatchID()
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.account(id)
	a.users++
	u := a.Offline
	for _, other := range a.taking {
		u.Count++
		u.Minor += other
	}
	over = l.Over(u, minor)
	if a.taking == nil {
		a.taking = map[txn.Key]money.MinorUnits{}
	}
	a.taking[k] = minor
	return over, func() {
		b.mu.Lock()
		a := b.account(id)
		delete(a.taking, k)
		a.users--
		b.unlock(id, a)
	}
}

// movedOffline takes a step of an offline sale; the lock is held.
func (a *account) movedOffline(k txn.Key, from, to txn.Share) {
	if k.Class != txn.OfflineSale {
		return
	}
	delete(a.taking, k) // it is durable, and counts from here on
	a.Offline.Sub(from)
	a.Offline.Add(to)
}
