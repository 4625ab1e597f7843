// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"slices"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// withdrawn adds to the undo of a payment that was decided here what cancels it
// out, when its advice surely has not left: the advice is not owed, and there is
// nothing to reverse at the acquirer. Once the advice may have left, the reversal
// goes behind it, in the order of their chain.
func (f *Flow) withdrawn(now replay.View, undo []journal.Record, why *txn.Decline) []journal.Record {
	p := now.Payment
	if len(undo) == 0 || p == nil || !p.StoodIn {
		return undo
	}
	advice := laterOf(now, txn.StandIn)
	if advice == nil || advice.State != txn.Advising || !f.Reversals.Withdraw(advice.Link, advice.Key) {
		return undo
	}
	return append(undo,
		record.MakeUndone(p, record.Undone{Event: txn.NotSent}),
		record.MakeOutcome(advice, record.Outcome{Event: txn.NotSent, Answer: f.refuse(why)}))
}

// owedAgain queues an advice whose withdrawal failed with err, unless that may be
// durable all the same: then the next start knows whether it is owed.
func (f *Flow) owedAgain(k txn.Key, err error) {
	if txn.AsDecline(journalError(err)).Reason == txn.DeclineJournal.Reason {
		return
	}
	if p, ok := f.Payments.Find(k); ok && p.StoodIn {
		f.Reversals.Enqueue(p.Link, txn.StandInKey(k))
	}
}

// laterOf is what names a payment as its original and is of a class, nil when
// nothing does.
func laterOf(of replay.View, c txn.Class) *txn.Payment {
	for i := range of.Later {
		if of.Later[i].Key.Class == c {
			return &of.Later[i]
		}
	}
	return nil
}

// withoutAdvice is a view without the advice of a payment that was decided here:
// an undo goes behind it, and is not held up by it.
func withoutAdvice(of replay.View) replay.View {
	of.Later = slices.DeleteFunc(slices.Clone(of.Later), func(p txn.Payment) bool { return p.Key.Class == txn.StandIn })
	return of
}
