// SPDX-License-Identifier: Apache-2.0

package replay

import "tapswitch/switch/txn"

// Keep keeps the index from forgetting what names k as its original, until
// release is called: whatever it had forgotten before is durable in the journal by
// then, and nothing is forgotten after. Whether k is known itself does not matter.
func (x *Index) Keep(k txn.Key) (release func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.entry(k)
	e.held++
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		e.held--
		x.drop(k, e)
	}
}

// Naming gives copies of what names as its original the life of k that has a
// reference number, in order.
func (x *Index) Naming(k txn.Key, n txn.RRN) (all []txn.Payment) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, l := range x.later[k] {
		if e := x.payments.get(l); e != nil && e.p != nil && e.p.Original == k && e.p.OfRRN == n {
			all = append(all, *e.p)
		}
	}
	return all
}
