// SPDX-License-Identifier: Apache-2.0

package link

import (
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/env"
)

// derived tells the events that refine makes from those that a runner sends.
func derived(k Kind) bool { return k >= stateOver }

// The table is sound: every state is reached, every state but the last can
// reach the last, the last has no way out, and no event is without an arrow.
func TestSessionTableIsSound(t *testing.T) {
	reach := func(from State) (seen [numStates]bool) {
		todo := []State{from}
		for len(todo) > 0 {
			s := todo[0]
			todo = todo[1:]
			if seen[s] {
				continue
			}
			seen[s] = true
			for _, a := range next[s] {
				if a&x != 0 {
					todo = append(todo, State(a&^x))
				}
			}
		}
		return seen
	}
	fromIdle := reach(Idle)
	for s := range State(numStates) {
		if !fromIdle[s] {
			t.Errorf("%v is never reached", s)
		}
		if !reach(s)[Ended] {
			t.Errorf("%v cannot end", s)
		}
		if s != Ended && next[s][Drain]&x == 0 && s != Draining && s != SigningOff {
			t.Errorf("%v cannot be drained", s)
		}
	}
	for k := range Kind(numKinds) {
		if next[Ended][k]&x != 0 {
			t.Errorf("%v leads out of the end", k)
		}
		used := k == Tick // always refined
		for s := range State(numStates) {
			used = used || next[s][k]&x != 0
		}
		if !used {
			t.Errorf("%v happens in no state", k)
		}
	}
	// A state with a connection can lose it, and one that waits has an end.
	for _, s := range []State{SigningOn, Up, Suspect, Draining, SigningOff} {
		if next[s][Lost]&x == 0 {
			t.Errorf("%v cannot lose its connection", s)
		}
		if next[s][stateOver]&x == 0 && next[s][hostDead]&x == 0 {
			t.Errorf("%v can last for ever", s)
		}
	}
}

func sessionConfig() SessionConfig {
	return SessionConfig{
		Addresses: 2, DialTimeout: 3 * time.Second, SignOnTimeout: 5 * time.Second, EchoEvery: time.Minute, MaxLostEchoes: 2,
		MaxTimeouts: 3, BackoffMin: time.Second, BackoffMax: 10 * time.Second, DrainTime: 20 * time.Second,
	}
}

// No event in no state is answered with an action on a connection that is not
// there, and a state that waits for a time has one.
func TestSessionSurvivesEveryEvent(t *testing.T) {
	paths := map[State][]Kind{
		Idle: {}, Backoff: {Start, DialFailed}, Dialing: {Start}, SigningOn: {Start, Connected}, Up: {Start, Connected, SignedOn},
		Suspect:    {Start, Connected, SignedOn, TimedOut, TimedOut, TimedOut},
		Draining:   {Start, Connected, SignedOn, Drain},
		SigningOff: {Start, Connected, SignedOn, Drain, Drained}, Ended: {Drain},
	}
	for state, path := range paths {
		for k := range Kind(numKinds) {
			if derived(k) {
				continue
			}
			s, now := NewSession(sessionConfig()), env.Mono(1)
			for _, e := range path {
				s.Step(now, Event{Kind: e, Generation: s.Generation()})
			}
			if s.State() != state {
				t.Fatalf("path to %v leads to %v", state, s.State())
			}
			if k == Tick && s.Due() != env.Never {
				now = s.Due()
			}
			for _, a := range s.Step(now, Event{Kind: k, Generation: s.Generation()}) {
				if a.Generation != s.Generation() {
					t.Errorf("%v in %v: action on generation %d, now is %d", k, state, a.Generation, s.Generation())
				}
				if !s.hasConnection() && a.Do != Close {
					t.Errorf("%v in %v: %v without a connection", k, state, a.Do)
				}
			}
			if waits := s.State() != Idle && s.State() != Ended; waits && s.Due() == env.Never {
				t.Errorf("%v in %v: %v waits for ever", k, state, s.State())
			}
			if waits := s.State() != Idle && s.State() != Ended; waits && s.Due() <= now {
				t.Errorf("%v in %v: due at once, again and again", k, state)
			}
		}
	}
}

