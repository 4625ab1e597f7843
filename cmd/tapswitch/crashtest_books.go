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

// takeBooks takes in what an acquirer was asked and what it holds. A request that
// is no payment's, sign-on and echo, is not among them.
func (h *collected) takeBooks(link string, entries []acquirer.Entry) {
	held := map[string]*oracle.Debit{}
	voids := map[string]string{} // what a void takes back, by its own key
	var order []*oracle.Debit
	unsound := func(e acquirer.Entry, what string) {
		h.Unsound = append(h.Unsound, fmt.Sprintf("the books of %s: entry %d, RRN %s: %s", link, e.Seq, e.RRN, what))
	}
	for _, e := range entries {
		if e.MTI == "open" || e.MTI == "0800" {
			continue
		}
		m := messageOf(link, e)
		h.Messages = append(h.Messages, m)
		switch d := held[e.Original]; {
		case e.Effect == acquirer.EffectDebit && e.MTI == "0200":
			d := &oracle.Debit{Acquirer: link, STAN: m.STAN, Sent: m.Sent, RRN: m.RRN, Terminal: m.Terminal, Amount: m.Amount, Effective: true}
			held[e.Key()], order = d, append(order, d)
		case e.Effect == acquirer.EffectCredit && (d == nil || !d.Effective || d.Amount != m.Amount):
			unsound(e, "more is given back than was taken")
		case e.Effect == acquirer.EffectCredit:
			d.Effective = false
			voids[e.Key()] = e.Original
		case e.Effect == acquirer.EffectDebit: // a void is reversed: what it took back stands again
			d := held[voids[e.Original]]
			if d == nil || d.Effective {
				unsound(e, "taken again, and nothing had been given back")
				continue
			}
			d.Effective = true
		}
	}
	for _, d := range order {
		h.Debits = append(h.Debits, *d)
	}
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
