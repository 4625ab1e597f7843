// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"testing"
	"time"

	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// life folds records into one payment that is to be reversed.
type life struct {
	*testing.T
	p *txn.Payment
}

func newLife(t *testing.T) *life {
	l := &life{T: t}
	l.add(Intent(full()))
	l.add(MakeUndo(full().Key, undo()))
	return l
}

func (l *life) add(r journal.Record) {
	l.Helper()
	p, err := Fold(l.p, full().Key, r)
	if err != nil {
		l.Fatal(err)
	}
	l.p = p
}

func (l *life) act(d txn.Deed) { l.Helper(); l.add(MakeAct(l.p, deed(d))) }

// refuses says whether the act cannot be of this payment now.
func (l *life) refuses(d txn.Deed) bool {
	p := *l.p
	_, err := Fold(&p, full().Key, MakeAct(&p, deed(d)))
	return err != nil
}

func deed(d txn.Deed) txn.Act {
	return txn.Act{What: d, By: "ann", Why: "why not", At: time.Date(2026, 11, 29, 3, 12, 0, 7, time.UTC)}
}

// An act is read as it was written.
func TestActRoundTrip(t *testing.T) {
	for i, r := range acts() {
		a, err := ParseAct(r.Body)
		if err != nil || a.What != txn.Hold+txn.Deed(i) || len(a.By) != txn.ByMax || len(a.Why) != txn.WhyMax || a.At.Nanosecond() != 7 || (a.Code == txn.CodeMalfunction) != (a.What == txn.Drop) {
			t.Errorf("%+v, %v", a, err)
		}
	}
}

// A hold lasts until it is retried or the debt is over; it does not come back with
// another debt of the same payment.
func TestHoldIsOfTheDebt(t *testing.T) {
	l := newLife(t)
	l.act(txn.Hold)
	if l.p.Held == nil || l.p.Held.By != "ann" || l.p.State != txn.Reversing {
		t.Fatalf("%s, held %+v", l.p.State, l.p.Held)
	}
	l.act(txn.Retry)
	if l.p.Held != nil {
		t.Error("held after a retry")
	}
	l.act(txn.Hold)
	l.add(MakeUndone(l.p, Undone{Event: txn.UndoUnknown, Code: txn.CodeUnmatched}))
	if l.p.Held != nil || l.p.Reserved != 0 {
		t.Errorf("%s: held %+v, %d bytes kept", l.p.State, l.p.Held, l.p.Reserved)
	}
	if !l.refuses(txn.Hold) || !l.refuses(txn.Retry) || !l.refuses(txn.Drop) {
		t.Error("what owes nothing can be held")
	}
	l.add(MakeUndo(l.p.Key, Undo{Event: txn.SaidYes, Numbers: undo().Numbers}))
	if l.p.State != txn.Reversing || l.p.Held != nil {
		t.Errorf("a late yes: %s, held %+v", l.p.State, l.p.Held)
	}
}

// A drop is a case that keeps no room; a case is closed once, by one of two words,
// and nothing of it is left.
func TestDropAndClose(t *testing.T) {
	for d, want := range map[txn.Deed]txn.State{txn.FoundUndone: txn.Reversed, txn.FoundStands: txn.Upheld} {
		l := newLife(t)
		if !l.refuses(d) {
			t.Errorf("%s without a case", d)
		}
		l.act(txn.Hold)
		l.act(txn.Drop)
		if c := l.p.Case; l.p.State != txn.Disputed || c.Why != txn.CaseDropped || c.At != deed(0).At || l.p.Held != nil || l.p.Reserved != 0 {
			t.Errorf("%s, case %+v, held %+v, %d bytes kept", l.p.State, c, l.p.Held, l.p.Reserved)
		}
		if Over(l.p) {
			t.Error("a payment with a case is over")
		}
		l.act(d)
		if l.p.State != want || l.p.Case != (txn.Case{}) || !Over(l.p) {
			t.Errorf("%s: %s, case %+v", d, l.p.State, l.p.Case)
		}
		if !l.refuses(txn.FoundUndone) || !l.refuses(txn.FoundStands) {
			t.Errorf("%s: closed twice", d)
		}
	}
}

func TestDamagedActs(t *testing.T) {
	what, by, why := []byte{tagDeed, 1, 1}, []byte{tagBy, 1, 'a'}, []byte{tagWhy, 1, 'w'}
	at := []byte{tagAt, 8, 1, 1, 1, 1, 1, 1, 1, 1}
	for name, parts := range map[string][][]byte{
		"empty": nil, "no deed": {by, why, at}, "no name": {what, why, at}, "no reason": {what, by, at}, "no time": {what, by, why},
		"an unknown deed":   {{tagDeed, 1, 99}, by, why, at},
		"two bytes of deed": {{tagDeed, 2, 1, 1}, by, why, at},
		"a foreign field":   {what, by, why, at, {tagCount, 1, 0}},
		"a short code":      {what, by, why, at, {tagCode, 1, '0'}},
		"a name too long":   {what, append([]byte{tagBy, txn.ByMax + 1}, make([]byte, txn.ByMax+1)...), why, at},
	} {
		body := []byte{version2}
		for _, p := range parts {
			body = append(body, p...)
		}
		if a, err := ParseAct(body); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	if _, err := ParseAct(append([]byte{version}, acts()[0].Body[1:]...)); !errors.Is(err, ErrForm) {
		t.Errorf("a first version with fields of the second: %v", err)
	}
}
