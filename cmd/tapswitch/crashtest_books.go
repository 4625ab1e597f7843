// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"tapswitch/simulators/acquirer"
	"tapswitch/simulators/oracle"
)

func readBooks(file string) (lines []acquirer.Entry, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	for in.Scan() {
		var e acquirer.Entry
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", file, len(lines)+1, err)
		}
		lines = append(lines, e)
	}
	return lines, in.Err()
}

// account is what an acquirer's books come to, line by line.
type account struct {
	link    string
	debits  map[string]*debit // by the key of what took the money
	order   []*debit
	voids   map[string]string    // what a void or a release takes back, by its own key
	refunds map[string]*refunded // by their own keys
	credits []*refunded          // of refunds
}

// debit is what takes money, or holds it.
type debit struct {
	oracle.Debit
	uses  *debit // of a completion: what was held until then
	given int64  // by refunds in force
}

// stand has a debit stand or not; of a completion the hold stands while it does not.
func (d *debit) stand(is bool) {
	d.Effective = is
	if d.uses != nil {
		d.uses.Effective = !is
	}
}

// refunded is a refund in the books.
type refunded struct {
	oracle.Credit
	of   *debit
	gone bool // it was reversed
}

// takeBooks takes in what an acquirer was asked and what it holds. A request that
// is no payment's, sign-on and echo, is not among them.
func (h *collected) takeBooks(link string, entries []acquirer.Entry) {
	a := &account{link: link, debits: map[string]*debit{}, voids: map[string]string{}, refunds: map[string]*refunded{}}
	for _, e := range entries {
		if e.MTI == "open" || e.MTI == "0800" {
			continue
		}
		m := messageOf(link, e)
		h.Messages = append(h.Messages, m)
		if what := a.book(e, m); what != "" {
			h.Unsound = append(h.Unsound, fmt.Sprintf("the books of %s: entry %d, RRN %s: %s", link, e.Seq, e.RRN, what))
		}
	}
	for _, d := range a.order {
		h.Debits = append(h.Debits, d.Debit)
	}
	for _, c := range a.credits {
		if !c.gone {
			h.Credits = append(h.Credits, c.Credit)
		}
	}
}

// book takes one line; it says what is wrong with it.
func (a *account) book(e acquirer.Entry, m oracle.Message) string {
	refund, back := e.MTI == "0220" && e.Procedure == procedureVoid, strings.HasPrefix(e.MTI, "04")
	switch e.Effect {
	case acquirer.EffectHold, acquirer.EffectDebit:
		switch {
		case !back:
			return a.take(e, m)
		case a.refunds[e.Original] != nil:
			return a.undoRefund(e, m)
		}
		return a.restore(e)
	case acquirer.EffectCredit, acquirer.EffectRelease:
		if refund {
			return a.refund(e, m)
		}
		return a.giveBack(e)
	case acquirer.EffectAdjust:
		return a.adjust(e)
	}
	return ""
}

// take books what takes money, or holds it; a completion uses its hold up.
func (a *account) take(e acquirer.Entry, m oracle.Message) string {
	d := &debit{Debit: oracle.Debit{Acquirer: a.link, STAN: m.STAN, Sent: m.Sent, RRN: m.RRN, Terminal: m.Terminal, Amount: int64(e.AmountMinor), Effective: true}}
	a.debits[e.Key()], a.order = d, append(a.order, d)
	if e.Effect == acquirer.EffectHold || e.Condition == "" {
		return ""
	}
	h := a.debits[e.Original]
	if h == nil || !h.Effective {
		return "completed, and nothing was held"
	}
	d.uses, h.Effective = h, false
	return ""
}

// giveBack books a void, a release, or the reversal of what took money.
func (a *account) giveBack(e acquirer.Entry) string {
	d := a.debits[e.Original]
	if d == nil || !d.Effective || d.Amount != int64(e.AmountMinor) || d.given != 0 {
		return "more is given back than was taken"
	}
	d.stand(false)
	a.voids[e.Key()] = e.Original
	return ""
}

// adjust books what a debit comes to.
func (a *account) adjust(e acquirer.Entry) string {
	d := a.debits[e.Original]
	if d == nil || !d.Effective || d.given != 0 || d.uses != nil || d.Amount != int64(e.WasMinor) {
		return "adjusted, and not what was taken"
	}
	d.Amount = int64(e.AmountMinor)
	return ""
}

// restore books the reversal of a void or a release: what it took back stands again.
func (a *account) restore(e acquirer.Entry) string {
	d := a.debits[a.voids[e.Original]]
	switch {
	case d == nil || d.Effective:
		return "taken again, and nothing had been given back"
	case d.uses != nil && !d.uses.Effective:
		return "completed again, and nothing was held"
	}
	d.stand(true)
	return ""
}

// refund books what gives a debit, or a part of it, back.
func (a *account) refund(e acquirer.Entry, m oracle.Message) string {
	d := a.debits[e.Original]
	c := &refunded{Credit: oracle.Credit{Acquirer: a.link, STAN: m.STAN, Sent: m.Sent, Amount: m.Amount}, of: d}
	a.refunds[e.Key()], a.credits = c, append(a.credits, c)
	if d == nil || !d.Effective || d.given+m.Amount > d.Amount {
		return "more is given back than was taken"
	}
	d.given += m.Amount
	return ""
}

// undoRefund books the reversal of a refund.
func (a *account) undoRefund(e acquirer.Entry, m oracle.Message) string {
	c := a.refunds[e.Original]
	if c.gone || c.of == nil || c.Amount != m.Amount {
		return "taken again, and not as it had been given back"
	}
	c.gone = true
	c.of.given -= c.Amount
	return ""
}

func messageOf(link string, e acquirer.Entry) oracle.Message {
	m := oracle.Message{Acquirer: link, MTI: e.MTI, Sent: e.F7, RRN: e.RRN, Amount: int64(cmp.Or(e.AskedMinor, e.AmountMinor)), Terminal: e.Terminal, Response: e.Response}
	m.STAN = number(e.STAN)
	if strings.HasPrefix(e.MTI, "022") { // a line has the original where one was looked for, which of a repeat is the first alone
		return m
	}
	if stan, rest, ok := strings.Cut(e.Original, "-"); ok {
		m.OriginalSTAN = number(stan)
		m.OriginalSent, _, _ = strings.Cut(rest, "-")
	}
	return m
}

// number is a field of digits; what is none is 0, which is no request's.
func number(digits string) uint32 {
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// mark is how far an acquirer's books were when it was killed. What stood there
// then must stand there for ever: the switch had its answers.
type mark struct {
	link string
	size int
	sum  [sha256.Size]byte
}

// markBooks notes the whole lines of the books; the acquirer does not run.
func markBooks(link, file string) (mark, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return mark{}, err
	}
	whole := b[:strings.LastIndexByte(string(b), '\n')+1]
	return mark{link, len(whole), sha256.Sum256(whole)}, nil
}

// kept says whether all is there still.
func (m mark) kept(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if len(b) < m.size || sha256.Sum256(b[:m.size]) != m.sum {
		return fmt.Errorf("the books of %s are not what they were when it was killed (%d bytes)", m.link, m.size)
	}
	return nil
}
