// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"sync"
	"sync/atomic"
	"testing"

	"tapswitch/internal/money"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// offline makes a sale durable as flow does, and says by which limit it is over.
func (s *shop) offline(trace int, minor money.MinorUnits, l txn.OfflineLimits) txn.Reason {
	s.Helper()
	b := id(1)
	p := &txn.Payment{
		Key:    txn.Key{Terminal: b.Terminal, Merchant: b.Merchant, Batch: b.Batch, Trace: txn.STAN(trace), Class: txn.OfflineSale, Type: 30},
		Amount: money.Amount{Minor: minor, Currency: money.CNY}, Answer: txn.Answer{Code: txn.CodeApproved},
		Numbers: txn.Numbers{STAN: txn.STAN(trace), At: s.clock.Now()},
	}
	over, done := s.book.Offline(p.Key, minor, l)
	defer done()
	if _, err := s.index.Change(p.Key, func(replay.View) ([]journal.Record, error) { return []journal.Record{record.Advice(p)}, nil }); err != nil {
		s.Error(err)
	}
	return over
}

// Sales at once cannot pass a limit together, and one that is durable is not counted twice while its
// call ends: of sales of 70 exactly 14 fit into 1000, whatever their order. A restart finds the same.
func TestOfflineSalesAtOnce(t *testing.T) {
	s := newShop(t, &log{})
	l := txn.OfflineLimits{Count: 20, Sum: 1000}
	var within atomic.Int64
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			if s.offline(i+1, 70, l) == "" {
				within.Add(1)
			}
		})
	}
	all.Wait()
	if within.Load() != 14 {
		t.Errorf("%d sales within the limits", within.Load())
	}
	for _, shop := range []*shop{s, newShop(t, s.log)} {
		if u := shop.book.batches[id(1)].Offline; u != (txn.OfflineUse{Count: 40, Minor: 2800}) {
			t.Errorf("%+v", u)
		}
		if n := len(shop.book.batches[id(1)].taking); n != 0 {
			t.Errorf("%d sales are still being taken", n)
		}
	}
}

// What could not be stored takes nothing off, and a batch that it would have begun is forgotten.
func TestOfflineSaleThatFailed(t *testing.T) {
	s := newShop(t, &log{})
	k := txn.Key{Terminal: id(1).Terminal, Merchant: id(1).Merchant, Batch: 1, Trace: 1, Class: txn.OfflineSale}
	for range 3 {
		over, done := s.book.Offline(k, 100, txn.OfflineLimits{Count: 1, Sum: 100})
		done()
		if over != "" {
			t.Error(over)
		}
	}
	if len(s.book.batches) != 0 {
		t.Errorf("%d batches", len(s.book.batches))
	}
	over, done := s.book.Offline(k, 101, txn.OfflineLimits{Count: 1, Sum: 100})
	defer done()
	other := k
	other.Trace = 2
	again, otherDone := s.book.Offline(other, 1, txn.OfflineLimits{Count: 1})
	defer otherDone()
	if over != txn.OfflineSum || again != txn.OfflineCount {
		t.Errorf("%q, %q while another is being taken", over, again)
	}
}
