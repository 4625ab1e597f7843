// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"errors"
	"fmt"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// ErrNoCase says that no case is open of a payment.
var ErrNoCase = errors.New("flow: no case is open of this payment")

// CloseCase makes durable what a person found of a payment in dispute:
// FoundUndone, the acquirer holds nothing of it, or FoundStands, it does. Nothing is
// sent. Of a void it decides whether the original stands again or is voided; what
// the terminals were told stays as it was told.
func (f *Flow) CloseCase(k txn.Key, a txn.Act) (txn.Payment, error) {
	now, err := f.Payments.Change(k, func(now replay.View) ([]journal.Record, error) {
		if now.Payment == nil || now.Payment.State != txn.Disputed {
			return nil, ErrNoCase
		}
		return []journal.Record{record.MakeAct(now.Payment, a)}, nil
	})
	if err != nil {
		return txn.Payment{}, err
	}
	return *now.Payment, nil
}

// lateFound opens a case of a payment that a person had found undone, when its yes
// comes after all: the acquirer may have carried it out since, or what it answered
// before was on its way. Which one is for a person again; to reverse it by itself
// could give back twice what somebody at the acquirer gave back. Nobody has verified the
// answer's MAC, and a case moves no money.
func (f *Flow) lateFound(k txn.Key, l replay.LinkKey) {
	c := txn.Case{Why: txn.CaseApprovedAfterUndone, Code: txn.CodeApproved, At: f.Clock.Now()}
	err := f.changeToCase(k, func(now replay.View) []journal.Record {
		switch {
		case !settled(now):
			return nil
		case now.Payment.FoundUndone:
			return []journal.Record{record.MakeCase(now.Payment, c)}
		}
		now.Heard(txn.SaidYes)
		return nil
	})
	if err != nil {
		f.Stop(fmt.Errorf("late yes to what was found undone, link %s stan %06d: %w", l.Link, l.STAN, err))
	}
}
