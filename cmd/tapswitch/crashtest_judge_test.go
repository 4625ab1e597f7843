// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tapswitch/internal/money"
	"tapswitch/simulators/acquirer"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// keptHistory is a history that keeps every promise: a sale that was paid, one that was
// not answered and is reversed, one that the shop took back.
func keptHistory() *history {
	h := &history{
		Books:  map[string][]acquirer.Entry{linkA: {}, linkB: {}},
		Checks: map[string]string{linkA: "ok", linkB: "ok"}, Payments: map[string]txn.Payment{},
	}
	add := func(trace uint32, rrn string, outcome host.Outcome, undone bool, state txn.State) {
		h.Sales = append(h.Sales, sale{Terminal: "10000001", Batch: "000001", Trace: trace, Link: linkA, Amount: 700, Outcome: outcome, Undone: undone})
		p := txn.Payment{State: state, Amount: money.Amount{Minor: 700, Currency: money.CNY}, Link: linkA}
		copy(p.Numbers.RRN[:], rrn)
		if outcome == host.Approved {
			p.Answer.Code = txn.CodeApproved
		}
		h.Payments[paymentName("10000001", "000001", trace)] = p
		e := acquirer.Entry{MTI: "0200", STAN: rrn[6:], F7: "1129080000", RRN: rrn, AmountMinor: 700, Effect: acquirer.EffectDebit}
		h.Books[linkA] = append(h.Books[linkA], e)
		if state == txn.Reversed {
			e.MTI, e.F7, e.Effect = "0400", "1129080001", acquirer.EffectCredit
			h.Books[linkA] = append(h.Books[linkA], e)
		}
	}
	add(1, "633300000001", host.Approved, false, txn.Completed)
	add(2, "633300000002", host.NoAnswer, false, txn.Reversed)
	add(3, "633300000003", host.Approved, true, txn.Reversed)
	return h
}

