// SPDX-License-Identifier: Apache-2.0

package chip

import (
	"testing"

	"tapswitch/switch/txn"
	"tapswitch/switch/window"
)

func TestTake(t *testing.T) {
	is := Issuer{ATC: window.Profile{Ahead: 100, Behind: 2}}
	c := Counters{Book: window.New(2)}
	for _, s := range []struct {
		name, tag string
		is        Issuer
		token     byte
		want      *txn.Decline
	}{
		{"without a window nothing is looked at", "9F36020005", Issuer{}, 1, nil},
		{"first", "9F36020005", is, 1, nil},
		{"again", "9F36020005", is, 1, txn.DeclineATCSeen},
		{"again, where no window is", "9F36020005", Issuer{}, 1, nil},
		{"overtaken", "9F36020004", is, 1, nil},
		{"too far behind", "9F36020002", is, 1, txn.DeclineATCWindow},
		{"too far ahead", "9F360201FF", is, 1, txn.DeclineATCWindow},
		{"another card", "9F36020005", is, 2, nil},
		{"a third, when there is room for two", "9F36020005", is, 3, txn.DeclineCounters},
		{"no counter", "9F270180", is, 1, txn.DeclineChipData},
		{"a counter of one byte", "9F360107", is, 1, txn.DeclineChipData},
	} {
		records, failed, err := c.Take(request(t, s.tag), &txn.Payment{Token: [16]byte{s.token}}, s.is)
		if failed == nil {
			t.Errorf("%s: nothing to give back with", s.name)
		}
		switch {
		case s.want == nil && (err != nil || len(records) != map[bool]int{true: 1}[s.is.ATC.InUse()]):
			t.Errorf("%s: %d records, %v", s.name, len(records), err)
		case s.want != nil && (err == nil || txn.AsDecline(err).Reason != s.want.Reason || len(records) != 0):
			t.Errorf("%s: %d records, %v", s.name, len(records), err)
		}
	}
}

// The counter belongs to the card with its sequence number, as the card key does.
func TestTakeKnowsTheSequenceNumber(t *testing.T) {
	is := Issuer{ATC: window.Profile{Ahead: 100}}
	c := Counters{Book: window.New(10)}
	for _, s := range []struct {
		psn  [3]byte
		seen bool
	}{{[3]byte{}, false}, {[3]byte{'0', '0', '0'}, true}, {[3]byte{'0', '0', '1'}, false}, {[3]byte{'0', '0', '1'}, true}} {
		in := request(t, "9F36020005")
		in.PSN = s.psn
		if _, _, err := c.Take(in, &txn.Payment{}, is); (err != nil) != s.seen {
			t.Errorf("%q: %v", s.psn, err)
		}
	}
}
