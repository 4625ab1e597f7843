// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// Row is a payment as a search shows it: no card number but masked. The state is
// that of the journal, which does not keep whether an answer was delivered: a
// payment that the customer has is "approved".
type Row struct {
	ID       int64  `json:"id"` // the journal's number of its first record
	At       string `json:"at,omitempty"`
	Terminal string `json:"terminal"`
	Merchant string `json:"merchant"`
	Batch    uint32 `json:"batch"`
	Trace    uint32 `json:"trace"`
	Class    string `json:"class"`
	Card     string `json:"card,omitempty"`  // masked
	Token    string `json:"token,omitempty"` // keyed, 32 hex digits
	Amount   int64  `json:"amount_minor"`
	Currency uint16 `json:"currency,omitempty"`
	Link     string `json:"link,omitempty"`
	STAN     uint32 `json:"stan,omitempty"`
	RRN      string `json:"rrn,omitempty"`
	State    string `json:"state"`
	Code     string `json:"code,omitempty"`
	Reason   string `json:"reason,omitempty"`

	token [16]byte
	nanos int64
}

// rowOf is what a search needs of a payment; p is nil for a tombstone.
func rowOf(id int64, k txn.Key, p *txn.Payment) Row {
	r := Row{ID: id, Terminal: k.Terminal.String(), Merchant: k.Merchant.String(), Batch: k.Batch, Trace: uint32(k.Trace),
		Class: k.Class.String(), State: Tombstone}
	if p != nil {
		r.Card, r.token, r.Amount, r.Currency = p.Masked, p.Token, int64(p.Worth().Minor), uint16(p.Amount.Currency)
		r.Link, r.STAN, r.RRN, r.State = p.Link, uint32(p.Numbers.STAN), p.Numbers.RRN.String(), p.State.String()
		r.Reason = string(p.Answer.Reason)
		if r.Reason == "" {
			r.Reason = string(p.UndoWhy)
		}
		if p.Answer.Code != (txn.Code{}) {
			r.Code = p.Answer.Code.String()
		}
		r.nanos = nanosOf(p)
	}
	return r.told()
}

// nanosOf is when a payment was: when its request was numbered, or, for one that
// was refused before, when that was decided.
func nanosOf(p *txn.Payment) int64 {
	for _, t := range []time.Time{p.Numbers.At, p.Answer.At} {
		if !t.IsZero() {
			return t.UnixNano()
		}
	}
	return 0
}

// told fills in what is shown in other words than it is stored.
func (r Row) told() Row {
	if r.token != ([16]byte{}) {
		r.Token = hex.EncodeToString(r.token[:])
	}
	if r.nanos != 0 {
		r.At = stamp(time.Unix(0, r.nanos))
	}
	return r
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// Step is one record of a payment's life.
type Step struct {
	Seq    uint64 `json:"seq"` // the journal's number
	Kind   string `json:"kind"`
	Event  string `json:"event,omitempty"`
	At     string `json:"at,omitempty"`
	STAN   uint32 `json:"stan,omitempty"`
	Code   string `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`   // of an operator's act, whose reason is in the operator's own words
	Link   string `json:"link,omitempty"` // where it went from here on
}

// Life is a payment with all that became of it.
type Life struct {
	Row
	Steps []Step `json:"steps"`
}

// stored is a record of the event table.
type stored struct {
	seq uint64
	journal.Record
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// eventsOf reads the records of a life in order.
func eventsOf(ctx context.Context, q querier, id int64) (all []stored, err error) {
	rows, err := q.QueryContext(ctx, "SELECT seq, kind, body FROM event WHERE payment = $1 ORDER BY seq", id)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var s stored
		if err := rows.Scan(&s.seq, &s.Kind, &s.Body); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

// fold makes the payment of its records; nil for a tombstone alone.
func fold(k txn.Key, events []stored) (p *txn.Payment, err error) {
	for _, e := range events {
		if e.Kind == record.KindTombstone {
			continue
		}
		if p, err = record.Fold(p, k, e.Record); err != nil {
			return nil, fmt.Errorf("record %d: %w", e.seq, err)
		}
	}
	return p, nil
}

// stepOf tells one record.
func stepOf(k txn.Key, e stored) (s Step, err error) {
	s = Step{Seq: e.seq, Kind: record.KindName(e.Kind)}
	var code txn.Code
	switch e.Kind {
	case record.KindTombstone:
	case record.KindIntent, record.KindRefused, record.KindAdvice:
		var p *txn.Payment
		if p, err = record.ParsePayment(k, e.Body); err != nil {
			return s, err
		}
		if n := nanosOf(p); n != 0 {
			s.At = stamp(time.Unix(0, n))
		}
		s.STAN, s.Reason, code = uint32(p.Numbers.STAN), string(p.Answer.Reason), p.Answer.Code
	case record.KindOutcome:
		var o record.Outcome
		o, err = record.ParseOutcome(e.Body)
		s.Event, s.At, s.Reason, code = o.Event.String(), stamp(o.Answer.At), string(o.Answer.Reason), o.Answer.Code
	case record.KindUndo:
		var u record.Undo
		u, err = record.ParseUndo(e.Body)
		s.Event, s.At, s.Reason, s.STAN = u.Event.String(), stamp(u.Numbers.At), string(u.Reason), uint32(u.Numbers.STAN)
	case record.KindUndone:
		var u record.Undone
		u, err = record.ParseUndone(e.Body)
		s.Event, code = u.Event.String(), u.Code
	case record.KindCase:
		var c txn.Case
		c, err = record.ParseCase(e.Body)
		s.Event, s.At, s.Reason, code = txn.CaseOpened.String(), stamp(c.At), string(c.Why), c.Code
	case record.KindAdvised:
		var a record.Advised
		a, err = record.ParseAdvised(e.Body)
		s.Event, s.At, code = txn.AdviceAcked.String(), stamp(a.At), a.Code
	case record.KindAct:
		var a txn.Act
		a, err = record.ParseAct(e.Body)
		s.Event, s.At, s.Reason, s.By, code = a.What.String(), stamp(a.At), a.Why, a.By, a.Code
	case record.KindRerouted:
		s.Link, err = record.ParseRerouted(e.Body)
		s.Event = txn.Rerouted.String()
	default:
		err = fmt.Errorf("kind %d is not known to this version", e.Kind)
	}
	if code != (txn.Code{}) {
		s.Code = code.String()
	}
	return s, err
}
