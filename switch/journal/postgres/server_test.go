// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/postgres"
)

// TestRefusesAServerThatForgets: fsync or synchronous_commit off, at the start
// and while it runs.
func TestRefusesAServerThatForgets(t *testing.T) {
	must(t, errors.Join(server.Down(), server.Up("fsync=off")))
	_, err := open(t, "forgets")
	must(t, errors.Join(server.Down(), server.Up()))
	if !errors.Is(err, postgres.ErrNotDurable) || !strings.Contains(err.Error(), "fsync = on") {
		t.Errorf("fsync off: %v", err)
	}
	_, err = open(t, "forgets", func(c *postgres.Config) {
		c.URL = server.URL("postgres", "search_path=forgets", "synchronous_commit=off")
	})
	if !errors.Is(err, postgres.ErrNotDurable) || !strings.Contains(err.Error(), "synchronous_commit") {
		t.Errorf("synchronous_commit off: %v", err)
	}
	var broken []error
	j, err := open(t, "forgets", func(c *postgres.Config) { c.OnBroken = func(err error) { broken = append(broken, err) } })
	must(t, err)
	must(t, j.Append(journal.Record{Kind: 1}))
	query(t, `ALTER SYSTEM SET synchronous_commit = off`)
	query(t, `SELECT pg_reload_conf()`)
	defer func() {
		query(t, `ALTER SYSTEM RESET synchronous_commit`)
		query(t, `SELECT pg_reload_conf()`)
	}()
	for until := time.Now().Add(5 * time.Second); err == nil && time.Now().Before(until); {
		err = j.Append(journal.Record{Kind: 1})
	}
	if !errors.Is(err, postgres.ErrNotDurable) || len(broken) != 1 {
		t.Errorf("synchronous_commit off in the middle: %v, %v", err, broken)
	}
}

