// SPDX-License-Identifier: Apache-2.0

package journaltest

import (
	"fmt"
	"sync"
	"testing"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
)

// crash is one moment at which the power went.
type crash struct {
	when  string
	acked int // Appends that had returned nil
	world *fake.World
}

// crashesOf has act done and takes what a crash leaves at each of its disk
// operations, with none, half and all of the unsynced data kept; of all these
// every one in each.
func crashesOf(w *fake.World, acked *int, each int, act func()) []crash {
	var all []crash
	seen := 0
	w.Disk.OnOp(func(op fake.Op) {
		for _, keep := range fake.Keeps() {
			if seen++; seen%each != 0 {
				continue
			}
			all = append(all, crash{
				when:  fmt.Sprintf("crash before operation %d (%s %s), %v kept", op.K, op.Kind, op.Name, keep),
				acked: *acked,
				world: w.Restart(keep, uint64(op.K)),
			})
		}
	})
	act()
	w.Disk.OnOp(nil)
	return all
}

// inRecovery thins out the crashes during recovery: there are very many, and
// this many still meet every operation in every state.
const inRecovery = 29

// runCrash crashes at every operation of a script, and again at every operation
// of the recovery.
func runCrash(t *testing.T, open Open) {
	groups := script(2, 24)
	w := fake.New(2)
	acked := 0
	crashes := crashesOf(w, &acked, 1, func() {
		j := open.mustSmall(t, w, "new")
		for _, g := range groups {
			must(t, j.Append(g...))
			acked++
		}
		must(t, j.Close())
	})
	again := 0
	for _, c := range crashes {
		for _, d := range crashesOf(c.world, &c.acked, inRecovery, func() { c.check(t, open, groups) }) {
			d.when = c.when + ", then " + d.when
			d.check(t, open, groups)
			again++
		}
	}
	t.Logf("%d crashes, %d crashes in recovery", len(crashes), again)
}

// check opens what the crash left: all that was acknowledged is there, in
// order, Appends are whole, and the journal goes on.
func (c crash) check(t *testing.T, open Open, groups []group) {
	t.Helper()
	j := open.mustSmall(t, c.world, c.when)
	got := stored(t, j)
	n := wholeGroups(got, groups)
	if n < 0 {
		t.Fatalf("%s: %d records, which is no prefix in whole appends", c.when, len(got))
	}
	if n < c.acked {
		t.Fatalf("%s: %d appends are left of %d acknowledged", c.when, n, c.acked)
	}
	if again := stored(t, j); hash(again) != hash(got) {
		t.Fatalf("%s: a second replay differs", c.when)
	}
	checkReserved(t, j, groups[:n])
	more := group{{Kind: 7, Body: []byte("after the crash")}, {Kind: 7, Body: []byte("and on")}}
	if err := j.Append(more...); err != nil {
		t.Fatalf("%s: append after recovery: %v", c.when, err)
	}
	must(t, j.Close())
	j = open.mustSmall(t, c.world.Restart(fake.KeepNone, 0), c.when)
	if again := stored(t, j); !same(again, append(got, more...)) {
		t.Fatalf("%s: %d records before, %d after another crash", c.when, len(got)+len(more), len(again))
	}
	must(t, j.Close())
}

// wholeGroups is how many Appends make up records, -1 when they do not begin
// with the script's; records of a later life at the end are not counted.
func wholeGroups(records []journal.Record, groups []group) int {
	at := 0
	for n, g := range groups {
		if at == len(records) || string(records[at].Body) == "after the crash" {
			return n
		}
		if at+len(g) > len(records) || !same(records[at:at+len(g)], g) {
			return -1
		}
		at += len(g)
	}
	return len(groups)
}

// runCrashConcurrent crashes while several callers append, so that batches hold
// more than one Append. What a crash leaves is a beginning of what the journal
// holds in the end.
func runCrashConcurrent(t *testing.T, open Open) {
	const callers, each = 6, 6
	w := fake.New(3)
	j := open.mustSmall(t, w, "new")
	var mu sync.Mutex
	acked := 0
	type moment struct {
		acked int
		world *fake.World
	}
	var moments []moment
	w.Disk.OnOp(func(op fake.Op) {
		mu.Lock() // first the count, then the clone: it holds at least those
		n := acked
		mu.Unlock()
		var here []moment
		for _, keep := range fake.Keeps() {
			here = append(here, moment{n, w.Restart(keep, uint64(op.K))})
		}
		mu.Lock() // a journal may ask the disk for two things at a time
		moments = append(moments, here...)
		mu.Unlock()
	})
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for i := range each {
				if err := j.Append(journal.Record{Kind: byte(c), Body: fmt.Appendf(nil, "%d of caller %d %200d", i, c, i)}); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				acked++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	w.Disk.OnOp(nil)
	final := stored(t, j)
	must(t, j.Close())
	for i, m := range moments {
		j := open.mustSmall(t, m.world, fmt.Sprintf("crash %d", i))
		got := stored(t, j)
		if len(got) < m.acked || len(got) > len(final) || !same(got, final[:len(got)]) {
			t.Fatalf("crash %d: %d records, %d acknowledged, or not a beginning of the %d", i, len(got), m.acked, len(final))
		}
		must(t, j.Close())
	}
}
