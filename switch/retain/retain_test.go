// SPDX-License-Identifier: Apache-2.0

package retain_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/internal/money"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/segment"
	"tapswitch/switch/number"
	"tapswitch/switch/pin"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/retain"
	"tapswitch/switch/txn"
)

// noon is where the tests' time begins; cutoff is what they call old.
var (
	noon   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	cutoff = noon.Add(24 * time.Hour)
)

// book writes payments into a journal of small files.
type book struct {
	t     *testing.T
	w     *fake.World
	j     *segment.Journal
	at    time.Time
	trace txn.STAN
}

func newBook(t *testing.T) *book {
	b := &book{t: t, w: fake.New(1), at: noon}
	b.open()
	return b
}

func (b *book) open() {
	b.t.Helper()
	j, err := segment.Open(b.w.Env(), segment.Config{Dir: "j", SegmentBytes: 4096, AppendMax: 1024})
	must(b.t, err)
	b.j = j
}

func (b *book) add(r ...journal.Record) {
	b.t.Helper()
	must(b.t, b.j.Append(r...))
}

// referring begins a payment that has an original.
func (b *book) referring(original *txn.Payment) *txn.Payment { return b.begin(txn.Void, original.Key) }

// intent begins a payment.
func (b *book) intent() *txn.Payment { return b.begin(txn.Purchase, txn.Key{}) }

func (b *book) begin(class txn.Class, original txn.Key) *txn.Payment {
	p := b.payment(class, original)
	r := record.Intent(p)
	b.add(r)
	p.Reserved, p.State = r.Reserve, txn.Intended
	return p
}

func (b *book) payment(class txn.Class, original txn.Key) *txn.Payment {
	b.trace++
	return &txn.Payment{
		Key: txn.Key{Terminal: txn.TerminalID([]byte("10000001")), Merchant: txn.MerchantID([]byte("123456789012345")), Batch: 1, Trace: b.trace, Class: class}, Original: original,
		Masked: "622424******0069", Amount: money.Amount{Minor: 100, Currency: money.CNY}, Link: "acq-a",
		Numbers: txn.Numbers{STAN: b.trace, At: b.at, RRN: txn.RRN([]byte("606012345678"))},
	}
}

func (b *book) outcome(p *txn.Payment, e txn.Event) {
	r := record.MakeOutcome(p, record.Outcome{Event: e, Answer: txn.Answer{Code: txn.CodeApproved, At: b.at}})
	b.add(r)
	p.Reserved += r.Reserve
	p.State, _ = txn.Follow(p.State, e)
}

func (b *book) undo(p *txn.Payment) {
	b.add(record.MakeUndo(p.Key, record.Undo{Event: txn.UndoAsked, Reason: txn.DeclineNoAnswer.Reason, Numbers: txn.Numbers{STAN: 1, At: b.at}}))
	p.State = txn.Reversing
}

func (b *book) undone(p *txn.Payment) {
	b.add(record.MakeUndone(p, record.Undone{Event: txn.UndoAcked, Code: txn.CodeApproved}))
}

// advice is a payment that has happened already.
func (b *book) advice() *txn.Payment {
	p := b.payment(txn.OfflineSale, txn.Key{})
	p.Answer = txn.Answer{Code: txn.CodeApproved, At: b.at}
	r := record.Advice(p)
	b.add(r)
	p.Reserved, p.State = r.Reserve, txn.Advising
	return p
}

func (b *book) refused(p *txn.Payment) {
	b.add(record.MakeCase(p, txn.Case{Why: txn.CaseRefused, Code: txn.CodeFormat, At: b.at}))
}

// carry makes the batch's totals durable, as the switch does before it purges.
func (b *book) carry(state txn.BatchState) {
	id := txn.BatchID{Terminal: txn.TerminalID([]byte("10000001")), Merchant: txn.MerchantID([]byte("123456789012345")), Batch: 1}
	b.add(record.MakeBatch(id, txn.Batch{State: state, At: b.at}))
}

func (b *book) act(p *txn.Payment, d txn.Deed) {
	b.add(record.MakeAct(p, txn.Act{What: d, By: "ann", Why: "asked the acquirer", At: b.at}))
}

// filler is declined payments that fill segments, so that those before are closed.
func (b *book) filler(n int) {
	for range n {
		b.outcome(b.intent(), txn.SaidNo)
	}
}

