// SPDX-License-Identifier: Apache-2.0

package oracle

// approvalsAreStored is promise 1: an approval that a terminal received is in
// the journal, with the answer that the terminal has.
func approvalsAreStored(c *court) {
	yes := map[Key]Record{}
	for _, r := range c.Records {
		if r.Kind == "advice" || r.Kind == "outcome" && (r.Event == "said_yes" || r.Event == "stood_in") {
			yes[r.Key] = r
		}
	}
	for _, k := range c.order {
		for _, a := range c.asked[k] {
			if !a.yes() || a.Received == Never {
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
		if f := family(m.MTI); f != "0100" && f != "0200" && f != "0220" {
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
		if !c.asked[k][0].Kind.pays() {
			continue
		}
		want := c.worth(k)
		switch n := effective[k]; {
		case n > 1:
			c.broken(2, []Key{k}, "%d effective debits", n)
		case c.open[k]:
			switch s := c.stands(k); {
			case held[k] && s == disputed && !c.asked[k][0].Kind.happened():
				c.broken(2, []Key{k}, "the terminal has an approval that was to be undone, and a case is open")
			case n == 1 && s == "reversed":
				c.broken(4, []Key{k}, "the acquirer holds %d of a payment whose case was closed as undone", amount[k])
			}
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

// voidsMatch is promise 2 for what is given back: a payment is taken back once.
func voidsMatch(c *court) {
	by := map[Key]Key{}
	for _, t := range c.Terminals {
		for _, v := range t.Voids {
			if other, ok := by[v.Of]; ok {
				c.broken(2, []Key{v.Of, other, v.Key}, "two voids of one payment were approved")
			}
			by[v.Of] = v.Key
		}
	}
}

// refundsMatch is promises 2 and 4 for refunds: what a terminal was told is given
// back once, what it was not told is not given or has a case, and a payment gives no
// more than it took, what has a case included: but for what an acquirer gave after
// it had said no, or had said to its reversal that it does not know it.
func refundsMatch(c *court) {
	told := map[Key]bool{}
	for _, t := range c.Terminals {
		for _, r := range t.Refunds {
			told[r.Key] = true
		}
	}
	no := map[Key]bool{}
	for _, r := range c.Records {
		no[r.Key] = no[r.Key] || r.Kind == "outcome" && r.Event == "said_no" || r.Kind == "undone" && r.Event == "undo_unknown"
	}
	given, amount, sum, by := map[Key]int{}, map[Key]int64{}, map[Key]int64{}, map[Key][]Key{}
	for _, b := range c.Credits {
		k, ok := c.sent[request{b.Acquirer, b.STAN, b.Sent}]
		if !ok || len(c.asked[k]) == 0 {
			c.broken(4, nil, "acquirer %s gave back %d for STAN %06d, which no refund of the journal has", b.Acquirer, b.Amount, b.STAN)
			continue
		}
		given[k]++
		amount[k] = b.Amount
		if of := c.asked[k][0].Of; !c.open[k] || !no[k] {
			sum[of] += b.Amount
			by[of] = append(by[of], k)
		}
	}
	for _, k := range c.order {
		a := c.asked[k][0]
		switch n := given[k]; {
		case a.Kind.pays() && sum[k] > c.worth(k):
			c.broken(2, append([]Key{k}, by[k]...), "refunds give %d back of %d", sum[k], c.worth(k))
		case a.Kind != Refund:
		case n > 1:
			c.broken(2, []Key{k}, "%d refunds in force", n)
		case n == 1 && amount[k] != a.Amount:
			c.broken(2, []Key{k}, "the acquirer gave back %d, asked was %d", amount[k], a.Amount)
		case c.open[k]:
		case n == 1 && !told[k]:
			c.broken(4, []Key{k}, "the acquirer gave back %d by a refund that the terminal does not have", amount[k])
		case n == 0 && told[k]:
			c.broken(2, []Key{k}, "the terminal has a refund that the acquirer does not have")
		}
	}
}

// disputed is the state of a payment whose case is open, upheld that of one whose
// case a person closed because it stands at the acquirer.
const (
	disputed = "disputed"
	upheld   = "upheld"
)

// stands is the state of a payment in the process that ran to the end.
func (c *court) stands(k Key) string {
	for _, s := range c.States {
		if s.Key == k && !s.Advice {
			return s.Running
		}
	}
	return ""
}

// resting are the states in which a payment may be left, as the journal tells
// them: delivery is presumed, not stored, so an approval rests as approved. A case
// for a person is a rest; whether it had a cause is another question.
func resting(state string) bool {
	switch state {
	case "approved", "completed", "declined", "refused", "reversed", "unmatched", "advised", disputed, upheld:
		return true
	}
	return false
}

// allRest is promise 3 once everything is drained: no payment is on its way.
func allRest(c *court) {
	for _, s := range c.States {
		if !resting(s.Running) {
			c.broken(3, []Key{s.Key}, "the payment is left in state %q", s.Running)
		}
	}
}

// casesHaveACause is the end of promise 3: a case is open for what the acquirer
// refused to undo or to take, for refunds of whose end nobody knows, for a yes to what a
// person had found undone, and for nothing else; and nobody but a person closes it.
func casesHaveACause(c *court) {
	said := c.refusals()
	open := map[Key]bool{}
	for _, s := range c.States {
		open[s.Key] = open[s.Key] || s.Running == disputed
		all := c.asked[s.Key]
		if s.Running == disputed && len(said[s.Key]) == 0 && (len(all) == 0 || all[0].Kind != Refund) {
			c.broken(3, []Key{s.Key}, "left to a person, and no acquirer refused to undo or to take it")
		}
	}
	closed := map[Key]bool{}
	for _, r := range c.Records {
		closed[r.Key] = closed[r.Key] || r.Kind == "act" // by a person
	}
	yes, found := c.approvals(), map[Key]bool{}
	for _, r := range c.Records {
		again := found[r.Key] && r.Kind == "case" && r.Code == approved && yes[r.Key]
		if r.Kind == "act" || r.Kind == "case" {
			found[r.Key] = r.Event == "found_undone"
		}
		switch all := c.asked[r.Key]; {
		case r.Kind != "case":
		case !open[r.Key] && !closed[r.Key]:
			c.broken(3, []Key{r.Key}, "its case was opened with %s, and it is %q", r.Code, c.stands(r.Key))
		case !said[r.Key][r.Code] && !again && (len(all) == 0 || all[0].Kind != Refund):
			c.broken(3, []Key{r.Key}, "its case was opened with %s, which no acquirer said", r.Code)
		}
	}
}

// approvals are the payments and advices that an acquirer once said yes to.
func (c *court) approvals() map[Key]bool {
	yes := map[Key]bool{}
	for _, m := range c.Messages {
		if m.Response == approved && family(m.MTI) != "0400" {
			yes[c.sent[request{m.Acquirer, m.STAN, m.Sent}]] = true
		}
	}
	return yes
}

// refusals are the codes by which acquirers would not undo a payment, or not take
// its advice.
func (c *court) refusals() map[Key]map[string]bool {
	said := map[Key]map[string]bool{}
	for _, m := range c.Messages {
		at := request{m.Acquirer, m.OriginalSTAN, m.OriginalSent}
		switch {
		case family(m.MTI) == "0400" && refuses(m.Response):
		case (family(m.MTI) == "0220" || family(m.MTI) == mtiScript) && m.Response != "94" && (refuses(m.Response) || undone(m.Response) && m.Response != approved):
			at = request{m.Acquirer, m.STAN, m.Sent}
		default:
			continue
		}
		k := c.sent[at]
		if said[k] == nil {
			said[k] = map[string]bool{}
		}
		said[k][m.Response] = true
	}
	return said
}

// booksAreSound is promise 2 where an acquirer's own books deny it.
func booksAreSound(c *court) {
	for _, text := range c.Unsound {
		c.broken(2, nil, "%s", text)
	}
}

// refuses says whether an acquirer will not undo, by its answer to a reversal: not
// done (00), not known (25, 12, 94), nor to be asked again (ISO 8583:1987 DE 39).
func refuses(code string) bool {
	switch code {
	case "", approved, "12", "25", "94", "68", "90", "91", "96", "98", "A0":
		return false
	}
	return true
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
		if family(m.MTI) == "0400" || m.RRN == "" {
			continue
		}
		if was, ok := rrns[[2]string{m.Acquirer, m.RRN}]; ok && was != at {
			c.broken(7, c.keysOf(was, at), "RRN %s on %s is given twice", m.RRN, m.Acquirer)
		}
		rrns[[2]string{m.Acquirer, m.RRN}] = at
	}
}

// reversalsAreRecorded is promise 7 for reversals: each carries the numbers of an
// undo of its payment, as the journal has it.
func reversalsAreRecorded(c *court) {
	undos := map[request]Key{}
	for _, r := range c.Records {
		if r.Kind == "undo" {
			undos[request{c.intents[r.Key].Link, r.STAN, r.Sent}] = r.Key
		}
	}
	for _, m := range c.Messages {
		if family(m.MTI) != "0400" {
			continue
		}
		original := request{m.Acquirer, m.OriginalSTAN, m.OriginalSent}
		of, known := c.sent[original]
		k, ok := undos[request{m.Acquirer, m.STAN, m.Sent}]
		if !known || !ok || k != of {
			c.broken(7, c.keysOf(original), "a reversal with STAN %06d at %s on %s names STAN %06d at %s, and the journal has no such undo", m.STAN, m.Sent, m.Acquirer, m.OriginalSTAN, m.OriginalSent)
		}
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
