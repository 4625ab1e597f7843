// SPDX-License-Identifier: Apache-2.0

package oracle

// adjust takes in what payments come to: the latest adjustment that a terminal was told
// of holds, as terminals number them.
func (c *court) adjust() {
	by := map[Key]Key{}
	for _, k := range c.order {
		for _, a := range c.asked[k] {
			if a.Kind != Adjustment || a.Code != approved || a.Received == Never {
				continue
			}
			if latest, ok := by[a.Of]; !ok || latest.Trace <= k.Trace {
				by[a.Of], c.comes[a.Of] = k, a.Amount
			}
		}
	}
}

// worth is what a terminal takes a payment for: what it asked, the part that was
// approved, or what it was adjusted to.
func (c *court) worth(k Key) int64 {
	if sum, ok := c.comes[k]; ok {
		return sum
	}
	sum := c.asked[k][0].Amount
	for _, a := range c.asked[k] {
		if a.Code == inPart && a.Received != Never {
			sum = a.OfAmount
		}
	}
	return sum
}

// partsAreTaken is promise 2 for approvals in part: the terminal takes one, and it is
// less than was asked.
func partsAreTaken(c *court) {
	for _, k := range c.order {
		for _, a := range c.asked[k] {
			switch {
			case a.Code != inPart:
			case a.Kind != Purchase || !a.TakesPart:
				c.broken(2, []Key{k}, "a part is approved of a %s, which the terminal does not take", a.Kind)
			case a.OfAmount <= 0 || a.OfAmount >= a.Amount:
				c.broken(2, []Key{k}, "%d is approved as a part of %d", a.OfAmount, a.Amount)
			}
		}
	}
}
