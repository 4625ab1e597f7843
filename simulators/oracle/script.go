// SPDX-License-Identifier: Apache-2.0

package oracle

// What the history has of results of scripts: records of this kind, and messages of
// this type.
const (
	recordScript = "script_result"
	mtiScript    = "0620"
)

// scriptsMatch is promises 1, 2 and 3 for what cards did with scripts: what a terminal
// was told is kept is in the journal, and reached the acquirer under one number, with
// the words of the terminal and about its approval, or a case is open; of one approval
// there is one result.
func scriptsMatch(c *court) {
	kept, of := map[Key]Record{}, map[Key]Record{}
	for _, r := range c.Records {
		if r.Kind != recordScript {
			continue
		}
		if other, twice := of[r.Of]; twice && other.Key != r.Key {
			c.broken(2, []Key{r.Of, other.Key, r.Key}, "two results of the script of one approval are kept")
		}
		kept[r.Key], of[r.Of] = r, r
	}
	reached := c.scriptsTold(kept)
	for _, a := range c.Asks {
		if a.Kind != ScriptResult || a.Malformed || a.Vain || a.Code != approved || a.Received == Never {
			continue
		}
		switch r, ok := of[a.Of]; {
		case !ok || r.Script != a.Script:
			c.broken(1, []Key{a.Key}, "the terminal was told that the result of a script is kept, and the journal has %q of its approval", r.Script)
		case !reached[r.Key] && !c.open[r.Key]:
			c.broken(3, []Key{a.Key}, "the result of a script did not reach the acquirer, and nobody has a case of it")
		}
	}
}

// scriptsTold holds what acquirers heard of scripts against what is kept, and says
// what was taken in.
func (c *court) scriptsTold(kept map[Key]Record) map[Key]bool {
	reached := map[Key]bool{}
	for _, m := range c.Messages {
		if family(m.MTI) != mtiScript {
			continue
		}
		k, ok := c.sent[request{m.Acquirer, m.STAN, m.Sent}]
		r, is := kept[k]
		switch {
		case !ok || !is:
			c.broken(1, nil, "acquirer %s was told of a script under STAN %06d at %s, and the journal has no result of it", m.Acquirer, m.STAN, m.Sent)
		case r.Script != m.Script:
			c.broken(2, []Key{k}, "acquirer %s was told %q of a script, the terminal has %q", m.Acquirer, m.Script, r.Script)
		case c.sent[request{m.Acquirer, m.OriginalSTAN, m.OriginalSent}] != r.Of:
			c.broken(7, []Key{k, r.Of}, "the result of a script names STAN %06d at %s, which is another approval", m.OriginalSTAN, m.OriginalSent)
		case m.Response == approved || m.Response == "94":
			reached[k] = true
		}
	}
	return reached
}
