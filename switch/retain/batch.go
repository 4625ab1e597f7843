// SPDX-License-Identifier: Apache-2.0

package retain

import (
	"slices"
	"time"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// batches is what the records of batches say: their totals hold for everything
// before them.
type batches struct {
	byID   map[txn.BatchID]batch
	open   map[txn.BatchID]map[txn.Uploaded]bool // the cases that uploads opened and nobody has closed
	newest map[txn.BatchID]txn.BatchID           // the batch that a terminal closed last, by a BatchID without number
}

// batch is the newest record of one.
type batch struct {
	seq    uint64
	closed bool
}

func newBatches() batches {
	return batches{map[txn.BatchID]batch{}, map[txn.BatchID]map[txn.Uploaded]bool{}, map[txn.BatchID]txn.BatchID{}}
}

// takeAny takes the next record that is about a batch.
func (b batches) takeAny(seq uint64, r journal.Record) (at time.Time, err error) {
	switch r.Kind {
	case record.KindUpload:
		return b.takeUpload(r)
	case record.KindUploadClosed:
		return b.takeClosed(r)
	}
	return b.takeBatch(seq, r)
}

// takeBatch takes the next record of how a batch stands.
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

// takeUpload takes the next record of what was uploaded of a batch.
func (b batches) takeUpload(r journal.Record) (at time.Time, err error) {
	id, items, at, err := record.ParseUpload(r)
	if err != nil {
		return at, err
	}
	for _, u := range items {
		if u.Verdict == txn.UploadAgrees {
			continue
		}
		if b.open[id] == nil {
			b.open[id] = map[txn.Uploaded]bool{}
		}
		b.open[id][u] = true
	}
	return at, nil
}

// takeClosed takes the next record of cases that were closed.
func (b batches) takeClosed(r journal.Record) (at time.Time, err error) {
	id, items, by, err := record.ParseUploadClosed(r)
	if err != nil {
		return at, err
	}
	for _, u := range items {
		delete(b.open[id], u)
	}
	return by.At, nil
}

// hasOpen says whether a case of the items of a batch is open.
func (b batches) hasOpen(id txn.BatchID, items []txn.Uploaded) bool {
	return slices.ContainsFunc(items, func(u txn.Uploaded) bool { return b.open[id][u] })
}

func terminalOf(id txn.BatchID) txn.BatchID {
	id.Batch = 0
	return id
}

// needs says whether the totals of a batch that is not closed cannot be told without
// a payment whose newest record is l.last: it counts, and no later record of the
// batch holds it; or it counts no more, and the batch's record may hold it still.
func (b batches) needs(k txn.Key, l *life) bool {
	is := b.byID[k.BatchID()]
	if is.closed || l.last <= is.seq || k.Class.Side() == txn.OnNeither {
		return false
	}
	p := txn.Payment{Key: k, State: l.state}
	return l.first < is.seq || p.Share().Side != txn.OnNeither
}

// needsBatch says whether the old record of a batch must stay: it is the newest
// of a batch that is not closed, or that its terminal closed last, or that has open cases.
func (b batches) needsBatch(seq uint64, r journal.Record) bool {
	id, _, err := record.ParseBatch(r)
	if err != nil {
		return true
	}
	is := b.byID[id]
	return is.seq == seq && (!is.closed || len(b.open[id]) > 0 || b.newest[terminalOf(id)] == id)
}

// needsUpload says whether the old record of an upload must stay: a case of it is
// open, or its message may come again.
func (b batches) needsUpload(r journal.Record) bool {
	id, items, _, err := record.ParseUpload(r)
	return err != nil || b.hasOpen(id, items) || b.mayCome(id)
}

// needsClosed says whether the old record of cases that were closed must stay: one of
// the records that opened them may, so that the case would be open again.
func (b batches) needsClosed(r journal.Record) bool {
	id, err := record.ParseBatchID(r.Key)
	return err != nil || len(b.open[id]) > 0 || b.mayCome(id)
}

// mayCome says whether a message of an upload may come again.
func (b batches) mayCome(id txn.BatchID) bool {
	return !b.byID[id].closed || b.newest[terminalOf(id)] == id
}
