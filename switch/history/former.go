// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tapswitch/internal/env"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// Former is a payment and what names it as its original since, in order.
type Former struct {
	Payment txn.Payment
	Later   []txn.Payment
}

// ErrGap: records of the time of the payment were purged from the journal before
// they were read, so that what names it may be missing.
var ErrGap = errors.New("history: what was made of so old a payment is not all here")

// laterMax bounds the payments of one card that are looked through.
const laterMax = LimitMax

// await is somebody who waits until a record is written.
type await struct {
	seq     uint64
	written env.Event
}

// current gives the book with every record in it that was durable at the moment
// of the call; it waits for the writer. ErrBehind: not in time.
func (w *Writer) current(ctx context.Context, until env.Mono) (*Book, error) {
	last := w.source.Last()
	w.mu.Lock()
	if w.away || w.book != nil && w.seq >= last {
		b := w.book
		w.mu.Unlock()
		return b.reaching(ctx, last)
	}
	a := await{last, w.world.Waits.NewEvent()}
	w.waits = append(w.waits, a)
	w.mu.Unlock()
	written := a.written.Wait(until)
	w.mu.Lock()
	if !written {
		w.waits = slices.DeleteFunc(w.waits, func(o await) bool { return o.written == a.written })
	}
	b := w.book
	w.mu.Unlock()
	if !written {
		return nil, ErrBehind
	}
	return b.reaching(ctx, last)
}

// reaching is the book itself when it has a record: what the writer remembers may
// be of a file that was taken away since.
func (b *Book) reaching(ctx context.Context, last uint64) (*Book, error) {
	if b == nil {
		return nil, ErrBehind
	}
	seq, err := b.Last(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("history: %w", err)
	case seq < last:
		return nil, ErrBehind
	}
	return b, nil
}

// Named gives the payment that a reference number names, by merchant, batch and
// trace as well (original, whose terminal and class do not count), as it stood at
// the moment of the call or later. ErrNotFound, ErrAmbiguous, ErrBehind.
func (w *Writer) Named(ctx context.Context, n txn.RRN, original txn.Key, until env.Mono) (txn.Payment, error) {
	b, err := w.current(ctx, until)
	if err != nil {
		return txn.Payment{}, err
	}
	return b.named(ctx, n, original)
}

func (b *Book) named(ctx context.Context, n txn.RRN, original txn.Key) (p txn.Payment, err error) {
	rows, err := b.rows(ctx, " WHERE rrn = $1 AND merchant = $2 AND batch = $3 AND trace = $4 AND state <> '"+Tombstone+"' AND class <> $5 ORDER BY id DESC LIMIT 2",
		n.String(), original.Merchant.String(), original.Batch, original.Trace, txn.StandIn) // an advice of stand-in has its payment's numbers
	switch {
	case err != nil:
		return p, err
	case len(rows) == 0:
		return p, ErrNotFound
	case len(rows) > 1:
		return p, ErrAmbiguous
	}
	return b.payment(ctx, rows[0].ID)
}

// payment makes a payment of its records.
func (b *Book) payment(ctx context.Context, id int64) (txn.Payment, error) {
	k, events, err := b.stored(ctx, id)
	if err != nil {
		return txn.Payment{}, err
	}
	p, err := fold(k, events)
	if err != nil {
		return txn.Payment{}, fmt.Errorf("history: %w", err)
	}
	return *p, nil
}

// Since gives p as it stands and all that names it, as of the moment of the call
// or later: nothing that was durable then is missing. ErrNotFound, ErrGap, ErrBehind.
func (w *Writer) Since(ctx context.Context, p *txn.Payment, until env.Mono) (Former, error) {
	b, err := w.current(ctx, until)
	if err != nil {
		return Former{}, err
	}
	return b.since(ctx, p)
}

func (b *Book) since(ctx context.Context, p *txn.Payment) (f Former, err error) {
	rows, err := b.rows(ctx, " WHERE key = $1 AND rrn = $2 ORDER BY id DESC LIMIT 1", record.AppendKey(nil, p.Key), p.Numbers.RRN.String())
	if err == nil && len(rows) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return f, err
	}
	id, whole := rows[0].ID, int64(0)
	if err := b.db.QueryRowContext(ctx, "SELECT whole FROM progress").Scan(&whole); err != nil {
		return f, fmt.Errorf("history: %w", err)
	}
	if id < whole {
		return f, ErrGap
	}
	if f.Payment, err = b.payment(ctx, id); err != nil {
		return f, err
	}
	rows, err = b.rows(ctx, " WHERE token = $1 AND id > $2 AND class NOT IN ($3, $4, $5) ORDER BY id LIMIT $6",
		p.Token[:], id, txn.Purchase, txn.Cash, txn.Balance, laterMax+1) // these name nothing
	if err == nil && len(rows) > laterMax {
		err = fmt.Errorf("history: more than %d payments of one card", laterMax)
	}
	if err != nil {
		return f, err
	}
	for _, r := range rows {
		l, err := b.payment(ctx, r.ID)
		if err != nil {
			return f, err
		}
		if l.Original == p.Key && (l.OfRRN == p.Numbers.RRN || l.OfRRN == txn.RRN{} && l.Numbers.RRN == p.Numbers.RRN) {
			f.Later = append(f.Later, l)
		}
	}
	return f, nil
}
