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

// uploadCases are the cases that terminals' uploads opened, each once: a crash may
// have left an item in two records.
func uploadCases(j journal.Replayer) (all []openCase, err error) {
	type once struct {
		id   txn.BatchID
		item txn.Uploaded
	}
	seen := map[once]bool{}
	err = j.Replay(func(seq uint64, r journal.Record) error {
		if r.Kind != record.KindUpload {
			return nil
		}
		id, items, at, err := record.ParseUpload(r)
		if err != nil {
			return fmt.Errorf("record %d: %w", seq, err)
		}
		for _, u := range items {
			if u.Verdict == txn.UploadAgrees || seen[once{id, u}] {
				continue
			}
			seen[once{id, u}] = true
			all = append(all, openCase{
				Seq: seq, At: at.Format(time.RFC3339), Why: string(u.Verdict.Reason()), Class: txn.Upload.String(),
				Terminal: id.Terminal.String(), Merchant: id.Merchant.String(), Batch: id.Batch, Trace: uint32(u.Trace),
				Card: u.Masked, Amount: int64(u.Minor),
			})
		}
		return nil
	})
	return all, err
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
