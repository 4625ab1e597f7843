// SPDX-License-Identifier: Apache-2.0

package retain_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/retain"
	"tapswitch/switch/txn"
)

// A payment that counts in a batch stays until the batch is closed or a record
// holds the batch's totals; one that does not count goes.
func TestPaymentsStayUntilTheirBatchHoldsThem(t *testing.T) {
	for name, c := range map[string]struct {
		state txn.BatchState // of the batch's record, none when zero
		after bool           // the record is behind the payment
		stays bool
	}{
		"no record of the batch":             {0, false, true},
		"its totals were recorded before":    {txn.BatchOpen, false, true},
		"its totals were recorded after":     {txn.BatchOpen, true, false},
		"totals that differ, recorded after": {txn.BatchDiffers, true, false},
		"closed":                             {txn.BatchBalanced, true, false},
		"closed before it was sent":          {txn.BatchBalanced, false, false},
	} {
		b := newBook(t)
		if c.state != 0 && !c.after {
			b.carry(c.state)
		}
		counts, no := b.intent(), b.intent()
		b.outcome(counts, txn.SaidYes)
		b.outcome(no, txn.SaidNo)
		if c.after {
			b.carry(c.state)
		}
		b.filler(30)
		b.at = cutoff.Add(time.Hour)
		b.filler(30)
		_, err := retain.Purge(b.j, retain.Config{Before: cutoff})
		must(t, err)
		if b.has(counts.Key) != c.stays || b.has(no.Key) {
			t.Errorf("%s: the payment that counts is there %v, the declined one %v", name, b.has(counts.Key), b.has(no.Key))
		}
	}
}

// A payment that counted in the record of an open batch and was undone since stays:
// without its undo the totals would have it for good.
func TestWhatWasUndoneBehindItsBatchStays(t *testing.T) {
	for name, again := range map[string]bool{"no later record": false, "a later record": true} {
		b := newBook(t)
		p := b.intent()
		b.outcome(p, txn.SaidYes)
		b.carry(txn.BatchOpen)
		b.undo(p)
		b.undone(p)
		if again {
			b.carry(txn.BatchOpen)
		}
		b.filler(30)
		b.at = cutoff.Add(time.Hour)
		b.filler(30)
		_, err := retain.Purge(b.j, retain.Config{Before: cutoff})
		must(t, err)
		if b.has(p.Key) == again {
			t.Errorf("%s: in the journal %v", name, b.has(p.Key))
		}
	}
}

// Of the records of a batch the newest stays while it is open, and that of the
// batch that a terminal closed last: its next batch comes behind it.
func TestRecordsOfBatches(t *testing.T) {
	b := newBook(t)
	id := txn.BatchID{Terminal: txn.TerminalID([]byte("10000001")), Merchant: txn.MerchantID([]byte("123456789012345"))}
	for _, r := range []struct {
		batch uint32
		state txn.BatchState
	}{{1, txn.BatchOpen}, {1, txn.BatchBalanced}, {2, txn.BatchDiffers}, {2, txn.BatchBalanced}, {3, txn.BatchOpen}, {3, txn.BatchDiffers}} {
		id.Batch = r.batch
		b.add(record.MakeBatch(id, txn.Batch{State: r.state, At: b.at}))
	}
	b.filler(30)
	b.at = cutoff.Add(time.Hour)
	b.filler(30)
	_, err := retain.Purge(b.j, retain.Config{Before: cutoff})
	must(t, err)
	var left []string
	must(t, b.j.Replay(func(_ uint64, r journal.Record) error {
		if r.Kind == record.KindBatch {
			id, batch, err := record.ParseBatch(r)
			must(t, err)
			left = append(left, string(rune('0'+id.Batch))+" "+batch.State.String())
		}
		return nil
	}))
	if len(left) != 2 || left[0] != "2 balanced" || left[1] != "3 differs" {
		t.Errorf("left are %v", left)
	}
}

