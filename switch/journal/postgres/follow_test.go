// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"tapswitch/switch/journal"
	"tapswitch/switch/journal/postgres"
)

// note is a record as a reader saw it.
func note(seq uint64, r journal.Record) string {
	return fmt.Sprintf("%d %d %x %x", seq, r.Kind, r.Key, r.Body)
}

// A tail gives every record once, in order, over many rows and whatever lies
// between its calls, its own connection's end included.
func TestTailGoesOn(t *testing.T) {
	j, err := open(t, "tail")
	must(t, err)
	chance := rand.New(rand.NewPCG(3, 3))
	tail, seen := j.Tail(), []string{}
	follow := func() error {
		return tail.Follow(uint64(len(seen)), func(seq uint64, r journal.Record) error {
			seen = append(seen, note(seq, r))
			return nil
		})
	}
	for round := range 300 {
		var records []journal.Record
		for range 1 + chance.IntN(3) {
			records = append(records, journal.Record{Kind: byte(round), Key: []byte("key"), Body: make([]byte, 1+chance.IntN(400)), Reserve: chance.IntN(100) - 50})
		}
		must(t, j.Append(records...))
		if chance.IntN(30) == 0 || round > 290 {
			must(t, follow())
		}
	}
	must(t, follow())
	query(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tapswitch journal'`)
	must(t, j.Append(journal.Record{Kind: 9}))
	if err := follow(); err == nil {
		t.Error("its connection was cut, and nobody noticed")
	}
	must(t, follow())
	must(t, follow())
	var all []string
	must(t, j.Replay(func(seq uint64, r journal.Record) error { all = append(all, note(seq, r)); return nil }))
	if !slices.Equal(seen, all) || uint64(len(all)) != tail.Last() {
		t.Fatalf("a tail saw %d records, a replay %d; the last is %d", len(seen), len(all), tail.Last())
	}
	must(t, errors.Join(tail.Close(), tail.Close(), j.Close()))
}

// After an error, and when asked for something else, a tail begins again, in the
// middle of a row too; a row that is not as it was written is named.
func TestTailBeginsAgain(t *testing.T) {
	j, err := open(t, "again")
	must(t, err)
	for i := range 3 {
		must(t, j.Append(journal.Record{Kind: byte(3*i + 1)}, journal.Record{Kind: byte(3*i + 2)}, journal.Record{Kind: byte(3*i + 3)}))
	}
	tail, enough := j.Tail(), errors.New("enough")
	read := func(after uint64, upTo int) (got string, err error) {
		n := 0
		err = tail.Follow(after, func(_ uint64, r journal.Record) error {
			got += fmt.Sprint(r.Kind)
			if n++; n == upTo {
				return enough
			}
			return nil
		})
		return got, err
	}
	for _, c := range []struct {
		after uint64
		upTo  int
		want  string
	}{{0, 4, "1234"}, {4, 0, "56789"}, {7, 0, "89"}, {9, 0, ""}, {3, 0, "456789"}, {2, 1, "3"}, {0, 0, "123456789"}} {
		if got, err := read(c.after, c.upTo); got != c.want || err != nil && (c.upTo == 0 || !errors.Is(err, enough)) {
			t.Errorf("behind %d: %s, %v; want %s", c.after, got, err, c.want)
		}
	}
	query(t, `UPDATE again.tapswitch_journal SET reserved = 1 WHERE first = 7`)
	var fault *postgres.Fault
	if got, err := read(3, 0); got != "456" || !errors.As(err, &fault) || fault.First != 7 {
		t.Errorf("a changed row: %s, %v", got, err)
	}
	query(t, `DELETE FROM again.tapswitch_journal WHERE first = 7`)
	if got, err := read(3, 0); got != "456" || !errors.As(err, &fault) || fault.First != 7 {
		t.Errorf("a missing row: %s, %v", got, err)
	}
	must(t, errors.Join(tail.Close(), j.Close()))
}

// A tail goes on over a purge of what it has read, and reads what was kept when it
// had not come so far.
func TestTailOverPurge(t *testing.T) {
	j, err := open(t, "purged")
	must(t, err)
	for i := range 9 {
		must(t, j.Append(journal.Record{Kind: byte(i + 1)}))
	}
	ahead, behind, late := j.Tail(), j.Tail(), j.Tail()
	read := func(tail *postgres.Tail, after uint64) (got string) {
		t.Helper()
		must(t, tail.Follow(after, func(_ uint64, r journal.Record) error { got += fmt.Sprint(r.Kind); return nil }))
		return got
	}
	if got := read(ahead, 0); got != "123456789" {
		t.Errorf("before the purge: %s", got)
	}
	enough := errors.New("enough")
	err = behind.Follow(0, func(seq uint64, _ journal.Record) error {
		if seq == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	c, err := j.Compact(7, func(seq uint64, _ journal.Record) bool { return seq%3 == 1 })
	must(t, err)
	must(t, j.Append(journal.Record{Kind: 10}))
	if c.Removed != 6 || query(t, `SELECT FROM purged.tapswitch_journal`) != 4 {
		t.Errorf("%+v", c)
	}
	for _, r := range []struct {
		tail  *postgres.Tail
		after uint64
		want  string
	}{{ahead, 9, "10"}, {behind, 2, "478910"}, {late, 0, "1478910"}, {late, 7, "8910"}, {late, 8, "910"}, {late, 6, "78910"}, {ahead, 10, ""}} {
		if got := read(r.tail, r.after); got != r.want {
			t.Errorf("behind %d: %s, want %s", r.after, got, r.want)
		}
	}
	_, err = j.Compact(8, func(seq uint64, _ journal.Record) bool { return seq == 4 })
	must(t, err)
	if got := read(late, 3); got != "48910" {
		t.Errorf("after a second purge: %s", got)
	}
	must(t, errors.Join(ahead.Close(), behind.Close(), late.Close(), j.Close()))
}

// A writer that was replaced removes nothing and puts nothing in the place of
// anything, although its statements arrive.
func TestReplacedWriterPurgesNothing(t *testing.T) {
	j, err := open(t, "purger")
	must(t, err)
	for i := range 9 {
		must(t, j.Append(journal.Record{Kind: byte(i + 1)}))
	}
	_, err = j.Compact(4, func(seq uint64, _ journal.Record) bool { return seq == 2 })
	must(t, err)
	query(t, `UPDATE purger.tapswitch_journal_state SET epoch = epoch + 1, writer = 'somebody else'`)
	query(t, `INSERT INTO purger.tapswitch_journal_kept SELECT 'of somebody else', place, chain, body FROM purger.tapswitch_journal_kept`)
	if _, err := j.Compact(8, func(seq uint64, _ journal.Record) bool { return true }); !errors.Is(err, postgres.ErrReplaced) {
		t.Errorf("%v", err)
	}
	if c, err := j.Compact(4, func(uint64, journal.Record) bool { return true }); err != nil || c != (journal.Compaction{}) {
		t.Errorf("nothing to do: %+v, %v", c, err)
	}
	if rows, kept := query(t, `SELECT FROM purger.tapswitch_journal`), query(t, `SELECT FROM purger.tapswitch_journal_kept`); rows != 6 || kept != 2 {
		t.Errorf("%d rows and %d kept rows are left", rows, kept)
	}
	must(t, ignore(j.Close(), journal.ErrBroken))
}
