// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"slices"

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
	// Unsettled says whether a batch may still be asked for payment by payment. It is
	// asked with the index's lock held: it neither waits nor calls back.
	Unsettled(id txn.BatchID) bool
}

// Account hands every step to a from now on. It is called before the first
// record.
func (x *Index) Account(a Accounts) { x.accounts = a }

// unaccounted is the accounts of an index that has none.
type unaccounted struct{}

func (unaccounted) Enter([]journal.Record) error        { return nil }
func (unaccounted) Leave([]journal.Record)              {}
func (unaccounted) Moved(txn.Key, txn.Share, txn.Share) {}
func (unaccounted) Unsettled(txn.BatchID) bool          { return false }

// OfBatch gives copies of the payments of a batch that are remembered, in order.
func (x *Index) OfBatch(id txn.BatchID) (all []txn.Payment) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.batches[id] {
		if e.p != nil {
			all = append(all, *e.p)
		}
	}
	return all
}

// listed notes a payment in its batch; the lock is held.
func (x *Index) listed(e *entry) {
	id := e.key.BatchID()
	x.batches[id] = append(x.batches[id], e)
}

// unlisted takes it out; the oldest goes first, so it is found near the beginning.
// The lock is held.
func (x *Index) unlisted(e *entry) {
	id := e.key.BatchID()
	all := x.batches[id]
	if i := slices.Index(all, e); i >= 0 {
		all = slices.Delete(all, i, i+1)
	}
	if x.batches[id] = all; len(all) == 0 {
		delete(x.batches, id)
	}
}

// wanted says whether a payment is kept beyond its window, since its terminal may
// still upload it: it counts in a batch that is not closed, and no more than
// Keep are remembered. What terminals send again until they are told, advices and
// refunds, is kept whatever their number: the same again would count twice. The lock is
// held.
func (x *Index) wanted(p *txn.Payment) bool {
	again := p.Key.Class.Ending() == txn.EndAdvise || p.Key.Class.Ending() == txn.EndCase
	return p.Share().Side != txn.OnNeither && (again || x.payments.used <= x.cfg.Keep) && x.accounts.Unsettled(p.Key.BatchID())
}
