// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"testing"
	"time"
)

var toldOf = Key{"10000001", 1, 9}

// scripted is a good history in which the approval of the payment that stands had a
// script: what became of it was told, put off, and told again.
func scripted() History {
	h := good()
	ms := time.Millisecond
	h.Asks = append(h.Asks, Ask{Kind: ScriptResult, Key: toldOf, Of: paid, Script: "2000000001", Amount: 500, Arrived: 700 * ms, Answered: 710 * ms, Received: 720 * ms,
		Code: "00", RRN: "R20", Auth: "A1", Named: "10000001", OfTrace: 9, OfAmount: 500})
	for _, m := range []struct{ mti, response string }{{"0620", "96"}, {"0621", "00"}} {
		h.Messages = append(h.Messages, Message{Acquirer: "a", MTI: m.mti, STAN: 20, Sent: "0102030406", RRN: "R20", Amount: 500, Terminal: "10000001",
			OriginalSTAN: 1, OriginalSent: "0102030405", Script: "2000000001", Response: m.response})
	}
	h.Records = append(h.Records, Record{Kind: recordScript, Key: toldOf, Of: paid, Script: "2000000001", Link: "a", STAN: 20, Sent: "0102030406", RRN: "R20", Amount: 500})
	h.States = append(h.States, State{Key: toldOf, Running: "advised", Replayed: "advised"})
	return h
}

// What cards did with scripts is judged: kept when the terminal was told so, delivered
// in its words, about its approval, once, or a case.
func TestScriptsAreJudged(t *testing.T) {
	last := func(h *History) (*Ask, *Message, *Record, *State) {
		return &h.Asks[len(h.Asks)-1], &h.Messages[len(h.Messages)-1], &h.Records[len(h.Records)-1], &h.States[len(h.States)-1]
	}
	for name, bend := range map[string]func(*History){
		"good":                func(*History) {},
		"the acquirer had it": func(h *History) { _, m, _, _ := last(h); m.Response = "94" },
		"told after the batch is closed": func(h *History) {
			h.Records = append(h.Records[:len(h.Records)-1], Record{Kind: "batch", Key: Key{"10000001", 1, 0}, Event: "balanced", Told: Totals{Debits: 1, DebitMinor: 500}}, h.Records[len(h.Records)-1])
		},
		"refused there, and a case is open": func(h *History) {
			_, m, _, s := last(h)
			m.Response, s.Running, s.Replayed = "57", disputed, disputed
			h.Records = append(h.Records, Record{Kind: "case", Key: toldOf, Event: "case_opened", Code: "57"})
		},
		"the same under another number": func(h *History) {
			again, _, _, _ := last(h)
			other := *again
			other.Key.Trace, other.OfTrace = 10, 10
			h.Asks = append(h.Asks, other)
		},
	} {
		h := scripted()
		if bend(&h); len(Judge(h)) > 0 {
			t.Errorf("%s: %v", name, Judge(h))
		}
	}
	for _, c := range []struct {
		name    string
		promise int
		key     Key
		bend    func(*History)
	}{
		{"not in the journal", 1, toldOf, func(h *History) { h.Records = h.Records[:len(h.Records)-1] }},
		{"other words in the journal", 1, toldOf, func(h *History) { a, _, _, _ := last(h); a.Script = "1100000001" }},
		{"other words at the acquirer", 2, toldOf, func(h *History) { _, m, _, _ := last(h); m.Script = "1100000001" }},
		{"about another approval", 7, toldOf, func(h *History) { _, m, _, _ := last(h); m.OriginalSTAN = 4 }},
		{"not delivered", 3, toldOf, func(h *History) { h.Messages = h.Messages[:len(h.Messages)-1] }},
		{"told by nobody", 1, Key{}, func(h *History) { _, m, _, _ := last(h); m.STAN = 21 }},
		{"kept twice", 2, toldOf, func(h *History) {
			_, _, r, s := last(h)
			twice, state := *r, *s
			twice.Key.Trace, twice.STAN, state.Key.Trace = 10, 21, 10
			h.Records, h.States = append(h.Records[:len(h.Records)-1], twice, *r), append(h.States, state)
		}},
		{"owed at the end", 3, toldOf, func(h *History) { _, _, _, s := last(h); s.Running = "advising" }},
		{"another one is approved", 2, toldOf, func(h *History) {
			a, _, _, _ := last(h)
			other := *a
			other.Vain, other.Script = true, "1100000001"
			h.Asks = append(h.Asks, other)
		}},
		{"a case for nothing", 3, toldOf, func(h *History) { _, _, _, s := last(h); s.Running, s.Replayed = disputed, disputed }},
	} {
		h := scripted()
		c.bend(&h)
		if !finds(Judge(h), c.promise, c.key) {
			t.Errorf("%s: promise %d, %v: found %v", c.name, c.promise, c.key, Judge(h))
		}
	}
}
