// SPDX-License-Identifier: Apache-2.0

package pos_test

import (
	"testing"

	"tapswitch/terminal/host/hosttest"
	"tapswitch/terminal/pos"
)

// A tip at the till: kept, told at once, and told again after a refusal for the moment.
func TestTipAtTheTill(t *testing.T) {
	r := newRig(t, &taps{t: t, next: []pos.Tap{{CVM: "none", Kernel: 7}}})
	r.wait("ready")
	r.say("tip 1300")
	if e := r.wait("result"); e.Outcome != "not_sent" || e.Reason != "nothing_to_reverse" {
		t.Errorf("%+v", e)
	}
	r.say("sale 1234")
	r.wait("result")
	r.sw.Advices(hosttest.Mood{Code: "96"})
	r.say("tip 1300")
	if e := r.wait("result"); e.Outcome != "kept" || e.Kind != "tip" || e.AmountMinor != 1300 || e.Trace != 3 {
		t.Errorf("%+v", e)
	}
	if e := r.wait("advice"); *e.Done || e.Kind != "tip" || e.Reason != "not_kept_by_switch" {
		t.Errorf("%+v", e)
	}
	r.say("adjust 1200")
	if e := r.wait("result"); e.Outcome != "kept" || e.Kind != "adjust" {
		t.Errorf("%+v", e)
	}
	for _, kind := range []string{"tip", "adjust"} {
		if e := r.wait("advice"); !*e.Done || e.Kind != kind || e.Code != "00" {
			t.Errorf("%+v", e)
		}
	}
	for _, wrong := range []string{"tip", "tip 0", "adjust", "adjust x", "tip 1 2"} {
		r.say(wrong)
		if e := r.wait("error"); e.Reason != "command_malformed" {
			t.Errorf("%s: %+v", wrong, e)
		}
	}
	r.end()
}