// TestOneWriter: a second is kept out while the first lives, and the first, when
// it was replaced, stores nothing more.
func TestOneWriter(t *testing.T) {
	first, err := open(t, "writers")
	must(t, err)
	must(t, first.Append(journal.Record{Kind: 1, Body: []byte("first")}))
	began := time.Now()
	if _, err := open(t, "writers"); !errors.Is(err, env.ErrLocked) || time.Since(began) < time.Second {
		t.Fatalf("a second writer: %v after %v", err, time.Since(began))
	}
	other, err := open(t, "writers2") // another schema is another journal
	must(t, err)
	must(t, other.Close())

	// The first's connection is cut where the server sees it and the first does not.
	query(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tapswitch journal %'`)
	second, err := open(t, "writers")
	must(t, err)
	must(t, second.Append(journal.Record{Kind: 1, Body: []byte("second")}))
	if err := first.Append(journal.Record{Kind: 1, Body: []byte("too late")}); !errors.Is(err, journal.ErrUnknown) && !errors.Is(err, journal.ErrBroken) {
		t.Errorf("the one that was replaced: %v", err)
	}
	must(t, second.Append(journal.Record{Kind: 1, Body: []byte("and on")}))
	must(t, second.Close())
	third, err := open(t, "writers")
	must(t, err)
	var all []string
	must(t, third.Replay(func(_ uint64, r journal.Record) error { all = append(all, string(r.Body)); return nil }))
	if got := strings.Join(all, ", "); got != "first, second, and on" {
		t.Errorf("stored: %s", got)
	}
	must(t, third.Close())
}

// TestTakenOverUnderAConnection: the epoch alone stops a writer whose connection
// and lock are in order.
func TestTakenOverUnderAConnection(t *testing.T) {
	j, err := open(t, "epoch")
	must(t, err)
	query(t, `UPDATE epoch.tapswitch_journal_state SET epoch = epoch + 1, writer = 'somebody else'`)
	if err := j.Append(journal.Record{Kind: 1}); !errors.Is(err, journal.ErrBroken) || !errors.Is(err, postgres.ErrReplaced) {
		t.Errorf("%v", err)
	}
	if n := query(t, `SELECT FROM epoch.tapswitch_journal`); n != 0 {
		t.Errorf("%d batches were stored", n)
	}
	must(t, ignore(j.Close(), journal.ErrBroken))
}

// failing makes the server refuse the next n batches of a place with a SQLSTATE.
func failing(t *testing.T, place, state string, n int) {
	t.Helper()
	query(t, fmt.Sprintf(`DROP SEQUENCE IF EXISTS %[1]s.fails; CREATE SEQUENCE %[1]s.fails;
		CREATE OR REPLACE FUNCTION %[1]s.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('%[1]s.fails') <= %[3]d THEN RAISE EXCEPTION 'on order' USING ERRCODE = '%[2]s'; END IF;
			RETURN NEW; END $$;
		CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON %[1]s.tapswitch_journal FOR EACH ROW EXECUTE FUNCTION %[1]s.fail()`, place, state, n))
}

// TestServerErrors: a serialization failure is tried again, a full disk is told
// as one, and anything else stops the journal.
func TestServerErrors(t *testing.T) {
	j, err := open(t, "says")
	must(t, err)
	for _, state := range []string{"40001", "40P01"} {
		before := j.Stats().Retries
		failing(t, "says", state, 3)
		must(t, j.Append(journal.Record{Kind: 1, Body: []byte(state)}))
		if n := j.Stats().Retries - before; n != 3 {
			t.Errorf("%s: %d retries", state, n)
		}
	}
	failing(t, "says", "53100", 1)
	if err := j.Append(journal.Record{Kind: 1}); !errors.Is(err, journal.ErrFull) {
		t.Errorf("disk full: %v", err)
	}
	must(t, j.Append(journal.Record{Kind: 1, Body: []byte("there is room again")}))
	failing(t, "says", "40001", 1000)
	if err := j.Append(journal.Record{Kind: 1}); !errors.Is(err, journal.ErrBroken) || !strings.Contains(err.Error(), "40001") {
		t.Errorf("refused for good: %v", err)
	}
	must(t, ignore(j.Close(), journal.ErrBroken))
	query(t, `DROP TRIGGER fail ON says.tapswitch_journal`)
	j, err = open(t, "says")
	must(t, err)
	if n := j.Stats().Records; n != 3 {
		t.Errorf("%d records are stored", n)
	}
	must(t, j.Close())
}

// TestRoom: MaxBytes bounds records and reserves together, for new payments
// alone.
func TestRoom(t *testing.T) {
	bound := func(c *postgres.Config) { c.MaxBytes = 4000 }
	j, err := open(t, "room", bound)
	must(t, err)
	n := 0
	for ; err == nil; n++ {
		err = j.Append(journal.Record{Kind: 1, Body: make([]byte, 104), Reserve: 300})
	}
	if !errors.Is(err, journal.ErrFull) || n != 9 { // 8 × (104 + 96 + 300) = 4000
		t.Fatalf("payment %d: %v", n, err)
	}
	must(t, j.Append(journal.Record{Kind: 2, Body: make([]byte, 104), Reserve: -300}))
	if s := j.Stats(); s.Reserved != 7*300 || s.Bytes != 9*200 || s.Full != 1 {
		t.Errorf("%+v", s)
	}
	before := j.Stats()
	must(t, j.Close())
	j, err = open(t, "room", bound)
	must(t, err)
	if s := j.Stats(); s.Bytes != before.Bytes || s.Reserved != before.Reserved || s.Records != before.Records {
		t.Errorf("%+v after a restart, %+v before", s, before)
	}
	must(t, j.Close())
}

// TestBatchesAreOneRow: who waits while a batch is under way shares the next.
func TestBatchesAreOneRow(t *testing.T) {
	const callers, each = 32, 20
	j, err := open(t, "rows")
	must(t, err)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range each {
				if err := j.Append(journal.Record{Kind: 1, Body: make([]byte, 300)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	s := j.Stats()
	if rows := query(t, `SELECT FROM rows.tapswitch_journal`); rows >= callers*each/2 || s.Appends != callers*each {
		t.Errorf("%d appends in %d rows", s.Appends, rows)
	}
	must(t, j.Close())
}

// TestErrorsHideThePassword: neither a URL that cannot be read nor a server that
// cannot be reached tells it.
func TestErrorsHideThePassword(t *testing.T) {
	for _, u := range []string{
		"postgres://somebody:geheim@127.0.0.1:1/db?sslmode=disable",
		"postgres://somebody:geheim@127.0.0.1:none/db",
		"postgres://somebody:geheim@" + server.Address() + "/missing?sslmode=disable",
	} {
		_, err := postgres.Open(env.Real(), postgres.Config{URL: u, Timeout: time.Second})
		if err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v", err)
		}
	}
}

// ignore is err unless it is want.
func ignore(err, want error) error {
	if errors.Is(err, want) {
		return nil
	}
	return err
}

// TestTablesAreChangedByOneSession: the server process of somebody who is gone may
// still be changing the tables. Whoever opens the journal waits for it, and then finds
// what it made.
func TestTablesAreChangedByOneSession(t *testing.T) {
	ctx := context.Background()
	schema(t, "orphan")
	orphan, err := pgx.Connect(ctx, url("orphan"))
	must(t, err)
	_, err = orphan.Exec(ctx, `SELECT pg_advisory_lock(hashtextextended('tapswitch_journal_tables ' || current_schema(), 0))`)
	must(t, err)
	opened := make(chan error, 1)
	go func() {
		j, err := open(t, "orphan")
		if err == nil {
			err = j.Close()
		}
		opened <- err
	}()
	waits := func() int64 { return query(t, `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`) }
	for waits() == 0 {
		select {
		case err := <-opened:
			t.Fatalf("it did not wait: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	must(t, orphan.Close(ctx))
	must(t, <-opened)
}
