// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"strings"
	"testing"
	"time"
)

// tipped is a history in which every promise is kept: a purchase of which a part was
// approved, and one that was adjusted twice and of which a part was refunded then, in a
// batch that is closed.
func tipped() (h History) {
	h.Deadline = 4 * time.Second
	add := func(kind Kind, k, of Key, stan uint32, amount int64) *Ask {
		at := time.Duration(stan) * time.Second
		h.Asks = append(h.Asks, Ask{Kind: kind, Key: k, Of: of, Amount: amount, Arrived: at, Answered: at + 1, Received: at + 2, Code: "00", RRN: "R", Auth: "A", Named: k.Terminal, OfTrace: k.Trace, OfAmount: amount})
		record := Record{Kind: "intent", Key: k, Link: "a", STAN: stan, Sent: "0102030405", Amount: amount, Auth: "A"}
		state := State{Key: k, Running: "completed", Replayed: "approved"}
		mti := "0200"
		if kind == Adjustment {
			record.Kind, state.Running, state.Replayed, mti = "advice", "advised", "advised", "0220"
		}
		h.Records = append(h.Records, record)
		if kind != Adjustment {
			h.Records = append(h.Records, Record{Kind: "outcome", Key: k, Event: "said_yes", Code: "00", Auth: "A"})
		}
		h.States = append(h.States, state)
		h.Messages = append(h.Messages, Message{Acquirer: "a", MTI: mti, STAN: stan, Sent: "0102030405", Amount: amount, Terminal: k.Terminal, Response: "00"})
		if kind == Purchase {
			h.Debits = append(h.Debits, Debit{Acquirer: "a", STAN: stan, Sent: "0102030405", Terminal: k.Terminal, Amount: amount, Effective: true})
		}
		return &h.Asks[len(h.Asks)-1]
	}
	key := func(n uint32) Key { return Key{"10000001", 1, n} }
	part := add(Purchase, key(1), Key{}, 1, 900)
	part.TakesPart, part.Code, part.OfAmount = true, "10", 400
	h.Records[1].Code, h.Records[1].Amount, h.Debits[0].Amount = "10", 400, 400
	add(Purchase, key(2), Key{}, 2, 1000)
	add(Adjustment, key(3), key(2), 3, 1200)
	add(Adjustment, key(4), key(2), 4, 1100)
	add(Refund, key(5), key(2), 5, 1050)
	h.Debits[1].Amount = 1100
	h.Credits = []Credit{{Acquirer: "a", STAN: 5, Sent: "0102030405", Amount: 1050}}
	h.Terminals = []Terminal{{ID: "10000001", Holds: []Key{key(1), key(2)}, Refunds: []Taken{{key(5), key(2)}}}}
	h.Records = append(h.Records, Record{Kind: "batch", Key: Key{"10000001", 1, 0}, Event: "balanced", Told: Totals{Debits: 2, DebitMinor: 1500, Credits: 1, CreditMinor: 1050}})
	return h
}

// What a payment comes to by an approval in part or by its latest adjustment is what
// acquirer, totals and refunds are held against.
func TestAdjustmentsAndPartsAreJudged(t *testing.T) {
	if all := Judge(tipped()); len(all) > 0 {
		t.Fatalf("a good history: %v", all)
	}
	for name, c := range map[string]struct {
		text string
		bend func(*History)
	}{
		"debited whole":                     {"the acquirer holds 900, the terminal has 400", func(h *History) { h.Debits[0].Amount = 900 }},
		"a part that was not to be":         {"a part is approved of a purchase, which the terminal does not take", func(h *History) { h.Asks[0].TakesPart = false }},
		"a part of a refund":                {"a part is approved of a refund", func(h *History) { h.Asks[4].Code, h.Asks[4].OfAmount = "10", 1 }},
		"a part that is the whole":          {"900 is approved as a part of 900", func(h *History) { h.Asks[0].OfAmount, h.Debits[0].Amount = 900, 900 }},
		"a part that is not in the journal": {"the terminal has an approval that is not in the journal", func(h *History) { h.Records[1].Event = "said_no" }},
		"not adjusted":                      {"the acquirer holds 1000, the terminal has 1100", func(h *History) { h.Debits[1].Amount = 1000 }},
		"adjusted by the first":             {"the acquirer holds 1200, the terminal has 1100", func(h *History) { h.Debits[1].Amount = 1200 }},
		"an adjustment without a record":    {"is not in the journal", func(h *History) { h.Records[5].Key.Trace = 77 }},
		"refunded above the adjustment":     {"refunds give 1050 back of 1040", func(h *History) { h.Asks[3].Amount, h.Asks[3].OfAmount, h.Debits[1].Amount = 1040, 1040, 1040 }},
		"totals with the whole":             {"its payments in force are {2 1 1500 1050}", func(h *History) { h.Records[len(h.Records)-1].Told.DebitMinor = 2000 }},
		"adjusted in vain":                  {"a adjustment was approved that had to be refused", func(h *History) { h.Asks[3].Vain = true }},
		"told another sum":                  {"the answer is for 7, asked was 1100", func(h *History) { h.Asks[3].OfAmount = 7 }},
	} {
		h := tipped()
		c.bend(&h)
		var said string
		for _, v := range Judge(h) {
			said += v.Text + "; "
		}
		if !strings.Contains(said, c.text) {
			t.Errorf("%s: %s", name, said)
		}
	}
	h := tipped() // a person has what the acquirer would not adjust
	h.Debits[1].Amount = 1200
	h.States[3].Running, h.States[3].Replayed = disputed, disputed
	h.Messages[3].Response = "57"
	h.Records = append(h.Records, Record{Kind: "case", Key: Key{"10000001", 1, 4}, Event: "case_opened", Code: "57"})
	if all := Judge(h); len(all) > 0 {
		t.Errorf("an adjustment that the acquirer refused, and a person has: %v", all)
	}
}
