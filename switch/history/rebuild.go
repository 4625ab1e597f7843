// SPDX-License-Identifier: Apache-2.0

package history

import (
	"database/sql"
	"errors"
	"fmt"

	"tapswitch/switch/journal"
)

// Rebuilt is what a rebuild did.
type Rebuilt struct {
	Records  uint64 // of the journal that were read
	Payments int64
	Last     uint64 // number of the last record
}

// ErrWouldLose: the present history knows payments that the journal does not
// have any more.
var ErrWouldLose = errors.New("history: the journal no longer has all its payments")

// Rebuild makes a history anew from a journal, beside the old one, whose place it
// then takes. Payments that only the old one knows are
// dropped when drop says so; without, they are a refusal that changes nothing.
func Rebuild(at Place, from journal.Replayer, drop bool) (done Rebuilt, err error) {
	l, err := at.lock()
	if err != nil {
		return Rebuilt{}, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	err = at.build(func(db *sql.DB) error {
		p, err := newProjection(db, 4*DefaultBatch, 4*at.bound())
		if err != nil {
			return err
		}
		err = from.Replay(func(seq uint64, r journal.Record) error {
			done.Records++
			return p.take(seq, r)
		})
		if err == nil {
			err = p.commit()
		}
		if err != nil {
			return errors.Join(err, p.abandon())
		}
		done.Last = p.seq
		if err := db.QueryRow("SELECT count(*) FROM payment").Scan(&done.Payments); err != nil || drop {
			return err
		}
		return compare(at, db)
	})
	return done, err
}

// compare refuses to replace a history that knows more. One that cannot be read
// is no reason to keep it.
func compare(at Place, fresh *sql.DB) error {
	old, err := at.reading()
	if err != nil {
		return nil
	}
	defer old.Close()
	rows, err := old.Query("SELECT id, key FROM payment ORDER BY id")
	if err != nil {
		return nil
	}
	defer rows.Close()
	lost := 0
	for rows.Next() {
		var id, n int64
		var key []byte
		if err := rows.Scan(&id, &key); err != nil {
			return nil
		}
		if err := fresh.QueryRow("SELECT count(*) FROM payment WHERE id = $1 AND key = $2", id, key).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			lost++
		}
	}
	if lost > 0 {
		return fmt.Errorf("%w: %d payments would be lost; keep it, or drop them (--drop)", ErrWouldLose, lost)
	}
	return nil
}
