// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

func taken(x *Index, s txn.State, e txn.Event) uint64 {
	m := x.Moves()
	to, _ := txn.Next(s, e)
	return m.Taken(txn.Arrow{From: s, Event: e, To: to})
}

// What happens is counted, durable or not and changing something or not; what is
// read back from the journal happened before.
func TestMovesAreOfThisLife(t *testing.T) {
	x, l, _ := newIndex(10)
	p := newPayment(1)
	intend(t, x, p)
	x.Move(p.Key, txn.Forwarded)
	settle(t, x, p.Key, txn.SaidYes, txn.CodeApproved)
	x.Finish(p.Key)
	x.Move(p.Key, txn.MaybeWritten)
	if _, err := x.Change(p.Key, func(v View) ([]journal.Record, error) {
		v.Heard(txn.SaidNo)
		return []journal.Record{record.MakeUndo(p.Key, record.Undo{Event: txn.UndoAsked, Numbers: SpareNumbers(p)})}, nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, a := range []struct {
		s txn.State
		e txn.Event
	}{
		{txn.Received, txn.Journaled}, {txn.Intended, txn.Forwarded}, {txn.Sent, txn.SaidYes},
		{txn.Approved, txn.MaybeWritten}, {txn.Completed, txn.SaidNo}, {txn.Completed, txn.UndoAsked},
	} {
		if n := taken(x, a.s, a.e); n != 1 {
			t.Errorf("%s + %s is counted %d times", a.s, a.e, n)
		}
	}
	again, _, _ := newIndex(10)
	for _, r := range l.records {
		if err := again.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	if again.Moves() != (txn.Moves{}) {
		t.Error("what was read back counts as happening now")
	}
}

// An event that moves a payment and has no record would be forgotten by a restart.
func TestHeardTakesNothingThatMoves(t *testing.T) {
	x, _, _ := newIndex(10)
	p := newPayment(1)
	intend(t, x, p)
	defer func() {
		if recover() == nil {
			t.Error("an undo without a record was taken")
		}
	}()
	_, _ = x.Change(p.Key, func(v View) ([]journal.Record, error) {
		v.Heard(txn.UndoAsked)
		return nil, nil
	})
}
