// SPDX-License-Identifier: Apache-2.0

package journaltest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
)

// Remote is a store behind a network. It has places, each of which is a journal
// of its own.
type Remote interface {
	// Open opens the journal at a place; one that is new is empty.
	Open(place string, s Setup) (journal.Journal, error)
	// Crash ends the server as a loss of power does, and starts it again.
	Crash() error
	// Damages are all ways to change what is stored at a place.
	Damages(place string) ([]Damage, error)
}

// Damage is one change behind everybody's back.
type Damage struct {
	What  string
	Named string // a refusal must hold this text
	Do    func() error
	Undo  func() error
}

// RunRemote is the suite for a store behind a network: the same contract, and in
// place of the disk its connections break and its server crashes.
func RunRemote(t *testing.T, r Remote) {
	t.Run("contract", func(t *testing.T) { runContract(t, at(r, "contract", env.Real().Net)) })
	t.Run("concurrent", func(t *testing.T) { runConcurrent(t, at(r, "concurrent", env.Real().Net)) })
	t.Run("break", func(t *testing.T) { runBreaks(t, r, false) })
	t.Run("gone", func(t *testing.T) { runBreaks(t, r, true) })
	t.Run("gone-pairs", func(t *testing.T) { runGonePairs(t, r) })
	t.Run("break-concurrent", func(t *testing.T) { runBreaksConcurrent(t, r) })
	t.Run("crash", func(t *testing.T) { runServerCrashes(t, r) })
	t.Run("corrupt", func(t *testing.T) { runDamages(t, r, "corrupt", func(journal.Journal) error { return nil }, "") })
}

// RunRemoteCompact is the suite for a store behind a network that is a
// journal.Compacter.
func RunRemoteCompact(t *testing.T, r Remote) {
	t.Run("compact", func(t *testing.T) { runCompact(t, r) })
	t.Run("load", func(t *testing.T) { runCompactUnderLoad(t, r) })
	t.Run("beside", func(t *testing.T) { runCompactBesideReplay(t, r) })
	for _, h := range []harm{{name: "break", stride: 1}, {name: "gone", forGood: true, stride: 2}, {name: "crash", before: r.Crash, stride: 3}} {
		t.Run(h.name, func(t *testing.T) { runCompactHarmed(t, r, h) })
	}
	t.Run("corrupt", func(t *testing.T) {
		runDamages(t, r, "corrupt-kept", func(j journal.Journal) error {
			_, err := j.(compacter).Compact(6, func(seq uint64, _ journal.Record) bool { return true })
			return err
		}, "kept")
	})
}

// at opens the journal at one place, over one network.
func at(r Remote, place string, network env.Network) Open {
	return func(s Setup) (journal.Journal, error) {
		s.Env = env.Real()
		s.Env.Net = network
		return r.Open(place, s)
	}
}

// nowhere is the world of a store that does not ask for one.
func nowhere() *fake.World { return fake.New(0) }

// compare holds what is stored against what Append said.
func compare(t *testing.T, when string, got []journal.Record, groups []group, fates []fate) {
	t.Helper()
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
}

// reopened is what a place holds for who opens it over a good network.
func reopened(t *testing.T, r Remote, place, when string) []journal.Record {
	t.Helper()
	j := at(r, place, env.Real().Net).mustSmall(t, nowhere(), when)
	got := stored(t, j)
	must(t, j.Close())
	return got
}

// runBreaks fails every operation of the network once, at a new place each time,
// or from then on, at one place. Once: whoever appends gets its answer all the
// same, since the store finds out. From then on: the answer is unknown, and the
// store stops.
func runBreaks(t *testing.T, r Remote, forGood bool) {
	groups := script(11, 6)
	opening, unknowns, base := 0, 0, 0
	for k := 1; ; k++ {
		place := fmt.Sprintf("break-%d", k)
		if forGood {
			place = "gone"
		}
		n := newLossy(k, forGood)
		var fates []fate
		err := at(r, place, n).run(t, nowhere(), groups, &fates)
		when := fmt.Sprintf("network operation %d (%s) failed (%v)", k, n.failed, err)
		switch {
		case len(fates) == 0 && err != nil:
			opening++
		case err != nil && !forGood:
			t.Fatalf("%s: the server was there again, and nobody asked it", when)
		case err != nil:
			unknowns++
		}
		got := reopened(t, r, place, when)
		compare(t, when, got[base:], groups, fates)
		if forGood {
			base = len(got)
		}
		if n.failed == "" {
			t.Logf("%d operations failed, %d of them while opening; %d answers unknown", k-1, opening, unknowns)
			break
		}
	}
	if forGood && unknowns == 0 {
		t.Error("no answer was ever unknown")
	}
}

