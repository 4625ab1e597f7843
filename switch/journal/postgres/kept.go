// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tapswitch/switch/journal"
)

// purgeID tells the kept rows of one purge from those of any other.
type purgeID [16]byte

// base is where the rows begin: behind what a purge has put kept rows in the
// place of. The zero purge is none, and then the rows begin with record 1.
type base struct {
	purge    purgeID
	through  uint64 // the last record that the kept rows stand for
	chain    chain  // behind it: what the next row follows
	reserved int64  // behind it, as its row had it
	end      chain  // of the kept rows
}

// first is the value that the first kept row follows. All of b but its end is in
// it, so that none of them can be changed alone.
func (b *base) first(origin chain) chain {
	h := sha256.New()
	h.Write([]byte("kept"))
	h.Write(origin[:])
	h.Write(b.purge[:])
	var n [16]byte
	binary.BigEndian.PutUint64(n[:], b.through)
	binary.BigEndian.PutUint64(n[8:], uint64(b.reserved))
	h.Write(n[:])
	h.Write(b.chain[:])
	return chain(h.Sum(nil))
}

// sealKept gives the chain value of the kept row at a place behind before. Its
// length differs from what a row's is made of.
func sealKept(before chain, place uint64, body []byte) chain {
	h := sha256.New()
	h.Write(before[:])
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], place)
	h.Write(b[:])
	h.Write(body)
	return chain(h.Sum(nil))
}

// baseColumns are those of the state that readBase takes, in its order.
const baseColumns = `kept_purge, kept_through, kept_chain, kept_reserved, kept_end`

// storedBase is a base as the state has it.
type storedBase struct {
	purge, chain, end []byte
	through, reserved int64
}

// fields are where a row of baseColumns goes.
func (s *storedBase) fields() []any {
	return []any{&s.purge, &s.through, &s.chain, &s.reserved, &s.end}
}

// base is s, once its form is right. Its value is seen when the rows are read.
func (s *storedBase) base(origin chain) (base, error) {
	b := base{chain: origin}
	if len(s.purge) == 0 && s.through == 0 && len(s.chain) == 0 && s.reserved == 0 && len(s.end) == 0 {
		return b, nil
	}
	if len(s.purge) != len(b.purge) || len(s.chain) != len(b.chain) || len(s.end) != len(b.end) || s.through <= 0 || s.reserved < 0 {
		return b, &Fault{Reason: "what it says of the last purge cannot be"}
	}
	return base{purgeID(s.purge), uint64(s.through), chain(s.chain), s.reserved, chain(s.end)}, nil
}

// keptHead is what stands before a record in a kept row's body: its number,
// big-endian.
const keptHead = 8

// kept walks the kept rows. Behind them the rows begin.
func (w *walk) kept(conn *pgx.Conn) error {
	w.at, w.chain, w.room = w.base.through, w.base.chain, room{sealed: w.base.reserved}
	if w.base.purge == (purgeID{}) {
		return nil
	}
	rows, err := conn.Query(context.Background(), `SELECT place, chain, body FROM tapswitch_journal_kept WHERE purge = $1 ORDER BY place`, w.base.purge[:])
	if err != nil {
		return err
	}
	defer rows.Close()
	k := keptWalk{walk: w, chain: w.base.first(w.origin)}
	for rows.Next() {
		var place int64
		var value, body pgtype.DriverBytes // valid until the next row
		if err := rows.Scan(&place, &value, &body); err != nil {
			return err
		}
		if err := k.take(uint64(place), value, body); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if k.chain != w.base.end {
		return &Fault{Kept: k.place + 1, Reason: "this row is missing, or the state of the last purge is not as it was written"}
	}
	return nil
}

// keptWalk reads kept rows in order.
type keptWalk struct {
	*walk
	place uint64 // the last one read
	chain chain  // behind it
	seq   uint64 // the last record read
}

// take checks one kept row against those before it, and walks its records.
func (k *keptWalk) take(place uint64, value, body []byte) error {
	k.place++
	if place != k.place {
		return &Fault{Kept: k.place, Reason: fmt.Sprintf("this row is missing; the next one is %d", place)}
	}
	k.chain = sealKept(k.chain, place, body)
	if string(value) != string(k.chain[:]) {
		return &Fault{Kept: place, Reason: "the row is not as it was written, or does not follow what is before it"}
	}
	k.walk.keptRow = place
	net, more := int64(0), false
	for len(body) > 0 {
		if len(body) < keptHead {
			return &Fault{Kept: place, Reason: "it ends inside a record"}
		}
		seq := binary.BigEndian.Uint64(body)
		rec, m, rest, err := parseRecord(body[keptHead:])
		if err != nil || seq <= k.seq || seq > k.base.through {
			return &Fault{Kept: place, Reason: fmt.Sprintf("record %d behind record %d cannot be read, or does not belong here", seq, k.seq)}
		}
		body, k.seq = rest, seq
		if net, more = net+int64(rec.Reserve), m; !more {
			k.room.real, net = settle(k.room.real, net), 0
		}
		if err := k.see(seq, rec, more); err != nil {
			return stopped{err}
		}
	}
	if more {
		return &Fault{Kept: place, Reason: "it ends inside an append"}
	}
	return nil
}

// see gives a record to whoever reads.
func (w *walk) see(seq uint64, r journal.Record, more bool) error {
	if w.visit == nil {
		return nil
	}
	return w.visit(seq, r, more)
}
