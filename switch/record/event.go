// SPDX-License-Identifier: Apache-2.0

package record

import (
	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// EventOf is the event that FoldEvent tells of a record of a payment, read without
// the rest of it; 0 for what an operator did that moves nothing, and for what cannot
// be read.
func EventOf(r journal.Record) (e txn.Event) {
	switch r.Kind {
	case KindIntent:
		return txn.Journaled
	case KindRefused:
		return txn.Refuse
	case KindAdvice:
		return txn.Happened
	case KindCase:
		return txn.CaseOpened
	case KindAdvised:
		return txn.AdviceAcked
	case KindRerouted:
		return txn.Rerouted
	case KindAct:
		var what txn.Deed
		_ = fields(r.Body, func(tag byte, v []byte) bool {
			if tag == tagDeed && len(v) == 1 {
				what = txn.Deed(v[0])
			}
			return what == 0 // no further
		})
		e, _ = what.Event()
		return e
	}
	_ = fields(r.Body, func(tag byte, v []byte) bool {
		if tag == tagEvent && len(v) == 1 {
			e = txn.Event(v[0])
		}
		return e == 0 // no further
	})
	return e
}
