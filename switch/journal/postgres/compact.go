// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"tapswitch/switch/journal"
)

// The bounds of what one statement of a purge takes: others wait for it.
const (
	keptChunk = 256 << 10 // bytes of a kept row, unless one Append is longer
	sweepRows = 500
)

// Compact replaces the rows that hold only records numbered below before by kept
// rows: those of their records that keep chooses, numbered as they were. Keep is
// asked once about each, in order; an Append of several may be kept in part.
// Whoever decides must know that no record that stays needs one that is dropped:
// ClosedBelow says how far whole rows reach. The room that dropped records reserve
// is given back.
//
// It may run beside Append and Replay, but not beside another Compact
// (journal.ErrBusy). The kept rows are durable before the state names them, in one
// statement; only then the rows they stand for are removed, a part at a time.
// An error means that the records are as they were, or that only the removal
// failed, which the next Compact does again, or that the journal is broken.
func (j *Journal) Compact(before uint64, keep func(seq uint64, r journal.Record) bool) (journal.Compaction, error) {
	j.mu.Lock()
	running := j.compacting
	j.compacting = true
	j.mu.Unlock()
	if running {
		return journal.Compaction{}, fmt.Errorf("%w: another compaction is under way", journal.ErrBusy)
	}
	defer func() {
		j.mu.Lock()
		j.compacting = false
		j.mu.Unlock()
	}()
	c, err := j.carry(before, keep)
	if err != nil {
		return journal.Compaction{}, fmt.Errorf("journal: purge: %w", err)
	}
	if c == nil {
		return journal.Compaction{}, j.sweep()
	}
	if err := j.do(&request{step: func() error { return j.swap(c) }}); err != nil {
		return journal.Compaction{}, fmt.Errorf("journal: purge: %w", err)
	}
	return c.did, j.sweep()
}

// ClosedBelow is the greatest number not above before that a row begins with, or
// would begin with: Compact of that number takes every record below it and none
// above. Without a row before it it is 0.
func (j *Journal) ClosedBelow(before uint64) (first uint64, err error) {
	err = j.beside(func(conn *pgx.Conn, from base, end uint64) error {
		through, err := j.wholeBelow(conn, from, end, before)
		if through > 0 && through < before {
			first = through + 1
		}
		return err
	})
	return first, err
}

// beside runs fn with a connection of its own, on what is there now; none of it
// is removed meanwhile.
func (j *Journal) beside(fn func(conn *pgx.Conn, from base, end uint64) error) error {
	from, end, done := j.reading()
	defer done()
	ctx, cancel := j.bounded()
	conn, err := j.reader(ctx)
	cancel()
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	return fn(conn, from, end)
}

// reading is where the rows begin and the journal ends, for a reader. Nothing of
// it is removed before done is called.
func (j *Journal) reading() (from base, end uint64, done func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.readers++
	return j.base, j.stats.Records, func() {
		j.mu.Lock()
		j.readers--
		j.mu.Unlock()
	}
}

// wholeBelow is the last record of the last row that holds only records numbered
// below before, or what the kept rows stand for.
func (j *Journal) wholeBelow(conn *pgx.Conn, from base, end, before uint64) (through uint64, err error) {
	ctx, cancel := j.bounded()
	defer cancel()
	rows, err := conn.Query(ctx, `SELECT last FROM tapswitch_journal WHERE first > $1 AND first <= $2 AND first < $3 ORDER BY first DESC LIMIT 2`,
		int64(from.through), int64(end), int64(min(before, end+1)))
	if err != nil {
		return 0, err
	}
	lasts, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return 0, err
	}
	for _, last := range lasts { // only the one that holds before may end behind it
		if uint64(last) < before {
			return uint64(last), nil
		}
	}
	return from.through, nil
}

// carried is what a purge writes, and what it comes to.
type carried struct {
	base
	did    journal.Compaction
	real   int64 // reserved by the kept records
	before int64 // by all of them

	j     *Journal
	place uint64
	net   int64  // of the Append whose records are gathered
	open  []byte // those of them that stay
	last  int    // where the last of them begins
	body  []byte // of the kept row that is made up
}

// carry writes the kept rows that will stand for all records below before. Nobody
// reads them yet. It gives nil when there is nothing to do.
func (j *Journal) carry(before uint64, keep func(seq uint64, r journal.Record) bool) (c *carried, err error) {
	err = j.beside(func(conn *pgx.Conn, from base, end uint64) error {
		through, err := j.wholeBelow(conn, from, end, before)
		if err != nil || through <= from.through {
			return err
		}
		c, err = j.writeKept(conn, from, through, keep)
		return err
	})
	return c, err
}

func (j *Journal) writeKept(conn *pgx.Conn, from base, through uint64, keep func(uint64, journal.Record) bool) (*carried, error) {
	c := &carried{j: j}
	if _, err := io.ReadFull(j.env.Rand, c.purge[:]); err != nil {
		return nil, err
	}
	ctx, cancel := j.bounded()
	defer cancel()
	var value []byte
	err := conn.QueryRow(ctx, `SELECT chain, reserved FROM tapswitch_journal WHERE last = $1 AND first > $2`, int64(through), int64(from.through)).Scan(&value, &c.reserved)
	if err != nil {
		return nil, err
	}
	c.through = through
	copy(c.chain[:], value) // the walk sees whether it is as it was written
	c.end = c.first(j.origin)
	w := walk{origin: j.origin, base: from, end: through, visit: func(seq uint64, r journal.Record, more bool) error {
		return c.add(seq, r, more, keep(seq, r))
	}}
	if err := w.run(conn); err != nil {
		if s := (stopped{}); errors.As(err, &s) {
			return nil, s.error
		}
		return nil, err
	}
	if w.chain != c.chain || w.room.sealed != c.reserved {
		return nil, &Fault{First: w.row, Reason: "it changed while it was read"}
	}
	c.before, c.did.Removed = w.room.real, w.rows
	return c, c.write()
}

