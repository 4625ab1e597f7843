// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	paid    = Key{"10000001", 1, 1}
	refused = Key{"10000001", 1, 2}
	undoneK = Key{"10000002", 1, 1}
	voided  = Key{"10000003", 1, 1}
	void    = Key{"10000003", 1, 2}
	open    = Key{"10000004", 1, 1}
	offline = Key{"10000005", 1, 1}
	refund  = Key{"10000005", 1, 2}
)

// good is a history in which every promise is kept: a payment that stands, one
// that was declined for its PIN, one that was reversed, one that was voided,
// one that its acquirer refused to reverse, and an offline sale with its refund.
func good() History {
	ms := time.Millisecond
	return History{
		Deadline: 4 * time.Second,
		Asks: []Ask{
			{Kind: Purchase, Key: paid, Amount: 500, Arrived: 10 * ms, Answered: 90 * ms, Received: 99 * ms, Code: "00", RRN: "R1", Auth: "A1", Named: "10000001", OfTrace: 1, OfAmount: 500},
			{Kind: Purchase, Key: refused, Amount: 700, Arrived: 110 * ms, Answered: 120 * ms, Received: 130 * ms, Code: "55", Named: "10000001", OfTrace: 2, OfAmount: 700},
			{Kind: Purchase, Key: undoneK, Amount: 900, Arrived: 210 * ms, Answered: Never, Received: Never},
			{Kind: Reversal, Key: undoneK, Amount: 900, Arrived: 6200 * ms, Answered: 6210 * ms, Received: 6220 * ms, Code: "00", Named: "10000002", OfTrace: 1},
			{Kind: Cash, Key: voided, Amount: 300, Arrived: 310 * ms, Answered: 320 * ms, Received: 330 * ms, Code: "00", RRN: "R3", Named: "10000003", OfTrace: 1, OfAmount: 300},
			{Kind: Cash, Key: voided, Vain: true, Amount: 301, Arrived: 340 * ms, Answered: 341 * ms, Received: 342 * ms, Code: "94", Named: "10000003", OfTrace: 1, OfAmount: 301},
			{Kind: Void, Key: void, Of: voided, Amount: 300, Arrived: 350 * ms, Answered: 360 * ms, Received: 370 * ms, Code: "00", RRN: "R4", Named: "10000003", OfTrace: 2, OfAmount: 300},
			{Kind: Purchase, Key: open, Amount: 800, Arrived: 410 * ms, Answered: Never, Received: Never},
			{Kind: OfflineSale, Key: offline, Amount: 100, Arrived: 510 * ms, Answered: 9 * time.Second, Received: 9 * time.Second, Code: "00", RRN: "R6", Auth: "T1", Named: "10000005", OfTrace: 1, OfAmount: 100},
			{Kind: Refund, Key: refund, Of: offline, Amount: 60, Arrived: 610 * ms, Answered: 620 * ms, Received: 630 * ms, Code: "00", RRN: "R7", Named: "10000005", OfTrace: 2, OfAmount: 60},
		},
		Terminals: []Terminal{{ID: "10000001", Holds: []Key{paid}}, {ID: "10000002"}, {ID: "10000003", Voids: []Taken{{void, voided}}}, {ID: "10000004"}, {ID: "10000005", Holds: []Key{offline}, Refunds: []Taken{{refund, offline}}}},
		Messages: []Message{
			{Acquirer: "a", MTI: "0200", STAN: 1, Sent: "0102030405", RRN: "R1", Amount: 500, Terminal: "10000001"},
			{Acquirer: "a", MTI: "0200", STAN: 2, Sent: "0102030405", RRN: "R2", Amount: 900, Terminal: "10000002"},
			{Acquirer: "a", MTI: "0400", STAN: 3, Sent: "0102030410", RRN: "R2", Amount: 900, OriginalSTAN: 2, OriginalSent: "0102030405"},
			{Acquirer: "a", MTI: "0401", STAN: 3, Sent: "0102030410", RRN: "R2", Amount: 900, OriginalSTAN: 2, OriginalSent: "0102030405", Response: "00"},
			{Acquirer: "a", MTI: "0200", STAN: 4, Sent: "0102030405", RRN: "R3", Amount: 300, Terminal: "10000003"},
			{Acquirer: "a", MTI: "0200", STAN: 5, Sent: "0102030405", RRN: "R4", Amount: 300, Terminal: "10000003", OriginalSTAN: 4, OriginalSent: "0102030405"},
			{Acquirer: "a", MTI: "0200", STAN: 6, Sent: "0102030405", RRN: "R5", Amount: 800, Terminal: "10000004"},
			{Acquirer: "a", MTI: "0400", STAN: 7, Sent: "0102030410", RRN: "R5", Amount: 800, OriginalSTAN: 6, OriginalSent: "0102030405", Response: "57"},
			{Acquirer: "a", MTI: "0220", STAN: 8, Sent: "0102030405", RRN: "R6", Amount: 100, Terminal: "10000005", Response: "91"},
			{Acquirer: "a", MTI: "0221", STAN: 8, Sent: "0102030405", RRN: "R6", Amount: 100, Terminal: "10000005", Response: "00"},
			{Acquirer: "a", MTI: "0220", STAN: 9, Sent: "0102030405", RRN: "R7", Amount: 60, Terminal: "10000005", OriginalSTAN: 8, OriginalSent: "0102030405"},
		},
		Debits: []Debit{
			{Acquirer: "a", STAN: 1, Sent: "0102030405", RRN: "R1", Terminal: "10000001", Amount: 500, Effective: true},
			{Acquirer: "a", STAN: 2, Sent: "0102030405", RRN: "R2", Terminal: "10000002", Amount: 900},
			{Acquirer: "a", STAN: 4, Sent: "0102030405", RRN: "R3", Terminal: "10000003", Amount: 300},
			{Acquirer: "a", STAN: 6, Sent: "0102030405", RRN: "R5", Terminal: "10000004", Amount: 800, Effective: true},
			{Acquirer: "a", STAN: 8, Sent: "0102030405", RRN: "R6", Terminal: "10000005", Amount: 100, Effective: true},
		},
		Credits: []Credit{{Acquirer: "a", STAN: 9, Sent: "0102030405", Amount: 60}},
		Records: []Record{
			{Kind: "intent", Key: paid, Link: "a", STAN: 1, Sent: "0102030405", RRN: "R1", Amount: 500},
			{Kind: "outcome", Key: paid, Event: "said_yes", Code: "00", Auth: "A1"},
			{Kind: "tries", Key: refused, Card: "c", Count: 1},
			{Kind: "refused", Key: refused, Code: "55"},
			{Kind: "intent", Key: undoneK, Link: "a", STAN: 2, Sent: "0102030405", RRN: "R2", Amount: 900},
			{Kind: "undo", Key: undoneK, Event: "timed_out", STAN: 3, Sent: "0102030410"},
			{Kind: "undone", Key: undoneK, Event: "undo_acked", Code: "00"},
			{Kind: "intent", Key: voided, Link: "a", STAN: 4, Sent: "0102030405", RRN: "R3", Amount: 300},
			{Kind: "outcome", Key: voided, Event: "said_yes", Code: "00"},
			{Kind: "intent", Key: void, Link: "a", STAN: 5, Sent: "0102030405", RRN: "R4", Amount: 300},
			{Kind: "outcome", Key: void, Event: "said_yes", Code: "00"},
			{Kind: "intent", Key: open, Link: "a", STAN: 6, Sent: "0102030405", RRN: "R5", Amount: 800},
			{Kind: "undo", Key: open, Event: "timed_out", STAN: 7, Sent: "0102030410"},
			{Kind: "case", Key: open, Event: "case_opened", Code: "57"},
			{Kind: "advice", Key: offline, Link: "a", STAN: 8, Sent: "0102030405", RRN: "R6", Amount: 100, Auth: "T1"},
			{Kind: "intent", Key: refund, Link: "a", STAN: 9, Sent: "0102030405", RRN: "R7", Amount: 60},
			{Kind: "outcome", Key: refund, Event: "said_yes", Code: "00"},
		},
		States: []State{
			{Key: paid, Running: "completed", Replayed: "approved"}, {Key: refused, Running: "refused", Replayed: "refused"}, {Key: undoneK, Running: "reversed", Replayed: "reversed"},
			{Key: voided, Running: "completed", Replayed: "approved"}, {Key: void, Running: "completed", Replayed: "approved"}, {Key: open, Running: "disputed", Replayed: "disputed"},
			{Key: offline, Running: "advised", Replayed: "advised"}, {Key: refund, Running: "completed", Replayed: "approved"},
		},
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
		{"a payment that does not rest", 3, undoneK, func(h *History) { h.States[2].Running, h.States[2].Replayed = "reversing", "reversing" }},
		{"left to a person without cause", 3, undoneK, func(h *History) { h.States[2].Running, h.States[2].Replayed = "disputed", "disputed" }},
		{"a case that is closed silently", 3, open, func(h *History) { h.States[5].Running, h.States[5].Replayed = "unmatched", "unmatched" }},
		{"a yes after it was found undone, and nobody has it", 4, open, func(h *History) {
			h.Records = append(h.Records, Record{Kind: "act", Key: open, Event: "found_undone"})
			h.States[5].Running, h.States[5].Replayed = "reversed", "reversed"
		}},
		{"a case opened again without a yes", 3, open, func(h *History) {
			h.Records = append(h.Records, Record{Kind: "act", Key: open, Event: "found_undone"}, Record{Kind: "case", Key: open, Event: "case_opened", Code: "00"})
			h.Messages = slices.DeleteFunc(h.Messages, func(m Message) bool { return m.STAN == 6 })
		}},
		{"a debit without its case", 4, open, func(h *History) { h.States[5].Running = "reversed" }},
		{"a yes with an open case", 2, open, func(h *History) { h.Terminals[3].Holds = []Key{open} }},
		{"an altered repeat is approved", 2, voided, func(h *History) { h.Asks[5].Code = "00" }},
		{"voided, and held at the acquirer", 4, voided, func(h *History) { h.Debits[2].Effective = true }},
		{"voided twice", 2, void, func(h *History) {
			h.Terminals[2].Voids = append([]Taken{{refused, voided}}, h.Terminals[2].Voids...)
		}},
		{"a void that is not in the journal", 1, void, func(h *History) { h.Records = slices.Delete(h.Records, 9, 11) }},
		{"a reversal with numbers of its own", 7, undoneK, func(h *History) { h.Messages[3].STAN = 9 }},
		{"refunds of more than was paid", 2, offline, func(h *History) { h.Asks[8].Amount, h.Credits[0].Amount = 101, 101 }},
		{"a refund that is given twice", 2, refund, func(h *History) { h.Credits = append(h.Credits, h.Credits[0]) }},
		{"a refund of another amount", 2, refund, func(h *History) { h.Credits[0].Amount = 59 }},
		{"a refund that the terminal was not told", 4, refund, func(h *History) { h.Terminals[4].Refunds = nil }},
		{"a refund that the acquirer does not have", 2, refund, func(h *History) { h.Credits = nil }},
		{"a refund that no journal has", 4, Key{}, func(h *History) { h.Credits[0].STAN = 99 }},
		{"an advice that is not delivered", 2, offline, func(h *History) { h.Debits[4].Effective = false }},
		{"an advice that is still owed", 3, offline, func(h *History) { h.States[6].Running = "advising" }},
		{"an advice that became a case for nothing", 3, offline, func(h *History) { h.States[6].Running = "disputed" }},
		{"a debit that nobody knows of", 4, undoneK, func(h *History) { h.Debits[1].Effective = true }},
		{"a debit without a payment", 4, Key{}, func(h *History) {
			h.Debits = append(h.Debits, Debit{Acquirer: "b", STAN: 1, Sent: "0102030405", Amount: 1, Effective: true})
		}},
		{"a debit of a payment that nobody asked for", 4, undoneK, func(h *History) {
			h.Asks, h.Debits[1].Effective = h.Asks[:2], true
		}},
		{"a terminal that is not drained", 4, Key{}, func(h *History) { h.Terminals[1].Pending = true }},
		{"books that contradict themselves", 2, Key{}, func(h *History) { h.Unsound = []string{"the books of a"} }},
		{"a case that names another refusal than was given", 3, undoneK, func(h *History) { refuse(h, "30", "57") }},
		{"refused, and no case", 4, undoneK, func(h *History) {
			refuse(h, "30", "30")
			h.Records[6].Kind = "undone"
		}},
		{"another void that is not in the journal", 1, taken, func(h *History) { takeBack(h); h.Records = h.Records[:len(h.Records)-2] }},
		{"a void without effect", 4, paid, func(h *History) { takeBack(h); h.Debits[0].Effective = true }},
		{"a void of another amount", 5, taken, func(h *History) { takeBack(h); h.Asks[len(h.Asks)-1].OfAmount = 1 }},
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
		{"tries that leap", 11, refused, func(h *History) { h.Records[2].Count = 3 }},
	} {
		h := good()
		c.bend(&h)
		if !finds(Judge(h), c.promise, c.key) {
			t.Errorf("%s: promise %d, %v: found %v", c.name, c.promise, c.key, Judge(h))
		}
	}
}

