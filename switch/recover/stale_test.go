// SPDX-License-Identifier: Apache-2.0

package recover_test

import (
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/env/fake"
)

// A restart sends reversals alone: from whatever moment it starts, what asked for
// money before is never sent again, and what is owed is all that leaves.
func TestRestartSendsNoStaleRequest(t *testing.T) {
	resumed := 0
	for _, keep := range fake.Keeps() {
		for _, m := range moments(t, keep) {
			name := fmt.Sprintf("keep %s, step %d, %s", keep, m.at, m.op)
			asked, told := m.host.asked, m.host.told
			clock := fake.NewClock()
			clock.Advance(time.Hour)
			n, err := boot(clock, m.disk, m.host)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for range 5 {
				n.drain()
				clock.Advance(time.Minute)
			}
			if m.host.asked != asked {
				t.Errorf("%s: %d requests left by themselves", name, m.host.asked-asked)
			}
			if n.saf.Depth("acq") != 0 {
				t.Errorf("%s: %d still wait", name, n.saf.Depth("acq"))
			}
			resumed += m.host.told - told
			if err := n.journal.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if resumed == 0 {
		t.Error("no restart had anything to deliver: the test looks at nothing")
	}
}
