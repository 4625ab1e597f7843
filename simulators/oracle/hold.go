// SPDX-License-Identifier: Apache-2.0

package oracle

// CompletablePercent is how much of a pre-authorization a completion may take: the
// rule of the links of the histories that are judged.
const CompletablePercent = 115

// ofHold says whether a message is about what a pre-authorization holds.
func (k Kind) ofHold() bool {
	switch k {
	case Release, Completion, CompletionAdvice, CompletionVoid:
		return true
	}
	return false
}

// completes says whether a yes takes what is held.
func (k Kind) completes() bool { return k == Completion || k == CompletionAdvice }

// holdsMatch is promise 2 for what is held: it is released or completed, and completed
// once, for no more than the percentage. That the terminal has what the acquirer has
// is debitsMatch.
func holdsMatch(c *court) {
	released := map[Key]Key{}
	for _, t := range c.Terminals {
		for _, v := range t.Voids {
			if all := c.asked[v.Key]; len(all) > 0 && all[0].Kind == Release {
				released[v.Of] = v.Key
			}
		}
	}
	by := map[Key]Key{}
	for _, d := range c.Debits {
		k := c.sent[request{d.Acquirer, d.STAN, d.Sent}]
		all := c.asked[k]
		if !d.Effective || len(all) == 0 || !all[0].Kind.completes() {
			continue
		}
		of := all[0].Of
		if c.open[k] || c.open[of] {
			continue
		}
		held := c.asked[of]
		if len(held) == 0 || d.Amount*100 > held[0].Amount*CompletablePercent {
			c.broken(2, []Key{of, k}, "a completion takes %d, more than the percentage of what is held", d.Amount)
		}
		if other, twice := by[of]; twice {
			c.broken(2, []Key{of, other, k}, "two completions of one pre-authorization are in force")
		}
		by[of] = k
		if r, both := released[of]; both {
			c.broken(2, []Key{of, r, k}, "a pre-authorization is cancelled and completed")
		}
	}
}

// opened are the payments of which nobody knows what the acquirer has, when that of k
// is open: what it is about, and what that is about.
func (c *court) opened(k Key) {
	for range 3 {
		c.open[k] = true
		all := c.asked[k]
		if len(all) == 0 || all[0].Kind != Void && all[0].Kind != Adjustment && !all[0].Kind.ofHold() {
			return
		}
		k = all[0].Of
	}
}
