// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"strings"
	"testing"
	"time"
)

// rerouted is a payment that its first link has not sent and its second one has.
func rerouted() History {
	k := Key{"10000001", 1, 9}
	return History{
		Deadline:  4 * time.Second,
		Asks:      []Ask{{Kind: Purchase, Key: k, Amount: 500, Answered: 1, Received: 2, Code: approved, RRN: "R9", Auth: "A9", Named: k.Terminal, OfTrace: 9, OfAmount: 500}},
		Terminals: []Terminal{{ID: k.Terminal, Holds: []Key{k}}},
		Messages:  []Message{{Acquirer: "b", MTI: "0200", STAN: 9, Sent: "0102030405", RRN: "R9", Amount: 500, Terminal: k.Terminal}},
		Debits:    []Debit{{Acquirer: "b", STAN: 9, Sent: "0102030405", RRN: "R9", Terminal: k.Terminal, Amount: 500, Effective: true}},
		Records: []Record{
			{Kind: "intent", Key: k, Link: "a", STAN: 9, Sent: "0102030405", RRN: "R9", Amount: 500},
			{Kind: "rerouted", Key: k, Event: "rerouted", Link: "b"},
			{Kind: "outcome", Key: k, Event: "said_yes", Code: approved, Auth: "A9"},
		},
		States: []State{{Key: k, Running: "completed", Replayed: "approved"}},
	}
}

// What was rerouted belongs to its new link; the link before must not know it.
func TestRerouted(t *testing.T) {
	if got := Judge(rerouted()); len(got) != 0 {
		t.Errorf("a good history: %v", got)
	}
	for name, spoil := range map[string]func(*History){
		"the link before was asked": func(h *History) {
			m := h.Messages[0]
			m.Acquirer = "a"
			h.Messages = append(h.Messages, m)
		},
		"the way to the second link is not in the journal": func(h *History) { h.Records = append(h.Records[:1], h.Records[2:]...) },
	} {
		h := rerouted()
		spoil(&h)
		if got := Judge(h); len(got) == 0 || got[0].Promise != 1 || !strings.Contains(got[0].Text, "the journal has no intent of it") {
			t.Errorf("%s: %v", name, got)
		}
	}
}
