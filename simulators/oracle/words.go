// SPDX-License-Identifier: Apache-2.0

package oracle

import "fmt"

// repeatsAgree is promise 2 as a terminal sees it: who was told no is never
// told yes afterwards, and every yes of a payment is the same.
func repeatsAgree(c *court) {
	for _, k := range c.order {
		if c.asked[k][0].Kind.askedAnew() {
			continue
		}
		var yes, no *Ask
		for i := range c.asked[k] {
			a := &c.asked[k][i]
			if a.Received == Never || a.Code == "" {
				continue
			}
			if !a.yes() {
				if no == nil || a.Received < no.Received {
					no = a
				}
				continue
			}
			if yes != nil && (yes.RRN != a.RRN || yes.Auth != a.Auth) {
				c.broken(2, []Key{k}, "two approvals: RRN %s authorization %q, and RRN %s authorization %q", yes.RRN, yes.Auth, a.RRN, a.Auth)
			}
			if yes == nil || a.Received < yes.Received {
				yes = a
			}
		}
		if yes != nil && no != nil && no.Received < yes.Received {
			c.broken(2, []Key{k}, "the terminal was told %s and then yes", no.Code)
		}
	}
}

// undoneStaysUndone: once a reversal was answered as done, no repeat is
// answered with an approval.
func undoneStaysUndone(c *court) {
	for _, r := range c.Asks {
		if r.Kind != Reversal || r.Malformed || r.Answered == Never || !undone(r.Code) {
			continue
		}
		for _, a := range c.asked[r.Key] {
			if a.yes() && a.Answered != Never && a.Arrived > r.Answered {
				c.broken(2, []Key{r.Key}, "approved at %v, after its reversal was answered with %s at %v", a.Answered, r.Code, r.Answered)
			}
		}
	}
}

// undone says whether a terminal takes a reversal for done.
func undone(code string) bool { return code == approved || code == "12" || code == "25" }

// answersReachTheirTerminal is promise 5.
func answersReachTheirTerminal(c *court) {
	for _, a := range c.Asks {
		if a.Code == "" || a.Malformed {
			continue
		}
		switch {
		case a.Named != a.Key.Terminal:
			c.broken(5, []Key{a.Key}, "terminal %s was given an answer to terminal %s", a.Key.Terminal, a.Named)
		case a.Kind != Other && a.OfTrace != a.Key.Trace:
			c.broken(5, []Key{a.Key}, "%s: the answer is to trace %06d", a.Kind, a.OfTrace)
		case a.Kind.kept() && a.Code == approved && a.OfAmount != a.Amount:
			c.broken(5, []Key{a.Key}, "the answer is for %d, asked was %d", a.OfAmount, a.Amount)
		}
	}
}

// lateIsNo is promise 6: the first answer of a payment is no yes once its
// deadline is past. A later yes repeats one that was in time.
func lateIsNo(c *court) {
	for _, k := range c.order {
		if c.asked[k][0].Kind.happened() { // it has happened, whenever the terminal hears
			continue
		}
		first := -1
		for i, a := range c.asked[k] {
			if a.Answered != Never && a.yes() && (first < 0 || a.Answered < c.asked[k][first].Answered) {
				first = i
			}
		}
		if first < 0 {
			continue
		}
		if a := c.asked[k][first]; a.Answered-a.Arrived >= c.Deadline {
			c.broken(6, []Key{k}, "the first yes came %v after its message, the deadline is %v", a.Answered-a.Arrived, c.Deadline)
		}
	}
}

// wrongFormIsRefused is promise 10: no yes to what is in a wrong form.
func wrongFormIsRefused(c *court) {
	for _, a := range c.Asks {
		if a.Malformed && a.yes() {
			c.broken(10, []Key{a.Key}, "a %s in a wrong form was approved", a.Kind)
		}
	}
	closedByWrongForm(c)
}

// closedByWrongForm is promise 10 for batches: totals in a wrong form close none.
func closedByWrongForm(c *court) {
	wrong, asked := map[Key]Key{}, map[Key]bool{}
	for _, a := range c.Asks {
		switch id := batchOf(a.Key); {
		case a.Kind != Settlement || a.Arrived == Never:
		case a.Malformed:
			wrong[id] = a.Key
		default:
			asked[id] = true
		}
	}
	for _, r := range c.Records {
		if k, ok := wrong[batchOf(r.Key)]; ok && r.Kind == "batch" && r.Event != "open" && !asked[batchOf(r.Key)] {
			c.broken(10, []Key{k}, "its batch is %s, and its totals came in a wrong form alone", r.Event)
		}
	}
}

// vainIsRefused is promise 2 for what comes in a good form and asks for too much:
// a known message with another content, a void of what is not in force.
func vainIsRefused(c *court) {
	for _, a := range c.Asks {
		if a.Vain && a.yes() {
			c.broken(2, []Key{a.Key}, "a %s was approved that had to be refused", a.Kind)
		}
	}
}

// nothingInClear is promise 9, as far as files and outputs were searched.
func nothingInClear(c *court) {
	for _, where := range c.Clear {
		c.broken(9, nil, "%s", where)
	}
}

// macIsNeeded is the last part of promise 11.
func macIsNeeded(c *court) {
	for _, a := range c.Asks {
		if a.NoMAC && a.Kind != Other && a.yes() {
			c.broken(11, []Key{a.Key}, "a %s without a valid MAC was served", a.Kind)
		}
	}
}

// triesAreCounted is promise 11: a wrong PIN that a terminal heard of is in the
// journal, and no payment is counted twice. One that the acquirer tried is its own
// to count, and stands in the journal as its refusal.
func triesAreCounted(c *court) {
	counted := map[Key]int{}
	elsewhere := map[Key]bool{}
	last := map[string]int{}
	for _, r := range c.Records {
		if r.Kind == "outcome" && r.Event == "said_no" && r.Code == wrongPIN {
			elsewhere[r.Key] = true
		}
		if r.Kind != "tries" {
			continue
		}
		if r.Count > 0 {
			counted[r.Key]++
		}
		const together = 2 // of one card at two terminals: the second may be stored first
		if r.Count > last[r.Card]+together {
			c.broken(11, []Key{r.Key}, "tries of a card go from %d to %d", last[r.Card], r.Count)
		}
		last[r.Card] = r.Count
	}
	for _, k := range c.order {
		if counted[k] > 1 {
			c.broken(11, []Key{k}, "one payment is counted as %d PIN tries", counted[k])
		}
		told := ""
		for _, a := range c.asked[k] {
			if a.Code == wrongPIN && a.Answered != Never {
				told = fmt.Sprintf("told %s", a.Code)
			}
		}
		if told != "" && counted[k] == 0 && !elsewhere[k] {
			c.broken(11, []Key{k}, "%s, and no PIN try is in the journal", told)
		}
	}
}
