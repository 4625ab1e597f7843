// SPDX-License-Identifier: Apache-2.0

package history

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

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
	batch int // records in one transaction

	seq  uint64 // number of the last record that is committed
	hash []byte

	whole     uint64 // from this number on no record is missing
	committed uint64 // whole as it is committed

	tx      *sql.Tx
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

// newProjection reads how far the file has come.
func newProjection(db *sql.DB, batch int) (*projection, error) {
	p := &projection{db: db, batch: batch, open: map[txn.Key]*living{}}
	err := db.QueryRow("SELECT seq, hash, whole FROM progress").Scan(&p.seq, &p.hash, &p.whole)
	p.last, p.committed = p.seq, p.whole
	return p, err
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
	if p.tx == nil {
		tx, err := p.db.Begin()
		if err != nil {
			return err
		}
		p.tx = tx
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

// commit makes what was taken durable, and how far that is, both or none.
func (p *projection) commit() error {
	if p.tx == nil {
		return nil
	}
	if _, err := p.tx.Exec("UPDATE progress SET seq = ?, hash = ?, whole = ?", int64(p.last), p.digest, int64(p.whole)); err != nil {
		return err
	}
	if err := p.tx.Commit(); err != nil {
		return err
	}
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
	p.tx, p.pending, p.last, p.whole = nil, 0, p.seq, p.committed
	clear(p.open)
	return err
}

func (p *projection) apply(seq uint64, r journal.Record) error {
	switch r.Kind {
	case record.KindTries, record.KindNumbers, record.KindBatch, record.KindCounter, record.KindStandIn:
		return nil // not of a payment's life
	case record.KindIntent, record.KindRefused, record.KindOutcome, record.KindUndo, record.KindUndone, record.KindCase, record.KindTombstone,
		record.KindAdvice, record.KindAdvised, record.KindAct:
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
	if _, err := p.tx.Exec("INSERT INTO event VALUES (?, ?, ?, ?)", int64(seq), l.id, r.Kind, r.Body); err != nil {
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
	values := []any{key, row.Terminal, row.Merchant, row.Batch, row.Trace, k.Class, row.token[:], row.Card, row.Amount, row.Currency,
		row.Link, row.STAN, row.RRN, row.nanos, row.State, row.Code, row.Reason}
	if fresh {
		_, err := p.tx.Exec("INSERT INTO payment VALUES (?, "+strings.Repeat("?, ", len(values)-1)+"?)", append([]any{l.id}, values...)...)
		return err
	}
	_, err := p.tx.Exec(`UPDATE payment SET key = ?, terminal = ?, merchant = ?, batch = ?, trace = ?, class = ?, token = ?, masked = ?, amount = ?,
		currency = ?, link = ?, stan = ?, rrn = ?, at = ?, state = ?, code = ?, reason = ? WHERE id = ?`, append(values, l.id)...)
	return err
}

// find gives the newest life of a key, nil when there is none.
func (p *projection) find(k txn.Key, key []byte) (*living, error) {
	if l := p.open[k]; l != nil {
		return l, nil
	}
	l := &living{}
	err := p.tx.QueryRow("SELECT id FROM payment WHERE key = ? ORDER BY id DESC LIMIT 1", key).Scan(&l.id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	events, err := eventsOf(p.tx, l.id)
	if err != nil {
		return nil, err
	}
	l.p, err = fold(k, events)
	return l, err
}
