// SPDX-License-Identifier: Apache-2.0

package oracle

// Mandate is the most that the switch may approve of a card in a day in the place of
// its issuer; the zero value allows nothing.
type Mandate struct {
	Amount int64 // of one payment, minor units
	Count  int
	Sum    int64
}

// mandateIsKept is promise 12: what the switch decided by itself is within what the
// issuer allows, whatever crashed in between. A payment that was taken back still
// counts. A day begins once, as the switch's clock has it: one that is set back
// begins none.
func mandateIsKept(c *court) {
	type spent struct {
		count int
		sum   int64
	}
	today, cards := int64(0), map[string]spent{}
	for _, r := range c.Records {
		if r.Kind != "outcome" || r.Event != "stood_in" {
			continue
		}
		if r.Day > today {
			today = r.Day
			clear(cards)
		}
		p := c.intents[r.Key]
		s := cards[p.Card]
		s.count++
		s.sum += p.Amount
		cards[p.Card] = s
		switch {
		case p.Amount > c.Mandate.Amount:
			c.broken(12, []Key{r.Key}, "%d was approved in its issuer's place, the mandate allows %d", p.Amount, c.Mandate.Amount)
		case s.count > c.Mandate.Count:
			c.broken(12, []Key{r.Key}, "the card's payment number %d of the day was approved in its issuer's place, the mandate allows %d", s.count, c.Mandate.Count)
		case s.sum > c.Mandate.Sum:
			c.broken(12, []Key{r.Key}, "%d of a card and day were approved in its issuer's place, the mandate allows %d", s.sum, c.Mandate.Sum)
		}
	}
}
