// SPDX-License-Identifier: Apache-2.0

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tapswitch/internal/env"
	"tapswitch/internal/pgtest"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/journaltest"
	"tapswitch/switch/journal/postgres"
)

// server is shared by the tests of this package.
var server *pgtest.Server

func TestMain(m *testing.M) { os.Exit(serveAndRun(m)) }

func serveAndRun(m *testing.M) int {
	var err error
	if server, err = pgtest.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// remote is the server as the suite sees it: a place is a schema.
type remote struct {
	t    *testing.T
	mu   sync.Mutex
	made map[string]bool // schemas
}

func (r *remote) Open(place string, s journaltest.Setup) (journal.Journal, error) {
	r.mu.Lock()
	if !r.made[place] {
		schema(r.t, place)
		r.made[place] = true
	}
	r.mu.Unlock()
	cfg := postgres.Config{URL: url(place), OnBroken: s.OnBroken, Resolve: 300 * time.Millisecond}
	j, err := postgres.Open(s.Env, cfg)
	if err != nil {
		return nil, err
	}
	return j, nil
}

func (r *remote) Crash() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(server.Crash(), server.Up())
}

func url(place string) string { return server.URL("postgres", "search_path="+place) }

// query runs one statement as somebody else than the journal.
func query(t *testing.T, sql string, args ...any) int64 {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, server.URL("postgres"))
	must(t, err)
	defer c.Close(ctx)
	tag, err := c.Exec(ctx, sql, args...)
	must(t, err)
	return tag.RowsAffected()
}

func schema(t *testing.T, place string) {
	t.Helper()
	query(t, `CREATE SCHEMA IF NOT EXISTS "`+place+`"`)
}

func TestConformance(t *testing.T) { journaltest.RunRemote(t, &remote{t: t, made: map[string]bool{}}) }

func TestCompact(t *testing.T) {
	journaltest.RunRemoteCompact(t, &remote{t: t, made: map[string]bool{}})
}

// change is a damage made of two statements on a table of a place.
func (r *remote) change(c *pgx.Conn, what, named, do, undo string) journaltest.Damage {
	run := func(sql string) func() error {
		return func() error {
			_, err := c.Exec(context.Background(), sql) // several statements are one transaction
			return err
		}
	}
	return journaltest.Damage{What: what, Named: named, Do: run(do), Undo: run(undo)}
}

// Damages are: every byte of every row flipped, every number changed, rows
// removed, added, swapped and repeated, and the same for the state.
func (r *remote) Damages(place string) (all []journaltest.Damage, err error) {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url(place))
	if err != nil {
		return nil, err
	}
	r.t.Cleanup(func() { c.Close(ctx) })
	rows, err := c.Query(ctx, `SELECT first, last, length(chain), length(body) FROM tapswitch_journal ORDER BY first`)
	if err != nil {
		return nil, err
	}
	table, state := `"`+place+`".tapswitch_journal`, `"`+place+`".tapswitch_journal_state`
	var firsts []int64
	for rows.Next() {
		var first, last int64
		var chain, body int
		if err := rows.Scan(&first, &last, &chain, &body); err != nil {
			return nil, err
		}
		firsts = append(firsts, first)
		named := fmt.Sprintf("row %d", first)
		where := fmt.Sprintf(" WHERE first = %d", first)
		for column, n := range map[string]int{"chain": chain, "body": body} {
			for i := range n {
				sql := fmt.Sprintf("UPDATE %s SET %s = set_byte(%s, %d, get_byte(%s, %d) # %d)%s", table, column, column, i, column, i, 1<<(i%8), where)
				all = append(all, r.change(c, fmt.Sprintf("%s, byte %d of %s", named, i, column), named, sql, sql))
			}
			cut := fmt.Sprintf("UPDATE %s SET %s = substr(%s, 1, %d)%s", table, column, column, n-1, where)
			all = append(all, r.copied(c, named+", "+column+" cut", named, table, cut))
		}
		for _, column := range []string{"last", "reserved"} {
			all = append(all, r.change(c, named+", "+column, named, fmt.Sprintf("UPDATE %s SET %s = %s + 1%s", table, column, column, where),
				fmt.Sprintf("UPDATE %s SET %s = %s - 1%s", table, column, column, where)))
		}
		all = append(all, r.copied(c, named+" removed", named, table, "DELETE FROM "+table+where))
		all = append(all, r.copied(c, named+" moved", "row", table, fmt.Sprintf("UPDATE %s SET first = first + 1000%s", table, where)))
	}
	for i := range firsts[1:] {
		a, b := firsts[i], firsts[i+1]
		swap := fmt.Sprintf("UPDATE %[1]s SET first = -1 WHERE first = %[2]d; UPDATE %[1]s SET first = %[2]d WHERE first = %[3]d; UPDATE %[1]s SET first = %[3]d WHERE first = -1", table, a, b)
		all = append(all, r.copied(c, fmt.Sprintf("rows %d and %d swapped", a, b), "row", table, swap))
	}
	end := firsts[len(firsts)-1]
	again := fmt.Sprintf("INSERT INTO %[1]s SELECT last + 1, last + last - first + 1, reserved, chain, body FROM %[1]s WHERE first = %[2]d", table, end)
	all = append(all, r.copied(c, "the last row once more", "row", table, again))
	all = append(all, r.change(c, "state, last", "goes on to record", "UPDATE "+state+" SET last = last + 1", "UPDATE "+state+" SET last = last - 1"))
	all = append(all, r.change(c, "state, last", "row", "UPDATE "+state+" SET last = last - 1", "UPDATE "+state+" SET last = last + 1"))
	kept, err := r.keptDamages(c, place)
	if err != nil {
		return nil, err
	}
	all = append(all, kept...)
	for column, named := range map[string]string{"chain": "state", "identity": "row 1"} { // of whichever table begins
		sql := fmt.Sprintf("UPDATE %s SET %s = set_byte(%s, 3, get_byte(%s, 3) # 8)", state, column, column, column)
		all = append(all, r.change(c, "state, "+column, named, sql, sql))
	}
	return append(all, r.copied(c, "state, chain cut", "state", state, "UPDATE "+state+" SET chain = substr(chain, 2)")), nil
}