// Of what was uploaded stays what opened a case, and with it the record of its
// batch; else what may come again: of a batch that is not closed or was closed last.
func TestRecordsOfUploads(t *testing.T) {
	b := newBook(t)
	id := txn.BatchID{Terminal: txn.TerminalID([]byte("10000001")), Merchant: txn.MerchantID([]byte("123456789012345"))}
	agrees, disagrees := txn.Uploaded{Trace: 1, Verdict: txn.UploadAgrees}, txn.Uploaded{Trace: 2, Verdict: txn.UploadUnknown}
	for batch := uint32(1); batch <= 4; batch++ {
		id.Batch = batch
		b.add(record.MakeBatch(id, txn.Batch{State: txn.BatchDiffers, At: b.at}), record.MakeUpload(id, []txn.Uploaded{agrees}, b.at))
		if batch == 2 {
			b.add(record.MakeUpload(id, []txn.Uploaded{agrees, disagrees}, b.at))
		}
		if batch < 4 {
			b.add(record.MakeBatch(id, txn.Batch{State: txn.BatchUploaded, At: b.at}))
		}
	}
	b.filler(30)
	b.at = cutoff.Add(time.Hour)
	b.filler(30)
	_, err := retain.Purge(b.j, retain.Config{Before: cutoff})
	must(t, err)
	var left []string
	must(t, b.j.Replay(func(_ uint64, r journal.Record) error {
		if r.Kind == record.KindUpload || r.Kind == record.KindBatch {
			id, err := record.ParseBatchID(r.Key)
			must(t, err)
			left = append(left, fmt.Sprintf("%s %d", record.KindName(r.Kind), id.Batch))
		}
		return nil
	}))
	if got := strings.Join(left, ", "); got != "upload 2, batch 2, upload 3, batch 3, batch 4, upload 4" {
		t.Errorf("left are %s", got)
	}
}

// Once the cases of an upload are closed it goes with them; while one is open all of them stay, and a close
// never goes before what it closes.
func TestRecordsOfClosedUploads(t *testing.T) {
	for name, c := range map[string]struct {
		closes []uint32 // trace numbers
		late   bool     // it was closed after the border
		left   string
	}{
		"none is closed":   {nil, false, "upload 1, batch 1, batch 2"},
		"one is closed":    {[]uint32{2}, false, "upload 1, batch 1, upload_closed 1, batch 2"},
		"both are closed":  {[]uint32{2, 3}, false, "batch 2"},
		"both, afterwards": {[]uint32{2, 3}, true, "batch 2, upload_closed 1"},
	} {
		b := newBook(t)
		id := txn.BatchID{Terminal: txn.TerminalID([]byte("10000001")), Merchant: txn.MerchantID([]byte("123456789012345")), Batch: 1}
		two, three := txn.Uploaded{Trace: 2, Verdict: txn.UploadUnknown}, txn.Uploaded{Trace: 3, Minor: 5, Verdict: txn.UploadAmount}
		b.add(record.MakeBatch(id, txn.Batch{State: txn.BatchDiffers, At: b.at}), record.MakeUpload(id, []txn.Uploaded{two, three}, b.at),
			record.MakeBatch(id, txn.Batch{State: txn.BatchUploaded, At: b.at}))
		closes := func() {
			for _, trace := range c.closes {
				u := map[uint32]txn.Uploaded{2: two, 3: three}[trace]
				b.add(record.MakeUploadClosed(id, []txn.Uploaded{u}, txn.Act{By: "ann", Why: "seen", At: b.at}))
			}
		}
		next := id
		next.Batch = 2
		if !c.late {
			closes()
		}
		b.add(record.MakeBatch(next, txn.Batch{State: txn.BatchBalanced, At: b.at}))
		b.filler(30)
		b.at = cutoff.Add(time.Hour)
		if c.late {
			closes()
		}
		b.filler(30)
		_, err := retain.Purge(b.j, retain.Config{Before: cutoff})
		must(t, err)
		var left []string
		must(t, b.j.Replay(func(_ uint64, r journal.Record) error {
			switch r.Kind {
			case record.KindUpload, record.KindUploadClosed, record.KindBatch:
				id, err := record.ParseBatchID(r.Key)
				must(t, err)
				if name := fmt.Sprintf("%s %d", record.KindName(r.Kind), id.Batch); len(left) == 0 || left[len(left)-1] != name {
					left = append(left, name)
				}
			}
			return nil
		}))
		if got := strings.Join(left, ", "); got != c.left {
			t.Errorf("%s: left are %s", name, got)
		}
	}
}
