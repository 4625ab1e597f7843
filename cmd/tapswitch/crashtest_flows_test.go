// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tapswitch/internal/money"
	"tapswitch/simulators/acquirer"
	"tapswitch/simulators/oracle"
)

// business is what one terminal did, and every side's account of it. The number of a
// message is its trace number, its STAN, and its place.
type business struct {
	lines     []acquirer.Entry
	collected *collected
}

// message adds a message that was approved, with its line in the books.
func (b *business) message(kind oracle.Kind, amount int64, effect string, of int) {
	n := len(b.lines) + 1
	mti := map[oracle.Kind]string{oracle.Hold: "0100", oracle.Release: "0100", oracle.Refund: "0220", oracle.OfflineSale: "0220", oracle.CompletionAdvice: "0220", oracle.Adjustment: "0220"}[kind]
	if mti == "" {
		mti = "0200"
	}
	e := entry(mti, n, effect, "")
	if e.AmountMinor = money.MinorUnits(amount); of > 0 {
		e.Original = original(of)
	}
	switch kind {
	case oracle.Refund, oracle.Void:
		e.Procedure = procedureVoid
	case oracle.Release:
		e.Procedure, e.Condition = procedureVoid, "06"
	case oracle.Hold, oracle.Completion, oracle.CompletionAdvice:
		e.Condition = "06"
	}
	b.lines = append(b.lines, e)
	h, k := b.collected, oracle.Key{Terminal: "10000001", Batch: 1, Trace: uint32(n)}
	at := time.Duration(n) * time.Second
	ask := oracle.Ask{Kind: kind, Key: k, Amount: amount, Arrived: at, Answered: at + 1, Received: at + 2, Code: "00", RRN: e.RRN, Auth: "A", Named: k.Terminal, OfTrace: k.Trace, OfAmount: amount}
	if of > 0 {
		ask.Of = oracle.Key{Terminal: k.Terminal, Batch: 1, Trace: uint32(of)}
	}
	h.Asks = append(h.Asks, ask)
	r := oracle.Record{Kind: "intent", Key: k, Link: linkA, STAN: uint32(n), Sent: e.F7, RRN: e.RRN, Amount: amount, Auth: "A"}
	state := oracle.State{Key: k, Running: "approved", Replayed: "approved"}
	if kind == oracle.OfflineSale || kind == oracle.CompletionAdvice || kind == oracle.Adjustment {
		r.Kind, state.Running, state.Replayed = "advice", "advised", "advised"
		h.Records = append(h.Records, r)
	} else {
		h.Records = append(h.Records, r, oracle.Record{Kind: "outcome", Key: k, Event: "said_yes", Code: "00", Auth: "A"})
	}
	h.States = append(h.States, state)
}

