// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"strings"
	"testing"
	"time"
)

var (
	paid    = Key{"10000001", 1, 1}
	refused = Key{"10000001", 1, 2}
	undoneK = Key{"10000002", 1, 1}
)

// good is a history in which every promise is kept: a payment that stands, one
// that was declined for its PIN and one that was reversed.
func good() History {
	ms := time.Millisecond
	return History{
		Deadline: 4 * time.Second,
		Asks: []Ask{
			{Kind: Purchase, Key: paid, Amount: 500, Arrived: 10 * ms, Answered: 90 * ms, Received: 99 * ms, Code: "00", RRN: "R1", Auth: "A1", Named: "10000001", OfTrace: 1, OfAmount: 500},
			{Kind: Purchase, Key: refused, Amount: 700, Arrived: 110 * ms, Answered: 120 * ms, Received: 130 * ms, Code: "55", Named: "10000001", OfTrace: 2, OfAmount: 700},
			{Kind: Purchase, Key: undoneK, Amount: 900, Arrived: 210 * ms, Answered: Never, Received: Never},
			{Kind: Reversal, Key: undoneK, Amount: 900, Arrived: 6200 * ms, Answered: 6210 * ms, Received: 6220 * ms, Code: "00", Named: "10000002", OfTrace: 1},
		},
		Terminals: []Terminal{{ID: "10000001", Holds: []Key{paid}}, {ID: "10000002"}},
		Messages: []Message{
			{Acquirer: "a", MTI: "0200", STAN: 1, Sent: "0102030405", RRN: "R1", Amount: 500, Terminal: "10000001"},
			{Acquirer: "a", MTI: "0200", STAN: 2, Sent: "0102030405", RRN: "R2", Amount: 900, Terminal: "10000002"},
			{Acquirer: "a", MTI: "0400", STAN: 3, Sent: "0102030410", RRN: "R2", Amount: 900, OriginalSTAN: 2, OriginalSent: "0102030405"},
			{Acquirer: "a", MTI: "0401", STAN: 3, Sent: "0102030410", RRN: "R2", Amount: 900, OriginalSTAN: 2, OriginalSent: "0102030405"},
		},
		Debits: []Debit{
			{Acquirer: "a", STAN: 1, Sent: "0102030405", RRN: "R1", Terminal: "10000001", Amount: 500, Effective: true},
			{Acquirer: "a", STAN: 2, Sent: "0102030405", RRN: "R2", Terminal: "10000002", Amount: 900},
		},
		Records: []Record{
			{Kind: "intent", Key: paid, Link: "a", STAN: 1, Sent: "0102030405", RRN: "R1", Amount: 500},
			{Kind: "outcome", Key: paid, Event: "said_yes", Code: "00", Auth: "A1"},
			{Kind: "tries", Key: refused, Card: "c", Count: 1},
			{Kind: "refused", Key: refused, Code: "55"},
			{Kind: "intent", Key: undoneK, Link: "a", STAN: 2, Sent: "0102030405", RRN: "R2", Amount: 900},
			{Kind: "undo", Key: undoneK, Event: "timed_out", STAN: 3, Sent: "0102030410"},
			{Kind: "undone", Key: undoneK, Event: "undo_acked", Code: "00"},
		},
		States: []State{{paid, "completed", "approved"}, {refused, "refused", "refused"}, {undoneK, "reversed", "reversed"}},
	}
}

