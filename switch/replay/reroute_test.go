// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"

	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// A payment that goes to another link is found by what it carries there, and no
// more by what the first link has not sent: now and when the journal is read back.
func TestReroutedIsFoundOnItsLink(t *testing.T) {
	x, l, _ := newIndex(10)
	p := newPayment(7)
	intend(t, x, p)
	now, err := x.Change(p.Key, func(View) ([]journal.Record, error) {
		return []journal.Record{record.MakeRerouted(p.Key, "other")}, nil
	})
	if err != nil || now.Payment.State != txn.Intended || now.Payment.Link != "other" {
		t.Fatalf("%+v, %v", now.Payment, err)
	}
	again, _, _ := newIndex(10)
	for _, r := range l.records {
		if err := again.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	for name, x := range map[string]*Index{"running": x, "read back": again} {
		if k, ok := x.FindSent(NewLinkKey("other", p.Numbers)); !ok || k != p.Key {
			t.Errorf("%s: not found on its link", name)
		}
		if k, ok := x.FindSent(NewLinkKey("acq", p.Numbers)); ok {
			t.Errorf("%s: %v found on the link that did not send it", name, k)
		}
		if k, ok := x.FindRRN(p.Numbers.RRN); !ok || k != p.Key {
			t.Errorf("%s: not found by its reference number", name)
		}
	}
}
