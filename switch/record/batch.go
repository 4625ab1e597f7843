// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/binary"

	"tapswitch/internal/money"
	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// batchSize is the length of an encoded txn.BatchID, which is how the keys of
// its payments begin.
const batchSize = 8 + 15 + 4

// AppendBatchID appends the 27 bytes of id.
func AppendBatchID(dst []byte, id txn.BatchID) []byte {
	dst = append(dst, id.Terminal[:]...)
	dst = append(dst, id.Merchant[:]...)
	return binary.BigEndian.AppendUint32(dst, id.Batch)
}

// ParseBatchID reads what AppendBatchID wrote.
func ParseBatchID(b []byte) (id txn.BatchID, err error) {
	if len(b) != batchSize {
		return id, ErrForm
	}
	copy(id.Terminal[:], b)
	copy(id.Merchant[:], b[8:])
	id.Batch = binary.BigEndian.Uint32(b[23:])
	return id, nil
}

// MakeBatch makes the record of how the batch id stands. Its totals hold for all
// records before it: what was counted before may leave the journal.
func MakeBatch(id txn.BatchID, b txn.Batch) journal.Record {
	e := newEncoder(nil)
	e.byte(tagBatch, byte(b.State))
	e.totals(tagNow, b.Now)
	e.totals(tagTold, b.Told)
	e.totals(tagTheirs, b.Theirs)
	e.time(tagAt, b.At)
	e.offline(b.Offline)
	return journal.Record{Kind: KindBatch, Key: AppendBatchID(nil, id), Body: e.buf, Reserve: admission}
}

// ParseBatch reads key and body of KindBatch.
func ParseBatch(r journal.Record) (id txn.BatchID, b txn.Batch, err error) {
	if id, err = ParseBatchID(r.Key); err != nil {
		return id, b, err
	}
	err = fields(r.Body, func(tag byte, v []byte) (ok bool) {
		switch tag {
		case tagBatch:
			if len(v) != 1 {
				return false
			}
			b.State = txn.BatchState(v[0])
			return b.State.Known()
		case tagNow:
			return setTotals(&b.Now, v)
		case tagTold:
			return setTotals(&b.Told, v)
		case tagTheirs:
			return setTotals(&b.Theirs, v)
		case tagAt:
			b.At, ok = parseTime(v)
		case tagOffline:
			ok = setOffline(&b.Offline, v)
		}
		return ok
	})
	if err == nil && b.State == 0 {
		err = ErrForm
	}
	return id, b, err
}

// totals: debits 4, credits 4, their amounts 8 and 8.
func (e *encoder) totals(tag byte, t txn.Totals) {
	b := binary.BigEndian.AppendUint32(nil, t.Debits)
	b = binary.BigEndian.AppendUint32(b, t.Credits)
	b = binary.BigEndian.AppendUint64(b, uint64(t.DebitMinor))
	e.fixed(tag, binary.BigEndian.AppendUint64(b, uint64(t.CreditMinor)))
}

func setTotals(t *txn.Totals, v []byte) bool {
	if len(v) != 24 {
		return false
	}
	t.Debits, t.Credits = binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
	t.DebitMinor, t.CreditMinor = money.MinorUnits(binary.BigEndian.Uint64(v[8:])), money.MinorUnits(binary.BigEndian.Uint64(v[16:]))
	return true
}

// offline: count 4, their amount 8; nothing when there are none.
func (e *encoder) offline(u txn.OfflineUse) {
	e.fixed(tagOffline, binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, u.Count), uint64(u.Minor)))
}

func setOffline(u *txn.OfflineUse, v []byte) bool {
	if len(v) != 12 {
		return false
	}
	u.Count, u.Minor = binary.BigEndian.Uint32(v), money.MinorUnits(binary.BigEndian.Uint64(v[4:]))
	return true
}
