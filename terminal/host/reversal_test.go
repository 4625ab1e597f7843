// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"testing"

	"tapswitch/terminal/host"
	"tapswitch/terminal/host/hosttest"
)

// A sale that the switch will not reverse stands: the terminal says so, keeps it in its
// batch, and goes on selling. A switch that cannot do it now is asked again.
func TestReversalThatIsRefused(t *testing.T) {
	for code, goesOn := range map[string]bool{"64": true, "40": true, "96": false, "98": false} {
		b := newBench(t)
		if _, _, err := b.h.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r := b.sale(); r.Outcome != host.Approved {
			t.Fatalf("got %+v", r)
		}
		b.sw.Undos(hosttest.Mood{Code: code})
		if undo, err := b.h.Reverse(t.Context()); err != nil || undo.Done || undo.Code != code || undo.Reason != host.ReasonNotDone {
			t.Fatalf("%s: %+v, %v", code, undo, err)
		}
		if err := b.h.Close(); err != nil {
			t.Fatal(err)
		}
		b.open()
		if _, due := b.h.Pending(); due == goesOn {
			t.Errorf("%s: due %v", code, due)
		}
		if n := b.h.Totals().Debits; n != 1 {
			t.Errorf("%s: %d sales in the batch", code, n)
		}
		if undo, err := b.h.Reverse(t.Context()); goesOn && (err != nil || !undo.Done) {
			t.Errorf("%s: asked again: %+v, %v", code, undo, err)
		}
	}
}