// aDay is a history of every flow, in which all is kept: a sale with a refund, a voided
// sale, what was held and completed, what was held and cancelled, an offline sale, a
// completion after the fact, and their settlement.
func aDay() *business {
	b := &business{collected: &collected{History: oracle.History{Deadline: 2 * time.Second}}}
	b.message(oracle.Purchase, 700, acquirer.EffectDebit, 0)          // 1
	b.message(oracle.Refund, 300, acquirer.EffectCredit, 1)           // 2
	b.message(oracle.Purchase, 650, acquirer.EffectDebit, 0)          // 3
	b.message(oracle.Void, 650, acquirer.EffectCredit, 3)             // 4
	b.message(oracle.Hold, 1000, acquirer.EffectHold, 0)              // 5
	b.message(oracle.Completion, 1100, acquirer.EffectDebit, 5)       // 6
	b.message(oracle.Hold, 800, acquirer.EffectHold, 0)               // 7
	b.message(oracle.Release, 800, acquirer.EffectRelease, 7)         // 8
	b.message(oracle.OfflineSale, 500, acquirer.EffectDebit, 0)       // 9
	b.message(oracle.Hold, 400, acquirer.EffectHold, 0)               // 10
	b.message(oracle.CompletionAdvice, 400, acquirer.EffectDebit, 10) // 11
	b.message(oracle.Cashback, 1000, acquirer.EffectDebit, 0)         // 12
	b.message(oracle.Purchase, 900, acquirer.EffectDebit, 0)          // 13, a part
	b.message(oracle.Purchase, 1000, acquirer.EffectDebit, 0)         // 14
	b.message(oracle.Adjustment, 1150, acquirer.EffectAdjust, 14)     // 15
	h, key := b.collected, func(n uint32) oracle.Key { return oracle.Key{Terminal: "10000001", Batch: 1, Trace: n} }
	h.Terminals = []oracle.Terminal{{ID: "10000001", Holds: []oracle.Key{key(1), key(6), key(9), key(11), key(12), key(13), key(14)}, Voids: []oracle.Taken{{Key: key(4), Of: key(3)}, {Key: key(8), Of: key(7)}}, Refunds: []oracle.Taken{{Key: key(2), Of: key(1)}}}}
	b.lines[12].AmountMinor, b.lines[12].AskedMinor, b.lines[12].Response = 400, 900, "10"
	b.lines[14].WasMinor = 1000
	h.Asks[12].TakesPart, h.Asks[12].Code, h.Asks[12].OfAmount = true, "10", 400
	for i := range h.Records {
		if h.Records[i].Kind == "outcome" && h.Records[i].Key == key(13) {
			h.Records[i].Amount = 400
		}
	}
	told := oracle.Totals{Debits: 8, DebitMinor: 700 + 650 + 1100 + 500 + 400 + 1000 + 400 + 1150, Credits: 2, CreditMinor: 950}
	h.Records = append(h.Records, oracle.Record{Kind: "batch", Key: key(0), Event: "balanced", Told: told})
	h.Asks = append(h.Asks, oracle.Ask{Kind: oracle.Settlement, Key: key(20), Arrived: 20 * time.Second, Answered: 21 * time.Second, Received: oracle.Never, Code: "00", Named: "10000001", OfTrace: 20, Told: told, Balanced: true})
	return b
}

// drop takes a line out of the books.
func (b *business) drop(n int) { b.lines = slices.Delete(b.lines, n-1, n) }

