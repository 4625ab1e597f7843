// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
)

// Report is what Verify found up to the end, or up to the first fault.
type Report struct {
	Rows     uint64
	Records  uint64 // good ones
	Bytes    int64  // of all records, with journal.Overhead for each
	Reserved int64
	Epoch    int64  // how often a writer has taken the journal over
	Purged   uint64 // records up to this one are kept rows; 0 without a purge
	Kept     uint64 // records in kept rows
	Head     string // chain value behind the last row, hexadecimal
}

// Entry is one record with the row in which it is stored.
type Entry struct {
	Row    uint64 // column first of tapswitch_journal; 0 for a kept one
	Kept   uint64 // column place of tapswitch_journal_kept, else 0
	Number uint64
	journal.Record
}

// ErrNoJournal says that the schema of the URL has no journal's tables.
var ErrNoJournal = errors.New("there is no journal in this database and schema (search_path)")

// Verify reads every row and the row of state as they are at one moment, beside
// a switch that writes or without one, and changes nothing. What is stored wrongly
// is a *Fault. Of cfg only URL and Timeout count.
func Verify(e env.Env, cfg Config) (Report, error) {
	var r Report
	err := reading(e, cfg, &r, func(Entry) error { return nil })
	return r, err
}

// Dump gives every record in order, as Verify reads them; Key and Body are valid
// until the next one. An error comes last, with the zero Entry.
func Dump(e env.Env, cfg Config) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		err := reading(e, cfg, &Report{}, func(e Entry) error {
			if !yield(e, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(Entry{}, err)
		}
	}
}

// errStop ends a walk whose reader has seen enough.
var errStop = errors.New("enough")

// reading walks the journal in one read-only view of the database.
func reading(e env.Env, cfg Config, r *Report, visit func(Entry) error) error {
	cfg = cfg.withDefaults()
	server, err := parse(e, cfg)
	if err != nil {
		return err
	}
	j := &Journal{env: e, cfg: cfg, server: server}
	server.RuntimeParams["application_name"] = applicationName // not that of the writer
	server.RuntimeParams["default_transaction_read_only"] = "on"
	ctx, cancel := j.bounded()
	conn, err := pgx.ConnectConfig(ctx, server)
	cancel()
	if err != nil {
		return fmt.Errorf("journal: connect to %s: %w", j.place(), bare(err))
	}
	j.conn = conn
	err = j.view(r, visit)
	_ = j.hangUp() // all was read
	if s := (stopped{}); errors.As(err, &s) {
		return s.error
	}
	if err != nil {
		return fmt.Errorf("journal: %s: %w", j.place(), err)
	}
	return nil
}

func (j *Journal) view(r *Report, visit func(Entry) error) error {
	ctx, cancel := j.bounded()
	defer cancel()
	if _, err := j.conn.Exec(ctx, `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`); err != nil {
		return err
	}
	if err := j.readState(ctx, r); err != nil {
		return err
	}
	w := walk{origin: j.origin, base: j.base, end: j.end}
	w.visit = func(seq uint64, rec journal.Record, _ bool) error {
		r.Records++
		r.Bytes += size(rec)
		e := Entry{Row: w.row, Number: seq, Record: rec}
		if w.row == 0 {
			e.Kept = w.keptRow
			r.Kept++
		}
		return visit(e)
	}
	err := w.run(j.conn)
	r.Rows, r.Reserved, r.Purged, r.Head = w.rows, w.room.real, j.base.through, hex.EncodeToString(w.chain[:])
	if err != nil {
		return err
	}
	return j.ends(&w)
}

// readState reads where the journal begins and ends, without taking it over.
func (j *Journal) readState(ctx context.Context, r *Report) error {
	var version int64
	err := j.conn.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM `+migrationTable+` WHERE is_applied`).Scan(&version)
	var said *pgconn.PgError
	if errors.As(err, &said) && said.Code == undefinedTable {
		return ErrNoJournal
	}
	if err != nil {
		return err
	}
	known, err := knownVersion()
	if err != nil {
		return err
	}
	if version != known {
		return fmt.Errorf("the tables are of version %d, this program knows %d: use the tapswitch that wrote them; a newer one's switch raises older tables at its start", version, known)
	}
	var value, id []byte
	var stored storedBase
	err = j.conn.QueryRow(ctx, `SELECT identity, epoch, last, chain, `+baseColumns+` FROM tapswitch_journal_state`).
		Scan(append([]any{&id, &r.Epoch, &j.end, &value}, stored.fields()...)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return &Fault{Reason: "the row of state is missing"}
	}
	if err != nil {
		return err
	}
	return j.begins(id, value, stored)
}

// knownVersion is the version of the tables that the newest migration makes.
func knownVersion() (version int64, err error) {
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		return 0, err
	}
	for _, f := range files { // in order: 00001_journal.sql
		if _, err := fmt.Sscanf(f.Name(), "%d_", &version); err != nil {
			return 0, fmt.Errorf("migration %s: %w", f.Name(), err)
		}
	}
	return version, nil
}
