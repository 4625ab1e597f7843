// SPDX-License-Identifier: Apache-2.0

package node

import (
	"path/filepath"
	"testing"
	"time"

	"tapswitch/internal/money"
	"tapswitch/switch/config"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// oldPayments writes n payments of two days ago into a journal; the first is
// left without an outcome.
func oldPayments(t *testing.T, r *rig, n int) {
	t.Helper()
	n0 := &Node{cfg: r.cfg, world: r.world}
	if err := n0.openJournal(); err != nil {
		t.Fatal(err)
	}
	j := n0.journal
	at := time.Now().Add(-48 * time.Hour)
	for i := range n {
		p := &txn.Payment{
			Key:    txn.Key{Terminal: txn.TerminalID([]byte("10000001")), Merchant: txn.MerchantID([]byte(merchant)), Batch: 77, Trace: txn.STAN(i + 1), Class: txn.Purchase, Type: 22},
			Masked: "622424******0069", Amount: money.Amount{Minor: 100, Currency: money.CNY}, Link: "acq-a",
			Numbers: txn.Numbers{STAN: txn.STAN(i + 1), At: at, RRN: txn.RRN([]byte("606012345678"))},
		}
		r := record.Intent(p)
		p.Reserved, p.State = r.Reserve, txn.Intended
		records := []journal.Record{r}
		if i > 0 {
			records = append(records, record.MakeOutcome(p, record.Outcome{Event: txn.SaidNo, Answer: txn.Answer{Code: txn.CodeMalfunction, At: at}}))
		}
		if err := j.Append(records...); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestPurgeWhileRunning: what is old and over leaves the journal of a switch at
// work, what is not stays, and the next start finds what it needs.
func TestPurgeWhileRunning(t *testing.T) {
	r := newRig(t, func(c *config.Config) {
		c.Journal.SegmentBytes, c.Journal.Retention = 64<<10, 1
	})
	r.stop()
	r.cfg.Journal.Dir = filepath.Join(t.TempDir(), "old")
	oldPayments(t, r, 400)
	r.start()
	before := r.node.segments.Stats()
	r.node.purge()
	after := r.node.segments.Stats()
	if after.Segments >= before.Segments || after.Bytes >= before.Bytes {
		t.Fatalf("before the purge %+v, after it %+v", before, after)
	}
	leftOpen(t, r)
}

// leftOpen restarts the switch: the payment without an outcome is being reversed, and
// those that were over are not there.
func leftOpen(t *testing.T, r *rig) {
	t.Helper()
	reversing := txn.Key{Terminal: txn.TerminalID([]byte("10000001")), Merchant: txn.MerchantID([]byte(merchant)), Batch: 77, Trace: 1, Class: txn.Purchase, Type: 22}
	r.stop()
	r.start()
	p, ok := r.node.index.Find(reversing)
	if !ok || p.State != txn.Reversing && p.State != txn.Unmatched && p.State != txn.Reversed {
		t.Errorf("the payment without an outcome: %v, %s", ok, p.State)
	}
	if n := r.node.index.Len(); n > 200 { // those of the segment that is still written
		t.Errorf("%d payments are still in the journal", n)
	}
}
