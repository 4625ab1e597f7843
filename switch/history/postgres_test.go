// SPDX-License-Identifier: Apache-2.0

package history

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
)

// cut ends every connection to the database, as the death of its process does.
func cut(t *testing.T) {
	t.Helper()
	statement(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tapswitch history'`)
}

// TestCrashPointsPostgres cuts the writer's connections after every record, in the
// middle of a batch and between two, now and then with the server killed: the history
// goes on from there to the same answers as one made anew in a file.
func TestCrashPointsPostgres(t *testing.T) {
	j := lives(1, 8)
	want := rebuilt(t, j)
	for _, batch := range []int{1, 3} {
		for last := uint64(1); last <= j.Last(); last++ {
			name := freshSchema()
			w := NewWriter(Config{At: at(t, name), Batch: batch}, env.Real(), j)
			p, closers, err := w.open()
			must(t, err)
			must(t, j.Follow(0, func(seq uint64, r journal.Record) error {
				if seq > last {
					return nil
				}
				return p.take(seq, r)
			}))
			if last%20 == 0 {
				must(t, errors.Join(server.Crash(), server.Up()))
			} else {
				cut(t)
			}
			_ = p.abandon()
			for _, c := range closers {
				_ = c.Close()
			}
			must(t, catchUp(t, name, j, 5))
			if got := answers(t, name); got != want {
				t.Fatalf("batches of %d, cut after record %d: other answers than a rebuild\n%s\n%s", batch, last, got, want)
			}
		}
	}
}

// A server that would forget what it acknowledged is refused.
func TestServerThatForgets(t *testing.T) {
	j, name := lives(2, 3), freshSchema()
	must(t, errors.Join(server.Down(), server.Up("fsync=off")))
	err := catchUp(t, name, j, 10)
	must(t, errors.Join(server.Down(), server.Up()))
	if err == nil || !strings.Contains(err.Error(), "fsync = on") {
		t.Errorf("%v", err)
	}
}

// A writer whose connections break tells of it and goes on.
func TestServerGoneForAWhile(t *testing.T) {
	j, name, world := &pages{}, freshSchema(), env.Real()
	all := lives(3, 60)
	troubles := 0
	w := NewWriter(Config{At: at(t, name), Batch: 7, Pause: time.Millisecond, Retry: 10 * time.Millisecond, Trouble: func(error) { troubles++ }}, world, j)
	ended, done := world.Waits.NewEvent(), make(chan struct{})
	go func() { defer close(done); w.Run(ended) }()
	for i, r := range all.all {
		j.add(r)
		if i%40 == 20 {
			cut(t)
		}
	}
	for end := time.Now().Add(20 * time.Second); w.Status() != (Status{Up: true}); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not catch up: %+v", w.Status())
		}
	}
	cut(t)
	j.add(record.Tombstone(payment(999).Key))
	ended.Wake()
	<-done
	if troubles == 0 {
		t.Error("nobody was told")
	}
	must(t, catchUp(t, name, j, 100))
	if answers(t, name) != rebuilt(t, j) {
		t.Error("other answers than a rebuild")
	}
}

// Two writers, the lock of one lost with its connection: what both write is written
// once, and the second to commit is refused.
func TestLockLost(t *testing.T) {
	j, name := lives(4, 20), freshSchema()
	first := NewWriter(Config{At: at(t, name), Batch: 1000}, env.Real(), j)
	p, closers, err := first.open()
	must(t, err)
	must(t, p.take(1, j.all[0]))
	statement(t, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`)
	must(t, catchUp(t, name, &pages{all: j.all[:0]}, 100)) // the lock is free: somebody else writes here now
	statement(t, `UPDATE `+quoted(strings.TrimPrefix(name, inSchema))+`.progress SET seq = 7`)
	if err := p.commit(); err == nil || !strings.Contains(err.Error(), "somebody else has written") {
		t.Errorf("%v", err)
	}
	must(t, p.abandon())
	for _, c := range closers {
		_ = c.Close() // the lock's is gone
	}
	statement(t, `UPDATE `+quoted(strings.TrimPrefix(name, inSchema))+`.progress SET seq = 0`)
	must(t, catchUp(t, name, j, 100))
	if answers(t, name) != rebuilt(t, j) {
		t.Error("other answers than a rebuild")
	}
}

// A schema that is no history's is neither read, written nor replaced, nor is one
// of another version read; a rebuild mends that one. No error holds the password.
func TestForeignSchema(t *testing.T) {
	j, name := lives(6, 10), freshSchema()
	schema := strings.TrimPrefix(name, inSchema)
	statement(t, `CREATE SCHEMA `+quoted(schema))
	statement(t, `CREATE TABLE `+quoted(schema)+`.payment (precious TEXT)`)
	if err := catchUp(t, name, j, 100); !errors.Is(err, ErrForeign) {
		t.Errorf("written: %v", err)
	}
	if _, err := Rebuild(at(t, name), j, true); err == nil || !strings.Contains(err.Error(), "no history's") {
		t.Errorf("replaced: %v", err)
	}
	statement(t, `DROP TABLE `+quoted(schema)+`.payment`) // it is there still
	name = freshSchema()
	schema = strings.TrimPrefix(name, inSchema)
	must(t, catchUp(t, name, j, 100))
	statement(t, `UPDATE `+quoted(schema)+`.`+mark+` SET version = version + 1`)
	if _, err := Read(at(t, name)); !errors.Is(err, ErrForeign) {
		t.Errorf("of another version: %v", err)
	}
	if _, err := Rebuild(at(t, name), j, false); err != nil || answers(t, name) != rebuilt(t, j) {
		t.Errorf("a rebuild: %v", err)
	}
	for _, url := range []string{"postgres://user:hidden@127.0.0.1:1/db", "postgres://user:hidden@%zz"} {
		p, err := InDatabase(env.Real(), Database{URL: url})
		if err == nil {
			_, err = Read(p)
		}
		if err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%v", err)
		}
	}
}
