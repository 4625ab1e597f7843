// SPDX-License-Identifier: Apache-2.0

package journaltest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
)

// fate is what Append said about one Append of the script.
type fate int

const (
	never   fate = iota // not tried, or refused with nothing written
	unknown             // failed otherwise: it may be there
	durable             // nil
)

// run opens the store and appends the script from the first Append that was
// not tried. It stops at the first failure that leaves the outcome open.
func (open Open) run(t *testing.T, w *fake.World, groups []group, fates *[]fate) error {
	t.Helper()
	broken := 0
	j, err := open(Setup{Env: w.Env(), OnBroken: func(error) { broken++ }, Small: true})
	if err != nil {
		return err
	}
	defer j.Close() // the error is the one that Append gave
	for len(*fates) < len(groups) {
		err := j.Append(groups[len(*fates)]...)
		switch {
		case err == nil:
			*fates = append(*fates, durable)
			continue
		case nothingWritten(err):
			*fates = append(*fates, never)
			continue
		case !errors.Is(err, journal.ErrUnknown) && !errors.Is(err, journal.ErrBroken):
			t.Fatalf("an error the contract does not know: %v", err)
		}
		*fates = append(*fates, unknown)
		if broken != 1 {
			t.Fatalf("OnBroken was called %d times for %v", broken, err)
		}
		if again := j.Append(groups[0]...); !errors.Is(again, journal.ErrBroken) {
			t.Fatalf("append after %v: %v", err, again)
		}
		return err
	}
	if err := j.Close(); err != nil {
		return err
	}
	return nil
}

// checkFates compares what is stored with what Append said. The world is
// opened, crashed and opened again: what was replayed once stays.
func (open Open) checkFates(t *testing.T, w *fake.World, when string, groups []group, fates []fate) {
	t.Helper()
	j := open.mustSmall(t, w, when)
	got := stored(t, j)
	compare(t, when, got, groups, fates)
	crashed := w.Restart(fake.KeepNone, 0)
	again := stored(t, open.mustSmall(t, crashed, when))
	if !same(got, again) {
		t.Fatalf("%s: %d records were replayed, after a crash %d are left", when, len(got), len(again))
	}
	must(t, j.Close())
}

// runFaults fails every operation once.
func runFaults(t *testing.T, open Open) {
	groups := script(4, 20)
	for k := 1; ; k++ {
		w := fake.New(4)
		w.Disk.FailAt(k, syscall.EIO)
		var fates []fate
		err := open.run(t, w, groups, &fates)
		when := fmt.Sprintf("fault at operation %d (%v)", k, err)
		for _, keep := range fake.Keeps() {
			open.checkFates(t, w.Restart(keep, uint64(k)), fmt.Sprintf("%s, crash, %v kept", when, keep), groups, fates)
		}
		done := w.Disk.Ops() < k
		w.Disk.FailAt(k, nil)
		// A restart without a crash sees what the page cache shows.
		open.checkFates(t, w, when+", restart", groups, fates)
		if done {
			t.Logf("%d operations failed", k-1)
			return
		}
	}
}

// runFaultPairs fails one operation, restarts, and fails another.
func runFaultPairs(t *testing.T, open Open) {
	groups := script(5, 6)
	pairs := 0
	for k, done := 1, false; !done; k++ {
		for i := 1; ; i++ {
			w := fake.New(5)
			w.Disk.FailAt(k, syscall.EIO)
			var fates []fate
			first := open.run(t, w, groups, &fates)
			if done = w.Disk.Ops() < k; done {
				break
			}
			next := w
			if (k+i)%2 == 0 {
				next = w.Restart(fake.KeepHalf, uint64(k*1000+i))
			}
			last := next.Disk.Ops() + i
			next.Disk.FailAt(last, syscall.EIO)
			second := open.run(t, next, groups, &fates)
			hit := next.Disk.Ops() >= last
			next.Disk.FailAt(last, nil)
			when := fmt.Sprintf("fault at operation %d (%v), then %d (%v)", k, first, i, second)
			open.checkFates(t, next.Restart(fake.KeepHalf, uint64(i)), when, groups, fates)
			pairs++
			if !hit {
				break
			}
		}
	}
	t.Logf("%d pairs", pairs)
}

// runFaultsConcurrent fails every operation while several callers append, so
// that the batch that is hit holds more than one Append. What was acknowledged
// is there, what was refused is not, and of a batch that was open no Append is
// there in part.
func runFaultsConcurrent(t *testing.T, open Open) {
	const callers, each = 4, 5
	for k := 1; ; k++ {
		w := fake.New(8)
		w.Disk.FailAt(k, syscall.EIO)
		fates := make([][]fate, callers)
		j, err := open.small(w)
		if err == nil {
			var all sync.WaitGroup
			for c := range callers {
				all.Go(func() {
					for i := range each {
						fates[c] = append(fates[c], fateOf(t, j.Append(pair(c, i)...)))
					}
				})
			}
			all.Wait()
			err = j.Close()
		}
		done := w.Disk.Ops() < k
		for _, keep := range fake.Keeps() {
			when := fmt.Sprintf("fault at operation %d (%v), crash, %v kept", k, err, keep)
			j := open.mustSmall(t, w.Restart(keep, uint64(k)), when)
			checkPairs(t, when, stored(t, j), fates)
			must(t, j.Close())
		}
		if done {
			t.Logf("%d operations failed", k-1)
			return
		}
	}
}

