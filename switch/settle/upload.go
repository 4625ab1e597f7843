// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// uploadMax bounds the items of one batch (UnionPay POS: the count at its end has
// four digits).
const uploadMax = 9999

// uploads is what a terminal has uploaded of a batch.
type uploads struct {
	seen   map[itemID]struct{}   // what it said, each once
	traces map[txn.STAN]struct{} // of which payments
	ours   map[itemID]struct{}   // cases that its end opened
}

// itemID is what makes two items the same.
type itemID struct {
	verdict txn.Verdict // zero for what the terminal said
	trace   txn.STAN
	minor   int64
	token   [16]byte
}

func newUploads() *uploads {
	return &uploads{seen: map[itemID]struct{}{}, traces: map[txn.STAN]struct{}{}, ours: map[itemID]struct{}{}}
}

// fromTerminal says whether an item is one that a terminal sent.
func fromTerminal(v txn.Verdict) bool { return v <= txn.UploadUnknown }

func idOf(u txn.Uploaded) itemID {
	id := itemID{trace: u.Trace, minor: int64(u.Minor), token: u.Token}
	if !fromTerminal(u.Verdict) {
		id.verdict = u.Verdict
	}
	return id
}

// has says whether an item is durable already; nil has none.
func (l *uploads) has(u txn.Uploaded) bool {
	if l == nil {
		return false
	}
	all := l.seen
	if !fromTerminal(u.Verdict) {
		all = l.ours
	}
	_, ok := all[idOf(u)]
	return ok
}

// take keeps a durable item, and says whether it opens a case.
func (l *uploads) take(u txn.Uploaded) (opens bool) {
	switch {
	case l.has(u):
		return false
	case fromTerminal(u.Verdict):
		l.seen[idOf(u)], l.traces[u.Trace] = struct{}{}, struct{}{}
	default:
		l.ours[idOf(u)] = struct{}{}
	}
	return u.Verdict != txn.UploadAgrees
}

// applyUpload takes a record of items; the lock is held.
func (b *Book) applyUpload(r journal.Record) error {
	id, items, _, err := record.ParseUpload(r)
	if err != nil {
		return err
	}
	b.uploaded(id, b.account(id), items)
	return nil
}

// uploaded keeps durable items; the lock is held.
func (b *Book) uploaded(id txn.BatchID, a *account, items []txn.Uploaded) {
	if a.uploads == nil {
		a.uploads = newUploads()
	}
	for _, u := range items {
		if a.uploads.take(u) {
			b.open[id] = append(b.open[id], u)
			b.cases++
		}
	}
}

// Cases is how many cases of uploads are open.
func (b *Book) Cases() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cases
}

// Upload takes items of a batch whose totals were told and differ. Those that came
// before, with the same card and amount, are passed over; judge gives the others
// their verdicts, at a moment at which no payment of the batch changes, and they
// are durable before it returns. cases is how many of them opened one. Errors are
// refusals.
func (b *Book) Upload(id txn.BatchID, items []txn.Uploaded, judge func([]txn.Uploaded)) (cases int, err error) {
	b.mu.Lock()
	a := b.account(id)
	a.users++
	b.hold(a)
	fresh := a.fresh(items)
	switch {
	case a.State == txn.BatchOpen:
		err = txn.DeclineNotSettled
	case len(fresh) == 0:
	case a.State.Closed():
		err = txn.DeclineBatchClosed
	case a.uploads != nil && len(a.uploads.seen)+len(fresh) > uploadMax:
		err = txn.DeclineUploadLong
	default:
		err = b.keep(id, a, func() []txn.Uploaded { judge(fresh); return fresh })
	}
	b.let(id, a)
	if err != nil {
		return 0, err
	}
	for _, u := range fresh {
		if u.Verdict != txn.UploadAgrees {
			cases++
		}
	}
	return cases, nil
}

// End closes a batch that is uploaded: count is how many items its terminal says
// it sent, inForce gives the payments of the batch that are in force and what they
// come to. What was not uploaded, and a count that is another, is a case. A batch
// that is closed is told so again. Errors are refusals.
func (b *Book) End(id txn.BatchID, count uint32, inForce func() ([]txn.Uploaded, txn.Totals)) (cases int, err error) {
	b.mu.Lock()
	a := b.account(id)
	a.users++
	b.hold(a)
	before := len(b.open[id])
	switch {
	case a.State == txn.BatchOpen:
		err = txn.DeclineNotSettled
	case a.State.Closed():
	default:
		now := a.Now
		if err = b.keep(id, a, func() []txn.Uploaded { return a.leftOut(count, now, inForce) }); err == nil {
			next := a.Batch
			next.State = txn.BatchUploaded
			err = b.write(id, a, next)
		}
	}
	cases = len(b.open[id]) - before
	b.let(id, a)
	return cases, err
}

// hold waits until no payment of the batch changes, and lets none change until
// let; the lock is held before and after.
func (b *Book) hold(a *account) {
	b.await(a, func() bool { return !a.sealing }, env.Never)
	a.sealing = true
	b.await(a, func() bool { return a.changing == 0 }, env.Never)
}

// let ends what hold began, and the call's own use of the account; the lock is held
// before, and let go. It is not deferred: a panic of the journal comes without it.
func (b *Book) let(id txn.BatchID, a *account) {
	a.sealing = false
	a.users--
	b.unlock(id, a)
}

// fresh are the items that are not durable yet, each once.
func (a *account) fresh(items []txn.Uploaded) (fresh []txn.Uploaded) {
	came := map[itemID]bool{}
	for _, u := range items {
		if !a.uploads.has(u) && !came[idOf(u)] {
			came[idOf(u)] = true
			fresh = append(fresh, u)
		}
	}
	return fresh
}

// leftOut are the cases that the end of an upload opens; now is what the batch comes
// to. It is called without the lock, while the account is held.
func (a *account) leftOut(count uint32, now txn.Totals, inForce func() ([]txn.Uploaded, txn.Totals)) []txn.Uploaded {
	payments, known := inForce()
	all := a.uploads
	if all == nil {
		all = newUploads()
	}
	var cases []txn.Uploaded
	for _, u := range payments {
		if _, ok := all.traces[u.Trace]; !ok {
			u.Verdict = txn.UploadMissing
			cases = append(cases, u)
		}
	}
	if int(count) != len(all.seen) {
		cases = append(cases, txn.Uploaded{Verdict: txn.UploadCount})
	}
	if known != now {
		gone := now.DebitMinor + now.CreditMinor - known.DebitMinor - known.CreditMinor
		cases = append(cases, txn.Uploaded{Verdict: txn.UploadForgotten, Minor: gone})
	}
	return a.fresh(cases)
}

// keep makes items durable that find gives; the account is held, the lock before and after.
func (b *Book) keep(id txn.BatchID, a *account, find func() []txn.Uploaded) error {
	b.mu.Unlock()
	items := find()
	var err error
	done := 0
	for done < len(items) && err == nil {
		some := items[done:min(done+record.UploadMax, len(items))]
		if err = b.journal.Append(record.MakeUpload(id, some, b.clock.Now())); err == nil {
			done += len(some)
		}
	}
	b.mu.Lock()
	b.uploaded(id, a, items[:done])
	return journalError(err)
}