// A history without a broken promise has no violation, and every promise that
// is broken in one is found, under its number and with its payment.
func TestEveryBrokenPromiseIsFound(t *testing.T) {
	if all := Judge(good()); len(all) > 0 {
		t.Fatalf("a good history: %v", all)
	}
	for _, c := range []struct {
		name    string
		promise int
		key     Key // the zero Key: no payment can be named
		bend    func(*History)
	}{
		{"an approval is not in the journal", 1, paid, func(h *History) { h.Records[1].Event = "said_no" }},
		{"an approval has another authorization than the journal", 1, paid, func(h *History) { h.Asks[0].Auth = "A9" }},
		{"sent without an intent", 1, Key{}, func(h *History) { h.Messages[0].STAN = 7 }},
		{"sent with another amount", 1, paid, func(h *History) { h.Messages[0].Amount = 501 }},
		{"two debits of one payment", 2, paid, func(h *History) { h.Debits = append(h.Debits, h.Debits[0]) }},
		{"an approval that is not booked", 2, paid, func(h *History) { h.Debits[0].Effective = false }},
		{"booked with another amount", 2, paid, func(h *History) { h.Debits[0].Amount = 1 }},
		{"first no, then yes", 2, paid, func(h *History) {
			no := h.Asks[0]
			no.Code, no.Received = "91", no.Received-1
			h.Asks = append(h.Asks, no)
		}},
		{"two different approvals", 2, paid, func(h *History) {
			other := h.Asks[0]
			other.RRN = "R9"
			h.Asks = append(h.Asks, other)
		}},
		{"approved after its reversal", 2, undoneK, func(h *History) {
			late := h.Asks[2]
			late.Code, late.Arrived, late.Answered, late.Named, late.OfTrace, late.OfAmount = "00", 7*time.Second, 7*time.Second+1, "10000002", 1, 900
			h.Asks = append(h.Asks, late)
		}},
		{"a payment that does not rest", 3, undoneK, func(h *History) { h.States[2] = State{undoneK, "reversing", "reversing"} }},
		{"left to a person without cause", 3, undoneK, func(h *History) { h.States[2].Running, h.States[2].Replayed = "disputed", "disputed" }},
		{"a debit that nobody knows of", 4, undoneK, func(h *History) { h.Debits[1].Effective = true }},
		{"a debit without a payment", 4, Key{}, func(h *History) {
			h.Debits = append(h.Debits, Debit{Acquirer: "b", STAN: 1, Sent: "0102030405", Amount: 1, Effective: true})
		}},
		{"a debit of a payment that nobody asked for", 4, undoneK, func(h *History) {
			h.Asks, h.Debits[1].Effective = h.Asks[:2], true
		}},
		{"a terminal that is not drained", 4, Key{}, func(h *History) { h.Terminals[1].Pending = true }},
		{"an altered repeat is approved", 2, paid, func(h *History) {
			other := h.Asks[0]
			other.Amount, other.OfAmount, other.Altered = 501, 501, true
			h.Asks = append(h.Asks, other)
		}},
		{"books that contradict themselves", 2, Key{}, func(h *History) { h.Unsound = []string{"the books of a"} }},
		{"a case that names another refusal than was given", 3, undoneK, func(h *History) { refuse(h, "30", "57") }},
		{"refused, and no case", 4, undoneK, func(h *History) {
			refuse(h, "30", "30")
			h.Records[6].Kind = "undone"
		}},
		{"a void that is not in the journal", 1, voided, func(h *History) { takeBack(h); h.Records = h.Records[:8] }},
		{"a void without effect", 4, paid, func(h *History) { takeBack(h); h.Debits[0].Effective = true }},
		{"a void of another amount", 5, voided, func(h *History) { takeBack(h); h.Asks[4].OfAmount = 1 }},
		{"a card number in a log", 9, Key{}, func(h *History) { h.Clear = []string{"in the log"} }},
		{"an answer to another terminal", 5, paid, func(h *History) { h.Asks[0].Named = "10000002" }},
		{"an answer to another message", 5, paid, func(h *History) { h.Asks[0].OfTrace = 9 }},
		{"an answer for another amount", 5, paid, func(h *History) { h.Asks[0].OfAmount = 5 }},
		{"a yes past its deadline", 6, paid, func(h *History) { h.Asks[0].Answered = h.Asks[0].Arrived + 4*time.Second }},
		{"a request key used twice", 7, undoneK, func(h *History) { h.Messages[3].OriginalSTAN, h.Messages[3].RRN = 1, "R1" }},
		{"an RRN used twice", 7, undoneK, func(h *History) { h.Messages[1].RRN = "R1" }},
		{"the journal says otherwise", 8, paid, func(h *History) { h.States[0].Replayed = "reversed" }},
		{"the journal does not know it", 8, paid, func(h *History) { h.States[0].Replayed = "" }},
		{"a wrong form is approved", 10, refused, func(h *History) { h.Asks[1].Malformed, h.Asks[1].Code = true, "00" }},
		{"no MAC, and served", 11, undoneK, func(h *History) { h.Asks[3].NoMAC = true }},
		{"a wrong PIN that is not counted", 11, refused, func(h *History) { h.Records[2].Count, h.Records[2].Kind = 0, "refused" }},
		{"one payment counted twice", 11, refused, func(h *History) {
			again := h.Records[2]
			again.Count = 2
			h.Records = append(h.Records, again)
		}},
		{"tries that leap", 11, refused, func(h *History) { h.Records[2].Count = 2 }},
	} {
		h := good()
		c.bend(&h)
		if !finds(Judge(h), c.promise, c.key) {
			t.Errorf("%s: promise %d, %v: found %v", c.name, c.promise, c.key, Judge(h))
		}
	}
}

