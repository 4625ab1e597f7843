// SPDX-License-Identifier: Apache-2.0

package oracle

// Totals are what the payments in force of a batch come to, in minor units.
type Totals struct {
	Debits, Credits         int
	DebitMinor, CreditMinor int64
}

// standing is a payment at a moment of the journal.
type standing struct {
	key      Key
	amount   int64 // that it comes to
	inForce  bool
	undone   bool // nothing brings it back
	progress string
}

// Why a payment is not final: "" when it is.
const (
	underWay = "under way"
	undoing  = "being reversed"
)

// batches is the journal, read up to a moment, by batches.
type batches struct {
	c       *court
	known   map[Key]*standing
	of      map[Key][]*standing // by batch: a key without a trace number
	told    map[Key]Totals      // of batches that take no payment any more
	unknown map[Key]bool        // batches with a payment that no history has asked for
}

func batchOf(k Key) Key { return Key{Terminal: k.Terminal, Batch: k.Batch} }

// batchesAgree is promise 3 for the merchant's proof: what a terminal is told of its
// batch are the payments in force, each of them final; behind it no payment begins
// there; and what was told is told again. A reversal changes no total that was told.
func batchesAgree(c *court) {
	b := batches{c: c, known: map[Key]*standing{}, of: map[Key][]*standing{}, told: map[Key]Totals{}, unknown: map[Key]bool{}}
	for _, r := range c.Records {
		if r.Kind == "batch" {
			b.close(r)
			continue
		}
		b.add(r)
	}
	first := map[Key]Ask{}
	for _, a := range c.Asks {
		if a.Kind != Settlement || a.Malformed || a.Answered == Never || a.Code != approved || !a.Balanced {
			continue
		}
		id := batchOf(a.Key)
		if was, ok := first[id]; !ok || a.Answered < was.Answered {
			first[id] = a
		}
		if told, ok := b.told[id]; !ok || told != a.Told {
			c.broken(3, []Key{a.Key}, "the terminal is told that its batch is balanced with %v, the journal has %v", a.Told, told)
		}
	}
	for _, a := range c.Asks {
		was, ok := first[batchOf(a.Key)]
		if ok && a.Kind == Settlement && !a.Malformed && a.Answered != Never && a.Code == approved && a.Arrived > was.Answered && a.Told != was.Told {
			c.broken(3, []Key{was.Key, a.Key}, "the terminal is told %v of its batch, and then %v", was.Told, a.Told)
		}
	}
}

// add takes a record of a payment.
func (b *batches) add(r Record) {
	s := b.known[r.Key]
	if s == nil {
		if r.Kind != "intent" && r.Kind != "advice" {
			return
		}
		id := batchOf(r.Key)
		s = &standing{key: r.Key, amount: r.Amount}
		if all := b.c.asked[r.Key]; len(all) > 0 && all[0].Kind == Adjustment && b.known[all[0].Of] != nil {
			b.known[all[0].Of].amount = r.Amount
		}
		b.known[r.Key] = s
		b.of[id] = append(b.of[id], s)
		b.unknown[id] = b.unknown[id] || b.c.asked[r.Key] == nil
		if _, closed := b.told[id]; closed {
			b.c.broken(3, []Key{r.Key}, "a payment begins in a batch whose totals were told")
		}
		s.inForce = r.Kind == "advice"
		if r.Kind == "intent" {
			s.progress = underWay
		}
		return
	}
	switch r.Kind {
	case "outcome":
		if r.Amount > 0 { // a part was approved
			s.amount = r.Amount
		}
		s.inForce = s.inForce || !s.undone && (r.Event == "said_yes" || r.Event == "stood_in")
		s.inForce = s.inForce && r.Event != "not_sent" // an advice that was withdrawn
		if s.progress == underWay || r.Event == "not_sent" {
			s.progress = ""
		}
	case "undo":
		s.inForce, s.undone, s.progress = false, true, undoing
	case "refused", "undone", "case":
		s.progress = ""
	case "act":
		b.act(s, r.Event)
	}
}

// act takes what an operator did. What has happened and is found undone at the acquirer
// is not in force; what the terminal was told no, or took back, is not before either.
func (b *batches) act(s *standing, deed string) {
	all := b.c.asked[s.key]
	if deed == "found_undone" && len(all) > 0 && all[0].Kind.happened() {
		s.inForce = false
	}
	if deed != "hold" && deed != "retry" {
		s.progress = ""
	}
}

// close takes a record of how a batch stands.
func (b *batches) close(r Record) {
	id := batchOf(r.Key)
	was, again := b.told[id]
	switch {
	case r.Event == "open":
		return
	case again && was != r.Told:
		b.c.broken(3, []Key{r.Key}, "the journal has %v as told of a batch, and then %v", was, r.Told)
		return
	case again:
		return
	}
	b.told[id] = r.Told
	if b.unknown[id] {
		return // which side its payments are on is not to be known
	}
	var sum Totals
	for _, s := range b.of[id] {
		kind, amount := b.c.asked[s.key][0].Kind, s.amount
		switch {
		case s.progress != "":
			b.c.broken(3, []Key{s.key}, "its batch is closed while the payment is %s", s.progress)
		case !s.inForce:
		case kind.pays() && kind != Hold:
			sum.Debits, sum.DebitMinor = sum.Debits+1, sum.DebitMinor+amount
		case kind == Void || kind == Refund || kind == CompletionVoid:
			sum.Credits, sum.CreditMinor = sum.Credits+1, sum.CreditMinor+amount
		}
	}
	if sum != r.Told {
		b.c.broken(3, []Key{r.Key}, "%v is told of a batch, its payments in force are %v", r.Told, sum)
	}
}
