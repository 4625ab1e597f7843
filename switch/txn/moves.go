// SPDX-License-Identifier: Apache-2.0

package txn

// Arrow is one arrow of the state table.
type Arrow struct {
	From  State
	Event Event
	To    State
}

// Arrows is the whole table, by state and event: a new one is in every list that
// is made of it.
func Arrows() (all []Arrow) {
	for s := range numStates {
		for e := range numEvents {
			if n, ok := Next(s, e); ok {
				all = append(all, Arrow{s, e, n})
			}
		}
	}
	return all
}

// States are all states, for metrics labels.
func States() (all []State) {
	for s := range numStates {
		all = append(all, s)
	}
	return all
}

// Events are all events, for metrics labels.
func Events() (all []Event) {
	for e := Refuse; e < numEvents; e++ {
		all = append(all, e)
	}
	return all
}

// Moves is how often each arrow was taken; the zero value has none.
type Moves struct{ taken [numStates][numEvents]uint64 }

// Take counts one event in a state. An arrow that the table does not have is a
// bug of the caller: MustNext finds it.
func (m *Moves) Take(s State, e Event) {
	MustNext(s, e)
	m.taken[s][e]++
}

// Taken is how often a was.
func (m *Moves) Taken(a Arrow) uint64 { return m.taken[a.From][a.Event] }

// Add counts what another life of the switch has counted.
func (m *Moves) Add(o Moves) {
	for s := range m.taken {
		for e := range m.taken[s] {
			m.taken[s][e] += o.taken[s][e]
		}
	}
}