var taken = Key{"10000001", 1, 3}

// takeBack adds a void of the payment that stands.
func takeBack(h *History) {
	ms := time.Millisecond
	h.Asks = append(h.Asks, Ask{Kind: Void, Key: taken, Amount: 500, Arrived: 510 * ms, Answered: 590 * ms, Received: 599 * ms,
		Code: "00", RRN: "R13", Auth: "A3", Named: "10000001", OfTrace: 3, OfAmount: 500})
	h.Terminals[0].Holds, h.Debits[0].Effective = nil, false
	h.Messages = append(h.Messages, Message{Acquirer: "a", MTI: "0200", STAN: 14, Sent: "0102030406", RRN: "R13", Amount: 500, Terminal: "10000001", OriginalSTAN: 1, OriginalSent: "0102030405"})
	h.Records = append(h.Records, Record{Kind: "intent", Key: taken, Link: "a", STAN: 14, Sent: "0102030406", RRN: "R13", Amount: 500},
		Record{Kind: "outcome", Key: taken, Event: "said_yes", Code: "00", Auth: "A3"})
	h.States = append(h.States, State{Key: taken, Running: "completed", Replayed: "approved"})
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

// A refund with a case counts among those of its payment, since it may be in force;
// but not one that its acquirer gave after it had said no.
func TestRefundsWithACaseCount(t *testing.T) {
	second := Key{"10000005", 1, 3}
	open := func(records ...Record) (h History) {
		h = good()
		h.Asks = append(h.Asks, Ask{Kind: Refund, Key: second, Of: offline, Amount: 60, Arrived: 710 * time.Millisecond, Answered: Never, Received: Never})
		h.Messages = append(h.Messages, Message{Acquirer: "a", MTI: "0220", STAN: 10, Sent: "0102030405", RRN: "R8", Amount: 60, Terminal: "10000005", OriginalSTAN: 8, OriginalSent: "0102030405"})
		h.Credits = append(h.Credits, Credit{Acquirer: "a", STAN: 10, Sent: "0102030405", Amount: 60})
		h.Records = append(h.Records, Record{Kind: "intent", Key: second, Link: "a", STAN: 10, Sent: "0102030405", RRN: "R8", Amount: 60})
		h.Records = append(h.Records, append(records, Record{Kind: "case", Key: second, Event: "case_opened"})...)
		h.States = append(h.States, State{Key: second, Running: "disputed", Replayed: "disputed"})
		return h
	}
	if all := Judge(open()); len(all) != 1 || !finds(all, 2, offline) {
		t.Errorf("120 of 100 with a case: %v", all)
	}
	if all := Judge(open(Record{Kind: "outcome", Key: second, Event: "said_no", Code: "12"})); len(all) != 0 {
		t.Errorf("given after a no: %v", all)
	}
	undo := Record{Kind: "undo", Key: second, Event: "timed_out", STAN: 90, Sent: "0102030499"}
	if all := Judge(open(undo, Record{Kind: "undone", Key: second, Event: "undo_unknown", Code: "25"})); finds(all, 2, offline) {
		t.Errorf("given after its reversal was told that it is not known: %v", all)
	}
}
