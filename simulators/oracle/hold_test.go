// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"strings"
	"testing"
	"time"
)

var (
	held      = Key{"10000001", 1, 1}
	completed = Key{"10000001", 1, 2}
	freed     = Key{"10000001", 1, 3}
	freeing   = Key{"10000001", 1, 4}
)

// deposits is a history in which every promise is kept: a pre-authorization that was
// completed for a little more, by an advice, and one that was cancelled.
func deposits() (h History) {
	h.Deadline = 4 * time.Second
	add := func(kind Kind, k, of Key, stan uint32, amount int64, pays, effective bool) {
		at := time.Duration(stan) * time.Second
		h.Asks = append(h.Asks, Ask{Kind: kind, Key: k, Of: of, Amount: amount, Arrived: at, Answered: at + 1, Received: at + 2, Code: "00", RRN: "R", Auth: "A", Named: k.Terminal, OfTrace: k.Trace, OfAmount: amount})
		record := Record{Kind: "intent", Key: k, Link: "a", STAN: stan, Sent: "0102030405", Amount: amount, Auth: "A"}
		state := State{Key: k, Running: "completed", Replayed: "approved"}
		if kind.happened() {
			record.Kind, state.Running, state.Replayed = "advice", "advised", "advised"
		}
		h.Records = append(h.Records, record)
		if !kind.happened() {
			h.Records = append(h.Records, Record{Kind: "outcome", Key: k, Event: "said_yes", Code: "00", Auth: "A"})
		}
		h.States = append(h.States, state)
		mti := map[Kind]string{Hold: "0100", Release: "0100", CompletionAdvice: "0220"}[kind]
		h.Messages = append(h.Messages, Message{Acquirer: "a", MTI: mti, STAN: stan, Sent: "0102030405", Amount: amount, Terminal: k.Terminal, Response: "00"})
		if pays {
			h.Debits = append(h.Debits, Debit{Acquirer: "a", STAN: stan, Sent: "0102030405", Terminal: k.Terminal, Amount: amount, Effective: effective})
		}
	}
	add(Hold, held, Key{}, 1, 1000, true, false)
	add(CompletionAdvice, completed, held, 2, 1150, true, true)
	add(Hold, freed, Key{}, 3, 700, true, false)
	add(Release, freeing, freed, 4, 700, false, false)
	h.Terminals = []Terminal{{ID: "10000001", Holds: []Key{completed}, Voids: []Taken{{freeing, freed}}}}
	return h
}

// What a hold may come to is judged: released or completed, once, within the
// percentage, and not by what a person has in hand.
func TestHoldsAreJudged(t *testing.T) {
	if all := Judge(deposits()); len(all) > 0 {
		t.Fatalf("a good history: %v", all)
	}
	more := func(h *History, amount int64, of Key) {
		k := Key{"10000001", 1, 5}
		h.Asks = append(h.Asks, Ask{Kind: Completion, Key: k, Of: of, Amount: amount, Arrived: 5 * time.Second, Answered: 6 * time.Second, Received: 7 * time.Second, Code: "00", RRN: "R", Auth: "A", Named: "10000001", OfTrace: 5, OfAmount: amount})
		h.Records = append(h.Records, Record{Kind: "intent", Key: k, Link: "a", STAN: 5, Sent: "0102030405", Amount: amount}, Record{Kind: "outcome", Key: k, Event: "said_yes", Code: "00", Auth: "A"})
		h.States = append(h.States, State{Key: k, Running: "completed", Replayed: "approved"})
		h.Debits = append(h.Debits, Debit{Acquirer: "a", STAN: 5, Sent: "0102030405", Terminal: "10000001", Amount: amount, Effective: true})
		h.Terminals[0].Holds = append(h.Terminals[0].Holds, k)
	}
	for name, c := range map[string]struct {
		text string
		bend func(*History)
	}{
		"completed twice":          {"two completions", func(h *History) { more(h, 10, held) }},
		"cancelled and completed":  {"cancelled and completed", func(h *History) { more(h, 700, freed) }},
		"above the percentage":     {"more than the percentage", func(h *History) { h.Asks[1].Amount, h.Records[2].Amount, h.Debits[1].Amount = 1151, 1151, 1151 }},
		"of nothing that was held": {"more than the percentage", func(h *History) { h.Asks[1].Of = Key{"10000001", 1, 9} }},
		"cancelled twice": {"two voids", func(h *History) {
			h.Terminals[0].Voids = append(h.Terminals[0].Voids, Taken{Key{"10000001", 1, 6}, freed})
		}},
		"held after its completion": {"does not have", func(h *History) { h.Debits[0].Effective = true }},
		"not taken":                 {"does not hold", func(h *History) { h.Debits[1].Effective = false }},
	} {
		h := deposits()
		c.bend(&h)
		all := Judge(h)
		var said string
		for _, v := range all {
			said += v.Text + "; "
		}
		if !strings.Contains(said, c.text) {
			t.Errorf("%s: %v", name, all)
		}
	}
	h := deposits()
	h.Debits[1].Effective, h.Debits[0].Effective = false, true
	h.States[1].Running, h.States[1].Replayed = disputed, disputed
	h.Messages[1].Response = "57"
	h.Records = append(h.Records, Record{Kind: "case", Key: completed, Event: "case_opened", Code: "57"})
	if all := Judge(h); len(all) > 0 {
		t.Errorf("a completion that the acquirer refused, and a person has: %v", all)
	}
}