// state is what the projections make of the journal.
func (b *book) state(keys ...txn.Key) string {
	b.t.Helper()
	w := fake.New(9)
	x := replay.New(replay.Config{Max: 10_000, Window: time.Hour}, w.Env(), nil)
	c := pin.New(nil, 3)
	var given number.State
	must(b.t, b.j.Replay(func(_ uint64, r journal.Record) error {
		if r.Kind == record.KindNumbers {
			return given.Apply(r.Body)
		}
		if err := x.Apply(r); err != nil {
			return err
		}
		return c.Apply(r)
	}))
	var s strings.Builder
	for _, k := range keys {
		p, ok := x.Find(k)
		fmt.Fprintln(&s, k.Trace, ok, p.State, p.Reserved, p.Numbers, p.Undo, p.Held != nil)
	}
	for i := range byte(4) {
		fmt.Fprintln(&s, "tries", i, c.Wrong([16]byte{i}))
	}
	return s.String()
}

func (b *book) has(k txn.Key) bool {
	found := false
	must(b.t, b.j.Replay(func(_ uint64, r journal.Record) error {
		found = found || slices.Equal(r.Key, record.AppendKey(nil, k))
		return nil
	}))
	return found
}

// ends is a payment in each state, and whether it may go when it is old.
var ends = map[string]struct {
	goes bool
	end  func(*book, *txn.Payment)
}{
	"intended":            {false, func(*book, *txn.Payment) {}},
	"approved":            {true, func(b *book, p *txn.Payment) { b.outcome(p, txn.SaidYes) }},
	"declined":            {true, func(b *book, p *txn.Payment) { b.outcome(p, txn.SaidNo) }},
	"reversing":           {false, func(b *book, p *txn.Payment) { b.undo(p) }},
	"reversed":            {true, func(b *book, p *txn.Payment) { b.undo(p); b.undone(p) }},
	"disputed":            {false, func(b *book, p *txn.Payment) { b.undo(p); b.refused(p) }},
	"held":                {false, func(b *book, p *txn.Payment) { b.undo(p); b.act(p, txn.Hold) }},
	"dropped":             {false, func(b *book, p *txn.Payment) { b.undo(p); b.act(p, txn.Drop) }},
	"found undone":        {true, func(b *book, p *txn.Payment) { b.undo(p); b.refused(p); b.act(p, txn.FoundUndone) }},
	"found to stand":      {true, func(b *book, p *txn.Payment) { b.undo(p); b.act(p, txn.Drop); b.act(p, txn.FoundStands) }},
	"approved, reversing": {false, func(b *book, p *txn.Payment) { b.outcome(p, txn.SaidYes); b.undo(p) }},
}

// history is a journal with everything in it.
type history struct {
	*book
	old            map[string]*txn.Payment
	touched        *txn.Payment // old and final, but reversed lately
	known          *txn.Payment // old and final, but the switch has it in memory
	young          *txn.Payment
	grave          txn.Key // an old tombstone
	want           string
	reservedBefore int64
}

func newHistory(t *testing.T) *history {
	h := &history{book: newBook(t), old: map[string]*txn.Payment{}}
	for name, c := range ends {
		p := h.intent()
		c.end(h.book, p)
		h.old[name] = p
	}
	h.touched, h.known = h.intent(), h.intent()
	h.outcome(h.touched, txn.SaidYes)
	h.outcome(h.known, txn.SaidYes)
	h.grave = h.touched.Key
	h.grave.Trace = 9999
	h.add(record.Tombstone(h.grave))
	for i := range byte(3) {
		h.add(record.MakeTries([16]byte{2}, record.Tries{Count: i + 1, Payment: h.known.Key}))
		h.add(record.MakeTries([16]byte{1}, record.Tries{Count: i + 1, Payment: h.known.Key}))
	}
	h.add(record.MakeTries([16]byte{1}, record.Tries{Payment: h.known.Key})) // right in the end
	h.filler(40)
	h.at = cutoff
	h.young = h.intent()
	h.outcome(h.young, txn.SaidYes)
	h.undo(h.touched)
	h.filler(20)
	h.carry(txn.BatchOpen)
	h.want, h.reservedBefore = h.lasting(), h.j.Reserved()
	return h
}

// lasting is the state of what must not change.
func (h *history) lasting() string {
	keys := []txn.Key{h.young.Key, h.touched.Key, h.known.Key}
	for _, name := range []string{"intended", "reversing", "approved, reversing", "disputed", "held", "dropped"} {
		keys = append(keys, h.old[name].Key)
	}
	return h.state(keys...)
}

func (h *history) check() {
	h.t.Helper()
	if got := h.lasting(); got != h.want {
		h.t.Errorf("%s\nwant\n%s", got, h.want)
	}
	for name, p := range h.old {
		if h.has(p.Key) == ends[name].goes {
			h.t.Errorf("%s: in the journal %v", name, !ends[name].goes)
		}
	}
	if h.has(h.grave) {
		h.t.Error("the old tombstone is still there")
	}
	if left := h.reservedBefore - h.j.Reserved(); left != record.UndoRoom+3 { // of the approval, of the tombstone and of the two closings that went
		h.t.Errorf("%d bytes of room came back", left)
	}
}

