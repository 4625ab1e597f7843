// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"testing"

	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Of every state and every event that undoes: what undoRecords gives can be read
// back and takes the payment to its reversal, so that no start meets an undo that it
// refuses; what cannot be undone is refused by name.
func TestUndoAsksTheTable(t *testing.T) {
	given, refused := 0, 0
	for s := txn.Received; s.String() != "unknown"; s++ {
		for _, e := range []txn.Event{txn.TimedOut, txn.CheckFailed, txn.DeadlinePassed, txn.NotWritten, txn.UndoAsked, txn.SaidYes} {
			p := &txn.Payment{Key: txn.Key{Class: txn.OfflineSale, Trace: 2}, State: s}
			records, err := undoRecords(replay.View{Payment: p}, e, txn.DeclineUndone.Reason, txn.Numbers{STAN: 7})
			switch {
			case err != nil:
				refused++
				if err != txn.DeclineOriginalState || len(records) != 0 {
					t.Errorf("%s %s: %v, %d records", s, e, err, len(records))
				}
			case len(records) > 0:
				given++
				if p, err = record.Fold(p, p.Key, records[0]); err != nil || p.State != txn.Reversing {
					t.Errorf("%s %s: read back as %s, %v", s, e, p.State, err)
				}
			}
			if _, ok := txn.Follow(s, e); !ok && len(records) > 0 {
				t.Errorf("%s %s: an undo that the table does not know", s, e)
			}
		}
	}
	if given < 8 || refused < 8 {
		t.Errorf("%d given, %d refused: the table was not walked", given, refused)
	}
	for _, s := range []txn.State{txn.Advising, txn.Advised} {
		if _, err := undoRecords(replay.View{Payment: &txn.Payment{State: s}}, txn.UndoAsked, "", txn.Numbers{STAN: 7}); err == nil {
			t.Errorf("an advice that is %s was undone", s)
		}
	}
}
