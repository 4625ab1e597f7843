// SPDX-License-Identifier: Apache-2.0

package txn

import (
	"errors"
	"testing"
)

func TestEveryStateIsReachable(t *testing.T) {
	seen := reach(Received)
	for s := range numStates {
		if !seen[s] {
			t.Errorf("state %s cannot be reached", s)
		}
	}
}

func TestEveryLifeEnds(t *testing.T) {
	for s := range numStates {
		ends := false
		for to := range reach(s) {
			ends = ends || to.Resting()
		}
		if !ends {
			t.Errorf("a payment in state %s can never rest", s)
		}
	}
}

func TestFinalStatesHaveNoWayToAnApproval(t *testing.T) {
	for _, s := range []State{Declined, Refused, Reversing, Reversed, Unmatched, Disputed, Upheld} {
		for to := range reach(s) {
			if to == Approved || to == Completed {
				t.Errorf("%s leads to %s", s, to)
			}
		}
	}
	for e := range numEvents {
		for _, s := range []State{Refused, Reversed, Disputed, Upheld} {
			if n, ok := Next(s, e); ok && n != s && !(s == Disputed && (e == CaseUndone || e == CaseStands)) && !(s == Reversed && e == CaseOpened) {
				t.Errorf("%s is final but %s moves it to %s", s, e, n)
			}
		}
	}
}

// The journal keeps no Forwarded: an outcome follows the intent.
func TestFollowImpliesForwarded(t *testing.T) {
	for e, want := range map[Event]State{SaidYes: Approved, SaidNo: Declined, TimedOut: Reversing, CheckFailed: Reversing, NotSent: Declined, UndoAsked: Reversing} {
		if s, ok := Follow(Intended, e); !ok || s != want {
			t.Errorf("%s after the intent is %s, %v", e, s, ok)
		}
	}
	if _, ok := Follow(Intended, Written); ok {
		t.Error("an answer cannot be written before the outcome")
	}
}

// An answer that arrives late must be an event wherever a byte may have left.
func TestLateAnswersAreEvents(t *testing.T) {
	for _, s := range []State{Sent, Completed, Declined, Reversing, Reversed, Unmatched, Disputed, Upheld} {
		for _, e := range []Event{SaidYes, SaidNo, UndoAsked} {
			if _, ok := Next(s, e); !ok {
				t.Errorf("%s in state %s is not in the table", e, s)
			}
		}
	}
}

func TestNamesAreComplete(t *testing.T) {
	for s := range numStates {
		if s.String() == "" || s.String() == "unknown" {
			t.Errorf("state %d has no name", s)
		}
	}
	for e := Refuse; e < numEvents; e++ {
		if e.String() == "" || e.String() == "unknown" {
			t.Errorf("event %d has no name", e)
		}
	}
	if State(99).String() != "unknown" || Event(99).String() != "unknown" {
		t.Error("numbers beyond the table must say so")
	}
}

func TestReasonsAreDistinctAndNamed(t *testing.T) {
	seen := map[Reason]bool{}
	for _, d := range Reasons() {
		if d.Reason == "" || d.Code == (Code{}) || d.Code == CodeApproved {
			t.Errorf("bad entry %v", d)
		}
		if seen[d.Reason] {
			t.Errorf("reason %s twice", d.Reason)
		}
		seen[d.Reason] = true
	}
}

func TestUnthoughtErrorIsAMalfunction(t *testing.T) {
	if d := AsDecline(errors.New("boom")); d.Code != CodeMalfunction {
		t.Errorf("got %s", d.Code)
	}
	cause := errors.New("cause")
	if d := AsDecline(DeclineMAC.Why(cause)); d.Code != CodeBadMAC || !errors.Is(d, cause) {
		t.Errorf("got %v", d)
	}
}

func reach(from State) map[State]bool {
	seen := map[State]bool{from: true}
	for todo := []State{from}; len(todo) > 0; {
		s := todo[0]
		todo = todo[1:]
		for e := range numEvents {
			if n, ok := Next(s, e); ok && !seen[n] {
				seen[n] = true
				todo = append(todo, n)
			}
		}
	}
	return seen
}