// keptDamages are those of what a purge has kept, if there was one: bytes of every
// kept row flipped, rows removed, moved and added, and all that the state says of it
// changed.
func (r *remote) keptDamages(c *pgx.Conn, place string) (all []journaltest.Damage, err error) {
	table, state := `"`+place+`".tapswitch_journal_kept`, `"`+place+`".tapswitch_journal_state`
	rows, err := c.Query(context.Background(), `SELECT place, length(body) FROM tapswitch_journal_kept ORDER BY place`)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var n int64
		var body int
		if err := rows.Scan(&n, &body); err != nil {
			return nil, err
		}
		named, where := fmt.Sprintf("kept, row %d", n), fmt.Sprintf(" WHERE place = %d", n)
		for i := 0; i < body; i += 3 {
			sql := fmt.Sprintf("UPDATE %s SET body = set_byte(body, %d, get_byte(body, %d) # %d)%s", table, i, i, 1<<(i%8), where)
			all = append(all, r.change(c, fmt.Sprintf("%s, byte %d", named, i), named, sql, sql))
		}
		for what, do := range map[string]string{
			"chain":   "UPDATE " + table + " SET chain = substr(chain, 2)" + where,
			"cut":     "UPDATE " + table + " SET body = substr(body, 2)" + where,
			"removed": "DELETE FROM " + table + where,
			"moved":   "UPDATE " + table + " SET place = place + 1000" + where,
			"another": "UPDATE " + table + " SET purge = 'somebody else''s'" + where,
			"more":    "INSERT INTO " + table + " SELECT purge, place + 1, chain, body FROM " + table + where,
		} {
			all = append(all, r.copied(c, named+", "+what, "kept, row", table, do))
		}
	}
	if rows.Err() != nil || len(all) == 0 {
		return nil, rows.Err()
	}
	for _, column := range []string{"kept_through", "kept_reserved"} {
		all = append(all, r.change(c, "state, "+column, "kept, row 1", fmt.Sprintf("UPDATE %s SET %s = %s + 1", state, column, column), fmt.Sprintf("UPDATE %s SET %s = %s - 1", state, column, column)))
	}
	for column, named := range map[string]string{"kept_chain": "kept, row 1", "kept_end": "kept, row", "kept_purge": "kept, row 1"} {
		sql := fmt.Sprintf("UPDATE %s SET %s = set_byte(%s, 3, get_byte(%s, 3) # 8)", state, column, column, column)
		all = append(all, r.change(c, "state, "+column, named, sql, sql),
			r.copied(c, "state, "+column+" cut", "state", state, fmt.Sprintf("UPDATE %s SET %s = substr(%s, 2)", state, column, column)))
	}
	return append(all, r.copied(c, "no kept rows", "row 1: this row is missing", state, "UPDATE "+state+" SET kept_purge = '', kept_through = 0, kept_chain = '', kept_reserved = 0, kept_end = ''")), nil
}

// copied is a damage that is undone from a copy of the table.
func (r *remote) copied(c *pgx.Conn, what, named, table, do string) journaltest.Damage {
	backup := strings.TrimSuffix(table, "_state") + "_copy"
	return r.change(c, what, named, fmt.Sprintf("DROP TABLE IF EXISTS %[1]s; CREATE TABLE %[1]s AS TABLE %[2]s; ", backup, table)+do,
		fmt.Sprintf("DELETE FROM %[2]s; INSERT INTO %[2]s SELECT * FROM %[1]s; DROP TABLE %[1]s", backup, table))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open opens a place over the real network.
func open(t *testing.T, place string, edit ...func(*postgres.Config)) (*postgres.Journal, error) {
	t.Helper()
	schema(t, place)
	cfg := postgres.Config{URL: url(place), Resolve: 300 * time.Millisecond, Timeout: time.Second}
	for _, e := range edit {
		e(&cfg)
	}
	return postgres.Open(env.Real(), cfg)
}
