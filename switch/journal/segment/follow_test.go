// SPDX-License-Identifier: Apache-2.0

package segment_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/segment"
)

// note is a record as a reader saw it.
func note(seq uint64, r journal.Record) string {
	return fmt.Sprintf("%d %d %x %x", seq, r.Kind, r.Key, r.Body)
}

// A tail gives every record once, in order, over many segments and whatever
// lies between its calls; it opens only what is new.
func TestTailGoesOn(t *testing.T) {
	w := fake.New(3)
	j, err := segment.Open(w.Env(), segment.Config{Dir: "j", SegmentBytes: 8192, AppendMax: 2048})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	chance := rand.New(rand.NewPCG(3, 3))
	tail, seen := j.Tail(), []string{}
	follow := func() {
		t.Helper()
		err := tail.Follow(uint64(len(seen)), func(seq uint64, r journal.Record) error {
			seen = append(seen, note(seq, r))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for round := range 400 {
		var records []journal.Record
		for range 1 + chance.IntN(3) {
			records = append(records, journal.Record{Kind: byte(round), Key: []byte("key"), Body: make([]byte, 1+chance.IntN(400))})
		}
		if err := j.Append(records...); err != nil {
			t.Fatal(err)
		}
		if chance.IntN(3) == 0 {
			follow()
		}
	}
	follow()
	follow()
	var all []string
	if err := j.Replay(func(seq uint64, r journal.Record) error { all = append(all, note(seq, r)); return nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(seen, all) || uint64(len(all)) != tail.Last() {
		t.Fatalf("a tail saw %d records, a replay %d; the last is %d", len(seen), len(all), tail.Last())
	}
	opens := 0
	w.Disk.OnOp(func(op fake.Op) {
		if op.Kind == fake.OpOpen {
			opens++
		}
	})
	follow()
	if opens > 1 || j.Stats().Segments < 10 {
		t.Errorf("%d files opened for nothing new, of %d segments", opens, j.Stats().Segments)
	}
}

// After an error, and when asked for something else, a tail begins again.
func TestTailBeginsAgain(t *testing.T) {
	w := fake.New(4)
	j := small(t, w)
	defer j.Close()
	for i := range 9 {
		if err := j.Append(journal.Record{Kind: byte(i + 1), Key: []byte("k")}); err != nil {
			t.Fatal(err)
		}
	}
	tail, enough := j.Tail(), errors.New("enough")
	read := func(after uint64, upTo int) (got []byte, err error) {
		err = tail.Follow(after, func(_ uint64, r journal.Record) error {
			if got = append(got, r.Kind); len(got) == upTo {
				return enough
			}
			return nil
		})
		return got, err
	}
	if got, err := read(0, 4); !errors.Is(err, enough) || string(got) != "\x01\x02\x03\x04" {
		t.Errorf("%v %v", got, err)
	}
	if got, err := read(4, 0); err != nil || string(got) != "\x05\x06\x07\x08\x09" {
		t.Errorf("%v %v", got, err)
	}
	if got, err := read(7, 0); err != nil || string(got) != "\x08\x09" {
		t.Errorf("%v %v", got, err)
	}
}

// A purge takes segments away; a tail in front of them or behind goes on with
// what is left.
func TestTailOverCompact(t *testing.T) {
	w := fake.New(5)
	j := small(t, w)
	defer j.Close()
	fill(t, j, 30, "before")
	behind, front := j.Tail(), j.Tail()
	read := func(tail *segment.Tail, after uint64) (last, n uint64) {
		t.Helper()
		must(t, tail.Follow(after, func(seq uint64, _ journal.Record) error {
			if seq <= max(after, last) {
				t.Errorf("record %d after %d", seq, max(after, last))
			}
			last, n = seq, n+1
			return nil
		}))
		return last, n
	}
	if last, _ := read(behind, 0); last != 30 {
		t.Fatalf("read up to %d", last)
	}
	fill(t, j, 90, "between")
	if last, _ := read(front, 0); last != 120 {
		t.Fatalf("read up to %d", last)
	}
	done, err := j.Compact(100, func(seq uint64, _ journal.Record) bool { return seq%10 == 0 })
	must(t, err)
	if done.Dropped == 0 {
		t.Fatalf("nothing was purged: %+v", done)
	}
	fill(t, j, 5, "after")
	if last, n := read(front, 120); last != 125 || n != 5 {
		t.Errorf("in front: %d records up to %d", n, last)
	}
	if last, n := read(behind, 30); last != 125 || n >= 95 || n < 14 {
		t.Errorf("behind: %d records up to %d", n, last)
	}
}
