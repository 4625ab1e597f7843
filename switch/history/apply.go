// SPDX-License-Identifier: Apache-2.0

package history

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// Tombstone is the state of a key that was reversed before any payment with it
// was known.
const Tombstone = "tombstone"

// openMax bounds the payments remembered between records; those beyond are read
// back from the file when their next record comes.
const openMax = 4096

// projection writes records into an open file, in batches.
type projection struct {
	db    *sql.DB
	batch int           // records in one transaction
	bound time.Duration // of one transaction; 0 is no bound

	seq  uint64 // number of the last record that is committed
	hash []byte

	whole     uint64 // from this number on no record is missing
	committed uint64 // whole as it is committed

	tx      *sql.Tx
	ctx     context.Context // of tx
	cancel  context.CancelFunc
	pending int                 // records in tx
	last    uint64              // number of the last record in tx
	digest  []byte              // its hash
	open    map[txn.Key]*living // of the committed state and tx
}

// living is a payment that may get more records.
type living struct {
	id int64
	p  *txn.Payment // nil: a tombstone alone
}

// newProjection reads how far the history has come.
func newProjection(db *sql.DB, batch int, bound time.Duration) (*projection, error) {
	p := &projection{db: db, batch: batch, bound: bound, open: map[txn.Key]*living{}}
	ctx, cancel := within(bound)
	defer cancel()
	err := db.QueryRowContext(ctx, "SELECT seq, hash, whole FROM progress").Scan(&p.seq, &p.hash, &p.whole)
	p.last, p.committed = p.seq, p.whole
	return p, err
}

// within is a context that ends after bound; 0 is no end.
func within(bound time.Duration) (context.Context, context.CancelFunc) {
	if bound == 0 {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), bound)
}

// begin begins a transaction when there is none.
func (p *projection) begin() (err error) {
	if p.tx != nil {
		return nil
	}
	p.ctx, p.cancel = within(p.bound)
	if p.tx, err = p.db.BeginTx(p.ctx, nil); err != nil {
		p.cancel()
	}
	return err
}

// digestOf tells records apart.
func digestOf(r journal.Record) []byte {
	h := sha256.New()
	h.Write([]byte{r.Kind})
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(r.Key))))
	h.Write(r.Key)
	h.Write(r.Body)
	return h.Sum(nil)
}

// take takes the next record. The one that was the last before is only compared.
func (p *projection) take(seq uint64, r journal.Record) error {
	if seq < p.last || seq == p.last && p.pending > 0 {
		return fmt.Errorf("record %d after record %d", seq, p.last)
	}
	digest := digestOf(r)
	if seq == p.seq && p.pending == 0 {
		if !bytes.Equal(digest, p.hash) {
			return ErrOther
		}
		return nil
	}
	if err := p.begin(); err != nil {
		return err
	}
	if err := p.apply(seq, r); err != nil {
		return fmt.Errorf("journal record %d: %w", seq, err)
	}
	if seq != p.last+1 { // the journal lost those between before they were read
		p.whole = seq
	}
	p.last, p.digest = seq, digest
	if p.pending++; p.pending >= p.batch {
		return p.commit()
	}
	return nil
}

// commit makes what was taken durable, and how far that is, both or none. Whoever
// has written meanwhile, a lock or not, has done the same: then nothing is.
func (p *projection) commit() error {
	if p.tx == nil {
		return nil
	}
	done, err := p.tx.ExecContext(p.ctx, "UPDATE progress SET seq = $1, hash = $2, whole = $3 WHERE seq = $4", int64(p.last), p.digest, int64(p.whole), int64(p.seq))
	if err != nil {
		return err
	}
	switch n, err := done.RowsAffected(); {
	case err != nil:
		return err
	case n != 1:
		return fmt.Errorf("somebody else has written beyond record %d, or what was written is gone", p.seq)
	}
	if err := p.tx.Commit(); err != nil {
		return err
	}
	p.cancel()
	p.tx, p.pending = nil, 0
	p.seq, p.hash, p.committed = p.last, p.digest, p.whole
	return nil
}

