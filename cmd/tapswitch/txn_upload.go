// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// uploadCases are the open cases that terminals' uploads opened, each once: a crash
// may have left an item in two records.
func uploadCases(j journal.Replayer) (all []openCase, err error) {
	type once struct {
		id   txn.BatchID
		item txn.Uploaded
	}
	at, shut := map[once]int{}, map[int]bool{} // its place in all, and whether it is closed
	err = j.Replay(func(seq uint64, r journal.Record) error {
		var id txn.BatchID
		var items []txn.Uploaded
		var when time.Time
		var err error
		switch r.Kind {
		case record.KindUpload:
			id, items, when, err = record.ParseUpload(r)
		case record.KindUploadClosed:
			id, items, _, err = record.ParseUploadClosed(r)
		}
		if err != nil {
			return fmt.Errorf("record %d: %w", seq, err)
		}
		for _, u := range items {
			k := once{id, u}
			switch place, seen := at[k]; {
			case r.Kind == record.KindUploadClosed && seen:
				shut[place] = true
			case r.Kind == record.KindUpload && u.Verdict != txn.UploadAgrees && !seen:
				at[k] = len(all)
				all = append(all, uploadCase(seq, id, u, when))
			}
		}
		return nil
	})
	open := all[:0]
	for i, c := range all {
		if !shut[i] {
			open = append(open, c)
		}
	}
	return open, err
}

func uploadCase(seq uint64, id txn.BatchID, u txn.Uploaded, at time.Time) openCase {
	return openCase{
		Seq: seq, At: at.Format(time.RFC3339), Why: string(u.Verdict.Reason()), Class: txn.Upload.String(),
		Terminal: id.Terminal.String(), Merchant: id.Merchant.String(), Batch: id.Batch, Trace: uint32(u.Trace),
		Card: u.Masked, Amount: int64(u.Minor),
	}
}

// allCases are all open cases in the order in which they were opened.
func allCases(j journal.Replayer) ([]openCase, error) {
	all, err := openCases(j)
	if err != nil {
		return nil, err
	}
	more, err := uploadCases(j)
	all = append(all, more...)
	slices.SortStableFunc(all, func(a, b openCase) int { return cmp.Compare(a.Seq, b.Seq) })
	return all, err
}
