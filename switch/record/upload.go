// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/binary"
	"time"

	"tapswitch/internal/money"
	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// UploadMax is how many items one record holds.
const UploadMax = 100

// itemSize is the length of an encoded item without its masked card number.
const itemSize = 1 + 4 + 8 + 16

// MakeUpload makes the record of items that a terminal uploaded of its batch id, or
// left out: at most UploadMax.
func MakeUpload(id txn.BatchID, items []txn.Uploaded, at time.Time) journal.Record {
	e := newEncoder(nil)
	e.time(tagAt, at)
	for _, i := range items {
		e.item(i)
	}
	return journal.Record{Kind: KindUpload, Key: AppendBatchID(nil, id), Body: e.buf, Reserve: admission}
}

// item: verdict 1, trace number 4, amount 8, token 16, masked card number.
func (e *encoder) item(i txn.Uploaded) {
	b := append(make([]byte, 0, itemSize+len(i.Masked)), byte(i.Verdict))
	b = binary.BigEndian.AppendUint32(b, uint32(i.Trace))
	b = binary.BigEndian.AppendUint64(b, uint64(i.Minor))
	e.bytes(tagItem, append(append(b, i.Token[:]...), i.Masked...))
}

// ParseUpload reads key and body of KindUpload.
func ParseUpload(r journal.Record) (id txn.BatchID, items []txn.Uploaded, at time.Time, err error) {
	if id, err = ParseBatchID(r.Key); err != nil {
		return id, nil, at, err
	}
	err = fields(r.Body, func(tag byte, v []byte) (ok bool) {
		switch tag {
		case tagItem:
			i, ok := parseItem(v)
			items = append(items, i)
			return ok
		case tagAt:
			at, ok = parseTime(v)
		}
		return ok
	})
	if err == nil && len(items) == 0 {
		err = ErrForm
	}
	return id, items, at, err
}

func parseItem(v []byte) (i txn.Uploaded, ok bool) {
	if len(v) < itemSize {
		return i, false
	}
	i = txn.Uploaded{
		Verdict: txn.Verdict(v[0]), Trace: txn.STAN(binary.BigEndian.Uint32(v[1:])), Minor: money.MinorUnits(binary.BigEndian.Uint64(v[5:])),
		Token: [16]byte(v[13:itemSize]), Masked: string(v[itemSize:]),
	}
	return i, i.Verdict.Known()
}
