// SPDX-License-Identifier: Apache-2.0

package record

import (
	"errors"
	"testing"

	"tapswitch/switch/journal"
)

// counters are records of a kind that came after the second version; no field of
// theirs is new. The key is of switch/window: a card.
func counters() []journal.Record {
	return []journal.Record{MakeCounter([]byte("\x01fedcba9876543210\x01"), Counter{High: 0x00012345, Bits: 0x8000000000000005})}
}

func TestCounter(t *testing.T) {
	r := counters()[0]
	if c, err := ParseCounter(r.Body); err != nil || c != (Counter{0x00012345, 0x8000000000000005}) || r.Reserve != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	for name, body := range map[string][]byte{
		"empty": {}, "without a counter": {version}, "twice": append(append([]byte(nil), r.Body...), r.Body[1:]...),
		"short": append([]byte{version, tagCount, 11}, r.Body[3:14]...), "another field": {version, tagEvent, 1, 1},
	} {
		if _, err := ParseCounter(body); !errors.Is(err, ErrForm) && !errors.Is(err, ErrVersion) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
