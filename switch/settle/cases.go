// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"errors"
	"slices"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// Errors of CloseCases; nothing is changed then.
var (
	ErrNoCase = errors.New("settle: no case of an upload is open of this batch and trace number")
	ErrMany   = errors.New("settle: batches of more than one merchant have such a case")
)

// CloseCases closes the cases that uploads of a batch opened about one trace number;
// zero has those that are about the batch itself. A merchant that is all zero is
// whoever has such a case. Who closes them and why is durable with what was closed,
// at a moment at which nothing is uploaded of the batch: an item that comes later opens
// a case of its own. Errors of the journal are refusals; what they left open is still
// open, if they are known to have changed nothing.
func (b *Book) CloseCases(id txn.BatchID, trace txn.STAN, by txn.Act) (in txn.BatchID, items []txn.Uploaded, err error) {
	b.mu.Lock()
	if id, err = b.whose(id, trace); err != nil {
		b.mu.Unlock()
		return id, nil, err
	}
	a := b.account(id)
	a.users++
	b.hold(a)
	due := casesOf(b.open[id], trace) // another call may have closed them while this one waited
	if len(due) == 0 {
		err = ErrNoCase
	}
	for len(items) < len(due) && err == nil {
		some := due[len(items):min(len(items)+record.UploadMax, len(due))]
		b.mu.Unlock()
		err = journalError(b.journal.Append(record.MakeUploadClosed(id, some, by)))
		b.mu.Lock()
		if err == nil {
			b.shut(id, some)
			items = append(items, some...)
		}
	}
	b.let(id, a)
	return id, items, err
}

// whose finds the batch that has a case about a trace number; the lock is held.
func (b *Book) whose(id txn.BatchID, trace txn.STAN) (txn.BatchID, error) {
	if id.Merchant != (txn.MerchantID{}) {
		return id, nil
	}
	found := 0
	for other, open := range b.open { // at most one of them counts
		if other.Terminal == id.Terminal && other.Batch == id.Batch && len(casesOf(open, trace)) > 0 {
			id.Merchant = other.Merchant
			found++
		}
	}
	switch found {
	case 0:
		return id, ErrNoCase
	case 1:
		return id, nil
	}
	return id, ErrMany
}

// casesOf are the cases about a trace number.
func casesOf(open []txn.Uploaded, trace txn.STAN) (some []txn.Uploaded) {
	for _, u := range open {
		if u.Trace == trace {
			some = append(some, u)
		}
	}
	return some
}

// shut takes cases out that are durably closed; the lock is held. One that is not open
// was left behind by a purge, and says nothing.
func (b *Book) shut(id txn.BatchID, items []txn.Uploaded) {
	open := slices.DeleteFunc(slices.Clone(b.open[id]), func(u txn.Uploaded) bool { return slices.Contains(items, u) })
	b.cases -= len(b.open[id]) - len(open)
	if b.open[id] = open; len(open) == 0 {
		delete(b.open, id)
	}
}

// applyClosed takes a record of cases that were closed; the lock is held.
func (b *Book) applyClosed(r journal.Record) error {
	id, items, _, err := record.ParseUploadClosed(r)
	if err == nil {
		b.shut(id, items)
	}
	return err
}