func TestPurge(t *testing.T) {
	h := newHistory(t)
	c, err := retain.Purge(h.j, retain.Config{Before: cutoff, Live: func(k txn.Key) bool { return k == h.known.Key }})
	must(t, err)
	if c.Dropped < 40 || c.Removed < 2 {
		t.Fatalf("%+v", c)
	}
	h.check()
	must(t, h.j.Close())
	h.open()
	h.check()

	h.at = cutoff.Add(time.Hour)
	h.filler(60)
	h.carry(txn.BatchOpen)
	_, err = retain.Purge(h.j, retain.Config{Before: h.at}) // no switch is running now
	must(t, err)
	if h.has(h.known.Key) || !h.has(h.touched.Key) || h.has(h.young.Key) || !h.has(h.old["intended"].Key) {
		t.Error("the second purge was wrong")
	}
}

// TestOriginalsStayWithWhatRefersToThem: a void that is still needed keeps its
// purchase, and a purchase that is still known keeps its void.
func TestOriginalsStayWithWhatRefersToThem(t *testing.T) {
	b := newBook(t)
	pair := func() (original, void *txn.Payment) {
		original = b.intent()
		b.outcome(original, txn.SaidYes)
		return original, b.referring(original)
	}
	both, bothVoid := pair()
	b.outcome(bothVoid, txn.SaidYes)
	open, openVoid := pair()       // the void has no outcome
	settled, settledVoid := pair() // in dispute and found
	b.undo(settledVoid)
	b.refused(settledVoid)
	b.act(settledVoid, txn.FoundStands)
	disputed, disputedVoid := pair() // the acquirer refused to take the void back
	b.undo(disputedVoid)
	b.refused(disputedVoid)
	known, knownVoid := pair()
	b.outcome(knownVoid, txn.SaidYes)
	late := b.intent()
	b.outcome(late, txn.SaidYes)
	b.filler(30)
	b.at = cutoff.Add(time.Hour)
	lateVoid := b.referring(late)
	b.outcome(lateVoid, txn.SaidYes)
	b.filler(30)
	b.carry(txn.BatchOpen)
	_, err := retain.Purge(b.j, retain.Config{Before: cutoff, Live: func(k txn.Key) bool { return k == known.Key }})
	must(t, err)
	for name, c := range map[string]struct {
		p    *txn.Payment
		stay bool
	}{
		"voided purchase": {both, false}, "its void": {bothVoid, false},
		"purchase with an open void": {open, true}, "the open void": {openVoid, true},
		"purchase with a void in dispute": {disputed, true}, "the void in dispute": {disputedVoid, true},
		"purchase with a void found to stand": {settled, false}, "the void found to stand": {settledVoid, false},
		"known purchase": {known, true}, "the void of a known purchase": {knownVoid, true},
		"purchase voided lately": {late, true}, "the late void": {lateVoid, true},
	} {
		if b.has(c.p.Key) != c.stay {
			t.Errorf("%s: in the journal %v", name, !c.stay)
		}
	}
}

// TestAdvicesStayUntilTheAcquirerHasThem: one that is owed stays however old it is,
// one in dispute too, one that was acknowledged goes.
func TestAdvicesStayUntilTheAcquirerHasThem(t *testing.T) {
	b := newBook(t)
	owed, told, disputed := b.advice(), b.advice(), b.advice()
	b.add(record.MakeAdvised(told, record.Advised{Code: txn.CodeApproved, At: b.at}))
	b.add(record.MakeCase(disputed, txn.Case{Why: txn.CaseAdviceRefused, Code: txn.CodeFormat, At: b.at}))
	b.filler(30)
	b.at = cutoff.Add(time.Hour)
	b.filler(30)
	b.carry(txn.BatchOpen)
	_, err := retain.Purge(b.j, retain.Config{Before: cutoff})
	must(t, err)
	if !b.has(owed.Key) || b.has(told.Key) || !b.has(disputed.Key) {
		t.Errorf("in the journal: owed %v, acknowledged %v, in dispute %v", b.has(owed.Key), b.has(told.Key), b.has(disputed.Key))
	}
}

// TestUntimedRecordsAreAsYoungAsTheNext: a tombstone after a long silence has no
// time of its own, and the record before it is old.
func TestUntimedRecordsAreAsYoungAsTheNext(t *testing.T) {
	b := newBook(t)
	b.filler(30)
	k := txn.Key{Terminal: txn.TerminalID([]byte("10000009"))}
	b.add(record.Tombstone(k))
	b.at = cutoff.Add(time.Hour)
	b.filler(30)
	_, err := retain.Purge(b.j, retain.Config{Before: cutoff})
	must(t, err)
	if !b.has(k) {
		t.Error("the tombstone is gone")
	}
}