// TestCrashJudgeFlows: a history of every flow in which all is kept is found so, and
// each way in which a side's account of one is bent is found, by its promise.
func TestCrashJudgeFlows(t *testing.T) {
	judge := func(b *business) string {
		b.collected.takeBooks(linkA, b.lines)
		return strings.Join(b.collected.judge(), "; ")
	}
	if broken := judge(aDay()); broken != "" {
		t.Fatalf("a good history: %s", broken)
	}
	for what, c := range map[string]struct {
		found string
		bend  func(*business)
	}{
		"a refund that is not booked":       {"promise 2: the terminal has a refund that the acquirer does not have", func(b *business) { b.drop(2) }},
		"a refund that is not told":         {"promise 4: the acquirer gave back 300 by a refund", func(b *business) { b.collected.Terminals[0].Refunds = nil }},
		"a refund of another amount":        {"promise 2: the acquirer gave back 301, asked was 300", func(b *business) { b.lines[1].AmountMinor++ }},
		"a refund booked twice":             {"promise 2: 2 refunds in force", func(b *business) { b.lines = append(b.lines, b.lines[1]) }},
		"more refunded than paid":           {"promise 2: the books of acq-a: entry 0, RRN 633300000002: more is given back", func(b *business) { b.lines[1].AmountMinor = 701 }},
		"a refund in vain":                  {"promise 2: a refund was approved that had to be refused", func(b *business) { b.collected.Asks[1].Vain = true }},
		"a refund behind its void":          {"more is given back than was taken", func(b *business) { b.lines[1].Original = original(3); b.lines[1], b.lines[3] = b.lines[3], b.lines[1] }},
		"a hold that is not booked":         {"promise 2: the books of acq-a: entry 0, RRN 633300000006: completed, and nothing was held", func(b *business) { b.drop(5) }},
		"a completion that is not booked":   {"promise 4: the acquirer holds 1000 of a payment that the terminal does not have", func(b *business) { b.drop(6) }},
		"a completion of another amount":    {"promise 2: the acquirer holds 1101, the terminal has 1100", func(b *business) { b.lines[5].AmountMinor++ }},
		"completed twice":                   {"completed, and nothing was held", func(b *business) { b.lines = append(b.lines, b.lines[5]) }},
		"cancelled and completed":           {"promise 2: the books of acq-a: entry 0, RRN 633300000008: more is given back", func(b *business) { b.lines[5].Original = original(7); b.lines[5], b.lines[7] = b.lines[7], b.lines[5] }},
		"a release that is not booked":      {"promise 4: the acquirer holds 800", func(b *business) { b.drop(8) }},
		"cancelled twice":                   {"promise 2: two voids of one payment", func(b *business) { v := &b.collected.Terminals[0].Voids; *v = append(*v, (*v)[1]) }},
		"an offline sale that is not there": {"promise 2: the terminal has an approval that the acquirer does not hold [terminal 10000001 batch 000001 trace 000009]", func(b *business) { b.drop(9) }},
		"an advice without a record":        {"promise 1: acquirer acq-a was asked for STAN 000099", func(b *business) { b.lines[8].STAN = "000099" }},
		"an advice with another number":     {"promise 7: ", func(b *business) { b.lines = append(b.lines, b.lines[8]); b.lines[len(b.lines)-1].RRN = "633399999999" }},
		"a completion advice not there":     {"promise 2: the terminal has an approval that the acquirer does not hold [terminal 10000001 batch 000001 trace 000011]", func(b *business) { b.drop(11) }},
		"a cashback that is not booked":     {"promise 2: the terminal has an approval that the acquirer does not hold", func(b *business) { b.drop(12) }},
		"a part that is booked whole":       {"promise 2: the acquirer holds 900, the terminal has 400", func(b *business) { b.lines[12].AmountMinor = 900 }},
		"a part that is not taken":          {"promise 2: a part is approved of a purchase, which the terminal does not take", func(b *business) { b.collected.Asks[12].TakesPart = false }},
		"an adjustment that is not booked":  {"promise 2: the acquirer holds 1000, the terminal has 1150", func(b *business) { b.drop(15) }},
		"adjusted from another amount":      {"promise 2: the books of acq-a: entry 0, RRN 633300000015: adjusted, and not what was taken", func(b *business) { b.lines[14].WasMinor++ }},
		"an adjustment of what was voided":  {"adjusted, and not what was taken", func(b *business) { b.lines[14].Original = original(3) }},
		"totals that nothing comes to":      {"promise 3: ", func(b *business) { b.collected.Records[len(b.collected.Records)-1].Told.DebitMinor++ }},
		"totals told otherwise":             {"promise 3: the terminal is told that its batch is balanced", func(b *business) { b.collected.Asks[15].Told.Credits++ }},
		"a voided hold in the totals":       {"promise 3: ", func(b *business) { b.collected.Asks[6].Kind = oracle.Purchase }},
	} {
		b := aDay()
		c.bend(b)
		if broken := judge(b); !strings.Contains(broken, c.found) {
			t.Errorf("%s: found %q", what, broken)
		}
	}
}

