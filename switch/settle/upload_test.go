// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"errors"
	"testing"
	"time"

	"tapswitch/internal/money"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

func item(trace txn.STAN, minor int64) txn.Uploaded {
	return txn.Uploaded{Trace: trace, Minor: money.MinorUnits(minor), Token: [16]byte{9}, Masked: "622424******0069"}
}

// judging holds items against the index, as the flow does.
func (s *shop) judging(items []txn.Uploaded) {
	payments := s.index.OfBatch(id(1))
	for i := range items {
		items[i].Verdict = items[i].Judge(payments)
	}
}

func (s *shop) upload(items ...txn.Uploaded) int {
	s.Helper()
	cases, err := s.book.Upload(id(1), items, s.judging)
	if err != nil {
		s.Fatal(err)
	}
	return cases
}

func (s *shop) end(count uint32) (int, error) {
	return s.book.End(id(1), count, func() (items []txn.Uploaded, sum txn.Totals) {
		for _, p := range s.index.OfBatch(id(1)) {
			if share := p.Share(); share.Side != txn.OnNeither {
				sum.Add(share)
				items = append(items, txn.Uploaded{Trace: p.Key.Trace, Minor: p.Amount.Minor, Token: p.Token})
			}
		}
		return items, sum
	})
}

// differing is a shop whose batch has some payments of 100, and other totals.
func differing(t *testing.T, payments int) *shop {
	s := newShop(t, &log{})
	for trace := range payments {
		p := payment(1, txn.STAN(trace+1), 100)
		p.Token = [16]byte{9}
		s.pay(p)
	}
	<-s.closing(1, debits(999, 1), 0)
	return s
}

// An item is looked at once, however often and in whatever message it comes; the
// same payment said otherwise is another item.
func TestItemsOnce(t *testing.T) {
	s := differing(t, 3)
	for _, c := range []struct {
		items   []txn.Uploaded
		cases   int
		records int
	}{
		{[]txn.Uploaded{item(1, 100), item(1, 100), item(2, 100)}, 0, 1},
		{[]txn.Uploaded{item(2, 100), item(1, 100)}, 0, 0},
		{[]txn.Uploaded{item(1, 200), item(1, 100)}, 1, 1},
		{[]txn.Uploaded{item(1, 200)}, 0, 0},
	} {
		before := len(s.log.records)
		if got := s.upload(c.items...); got != c.cases || len(s.log.records)-before != c.records {
			t.Errorf("%d cases by %d records, want %+v", got, len(s.log.records)-before, c)
		}
	}
	if n, err := s.end(3); n != 1 || err != nil || s.book.Cases() != 2 { // payment 3 is missing; three items came
		t.Errorf("the end opened %d cases, %v; %d in all", n, err, s.book.Cases())
	}
	if n, err := s.end(3); n != 0 || err != nil {
		t.Errorf("the end again: %d %v", n, err)
	}
	again := newShop(t, s.log)
	if again.book.Cases() != 2 || again.upload(item(1, 200)) != 0 {
		t.Errorf("after a restart: %d cases", again.book.Cases())
	}
}

// A reversal that comes while an upload is made durable waits for it; one before it
// is seen by it.
func TestUploadBesideAReversal(t *testing.T) {
	s := differing(t, 2)
	gate := make(chan struct{})
	s.log.mu.Lock()
	s.log.gate = gate
	s.log.mu.Unlock()
	told := make(chan int)
	go func() {
		n, err := s.book.Upload(id(1), []txn.Uploaded{item(1, 100)}, s.judging)
		if err != nil {
			t.Error(err)
		}
		told <- n
	}()
	s.sealing(1)
	p := payment(1, 1, 100)
	done := make(chan bool)
	go func() { s.undo(p); done <- true }()
	gate <- struct{}{}
	if n := <-told; n != 0 {
		t.Errorf("%d cases", n)
	}
	gate <- struct{}{}
	<-done
	close(gate)
	if last := s.log.records[len(s.log.records)-1]; last.Kind != record.KindUndo {
		t.Errorf("the last record is %s", record.KindName(last.Kind))
	}
	if n, err := s.end(1); n != 1 || err != nil { // payment 2 is missing, payment 1 is not in force
		t.Errorf("the end opened %d cases, %v", n, err)
	}
}

