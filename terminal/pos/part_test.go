// SPDX-License-Identifier: Apache-2.0

package pos_test

import (
	"strings"
	"testing"

	"tapswitch/terminal/host/hosttest"
	"tapswitch/terminal/pos"
)

// A till that takes a part shows on the receipt what was approved of what.
func TestPartAtTheTill(t *testing.T) {
	r := &rig{t: t, sw: hosttest.Start(t), dir: t.TempDir(), more: []string{"partial_approval: true\n"}}
	r.start(&taps{t: t, next: []pos.Tap{{CVM: "none", Kernel: 7}, {CVM: "none", Kernel: 7}}})
	r.wait("ready")
	r.sw.Sales(hosttest.Mood{Code: "10", Amount: "000000000700"})
	r.say("sale 1234")
	if e := r.wait("result"); e.Outcome != "approved" || e.PartMinor != 700 || e.AmountMinor != 1234 || e.Code != "10" ||
		!strings.HasPrefix(e.Receipt, "APPROVED IN PART 7.00 CNY of 12.34 CNY ") {
		t.Errorf("%+v", e)
	}
	r.say("sale 1234")
	if e := r.wait("result"); e.Outcome != "approved" || e.PartMinor != 0 || !strings.HasPrefix(e.Receipt, "APPROVED 12.34 CNY ") {
		t.Errorf("%+v", e)
	}
	r.end()
}
