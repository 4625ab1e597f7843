// SPDX-License-Identifier: Apache-2.0

package main_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/internal/pgtest"
	"tapswitch/switch/journal/postgres"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// database starts a PostgreSQL server for a test and prepares a switch whose
// configuration has journal and history there.
func database(t *testing.T) (*rig, *pgtest.Server) {
	t.Helper()
	server, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	r := prepare(t)
	r.write("journal.url", server.URL("postgres")+"\n")
	r.edit("switch.yaml", "journal: {dir: journal, segment_bytes: 1048576, max_bytes: 67108864}", "journal: {postgres: {url: \"${file:journal.url}\"}}")
	r.edit("switch.yaml", "history: {path: history.db}", "history: {store: postgres, url: \"${file:journal.url}\"}")
	return r, server
}

// TestJournalInPostgres: verify and dump read what --config names, beside whoever
// writes there; a fault is named with its row.
func TestJournalInPostgres(t *testing.T) {
	t.Parallel()
	r, server := database(t)
	config := r.path("switch.yaml")
	if e := call(t, "journal", "verify", "--config", config); e.code != 1 || !strings.Contains(e.stderr, "there is no journal in this database and schema") {
		t.Errorf("before the first start: %+v", e)
	}
	j, err := postgres.Open(env.Real(), postgres.Config{URL: server.URL("postgres")})
	if err != nil {
		t.Fatal(err)
	}
	fillJournal(t, j, 30, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	if e := call(t, "journal", "verify", "--config", config); e.code != 0 || !strings.HasPrefix(e.stdout, "50 records in 30 rows, all as they were written; taken over 1 times\nhead ") {
		t.Errorf("%+v", e)
	}
	if e := call(t, "journal", "dump", "--config", config, "--kind", "outcome", "--terminal", "10000001"); e.code != 0 || strings.Count(e.stdout, "outcome") != 10 {
		t.Errorf("%+v", e)
	}
	if e := call(t, "txn", "cases", "--config", config); e.code != 0 || e.stdout != "no case is open\n" {
		t.Errorf("cases: %+v", e)
	}
	for _, args := range [][]string{{"verify"}, {"dump"}, {"verify", "--config", config, r.path("journal")}} {
		if e := call(t, append([]string{"journal"}, args...)...); e.code != 2 || !strings.Contains(e.stderr, "name one journal") {
			t.Errorf("%v: %+v", args, e)
		}
	}
	c, err := pgx.Connect(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Exec(t.Context(), `UPDATE tapswitch_journal SET body = set_byte(body, 40, get_byte(body, 40) # 1) WHERE first = 8`)
	if err := errors.Join(err, c.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	e := call(t, "journal", "verify", "-o", "json", "--config", config)
	var v struct {
		Good         bool
		Records, Row int
		Error, Head  string
	}
	if err := json.Unmarshal([]byte(e.stdout), &v); err != nil || e.code != 1 || v.Good || v.Records != 7 || v.Row != 8 || v.Error == "" || v.Head != "" {
		t.Errorf("%+v, %v", e, err)
	}
	if e := call(t, "journal", "dump", "--config", config); e.code != 1 || !strings.Contains(e.stderr, "tapswitch_journal, row 8: the row is not as it was written") {
		t.Errorf("%+v", e)
	}
}

// TestJournalPurgeInPostgres: old payments that are over go, those left open stay,
// verify and dump read what is left, a switch starts on it, and is left alone.
func TestJournalPurgeInPostgres(t *testing.T) {
	t.Parallel()
	r, server := database(t)
	j, err := postgres.Open(env.Real(), postgres.Config{URL: server.URL("postgres")})
	if err != nil {
		t.Fatal(err)
	}
	fillJournal(t, j, 600, time.Now().Add(-700*time.Hour))
	do := func(args ...string) ended {
		return call(t, append(append([]string{"journal"}, args...), "--config", r.path("switch.yaml"))...)
	}
	e := do("purge", "--older-than", "240h", "-o", "json")
	var p struct {
		Segments, Rows int
		RecordsDropped int `json:"records_dropped"`
		RecordsKept    int `json:"records_kept"`
		BytesFreed     int `json:"bytes_freed"`
	}
	if err := json.Unmarshal([]byte(e.stdout), &p); err != nil || e.code != 0 || p.Segments != 0 || p.Rows < 450 || p.Rows > 462 || p.RecordsDropped < 600 || p.RecordsKept < 150 || p.BytesFreed < 100_000 {
		t.Fatalf("%+v, %v", e, err)
	}
	if e := do("verify"); e.code != 0 || !strings.Contains(e.stdout, "more stand for records 1 to ") {
		t.Errorf("%+v", e)
	}
	e = do("dump")
	if n := strings.Count(e.stdout, "intent"); e.code != 0 || n != 600-p.RecordsDropped/2 {
		t.Errorf("%d intents are left, %+v", n, p)
	}
	if e := do("purge", "--older-than", "240h"); e.code != 0 || !strings.Contains(e.stdout, "nothing to do") {
		t.Errorf("again: %+v", e)
	}
	r.startAll()
	if e := do("purge", "--older-than", "240h"); e.code != 1 || !strings.Contains(e.stderr, "in use by another process") {
		t.Errorf("beside a switch: %+v", e)
	}
}

// TestCasesInPostgres: open cases are found in a journal in PostgreSQL too.
func TestCasesInPostgres(t *testing.T) {
	t.Parallel()
	r, server := database(t)
	j, err := postgres.Open(env.Real(), postgres.Config{URL: server.URL("postgres")})
	if err != nil {
		t.Fatal(err)
	}
	p := &txn.Payment{Key: txn.Key{Terminal: txn.TerminalID([]byte("10000000")), Batch: 7, Trace: 9, Class: txn.OfflineSale, Type: 30}, Masked: "622424******0069",
		Amount: money.Amount{Minor: 100, Currency: money.CNY}, Link: "acq-a", Numbers: txn.Numbers{STAN: 9, At: time.Date(2026, 3, 4, 8, 0, 0, 0, time.UTC), RRN: txn.RRN([]byte("606012345679"))}}
	err = j.Append(record.Advice(p), record.MakeCase(p, txn.Case{Why: txn.CaseAdviceRefused, Code: txn.CodeBadPAN, At: p.Numbers.At}))
	if err := errors.Join(err, j.Close()); err != nil {
		t.Fatal(err)
	}
	if e := call(t, "txn", "cases", "--config", r.path("switch.yaml"), "-o", "json"); e.code != 0 || strings.Count(e.stdout, "\n") != 1 || !strings.Contains(e.stdout, `"rrn":"606012345679"`) {
		t.Errorf("%+v", e)
	}
}

// TestHistoryInPostgres is TestHistory with journal and history in PostgreSQL.
func TestHistoryInPostgres(t *testing.T) {
	t.Parallel()
	r, _ := database(t)
	r.startAll()
	r.remembers()
}
