// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tapswitch/internal/env"
	"tapswitch/simulators/acquirer"
	"tapswitch/switch/journal/postgres"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// history is all that terminals, acquirers and journal say of a run that has
// come to rest. Each side wrote its own.
type history struct {
	Sales    []sale
	Books    map[string][]acquirer.Entry // by link
	Checks   map[string]string           // what each host says of its own books: ok, or the first contradiction
	Payments map[string]txn.Payment      // of the journal, by terminal, batch and trace
	Records  uint64
	Clear    []string // where card data was found in clear
}

func paymentName(terminal, batch string, trace uint32) string {
	return fmt.Sprintf("terminal %s batch %s trace %06d", terminal, batch, trace)
}

// collect reads what the run left behind.
func (c *crash) collect() (*history, error) {
	h := &history{Books: map[string][]acquirer.Entry{}, Checks: c.books, Payments: map[string]txn.Payment{}}
	for _, t := range c.tills {
		h.Sales = append(h.Sales, t.said...)
	}
	for _, name := range []string{linkA, linkB} {
		lines, err := readBooks(c.path(name + ".books.jsonl"))
		if err != nil {
			return nil, err
		}
		h.Books[name] = lines
	}
	if err := h.readJournal(c.records()); err != nil {
		return nil, err
	}
	err := h.search(c.Dir, c.tills[0].numbers())
	if c.database != nil {
		err = errors.Join(err, c.database.keepLog(c.path("postgres.log")), h.search(c.database.Data(), c.tills[0].numbers()))
	}
	return h, err
}

// records are those of the journal, wherever it is.
func (c *crash) records() offline {
	if c.database != nil {
		return inDatabase{postgres.Config{URL: c.database.address()}}
	}
	return inFiles{c.path("journal")}
}

func readBooks(file string) (lines []acquirer.Entry, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		var e acquirer.Entry
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", file, len(lines)+1, err)
		}
		lines = append(lines, e)
	}
	return lines, nil
}

// readJournal replays the journal into an index of its own, as a start does. An
// approval of which nobody says more may have been told: it counts as completed.
func (h *history) readJournal(from offline) error {
	index := replay.New(replay.Config{Max: 1 << 24, Window: 1000 * time.Hour}, env.Real(), nil)
	for e, err := range from.records() {
		if err != nil {
			return fmt.Errorf("journal after %d good records: %w", h.Records, err)
		}
		if err := index.Apply(e.Record); err != nil {
			return fmt.Errorf("journal record %d: %w", e.number, err)
		}
		h.Records++
	}
	index.Each(func(p txn.Payment) {
		if p.State == txn.Approved {
			p.State = txn.Completed
		}
		h.Payments[paymentName(p.Key.Terminal.String(), fmt.Sprintf("%06d", p.Key.Batch), uint32(p.Key.Trace))] = p
	})
	return nil
}

// numbers are the card numbers of the deck as digits and packed two a byte.
func (t *till) numbers() map[string][]byte {
	all := map[string][]byte{}
	for _, name := range []string{"unionpay", "visa"} {
		pan := t.deck[name].PAN
		all["card number of "+name] = []byte(pan)
		if packed, err := hex.DecodeString(pan); err == nil { // an even number of digits
			all["packed card number of "+name] = packed
		}
	}
	return all
}

// search looks for card numbers in every file that switch and terminals wrote.
// The token's files, the deck and the hosts' configurations hold them by nature.
func (h *history) search(dir string, numbers map[string][]byte) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if d.IsDir() || name == "deck.json" || strings.HasPrefix(name, "token") || strings.HasSuffix(name, ".yaml") {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, what := range slices.Sorted(maps.Keys(numbers)) {
			if at := bytes.Index(b, numbers[what]); at >= 0 {
				h.Clear = append(h.Clear, fmt.Sprintf("%s in %s at byte %d", what, name, at))
			}
		}
		return nil
	})
}

// judge holds the promises to the history; the findings name the payment and the
// promise by its number in docs/TESTING.md.
func (h *history) judge() []string {
	broken := []string{}
	found := func(promise int, format string, args ...any) {
		broken = append(broken, fmt.Sprintf("promise %d: ", promise)+fmt.Sprintf(format, args...))
	}
	held := h.held(found)
	h.judgeNumbers(found)
	h.judgeSales(held, found)
	h.judgePayments(held, found)
	for _, where := range h.Clear {
		found(9, "%s", where)
	}
	return broken
}

