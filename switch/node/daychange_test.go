// SPDX-License-Identifier: Apache-2.0

package node

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/switch/txn"
)

// shifted is a clock whose wall time is set forth or back.
type shifted struct {
	env.Clock
	by *atomic.Int64
}

func (s shifted) Now() time.Time { return s.Clock.Now().Add(time.Duration(s.by.Load())) }

// at sets the wall time.
func (s shifted) at(when string) {
	t, err := time.Parse(time.RFC3339, when)
	if err != nil {
		panic(err)
	}
	s.by.Store(int64(time.Until(t)))
}

// A payment of the last hour of the year that is reversed in the new one: the acquirer
// is sent the original's field 7 and its settlement date, which it checks; through a
// restart in the new year, too, and the terminal's own reversal like the switch's.
func TestReversalOverTheTurnOfTheYear(t *testing.T) {
	clock := shifted{by: new(atomic.Int64)}
	r := newRigWith(t, func(r *rig) {
		clock.Clock = r.world.Clock
		r.world.Clock = clock
		clock.at("2026-12-31T23:20:00Z")
	})
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	c := r.tap("unionpay", 700)
	w.expect("purchase of the old year", w.sale(0x0200, 2, 700, c), "00", true)
	w.expect("another", w.sale(0x0200, 3, 700, c), "00", true)
	r.a.mood("silent once")
	w.expect("one without an answer", w.sale(0x0200, 4, 700, c), "98", true)
	clock.at("2027-01-01T00:20:00Z")
	w.expect("reversal in the new year", w.sale(0x0400, 2, 700, c), "00", true)
	r.restart()
	w.expect("reversal after a restart", w.sale(0x0400, 3, 700, c), "00", true)
	r.settled()
	if r.a.taken() != 0 {
		t.Errorf("the acquirer holds %d", r.a.taken())
	}
	for trace, settled := range map[uint32]string{2: "1231", 3: "1231", 4: ""} { // what was not answered has no settlement date
		p, _ := r.find(0, trace)
		if p.State != txn.Reversed && p.State != txn.Unmatched {
			t.Errorf("payment %d is %s", trace, p.State)
		}
		found := false
		for _, e := range r.a.host.Books() {
			if (e.MTI != "0400" && e.MTI != "0401") || e.Reason == "dropped_by_mood" || e.RRN != p.Numbers.RRN.String() {
				continue
			}
			found = true
			if !strings.Contains(e.Original, p.Numbers.At.Format("0102150405")) || !strings.Contains(e.Original, "123123") || e.Settled != settled {
				t.Errorf("reversal of %d names %q, settled %q: want field 7 of %v, settled %q", trace, e.Original, e.Settled, p.Numbers.At, settled)
			}
			if own := e.F7[:4]; trace != 4 && own != "0101" {
				t.Errorf("reversal of %d is sent on %s", trace, own)
			}
		}
		if !found {
			t.Errorf("no reversal of payment %d in the books", trace)
		}
	}
	r.agree()
}
