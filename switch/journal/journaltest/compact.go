// SPDX-License-Identifier: Apache-2.0

package journaltest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
)

// compacter is a store that can remove records.
type compacter interface {
	journal.Journal
	journal.Compacter
}

// Lives appends n payments of three records; those with an even number are over.
func Lives(t *testing.T, j journal.Journal, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		key := []byte{byte(i)}
		must(t, j.Append(journal.Record{Kind: 1, Key: key, Body: fmt.Appendf(nil, "intent %60d", i), Reserve: 300},
			journal.Record{Kind: 8, Key: key, Body: []byte("beside it"), Reserve: 40}))
		if i%2 == 0 {
			must(t, j.Append(journal.Record{Kind: 2, Key: key, Body: fmt.Appendf(nil, "outcome %60d", i), Reserve: -340}))
		}
	}
}

// Living keeps the payments that are not over, but not what stands beside them.
func Living(_ uint64, r journal.Record) bool { return r.Key[0]%2 == 1 && r.Kind == 1 }

// numbered is a record with its number, as a reader saw it.
type numbered struct {
	seq    uint64
	stays  bool
	record string
}

// all is what a journal replays.
func all(t *testing.T, j journal.Replayer, when string) (got []numbered) {
	t.Helper()
	err := j.Replay(func(seq uint64, r journal.Record) error {
		got = append(got, numbered{seq, Living(seq, r), fmt.Sprintf("%d %x %s %d", r.Kind, r.Key, r.Body, r.Reserve)})
		return nil
	})
	if err != nil {
		t.Fatalf("%s: replay: %v", when, err)
	}
	return got
}

// left is what is left of some records when those below before are removed.
func left(from []numbered, before uint64) []numbered {
	return slices.DeleteFunc(slices.Clone(from), func(n numbered) bool { return n.seq < before && !n.stays })
}

// compacting opens a place for a test that removes records.
func compacting(t *testing.T, r Remote, place string, network env.Network, when string) compacter {
	t.Helper()
	return at(r, place, network).mustSmall(t, nowhere(), when).(compacter)
}

// runCompact removes, appends, removes again over what was carried forward, and
// reads everything beside it and after a restart.
func runCompact(t *testing.T, r Remote) {
	const place = "compact"
	j := compacting(t, r, place, env.Real().Net, "new")
	if c, err := j.Compact(math.MaxUint64, Living); err != nil || c != (journal.Compaction{}) {
		t.Fatalf("an empty journal: %+v, %v", c, err)
	}
	Lives(t, j, 0, 30)
	before := all(t, j, "before")
	checkReserve(t, j, 15*340)
	first, err := j.ClosedBelow(22) // 21 and 22 are one append
	must(t, err)
	c, err := j.Compact(first, Living)
	must(t, err)
	want := left(before, first)
	if got := all(t, j, "after"); first != 21 || !slices.Equal(got, want) || c.Kept != 4 || c.Dropped != 16 || c.Removed != 12 || c.Freed <= 0 {
		t.Fatalf("below %d: %+v\n%v\nwant\n%v", first, c, got, want)
	}
	checkReserve(t, j, 11*340+4*300)
	if again, err := j.Compact(first, Living); err != nil || again != (journal.Compaction{}) {
		t.Fatalf("again: %+v, %v", again, err)
	}
	if n, err := j.ClosedBelow(first - 1); err != nil || n != 0 {
		t.Errorf("below what was carried forward: %d, %v", n, err)
	}
	Lives(t, j, 30, 10)
	before = all(t, j, "with more")
	_, err = j.Compact(math.MaxUint64, Living) // to the very end
	must(t, err)
	want = left(before, math.MaxUint64)
	if got := all(t, j, "to the end"); !slices.Equal(got, want) {
		t.Fatalf("to the end:\n%v\nwant\n%v", got, want)
	}
	for range 2 { // over nothing but what was carried forward, and over more
		must(t, j.Close())
		j = compacting(t, r, place, env.Real().Net, "restarted")
		if got := all(t, j, "after a restart"); !slices.Equal(got[:len(want)], want) {
			t.Fatalf("after a restart:\n%v\nwant\n%v", got, want)
		}
		Lives(t, j, 40, 1)
	}
	checkReserve(t, j, 20*300)
	must(t, j.Close())
}

// checkReserve compares the room outstanding with what it must be.
func checkReserve(t *testing.T, j journal.Journal, want int64) {
	t.Helper()
	if r, ok := j.(interface{ Reserved() int64 }); ok && r.Reserved() != want {
		t.Fatalf("reserved %d, want %d", r.Reserved(), want)
	}
}

