// SPDX-License-Identifier: Apache-2.0

package replay

import "tapswitch/switch/txn"

// Knows says whether anything is remembered of k: a payment, a claim or a
// tombstone. While it is, later records of k may refer to earlier ones.
func (x *Index) Knows(k txn.Key) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.payments.get(k) != nil
}

// Forget drops everything that may be forgotten by now; Claim drops a few at a
// time.
func (x *Index) Forget() {
	for rounds := x.Len(); rounds >= 0; rounds -= few {
		x.mu.Lock()
		x.forget()
		x.mu.Unlock()
	}
}