// runGonePairs loses the network twice, with a new process in between.
func runGonePairs(t *testing.T, r Remote) {
	const stride, place = 7, "pairs"
	groups := script(12, 5)
	pairs, base := 0, 0
	for k, done := 1, false; !done; k += stride {
		for i := 1 + k%stride; ; i += stride {
			var fates []fate
			first, second := newLossy(k, true), newLossy(i, true)
			err := at(r, place, first).run(t, nowhere(), groups, &fates)
			if done = first.failed == ""; done {
				break // what it appended is nobody's business
			}
			err2 := at(r, place, second).run(t, nowhere(), groups, &fates)
			when := fmt.Sprintf("network gone at operation %d (%v), then at %d (%v)", k, err, i, err2)
			got := reopened(t, r, place, when)
			compare(t, when, got[base:], groups, fates)
			base = len(got)
			pairs++
			if second.failed == "" {
				break
			}
		}
	}
	t.Logf("%d pairs", pairs)
}

// runBreaksConcurrent breaks connections while several callers append.
func runBreaksConcurrent(t *testing.T, r Remote) {
	const callers, each, place = 4, 5, "many"
	base := 0
	for k := 1; ; k++ {
		n := newLossy(k, k%2 == 0)
		fates := make([][]fate, callers)
		j, err := at(r, place, n).small(nowhere())
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
		when := fmt.Sprintf("network operation %d (%s) failed (%v)", k, n.failed, err)
		got := reopened(t, r, place, when)
		checkPairs(t, when, got[base:], fates)
		base = len(got)
		if n.failed == "" {
			t.Logf("%d operations failed", k-1)
			return
		}
	}
}

// runServerCrashes takes the power from the server before operations of the
// network: what was acknowledged is there, and the switch goes on by itself.
func runServerCrashes(t *testing.T, r Remote) {
	const stride, place = 5, "crash"
	groups := script(13, 5)
	crashes, base := 0, 0
	for k := 2; ; k += stride {
		n := newLossy(k, false)
		n.before = r.Crash
		var fates []fate
		err := at(r, place, n).run(t, nowhere(), groups, &fates)
		when := fmt.Sprintf("server crashed before network operation %d (%v)", k, err)
		if err != nil && len(fates) > 0 {
			t.Fatalf("%s: it was there again, and nobody asked it", when)
		}
		must(t, r.Crash())
		got := reopened(t, r, place, when)
		compare(t, when, got[base:], groups, fates)
		base = len(got)
		if n.failed == "" {
			break
		}
		crashes++
	}
	t.Logf("%d crashes", crashes)
}

// runDamages changes what is stored, in every way that the store names: the
// journal is refused and the place named, or everything is there. Before that it
// does something with the journal; only damages whose text has what are done.
func runDamages(t *testing.T, r Remote, place string, before func(journal.Journal) error, what string) {
	groups := script(14, 5)
	open := at(r, place, env.Real().Net)
	j := open.mustSmall(t, nowhere(), "new")
	for _, g := range groups {
		must(t, j.Append(g...))
	}
	must(t, errors.Join(before(j), j.Close()))
	damages, err := r.Damages(place)
	must(t, err)
	damages = slices.DeleteFunc(damages, func(d Damage) bool { return !strings.Contains(d.What, what) })
	for _, d := range damages {
		must(t, d.Do())
		j, err := open.small(nowhere())
		if !errors.Is(err, journal.ErrCorrupt) || !strings.Contains(err.Error(), d.Named) {
			t.Errorf("%s: opened with %v; the refusal must name %q", d.What, err, d.Named)
		}
		if err == nil {
			must(t, j.Close())
		}
		must(t, d.Undo())
	}
	if got := reopened(t, r, place, "undamaged"); !same(got, flat(groups)) {
		t.Errorf("%d records after the damages were undone", len(got))
	}
	t.Logf("%d damages", len(damages))
}
