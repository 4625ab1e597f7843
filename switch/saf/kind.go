// SPDX-License-Identifier: Apache-2.0

package saf

import (
	"fmt"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// Kind is what an item delivers. Of two that are due at once the lower kind goes
// first.
type Kind uint8

// The kinds. Reversal has its rule here; Advice gets one with the first flow
// that owes advices, and until then Add takes none.
const (
	Reversal Kind = iota + 1 // 0400: what was, or may have been, authorised is undone
	Advice                   // 0220 or 0620: the acquirer is told what has happened
)

// String is the name used in events and metrics.
func (k Kind) String() string {
	switch k {
	case Reversal:
		return "reversal"
	case Advice:
		return "advice"
	}
	return fmt.Sprintf("kind_%d", uint8(k))
}

// rule is what a kind owes, and what ends the debt.
type rule struct {
	owes    txn.State                        // the state of a payment that owes such a message
	settles func(txn.Code) (txn.Event, bool) // whether the acquirer's code ends it, and how
	record  func(p *txn.Payment, e txn.Event, c txn.Code) journal.Record
}

// rule is k's; false for a kind that is not built.
func (k Kind) rule() (rule, bool) {
	if k == Reversal {
		return rule{owes: txn.Reversing, settles: settlesReversal, record: undone}, true
	}
	return rule{}, false
}

// settlesReversal says whether a code acknowledges a reversal. 25, 12 and 94 are
// provisional: the acquirer does not know the original, and a late yes reopens.
func settlesReversal(c txn.Code) (txn.Event, bool) {
	switch c {
	case txn.CodeApproved:
		return txn.UndoAcked, true
	case txn.CodeUnmatched, txn.CodeBadTxn, txn.CodeDuplicate:
		return txn.UndoUnknown, true
	}
	return 0, false
}

func undone(p *txn.Payment, e txn.Event, c txn.Code) journal.Record {
	return record.MakeUndone(p, record.Undone{Event: e, Code: c})
}
