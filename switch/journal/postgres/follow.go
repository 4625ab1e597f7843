// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tapswitch/switch/journal"
)

// followRows is how many rows are fetched in one round trip.
const followRows = 64

// Tail reads an open journal beside its writer, each time from where it came to,
// over a connection of its own. One goroutine at a time may use it.
type Tail struct {
	j    *Journal
	conn *pgx.Conn // nil: to be made
	walk *walk     // what was read up to now; nil: nothing, or it went wrong
}

// Tail makes a reader that has read nothing.
func (j *Journal) Tail() *Tail { return &Tail{j: j} }

// Last is the number of the newest durable record, 0 before the first.
func (t *Tail) Last() uint64 { return t.j.Stats().Records }

// Close ends the connection.
func (t *Tail) Close() error {
	if t.conn == nil {
		return nil
	}
	ctx, cancel := t.j.bounded()
	defer cancel()
	err := t.conn.Close(ctx)
	t.conn, t.walk = nil, nil
	return err
}

// Follow gives fn every durable record behind number after, in order. Asked for
// what comes behind the last record it gave, it goes on from there; any other
// time, and after an error, it begins with the row that holds the first of them,
// and takes that row's place in the chain for what the row before it says. Key and
// Body are valid until fn returns.
func (t *Tail) Follow(after uint64, fn func(seq uint64, r journal.Record) error) error {
	err := t.follow(after, fn)
	if s := (stopped{}); errors.As(err, &s) {
		t.walk = nil
		return s.error
	}
	if err != nil {
		return fmt.Errorf("journal: follow: %w", errors.Join(err, t.Close()))
	}
	return nil
}

func (t *Tail) follow(after uint64, fn func(uint64, journal.Record) error) error {
	from, end, done := t.j.reading()
	defer done()
	if end <= after {
		return nil
	}
	if t.conn == nil {
		ctx, cancel := t.j.bounded()
		defer cancel()
		conn, err := t.j.reader(ctx)
		if err != nil {
			return err
		}
		t.conn = conn
	}
	visit := func(seq uint64, r journal.Record, _ bool) error {
		if seq <= after {
			return nil
		}
		return fn(seq, r)
	}
	if t.walk == nil || t.walk.at != after || t.walk.at < from.through {
		if err := t.begin(from, after, visit); err != nil {
			return err
		}
	}
	t.walk.end, t.walk.visit = end, visit
	for t.walk.at < end {
		rows, err := t.fetch()
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return &Fault{First: t.walk.at + 1, Reason: fmt.Sprintf("this row is missing, but the journal goes on to record %d", end)}
		}
		for _, r := range rows {
			if err := t.walk.take(r, len(r.chain)); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin finds the row that holds the record behind after, and the end of the one
// before it. When a purge has replaced that row, it reads all that was kept.
func (t *Tail) begin(from base, after uint64, visit func(uint64, journal.Record, bool) error) error {
	w := &walk{origin: t.j.origin, base: from, visit: visit}
	if after < from.through {
		t.walk = w
		return w.kept(t.conn)
	}
	w.at, w.chain, w.room.sealed = from.through, from.chain, from.reserved
	ctx, cancel := t.j.bounded()
	defer cancel()
	var last int64
	var value []byte
	err := t.conn.QueryRow(ctx, `SELECT last, reserved, chain FROM tapswitch_journal WHERE first > $2 AND first <
		(SELECT max(first) FROM tapswitch_journal WHERE first <= $1) ORDER BY first DESC LIMIT 1`, int64(after)+1, int64(from.through)).
		Scan(&last, &w.room.sealed, &value)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if err == nil {
		w.at = uint64(last)
		if copy(w.chain[:], value) != len(value) || len(value) != len(w.chain) {
			return &Fault{First: w.at, Reason: "its chain value does not have its length"}
		}
	}
	t.walk = w
	return nil
}

// fetch reads the next rows.
func (t *Tail) fetch() (all []row, err error) {
	ctx, cancel := t.j.bounded()
	defer cancel()
	rows, err := t.conn.Query(ctx, `SELECT first, last, reserved, chain, body FROM tapswitch_journal WHERE first > $1 AND first <= $2 ORDER BY first LIMIT $3`,
		int64(t.walk.at), int64(t.walk.end), followRows)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var first, last int64
		var r row
		var value []byte
		if err := rows.Scan(&first, &last, &r.reserved, &value, &r.body); err != nil {
			return nil, err
		}
		r.first, r.last = uint64(first), uint64(last)
		if len(value) != len(r.chain) {
			return nil, &Fault{First: r.first, Reason: "its chain value does not have its length"}
		}
		copy(r.chain[:], value)
		all = append(all, r)
	}
	return all, rows.Err()
}

// reader makes a connection beside the writer's.
func (j *Journal) reader(ctx context.Context) (*pgx.Conn, error) {
	server := j.server.Copy()
	server.RuntimeParams["application_name"] = applicationName // not that of the writer
	conn, err := pgx.ConnectConfig(ctx, server)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", j.place(), bare(err))
	}
	return conn, nil
}
