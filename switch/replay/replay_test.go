// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"errors"
	"sync"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// log is a journal that remembers, and waits for gate when there is one.
type log struct {
	mu      sync.Mutex
	records []journal.Record
	gate    chan struct{}
	fail    error
}

func (l *log) Append(rs ...journal.Record) error {
	if l.gate != nil {
		<-l.gate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	l.records = append(l.records, rs...)
	return nil
}

func newIndex(max int) (*Index, *log, *fake.Clock) {
	clock := fake.NewClock()
	l := &log{}
	return New(Config{Max: max, Window: time.Hour}, env.Env{Clock: clock, Waits: clock}, l), l, clock
}

func newPayment(trace txn.STAN) *txn.Payment {
	return &txn.Payment{Key: txn.Key{Trace: trace, Class: txn.Purchase}, Link: "acq", Numbers: txn.Numbers{STAN: trace, At: fake.Epoch}}
}

func intend(t *testing.T, x *Index, p *txn.Payment) {
	t.Helper()
	if old, err := x.Claim(p, 0); old != nil || err != nil {
		t.Fatalf("claim: %v %v", old, err)
	}
	if _, err := x.Change(p.Key, func(View) ([]journal.Record, error) { return []journal.Record{record.Intent(p)}, nil }); err != nil {
		t.Fatal(err)
	}
}

func settle(t *testing.T, x *Index, k txn.Key, e txn.Event, code txn.Code) {
	t.Helper()
	_, err := x.Change(k, func(v View) ([]journal.Record, error) {
		return []journal.Record{record.MakeOutcome(v.Payment, record.Outcome{Event: e, Answer: txn.Answer{Code: code}})}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRepeatWaitsForItsOriginal(t *testing.T) {
	x, _, clock := newIndex(10)
	p := newPayment(1)
	intend(t, x, p)
	got := make(chan *txn.Answer)
	go func() {
		a, err := x.Claim(newPayment(1), clock.Mono().Add(time.Second))
		if err != nil {
			t.Error(err)
		}
		got <- a
	}()
	clock.AwaitWaiters(1)
	settle(t, x, p.Key, txn.SaidYes, txn.CodeApproved)
	x.Finish(p.Key)
	x.Move(p.Key, txn.Written)
	if a := <-got; a == nil || !a.Approved() || !a.Repeat {
		t.Errorf("repeat got %+v", a)
	}
}

// The wall clock may be set at any moment: what was said stays said for the window, and
// is forgotten after it.
func TestSetClockForgetsNothing(t *testing.T) {
	for name, step := range map[string]time.Duration{"forward": 24 * time.Hour, "back": -24 * time.Hour} {
		x, _, clock := newIndex(10)
		p := newPayment(1)
		p.Numbers.At = clock.Now()
		intend(t, x, p)
		settle(t, x, p.Key, txn.SaidNo, txn.Code{'5', '1'})
		x.Finish(p.Key)
		refused := newPayment(2)
		if _, err := x.Claim(refused, 0); err != nil {
			t.Fatal(err)
		}
		x.Refused(refused, txn.Answer{Code: txn.CodeWrongPIN})
		x.Finish(refused.Key)
		clock.StepWall(step)
		for _, p := range []*txn.Payment{p, refused} {
			if a, err := x.Claim(p, 0); err != nil || a == nil || !a.Repeat {
				t.Errorf("%s: trace %d: %+v, %v", name, p.Key.Trace, a, err)
			}
		}
		clock.Advance(2 * time.Hour)
		x.Forget()
		if x.Len() != 0 {
			t.Errorf("%s: %d are remembered behind their window", name, x.Len())
		}
	}
}

func TestRepeatGivesUpAtItsDeadline(t *testing.T) {
	x, _, clock := newIndex(10)
	intend(t, x, newPayment(1))
	got := make(chan error)
	go func() {
		_, err := x.Claim(newPayment(1), clock.Mono().Add(time.Second))
		got <- err
	}()
	clock.AwaitWaiters(1)
	clock.Advance(time.Second)
	if err := <-got; !errors.Is(err, txn.DeclineInFlight) {
		t.Errorf("got %v", err)
	}
}

// A claim that left nothing behind is forgotten: its repeat is judged anew.
func TestRefusedClaimIsForgotten(t *testing.T) {
	x, _, _ := newIndex(10)
	p := newPayment(1)
	for range 3 {
		if old, err := x.Claim(p, 0); old != nil || err != nil {
			t.Fatalf("%v %v", old, err)
		}
		x.Finish(p.Key)
	}
	if x.Len() != 0 {
		t.Errorf("%d entries left", x.Len())
	}
}

func TestFullIndexRefusesAndForgetsOnlyWhatIsOld(t *testing.T) {
	x, _, clock := newIndex(2)
	for trace := range txn.STAN(2) {
		p := newPayment(trace + 1)
		intend(t, x, p)
		settle(t, x, p.Key, txn.SaidNo, txn.Code{'5', '1'})
		x.Finish(p.Key)
	}
	if _, err := x.Claim(newPayment(3), 0); !errors.Is(err, txn.DeclineOverload) {
		t.Errorf("full: %v", err)
	}
	clock.Advance(2 * time.Hour)
	if _, err := x.Claim(newPayment(3), 0); err != nil {
		t.Errorf("after the window: %v", err)
	}
	if _, ok := x.FindSent(NewLinkKey("acq", newPayment(1).Numbers)); ok {
		t.Error("a forgotten payment is still found by its link key")
	}
}

// A payment with an open case is never forgotten, counted, and told as undone. When
// the case is closed it is forgotten like any other.
func TestCaseIsNeverForgotten(t *testing.T) {
	x, _, clock := newIndex(10)
	p := newPayment(1)
	intend(t, x, p)
	settle(t, x, p.Key, txn.SaidYes, txn.CodeApproved)
	x.Finish(p.Key)
	if _, err := x.Change(p.Key, func(v View) ([]journal.Record, error) {
		return []journal.Record{
			record.MakeUndo(p.Key, record.Undo{Event: txn.UndoAsked, Reason: txn.DeclineUndone.Reason, Numbers: SpareNumbers(v.Payment)}),
			record.MakeCase(v.Payment, txn.Case{Why: txn.CaseRefused, Code: txn.CodeFormat, At: clock.Now()}),
		}, nil
	}); err != nil {
		t.Fatal(err)
	}
	x.Move(p.Key, txn.Written) // told late
	clock.Advance(1000 * time.Hour)
	x.Forget()
	if q, ok := x.Find(p.Key); !ok || q.State != txn.Disputed || q.Case.Code != txn.CodeFormat || x.Cases() != 1 {
		t.Errorf("%v %s %+v, %d open", ok, q.State, q.Case, x.Cases())
	}
	if _, err := x.Claim(newPayment(1), 0); !errors.Is(err, txn.DeclineWasReversed) {
		t.Errorf("a repeat: %v", err)
	}
	if _, err := x.Change(p.Key, func(v View) ([]journal.Record, error) {
		return []journal.Record{record.MakeAct(v.Payment, txn.Act{What: txn.FoundStands, By: "ann", Why: "asked", At: clock.Now()})}, nil
	}); err != nil {
		t.Fatal(err)
	}
	x.Move(p.Key, txn.Written) // told later still
	if q, _ := x.Find(p.Key); q.State != txn.Upheld || x.Cases() != 0 {
		t.Errorf("%s, %d open", q.State, x.Cases())
	}
	x.Forget()
	if _, ok := x.Find(p.Key); ok {
		t.Error("a payment without a case is kept for good")
	}
}

// A refund without an answer whose case is closed is told again as it was, at a time.
func TestClosedCaseIsTold(t *testing.T) {
	x, _, clock := newIndex(10)
	p := newPayment(1)
	p.Key.Class = txn.Refund
	intend(t, x, p)
	for _, r := range []func(*txn.Payment) journal.Record{
		func(p *txn.Payment) journal.Record {
			return record.MakeCase(p, txn.Case{Why: txn.CaseRefundUnanswered, At: clock.Now()})
		},
		func(p *txn.Payment) journal.Record {
			return record.MakeAct(p, txn.Act{What: txn.FoundStands, By: "ann", Why: "asked", At: clock.Now()})
		},
	} {
		if _, err := x.Change(p.Key, func(v View) ([]journal.Record, error) { return []journal.Record{r(v.Payment)}, nil }); err != nil {
			t.Fatal(err)
		}
	}
	x.Finish(p.Key)
	if a, err := x.Claim(p, 0); err != nil || a == nil || a.Reason != txn.DeclineNoAnswer.Reason || a.At.IsZero() {
		t.Errorf("%+v, %v", a, err)
	}
}

// What still moves is never forgotten, however old.
func TestReversingIsNeverForgotten(t *testing.T) {
	x, _, clock := newIndex(10)
	p := newPayment(1)
	intend(t, x, p)
	if _, err := x.Change(p.Key, func(View) ([]journal.Record, error) {
		return []journal.Record{record.MakeUndo(p.Key, record.Undo{Event: txn.TimedOut, Reason: txn.DeclineNoAnswer.Reason})}, nil
	}); err != nil {
		t.Fatal(err)
	}
	x.Finish(p.Key)
	clock.Advance(1000 * time.Hour)
	for trace := range txn.STAN(5) {
		q := newPayment(trace + 2)
		if _, err := x.Claim(q, 0); err != nil {
			t.Fatal(err)
		}
		x.Finish(q.Key)
	}
	if got, ok := x.Find(p.Key); !ok || got.State != txn.Reversing {
		t.Errorf("%v %v", got.State, ok)
	}
}

// Changes of one payment take turns, and each sees what the one before made.
func TestChangesTakeTurns(t *testing.T) {
	x, l, _ := newIndex(10)
	p := newPayment(1)
	intend(t, x, p)
	l.gate = make(chan struct{})
	var wg sync.WaitGroup
	var undone int
	var mu sync.Mutex
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, err := x.Change(p.Key, func(v View) ([]journal.Record, error) {
				if v.Payment.State == txn.Reversing {
					return nil, nil
				}
				mu.Lock()
				undone++
				mu.Unlock()
				return []journal.Record{record.MakeUndo(p.Key, record.Undo{Event: txn.UndoAsked})}, nil
			})
			if err != nil {
				t.Error(err)
			}
		}()
	}
	close(l.gate)
	wg.Wait()
	if undone != 1 || len(l.records) != 2 {
		t.Errorf("%d undos, %d records", undone, len(l.records))
	}
}

func TestFailedAppendChangesNothing(t *testing.T) {
	x, l, _ := newIndex(10)
	p := newPayment(1)
	if _, err := x.Claim(p, 0); err != nil {
		t.Fatal(err)
	}
	l.fail = journal.ErrFull
	if _, err := x.Change(p.Key, func(View) ([]journal.Record, error) { return []journal.Record{record.Intent(p)}, nil }); !errors.Is(err, journal.ErrFull) {
		t.Errorf("got %v", err)
	}
	if _, ok := x.Find(p.Key); ok {
		t.Error("the index has what the journal refused")
	}
	x.Finish(p.Key)
}

// A reversal that only looks at a key must not get in the way of its payment.
func TestLookingIsNotOwning(t *testing.T) {
	x, _, _ := newIndex(10)
	p := newPayment(1)
	_, err := x.Change(p.Key, func(v View) ([]journal.Record, error) {
		if v.Known {
			t.Error("known before anything happened")
		}
		if old, err := x.Claim(p, 0); old != nil || err != nil {
			t.Errorf("claim while somebody looks: %v %v", old, err)
		}
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	x.Finish(p.Key)
	if x.Len() != 0 {
		t.Error("an empty entry stayed")
	}
}

func TestRecordsThatMakeNoSenseAreRefused(t *testing.T) {
	k := record.AppendKey(nil, txn.Key{Trace: 1})
	for name, r := range map[string]journal.Record{
		"unknown kind":           {Kind: 99},
		"short key":              {Kind: record.KindIntent, Key: []byte("x")},
		"outcome without intent": {Kind: record.KindOutcome, Key: k, Body: []byte{1}},
		"other version":          {Kind: record.KindIntent, Key: k, Body: []byte{3}},
	} {
		x, _, _ := newIndex(10)
		if err := x.Apply(r); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	x, _, _ := newIndex(10)
	p := newPayment(1)
	intend(t, x, p)
	if err := x.Apply(record.Intent(p)); err == nil {
		t.Error("a second intent with the same key was taken")
	}
}

// The repeat of an approval waits for the delivery: when it fails, the payment
// is undone, and the repeat must not say yes.
func TestRepeatOfAnApprovalWaitsForItsDelivery(t *testing.T) {
	x, _, clock := newIndex(10)
	p := newPayment(1)
	intend(t, x, p)
	settle(t, x, p.Key, txn.SaidYes, txn.CodeApproved)
	x.Finish(p.Key)
	got := make(chan error)
	go func() {
		a, err := x.Claim(newPayment(1), clock.Mono().Add(time.Second))
		if a != nil {
			t.Errorf("told %+v", a)
		}
		got <- err
	}()
	clock.AwaitWaiters(1)
	_, err := x.Change(p.Key, func(v View) ([]journal.Record, error) {
		return []journal.Record{record.MakeUndo(p.Key, record.Undo{Event: txn.NotWritten, Numbers: SpareNumbers(v.Payment)})}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-got; !errors.Is(err, txn.DeclineWasReversed) {
		t.Errorf("the repeat got %v", err)
	}
}

// The terminal may reverse, and the acquirer confirm, before the writer of the
// answer says that it was written.
func TestDeliveryThatIsToldAfterTheUndo(t *testing.T) {
	for _, end := range []txn.Event{txn.UndoAcked, txn.UndoUnknown} {
		x, _, _ := newIndex(10)
		p := newPayment(1)
		intend(t, x, p)
		settle(t, x, p.Key, txn.SaidYes, txn.CodeApproved)
		x.Finish(p.Key)
		for _, r := range []journal.Record{
			record.MakeUndo(p.Key, record.Undo{Event: txn.UndoAsked, Numbers: p.Numbers}),
			record.MakeUndone(p, record.Undone{Event: end}),
		} {
			if err := x.Apply(r); err != nil {
				t.Fatal(err)
			}
		}
		before, _ := x.Find(p.Key)
		x.Move(p.Key, txn.Written)
		if after, _ := x.Find(p.Key); after.State != before.State {
			t.Errorf("%s became %s", before.State, after.State)
		}
	}
}

// busy is a journal whose queue is full the first times.
type busy struct {
	log
	times int
}

func (b *busy) Append(rs ...journal.Record) error {
	if b.times--; b.times >= 0 {
		return journal.ErrBusy
	}
	return b.log.Append(rs...)
}

// A full queue refuses new payments; what is owed to one in flight waits.
func TestOwedRecordsWaitForTheQueue(t *testing.T) {
	b := &busy{}
	world := env.Real()
	x := New(Config{Max: 10, Window: time.Hour}, world, b)
	p := newPayment(1)
	intend(t, x, p)
	b.times = 5
	settle(t, x, p.Key, txn.SaidYes, txn.CodeApproved)
	if len(b.records) != 2 {
		t.Errorf("%d records", len(b.records))
	}
	b.times = 1
	q := newPayment(2)
	if _, err := x.Change(q.Key, func(View) ([]journal.Record, error) { return []journal.Record{record.Intent(q)}, nil }); !errors.Is(err, journal.ErrBusy) {
		t.Errorf("a new payment: %v", err)
	}
}

// The spare numbers of a payment are its own trace number with seconds that no
// other message has.
func TestSpareNumbersDiffer(t *testing.T) {
	p := newPayment(7)
	seen := map[LinkKey]bool{NewLinkKey("acq", p.Numbers): true}
	for range 3 {
		p.Undo = SpareNumbers(p)
		if k := NewLinkKey("acq", p.Undo); seen[k] || k.STAN != 7 {
			t.Errorf("%v was used", k)
		} else {
			seen[k] = true
		}
	}
}

// What was refused stays refused, and the memory of it is bounded.
func TestRefusalsAreRememberedAndBounded(t *testing.T) {
	x, _, clock := newIndex(10)
	no := txn.Refusal(txn.DeclineLinkDown, clock.Now())
	for i := range maxRefusals + 100 {
		p := newPayment(txn.STAN(i + 1))
		if old, err := x.Claim(p, 0); old != nil || err != nil {
			t.Fatalf("%d: %v %v", i, old, err)
		}
		x.Refused(p, no)
		x.Finish(p.Key)
	}
	if n := len(x.refused.byKey); n != maxRefusals || x.Len() != 0 {
		t.Errorf("%d refusals, %d payments", n, x.Len())
	}
	p := newPayment(maxRefusals)
	if a, err := x.Claim(p, 0); err != nil || a == nil || a.Reason != no.Reason || !a.Repeat {
		t.Errorf("repeat: %+v %v", a, err)
	}
	p.Fingerprint[0]++
	x.refused.byKey[p.Key] = refusal{fingerprint: txn.Fingerprint{9}, answer: no, since: clock.Mono()}
	if _, err := x.Claim(p, 0); !errors.Is(err, txn.DeclineDuplicate) {
		t.Errorf("other content: %v", err)
	}
	clock.Advance(2 * time.Hour)
	if a, err := x.Claim(p, 0); a != nil || err != nil {
		t.Errorf("after the window: %v %v", a, err)
	}
}

// A refusal before the claim is told only when nobody else works on the message.
func TestRefuseFirst(t *testing.T) {
	x, _, clock := newIndex(10)
	no := txn.Refusal(txn.DeclineOverload, clock.Now())
	p := newPayment(1)
	if !x.RefuseFirst(p.Key, no) {
		t.Error("a new message must be told")
	}
	if a, err := x.Claim(p, 0); err != nil || a == nil || a.Reason != no.Reason {
		t.Errorf("later: %+v %v", a, err)
	}
	q := newPayment(2)
	intend(t, x, q)
	if x.RefuseFirst(q.Key, no) {
		t.Error("a no while the original is under way")
	}
	settle(t, x, q.Key, txn.SaidYes, txn.CodeApproved)
	x.Finish(q.Key)
	if x.RefuseFirst(q.Key, no) {
		t.Error("a no after a yes")
	}
}

// A key that the running switch had forgotten and a terminal used again has two
// lives in the journal. Reading it back takes the last, unless the one before is
// not over.
func TestSecondLifeOfAKey(t *testing.T) {
	ends := map[string]struct {
		records func(p *txn.Payment) []journal.Record
		over    bool
	}{
		"approved": {func(p *txn.Payment) []journal.Record {
			return []journal.Record{record.Intent(p), outcome(p, txn.SaidYes, txn.CodeApproved)}
		}, true},
		"declined": {func(p *txn.Payment) []journal.Record {
			return []journal.Record{record.Intent(p), outcome(p, txn.SaidNo, txn.Code{'5', '1'})}
		}, true},
		"refused":   {func(p *txn.Payment) []journal.Record { return []journal.Record{record.Refused(p)} }, true},
		"tombstone": {func(p *txn.Payment) []journal.Record { return []journal.Record{record.Tombstone(p.Key)} }, true},
		"intended":  {func(p *txn.Payment) []journal.Record { return []journal.Record{record.Intent(p)} }, false},
		"reversing": {func(p *txn.Payment) []journal.Record {
			return []journal.Record{record.Intent(p), record.MakeUndo(p.Key, record.Undo{Event: txn.TimedOut, Numbers: SpareNumbers(p)})}
		}, false},
		"disputed": {func(p *txn.Payment) []journal.Record {
			return []journal.Record{record.Intent(p), record.MakeUndo(p.Key, record.Undo{Event: txn.TimedOut, Numbers: SpareNumbers(p)}),
				record.MakeCase(p, txn.Case{Why: txn.CaseRefused, Code: txn.CodeFormat})}
		}, false},
	}
	for name, end := range ends {
		x, _, clock := newIndex(10)
		first, second := newPayment(1), newPayment(1)
		first.Numbers.RRN, second.Numbers.RRN = txn.RRN([]byte("000000000001")), txn.RRN([]byte("000000000002"))
		second.Numbers.STAN = first.Numbers.STAN + 1
		for _, r := range end.records(first) {
			if err := x.Apply(r); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		err := errors.Join(x.Apply(record.Intent(second)), x.Apply(outcome(second, txn.SaidYes, txn.CodeApproved)))
		if (err == nil) != end.over {
			t.Errorf("%s: %v", name, err)
		}
		if !end.over {
			continue
		}
		p, _ := x.Find(second.Key)
		_, old := x.FindRRN(first.Numbers.RRN)
		if p.Numbers != second.Numbers || p.State != txn.Approved || old || x.Len() != 1 {
			t.Errorf("%s: %+v, %d known, the first still found %v", name, p, x.Len(), old)
		}
		if now, _ := x.Change(second.Key, func(View) ([]journal.Record, error) { return nil, nil }); now.Tombstone {
			t.Errorf("%s: the old tombstone is on the new life", name)
		}
		x.Move(second.Key, txn.Written)
		clock.Advance(1000 * time.Hour)
		x.Forget()
		if x.Len() != 0 {
			t.Errorf("%s: not forgotten", name)
		}
	}
}

func outcome(p *txn.Payment, e txn.Event, c txn.Code) journal.Record {
	return record.MakeOutcome(p, record.Outcome{Event: e, Answer: txn.Answer{Code: c}})
}

// The key on a link has field 7 as it is on the wire, whatever the zone.
func TestLinkKeyIsField7(t *testing.T) {
	for _, at := range []time.Time{
		time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), time.Date(2028, 2, 29, 23, 59, 59, 0, time.UTC), time.Date(2026, 12, 31, 0, 0, 0, 0, time.FixedZone("", 8*3600)),
	} {
		if got := NewLinkKey("acq", txn.Numbers{STAN: 7, At: at}); got != (LinkKey{"acq", 7, at.Format("0102150405")}) {
			t.Errorf("%v: %+v", at, got)
		}
	}
}
