// SPDX-License-Identifier: Apache-2.0

package link

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tapswitch/internal/env"
)

func key(s string) Key {
	k, ok := KeyOf([]byte(s))
	if !ok {
		panic("key too long in a test")
	}
	return k
}

func TestKeyOf(t *testing.T) {
	k, ok := KeyOf([]byte("02"), []byte("0102030405"), []byte("000001"), []byte("104110"))
	if !ok || k.String() != "020102030405000001104110" {
		t.Errorf("got %s %v", k, ok)
	}
	if _, ok := KeyOf(make([]byte, KeySize), []byte("x")); ok {
		t.Error("a key of 41 bytes was cut")
	}
}

// Each outcome, and what comes before it.
func TestOutcomes(t *testing.T) {
	const deadline = env.Mono(100)
	for _, c := range []struct {
		name string
		do   func(*Table)
		now  env.Mono
		gen  uint32
		want Result
	}{
		{"in time", func(*Table) {}, 99, 1, Result{Matched, 0, false}},
		{"in time, on another connection", func(*Table) {}, 99, 2, Result{Matched, 0, true}},
		{"at the deadline, before its waiter noticed", func(*Table) {}, 100, 1, Result{Late, 0, false}},
		{"after its waiter gave up", func(x *Table) { x.GiveUp(100, 0) }, 101, 1, Result{Late, -1, false}},
		{"after a reconnect", func(x *Table) { x.Break(50, 1, nil) }, 60, 2, Result{Late, -1, true}},
		{"again", func(x *Table) { x.Match(50, key("a"), 1, nil) }, 51, 1, Result{Duplicate, -1, false}},
		{"again after late", func(x *Table) { x.GiveUp(100, 0); x.Match(101, key("a"), 1, nil) }, 102, 1, Result{Duplicate, -1, false}},
		{"never sent", func(x *Table) { x.Forget(0) }, 50, 1, Result{Unknown, -1, false}},
		{"longer ago than remembered", func(x *Table) { x.GiveUp(100, 0) }, 1100, 1, Result{Unknown, -1, false}},
		{"just remembered", func(x *Table) { x.GiveUp(100, 0) }, 1099, 1, Result{Late, -1, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := NewTable(TableConfig{MaxInFlight: 2, Remember: 2, RememberFor: 1000})
			if slot, err := table.Add(1, key("a"), 1, deadline); err != nil || slot != 0 {
				t.Fatal(slot, err)
			}
			c.do(table)
			before := table.Counts()
			got := table.Match(c.now, key("a"), c.gen, nil)
			if got != c.want {
				t.Errorf("got %v %+v, want %v %+v", got.Outcome, got, c.want.Outcome, c.want)
			}
			after := table.Counts()
			if after[got.Outcome] != before[got.Outcome]+1 {
				t.Errorf("%v was not counted", got.Outcome)
			}
			if table.InFlight() != 0 || table.Waits(key("a")) {
				t.Error("still in flight")
			}
		})
	}
}

func TestWrongLink(t *testing.T) {
	table := NewTable(TableConfig{MaxInFlight: 1, Remember: 1, RememberFor: time.Hour})
	other := func(k Key) bool { return k == key("b") }
	if got := table.Match(1, key("b"), 1, other); got.Outcome != WrongLink {
		t.Errorf("got %v", got.Outcome)
	}
	if got := table.Match(1, key("c"), 1, other); got.Outcome != Unknown {
		t.Errorf("got %v", got.Outcome)
	}
}

func TestAddRefusals(t *testing.T) {
	table := NewTable(TableConfig{MaxInFlight: 2, Remember: 1, RememberFor: time.Hour})
	add := func(k string) error { _, err := table.Add(1, key(k), 1, 10); return err }
	for i, c := range []struct {
		key string
		err error
	}{{"a", nil}, {"a", ErrDuplicateKey}, {"b", nil}, {"a", ErrDuplicateKey}, {"c", ErrTableFull}} {
		if err := add(c.key); !errors.Is(err, c.err) {
			t.Errorf("%d: %s: %v", i, c.key, err)
		}
	}
	table.GiveUp(10, 0)
	if err := add("a"); err != nil {
		t.Errorf("a repeat under its original's key: %v", err)
	}
	if got := table.Match(5, key("a"), 1, nil); got.Outcome != Matched {
		t.Errorf("answer to a repeat: %v", got.Outcome)
	}
}

