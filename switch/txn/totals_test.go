// SPDX-License-Identifier: Apache-2.0

package txn

import (
	"testing"

	"tapswitch/internal/money"
)

// Every class and every state says what it means to the totals of a batch.
func TestEveryClassAndStateHasItsShare(t *testing.T) {
	for _, c := range Classes() {
		if s := sides[c]; s < OnNeither || s > OnDebitSum {
			t.Errorf("class %s has no row in sides: say on which side of the totals its payments count", c)
		}
		if c.Ending() == EndNone && c.Side() != OnNeither {
			t.Errorf("class %s is not journaled and cannot count", c)
		}
	}
	for s := range numStates {
		is := standings[s]
		if is.progress < Final || is.progress > Undoing {
			t.Errorf("state %s has no row in standings: say whether it counts and whether a close waits for it", s)
		}
		if (s.Resting() || s == Advising) != (is.progress == Final) {
			t.Errorf("state %s: rests %v, progress %d", s, s.Resting(), is.progress)
		}
	}
}

// What is not in force and undone comes to nothing for good: no event makes such
// a payment count again, so totals may be told while its reversal is under way.
func TestWhatIsUndoneNeverCountsAgain(t *testing.T) {
	for s := range reach(Reversing) {
		if standings[s].inForce {
			t.Errorf("from reversing a payment comes to %s, which counts", s)
		}
	}
}

func TestShares(t *testing.T) {
	p := &Payment{Key: Key{Class: Purchase}, State: Completed}
	p.Amount.Minor = 500
	var sum Totals
	sum.Add(p.Share())
	p.Key.Class = Void
	sum.Add(p.Share())
	if sum != (Totals{Debits: 1, Credits: 1, DebitMinor: 500, CreditMinor: 500}) {
		t.Errorf("a purchase and a void come to %+v", sum)
	}
	sum.Sub(p.Share())
	p.Key.Class = Balance
	sum.Add(p.Share())
	if sum != (Totals{Debits: 1, DebitMinor: 500}) {
		t.Errorf("without the void %+v", sum)
	}
	for _, s := range []State{Advising, Advised, Disputed, Upheld} {
		p.Key.Class, p.State = OfflineSale, s
		if got := p.Share(); got != (Share{OnDebit, 500, Final}) {
			t.Errorf("an offline sale that is %s comes to %+v", s, got)
		}
	}
	p.Key.Class, p.State, p.Answer.Part = Purchase, Completed, 200
	if got := p.Share(); got != (Share{OnDebit, 200, Final}) {
		t.Errorf("200 approved of 500 come to %+v", got)
	}
	p.State, p.Answer.Part = Disputed, 0
	if got := p.Share(); got != (Share{OnNeither, 0, Final}) {
		t.Errorf("a purchase whose reversal is in dispute comes to %+v", got)
	}
	for amount, want := range map[money.MinorUnits]money.MinorUnits{620: 620, 480: 480} {
		sum := Totals{Debits: 1, DebitMinor: 500}
		a := &Payment{Key: Key{Class: Adjustment}, State: Advising, Was: 500}
		a.Amount.Minor = amount
		if sum.Add(a.Share()); sum != (Totals{Debits: 1, DebitMinor: want}) {
			t.Errorf("adjusted to %d it comes to %+v", amount, sum)
		}
		if sum.Sub(a.Share()); sum.DebitMinor != 500 {
			t.Errorf("taken out again: %+v", sum)
		}
	}
	if p = nil; p.Share() != (Share{OnNeither, 0, Final}) {
		t.Errorf("no payment comes to %+v", p.Share())
	}
}