// pair is the i-th Append of a caller.
func pair(caller, i int) group {
	return group{
		{Kind: byte(caller), Key: []byte{byte(i)}, Body: fmt.Appendf(nil, "first %90d", i)},
		{Kind: byte(caller), Key: []byte{byte(i)}, Body: fmt.Appendf(nil, "second %90d", i)},
	}
}

// fateOf reads what Append said.
func fateOf(t *testing.T, err error) fate {
	switch {
	case err == nil:
		return durable
	case nothingWritten(err):
		return never
	case errors.Is(err, journal.ErrUnknown), errors.Is(err, journal.ErrBroken):
		return unknown
	}
	t.Errorf("an error the contract does not know: %v", err)
	return unknown
}

// checkPairs compares what is stored with what the callers were told.
func checkPairs(t *testing.T, when string, got []journal.Record, fates [][]fate) {
	t.Helper()
	next := make([]int, len(fates))
	for at := 0; at < len(got); at += 2 {
		c := int(got[at].Kind)
		if c >= len(fates) || at+2 > len(got) {
			t.Fatalf("%s: record %d is nobody's, or half an append", when, at)
		}
		i := int(got[at].Key[0])
		if i < next[c] || i >= len(fates[c]) || !same(got[at:at+2], pair(c, i)) {
			t.Fatalf("%s: record %d is not append %d of caller %d", when, at, next[c], c)
		}
		if fates[c][i] == never {
			t.Fatalf("%s: append %d of caller %d was refused and is there", when, i, c)
		}
		mustBeMissing(t, when, c, next[c], fates[c][next[c]:i])
		next[c] = i + 1
	}
	for c, f := range fates {
		mustBeMissing(t, when, c, next[c], f[next[c]:])
	}
}

// mustBeMissing refuses that an acknowledged Append is not there.
func mustBeMissing(t *testing.T, when string, caller, from int, fates []fate) {
	t.Helper()
	if i := slices.Index(fates, durable); i >= 0 {
		t.Fatalf("%s: append %d of caller %d was acknowledged and is not there", when, from+i, caller)
	}
}

// runSyncsFail lets every sync fail from a moment on: nothing is acknowledged
// any more, and the journal says once that it is broken.
func runSyncsFail(t *testing.T, open Open) {
	groups := script(9, 12)
	for good := range len(groups) {
		w := fake.New(9)
		var broken []error
		j, err := open(Setup{Env: w.Env(), OnBroken: func(err error) { broken = append(broken, err) }, Small: true})
		must(t, err)
		for _, g := range groups[:good] {
			must(t, j.Append(g...))
		}
		w.Disk.FailSyncs(syscall.EIO)
		for _, g := range groups[good:] {
			if err := j.Append(g...); !errors.Is(err, journal.ErrBroken) && !errors.Is(err, journal.ErrUnknown) {
				t.Fatalf("after %d appends no sync works, and an append says %v", good, err)
			}
		}
		if len(broken) != 1 || !errors.Is(broken[0], journal.ErrBroken) {
			t.Fatalf("OnBroken got %v", broken)
		}
		w = w.Restart(fake.KeepNone, 0)
		if got := stored(t, open.mustSmall(t, w, "syncs failed")); !same(got, flat(groups[:good])) {
			t.Fatalf("%d records after %d appends and failed syncs", len(got), good)
		}
	}
}

// runReplayFaults fails every operation of a replay: it says so, or it gives
// everything. What it gave before is a beginning of what is stored.
func runReplayFaults(t *testing.T, open Open) {
	groups := script(10, 20)
	w := fake.New(10)
	j := open.mustSmall(t, w, "new")
	for _, g := range groups {
		must(t, j.Append(g...))
	}
	want := flat(groups)
	for k := 1; ; k++ {
		at := w.Disk.Ops() + k
		w.Disk.FailAt(at, syscall.EIO)
		var got []journal.Record
		err := j.Replay(func(_ uint64, r journal.Record) error {
			got = append(got, copyOf(r))
			return nil
		})
		hit := w.Disk.Ops() >= at
		w.Disk.FailAt(at, nil)
		if len(got) > len(want) || !same(got, want[:len(got)]) || err == nil && len(got) != len(want) {
			t.Fatalf("operation %d of a replay failed: %d of %d records, %v", k, len(got), len(want), err)
		}
		if hit && err == nil {
			t.Fatalf("operation %d of a replay failed and nobody said so", k)
		}
		if !hit {
			t.Logf("%d operations failed", k-1)
			break
		}
	}
	must(t, j.Append(groups[0]...))
	must(t, j.Close())
}
