// SPDX-License-Identifier: Apache-2.0

package oracle

// approvalsAreStored is promise 1: an approval that a terminal received is in
// the journal, with the answer that the terminal has.
func approvalsAreStored(c *court) {
	yes := map[Key]Record{}
	for _, r := range c.Records {
		if r.Kind == "outcome" && r.Event == "said_yes" {
			yes[r.Key] = r
		}
	}
	for _, k := range c.order {
		for _, a := range c.asked[k] {
			if a.Code != approved || a.Received == Never {
				continue
			}
			r, ok := yes[k]
			switch _, intent := c.intents[k]; {
			case !ok || !intent:
				c.broken(1, []Key{k}, "the terminal has an approval that is not in the journal")
			case r.Auth != a.Auth:
				c.broken(1, []Key{k}, "the terminal has authorization %q, the journal has %q", a.Auth, r.Auth)
			}
		}
	}
}

// debitsHaveIntents is the other half of promise 1, seen from the acquirer:
// what was sent was durable before.
func debitsHaveIntents(c *court) {
	for _, m := range c.Messages {
		if m.MTI != "0200" {
			continue
		}
		k, ok := c.sent[request{m.Acquirer, m.STAN, m.Sent}]
		switch {
		case !ok:
			c.broken(1, nil, "acquirer %s was asked for STAN %06d at %s of terminal %s, and the journal has no intent of it", m.Acquirer, m.STAN, m.Sent, m.Terminal)
		case c.intents[k].Amount != m.Amount:
			c.broken(1, []Key{k}, "acquirer %s was asked for %d, the intent is for %d", m.Acquirer, m.Amount, c.intents[k].Amount)
		}
	}
}

// debitsMatch is promises 2, 3 and 4: what a terminal takes for paid is debited
// once, with its amount; everything else is not debited in the end.
func debitsMatch(c *court) {
	held := map[Key]bool{}
	for _, t := range c.Terminals {
		if t.Pending {
			c.broken(4, nil, "the history is not drained: terminal %s still has a reversal to send", t.ID)
		}
		for _, k := range t.Holds {
			held[k] = true
		}
	}
	effective, amount := map[Key]int{}, map[Key]int64{}
	for _, d := range c.Debits {
		if !d.Effective {
			continue
		}
		k, ok := c.sent[request{d.Acquirer, d.STAN, d.Sent}]
		if !ok {
			c.broken(4, nil, "acquirer %s holds %d for STAN %06d of terminal %s, which no payment of the journal has", d.Acquirer, d.Amount, d.STAN, d.Terminal)
			continue
		}
		effective[k]++
		amount[k] = d.Amount
	}
	for _, k := range c.order {
		want := c.asked[k][0].Amount
		switch n := effective[k]; {
		case n > 1:
			c.broken(2, []Key{k}, "%d effective debits", n)
		case n == 1 && !held[k] && c.cases[k]: // a person has it
		case n == 1 && !held[k]:
			c.broken(4, []Key{k}, "the acquirer holds %d of a payment that the terminal does not have", amount[k])
		case n == 0 && held[k]:
			c.broken(2, []Key{k}, "the terminal has an approval that the acquirer does not hold")
		case n == 1 && amount[k] != want:
			c.broken(2, []Key{k}, "the acquirer holds %d, the terminal has %d", amount[k], want)
		}
		delete(effective, k)
	}
	for _, r := range c.Records { // in order, so that equal histories read the same
		if r.Kind == "intent" && effective[r.Key] > 0 {
			c.broken(4, []Key{r.Key}, "the acquirer holds a payment that no terminal asked for")
		}
	}
}

// resting are the states in which a payment may be left, as the journal tells
// them: delivery is presumed, not stored, so an approval rests as approved.
func resting(state string) bool {
	switch state {
	case "approved", "completed", "declined", "refused", "reversed", "unmatched":
		return true
	}
	return false
}

// allRest is promise 3 once everything is drained: no payment is on its way.
func allRest(c *court) {
	for _, s := range c.States {
		if !resting(s.Running) && (s.Running != "disputed" || !c.cases[s.Key]) {
			c.broken(3, []Key{s.Key}, "the payment is left in state %q", s.Running)
		}
	}
}

// findCases finds the payments that a person has with cause: the acquirer kept
// that it refused the reversal with the very code that the case names. A case for
// any other reason is none here: in a drained history no reversal waited too long.
func (c *court) findCases() {
	said := map[Key]map[string]bool{}
	for _, m := range c.Messages {
		k, ok := c.sent[request{m.Acquirer, m.OriginalSTAN, m.OriginalSent}]
		if !ok || m.Response == "" || family(m.MTI) != "0400" {
			continue
		}
		if said[k] == nil {
			said[k] = map[string]bool{}
		}
		said[k][m.Response] = true
	}
	for _, r := range c.Records {
		if r.Kind == "case" && said[r.Key][r.Code] {
			c.cases[r.Key] = true
		}
	}
}

// booksAreSound is promise 2 where an acquirer's own books deny it.
func booksAreSound(c *court) {
	for _, text := range c.Unsound {
		c.broken(2, nil, "%s", text)
	}
}

// replayAgrees is promise 8.
func replayAgrees(c *court) {
	for _, s := range c.States {
		running := s.Running
		if running == "completed" {
			running = "approved"
		}
		replayed := s.Replayed
		if replayed == "completed" {
			replayed = "approved"
		}
		if running != replayed {
			c.broken(8, []Key{s.Key}, "the process has state %q, its journal %q", s.Running, s.Replayed)
		}
	}
}

// numbersAreUnique is promise 7: a request key of a link stands for one
// message, and an RRN for one payment.
func numbersAreUnique(c *court) {
	type content struct {
		mti      string
		rrn      string
		original request
	}
	requests := map[request]content{}
	rrns := map[[2]string]request{}
	for _, m := range c.Messages {
		at := request{m.Acquirer, m.STAN, m.Sent}
		original := request{m.Acquirer, m.OriginalSTAN, m.OriginalSent}
		is := content{family(m.MTI), m.RRN, original}
		if was, ok := requests[at]; ok && was != is {
			c.broken(7, c.keysOf(at, original, was.original), "STAN %06d at %s on %s is %s and %s", m.STAN, m.Sent, m.Acquirer, was.mti, is.mti)
		}
		requests[at] = is
		if m.MTI != "0200" || m.RRN == "" {
			continue
		}
		if was, ok := rrns[[2]string{m.Acquirer, m.RRN}]; ok && was != at {
			c.broken(7, c.keysOf(was, at), "RRN %s on %s is given twice", m.RRN, m.Acquirer)
		}
		rrns[[2]string{m.Acquirer, m.RRN}] = at
	}
}

// family is a message type without the digit that makes it a repeat.
func family(mti string) string {
	if len(mti) != 4 {
		return mti
	}
	return mti[:3] + "0"
}

// keysOf names the payments of some requests.
func (c *court) keysOf(all ...request) (keys []Key) {
	for _, r := range all {
		if k, ok := c.sent[r]; ok {
			keys = append(keys, k)
		}
	}
	return keys
}
