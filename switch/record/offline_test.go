// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"testing"
	"time"

	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// withOffline is a record of a batch that has offline sales.
func withOffline() journal.Record {
	now := txn.Totals{Debits: 12, DebitMinor: 345678, Credits: 3, CreditMinor: 999}
	return MakeBatch(full().Key.BatchID(), txn.Batch{State: txn.BatchOpen, Now: now, At: time.Date(2026, 11, 29, 1, 2, 9, 7, time.UTC), Offline: txn.OfflineUse{Count: 5, Minor: 123456}})
}

// What the offline sales of a batch come to is read as it was written; a batch without any has the
// record that it always had.
func TestOfflineOfBatch(t *testing.T) {
	golden(t, "testdata/v2_batch_offline.txt", []journal.Record{withOffline()})
	_, b, err := ParseBatch(withOffline())
	if err != nil || b.Offline != (txn.OfflineUse{Count: 5, Minor: 123456}) {
		t.Errorf("%+v, %v", b, err)
	}
	if _, b, err := ParseBatch(batches()[0]); err != nil || b.Offline != (txn.OfflineUse{}) {
		t.Errorf("%+v, %v", b, err)
	}
	bad := batches()[0]
	bad.Body = append(append([]byte(nil), bad.Body...), tagOffline, 2, 0, 1)
	if _, _, err := ParseBatch(bad); !errors.Is(err, ErrForm) {
		t.Errorf("a short field: %v", err)
	}
}
