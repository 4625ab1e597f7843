// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"errors"

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
