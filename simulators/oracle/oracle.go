// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"fmt"
	"slices"
)

// Violation is one broken promise.
type Violation struct {
	Promise int   // its number in the list of promises
	Keys    []Key // the payments concerned; empty when none can be named
	Text    string
}

// String is the violation in one line.
func (v Violation) String() string {
	s := fmt.Sprintf("promise %d: %s", v.Promise, v.Text)
	for _, k := range v.Keys {
		s += fmt.Sprintf(" [terminal %s batch %06d trace %06d]", k.Terminal, k.Batch, k.Trace)
	}
	return s
}

// court is a history with the indices that the checks share.
type court struct {
	History
	intents map[Key]Record
	sent    map[request]Key // by what the intent's request carried
	asked   map[Key][]Ask   // whose answers are kept, in the order of the history
	order   []Key           // of asked
	comes   map[Key]int64   // what payments come to by adjustments that terminals were told of
	open    map[Key]bool    // payments that a person has or had, and what a void of them would take back: what the acquirer holds is the person's to say
	found   []Violation
}

// request is the key of a message on a link: field 7 and field 11.
type request struct {
	acquirer string
	stan     uint32
	sent     string
}

// Judge runs every check over a drained history.
func Judge(h History) []Violation {
	c := &court{History: h, intents: map[Key]Record{}, sent: map[request]Key{}, asked: map[Key][]Ask{}, comes: map[Key]int64{}, open: map[Key]bool{}}
	for _, r := range h.Records {
		switch r.Kind {
		case "intent", "advice", recordScript:
			c.intents[r.Key] = r
			c.sent[request{r.Link, r.STAN, r.Sent}] = r.Key
		case "rerouted": // the link before has not sent it, so that nothing may be found there
			p := c.intents[r.Key]
			delete(c.sent, request{p.Link, p.STAN, p.Sent})
			p.Link = r.Link
			c.intents[r.Key] = p
			c.sent[request{p.Link, p.STAN, p.Sent}] = r.Key
		}
	}
	for _, a := range h.Asks {
		if !a.Kind.kept() || a.Malformed || a.Vain {
			continue
		}
		if c.asked[a.Key] == nil {
			c.order = append(c.order, a.Key)
		}
		c.asked[a.Key] = append(c.asked[a.Key], a)
	}
	c.adjust()
	opened, closed := map[Key]bool{}, map[Key]bool{}
	for _, r := range h.Records {
		opened[r.Key] = opened[r.Key] || r.Kind == "case"
		closed[r.Key] = closed[r.Key] || r.Kind == "act"
	}
	for _, s := range h.States {
		if opened[s.Key] && (s.Running == disputed || closed[s.Key]) {
			c.opened(s.Key)
		}
	}
	for _, check := range []func(*court){
		approvalsAreStored, partsAreTaken, debitsHaveIntents, booksAreSound, debitsMatch, voidsMatch, refundsMatch, holdsMatch, scriptsMatch, vainIsRefused, repeatsAgree, undoneStaysUndone, allRest, casesHaveACause,
		answersReachTheirTerminal, lateIsNo, numbersAreUnique, reversalsAreRecorded, batchesAgree, replayAgrees, nothingInClear, wrongFormIsRefused, macIsNeeded, triesAreCounted, mandateIsKept,
	} {
		check(c)
	}
	return c.found
}

// broken notes a violation.
func (c *court) broken(promise int, keys []Key, format string, args ...any) {
	c.found = append(c.found, Violation{promise, slices.Clone(keys), fmt.Sprintf(format, args...)})
}
