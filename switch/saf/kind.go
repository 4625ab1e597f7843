// SPDX-License-Identifier: Apache-2.0

package saf

import (
	"errors"
	"fmt"
	"time"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// Kind is what an item delivers; its rule says everything else of it.
type Kind uint8

// The kinds.
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

// KindOf is what p owes its acquirer; false when it owes nothing.
func KindOf(p *txn.Payment) (Kind, bool) {
	for _, k := range []Kind{Reversal, Advice} {
		if r, _ := k.rule(); r.owes(p) {
			return k, true
		}
	}
	return 0, false
}

// said is what an acquirer answered, and whether it may have had the message
// before.
type said struct {
	code   txn.Code
	at     time.Time
	repeat bool
}

// rule is a row of the table of kinds: when it goes, what it owes, and what ends
// the debt.
type rule struct {
	rank    int                                        // between chains the lower goes first
	owes    func(p *txn.Payment) bool                  // whether p owes such a message
	since   func(p *txn.Payment) time.Time             // since when: its age decides when a case is opened
	settles func(*txn.Payment, said) (txn.Event, bool) // whether the acquirer's code ends it, and how
	defers  func(txn.Code) bool                        // whether the code asks to come again
	record  func(p *txn.Payment, e txn.Event, s said) journal.Record
	refused txn.Reason // why a case is open after a code that neither settles nor defers
	expired txn.Reason // and after the longest time
}

// rule is k's row; false for a kind that is not built.
func (k Kind) rule() (rule, bool) {
	switch k {
	case Reversal:
		return rule{rank: 1, owes: isReversing, since: undoneSince, settles: settlesReversal, defers: defers, record: undone,
			refused: txn.CaseRefused, expired: txn.CaseExpired}, true
	case Advice:
		return rule{rank: 2, owes: isAdvising, since: happenedAt, settles: settlesAdvice, defers: defers, record: advised,
			refused: txn.CaseAdviceRefused, expired: txn.CaseAdviceExpired}, true
	}
	return rule{}, false
}

func isReversing(p *txn.Payment) bool      { return p.State == txn.Reversing }
func undoneSince(p *txn.Payment) time.Time { return p.Undo.At }
func isAdvising(p *txn.Payment) bool       { return p.State == txn.Advising }
func happenedAt(p *txn.Payment) time.Time  { return p.Numbers.At }

// settlesReversal says whether a code acknowledges a reversal. 25, 12 and 94 are
// provisional: the acquirer does not know the original, and a late yes reopens.
// Of a refund 12 is none of these: so answers a host that takes no reversal of
// one, and the refund may be in force.
func settlesReversal(p *txn.Payment, s said) (txn.Event, bool) {
	if s.code == txn.CodeBadTxn && p.Key.Class == txn.Refund {
		return 0, false
	}
	switch s.code {
	case txn.CodeApproved:
		return txn.UndoAcked, true
	case txn.CodeUnmatched, txn.CodeBadTxn, txn.CodeDuplicate:
		return txn.UndoUnknown, true
	}
	return 0, false
}

// settlesAdvice says whether a code acknowledges an advice. 94 means that the
// acquirer has a message of this key: of one that may have been sent before, that
// is this advice, and it is there. Of one that surely was not, it is another
// message, and a person must look.
func settlesAdvice(_ *txn.Payment, s said) (txn.Event, bool) {
	return txn.AdviceAcked, s.code == txn.CodeApproved || s.code == txn.CodeDuplicate && s.repeat
}

// defers says whether a code asks to come again: the host is out of reach or
// out of order (91, 96, 98), closes its day (90), was too late for itself (68),
// or wants another MAC key (A0); ISO 8583:1987 DE 39 and the UnionPay table. An
// answer without a code says nothing, as silence does.
func defers(c txn.Code) bool {
	switch c {
	case txn.Code{}, txn.CodeIssuerDown, txn.CodeMalfunction, txn.CodeNoAnswer, txn.CodeBadMAC, codeTooLate, codeCutover:
		return true
	}
	return false
}

var (
	codeTooLate = txn.Code{'6', '8'}
	codeCutover = txn.Code{'9', '0'}
)

func undone(p *txn.Payment, e txn.Event, s said) journal.Record {
	return record.MakeUndone(p, record.Undone{Event: e, Code: s.code})
}

func advised(p *txn.Payment, _ txn.Event, s said) journal.Record {
	return record.MakeAdvised(p, record.Advised{Code: s.code, At: s.at})
}

// decide says how an item of p, of age, ends after an attempt, and why a case is opened
// if one is. An item of which nothing left never expires: the acquirer was not
// asked, so that it may still say yes.
func (r rule) decide(p *txn.Payment, s said, err error, age, longest time.Duration) (e txn.Event, why txn.Reason, over bool) {
	if err == nil {
		if e, over = r.settles(p, s); over {
			return e, "", true
		}
		if !r.defers(s.code) {
			return txn.CaseOpened, r.refused, true
		}
	}
	if longest > 0 && age >= longest && !errors.Is(err, ErrUnsent) {
		return txn.CaseOpened, r.expired, true
	}
	return 0, "", false
}