// What an earlier connection still says means nothing to the present one.
func TestSessionIgnoresOldConnections(t *testing.T) {
	s := NewSession(sessionConfig())
	s.Step(1, Event{Kind: Start})
	s.Step(1, Event{Kind: DialFailed, Generation: 1})
	s.Step(s.Due(), Event{Kind: Tick})
	if s.State() != Dialing || s.Generation() != 2 {
		t.Fatal(s.State(), s.Generation())
	}
	for _, k := range []Kind{Connected, DialFailed, Lost} {
		if s.Step(1, Event{Kind: k, Generation: 1}); s.State() != Dialing {
			t.Errorf("%v of the connection before: %v", k, s.State())
		}
	}
}

// The delay doubles, stops at its bound, is spread over its upper half, and
// starts over after a sign-on; addresses take turns.
func TestSessionReconnectDelays(t *testing.T) {
	for _, jitter := range []uint64{0, 1<<63 - 1, 1<<64 - 1, 12345678901234567890} {
		s, now := NewSession(sessionConfig()), env.Mono(1)
		acts := s.Step(now, Event{Kind: Start})
		for try, want := range []time.Duration{1, 2, 4, 8, 10, 10, 10} {
			want *= time.Second
			if len(acts) != 1 || acts[0].Do != Dial || acts[0].Address != try%2 {
				t.Fatalf("try %d: %+v", try, acts)
			}
			s.Step(now, Event{Kind: DialFailed, Generation: s.Generation(), Rand: jitter})
			if d := s.Due().Sub(now); d < want/2 || d > want {
				t.Errorf("try %d: waits %v, want %v to %v", try, d, want/2, want)
			}
			now = s.Due()
			acts = s.Step(now, Event{Kind: Tick})
		}
		s.Step(now, Event{Kind: Connected, Generation: s.Generation()})
		s.Step(now, Event{Kind: SignedOn, Generation: s.Generation()})
		s.Step(now, Event{Kind: Lost, Generation: s.Generation(), Rand: jitter})
		if d := s.Due().Sub(now); d > time.Second {
			t.Errorf("after a sign-on it still waits %v", d)
		}
		kept := s.address
		if acts = s.Step(s.Due(), Event{Kind: Tick}); acts[0].Address != kept {
			t.Errorf("a connection that worked is first dialed at its own address again: %+v", acts)
		}
	}
}

// One answer in time between time-outs keeps the breaker closed; echoes do not.
func TestSessionBreakerCountsInARow(t *testing.T) {
	up := func() *Session {
		s := NewSession(sessionConfig())
		for _, k := range []Kind{Start, Connected, SignedOn} {
			s.Step(1, Event{Kind: k, Generation: s.Generation()})
		}
		return &s
	}
	for _, c := range []struct {
		events []Kind
		want   State
	}{
		{[]Kind{TimedOut, TimedOut, Answered, TimedOut, TimedOut}, Up},
		{[]Kind{TimedOut, TimedOut, TimedOut}, Suspect},
		{[]Kind{TimedOut, TimedOut, EchoAnswered, TimedOut}, Suspect},
		{[]Kind{TimedOut, TimedOut, TimedOut, Answered}, Suspect},
		{[]Kind{TimedOut, TimedOut, TimedOut, EchoAnswered}, Up},
		{[]Kind{TimedOut, TimedOut, TimedOut, EchoAnswered, TimedOut, TimedOut}, Up},
	} {
		s := up()
		for _, k := range c.events {
			s.Step(2, Event{Kind: k, Generation: s.Generation()})
		}
		if s.State() != c.want {
			t.Errorf("%v: %v, want %v", c.events, s.State(), c.want)
		}
	}
}

func TestNamesAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range []struct{ kind, count int }{{0, numStates}, {1, numKinds}, {2, NumOutcomes}, {3, int(Close) + 1}} {
		for i := range n.count {
			name := [...]fmt.Stringer{State(i % numStates), Kind(i), Outcome(i % NumOutcomes), Do(i % 5)}[n.kind].String()
			id := fmt.Sprint(n.kind, name)
			if name == "" || seen[id] {
				t.Errorf("name %q of %d %d is empty or not its own", name, n.kind, i)
			}
			seen[id] = true
		}
	}
}
