// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"
	"time"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// anything is a record of each kind of a payment's, with each event that it may have.
func anything(p *txn.Payment) []journal.Record {
	at := p.Numbers.At.Add(time.Second)
	all := []journal.Record{
		record.Intent(p), record.Refused(p), record.Advice(p), record.Tombstone(p.Key),
		record.MakeCase(p, txn.Case{Why: txn.CaseExpired, At: at}),
		record.MakeAdvised(p, record.Advised{Code: txn.CodeApproved, At: at}), record.MakeRerouted(p.Key, "other"),
	}
	for _, e := range []txn.Event{txn.SaidYes, txn.SaidNo, txn.NotSent, txn.Closed, txn.StoodIn} {
		all = append(all, record.MakeOutcome(p, record.Outcome{Event: e, Answer: txn.Answer{Code: txn.CodeApproved, At: at}}))
	}
	for _, e := range []txn.Event{txn.TimedOut, txn.CheckFailed, txn.DeadlinePassed, txn.NotWritten, txn.UndoAsked, txn.SaidYes} {
		all = append(all, record.MakeUndo(p.Key, record.Undo{Event: e, Numbers: SpareNumbers(p)}))
	}
	for _, e := range []txn.Event{txn.UndoAcked, txn.UndoUnknown} {
		all = append(all, record.MakeUndone(p, record.Undone{Event: e, Code: txn.CodeApproved}))
	}
	for _, d := range []txn.Deed{txn.Drop, txn.FoundUndone, txn.FoundStands} {
		all = append(all, record.MakeAct(p, txn.Act{What: d, By: "ann", Why: "told", At: at}))
	}
	return all
}

// What is refused before it is stored is what a start refuses, and nothing else:
// behind every life of up to four records, one by one and together.
func TestForeseenIsWhatAStartSays(t *testing.T) {
	const depth = 4
	next, yes, no := anything(newPayment(1)), 0, 0
	starts := func(life []journal.Record) (*Index, error) {
		x, _, _ := newIndex(10)
		for _, r := range life {
			if err := x.Apply(r); err != nil {
				return x, err
			}
		}
		return x, nil
	}
	chance := 0
	foresee := func(x *Index, records ...journal.Record) error { // in its turn, or in that of another payment
		chance++
		k := newPayment(txn.STAN(1 + chance%2)).Key
		e := x.turn(k)
		defer x.release(k, e)
		return x.foresee(e, records)
	}
	var grow func(life []journal.Record)
	grow = func(life []journal.Record) {
		x, _ := starts(life)
		empty, _, _ := newIndex(10)
		for _, r := range next {
			if r.Kind == record.KindTombstone && len(life) > 0 {
				continue // it is for what is not known
			}
			longer := append(life[:len(life):len(life)], r)
			_, want := starts(longer)
			if got := foresee(x, r); (got == nil) != (want == nil) {
				t.Fatalf("%s behind %d records: foreseen %v, at a start %v", record.KindName(r.Kind), len(life), got, want)
			}
			if got := foresee(empty, longer...); (got == nil) != (want == nil) {
				t.Fatalf("%d records at once: foreseen %v, at a start %v", len(longer), got, want)
			}
			if want != nil {
				no++
				continue
			}
			if yes++; len(longer) < depth {
				grow(longer)
			}
		}
	}
	grow(nil)
	t.Logf("%d lives can be read back, %d cannot", yes, no)
	if yes < 1000 || no < 1000 {
		t.Error("hardly any life was tried")
	}
}

// A change whose records no start could read back stores nothing.
func TestUnreadableRecordsAreNotStored(t *testing.T) {
	x, l, _ := newIndex(10)
	p := newPayment(1)
	intend(t, x, p)
	before := len(l.records)
	for _, records := range [][]journal.Record{
		{record.MakeUndone(p, record.Undone{Event: txn.UndoAcked})},
		{record.MakeOutcome(p, record.Outcome{Event: txn.SaidNo}), record.MakeUndone(p, record.Undone{Event: txn.UndoAcked})},
		{record.MakeCase(newPayment(2), txn.Case{Why: txn.CaseExpired})},
		{record.Intent(p)},
		{{Kind: record.KindOutcome, Key: []byte("short")}},
	} {
		if _, err := x.Change(p.Key, func(View) ([]journal.Record, error) { return records, nil }); err == nil || len(l.records) != before {
			t.Errorf("%s: %v, %d records stored", record.KindName(records[len(records)-1].Kind), err, len(l.records)-before)
		}
	}
	settle(t, x, p.Key, txn.SaidYes, txn.CodeApproved)
}

func BenchmarkForesee(b *testing.B) {
	x, _, _ := newIndex(10)
	p := newPayment(1)
	if err := x.Apply(record.Intent(p)); err != nil {
		b.Fatal(err)
	}
	outcome := []journal.Record{record.MakeOutcome(p, record.Outcome{Event: txn.SaidYes, Answer: txn.Answer{Code: txn.CodeApproved}})}
	e := x.turn(p.Key)
	b.ReportAllocs()
	for b.Loop() {
		if err := x.foresee(e, outcome); err != nil {
			b.Fatal(err)
		}
	}
}
