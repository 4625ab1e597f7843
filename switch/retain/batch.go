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
	newest map[txn.BatchID]txn.BatchID // the batch that a terminal closed last, by a BatchID without number
}

// batch is the newest record of one.
type batch struct {
	seq    uint64
	closed bool
	cases  bool // its upload opened some; nothing closes them in this version
}

func newBatches() batches {
	return batches{map[txn.BatchID]batch{}, map[txn.BatchID]txn.BatchID{}}
}

// takeAny takes the next record that is about a batch.
func (b batches) takeAny(seq uint64, r journal.Record) (at time.Time, err error) {
	if r.Kind == record.KindUpload {
		return b.takeUpload(r)
	}
	return b.takeBatch(seq, r)
}

// takeBatch takes the next record of how a batch stands.
func (b batches) takeBatch(seq uint64, r journal.Record) (at time.Time, err error) {
	id, is, err := record.ParseBatch(r)
	if err != nil {
		return at, err
	}
	b.byID[id] = batch{seq, is.State.Closed(), b.byID[id].cases}
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
	if hasCase(items) {
		is := b.byID[id]
		is.cases = true
		b.byID[id] = is
	}
	return at, nil
}

func hasCase(items []txn.Uploaded) bool {
	return slices.ContainsFunc(items, func(u txn.Uploaded) bool { return u.Verdict != txn.UploadAgrees })
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
// of a batch that is not closed, or that its terminal closed last, or that has cases.
func (b batches) needsBatch(seq uint64, r journal.Record) bool {
	id, _, err := record.ParseBatch(r)
	if err != nil {
		return true
	}
	is := b.byID[id]
	return is.seq == seq && (!is.closed || is.cases || b.newest[terminalOf(id)] == id)
}

// needsUpload says whether the old record of an upload must stay: it has a case, or
// its message may come again.
func (b batches) needsUpload(r journal.Record) bool {
	id, items, _, err := record.ParseUpload(r)
	if err != nil || hasCase(items) {
		return true
	}
	return !b.byID[id].closed || b.newest[terminalOf(id)] == id
}
