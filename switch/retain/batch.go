// SPDX-License-Identifier: Apache-2.0

package retain

import (
	"time"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// batches is what the records of batches say: their totals hold for everything
// before them.
type batches struct {
	byID   map[txn.BatchID]batch
	newest map[txn.BatchID]txn.BatchID // the batch that a terminal closed last, by a BatchID without number
}

// batch is the newest record of one.
type batch struct {
	seq    uint64
	closed bool
}

func newBatches() batches {
	return batches{map[txn.BatchID]batch{}, map[txn.BatchID]txn.BatchID{}}
}

// takeBatch takes the next record of a batch.
func (b batches) takeBatch(seq uint64, r journal.Record) (at time.Time, err error) {
	id, is, err := record.ParseBatch(r)
	if err != nil {
		return at, err
	}
	b.byID[id] = batch{seq, is.State.Closed()}
	if is.State.Closed() {
		b.newest[terminalOf(id)] = id
	}
	return is.At, nil
}

func terminalOf(id txn.BatchID) txn.BatchID {
	id.Batch = 0
	return id
}

// needs says whether a payment whose newest record is last counts in a batch
// that is not closed and whose totals no later record holds.
func (b batches) needs(k txn.Key, s txn.State, last uint64) bool {
	p := txn.Payment{Key: k, State: s}
	if p.Share().Side == txn.OnNeither {
		return false
	}
	is := b.byID[k.BatchID()]
	return !is.closed && last > is.seq
}

// needsBatch says whether the old record of a batch must stay: it is the newest
// of a batch that is not closed, or that its terminal closed last.
func (b batches) needsBatch(seq uint64, r journal.Record) bool {
	id, _, err := record.ParseBatch(r)
	if err != nil {
		return true
	}
	is := b.byID[id]
	return is.seq == seq && (!is.closed || b.newest[terminalOf(id)] == id)
}
