// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// Accounts keeps what payments come to, batch by batch; switch/settle does. It
// hears of every step of every payment, also of those read back at a start.
type Accounts interface {
	// Enter is called before records are made durable. It may wait, and refuse;
	// after a nil comes Leave.
	Enter(rs []journal.Record) error
	Leave(rs []journal.Record)
	// Moved is called after a step, without the index's lock.
	Moved(k txn.Key, from, to txn.Share)
}

// Account hands every step to a from now on. It is called before the first
// record.
func (x *Index) Account(a Accounts) { x.accounts = a }

// unaccounted is the accounts of an index that has none.
type unaccounted struct{}

func (unaccounted) Enter([]journal.Record) error        { return nil }
func (unaccounted) Leave([]journal.Record)              {}
func (unaccounted) Moved(txn.Key, txn.Share, txn.Share) {}
