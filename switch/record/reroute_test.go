// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"testing"

	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// reroutes are records of a kind that came after the second version; no field of
// theirs is new.
func reroutes() []journal.Record { return []journal.Record{MakeRerouted(full().Key, "acq-b")} }

// What goes to another link is intended as before, has all it had but its link, and
// gives all its room back at its end; nothing else can be rerouted.
func TestRerouted(t *testing.T) {
	k := full().Key
	p, err := Fold(nil, k, Intent(full()))
	if err == nil {
		p, err = Fold(p, k, reroutes()[0])
	}
	if err != nil || p.State != txn.Intended || p.Link != "acq-b" || p.Numbers != full().Numbers || p.Reserved <= FollowUps {
		t.Fatalf("%+v, %v", p, err)
	}
	if p, err = Fold(p, k, MakeOutcome(p, Outcome{Event: txn.NotSent})); err != nil || p.State != txn.Declined || p.Reserved != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := Fold(p, k, reroutes()[0]); err == nil {
		t.Error("what is over was rerouted")
	}
	if _, err := Fold(nil, k, reroutes()[0]); !errors.Is(err, ErrNoIntent) {
		t.Errorf("without an intent: %v", err)
	}
	event, link := []byte{tagEvent, 1, byte(txn.Rerouted)}, []byte{tagLink, 1, 'x'}
	for name, fields := range map[string][]byte{
		"empty": nil, "no link": event, "no event": link, "another event": append([]byte{tagEvent, 1, byte(txn.NotSent)}, link...),
		"a foreign field": append(append([]byte{tagCount, 1, 0}, event...), link...),
	} {
		if l, err := ParseRerouted(append([]byte{version}, fields...)); !errors.Is(err, ErrForm) {
			t.Errorf("%s: %q, %v", name, l, err)
		}
	}
}
