// SPDX-License-Identifier: Apache-2.0

package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tapswitch/switch/txn"
)

// Reference is how a later message names its original: exactly one of the three
// ways is set.
type Reference struct {
	// Receipt: the retrieval reference number, and the date of the original.
	Receipt *Receipt
	// Batch: the terminal's own numbers (UnionPay POS field 61).
	Batch *Batch
	// Sent: the elements of DE 90 of ISO 8583:1987, as they were sent on a link.
	Sent *Sent
}

// Receipt is DE 37 of the original. Date is its date MMDD, as the receipt has it;
// zero when the message has none. It may differ by a day: terminals print their
// own time zone. A date has no year: the nearest is meant.
type Receipt struct {
	RRN  txn.RRN
	Date [4]byte
}

// Batch is what the terminal called the original.
type Batch struct {
	Terminal txn.TerminalID
	Batch    uint32
	Trace    txn.STAN
}

// Sent is DE 11 and DE 7 (MMDDhhmmss, UTC) of the original's request on a link.
type Sent struct {
	Link string
	STAN txn.STAN
	At   [10]byte
}

// Errors of Original besides ErrNotFound.
var (
	// ErrAmbiguous: more than one payment fits; none may be picked.
	ErrAmbiguous = errors.New("history: more than one payment fits the reference")
	// ErrBehind: nothing was found, but the history has not caught up with the
	// journal since the start, so the payment may exist.
	ErrBehind = errors.New("history: not found, and the history is still behind the journal")
	// ErrReference: the reference names nothing, or in two ways.
	ErrReference = errors.New("history: a reference must be a receipt, a batch or a sent message, and one of them")
)

// Originals finds the payment that a void, a refund or a completion is about. It
// is the port for what the index in memory has forgotten: ask that one first, as
// the history may be a moment behind it. The payment is as the journal has it
// (an approval whose delivery is presumed has the state Approved), its card number
// is sealed with the payment's key as additional data. A declined or reversed
// payment is found like any other: what may be done to it is the caller's to say.
type Originals interface {
	Original(ctx context.Context, by Reference) (txn.Payment, error)
}

var (
	_ Originals = (*Book)(nil)
	_ Originals = (*Writer)(nil)
)

// Original finds one payment; ErrNotFound, ErrAmbiguous or ErrReference else.
func (b *Book) Original(ctx context.Context, by Reference) (txn.Payment, error) {
	rows, err := b.candidates(ctx, by)
	if err != nil {
		return txn.Payment{}, err
	}
	switch len(rows) {
	case 0:
		return txn.Payment{}, ErrNotFound
	case 1:
	default:
		return txn.Payment{}, ErrAmbiguous
	}
	return b.payment(ctx, rows[0].ID)
}

// candidates are the payments that fit, tombstones left out. Of the lives of one
// key only the newest counts, and of equal moments a year apart only the latest.
func (b *Book) candidates(ctx context.Context, by Reference) (fit []Row, err error) {
	rest := fmt.Sprintf(" AND state <> '%s' AND class <> %d ORDER BY id DESC LIMIT 1000", Tombstone, txn.StandIn) // an advice of stand-in has its payment's numbers
	var rows []Row
	switch {
	case by.Receipt != nil && by.Batch == nil && by.Sent == nil:
		rows, err = b.rows(ctx, " WHERE rrn = $1"+rest, by.Receipt.RRN.String())
		for _, r := range rows {
			if txn.NearDate(time.Unix(0, r.nanos), by.Receipt.Date) {
				fit = append(fit, r)
			}
		}
	case by.Batch != nil && by.Receipt == nil && by.Sent == nil:
		rows, err = b.rows(ctx, " WHERE terminal = $1 AND batch = $2 AND trace = $3"+rest, by.Batch.Terminal.String(), by.Batch.Batch, by.Batch.Trace)
		fit = newest(rows)
	case by.Sent != nil && by.Receipt == nil && by.Batch == nil:
		rows, err = b.rows(ctx, " WHERE stan = $1 AND link = $2"+rest, by.Sent.STAN, by.Sent.Link)
		for _, r := range rows {
			if len(fit) == 0 && time.Unix(0, r.nanos).UTC().Format("0102150405") == string(by.Sent.At[:]) {
				fit = append(fit, r)
			}
		}
	default:
		return nil, ErrReference
	}
	return fit, err
}

// newest leaves one row of each merchant and class: the terminal's numbers come
// again after years.
func newest(rows []Row) (fit []Row) {
	seen := map[[2]string]bool{}
	for _, r := range rows {
		k := [2]string{r.Merchant, r.Class}
		if !seen[k] {
			seen[k], fit = true, append(fit, r)
		}
	}
	return fit
}
