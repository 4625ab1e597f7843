// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tapswitch/internal/assert"
	"tapswitch/switch/journal"
)

// chunk is the most that one statement carries, unless one Append is longer.
const chunk = 1 << 20

// request is one Append, one step of a purge, or the Close.
type request struct {
	records []journal.Record
	size    int64
	net     int64 // reserve
	step    func() error
	close   bool
	err     error
}

// writer is what belongs to the one caller that leads a batch.
type writer struct {
	conn   *pgx.Conn
	token  [16]byte // of this process
	epoch  int64
	origin chain  // before the first row
	end    uint64 // number of the last record
	chain  chain  // behind it
	room   room
	used   int64 // bytes of all records
	broken error
	count  Stats

	pending []*request
	next    row   // what pending make up
	leaves  room  // behind pending
	adds    int64 // bytes of pending
}

// serve commits a batch. Each request gets its own result.
func (j *Journal) serve(items []*request) error {
	j.count.Batches++
	for _, r := range items {
		switch {
		case r.close:
			r.err = j.shut()
		case j.broken != nil:
			r.err = j.broken
		case r.step != nil:
			r.err = j.alone(r.step)
		default:
			j.gather(r)
		}
	}
	j.flush()
	j.publish()
	return nil
}

// gather puts r into the statement, or refuses it.
func (j *Journal) gather(r *request) {
	if int64(len(j.next.body))+r.size > chunk {
		j.flush()
		if r.err = j.broken; r.err != nil {
			return
		}
	}
	if len(j.pending) == 0 {
		j.next = row{first: j.end + 1, last: j.end, body: j.next.body[:0]}
		j.leaves, j.adds = j.room, 0
	}
	if r.net > 0 && j.cfg.MaxBytes > 0 && j.used+j.adds+r.size+j.leaves.real+r.net > j.cfg.MaxBytes {
		j.count.Full++
		r.err = journal.ErrFull
		return
	}
	for i, rec := range r.records {
		j.next.body = appendRecord(j.next.body, rec, i < len(r.records)-1)
		j.next.last++
	}
	j.leaves = j.leaves.settle(r.net)
	j.adds += r.size
	j.pending = append(j.pending, r)
}

// flush commits what was gathered.
func (j *Journal) flush() {
	if len(j.pending) == 0 {
		return
	}
	j.next.reserved = j.leaves.sealed
	j.next.chain = j.next.seal(j.chain)
	err := j.commit(where{j.next.last, j.next.chain, j.base.purge}, func() error { return j.send(&j.next) })
	switch {
	case err == nil:
		j.count.Appends += uint64(len(j.pending))
		j.end, j.chain, j.room = j.next.last, j.next.chain, j.leaves
		j.used += j.adds
	case errors.Is(err, journal.ErrFull):
		j.count.Full += uint64(len(j.pending))
	default:
		j.fail(err)
		if !errors.Is(err, journal.ErrUnknown) {
			err = j.broken
		}
	}
	for _, r := range j.pending {
		r.err = err
	}
	clear(j.pending)
	j.pending = j.pending[:0]
}

// SQLSTATEs (PostgreSQL, appendix A).
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	diskFull             = "53100"
	undefinedTable       = "42P01"
)

// retriesMax and retryPause bound how a serialization failure is tried again:
// one writer meets it on a distributed engine, and not for long.
const (
	retriesMax = 8
	retryPause = time.Millisecond
)

// commit stores what send sends, which leads to after: nil when it is durable,
// journal.ErrFull when nothing was written for want of room, journal.ErrUnknown
// when nobody can say, and any other error when it is not stored and nothing will be.
func (j *Journal) commit(after where, send func() error) error {
	for retries := 0; ; {
		err := send()
		if err == nil {
			return nil
		}
		var no refused
		if errors.As(err, &no) {
			return no.error
		}
		var said *pgconn.PgError
		if !errors.As(err, &said) || j.conn.IsClosed() {
			done, err := j.resolve(after, err)
			if done || err != nil {
				return err
			}
			continue // it is not there and never will be: once more
		}
		switch said.Code { // the server has undone the statement
		case serializationFailure, deadlockDetected:
			if retries++; retries <= retriesMax {
				j.count.Retries++
				j.env.Waits.NewEvent().Wait(j.env.Clock.Mono().Add(retryPause << retries))
				continue
			}
		case diskFull:
			return fmt.Errorf("%w: %s", journal.ErrFull, said.Message)
		}
		return saidNo{fmt.Errorf("the server refused a batch: %s (SQLSTATE %s)", said.Message, said.Code)}
	}
}

// saidNo is the refusal of a server that has undone the statement.
type saidNo struct{ error }

// send is the one round trip of a batch.
func (j *Journal) send(r *row) error {
	ctx, cancel := j.bounded()
	defer cancel()
	tag, err := j.conn.Exec(ctx, "append", int64(r.first), int64(r.last), j.token[:], j.epoch, j.chain[:], r.chain[:], r.reserved, r.body)
	if err != nil {
		return err
	}
	switch tag.RowsAffected() {
	case 1:
		return nil
	case 0:
		return j.whyNot()
	}
	assert.Fail("postgres: a batch was stored in %d rows", tag.RowsAffected())
	return nil
}

// refused says why the server did not take a batch although the statement went
// well.
type refused struct{ error }

// whyNot says why the server did not take a batch.
func (j *Journal) whyNot() error {
	ctx, cancel := j.bounded()
	defer cancel()
	if err := j.durable(ctx); err != nil {
		return refused{err}
	}
	return refused{fmt.Errorf("%s: %w", j.place(), ErrReplaced)}
}

// fail ends the journal.
func (j *Journal) fail(cause error) {
	if j.broken != nil {
		assert.Fail("postgres: broken twice: %v, then %v", j.broken, cause)
	}
	j.broken = fmt.Errorf("%w: %w", journal.ErrBroken, cause)
	j.cfg.OnBroken(j.broken)
}

// errClosed is what Append says after Close.
var errClosed = fmt.Errorf("%w: it was closed", journal.ErrBroken)

func (j *Journal) shut() error {
	j.flush()
	why := j.broken
	j.broken = errClosed
	_ = j.hangUp() // all that was acknowledged is durable; a goodbye that fails loses nothing
	return why
}

// publish shows the outside where the durable end is now.
func (j *Journal) publish() {
	s := j.count
	s.Records, s.Bytes, s.Reserved, s.Broken = j.end, j.used, j.room.real, j.broken != nil
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stats = s
}
