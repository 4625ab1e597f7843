// SPDX-License-Identifier: Apache-2.0

package pos_test

import (
	"fmt"
	"strings"
	"testing"

	"tapswitch/terminal/pos"
)

// A deposit at the till: held, cancelled; held, completed, given back. What the
// cashier types is what the receipts say.
func TestHoldsAtTheTill(t *testing.T) {
	r := newRig(t, &taps{t: t, next: []pos.Tap{{CVM: "none"}}})
	r.wait("ready")
	ask := func(line, kind string, trace int) pos.Event {
		t.Helper()
		r.say(line)
		e := r.wait("result")
		if short(e) != fmt.Sprintf("approved 00 none %s %06d", masked, trace) || e.Kind != kind || e.Auth == "" || e.Date != "0203" {
			t.Fatalf("%s: %+v", line, e)
		}
		for _, part := range []string{kind, "batch 000001", "date 0203", "auth " + e.Auth, "ref " + e.RRN} {
			if !strings.Contains(e.Receipt, part) {
				t.Errorf("receipt %q has no %s", e.Receipt, part)
			}
		}
		return e
	}
	held := ask("preauth 5000", "preauth", 2)
	ask(fmt.Sprintf("preauth-void 5000 %s %s", held.Auth, held.Date), "preauth-void", 3)
	held = ask("preauth 5000", "preauth", 4)
	done := ask(fmt.Sprintf("complete 5750 %s %s %s %d", held.Auth, held.Date, held.Batch, held.Trace), "complete", 5)
	ask(fmt.Sprintf("complete-void 5750 %s %s %s %d %s", done.Auth, done.Date, done.Batch, done.Trace, done.RRN), "complete-void", 6)
	r.say(fmt.Sprintf("complete-offline 5000 %s %s", held.Auth, held.Date))
	if e := r.wait("result"); short(e) != "kept "+masked+" 000007" || e.Auth != held.Auth || e.Kind != "complete-offline" {
		t.Errorf("%+v", e)
	}
	if e := r.wait("advice"); e.Trace != 7 || e.Code != "00" || !*e.Done || e.Kind != "complete-offline" {
		t.Errorf("%+v", e)
	}
	var got []string
	for _, b := range r.sw.Books() {
		got = append(got, strings.Join([]string{b.MTI, b.Kind, b.Auth, b.Original, b.RRN}, ","))
	}
	want := "0100,030000 06 10,,, 0100,200000 06 11,A00002,0000000000000203, 0100,030000 06 10,,, " +
		"0200,000000 06 20,A00004,0000010000040203, 0200,200000 06 21,A00005,0000010000050203,000000000005 0220,000000 06 24,A00004,0000000000000203,"
	if strings.Join(got, " ") != want {
		t.Errorf("the switch was asked\n%s\nwant\n%s", strings.Join(got, " "), want)
	}
	for _, line := range []string{"preauth", "preauth 0", "preauth 1 2", "preauth-void 5000", "complete 5000 A00002", "complete x A00002 0203",
		"complete 5000 A00002 0203 000001", "complete 5000 A00002 0203 000001 0", "complete-offline 5000 A00002", "complete-void 5000 A00002 0203 000001 2"} {
		r.say(line)
		if e := r.wait("error"); e.Reason != "command_malformed" {
			t.Errorf("%s: %+v", line, e)
		}
	}
	r.say("complete 5000 A0002 0203")
	if e := r.wait("result"); e.Outcome != "not_sent" || e.Reason != "sale_malformed" {
		t.Errorf("a code of five: %+v", e)
	}
	r.end()
	r.nothingShows()
}
