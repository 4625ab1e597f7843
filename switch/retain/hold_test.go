// SPDX-License-Identifier: Apache-2.0

package retain_test

import (
	"testing"
	"time"

	"tapswitch/switch/retain"
	"tapswitch/switch/txn"
)

// A pre-authorization in force that may still be used stays, with what is about it,
// also while no switch runs; one that is too old for that, or was reversed, goes.
func TestHoldsStayWhileTheyMayBeUsed(t *testing.T) {
	b := newBook(t)
	hold := func() *txn.Payment {
		p := b.begin(txn.PreAuth, txn.Key{})
		b.outcome(p, txn.SaidYes)
		return p
	}
	expired, reversed, sale := hold(), hold(), b.intent()
	b.outcome(sale, txn.SaidYes)
	b.undo(reversed)
	b.undone(reversed)
	from := b.at.Add(time.Minute)
	b.at = b.at.Add(time.Hour)
	young, completed := hold(), hold()
	completion := b.begin(txn.Completion, completed.Key)
	b.outcome(completion, txn.SaidYes)
	declined := b.begin(txn.PreAuth, txn.Key{})
	b.outcome(declined, txn.SaidNo)
	b.filler(30)
	b.at = b.at.Add(time.Hour)
	b.carry(txn.BatchOpen)
	purge := func(from time.Time) {
		t.Helper()
		_, err := retain.Purge(b.j, retain.Config{Before: b.at, HoldsFrom: from})
		must(t, err)
	}
	purge(from)
	for name, c := range map[string]struct {
		p    *txn.Payment
		stay bool
	}{
		"expired": {expired, false}, "reversed": {reversed, false}, "sale": {sale, false}, "declined": {declined, false},
		"held": {young, true}, "completed": {completed, true}, "its completion": {completion, true},
	} {
		if b.has(c.p.Key) != c.stay {
			t.Errorf("%s: stays %v", name, !c.stay)
		}
	}
	b.filler(60)
	b.at = b.at.Add(time.Hour)
	purge(b.at)
	for _, p := range []*txn.Payment{young, completed, completion} {
		if b.has(p.Key) {
			t.Errorf("%s of trace %d stays when nothing can use it", p.Key.Class, p.Key.Trace)
		}
	}
}
