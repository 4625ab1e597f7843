// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// Book reads a history, beside the switch that writes it.
type Book struct{ db *sql.DB }

// Read opens a history for reading. ErrNone: there is none yet.
func Read(at Place) (*Book, error) {
	db, err := at.reading()
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(2)
	return &Book{db}, nil
}

// Close ends the reading.
func (b *Book) Close() error { return b.db.Close() }

// Last is the number of the journal's record up to which the book is written.
func (b *Book) Last(ctx context.Context) (seq uint64, err error) {
	err = b.db.QueryRowContext(ctx, "SELECT seq FROM progress").Scan(&seq)
	return seq, err
}

// LimitMax bounds the rows of one answer.
const LimitMax = 10_000

// Query says which payments are wanted; what is zero is not asked for.
type Query struct {
	Token    *[16]byte // keyed token of the card number
	Card     string    // masked, as it is shown
	Terminal string
	Merchant string
	Batch    *uint32
	Trace    *uint32
	RRN      string
	STAN     uint32
	Min, Max *int64    // amount in minor units, both included
	From, To time.Time // From is included, To is not
	State    string    // a state of switch/txn, or Tombstone
	Before   int64     // only payments with a smaller ID: the next page
	Limit    int       // 1 to LimitMax
}

// States are the words that Query.State may have.
func States() []string {
	all := []string{Tombstone}
	for _, s := range []txn.State{txn.Intended, txn.Approved, txn.Declined, txn.Refused, txn.Reversing, txn.Reversed, txn.Unmatched, txn.Disputed, txn.Advising, txn.Advised, txn.Upheld} {
		all = append(all, s.String())
	}
	return all
}

const columns = "id, terminal, merchant, batch, trace, class, token, masked, amount, currency, link, stan, rrn, at, state, code, reason"

// where puts a query into SQL.
func (q Query) where() (text string, args []any) {
	var parts []string
	add := func(is bool, part string, arg any) {
		if is {
			args = append(args, arg)
			parts = append(parts, fmt.Sprintf("%s $%d", part, len(args)))
		}
	}
	if q.Token != nil {
		add(true, "token =", q.Token[:])
	}
	add(q.Card != "", "masked =", q.Card)
	add(q.Terminal != "", "terminal =", q.Terminal)
	add(q.Merchant != "", "merchant =", q.Merchant)
	if q.Batch != nil {
		add(true, "batch =", *q.Batch)
	}
	if q.Trace != nil {
		add(true, "trace =", *q.Trace)
	}
	add(q.RRN != "", "rrn =", q.RRN)
	add(q.STAN != 0, "stan =", q.STAN)
	if q.Min != nil {
		add(true, "amount >=", *q.Min)
	}
	if q.Max != nil {
		add(true, "amount <=", *q.Max)
	}
	add(!q.From.IsZero(), "at >=", q.From.UnixNano())
	add(!q.To.IsZero(), "at <> 0 AND at <", q.To.UnixNano())
	add(q.State != "", "state =", q.State)
	add(q.Before != 0, "id <", q.Before)
	if len(parts) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(parts, " AND "), args
}

// Search gives the payments that fit, the newest first. More says that there are
// others behind the last one.
func (b *Book) Search(ctx context.Context, q Query) (found []Row, more bool, err error) {
	if q.Limit < 1 || q.Limit > LimitMax {
		return nil, false, fmt.Errorf("history: a limit of %d: 1 to %d", q.Limit, LimitMax)
	}
	where, args := q.where()
	rows, err := b.rows(ctx, fmt.Sprintf("%s ORDER BY id DESC LIMIT $%d", where, len(args)+1), append(args, q.Limit+1)...)
	if err != nil {
		return nil, false, err
	}
	if more = len(rows) > q.Limit; more {
		rows = rows[:q.Limit]
	}
	return rows, more, nil
}

func (b *Book) rows(ctx context.Context, rest string, args ...any) (all []Row, err error) {
	rows, err := b.db.QueryContext(ctx, "SELECT "+columns+" FROM payment"+rest, plain(args)...)
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r Row
		var class txn.Class
		var token []byte
		if err := rows.Scan(&r.ID, &r.Terminal, &r.Merchant, &r.Batch, &r.Trace, &class, &token, &r.Card, &r.Amount, &r.Currency,
			&r.Link, &r.STAN, &r.RRN, &r.nanos, &r.State, &r.Code, &r.Reason); err != nil {
			return nil, fmt.Errorf("history: %w", err)
		}
		copy(r.token[:], token)
		r.Class = class.String()
		all = append(all, r.told())
	}
	return all, rows.Err()
}

// ErrNotFound: the history has no such payment.
var ErrNotFound = errors.New("history: no such payment")

// Life gives the payment with this ID and everything that became of it.
func (b *Book) Life(ctx context.Context, id int64) (Life, error) {
	rows, err := b.rows(ctx, " WHERE id = $1", id)
	if err != nil {
		return Life{}, err
	}
	if len(rows) == 0 {
		return Life{}, ErrNotFound
	}
	l := Life{Row: rows[0]}
	k, events, err := b.stored(ctx, id)
	if err != nil {
		return Life{}, err
	}
	for _, e := range events {
		s, err := stepOf(k, e)
		if err != nil {
			return Life{}, fmt.Errorf("history: record %d: %w", e.seq, err)
		}
		l.Steps = append(l.Steps, s)
	}
	return l, nil
}

// stored reads key and records of a life.
func (b *Book) stored(ctx context.Context, id int64) (k txn.Key, events []stored, err error) {
	var key []byte
	if err := b.db.QueryRowContext(ctx, "SELECT key FROM payment WHERE id = $1", id).Scan(&key); err != nil {
		return k, nil, fmt.Errorf("history: %w", err)
	}
	if k, err = record.ParseKey(key); err != nil {
		return k, nil, fmt.Errorf("history: %w", err)
	}
	events, err = eventsOf(ctx, b.db, id)
	return k, events, err
}
