// SPDX-License-Identifier: Apache-2.0

package pos_test

import (
	"testing"

	"tapswitch/terminal/host/hosttest"
	"tapswitch/terminal/pos"
)

// An offline sale at the till: good at once, told to the switch right after it; one
// that was not told is told after the next sale; one that is refused is discarded.
func TestOfflineAtTheTill(t *testing.T) {
	r := newRig(t, &taps{t: t, next: []pos.Tap{{CVM: "none", Kernel: 7}}})
	r.wait("ready")
	r.say("offline 4200 T12345")
	if e := r.wait("result"); short(e) != "kept "+masked+" 000002" || e.Auth != "T12345" || e.AmountMinor != 4200 {
		t.Errorf("%+v", e)
	}
	if e := r.wait("advice"); e.Trace != 2 || e.Code != "00" || !*e.Done || e.AmountMinor != 4200 {
		t.Errorf("%+v", e)
	}
	r.sw.Advices(hosttest.Mood{Code: "96"}, hosttest.Mood{Code: "40"}, hosttest.Mood{Code: "40"})
	r.say("offline 700 T54321")
	if e := r.wait("advice"); *e.Done || e.Reason != "not_kept_by_switch" || e.Code != "96" {
		t.Errorf("%+v", e)
	}
	r.say("sale 100")
	if e := r.wait("result"); e.Outcome != "approved" {
		t.Errorf("%+v", e)
	}
	if e := r.wait("advice"); *e.Done || e.Reason != "advice_refused" || e.Trace != 3 {
		t.Errorf("%+v", e)
	}
	r.say("upload")
	if e := r.wait("advice"); *e.Done || e.Code != "40" {
		t.Errorf("%+v", e)
	}
	r.say("discard 2")
	if e := r.wait("error"); e.Reason != "nothing_to_discard" {
		t.Errorf("%+v", e)
	}
	r.say("discard 3")
	if e := r.wait("discarded"); e.Trace != 3 {
		t.Errorf("%+v", e)
	}
	for _, wrong := range []string{"offline 4200", "offline 0 T12345", "offline 4200 T1234", "discard", "discard 0", "discard 1000000"} {
		r.say(wrong)
		if e := r.wait("error"); e.Reason != "command_malformed" {
			t.Errorf("%s: %+v", wrong, e)
		}
	}
	r.end()
	seen := map[string]int{}
	for _, e := range r.log() {
		seen[e.Event]++
	}
	if seen["advice"] != 4 || seen["result"] != 3 || seen["discarded"] != 1 {
		t.Errorf("log %v", seen)
	}
}
