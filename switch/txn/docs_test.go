// SPDX-License-Identifier: Apache-2.0

package txn

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"tapswitch/internal/pagetest"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the pages of docs/reference that come from this package")

// page compares a generated page with the one in the tree.
func page(t *testing.T, name, got string) {
	t.Helper()
	pagetest.Check(t, *rewrite, name, got, "go test ./switch/txn -rewrite")
}

// stateDoc is what a reader must know of a state: what it means, and what a
// process that starts again makes of a payment it finds in it.
type stateDoc struct{ means, restart string }

func stateDocs() map[State]stateDoc {
	return map[State]stateDoc{
		Received:  {"read from a terminal; nothing is durable and nothing left", "not known: the terminal may ask again"},
		Intended:  {"the intent is durable; in the journal also what was forwarded, since that is no record of its own", "reversed: a byte may have left; closed when its class moves no money; a refund becomes a case, unless its link takes reversals of refunds"},
		Sent:      {"a byte may have left to the acquirer", "as intended: the journal keeps no record between"},
		Approved:  {"the yes is durable; the terminal has not been told", "completed: the yes may have been written"},
		Completed: {"the terminal was told yes, or may have been", "stays"},
		Declined:  {"no, and nothing is held that could be undone", "stays"},
		Refused:   {"no before the intent; durable only when a PIN try was counted", "stays"},
		Reversing: {"the undo is durable and not acknowledged", "queued again, with the same numbers"},
		Reversed:  {"the acquirer confirmed the reversal, or nothing had been sent", "stays"},
		Unmatched: {"the acquirer does not know the original (25, 12 or 94); a late yes opens it again", "stays"},
		Disputed:  {"what the acquirer holds is for a person to find out: it refused the reversal or the advice, or did not acknowledge it in time, or a refund has no usable answer. Nothing is sent, a case is open, no late answer moves it", "stays"},
		Advising:  {"an advice is durable: its money moved before anybody asked, the terminal was told 00, and the acquirer has not acknowledged it", "queued again, with the same numbers"},
		Advised:   {"the acquirer acknowledged the advice", "stays"},
		Upheld:    {"a person found that the acquirer holds it, and closed the case", "stays"},
	}
}

func eventDocs() map[Event]string {
	return map[Event]string{
		Refuse:         "refused before the intent",
		Journaled:      "the intent is durable",
		NotSent:        "surely not a byte left; of an advice: its payment was undone before",
		Forwarded:      "handed to the link; a byte may have left",
		SaidYes:        "the acquirer approved, and the answer passed its checks; also when it came late",
		SaidNo:         "the acquirer declined; also when it came late",
		TimedOut:       "no answer in time, or the connection was lost",
		CheckFailed:    "the answer failed a check: amount, terminal, currency, MAC; or it could not be made durable",
		DeadlinePassed: "the terminal no longer waits",
		Written:        "the answer was written to the terminal; also when it was reversed meanwhile",
		MaybeWritten:   "part of it may have been",
		NotWritten:     "surely not a byte of it was, or it could not be authenticated",
		UndoAsked:      "the terminal reversed it, or recovery did",
		UndoAcked:      "the acquirer confirmed the reversal",
		UndoUnknown:    "the acquirer does not know the original",
		Closed:         "its end is not known and need not be: a class that moves no money",
		CaseOpened:     "the acquirer refused the reversal or the advice with a code that neither ends nor defers it, or it is older than `reversal.max_age_ms`; or an operator dropped it; of a refund also: no usable answer came, or a yes after its no; of what a person found undone: a yes came",
		Happened:       "an advice is durable",
		AdviceAcked:    "the acquirer has the advice: 00, or 94 to a repeat",
		Stands:         "the deadline passed, or the answer was not written, and what was approved stays in force: a refund, whose terminal gets the yes when it asks again",
		Rerouted:       "surely not a byte left, and the payment goes to another link of its card's range; its reversal would too",
		StoodIn:        "surely not a byte left, and the switch said yes by the mandate of the card's issuer ([stand-in](../operating/stand-in.md)); the journal has an advice with it",
		CaseUndone:     "a person found that the acquirer holds nothing of it, and closed the case",
		CaseStands:     "a person found that the acquirer holds it, and closed the case",
	}
}

// TestStatesPage generates docs/reference/states.md from the table.
func TestStatesPage(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# States of a payment

Made from the table in ` + "`switch/txn/state.go`" + ` by ` + "`go test ./switch/txn -rewrite`" + `. How a payment gets here is told in
[the life of a payment](../LIFE-OF-A-PAYMENT.md).

## States

| state | what it means | rests | after a restart |
|---|---|---|---|
`)
	for s := range numStates {
		d, ok := stateDocs()[s]
		if !ok {
			t.Fatalf("state %s has no line in stateDocs", s)
		}
		rests := ""
		if s.Resting() {
			rests = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s, d.means, rests, d.restart)
	}
	b.WriteString("\n## Events\n\n| event | what happened | moves |\n|---|---|---|\n")
	for e := Refuse; e < numEvents; e++ {
		if eventDocs()[e] == "" {
			t.Fatalf("event %s has no line in eventDocs", e)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", e, eventDocs()[e], moves(e))
	}
	b.WriteString("\n## State × event\n\nA pair that is not here cannot happen: in a stored journal it is damage, in the running process a bug that stops it.\n\n")
	b.WriteString(matrix())
	b.WriteString("\n## The same as a picture\n\nArrows that stay in their state are left out.\n\n```mermaid\nstateDiagram-v2\n    [*] --> received\n")
	for s := range numStates {
		for _, a := range arrows(s) {
			if a.to != s {
				fmt.Fprintf(&b, "    %s --> %s: %s\n", s, a.to, strings.Join(a.by, ", "))
			}
		}
	}
	for s := range numStates {
		if s.Resting() {
			fmt.Fprintf(&b, "    %s --> [*]\n", s)
		}
	}
	b.WriteString("```\n")
	page(t, "states.md", b.String())
}

// moves lists where an event leads, by the states it can happen in.
func moves(e Event) string {
	var parts []string
	for s := range numStates {
		if n, ok := Next(s, e); ok && n != s {
			parts = append(parts, fmt.Sprintf("%s → %s", s, n))
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// arrow2 is all events that lead from one state to another.
type arrow2 struct {
	to State
	by []string
}

func arrows(from State) (out []arrow2) {
	for s := range numStates {
		var by []string
		for e := Refuse; e < numEvents; e++ {
			if n, ok := Next(from, e); ok && n == s {
				by = append(by, e.String())
			}
		}
		if len(by) > 0 {
			out = append(out, arrow2{s, by})
		}
	}
	return out
}

func matrix() string {
	var b strings.Builder
	b.WriteString("| state | events → state after |\n|---|---|\n")
	for s := range numStates {
		var parts []string
		for _, a := range arrows(s) {
			parts = append(parts, fmt.Sprintf("%s → **%s**", strings.Join(a.by, ", "), a.to))
		}
		if len(parts) == 0 {
			parts = []string{"nothing moves it"}
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", s, strings.Join(parts, "; "))
	}
	return b.String()
}
