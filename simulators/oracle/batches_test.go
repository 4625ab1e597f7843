// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// settled is the good history, whose batches of a purchase that stands, of a voided one
// and of an offline sale with its refund are closed; the first is asked for again.
func settled() History {
	h := good()
	for _, b := range []struct {
		key  Key
		told Totals
	}{
		{Key{"10000001", 1, 9}, Totals{Debits: 1, DebitMinor: 500}},
		{Key{"10000003", 1, 9}, Totals{Debits: 1, DebitMinor: 300, Credits: 1, CreditMinor: 300}},
		{Key{"10000005", 1, 9}, Totals{Debits: 1, DebitMinor: 100, Credits: 1, CreditMinor: 60}},
	} {
		h.Records = append(h.Records, Record{Kind: "batch", Key: batchOf(b.key), Event: "balanced", Told: b.told})
		h.Asks = append(h.Asks, Ask{Kind: Settlement, Key: b.key, Arrived: 20 * time.Second, Answered: 21 * time.Second, Received: Never, Code: approved, Named: b.key.Terminal, OfTrace: 9, Told: b.told, Balanced: true})
	}
	again := h.Asks[len(h.Asks)-3]
	again.Key.Trace, again.OfTrace, again.Arrived, again.Answered = 10, 10, 30*time.Second, 31*time.Second
	h.Asks = append(h.Asks, again)
	return h
}

// What a terminal is told of its batch is held against the journal, and what is wrong
// is told with the payment or the settlement concerned.
func TestBatches(t *testing.T) {
	if all := Judge(settled()); len(all) > 0 {
		t.Fatalf("a good history: %v", all)
	}
	first := func(h *History) int {
		return slices.IndexFunc(h.Records, func(r Record) bool { return r.Kind == "batch" })
	}
	for _, c := range []struct {
		name, text string
		bend       func(*History)
	}{
		{"another sum in the journal", "its payments in force are {1 0 500 0}", func(h *History) { h.Records[first(h)].Told.DebitMinor = 1 }},
		{"a declined payment is counted", "its payments in force are {0 0 0 0}", func(h *History) { h.Records[1].Event = "said_no" }},
		{"a payment under way", "while the payment is under way", func(h *History) { h.Records = slices.Delete(h.Records, 1, 2) }},
		{"a reversal under way", "while the payment is being reversed", func(h *History) {
			h.Records = slices.Insert(h.Records, first(h), Record{Kind: "undo", Key: paid, Event: "undo_asked", STAN: 90, Sent: "0102030420"})
		}},
		{"a payment behind the close", "begins in a batch whose totals were told", func(h *History) {
			at := first(h)
			h.Records = append(slices.Insert(slices.Clone(h.Records[2:]), 0, h.Records[at]), h.Records[:2]...)
		}},
		{"told anew in the journal", "as told of a batch, and then", func(h *History) {
			other := h.Records[first(h)]
			other.Told.Debits = 2
			h.Records = append(h.Records, other)
		}},
		{"balanced with other totals", "the journal has {1 0 500 0}", func(h *History) { h.Asks[len(h.Asks)-4].Told.Debits = 2 }},
		{"balanced without a record", "the journal has {0 0 0 0}", func(h *History) { at := first(h); h.Records = slices.Delete(h.Records, at, at+1) }},
		{"told otherwise when asked again", "of its batch, and then {0 0 0 0}", func(h *History) {
			a := &h.Asks[len(h.Asks)-1]
			a.Told, a.Balanced = Totals{}, false
		}},
	} {
		h := settled()
		c.bend(&h)
		if all := Judge(h); !slices.ContainsFunc(all, func(v Violation) bool { return v.Promise == 3 && strings.Contains(v.Text, c.text) }) {
			t.Errorf("%s: not found in %v", c.name, all)
		}
	}
	h := settled() // a reversal behind the close is honoured, and changes no total that was told
	h.Records = append(h.Records, Record{Kind: "undo", Key: paid, Event: "undo_asked", STAN: 90, Sent: "0102030420"}, Record{Kind: "undone", Key: paid, Event: "undo_acked", Code: "00"})
	if all := Judge(h); slices.ContainsFunc(all, func(v Violation) bool { return v.Promise == 3 }) {
		t.Errorf("a reversal behind the close: %v", all)
	}
}

// A batch whose totals came in a wrong form alone must be open; one that was asked for properly too may be closed.
func TestWrongFormClosesNoBatch(t *testing.T) {
	h := settled()
	wrong := 0
	for i := range h.Asks {
		if a := &h.Asks[i]; a.Kind == Settlement && a.Key.Terminal == "10000003" {
			a.Malformed, a.Code, a.Balanced = true, "30", false
			wrong = i
		}
	}
	if all := Judge(h); len(all) != 1 || all[0].Promise != 10 || !strings.Contains(all[0].Text, "its totals came in a wrong form alone") {
		t.Errorf("%v", all)
	}
	again := h.Asks[wrong]
	again.Malformed, again.Key.Trace, again.OfTrace, again.Code, again.Balanced = false, 11, 11, approved, true
	h.Asks = append(h.Asks, again)
	if all := Judge(h); len(all) != 0 {
		t.Errorf("%v", all)
	}
}
