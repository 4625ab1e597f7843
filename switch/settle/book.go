// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"fmt"
	"slices"
	"sync"

	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// Config bounds the book.
type Config struct {
	Max int // batches remembered; a payment that begins another is refused
}

// closedMax is how many closed batches of one terminal are remembered: a payment
// for an older one is not known to be late.
const closedMax = 100

// Book is the batches of all terminals.
type Book struct {
	cfg     Config
	clock   env.Clock
	waits   env.Waits
	journal journal.Appender

	mu      sync.Mutex // never held across a wait or a port call
	batches map[txn.BatchID]*account
	closed  map[owner][]uint32             // in the order in which they were closed
	open    map[txn.BatchID][]txn.Uploaded // cases that uploads opened and nobody has closed, each once, in their order
	cases   int                            // how many those are
}

// owner is whose batches count on.
type owner struct {
	terminal txn.TerminalID
	merchant txn.MerchantID
}

func ownerOf(id txn.BatchID) owner { return owner{id.Terminal, id.Merchant} }

// account is one batch.
type account struct {
	txn.Batch       // Now is of this moment
	inFlight   int  // payments of which it is not known whether they are in force
	undoing    int  // payments that are being reversed
	unrecorded bool // Now is not that of the newest record
	uploads    *uploads
	taking     map[txn.Key]money.MinorUnits // offline sales that are being made durable

	changing int         // changes of its payments that are being made durable
	closing  bool        // it is being closed: no payment begins
	sealing  bool        // its record is being made durable: nothing changes
	doubt    bool        // that record failed and may be durable
	users    int         // calls that hold it
	waiting  []env.Event // woken at every change of the above
}

// New makes an empty book; Apply and Moved fill it from the journal.
func New(cfg Config, world env.Env, j journal.Appender) *Book {
	return &Book{cfg: cfg, clock: world.Clock, waits: world.Waits, journal: j, batches: map[txn.BatchID]*account{}, closed: map[owner][]uint32{}, open: map[txn.BatchID][]txn.Uploaded{}}
}

// Apply takes the records of batches and passes over others.
func (b *Book) Apply(r journal.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var err error
	switch r.Kind {
	case record.KindBatch:
		err = b.applyBatch(r)
	case record.KindUpload:
		err = b.applyUpload(r)
	case record.KindUploadClosed:
		err = b.applyClosed(r)
	}
	if err != nil {
		return fmt.Errorf("settle: %s record: %w", record.KindName(r.Kind), err)
	}
	return nil
}

// applyBatch takes a record of how a batch stands; the lock is held.
func (b *Book) applyBatch(r journal.Record) error {
	id, batch, err := record.ParseBatch(r)
	if err == nil {
		b.stands(id, b.account(id), batch)
	}
	return err
}

// stands takes a durable record of a batch; the lock is held.
func (b *Book) stands(id txn.BatchID, a *account, batch txn.Batch) {
	was := a.State
	a.Batch, a.unrecorded, a.doubt = batch, false, false
	if was.Closed() || !batch.State.Closed() {
		return
	}
	all := b.closed[ownerOf(id)]
	if len(all) > 0 { // a repeat of its upload is not expected any more
		before := id
		before.Batch = all[len(all)-1]
		if old := b.batches[before]; old != nil {
			old.uploads = nil
		}
	}
	if all = append(all, id.Batch); len(all) > closedMax {
		oldest := id
		oldest.Batch, all = all[0], all[1:]
		delete(b.batches, oldest)
	}
	b.closed[ownerOf(id)] = all
}

// account finds or makes the account of id; the lock is held.
func (b *Book) account(id txn.BatchID) *account {
	a := b.batches[id]
	if a == nil {
		a = &account{Batch: txn.Batch{State: txn.BatchOpen}}
		b.batches[id] = a
	}
	return a
}

// batchOf is the batch of a record of a payment.
func batchOf(r journal.Record) (id txn.BatchID, ok bool) {
	switch r.Kind {
	case record.KindTries, record.KindNumbers, record.KindBatch, record.KindUpload, record.KindUploadClosed:
		return id, false
	}
	k, err := record.ParseKey(r.Key)
	return k.BatchID(), err == nil
}

// begins says whether a record begins a payment. The advice of one that the switch
// approved itself belongs to that one, which began before; so does the result of a
// script, which moves nothing.
func begins(r journal.Record) bool {
	if r.Kind == record.KindAdvice {
		k, err := record.ParseKey(r.Key)
		return err == nil && !k.Class.AfterClose()
	}
	return r.Kind == record.KindIntent
}

