// SPDX-License-Identifier: Apache-2.0

// Package journaltest is what every journal must pass.
//
// Promise: a store that passes keeps the contract of package journal on a disk
// that crashes at any operation, fails at any operation, fills up, or has any
// of its bytes changed.
//
// How: Run drives the store over the fake world. A script of Appends is known
// in advance; after every crash, fault or flip the store is opened again and
// what it replays is compared with the script and with what Append said.
//
// Imported by: the tests of the stores. Imports: journal, internal/env/fake.
package journaltest

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
)

// Setup is what a store is opened with.
type Setup struct {
	Env env.Env
	// OnBroken is to be called once when the store has failed for good.
	OnBroken func(error)
	// Small asks for the smallest files the store can have (some KiB) and for
	// Appends up to SmallAppend bytes on the disk; otherwise records up to the
	// bounds of the contract must fit.
	Small bool
}

// SmallAppend is the most that an Append takes in the tests with small files.
const SmallAppend = 768

// Open makes the store under test. It may also have Reserved() int64, the room
// outstanding, which is then compared with the sum of what is stored.
type Open func(Setup) (journal.Journal, error)

// Run is the whole suite.
func Run(t *testing.T, open Open) {
	t.Run("contract", func(t *testing.T) { runContract(t, open) })
	t.Run("concurrent", func(t *testing.T) { runConcurrent(t, open) })
	t.Run("crash", func(t *testing.T) { runCrash(t, open) })
	t.Run("crash-concurrent", func(t *testing.T) { runCrashConcurrent(t, open) })
	t.Run("fault", func(t *testing.T) { runFaults(t, open) })
	t.Run("fault-pairs", func(t *testing.T) { runFaultPairs(t, open) })
	t.Run("fault-concurrent", func(t *testing.T) { runFaultsConcurrent(t, open) })
	t.Run("syncs-fail", func(t *testing.T) { runSyncsFail(t, open) })
	t.Run("replay-fault", func(t *testing.T) { runReplayFaults(t, open) })
	t.Run("corrupt", func(t *testing.T) { runCorrupt(t, open) })
	t.Run("full", func(t *testing.T) { runFull(t, open) })
}

// group is the records of one Append.
type group []journal.Record

// script makes n Appends that depend on seed alone. Each record says in its
// body which it is.
func script(seed uint64, n int) []group {
	r := rand.New(rand.NewPCG(seed, 2))
	groups := make([]group, n)
	for i := range groups {
		for k := range 1 + r.IntN(3) {
			body := fmt.Appendf(nil, "append %d record %d ", i, k)
			for range r.IntN(110) {
				body = append(body, byte(r.Uint32()))
			}
			groups[i] = append(groups[i], journal.Record{
				Kind: byte(1 + r.IntN(5)), Key: fmt.Appendf(nil, "key-%d", i), Body: body, Reserve: r.IntN(60),
			})
		}
		if i%3 == 2 {
			groups[i][0].Reserve = -40
		}
	}
	return groups
}

// stored is everything that a journal replays.
func stored(t *testing.T, j journal.Journal) []journal.Record {
	t.Helper()
	var all []journal.Record
	err := j.Replay(func(seq uint64, r journal.Record) error {
		if seq != uint64(len(all)+1) {
			return fmt.Errorf("record %d where %d is next", seq, len(all)+1)
		}
		all = append(all, copyOf(r))
		return nil
	})
	if err != nil {
		t.Fatalf("replay: %v", err)
	}
	return all
}

// copyOf is r with slices of its own.
func copyOf(r journal.Record) journal.Record {
	return journal.Record{Kind: r.Kind, Key: append([]byte{}, r.Key...), Body: append([]byte{}, r.Body...), Reserve: r.Reserve}
}

// hash is one value for a list of records.
func hash(records []journal.Record) [32]byte {
	h := sha256.New()
	for _, r := range records {
		for _, n := range []int64{int64(r.Kind), int64(len(r.Key)), int64(len(r.Body)), int64(r.Reserve)} {
			binary.Write(h, binary.BigEndian, n)
		}
		h.Write(r.Key)
		h.Write(r.Body)
	}
	return [32]byte(h.Sum(nil))
}

func same(a, b []journal.Record) bool { return hash(a) == hash(b) }

// flat is the records of some Appends in a row.
func flat(groups []group) []journal.Record {
	var all []journal.Record
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

// checkReserved compares the store's own sum with that of its records.
func checkReserved(t *testing.T, j journal.Journal, groups []group) {
	t.Helper()
	r, ok := j.(interface{ Reserved() int64 })
	if !ok {
		return
	}
	sum := int64(0)
	for _, g := range groups {
		net := int64(0)
		for _, rec := range g {
			net += int64(rec.Reserve)
		}
		sum = max(0, sum+net)
	}
	if r.Reserved() != sum {
		t.Fatalf("reserved %d, the records say %d", r.Reserved(), sum)
	}
}

// small opens a small store over a world.
func (open Open) small(w *fake.World) (journal.Journal, error) {
	return open(Setup{Env: w.Env(), OnBroken: func(error) {}, Small: true})
}

func (open Open) mustSmall(t *testing.T, w *fake.World, when string) journal.Journal {
	t.Helper()
	j, err := open.small(w)
	if err != nil {
		t.Fatalf("%s: open: %v", when, err)
	}
	return j
}

// nothingWritten says whether an error of Append promises that.
func nothingWritten(err error) bool {
	return errors.Is(err, journal.ErrFull) || errors.Is(err, journal.ErrBusy) || errors.Is(err, journal.ErrTooBig)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