// abandon forgets what was not committed.
func (p *projection) abandon() error {
	if p.tx == nil {
		return nil
	}
	err := p.tx.Rollback()
	if errors.Is(err, sql.ErrTxDone) { // its time was over
		err = nil
	}
	p.cancel()
	p.tx, p.pending, p.last, p.whole = nil, 0, p.seq, p.committed
	clear(p.open)
	return err
}

func (p *projection) apply(seq uint64, r journal.Record) error {
	switch r.Kind {
	case record.KindTries, record.KindNumbers, record.KindBatch, record.KindUpload, record.KindUploadClosed, record.KindCounter, record.KindStandIn:
		return nil // not of a payment's life
	case record.KindIntent, record.KindRefused, record.KindOutcome, record.KindUndo, record.KindUndone, record.KindCase, record.KindTombstone,
		record.KindAdvice, record.KindAdvised, record.KindAct, record.KindRerouted:
	default:
		return fmt.Errorf("kind %d is not known to this version", r.Kind)
	}
	k, err := record.ParseKey(r.Key)
	if err != nil {
		return err
	}
	l, err := p.find(k, r.Key)
	if err != nil {
		return err
	}
	if l, err = p.follow(l, k, int64(seq), r); err != nil {
		return fmt.Errorf("terminal %s trace %06d: %w", k.Terminal, k.Trace, err)
	}
	if _, err := p.tx.ExecContext(p.ctx, "INSERT INTO event VALUES ($1, $2, $3, $4)", int64(seq), l.id, r.Kind, r.Body); err != nil {
		return err
	}
	if l.p != nil && l.p.State.Resting() {
		delete(p.open, k)
		return nil
	}
	if len(p.open) >= openMax {
		clear(p.open)
	}
	p.open[k] = l
	return nil
}

// follow takes one record into the life it belongs to and writes its row. A key
// that comes again once its payment rests, beyond the replay window, begins a
// new life.
func (p *projection) follow(l *living, k txn.Key, seq int64, r journal.Record) (*living, error) {
	if l == nil || record.Begins(r.Kind) && l.p != nil && record.Over(l.p) {
		l = &living{id: seq}
	}
	fresh := l.id == seq
	if r.Kind != record.KindTombstone {
		var err error
		if l.p, err = record.Fold(l.p, k, r); err != nil {
			return nil, err
		}
	}
	return l, p.write(l, k, r.Key, fresh)
}

// write writes the row of a life.
func (p *projection) write(l *living, k txn.Key, key []byte, fresh bool) error {
	row := rowOf(l.id, k, l.p)
	values := plain([]any{l.id, key, row.Terminal, row.Merchant, row.Batch, row.Trace, k.Class, row.token[:], row.Card, row.Amount, row.Currency,
		row.Link, row.STAN, row.RRN, row.nanos, row.State, row.Code, row.Reason})
	statement := `UPDATE payment SET key = $2, terminal = $3, merchant = $4, batch = $5, trace = $6, class = $7, token = $8, masked = $9, amount = $10,
		currency = $11, link = $12, stan = $13, rrn = $14, at = $15, state = $16, code = $17, reason = $18 WHERE id = $1`
	if fresh {
		statement = "INSERT INTO payment VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
	}
	_, err := p.tx.ExecContext(p.ctx, statement, values...)
	return err
}

// find gives the newest life of a key, nil when there is none.
func (p *projection) find(k txn.Key, key []byte) (*living, error) {
	if l := p.open[k]; l != nil {
		return l, nil
	}
	l := &living{}
	err := p.tx.QueryRowContext(p.ctx, "SELECT id FROM payment WHERE key = $1 ORDER BY id DESC LIMIT 1", key).Scan(&l.id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	events, err := eventsOf(p.ctx, p.tx, l.id)
	if err != nil {
		return nil, err
	}
	l.p, err = fold(k, events)
	return l, err
}
