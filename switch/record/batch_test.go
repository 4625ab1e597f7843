// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"testing"
	"time"

	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// batches are records of how a batch stands, in each of its states.
func batches() []journal.Record {
	id := full().Key.BatchID()
	at := time.Date(2026, 11, 29, 1, 2, 9, 7, time.UTC)
	now := txn.Totals{Debits: 12, DebitMinor: 345678, Credits: 3, CreditMinor: 999}
	theirs := txn.Totals{Debits: 13, DebitMinor: 345679, Credits: 2, CreditMinor: 1000}
	return []journal.Record{
		MakeBatch(id, txn.Batch{State: txn.BatchOpen, Now: now, At: at}),
		MakeBatch(id, txn.Batch{State: txn.BatchDiffers, Now: now, Told: now, Theirs: theirs, At: at}),
		MakeBatch(id, txn.Batch{State: txn.BatchBalanced, Now: now, Told: now, Theirs: now, At: at}),
	}
}

func TestBatchGolden(t *testing.T) { golden(t, "testdata/v2_batch.txt", batches()) }

// A batch is read as it was written, and its key begins the keys of its payments.
func TestBatch(t *testing.T) {
	want := txn.Totals{Debits: 12, DebitMinor: 345678, Credits: 3, CreditMinor: 999}
	for i, state := range []txn.BatchState{txn.BatchOpen, txn.BatchDiffers, txn.BatchBalanced} {
		r := batches()[i]
		id, b, err := ParseBatch(r)
		if err != nil || id != full().Key.BatchID() || b.State != state || b.Now != want || (b.Told == want) != (i > 0) || b.At.IsZero() {
			t.Errorf("%s: %+v, %v", state, b, err)
		}
		if key := AppendKey(nil, full().Key); string(key[:batchSize]) != string(r.Key) {
			t.Error("a payment's key does not begin with its batch")
		}
	}
	for _, bad := range []journal.Record{
		{Key: []byte("short"), Body: batches()[0].Body},
		{Key: batches()[0].Key, Body: []byte{version}},
		{Key: batches()[0].Key, Body: []byte{version2, tagBatch, 1, 99}},
		{Key: batches()[0].Key, Body: []byte{version2, tagBatch, 1, 1, tagNow, 1, 1}},
	} {
		if _, _, err := ParseBatch(bad); !errors.Is(err, ErrForm) {
			t.Errorf("%x %x: %v", bad.Key, bad.Body, err)
		}
	}
}
