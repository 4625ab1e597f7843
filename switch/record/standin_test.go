// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"testing"

	"tapswitch/switch/journal"
)

// standIns are records of a kind that came after the second version; no field of
// theirs is new.
func standIns() []journal.Record {
	return []journal.Record{MakeStandIn(full().Token, StandIn{Day: 20786, Amount: full().Amount, Payment: full().Key})}
}

func TestStandIn(t *testing.T) {
	r := standIns()[0]
	if token, s, err := ParseStandIn(r.Key, r.Body); err != nil || token != full().Token || s != (StandIn{20786, full().Amount, full().Key}) || r.Reserve != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	for name, body := range map[string][]byte{
		"empty": {}, "nothing in it": {version}, "no payment": r.Body[:1+12+6], "twice": append(append([]byte(nil), r.Body...), r.Body[1:13]...), "another field": {version, tagEvent, 1, 1},
	} {
		if _, _, err := ParseStandIn(r.Key, body); !errors.Is(err, ErrForm) && !errors.Is(err, ErrVersion) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := ParseStandIn(r.Key[1:], r.Body); !errors.Is(err, ErrForm) {
		t.Errorf("short key: %v", err)
	}
}
