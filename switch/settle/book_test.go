// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/internal/money"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// log is a journal that remembers, and waits for gate when there is one.
type log struct {
	mu      sync.Mutex
	records []journal.Record
	gate    chan struct{}
	waiting int // appends that came to the gate
	fail    error
	after   int   // so many appends from now on it fails with later
	later   error // nil: it does not
	panics  bool
}

func (l *log) failAfter(n int, err error) { l.after, l.later = n, err }

func (l *log) Append(rs ...journal.Record) error {
	if l.panics {
		panic("a bug")
	}
	l.mu.Lock()
	gate := l.gate
	if gate != nil {
		l.waiting++
	}
	l.mu.Unlock()
	if gate != nil {
		<-gate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.later != nil {
		if l.after--; l.after < 0 {
			l.fail, l.later = l.later, nil
		}
	}
	if l.fail != nil {
		return l.fail
	}
	l.records = append(l.records, rs...)
	return nil
}

// shop is a book under an index, as node wires them.
type shop struct {
	*testing.T
	clock *fake.Clock
	log   *log
	book  *Book
	index *replay.Index
}

func newShop(t *testing.T, l *log) *shop {
	s := &shop{T: t, clock: fake.NewClock(), log: l}
	world := env.Env{Clock: s.clock, Waits: s.clock}
	s.book = New(Config{Max: 10}, world, l)
	s.index = replay.New(replay.Config{Max: 1000, Window: time.Hour}, world, l)
	s.index.Account(s.book)
	for _, r := range l.records {
		if err := errors.Join(s.index.Apply(r), s.book.Apply(r)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func id(batch uint32) txn.BatchID {
	return txn.BatchID{Terminal: txn.TerminalID([]byte("10000001")), Merchant: txn.MerchantID([]byte("123456789012345")), Batch: batch}
}

func payment(batch uint32, trace txn.STAN, minor int64) *txn.Payment {
	b := id(batch)
	return &txn.Payment{
		Key:    txn.Key{Terminal: b.Terminal, Merchant: b.Merchant, Batch: batch, Trace: trace, Class: txn.Purchase, Type: 22},
		Amount: money.Amount{Minor: money.MinorUnits(minor), Currency: money.CNY}, Link: "acq", Numbers: txn.Numbers{STAN: trace, At: fake.Epoch},
	}
}

// intend begins a payment.
func (s *shop) intend(p *txn.Payment) error {
	_, err := s.index.Change(p.Key, func(replay.View) ([]journal.Record, error) { return []journal.Record{record.Intent(p)}, nil })
	return err
}

func (s *shop) outcome(p *txn.Payment, e txn.Event) {
	s.Helper()
	_, err := s.index.Change(p.Key, func(v replay.View) ([]journal.Record, error) {
		return []journal.Record{record.MakeOutcome(v.Payment, record.Outcome{Event: e})}, nil
	})
	if err != nil {
		s.Fatal(err)
	}
}

func (s *shop) undo(p *txn.Payment) {
	s.Helper()
	_, err := s.index.Change(p.Key, func(v replay.View) ([]journal.Record, error) {
		return []journal.Record{record.MakeUndo(p.Key, record.Undo{Event: txn.UndoAsked, Numbers: txn.Numbers{STAN: 9, At: fake.Epoch}})}, nil
	})
	if err != nil {
		s.Fatal(err)
	}
}

func (s *shop) pay(p *txn.Payment) {
	s.Helper()
	if err := s.intend(p); err != nil {
		s.Fatal(err)
	}
	s.outcome(p, txn.SaidYes)
	s.index.Move(p.Key, txn.Written)
}

// closing closes a batch in the background; the result comes on the channel.
func (s *shop) closing(batch uint32, theirs txn.Totals, within time.Duration) chan txn.Settlement {
	out := make(chan txn.Settlement, 1)
	go func() {
		got, err := s.book.Close(id(batch), theirs, s.clock.Mono().Add(within))
		if err != nil {
			s.Error(err)
		}
		out <- got
	}()
	return out
}

func debits(n uint32, minor int64) txn.Totals {
	return txn.Totals{Debits: n, DebitMinor: money.MinorUnits(minor)}
}

// The close waits for a payment on its way, through every stage of it, and lets
// none begin meanwhile.
func TestCloseWaitsForWhatIsOnItsWay(t *testing.T) {
	s := newShop(t, &log{})
	p := payment(1, 1, 100)
	if err := s.intend(p); err != nil {
		t.Fatal(err)
	}
	told := s.closing(1, debits(1, 100), time.Second)
	s.clock.AwaitWaiters(1)
	if err := s.intend(payment(1, 2, 100)); !errors.Is(err, txn.DeclineBatchClosed) {
		t.Errorf("began while the batch is being closed: %v", err)
	}
	if err := s.book.Admit(payment(1, 2, 1).Key); !errors.Is(err, txn.DeclineBatchClosed) {
		t.Errorf("admitted while the batch is being closed: %v", err)
	}
	s.outcome(p, txn.SaidYes)
	select {
	case <-told:
		t.Fatal("closed before the delivery is known")
	case <-time.After(10 * time.Millisecond): // it has been woken and waits again
	}
	s.index.Move(p.Key, txn.Written)
	if got := <-told; !got.Balanced || got.Ours != debits(1, 100) {
		t.Errorf("told %+v", got)
	}
}

// A second close of the same batch waits for the first and is told the same.
func TestTwoClosesAtOnce(t *testing.T) {
	s := newShop(t, &log{})
	p := payment(1, 1, 100)
	if err := s.intend(p); err != nil {
		t.Fatal(err)
	}
	first, second := s.closing(1, debits(0, 0), time.Second), s.closing(1, debits(0, 0), time.Second)
	s.clock.AwaitWaiters(2)
	s.outcome(p, txn.SaidNo)
	if a, b := <-first, <-second; a != b || !a.Balanced {
		t.Errorf("told %+v and %+v", a, b)
	}
	if n := len(s.log.records); n != 3 {
		t.Errorf("%d records", n)
	}
}

// A change that comes while the record of the batch is on its way to the disk
// waits for it: the journal has the same order as the totals.
func TestReversalBesideTheRecord(t *testing.T) {
	s := newShop(t, &log{})
	p := payment(1, 1, 100)
	s.pay(p)
	gate := make(chan struct{})
	s.log.mu.Lock()
	s.log.gate = gate
	s.log.mu.Unlock()
	told := s.closing(1, debits(1, 100), time.Second)
	s.sealing(1)
	done := make(chan bool)
	go func() { s.undo(p); done <- true }()
	gate <- struct{}{} // the batch's record
	if got := <-told; !got.Balanced {
		t.Errorf("told %+v", got)
	}
	gate <- struct{}{} // the reversal's
	<-done
	if last := s.log.records[len(s.log.records)-1]; last.Kind != record.KindUndo {
		t.Errorf("the last record is %s", record.KindName(last.Kind))
	}
	if got := <-s.closing(1, debits(1, 100), 0); !got.Balanced || got.Ours != debits(1, 100) {
		t.Errorf("told again %+v", got)
	}
}

// A record whose append failed may be durable: no payment begins behind it, and
// the close can be asked for again. A full journal refuses and leaves all as it was.
func TestRecordThatFailed(t *testing.T) {
	s := newShop(t, &log{})
	s.pay(payment(1, 1, 100))
	s.log.fail = journal.ErrFull
	if _, err := s.book.Close(id(1), debits(1, 100), 0); !errors.Is(err, journal.ErrFull) {
		t.Errorf("full: %v", err)
	}
	s.log.fail = nil
	s.pay(payment(1, 2, 50))
	s.log.fail = journal.ErrUnknown
	if _, err := s.book.Close(id(1), debits(2, 150), 0); !errors.Is(err, journal.ErrUnknown) {
		t.Errorf("unknown: %v", err)
	}
	s.log.fail = nil
	if err := s.intend(payment(1, 3, 1)); !errors.Is(err, txn.DeclineBatchClosed) {
		t.Errorf("a payment behind a record that may be durable: %v", err)
	}
	if got := <-s.closing(1, debits(2, 150), 0); !got.Balanced {
		t.Errorf("asked again %+v", got)
	}
}

// A terminal goes on with its own batch while that is open, and else with the one
// after those it closed; the numbers start again behind the last.
func TestNextBatch(t *testing.T) {
	s := newShop(t, &log{})
	shut := func(batch uint32) {
		if got := <-s.closing(batch, txn.Totals{}, 0); !got.Balanced {
			t.Fatalf("%+v", got)
		}
	}
	for _, c := range []struct{ asked, next uint32 }{{1, 1}, {7, 7}} {
		if got := s.book.Current(id(c.asked)); got != c.next {
			t.Errorf("in %d goes on with %d, want %d", c.asked, got, c.next)
		}
	}
	shut(1)
	shut(2)
	if got := s.book.Current(id(1)); got != 3 { // a terminal that was set back
		t.Errorf("set back to 1 goes on with %d", got)
	}
	shut(lastBatch)
	if got := s.book.Current(id(lastBatch)); got != 3 {
		t.Errorf("behind the last goes on with %d", got)
	}
	if got := <-s.closing(204, debits(1, 5), 0); got.Balanced {
		t.Fatalf("%+v", got)
	}
	if got := s.book.Current(id(204)); got != 205 {
		t.Errorf("in a batch whose totals differ, while the one closed last is %d, goes on with %d", lastBatch, got)
	}
	shut(3)
	shut(204)
	shut(4) // its upload took long
	if got := s.book.Current(id(204)); got != 205 {
		t.Errorf("behind 204 goes on with %d", got)
	}
	other := id(1)
	other.Terminal[7] = '2'
	if got := s.book.Current(other); got != 1 {
		t.Errorf("another terminal goes on with %d", got)
	}
}

// What is remembered is bounded: batches that are open by the configuration, the
// closed ones of a terminal by number.
func TestBounds(t *testing.T) {
	s := newShop(t, &log{})
	for batch := uint32(1); batch <= closedMax+5; batch++ {
		s.book.cfg.Max = 1000
		<-s.closing(batch, txn.Totals{}, 0)
	}
	if n := len(s.book.batches); n != closedMax {
		t.Errorf("%d closed batches are remembered", n)
	}
	s.book.cfg.Max = closedMax + 1
	s.pay(payment(5000, 1, 1))
	if err := s.intend(payment(5001, 1, 1)); !errors.Is(err, txn.DeclineBatches) {
		t.Errorf("one batch too many: %v", err)
	}
	if _, err := s.book.Close(id(5001), txn.Totals{}, 0); !errors.Is(err, txn.DeclineBatches) {
		t.Errorf("closing one batch too many: %v", err)
	}
	s.pay(payment(5000, 2, 1))
}

// Whatever happens to payments, the running totals are those of the payments in
// force, and those that a restart finds; nothing is left behind by what is not.
func TestTotalsAreThoseOfTheStates(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := newShop(t, &log{})
		var all []*txn.Payment
		for i := range 30 {
			p := payment(uint32(1+r.IntN(3)), txn.STAN(i+1), int64(1+r.IntN(999)))
			if s.intend(p) != nil {
				continue // its batch is closed
			}
			all = append(all, p)
			switch r.IntN(5) {
			case 0:
				s.outcome(p, txn.SaidNo)
			case 1:
				s.undo(p)
			case 2:
				s.outcome(p, txn.SaidYes)
				s.index.Move(p.Key, txn.Written)
				if r.IntN(2) == 0 {
					s.undo(p)
				}
			default:
				s.outcome(p, txn.SaidYes)
				s.index.Move(p.Key, txn.MaybeWritten)
			}
			switch r.IntN(12) {
			case 0:
				if err := s.book.Carry(); err != nil {
					t.Fatal(err)
				}
			case 1:
				if _, err := s.book.Close(id(uint32(1+r.IntN(3))), debits(1, 1), 0); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := map[uint32]txn.Totals{}
		for _, p := range all {
			now, _ := s.index.Find(p.Key)
			sum := want[p.Key.Batch]
			sum.Add(now.Share())
			want[p.Key.Batch] = sum
		}
		standing := func(b *Book) string {
			out := ""
			b.Each(func(id txn.BatchID, is txn.Batch) {
				if is.Now != want[id.Batch] {
					t.Errorf("seed %d: batch %d comes to %+v, its payments to %+v", seed, id.Batch, is.Now, want[id.Batch])
				}
				out += fmt.Sprintf("%d %s %+v %+v; ", id.Batch, is.State, is.Now, is.Told)
			})
			return out
		}
		if running, again := standing(s.book), standing(newShop(t, s.log).book); running != again {
			t.Errorf("seed %d: the process has %s, its journal %s", seed, running, again)
		}
	}
}

// await waits for what the book comes to.
func (s *shop) await(ok func() bool) {
	for there := false; !there; runtime.Gosched() {
		s.book.mu.Lock()
		there = ok()
		s.book.mu.Unlock()
	}
}

// A change of several records, as a withdrawal and a stand-in are, enters its batch
// once: who seals the batch waits for it, so it must not wait for the seal.
func TestOneChangeIsNotCutInTwo(t *testing.T) {
	l := &log{}
	s := newShop(t, l)
	p, other := payment(1, 1, 100), payment(2, 1, 100)
	s.pay(p)
	s.pay(other)
	if got := <-s.closing(1, debits(1, 99), time.Second); got.Balanced {
		t.Fatal("balanced")
	}
	l.mu.Lock()
	l.gate = make(chan struct{})
	l.mu.Unlock()
	second := s.closing(2, debits(1, 100), time.Second)
	s.await(func() bool { return s.book.batches[id(2)].sealing }) // it stands before the gate
	rs := []journal.Record{
		record.MakeUndo(p.Key, record.Undo{Event: txn.UndoAsked}),
		record.MakeUndo(other.Key, record.Undo{Event: txn.UndoAsked}),
		record.MakeUndone(p, record.Undone{Event: txn.NotSent}),
	}
	entered := make(chan error, 1)
	go func() { entered <- s.book.Enter(rs) }() // into the first batch, and waits for the second
	s.await(func() bool { return s.book.batches[id(1)].changing == 1 })
	first := s.closing(1, debits(1, 100), time.Second)
	s.await(func() bool { return s.book.batches[id(1)].sealing }) // it waits for the change
	close(l.gate)
	if err := <-entered; err != nil {
		t.Fatal(err)
	}
	s.book.Leave(rs)
	if one, two := <-first, <-second; !one.Balanced || !two.Balanced {
		t.Errorf("told %+v and %+v", one, two)
	}
}

// An advice begins a payment as an intent does: none comes into a batch whose
// totals are being told. The advice of a stand-in does not: its purchase has begun; nor
// does the result of a script, which moves nothing.
func TestAdvicesBeginToo(t *testing.T) {
	s := newShop(t, &log{})
	p := payment(1, 1, 100)
	s.pay(p)
	if got := <-s.closing(1, debits(1, 100), time.Second); !got.Balanced {
		t.Fatalf("told %+v", got)
	}
	for _, c := range txn.Classes() {
		if c.Ending() != txn.EndAdvise {
			continue
		}
		a := payment(1, 2, 100)
		a.Key.Class = c
		_, err := s.index.Change(a.Key, func(replay.View) ([]journal.Record, error) { return []journal.Record{record.Advice(a)}, nil })
		if refused := errors.Is(err, txn.DeclineBatchClosed); refused != (c != txn.StandIn && c != txn.ScriptResult) {
			t.Errorf("%s in a closed batch: %v", c, err)
		}
	}
	if got := <-s.closing(1, debits(1, 100), time.Second); !got.Balanced {
		t.Errorf("told %+v", got)
	}
}
