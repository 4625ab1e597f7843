// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
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
	debits  map[string]*oracle.Debit // by the key of what took the money
	order   []*oracle.Debit          // of debits
	voids   map[string]string        // what a void takes back, by its own key
	refunds map[string]*refunded     // by their own keys
	credits []*refunded              // of refunds
	given   map[string]int64         // by the refunds in force of a debit
}

// refunded is a refund in the books.
type refunded struct {
	oracle.Credit
	of   string // key of the debit
	gone bool   // it was reversed
}

// takeBooks takes in what an acquirer was asked and what it holds. A request that
// is no payment's, sign-on and echo, is not among them.
func (h *collected) takeBooks(link string, entries []acquirer.Entry) {
	a := &account{link: link, debits: map[string]*oracle.Debit{}, voids: map[string]string{}, refunds: map[string]*refunded{}, given: map[string]int64{}}
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
		h.Debits = append(h.Debits, *d)
	}
	for _, c := range a.credits {
		if !c.gone {
			h.Credits = append(h.Credits, c.Credit)
		}
	}
}

// book takes one line; it says what is wrong with it.
func (a *account) book(e acquirer.Entry, m oracle.Message) string {
	d, refund := a.debits[e.Original], e.MTI == "0220" && e.Procedure == procedureVoid
	switch {
	case e.Effect == acquirer.EffectDebit && e.MTI == "0200":
		d := &oracle.Debit{Acquirer: a.link, STAN: m.STAN, Sent: m.Sent, RRN: m.RRN, Terminal: m.Terminal, Amount: m.Amount, Effective: true}
		a.debits[e.Key()], a.order = d, append(a.order, d)
	case e.Effect == acquirer.EffectCredit && refund:
		return a.refund(e, m)
	case e.Effect == acquirer.EffectCredit && (d == nil || !d.Effective || d.Amount != m.Amount || a.given[e.Original] != 0):
		return "more is given back than was taken"
	case e.Effect == acquirer.EffectCredit:
		d.Effective = false
		a.voids[e.Key()] = e.Original
	case e.Effect == acquirer.EffectDebit && a.refunds[e.Original] != nil: // a refund is reversed
		c := a.refunds[e.Original]
		if c.gone || c.Amount != m.Amount {
			return "taken again, and not as it had been given back"
		}
		c.gone = true
		a.given[c.of] -= c.Amount
	case e.Effect == acquirer.EffectDebit: // a void is reversed: what it took back stands again
		d := a.debits[a.voids[e.Original]]
		if d == nil || d.Effective {
			return "taken again, and nothing had been given back"
		}
		d.Effective = true
	}
	return ""
}

// refund books what gives a debit, or a part of it, back.
func (a *account) refund(e acquirer.Entry, m oracle.Message) string {
	c := &refunded{Credit: oracle.Credit{Acquirer: a.link, STAN: m.STAN, Sent: m.Sent, Amount: m.Amount}, of: e.Original}
	a.refunds[e.Key()], a.credits = c, append(a.credits, c)
	a.given[e.Original] += m.Amount
	if d := a.debits[e.Original]; d == nil || !d.Effective || a.given[e.Original] > d.Amount {
		return "more is given back than was taken"
	}
	return ""
}

func messageOf(link string, e acquirer.Entry) oracle.Message {
	m := oracle.Message{Acquirer: link, MTI: e.MTI, Sent: e.F7, RRN: e.RRN, Amount: int64(e.AmountMinor), Terminal: e.Terminal, Response: e.Response}
	m.STAN = number(e.STAN)
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
