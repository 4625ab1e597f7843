// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

func uploads() (txn.BatchID, []txn.Uploaded, time.Time) {
	card := txn.Uploaded{Trace: 7, Minor: 1234, Token: [16]byte{1, 2, 3}, Masked: "622424******0069"}
	var items []txn.Uploaded
	for v := txn.UploadAgrees; v.Known(); v++ {
		i := card
		if i.Verdict = v; v == txn.UploadCount {
			i = txn.Uploaded{Verdict: v}
		}
		items = append(items, i)
	}
	return full().Key.BatchID(), items, time.Date(2026, 11, 29, 1, 2, 9, 7, time.UTC)
}

func TestUploadGolden(t *testing.T) {
	id, items, at := uploads()
	golden(t, "testdata/v2_upload.txt", []journal.Record{MakeUpload(id, items, at)})
}

// An upload is read as it was written, in its order; the largest fits the journal.
func TestUpload(t *testing.T) {
	id, items, at := uploads()
	gotID, got, gotAt, err := ParseUpload(MakeUpload(id, items, at))
	if err != nil || gotID != id || !reflect.DeepEqual(got, items) || !gotAt.Equal(at) {
		t.Errorf("%+v %v %v", got, gotAt, err)
	}
	var most []txn.Uploaded
	for range UploadMax {
		most = append(most, txn.Uploaded{Verdict: txn.UploadMissing, Trace: 999_999, Minor: 999_999_999_999, Token: [16]byte{255}, Masked: "622424*********0069"})
	}
	if err := MakeUpload(id, most, at).Check(); err != nil {
		t.Errorf("the largest: %v", err)
	}
	ok := MakeUpload(id, items[:1], at)
	for name, bad := range map[string]journal.Record{
		"key":     {Key: []byte("short"), Body: ok.Body},
		"no item": {Key: ok.Key, Body: []byte{version}},
		"short":   {Key: ok.Key, Body: []byte{version2, tagItem, 2, 1, 1}},
		"verdict": {Key: ok.Key, Body: append([]byte{version2, tagItem, itemSize, 200}, make([]byte, itemSize-1)...)},
		"version": {Key: ok.Key, Body: append([]byte{version, tagItem, itemSize, 1}, make([]byte, itemSize-1)...)},
	} {
		if _, _, _, err := ParseUpload(bad); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Cases that were closed are read as they were written; the largest record fits the journal.
func TestUploadClosed(t *testing.T) {
	id, items, at := uploads()
	by := txn.Act{What: txn.Settled, By: "Ann Lee", Why: "voucher seen", At: at}
	r := MakeUploadClosed(id, items[1:], by)
	golden(t, "testdata/v2_upload_closed.txt", []journal.Record{r})
	gotID, got, gotBy, err := ParseUploadClosed(r)
	if err != nil || gotID != id || !reflect.DeepEqual(got, items[1:]) || gotBy != by {
		t.Errorf("%+v %+v %v", got, gotBy, err)
	}
	var most []txn.Uploaded
	for range UploadMax {
		most = append(most, txn.Uploaded{Verdict: txn.UploadMissing, Trace: 999_999, Minor: 999_999_999_999, Token: [16]byte{255}, Masked: "622424*********0069"})
	}
	by.By, by.Why = strings.Repeat("b", txn.ByMax), strings.Repeat("w", txn.WhyMax)
	if err := MakeUploadClosed(id, most, by).Check(); err != nil {
		t.Errorf("the largest: %v", err)
	}
	for name, bad := range map[string]journal.Record{
		"key":     {Key: []byte("short"), Body: r.Body},
		"no item": MakeUploadClosed(id, nil, by),
		"nobody":  MakeUploadClosed(id, items, txn.Act{Why: "x"}),
		"no why":  MakeUploadClosed(id, items, txn.Act{By: "x"}),
	} {
		if _, _, _, err := ParseUploadClosed(bad); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
