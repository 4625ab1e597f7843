// SPDX-License-Identifier: Apache-2.0

package record

import (
	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// MakeUploadClosed makes the record that a person has closed cases which an upload of
// the batch id opened: at most UploadMax, each as its KindUpload has it.
func MakeUploadClosed(id txn.BatchID, items []txn.Uploaded, a txn.Act) journal.Record {
	e := newEncoder(nil)
	e.bytes(tagBy, []byte(a.By))
	e.bytes(tagWhy, []byte(a.Why))
	e.time(tagAt, a.At)
	for _, i := range items {
		e.item(i)
	}
	return journal.Record{Kind: KindUploadClosed, Key: AppendBatchID(nil, id), Body: e.buf, Reserve: admission}
}

// ParseUploadClosed reads key and body of KindUploadClosed.
func ParseUploadClosed(r journal.Record) (id txn.BatchID, items []txn.Uploaded, a txn.Act, err error) {
	a.What = txn.Settled
	if id, err = ParseBatchID(r.Key); err != nil {
		return id, nil, a, err
	}
	err = fields(r.Body, func(tag byte, v []byte) (ok bool) {
		switch tag {
		case tagItem:
			i, ok := parseItem(v)
			items = append(items, i)
			return ok
		case tagBy:
			a.By, ok = string(v), true
		case tagWhy:
			a.Why, ok = string(v), true
		case tagAt:
			a.At, ok = parseTime(v)
		}
		return ok
	})
	if err == nil && (len(items) == 0 || a.By == "" || a.Why == "") {
		err = ErrForm
	}
	return id, items, a, err
}