// model is the table written down naively.
type model struct {
	waiting map[Key]uint32 // generation
	past    []pastKey      // oldest first
}

type pastKey struct {
	key      Key
	answered bool
	ended    env.Mono
}

// The table does what the naive model does, under any sequence of calls.
func TestTableIsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := TableConfig{MaxInFlight: rapid.IntRange(1, 4).Draw(t, "max"), Remember: rapid.IntRange(1, 4).Draw(t, "remember"), RememberFor: 50}
		table, m := NewTable(cfg), model{waiting: map[Key]uint32{}}
		slots := map[Key]int{}
		now := env.Mono(1)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += env.Mono(rapid.IntRange(0, 10).Draw(t, "time"))
			m.forget(now, cfg)
			table.forgetOld(now)
			k := key(fmt.Sprint(rapid.IntRange(0, 6).Draw(t, "key")))
			gen := uint32(rapid.IntRange(1, 2).Draw(t, "generation"))
			_, waits := m.waiting[k]
			switch rapid.SampledFrom([]string{"add", "add", "match", "give up", "break", "forget"}).Draw(t, "do") {
			case "add":
				slot, err := table.Add(now, k, gen, env.Never)
				switch {
				case waits && errors.Is(err, ErrDuplicateKey), !waits && len(m.waiting) == cfg.MaxInFlight && errors.Is(err, ErrTableFull):
				case err == nil && !waits && len(m.waiting) < cfg.MaxInFlight:
					m.add(k, gen, len(table.slots))
					slots[k] = slot
				default:
					t.Fatalf("add: %v", err)
				}
			case "match":
				got, want := table.Match(now, k, gen, nil).Outcome, m.match(now, k)
				if got != want {
					t.Fatalf("match: got %v, want %v", got, want)
				}
			case "give up":
				if waits {
					table.GiveUp(now, slots[k])
					m.end(now, k, false)
				}
			case "forget":
				if waits {
					table.Forget(slots[k])
					delete(m.waiting, k)
				}
			case "break":
				for _, slot := range table.Break(now, gen, nil) {
					m.end(now, table.slots[slot].key, false)
				}
				for _, g := range m.waiting {
					if g == gen {
						t.Fatal("break left a request waiting")
					}
				}
			}
			if table.InFlight() != len(m.waiting) || len(table.index) != len(m.waiting)+len(m.past) {
				t.Fatalf("%d in flight of %d, %d known of %d", table.InFlight(), len(m.waiting), len(table.index), len(m.waiting)+len(m.past))
			}
		}
	})
}

func (m *model) forget(now env.Mono, cfg TableConfig) {
	for len(m.past) > 0 && now >= m.past[0].ended.Add(cfg.RememberFor) {
		m.past = m.past[1:]
	}
}

func (m *model) find(k Key) int {
	return slices.IndexFunc(m.past, func(p pastKey) bool { return p.key == k })
}

func (m *model) add(k Key, gen uint32, slots int) {
	if i := m.find(k); i >= 0 {
		m.past = slices.Delete(m.past, i, i+1)
	} else if len(m.waiting)+len(m.past) == slots {
		m.past = m.past[1:]
	}
	m.waiting[k] = gen
}

func (m *model) end(now env.Mono, k Key, answered bool) {
	delete(m.waiting, k)
	m.past = append(m.past, pastKey{k, answered, now})
}

func (m *model) match(now env.Mono, k Key) Outcome {
	if _, ok := m.waiting[k]; ok {
		m.end(now, k, true)
		return Matched
	}
	i := m.find(k)
	switch {
	case i < 0:
		return Unknown
	case m.past[i].answered:
		return Duplicate
	}
	m.past[i].answered = true
	return Late
}

func TestTableDoesNotAllocate(t *testing.T) {
	table := NewTable(TableConfig{MaxInFlight: 8, Remember: 8, RememberFor: time.Hour})
	n := 0
	if got := testing.AllocsPerRun(1000, func() {
		var k Key
		n++
		k[0], k[1] = byte(n), byte(n>>8)
		if _, err := table.Add(1, k, 1, 10); err != nil {
			t.Fatal(err)
		}
		if r := table.Match(2, k, 1, nil); r.Outcome != Matched {
			t.Fatal(r.Outcome)
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
