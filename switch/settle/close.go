// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"bytes"
	"errors"
	"slices"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// Admit refuses a payment that is to begin in a batch that takes none. It is
// asked before a PIN is tried; what happens after that Enter finds.
func (b *Book) Admit(k txn.Key) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.batches[k.BatchID()]; a != nil && !a.takes() && !k.Class.AfterClose() {
		return txn.DeclineBatchClosed
	}
	return nil
}

// Now is what the payments in force of a batch come to at this moment; nothing for a
// batch that is not remembered.
func (b *Book) Now(id txn.BatchID) txn.Totals {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a := b.batches[id]; a != nil {
		return a.Now
	}
	return txn.Totals{}
}

// Current is the batch that a terminal goes on with that says it is in id: the
// same, or the one after those that it has closed. A terminal is never led back:
// the batch closed last may have a lower number, because id was not closed yet or
// an upload took long.
func (b *Book) Current(id txn.BatchID) uint32 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if all := b.closed[ownerOf(id)]; len(all) > 0 && !b.free(id) && follows(all[len(all)-1], id.Batch) {
		id.Batch = all[len(all)-1]
	}
	for !b.free(id) {
		id.Batch = id.Batch%lastBatch + 1
	}
	return id.Batch
}

// lastBatch is the last batch number before they start again at 1.
const lastBatch = 999_999

// follows says whether the number a comes after b, as numbers that start again do:
// less than half of them lie between.
func follows(a, b uint32) bool { return (a+lastBatch-b)%lastBatch < lastBatch/2 }

func (b *Book) free(id txn.BatchID) bool {
	a := b.batches[id]
	return a == nil || a.State == txn.BatchOpen && !a.doubt
}

// Close closes the batch id when its totals are theirs. It waits until every
// payment of the batch is final; when that is not so at the deadline, nothing
// happens to the batch. Totals that differ are made durable too: the batch takes
// no payment any more, and they are told again. A batch that is closed tells its
// totals again. Errors are refusals.
func (b *Book) Close(id txn.BatchID, theirs txn.Totals, until env.Mono) (s txn.Settlement, err error) {
	b.mu.Lock()
	if b.batches[id] == nil && len(b.batches) >= b.cfg.Max {
		b.mu.Unlock()
		return s, txn.DeclineBatches
	}
	a := b.account(id)
	a.users++
	s, err = b.close(id, a, theirs, until)
	a.users--
	b.unlock(id, a)
	return s, err
}

// close is Close with the lock held.
func (b *Book) close(id txn.BatchID, a *account, theirs txn.Totals, until env.Mono) (txn.Settlement, error) {
	notFinal := func() (txn.Settlement, error) { return txn.Settlement{Ours: a.Now, Why: txn.BatchNotFinal}, nil }
	if !b.await(a, func() bool { return !a.closing }, until) {
		return notFinal() // another call closes it
	}
	told := a.Told
	if a.State == txn.BatchOpen {
		a.closing = true
		if !b.await(a, func() bool { return a.quiet() && !a.sealing }, until) {
			a.closing = false
			return notFinal()
		}
		told = a.Now
	}
	b.await(a, func() bool { return !a.sealing }, env.Never)
	next := a.Batch
	next.Told = told
	next.State, next.Theirs = txn.BatchDiffers, theirs
	if theirs == next.Told {
		next.State = txn.BatchBalanced
	}
	if !a.State.Closed() && a.State != next.State {
		a.closing = true
		err := b.seal(id, a, next)
		a.closing = false
		if err != nil {
			return txn.Settlement{}, err
		}
	}
	s := txn.Settlement{Ours: a.Told, Balanced: theirs == a.Told}
	if !s.Balanced {
		s.Why = txn.BatchTotalsDiffer
	}
	return s, nil
}

// seal makes durable how the batch stands, while no payment of it changes; the
// lock is held before and after, and nobody else seals.
func (b *Book) seal(id txn.BatchID, a *account, next txn.Batch) error {
	a.sealing = true
	b.await(a, func() bool { return a.changing == 0 }, env.Never)
	err := b.write(id, a, next)
	a.sealing = false
	return err
}

// write makes durable how the batch stands; the account is held, the lock before
// and after.
func (b *Book) write(id txn.BatchID, a *account, next txn.Batch) error {
	next.Now, next.Offline, next.At = a.Now, a.Offline, b.clock.Now()
	b.mu.Unlock()
	err := b.journal.Append(record.MakeBatch(id, next))
	b.mu.Lock()
	if err == nil {
		b.stands(id, a, next)
	} else if !refusedWhole(err) {
		a.doubt = true // it may be durable: no payment may come behind it
	}
	return journalError(err)
}

// refusedWhole says that surely nothing was written.
func refusedWhole(err error) bool {
	return errors.Is(err, journal.ErrFull) || errors.Is(err, journal.ErrBusy)
}

// journalError names what the journal said.
func journalError(err error) error {
	switch {
	case err == nil:
		return nil
	case refusedWhole(err):
		return txn.DeclineJournalFull.Why(err)
	}
	return txn.DeclineJournal.Why(err)
}

// Carry makes the totals of open batches durable whose newest record does not
// hold them, so that the payments counted may leave the journal.
func (b *Book) Carry() error {
	for _, id := range b.unrecorded() {
		b.mu.Lock()
		a := b.account(id)
		a.users++
		b.await(a, func() bool { return !a.sealing }, env.Never)
		var err error
		if a.unrecorded && !a.State.Closed() {
			err = b.seal(id, a, a.Batch)
		}
		a.users--
		b.unlock(id, a)
		if err != nil {
			return err
		}
	}
	return nil
}

// unrecorded lists the batches for Carry, in the order of their keys.
func (b *Book) unrecorded() (ids []txn.BatchID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, a := range b.batches {
		if a.unrecorded && !a.State.Closed() {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compare)
	return ids
}

func compare(x, y txn.BatchID) int {
	return bytes.Compare(record.AppendBatchID(nil, x), record.AppendBatchID(nil, y))
}

// Each calls fn with a copy of every batch that is remembered, in the order of
// their keys.
func (b *Book) Each(fn func(txn.BatchID, txn.Batch)) {
	b.mu.Lock()
	ids := make([]txn.BatchID, 0, len(b.batches))
	for id := range b.batches {
		ids = append(ids, id)
	}
	b.mu.Unlock()
	slices.SortFunc(ids, compare)
	for _, id := range ids {
		b.mu.Lock()
		a, ok := b.batches[id]
		var batch txn.Batch
		if ok {
			batch = a.Batch
		}
		b.mu.Unlock()
		if ok {
			fn(id, batch)
		}
	}
}