// add takes one record in order. Those of one Append stay one, and in one row.
func (c *carried) add(seq uint64, r journal.Record, more, keep bool) error {
	if keep {
		c.did.Kept++
		c.net += int64(r.Reserve)
		c.open = binary.BigEndian.AppendUint64(c.open, seq)
		c.last = len(c.open)
		c.open = appendRecord(c.open, r, true)
	} else {
		c.did.Dropped++
		c.did.Freed += size(r)
	}
	if more || len(c.open) == 0 {
		return nil
	}
	c.open[c.last+1] &^= flagMore
	c.real, c.net = settle(c.real, c.net), 0
	if len(c.body) > 0 && len(c.body)+len(c.open) > keptChunk {
		if err := c.write(); err != nil {
			return err
		}
	}
	c.body, c.open = append(c.body, c.open...), c.open[:0]
	return nil
}

// write stores the kept row that was made up.
func (c *carried) write() error {
	if len(c.body) == 0 {
		return nil
	}
	c.place++
	c.end = sealKept(c.end, c.place, c.body)
	err := c.j.do(&request{step: func() error { return c.j.keep(c) }})
	c.body = c.body[:0]
	return err
}

// alone runs one step of a purge on the writer's connection. When that breaks, the
// step has failed, and whoever comes next connects again.
func (j *Journal) alone(step func() error) error {
	j.flush()
	if j.broken != nil {
		return j.broken
	}
	if j.conn.IsClosed() {
		if _, err := j.resolve(j.now(), errors.New("the connection is gone")); err != nil {
			j.fail(err)
			return j.broken
		}
	}
	err := step()
	if no := (refused{}); errors.As(err, &no) {
		return no.error
	}
	return err
}

// keepStatement stores a kept row if this process is still the writer.
const keepStatement = `
WITH mine AS (SELECT FROM tapswitch_journal_state WHERE writer = $1 AND epoch = $2 FOR UPDATE)
INSERT INTO tapswitch_journal_kept (purge, place, chain, body) SELECT $3, $4::bigint, $5, $6 FROM mine`

func (j *Journal) keep(c *carried) error {
	return j.changes(keepStatement, j.token[:], j.epoch, c.purge[:], int64(c.place), c.end[:], c.body)
}

// changes runs a statement that changes a row if this process is still the writer.
func (j *Journal) changes(statement string, args ...any) error {
	ctx, cancel := j.bounded()
	defer cancel()
	tag, err := j.conn.Exec(ctx, statement, args...)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return j.whyNot()
	}
	return nil
}

// swapStatement makes the kept rows of a purge those that count. Rows that were
// stored before are durable with it.
const swapStatement = `
UPDATE tapswitch_journal_state SET kept_purge = $3, kept_through = $4::bigint, kept_chain = $5, kept_reserved = $6::bigint, kept_end = $7
WHERE writer = $1 AND epoch = $2 AND current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off'`

// swap puts the kept rows in their place: from here on they are what is read. A
// server that refuses the statement has changed nothing.
func (j *Journal) swap(c *carried) error {
	err := j.commit(where{j.end, j.chain, c.purge}, func() error {
		return j.changes(swapStatement, j.token[:], j.epoch, c.purge[:], int64(c.through), c.chain[:], c.reserved, c.end[:])
	})
	switch {
	case errors.As(err, new(saidNo)), errors.Is(err, journal.ErrFull):
		return err
	case err != nil:
		j.fail(err)
		return j.broken
	}
	j.used -= c.did.Freed
	j.room.real = settle(j.room.real, c.real-c.before)
	j.mu.Lock()
	j.base = c.base
	j.mu.Unlock()
	return nil
}

// What nobody reads any more: rows that kept rows stand for, and kept rows of other
// purges. A writer that was replaced removes nothing: whoever replaced it may be
// writing kept rows that the state does not name yet.
const (
	sweepStatement = `
WITH mine AS (SELECT kept_through FROM tapswitch_journal_state WHERE writer = $1 AND epoch = $2 FOR UPDATE)
DELETE FROM tapswitch_journal WHERE first IN (SELECT first FROM tapswitch_journal WHERE first <= (SELECT kept_through FROM mine) ORDER BY first LIMIT $3)`
	sweepKeptStatement = `
WITH mine AS (SELECT kept_purge FROM tapswitch_journal_state WHERE writer = $1 AND epoch = $2 FOR UPDATE)
DELETE FROM tapswitch_journal_kept WHERE (purge, place) IN
	(SELECT purge, place FROM tapswitch_journal_kept WHERE purge <> (SELECT kept_purge FROM mine) LIMIT $3)`
)

// sweep removes what nobody reads any more, unless somebody still reads something:
// the next sweep does it then.
func (j *Journal) sweep() error {
	for _, statement := range []string{sweepKeptStatement, sweepStatement} {
		for more := true; more; {
			j.mu.Lock()
			busy := j.readers > 0
			j.mu.Unlock()
			if busy {
				return nil
			}
			err := j.do(&request{step: func() (err error) {
				more, err = j.remove(statement)
				return err
			}})
			if err != nil {
				return fmt.Errorf("journal: purge: what was purged is still there, and nobody reads it: %w", err)
			}
		}
	}
	return nil
}

// remove takes some rows away, and says whether there may be more.
func (j *Journal) remove(statement string) (more bool, err error) {
	ctx, cancel := j.bounded()
	defer cancel()
	tag, err := j.conn.Exec(ctx, statement, j.token[:], j.epoch, sweepRows)
	return tag.RowsAffected() == sweepRows, err
}
