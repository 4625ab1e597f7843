// SPDX-License-Identifier: Apache-2.0

package pos_test

import (
	"testing"

	"tapswitch/terminal/host/hosttest"
	"tapswitch/terminal/pos"
)

// The till refuses an offline sale over the terminal's limits before the goods go: nothing is kept and the
// switch hears nothing of it.
func TestOfflineLimitAtTheTill(t *testing.T) {
	tap := pos.Tap{CVM: "none", Kernel: 7}
	r := &rig{t: t, sw: hosttest.Start(t), dir: t.TempDir(), more: []string{"limits: {offline_minor: 5000, offline_count: 1, offline_sum_minor: 9000}"}}
	r.start(&taps{t: t, next: []pos.Tap{tap, tap, tap, tap}})
	r.wait("ready")
	r.say("offline 5001 T12345")
	if e := r.wait("result"); e.Outcome != "not_sent" || e.Reason != "offline_sale_above_limit" || e.Trace != 0 {
		t.Errorf("%+v", e)
	}
	r.say("offline 5000 T12345")
	if e := r.wait("result"); e.Outcome != "kept" {
		t.Errorf("%+v", e)
	}
	if e := r.wait("advice"); e.Code != "00" || !*e.Done {
		t.Errorf("%+v", e)
	}
	r.say("offline 1 T12345")
	if e := r.wait("result"); e.Outcome != "not_sent" || e.Reason != "offline_sales_above_limit" {
		t.Errorf("%+v", e)
	}
	r.end()
	if told := len(r.sw.Books()); told != 1 {
		t.Errorf("the switch heard of %d sales", told)
	}
}