// Enter is called before records of payments are made durable. It refuses a
// payment that begins in a batch that is closed or being closed; while the record
// of a batch is made durable it waits. After a nil Leave must be called.
func (b *Book) Enter(rs []journal.Record) error {
	for i, r := range rs {
		id, ok := batchOf(r)
		if !ok {
			continue
		}
		if slices.ContainsFunc(rs[:i], isOf(id)) { // it is in already: who seals the batch waits for it
			b.again(id)
			continue
		}
		if err := b.enter(id, slices.ContainsFunc(rs[i:], beginsIn(id))); err != nil {
			b.Leave(rs[:i])
			return err
		}
	}
	return nil
}

// isOf says of a record whether it is of a payment of a batch.
func isOf(id txn.BatchID) func(journal.Record) bool {
	return func(r journal.Record) bool {
		of, ok := batchOf(r)
		return ok && of == id
	}
}

// beginsIn says of a record whether a payment begins with it in a batch.
func beginsIn(id txn.BatchID) func(journal.Record) bool {
	is := isOf(id)
	return func(r journal.Record) bool { return is(r) && begins(r) }
}

// again counts one more record of a change that has entered.
func (b *Book) again(id txn.BatchID) {
	b.mu.Lock()
	b.account(id).changing++
	b.mu.Unlock()
}

func (b *Book) enter(id txn.BatchID, begins bool) (err error) {
	b.mu.Lock()
	if begins && b.batches[id] == nil && len(b.batches) >= b.cfg.Max {
		b.mu.Unlock()
		return txn.DeclineBatches
	}
	a := b.account(id)
	a.users++
	b.await(a, func() bool { return !a.sealing }, env.Never)
	if begins && !a.takes() {
		err = txn.DeclineBatchClosed
	} else {
		a.changing++
	}
	a.users--
	b.unlock(id, a)
	return err
}

// takes says whether a payment may begin in the batch.
func (a *account) takes() bool { return a.State == txn.BatchOpen && !a.closing && !a.doubt }

// Leave ends what Enter began: the records are durable and told of by Moved, or
// failed.
func (b *Book) Leave(rs []journal.Record) {
	for _, r := range rs {
		if id, ok := batchOf(r); ok {
			b.mu.Lock()
			a := b.account(id)
			a.changing--
			b.unlock(id, a)
		}
	}
}

// Moved takes a step of a payment: what it came to before and what it comes to now.
func (b *Book) Moved(k txn.Key, from, to txn.Share) {
	if from == to {
		return
	}
	id := k.BatchID()
	b.mu.Lock()
	a := b.account(id)
	a.Now.Sub(from)
	a.Now.Add(to)
	a.movedOffline(k, from, to)
	a.unrecorded = a.unrecorded || from.Side != to.Side || from.Minor != to.Minor
	a.count(from.Progress, -1)
	a.count(to.Progress, +1)
	b.unlock(id, a)
}

func (a *account) count(p txn.Progress, n int) {
	switch p {
	case txn.InFlight:
		a.inFlight += n
	case txn.Undoing:
		a.undoing += n
	}
}

// Unsettled says whether payments of a batch may still be asked for: it is not closed.
func (b *Book) Unsettled(id txn.BatchID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.batches[id]
	return a != nil && !a.State.Closed()
}

// quiet says that every payment of the batch is final.
func (a *account) quiet() bool { return a.changing == 0 && a.inFlight == 0 && a.undoing == 0 }

// await waits until ok or the deadline, and says which; the lock is held before
// and after, and let go meanwhile.
func (b *Book) await(a *account, ok func() bool, until env.Mono) bool {
	for !ok() {
		changed := b.waits.NewEvent()
		a.waiting = append(a.waiting, changed)
		b.mu.Unlock()
		came := changed.Wait(until)
		b.mu.Lock()
		if !came {
			a.waiting = slices.DeleteFunc(a.waiting, func(e env.Event) bool { return e == changed })
			return ok()
		}
	}
	return true
}

// unlock lets the lock go after a change of a: who waits for one looks again. An
// account that holds nothing is forgotten.
func (b *Book) unlock(id txn.BatchID, a *account) {
	wake := a.waiting
	a.waiting = nil
	if a.users == 0 && a.State == txn.BatchOpen && a.Now == (txn.Totals{}) && !a.unrecorded && !a.doubt && a.At.IsZero() && a.quiet() {
		delete(b.batches, id)
	}
	b.mu.Unlock()
	for _, e := range wake {
		e.Wake()
	}
}