// TestClockThatWasAheadStopsNoPurge: a payment of a moment at which the clock was a year
// ahead is no younger than those behind it.
func TestClockThatWasAheadStopsNoPurge(t *testing.T) {
	b := newBook(t)
	old := b.intent()
	b.outcome(old, txn.SaidNo)
	right := b.at
	b.at = right.AddDate(1, 0, 0)
	ahead := b.intent()
	b.outcome(ahead, txn.SaidNo)
	b.at = right
	behind := b.intent()
	b.outcome(behind, txn.SaidNo)
	b.filler(30)
	b.at = cutoff.Add(time.Hour)
	b.filler(30)
	_, err := retain.Purge(b.j, retain.Config{Before: cutoff, Now: b.at})
	must(t, err)
	for name, p := range map[string]*txn.Payment{"before": old, "ahead": ahead, "behind": behind} {
		if b.has(p.Key) {
			t.Errorf("the payment %s it stays", name)
		}
	}
}

// TestEveryKindHasARule: a kind that record knows and retain does not would stop
// every purge.
func TestEveryKindHasARule(t *testing.T) {
	for kind := byte(1); record.KindName(kind) != fmt.Sprintf("kind_%d", kind); kind++ {
		b := newBook(t)
		p := b.intent()
		b.outcome(p, txn.SaidNo)
		b.add(journal.Record{Kind: kind, Key: record.AppendKey(nil, p.Key), Body: []byte{1}})
		if _, err := retain.Fold(b.j, retain.Config{Before: cutoff}); err != nil && strings.Contains(err.Error(), "no retention rule") {
			t.Errorf("%s: %v", record.KindName(kind), err)
		}
	}
	b := newBook(t)
	b.add(journal.Record{Kind: 200, Key: record.AppendKey(nil, txn.Key{}), Body: []byte{1}})
	if _, err := retain.Fold(b.j, retain.Config{Before: cutoff}); err == nil || !strings.Contains(err.Error(), "no retention rule") || !strings.Contains(err.Error(), "nothing was purged") {
		t.Errorf("a kind nobody knows: %v", err)
	}
	b = newBook(t)
	p := b.intent()
	b.undone(p)
	if _, err := retain.Fold(b.j, retain.Config{Before: cutoff}); err == nil {
		t.Error("a record that cannot follow was folded")
	}
}

// numbersOf is where the numbers go on after a restart.
func numbersOf(t *testing.T, j journal.Journal) *number.Numbers {
	t.Helper()
	var s number.State
	must(t, j.Replay(func(_ uint64, r journal.Record) error {
		if r.Kind == record.KindNumbers {
			return s.Apply(r.Body)
		}
		return nil
	}))
	n, err := number.Open(env.Real().Waits, j, s, number.Config{Kind: record.KindNumbers, Block: 50_000, Window: 40 * 24 * time.Hour})
	must(t, err)
	return n
}

// TestNumbersGoOn gives numbers over weeks, purges, and compares what is given
// next with what would have been: the same numbers, and refused where they would
// have been refused.
func TestNumbersGoOn(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	b := newBook(t)
	for range 70 { // 3.5 million: every STAN came again
		b.at = b.at.Add(time.Duration(r.IntN(30)) * time.Hour)
		n := numbersOf(t, b.j)
		if _, _, err := n.Next(b.at); err != nil && !strings.Contains(err.Error(), "exhausted") {
			t.Fatal(err)
		}
	}
	b.filler(60)
	b.at = b.at.Add(time.Hour)
	b.filler(40)
	purged := &book{t: t, w: b.w.Restart(fake.KeepAll, 0), at: b.at}
	purged.open()
	c, err := retain.Purge(purged.j, retain.Config{Before: b.at})
	must(t, err)
	if c.Dropped < 30 {
		t.Fatalf("%+v", c)
	}
	a, z := numbersOf(t, b.j), numbersOf(t, purged.j)
	for _, back := range []time.Duration{0, 24 * time.Hour, 0, time.Minute} {
		for range 30_000 {
			s1, r1, err1 := a.Next(b.at.Add(-back))
			s2, r2, err2 := z.Next(b.at.Add(-back))
			if s1 != s2 || r1 != r2 || (err1 == nil) != (err2 == nil) {
				t.Fatalf("%d %s %v, after the purge %d %s %v", s1, r1, err1, s2, r2, err2)
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
