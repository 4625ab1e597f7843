// SPDX-License-Identifier: Apache-2.0

package journaltest

import (
	"errors"
	"fmt"
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
	at := 0
	for i, f := range fates {
		g := groups[i]
		here := at+len(g) <= len(got) && same(got[at:at+len(g)], g)
		if here && f == never {
			t.Fatalf("%s: append %d was refused and is there", when, i)
		}
		if !here && f == durable {
			t.Fatalf("%s: append %d was acknowledged and is not there", when, i)
		}
		if here {
			at += len(g)
		}
	}
	if at != len(got) {
		t.Fatalf("%s: %d records that nobody appended", when, len(got)-at)
	}
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
