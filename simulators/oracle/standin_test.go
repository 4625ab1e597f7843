// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"fmt"
	"testing"
	"time"
)

// stoodIn is a day of one card: two payments that were decided without the acquirer,
// who was told of them later, and one of the next day.
func stoodIn() History {
	h := History{Deadline: 4 * time.Second, Mandate: Mandate{Amount: 500, Count: 2, Sum: 900}, Terminals: []Terminal{{ID: "10000001"}}}
	for i, p := range []struct{ amount, day int64 }{{500, 1}, {400, 1}, {500, 2}} {
		n := uint32(i + 1)
		k, rrn, auth := Key{"10000001", 1, n}, fmt.Sprintf("R%d", n), fmt.Sprintf("S%d", n)
		h.Asks = append(h.Asks, Ask{Kind: Purchase, Key: k, Amount: p.amount, Answered: 1, Received: 2, Code: approved, RRN: rrn, Auth: auth, Named: k.Terminal, OfTrace: n, OfAmount: p.amount})
		h.Terminals[0].Holds = append(h.Terminals[0].Holds, k)
		h.Records = append(h.Records,
			Record{Kind: "intent", Key: k, Link: "a", STAN: n, Sent: "0102030405", RRN: rrn, Amount: p.amount, Card: "c"},
			Record{Kind: "outcome", Key: k, Event: "stood_in", Code: approved, Auth: auth, Day: p.day},
			Record{Kind: "advice", Key: k, Link: "a", STAN: n, Sent: "0102030405", RRN: rrn, Amount: p.amount, Auth: auth, Card: "c"},
			Record{Kind: "advised", Key: k, Event: "advice_acked", Code: approved})
		h.Messages = append(h.Messages, Message{Acquirer: "a", MTI: "0220", STAN: n, Sent: "0102030405", RRN: rrn, Amount: p.amount, Terminal: k.Terminal})
		h.Debits = append(h.Debits, Debit{Acquirer: "a", STAN: n, Sent: "0102030405", RRN: rrn, Terminal: k.Terminal, Amount: p.amount, Effective: true})
		h.States = append(h.States, State{Key: k, Running: "completed", Replayed: "approved"}, State{Key: k, Running: "advised", Replayed: "advised", Advice: true})
	}
	return h
}

// What was decided here is asked of the acquirer in no other way, is there once, and
// is within the mandate.
func TestStandIn(t *testing.T) {
	if got := Judge(stoodIn()); len(got) != 0 {
		t.Errorf("a good history: %v", got)
	}
	for _, c := range []struct {
		name    string
		promise int
		spoil   func(*History)
	}{
		{"more than a payment may be", 12, func(h *History) { h.Mandate.Amount = 499 }},
		{"more payments than a day may have", 12, func(h *History) { h.Mandate.Count = 1 }},
		{"more than a day may come to", 12, func(h *History) { h.Mandate.Sum = 899 }},
		{"a day that does not end", 12, func(h *History) { h.Records[9].Day = 1 }},
		{"a clock that was set back begins a day", 12, func(h *History) { h.Records[1].Day, h.Records[5].Day, h.Records[9].Day = 2, 1, 2 }},
		{"nobody may decide", 12, func(h *History) { h.Mandate = Mandate{} }},
		{"it was sent, and decided here all the same", 7, func(h *History) {
			h.Messages = append([]Message{{Acquirer: "a", MTI: "0200", STAN: 1, Sent: "0102030405", RRN: "R1", Amount: 500, Terminal: "10000001"}}, h.Messages...)
		}},
		{"the acquirer was never told", 2, func(h *History) { h.Debits = h.Debits[1:] }},
		{"its advice is still owed", 3, func(h *History) { h.States[1].Running, h.States[1].Replayed = "advising", "advising" }},
		{"the terminal took it back, and the advice went all the same", 4, func(h *History) { h.Terminals[0].Holds = h.Terminals[0].Holds[1:] }},
	} {
		h := stoodIn()
		c.spoil(&h)
		found := false
		for _, v := range Judge(h) {
			found = found || v.Promise == c.promise
		}
		if !found {
			t.Errorf("%s: promise %d is not named in %v", c.name, c.promise, Judge(h))
		}
	}
}