// TestCrashJudge: a history that keeps its promises is kept, and one in which any
// one of them is broken is not.
func TestCrashJudge(t *testing.T) {
	if got := keptHistory().judge(); len(got) > 0 {
		t.Fatalf("a good history: %q", got)
	}
	name := func(trace uint32) string { return paymentName("10000001", "000001", trace) }
	state := func(h *history, trace uint32, s txn.State) {
		p := h.Payments[name(trace)]
		p.State = s
		h.Payments[name(trace)] = p
	}
	// dispute makes of the second sale one whose reversal the host refused.
	dispute := func(h *history, said string) {
		p := h.Payments[name(2)]
		p.State, p.Case = txn.Disputed, txn.Case{Why: txn.CaseRefused, Code: txn.CodeFormat}
		h.Payments[name(2)] = p
		h.Books[linkA][2].Effect, h.Books[linkA][2].Response = acquirer.EffectNone, said
	}
	h := keptHistory()
	if dispute(h, "30"); len(h.judge()) > 0 {
		t.Errorf("a refused reversal with its case: %q", h.judge())
	}
	for what, c := range map[string]struct {
		want  string
		spoil func(*history)
	}{
		"case without a refusal":     {"promise 3: terminal 10000001 batch 000001 trace 000002 has a case", func(h *history) { dispute(h, "00") }},
		"case of a sale that stands": {"promise 2: terminal 10000001 batch 000001 trace 000001", func(h *history) { state(h, 1, txn.Disputed) }},
		"refused without a case": {"promise 4: terminal 10000001 batch 000001 trace 000002", func(h *history) {
			dispute(h, "30")
			state(h, 2, txn.Reversed)
		}},
		"approval not in the journal": {"promise 1: terminal 10000001 batch 000001 trace 000001 was approved, and the journal", func(h *history) { delete(h.Payments, name(1)) }},
		"refusal in the journal":      {"promise 1:", func(h *history) { p := h.Payments[name(1)]; p.Answer.Code = txn.CodeNoAnswer; h.Payments[name(1)] = p }},
		"debited twice":               {"promise 2: terminal 10000001 batch 000001 trace 000001 was approved over 700, the customer paid 1400", func(h *history) { e := h.Books[linkA][0]; e.STAN = "9"; h.Books[linkA] = append(h.Books[linkA], e) }},
		"approved and reversed":       {"promise 2: terminal 10000001 batch 000001 trace 000001 was approved and is reversed", func(h *history) { state(h, 1, txn.Reversed) }},
		"books contradict themselves": {"promise 2: the books of acq-b", func(h *history) { h.Checks[linkB] = "balance" }},
		"books not asked":             {"promise 2: the books of acq-b", func(h *history) { delete(h.Checks, linkB) }},
		"money of nobody": {"promise 2: 700 debited under RRN 633300000009", func(h *history) {
			e := h.Books[linkA][0]
			e.RRN, e.STAN = "633300000009", "9"
			h.Books[linkA] = append(h.Books[linkA], e)
		}},
		"given back twice":             {"promise 2: more was given back", func(h *history) { h.Books[linkA] = append(h.Books[linkA], h.Books[linkA][2]) }},
		"reversal not delivered":       {"promise 3: terminal 10000001 batch 000001 trace 000002 is reversing", func(h *history) { state(h, 2, txn.Reversing) }},
		"reversal without effect":      {"promise 4: terminal 10000001 batch 000001 trace 000002", func(h *history) { h.Books[linkA][2].Effect = acquirer.EffectNone }},
		"taken back and still debited": {"promise 4: terminal 10000001 batch 000001 trace 000003", func(h *history) { h.Books[linkA][4].Effect = acquirer.EffectNone }},
		"another one's answer":         {"promise 5:", func(h *history) { h.Sales[0].Amount = 701 }},
		"request key used twice":       {"promise 7: on acq-a", func(h *history) { h.Books[linkA][3].STAN = h.Books[linkA][0].STAN }},
		"reference number used twice": {"promise 7: terminal 10000001 batch 000001 trace 000001 and", func(h *history) {
			p := h.Payments[name(2)]
			p.Numbers.RRN = h.Payments[name(1)].Numbers.RRN
			h.Payments[name(2)] = p
		}},
		"card number in the switch log": {"promise 9: somewhere", func(h *history) { h.Clear = []string{"somewhere"} }},
	} {
		h := keptHistory()
		c.spoil(h)
		if got := strings.Join(h.judge(), "\n"); !strings.Contains(got, c.want) {
			t.Errorf("%s: want %q, got %q", what, c.want, got)
		}
	}
}

// TestCrashSearch: card numbers are found in files, as digits and packed, and the
// files that hold them by nature are left out.
func TestCrashSearch(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"switch.log": "card 6224242300000069 seen", "journal": "x\x47\x61\x73\x90\x01\x01\x01\x19", "deck.json": "6224242300000069",
		"acq-a.yaml": "6224242300000069", "clean": "622424******0069",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	counted := &till{}
	if err := counted.stock(); err != nil {
		t.Fatal(err)
	}
	h := &history{}
	if err := h.search(dir, counted.numbers()); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(h.Clear, "; "), "packed card number of visa in journal at byte 1; card number of unionpay in switch.log at byte 5"; got != want {
		t.Errorf("found %q, want %q", got, want)
	}
}

// TestCrashTokenMended: an object that a kill left empty is put back, the others
// are left alone.
func TestCrashTokenMended(t *testing.T) {
	dir := t.TempDir()
	token := filepath.Join(dir, "token.object")
	write := func(text string) {
		if err := os.WriteFile(token, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("label")
	c, err := copyToken(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		now, then string
		mended    bool
	}{{"LABEL", "LABEL", false}, {"", "label", true}, {"lab", "label", true}} {
		write(step.now)
		mended, err := c.mend()
		b, _ := os.ReadFile(token)
		if err != nil || mended != step.mended || string(b) != step.then {
			t.Errorf("%q: %v %v, now %q", step.now, mended, err, b)
		}
	}
}