// sealing waits until the record of a batch is being made durable.
func (s *shop) sealing(batch uint32) {
	for {
		s.book.mu.Lock()
		sealing := s.book.batches[id(batch)].sealing
		s.book.mu.Unlock()
		if sealing {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// The totals of an open batch are being made durable for a purge when the batch is
// closed: the close comes behind them, and stays.
func TestCloseBesideCarry(t *testing.T) {
	s := newShop(t, &log{})
	s.pay(payment(1, 1, 100))
	gate := make(chan struct{})
	s.log.mu.Lock()
	s.log.gate = gate
	s.log.mu.Unlock()
	carried := make(chan error)
	go func() { carried <- s.book.Carry() }()
	for held := false; !held; time.Sleep(time.Millisecond) {
		s.log.mu.Lock()
		if held = s.log.waiting == 1; held {
			s.log.gate = nil // for others
		}
		s.log.mu.Unlock()
	}
	told := s.closing(1, debits(1, 100), time.Second)
	time.Sleep(10 * time.Millisecond) // it waits for the record, or does not
	gate <- struct{}{}
	if err := <-carried; err != nil {
		t.Fatal(err)
	}
	if got := <-told; !got.Balanced {
		t.Errorf("told %+v", got)
	}
	_, last, err := record.ParseBatch(s.log.records[len(s.log.records)-1])
	if err != nil || last.State != txn.BatchBalanced {
		t.Errorf("the last record says %s, %v", last.State, err)
	}
	if err := s.book.Admit(payment(1, 2, 1).Key); !errors.Is(err, txn.DeclineBatchClosed) {
		t.Errorf("a payment behind the close: %v", err)
	}
}

// More items than a batch can have are refused by name; many missing ones fit the
// journal, and a failure among them leaves the batch to be ended again.
func TestUploadBounds(t *testing.T) {
	s := differing(t, 250)
	many := make([]txn.Uploaded, 0, uploadMax)
	for i := range uploadMax {
		many = append(many, item(txn.STAN(1000+i), 1))
	}
	if n := s.upload(many...); n != uploadMax {
		t.Errorf("%d cases", n)
	}
	if _, err := s.book.Upload(id(1), []txn.Uploaded{item(1, 100)}, s.judging); !errors.Is(err, txn.DeclineUploadLong) {
		t.Errorf("one more: %v", err)
	}
	for _, r := range s.log.records {
		if err := r.Check(); err != nil {
			t.Error(err)
		}
	}
	s.log.fail = journal.ErrFull
	if _, err := s.end(9999); !errors.Is(err, journal.ErrFull) {
		t.Errorf("full: %v", err)
	}
	s.log.fail = nil
	if n, err := s.end(9999); n != 250 || err != nil {
		t.Errorf("%d cases, %v", n, err)
	}
}

// An advice begins as a payment does: none comes into a batch that is being closed,
// and a key's second life counts beside its first.
func TestAdvicesBegin(t *testing.T) {
	s := newShop(t, &log{})
	p := payment(1, 1, 100)
	p.Key.Class = txn.OfflineSale
	advise := func() error {
		_, err := s.index.Change(p.Key, func(replay.View) ([]journal.Record, error) { return []journal.Record{record.Advice(p)}, nil })
		return err
	}
	if err := advise(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.index.Change(p.Key, func(v replay.View) ([]journal.Record, error) {
		return []journal.Record{record.MakeAdvised(v.Payment, record.Advised{Code: txn.CodeApproved})}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.index.Apply(record.Advice(p)); err != nil {
		t.Fatal(err)
	}
	if got := <-s.closing(1, debits(2, 200), 0); !got.Balanced {
		t.Errorf("told %+v", got)
	}
	p.Key.Trace = 2
	if err := advise(); !errors.Is(err, txn.DeclineBatchClosed) {
		t.Errorf("an advice behind the close: %v", err)
	}
	p.Key.Class = txn.StandIn // of a payment that began before
	if err := advise(); err != nil {
		t.Errorf("a stand-in's advice behind the close: %v", err)
	}
}

// A panic of the journal, while the book's lock is let go, comes through as itself.
func TestPanicOfTheJournal(t *testing.T) {
	for name, call := range map[string]func(*shop){
		"upload": func(s *shop) { s.upload(item(1, 100)) },
		"end":    func(s *shop) { _, _ = s.end(1) },
		"close":  func(s *shop) { _, _ = s.book.Close(id(1), debits(2, 200), 0) },
	} {
		s := differing(t, 2)
		s.log.panics = true
		func() {
			defer func() {
				if got := recover(); got != "a bug" {
					t.Errorf("%s: %v", name, got)
				}
			}()
			call(s)
		}()
	}
}
