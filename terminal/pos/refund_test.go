// SPDX-License-Identifier: Apache-2.0

package pos_test

import (
	"fmt"
	"strings"
	"testing"

	"tapswitch/terminal/host/hosttest"
	"tapswitch/terminal/pos"
)

// A refund at the till: what the cashier types is what the receipt of the sale
// says; without an answer it is sent again until there is one.
func TestRefundAtTheTill(t *testing.T) {
	r := newRig(t, &taps{t: t, next: []pos.Tap{{CVM: "none"}}})
	r.wait("ready")
	r.say("sale 5000")
	sale := r.wait("result")
	for _, part := range []string{"batch " + sale.Batch, "trace 000002", "ref " + sale.RRN} {
		if !strings.Contains(sale.Receipt, part) {
			t.Errorf("receipt %q has no %s", sale.Receipt, part)
		}
	}
	back := func(minor int) string {
		return fmt.Sprintf("refund %d %s %s %d", minor, sale.RRN, sale.Batch, sale.Trace)
	}
	expect := func(what string, e pos.Event, outcome, code string, trace uint32, minor int) {
		t.Helper()
		if e.Outcome != outcome || e.Code != code || e.Trace != trace || int(e.AmountMinor) != minor || e.Kind != "refund" {
			t.Errorf("%s: %+v", what, e)
		}
	}
	r.say(back(1000))
	expect("a part", r.wait("result"), "approved", "00", 3, 1000)
	r.sw.Advices(hosttest.Mood{Code: "64"}, hosttest.Mood{Code: "98"})
	r.say(back(9000) + " 0203")
	expect("too much", r.wait("result"), "declined", "64", 4, 9000)
	r.say(back(10))
	if e := r.wait("result"); e.Reason != "ask_acquirer" || !strings.HasPrefix(e.Receipt, "UNCLEAR refund") {
		t.Errorf("not known: %+v", e)
	}

	silent := hosttest.Mood{Silent: true}
	r.sw.Advices(silent, silent)
	r.say(back(20))
	expect("no answer", r.wait("result"), "no_answer", "", 6, 20)
	r.say("sale 100")
	r.wait("result")
	expect("again after the sale", r.wait("result"), "approved", "00", 6, 20)

	r.sw.Advices(silent, silent, silent, silent)
	r.say(back(30))
	expect("no answer", r.wait("result"), "no_answer", "", 8, 30)
	r.say(back(31))
	expect("again before the next", r.wait("result"), "no_answer", "", 8, 30)
	if e := r.wait("result"); e.Outcome != "not_sent" || e.Reason != "refund_pending" || e.Trace != 8 {
		t.Errorf("the next: %+v", e)
	}
	r.say("discard 8")
	if e := r.wait("error"); e.Reason != "nothing_to_discard" {
		t.Errorf("%+v", e)
	}
	r.say("repeat")
	expect("again", r.wait("result"), "approved", "00", 8, 30)
	r.end()
	r.nothingShows()
	for _, b := range r.sw.Books() {
		if b.MTI == "0400" || b.MTI == "0220" && (b.Kind != "200000 00 25" || b.PIN || b.Track) {
			t.Errorf("%+v", b)
		}
	}
}

// What is no refund is told apart from other commands, and not sent.
func TestRefundLines(t *testing.T) {
	r := newRig(t, &taps{t: t, next: []pos.Tap{{CVM: "none"}}})
	r.wait("ready")
	for _, wrong := range []string{"refund", "refund 1", "refund 0 000000000002 000001 2", "refund 1 000000000002 000001", "refund 1 000000000002 000001 x", "refund 1 000000000002 000001 2 0203 x", "repeat 8"} {
		r.say(wrong)
		if e := r.wait("error"); e.Reason != "command_malformed" {
			t.Errorf("%s: %+v", wrong, e)
		}
	}
	r.say("refund 1 2 000001 2")
	if e := r.wait("result"); e.Outcome != "not_sent" || e.Reason != "sale_malformed" {
		t.Errorf("a short number: %+v", e)
	}
	r.end()
	if len(r.sw.Books()) != 0 {
		t.Errorf("books %q", r.sw.Lines())
	}
}