var voided = Key{"10000001", 1, 3}

// takeBack adds a void of the payment that stands.
func takeBack(h *History) {
	ms := time.Millisecond
	h.Asks = append(h.Asks, Ask{Kind: Void, Key: voided, Amount: 500, Arrived: 510 * ms, Answered: 590 * ms, Received: 599 * ms,
		Code: "00", RRN: "R3", Auth: "A3", Named: "10000001", OfTrace: 3, OfAmount: 500})
	h.Terminals[0].Holds, h.Debits[0].Effective = nil, false
	h.Messages = append(h.Messages, Message{Acquirer: "a", MTI: "0200", STAN: 4, Sent: "0102030406", RRN: "R3", Amount: 500, Terminal: "10000001", OriginalSTAN: 1, OriginalSent: "0102030405"})
	h.Records = append(h.Records, Record{Kind: "intent", Key: voided, Link: "a", STAN: 4, Sent: "0102030406", RRN: "R3", Amount: 500},
		Record{Kind: "outcome", Key: voided, Event: "said_yes", Code: "00", Auth: "A3"})
	h.States = append(h.States, State{voided, "completed", "approved"})
}

// refuse makes of the reversal one that the acquirer refused, and of its end a case.
func refuse(h *History, said, named string) {
	h.Messages[2].Response, h.Debits[1].Effective = said, true
	h.Records[6] = Record{Kind: "case", Key: undoneK, Event: "case_opened", Code: named}
	h.States[2].Running, h.States[2].Replayed = "disputed", "disputed"
}

// What looks like a broken promise and is none: a void, a refused reversal with
// its case, a wrong PIN that the acquirer counts, a repeat that is refused at the
// door after its yes.
func TestKeptInOtherWays(t *testing.T) {
	for name, bend := range map[string]func(*History){
		"void": takeBack,
		"case": func(h *History) { refuse(h, "30", "30") },
		"the acquirer's PIN": func(h *History) {
			h.Records[2] = Record{Kind: "outcome", Key: refused, Event: "said_no", Code: "55"}
		},
		"a repeat without room": func(h *History) {
			busy, again := h.Asks[0], h.Asks[0]
			busy.Code, busy.Auth, busy.RRN, busy.Received = "91", "", "", h.Asks[0].Received+1
			again.Received = busy.Received + 1
			h.Asks = append(h.Asks, busy, again)
		},
	} {
		h := good()
		if bend(&h); len(Judge(h)) > 0 {
			t.Errorf("%s: %v", name, Judge(h))
		}
	}
}

func finds(all []Violation, promise int, key Key) bool {
	for _, v := range all {
		if v.Promise == promise && (key == Key{} || len(v.Keys) > 0 && (v.Keys[0] == key || v.Keys[len(v.Keys)-1] == key)) {
			return true
		}
	}
	return false
}

// A violation is told with its promise and its payment.
func TestViolationInOneLine(t *testing.T) {
	h := good()
	h.Debits[0].Effective = false
	all := Judge(h)
	if len(all) != 1 || !strings.Contains(all[0].String(), "promise 2") || !strings.Contains(all[0].String(), "terminal 10000001 batch 000001 trace 000001") {
		t.Errorf("%v", all)
	}
}