// harm is what happens to a network operation of a compaction.
type harm struct {
	name    string
	forGood bool
	before  func() error // done to the server
	stride  int
}

// runCompactHarmed does harm to every operation of a compaction, at one place, which
// grows and is compacted on. The journal is as it was or compacted, whoever opens
// it next finds the same, and it goes on.
func runCompactHarmed(t *testing.T, r Remote, h harm) {
	place, failed, undone, done := "compact-"+h.name, 0, 0, 0
	for k := 1; ; k += h.stride {
		n := newLossy(math.MaxInt, h.forGood)
		n.before = h.before
		j := compacting(t, r, place, n, "before it")
		Lives(t, j, 0, 6)
		was := all(t, j, "before it")
		n.arm(k)
		c, err := j.Compact(math.MaxUint64, Living)
		hit := n.disarm()
		when := fmt.Sprintf("network operation %d of a compaction (%s): %+v, %v", k, hit, c, err)
		is := left(was, math.MaxUint64)
		alive := j.Append(journal.Record{Kind: 3, Key: []byte{2}, Body: []byte("behind it")})
		if alive != nil && !h.forGood && h.before == nil {
			t.Fatalf("%s: and the next append: %v", when, alive)
		}
		_ = j.Close() // it says what the append said
		next := compacting(t, r, place, env.Real().Net, when)
		got := all(t, next, when)
		if alive == nil {
			got = got[:len(got)-1]
		}
		switch {
		case slices.Equal(got, is):
			done++
		case err == nil || !slices.Equal(got, was):
			t.Fatalf("%s: neither before nor after:\n%v", when, got)
		default:
			undone++
		}
		Lives(t, next, 60, 1)
		must(t, next.Close())
		if hit == "" {
			if err != nil {
				t.Fatal(when)
			}
			break
		}
		failed++
	}
	t.Logf("%d operations; after %d it was compacted, after %d not", failed, done, undone)
	if undone == 0 || done < 2 {
		t.Error("one of the two was never seen")
	}
}

// runCompactUnderLoad compacts while callers append: what they appended is there.
func runCompactUnderLoad(t *testing.T, r Remote) {
	const callers, each = 4, 40
	j := compacting(t, r, "compact-load", env.Real().Net, "new")
	var group sync.WaitGroup
	for c := range callers {
		group.Go(func() {
			for i := range each {
				if err := j.Append(journal.Record{Kind: byte(c), Key: []byte{byte(c)}, Body: fmt.Appendf(nil, "%100d", i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	notZero := func(_ uint64, r journal.Record) bool { return r.Kind != 0 }
	group.Go(func() {
		for range 10 {
			if _, err := j.Compact(math.MaxUint64, notZero); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
	_, err := j.Compact(math.MaxUint64, notZero)
	must(t, err)
	must(t, j.Close())
	j = compacting(t, r, "compact-load", env.Real().Net, "restarted")
	count := map[byte]int{}
	must(t, j.Replay(func(_ uint64, r journal.Record) error { count[r.Kind]++; return nil }))
	for c := byte(1); c < callers; c++ {
		if count[c] != each {
			t.Errorf("caller %d: %d records", c, count[c])
		}
	}
	if count[0] != 0 {
		t.Errorf("%d records are left that nobody keeps", count[0])
	}
	must(t, j.Close())
}

// runCompactBesideReplay: nothing that somebody reads is removed under his eyes, and
// an error of who decides changes nothing.
func runCompactBesideReplay(t *testing.T, r Remote) {
	j := compacting(t, r, "compact-beside", env.Real().Net, "new")
	Lives(t, j, 0, 40)
	before, seen := all(t, j, "before"), 0
	must(t, j.Replay(func(seq uint64, _ journal.Record) error {
		if seen++; seen == 3 {
			if _, err := j.Compact(50, Living); err != nil {
				return err
			}
			Lives(t, j, 40, 1)
		}
		return nil
	}))
	if seen != len(before) {
		t.Fatalf("%d of %d records", seen, len(before))
	}
	var inner error
	_, err := j.Compact(math.MaxUint64, func(seq uint64, r journal.Record) bool {
		if inner == nil {
			_, inner = j.Compact(math.MaxUint64, Living)
		}
		return Living(seq, r)
	})
	if must(t, err); !errors.Is(inner, journal.ErrBusy) {
		t.Errorf("two at a time: %v", inner)
	}
	must(t, j.Close())
}
