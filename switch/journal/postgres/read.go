// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tapswitch/switch/journal"
)

// Fault is what is wrong with the stored records, and where. It is a
// journal.ErrCorrupt.
type Fault struct {
	First  uint64 // the batch begins with this record
	Kept   uint64 // or place of a row of tapswitch_journal_kept; both 0 is the row of state
	Reason string
}

// Error names table, row and reason, and says what to do.
func (f *Fault) Error() string {
	where := "tapswitch_journal_state"
	switch {
	case f.First > 0:
		where = fmt.Sprintf("tapswitch_journal, row %d", f.First)
	case f.Kept > 0:
		where = fmt.Sprintf("tapswitch_journal_kept, row %d", f.Kept)
	}
	return fmt.Sprintf("%s: %s; nothing was changed: restore the database from a good copy", where, f.Reason)
}

// Unwrap makes errors.Is(f, journal.ErrCorrupt) true.
func (f *Fault) Unwrap() error { return journal.ErrCorrupt }

// Replay walks all records that were durable when it was called, over a
// connection of its own. It may run beside Append and Compact.
func (j *Journal) Replay(fn func(seq uint64, r journal.Record) error) error {
	err := j.beside(func(conn *pgx.Conn, from base, end uint64) error {
		w := walk{origin: j.origin, base: from, end: end, visit: func(seq uint64, r journal.Record, _ bool) error { return fn(seq, r) }}
		return w.run(conn)
	})
	if s := (stopped{}); errors.As(err, &s) {
		return s.error
	}
	if err != nil {
		return fmt.Errorf("journal: replay: %w", err)
	}
	return nil
}

// load reads everything once at Open: the chain must lead to the end that the
// state has.
func (j *Journal) load() error {
	w := walk{origin: j.origin, base: j.base, end: j.end, visit: func(_ uint64, r journal.Record, _ bool) error {
		j.used += size(r)
		return nil
	}}
	if err := w.run(j.conn); err != nil {
		return err
	}
	if err := j.ends(&w); err != nil {
		return err
	}
	j.room = w.room
	return nil
}

// ends holds the end that a walk came to against the state's, and nothing may be
// behind it.
func (j *Journal) ends(w *walk) error {
	if w.chain != j.chain {
		return &Fault{Reason: fmt.Sprintf("the chain does not lead to the end that is stored here: record %d", j.end)}
	}
	var beyond int64
	ctx, cancel := j.bounded()
	defer cancel()
	if err := j.conn.QueryRow(ctx, `SELECT coalesce(min(first), 0) FROM tapswitch_journal WHERE first > $1`, int64(j.end)).Scan(&beyond); err != nil {
		return err
	}
	if beyond != 0 {
		return &Fault{First: uint64(beyond), Reason: fmt.Sprintf("the journal ends at record %d, and this row is behind it", j.end)}
	}
	return nil
}

// walk reads kept rows, and then rows in order up to an end.
type walk struct {
	origin chain
	base   base
	end    uint64
	visit  func(seq uint64, r journal.Record, more bool) error // more of the same Append follow; nil: nobody asks

	keptRow uint64 // place of the kept row that was read last
	row     uint64 // the first record of the row that is being read; 0 while kept rows are
	rows    uint64 // read and good
	at      uint64 // the last record read, or stood for by kept rows
	chain   chain
	room    room
}

// run reads over conn. It may take as long as the journal is.
func (w *walk) run(conn *pgx.Conn) error {
	if err := w.kept(conn); err != nil {
		return err
	}
	rows, err := conn.Query(context.Background(), `SELECT first, last, reserved, chain, body FROM tapswitch_journal WHERE first > $1 AND first <= $2 ORDER BY first`,
		int64(w.at), int64(w.end))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var first, last int64
		var r row
		var value, body pgtype.DriverBytes // valid until the next row
		if err := rows.Scan(&first, &last, &r.reserved, &value, &body); err != nil {
			return err
		}
		r.first, r.last, r.body = uint64(first), uint64(last), body
		copy(r.chain[:], value)
		if err := w.take(r, len(value)); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if w.at != w.end {
		return &Fault{First: w.at + 1, Reason: fmt.Sprintf("this row is missing, but the journal goes on to record %d", w.end)}
	}
	return nil
}

// take checks one row against all before it.
func (w *walk) take(r row, chainLength int) error {
	switch {
	case r.first != w.at+1:
		return &Fault{First: w.at + 1, Reason: fmt.Sprintf("this row is missing; the next one is %d", r.first)}
	case r.last < r.first || r.last > w.end:
		return &Fault{First: r.first, Reason: fmt.Sprintf("it ends at record %d, the journal at %d", r.last, w.end)}
	case chainLength != len(r.chain) || r.seal(w.chain) != r.chain:
		return &Fault{First: r.first, Reason: "the row is not as it was written, or does not follow the one before it"}
	}
	w.row = r.first
	at, err := r.each(w.room, w.see)
	if s := (stopped{}); errors.As(err, &s) {
		return err
	}
	if err != nil {
		return &Fault{First: r.first, Reason: err.Error()}
	}
	if at.sealed != r.reserved {
		return &Fault{First: r.first, Reason: fmt.Sprintf("its records reserve %d bytes, not %d", at.sealed, r.reserved)}
	}
	w.rows++
	w.at, w.chain, w.room = r.last, r.chain, at
	return nil
}