type finding func(promise int, format string, args ...any)

// held is what customers paid in the end, by RRN, from the acquirers' books.
func (h *history) held(found finding) map[string]int64 {
	held := map[string]int64{}
	for _, link := range slices.Sorted(maps.Keys(h.Books)) {
		if h.Checks[link] != "ok" {
			found(2, "the books of %s contradict themselves: %s", link, h.Checks[link])
		}
		for _, e := range h.Books[link] {
			switch e.Effect {
			case acquirer.EffectDebit:
				held[e.RRN] += int64(e.AmountMinor)
			case acquirer.EffectCredit:
				held[e.RRN] -= int64(e.AmountMinor)
			}
		}
	}
	return held
}

// judgeNumbers: no request key twice but in repeats, no RRN for two payments.
func (h *history) judgeNumbers(found finding) {
	for _, link := range slices.Sorted(maps.Keys(h.Books)) {
		seen := map[string]string{}
		for _, e := range h.Books[link] {
			if e.MTI != "0200" && e.MTI != "0400" {
				continue
			}
			what := e.MTI + " with RRN " + e.RRN
			if other, ok := seen[e.Key()]; ok && (other != what || e.MTI == "0200") {
				found(7, "on %s, a %s has the key of a %s", link, what, other)
			}
			seen[e.Key()] = what
		}
	}
	owner := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(h.Payments)) {
		rrn := h.Payments[name].Numbers.RRN.String()
		if other := owner[rrn]; rrn != "" && other != "" {
			found(7, "%s and %s have RRN %s", other, name, rrn)
		}
		owner[rrn] = name
	}
}

// judgeSales: what a terminal was told is what the customer paid.
func (h *history) judgeSales(held map[string]int64, found finding) {
	for _, s := range h.Sales {
		name := paymentName(s.Terminal, s.Batch, s.Trace)
		p, known := h.Payments[name]
		paid := held[p.Numbers.RRN.String()]
		keeps := s.Outcome == host.Approved && !s.Undone
		switch {
		case s.Outcome == host.Approved && (!known || !p.Answer.Approved()):
			found(1, "%s was approved, and the journal has no approval of it", name)
		case s.Outcome == host.Approved && int64(p.Amount.Minor) != s.Amount:
			found(5, "%s over %d was answered with the answer of a payment over %d", name, s.Amount, p.Amount.Minor)
		case keeps && p.State != txn.Completed:
			found(2, "%s was approved and is %s", name, p.State)
		case keeps && paid != s.Amount:
			found(2, "%s was approved over %d, the customer paid %d", name, s.Amount, paid)
		case !keeps && paid != 0 && p.State == txn.Disputed: // a person has it; judgePayments asks why
		case !keeps && paid != 0:
			found(4, "%s ended %s %s, taken back %v, and the customer paid %d; it is %s", name, s.Outcome, s.Code, s.Undone, paid, p.State)
		}
	}
}

// refused says whether a host gave a reversal of p the answer that its case names.
func (h *history) refused(p txn.Payment) bool {
	return slices.ContainsFunc(h.Books[p.Link], func(e acquirer.Entry) bool {
		return e.MTI == "0400" && e.RRN == p.Numbers.RRN.String() && e.Response == p.Case.Code.String()
	})
}

// judgePayments: every payment has come to an end, and all money belongs to one.
func (h *history) judgePayments(held map[string]int64, found finding) {
	owned := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(h.Payments)) {
		p := h.Payments[name]
		owned[p.Numbers.RRN.String()] = true
		if !p.State.Resting() {
			found(3, "%s is %s after everything was delivered", name, p.State)
		}
		if p.State == txn.Disputed && p.Case.Why == txn.CaseRefused && !h.refused(p) {
			found(3, "%s has a case because %s said %q to its reversal, and the books do not say so", name, p.Link, p.Case.Code)
		}
	}
	for _, rrn := range slices.Sorted(maps.Keys(held)) {
		if held[rrn] != 0 && !owned[rrn] {
			found(2, "%d debited under RRN %s, which belongs to no payment", held[rrn], rrn)
		}
		if held[rrn] < 0 {
			found(2, "more was given back than taken under RRN %s: %d", rrn, held[rrn])
		}
	}
}