// TestCrashBooksOfHolds: a completion uses its hold up until it is taken back, by its
// reversal or by a void, which may be reversed in turn; so may a cancel and a refund.
func TestCrashBooksOfHolds(t *testing.T) {
	hold := entry("0100", 1, acquirer.EffectHold, "")
	completion := entry("0200", 2, acquirer.EffectDebit, original(1))
	hold.Condition, completion.Condition = "06", "06"
	cancel, void := entry("0100", 3, acquirer.EffectRelease, original(1)), entry("0200", 4, acquirer.EffectCredit, original(2))
	refund := entry("0220", 5, acquirer.EffectCredit, original(6))
	refund.Procedure = procedureVoid
	back := func(n, of int, effect string) acquirer.Entry { return entry("0400", n, effect, original(of)) }
	for what, c := range map[string]struct {
		lines   []acquirer.Entry
		holds   string
		credits int
		unsound string
	}{
		"held":                 {[]acquirer.Entry{hold}, "[1]", 0, ""},
		"reversed":             {[]acquirer.Entry{hold, back(9, 1, acquirer.EffectRelease)}, "[]", 0, ""},
		"cancelled":            {[]acquirer.Entry{hold, cancel}, "[]", 0, ""},
		"cancel reversed":      {[]acquirer.Entry{hold, cancel, back(9, 3, acquirer.EffectHold)}, "[1]", 0, ""},
		"completed":            {[]acquirer.Entry{hold, completion}, "[2]", 0, ""},
		"completion reversed":  {[]acquirer.Entry{hold, completion, back(9, 2, acquirer.EffectCredit)}, "[1]", 0, ""},
		"completion voided":    {[]acquirer.Entry{hold, completion, void}, "[1]", 0, ""},
		"void reversed":        {[]acquirer.Entry{hold, completion, void, back(9, 4, acquirer.EffectDebit)}, "[2]", 0, ""},
		"void reversed late":   {[]acquirer.Entry{hold, completion, void, cancel, back(9, 4, acquirer.EffectDebit)}, "[]", 0, "completed again"},
		"cancelled, completed": {[]acquirer.Entry{hold, cancel, completion}, "[2]", 0, "nothing was held"},
		"refunded":             {[]acquirer.Entry{entry("0200", 6, acquirer.EffectDebit, ""), refund}, "[6]", 1, ""},
		"refund reversed":      {[]acquirer.Entry{entry("0200", 6, acquirer.EffectDebit, ""), refund, back(9, 5, acquirer.EffectDebit)}, "[6]", 0, ""},
		"reversed twice":       {[]acquirer.Entry{entry("0200", 6, acquirer.EffectDebit, ""), refund, back(9, 5, acquirer.EffectDebit), back(9, 5, acquirer.EffectDebit)}, "[6]", 0, "not as it had been given"},
		"reversed, refunded":   {[]acquirer.Entry{entry("0200", 6, acquirer.EffectDebit, ""), refund, back(9, 6, acquirer.EffectCredit)}, "[6]", 1, "more is given back"},
	} {
		h := &collected{}
		h.takeBooks(linkA, c.lines)
		if got := fmt.Sprint(h.effective()); got != c.holds || len(h.Credits) != c.credits {
			t.Errorf("%s: holds %v, refunds %d", what, got, len(h.Credits))
		}
		if got := strings.Join(h.Unsound, "; "); (c.unsound == "") != (got == "") || !strings.Contains(got, c.unsound) {
			t.Errorf("%s: %q, want %q", what, got, c.unsound)
		}
	}
}

// TestCrashFlows: what is sent again counts once, what has to be refused not at all,
// and a long run that lacks a flow says which.
func TestCrashFlows(t *testing.T) {
	k := oracle.Key{Terminal: "10000001", Batch: 1, Trace: 1}
	got := playedIn([]oracle.Ask{{Kind: oracle.Refund, Key: k, Arrived: 2}, {Kind: oracle.Refund, Key: k, Code: "00", Arrived: 12}, {Kind: oracle.Refund, Key: k, Code: "00", Arrived: 22},
		{Kind: oracle.Reversal, Key: k, Code: "25"}, {Kind: oracle.Void, Key: k, Code: "00", Vain: true}, {Kind: oracle.Hold, Key: k, Code: "00", Malformed: true}, {Kind: oracle.Other},
		{Kind: oracle.Purchase, Key: k, Arrived: 12, Code: "10"}, {Kind: oracle.Purchase, Key: k, Arrived: 13, Code: "10"}}, []time.Duration{1, 10, 20})
	if want := map[string]flow{"refund": {1, 1, 1}, "reversal": {1, 0, 0}, "purchase": {1, 1, 0}, inPart: {1, 1, 0}}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v", got)
	}
	v := crashVerdict{Kills: 20, Share: 1, Outcomes: map[string]int{"approved": allFlows}, Flows: map[string]flow{}}
	for _, kind := range crashFlows() {
		v.Flows[string(kind)] = flow{2, 1, 0}
	}
	if why := v.idle(); why != "" {
		t.Error(why)
	}
	v.Flows["refund"] = flow{2, 0, 0}
	if why := v.idle(); why != fmt.Sprintf("no refund was approved beside %d payments", allFlows) {
		t.Error(why)
	}
	v.Outcomes["approved"]--
	if why := v.idle(); why != "" {
		t.Errorf("a short run: %s", why)
	}
}
