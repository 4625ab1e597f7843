// SPDX-License-Identifier: Apache-2.0

package txn

import "testing"

// The list has every cell of the table once, and counts add up.
func TestArrowsAreTheTable(t *testing.T) {
	cells := 0
	for s := range next {
		for _, a := range next[s] {
			if a.ok {
				cells++
			}
		}
	}
	var life, all Moves
	for _, a := range Arrows() {
		if to, ok := Next(a.From, a.Event); !ok || to != a.To {
			t.Errorf("%s + %s -> %s is not in the table", a.From, a.Event, a.To)
		}
		life.Take(a.From, a.Event)
	}
	all.Add(life)
	all.Add(life)
	for _, a := range Arrows() {
		cells--
		if all.Taken(a) != 2 {
			t.Errorf("%s + %s: %d", a.From, a.Event, all.Taken(a))
		}
	}
	if cells != 0 {
		t.Errorf("%d cells are in no list", cells)
	}
	if len(States()) != int(numStates) || len(Events()) != int(numEvents)-1 {
		t.Errorf("%d states, %d events", len(States()), len(Events()))
	}
}
