// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"testing"

	"tapswitch/terminal/host"
	"tapswitch/terminal/host/hosttest"
)

// A terminal that takes a part says so in each sale, and takes a smaller amount with
// code 10; anything else with that code is reversed. Its own reversal is for what was
// asked, also after a power cut.
func TestApprovalInPart(t *testing.T) {
	const part = "000000000500"
	for _, c := range []struct {
		name string
		mood hosttest.Mood
		want string
		part int64
		due  bool
	}{
		{"a part", hosttest.Mood{Code: "10", Amount: part}, "approved 10", 500, false},
		{"all of it", hosttest.Mood{Code: "10"}, "declined 10 partial_approval_not_supported", 0, true},
		{"more", hosttest.Mood{Code: "10", Amount: "000000001235"}, "unauthenticated 10 answer_amount_differs", 0, true},
		{"nothing", hosttest.Mood{Code: "10", Amount: "000000000000"}, "unauthenticated 10 answer_amount_differs", 0, true},
		{"a part under another code", hosttest.Mood{Amount: part}, "unauthenticated 00 answer_amount_differs", 0, true},
		{"a part and a wrong MAC", hosttest.Mood{Code: "10", Amount: part, BadMAC: true}, "unauthenticated 10 answer_mac_wrong", 0, true},
		{"a part to another terminal", hosttest.Mood{Code: "10", Amount: part, Terminal: "10000002"}, "unauthenticated 10 answer_terminal_differs", 0, true},
		{"declined", hosttest.Mood{Code: "51"}, "declined 51", 0, false},
		{"approved", hosttest.Mood{}, "approved 00", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.cfg = func(cfg *host.Config) { cfg.Part = true }
			if err := b.h.Close(); err != nil {
				t.Fatal(err)
			}
			b.open()
			b.sw.Sales(c.mood)
			r := b.sale()
			if _, due := b.h.Pending(); short(r) != c.want || c.part != 0 && int64(r.Part) != c.part || due != c.due {
				t.Errorf("%s of %d, reversal due: %v, want %s of %d, %v", short(r), r.Part, due, c.want, c.part, c.due)
			}
			if sale := b.sw.Books()[0]; !sale.Part || sale.Amount != "000000001234" {
				t.Errorf("asked %+v", sale)
			}
			if r.Outcome != host.Approved {
				return
			}
			if err := b.h.Close(); err != nil {
				t.Fatal(err)
			}
			b.open()
			undo, err := b.h.Reverse(t.Context())
			if err != nil || !undo.Done {
				t.Fatalf("%+v %v", undo, err)
			}
			if last := b.sw.Books()[1]; last.MTI != "0400" || last.Amount != "000000001234" {
				t.Errorf("reversed %+v", last)
			}
		})
	}
	b := newBench(t)
	b.sw.Sales(hosttest.Mood{Code: "10", Amount: part})
	if r := b.sale(); short(r) != "unauthenticated 10 answer_amount_differs" || r.Part != 0 || b.sw.Books()[0].Part {
		t.Errorf("a terminal that takes no part: %s of %d", short(r), r.Part)
	}
}
