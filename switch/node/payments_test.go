// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tapswitch/switch/config"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// What a day at the counter brings, over loopback.
func TestPurchases(t *testing.T) {
	r := newRig(t)
	till := r.term(0)
	for _, c := range []struct {
		card    string
		amount  int64
		pin     string
		outcome host.Outcome
		code    string
	}{
		{"unionpay", 1234, "", host.Approved, "00"},
		{"unionpay", 150000, "1234", host.Approved, "00"},
		{"unionpay", 150000, "4321", host.Declined, "55"}, // found by the acquirer
		{"visa", 777, "", host.Approved, "00"},
		{"visa", 150000, "1234", host.Approved, "00"}, // found right here
		{"visa", 150000, "4321", host.Declined, "55"}, // found wrong here
		{"visa-forged", 500, "", host.Declined, "59"}, // our HSM
		{"unionpay-forged", 500, "", host.Declined, "05"},
		{"unknown-bin", 500, "", host.Declined, "92"},
		{"unionpay", openingFen - 1000, "1234", host.Declined, "51"},
	} {
		till.want(till.sale(c.card, c.amount, c.pin), c.outcome, c.code)
	}
	if a, b := r.a.taken(), r.b.taken(); a != 1234+150000 || b != 777+150000 {
		t.Errorf("taken %d and %d", a, b)
	}
	for reason, n := range map[string]string{"pin_wrong": "1", "cryptogram_wrong": "1", "no_route": "1", "declined_by_acquirer": "3"} {
		if got := r.metric(`tapswitch_flow_payments_total{class="purchase",outcome="declined",reason="` + reason + `"}`); got != n {
			t.Errorf("%s counted %q times, want %s", reason, got, n)
		}
	}
	r.agree()
}

// agree compares the log's events with the metrics, line by line.
func (r *rig) agree() {
	r.Helper()
	counted := func() map[string]int {
		m := map[string]int{}
		for _, e := range r.log.events("payment") {
			m[fmt.Sprintf(`tapswitch_flow_payments_total{class="%s",outcome="%s",reason="%s"}`, e["class"], e["outcome"], e["reason"])]++
		}
		return m
	}
	r.soon("log and metrics agree", func() bool {
		for line, n := range counted() {
			if r.metric(line) != fmt.Sprint(n) {
				return false
			}
		}
		return true
	})
}

func TestPINTriesSurviveTheProcess(t *testing.T) {
	r := newRig(t)
	till := r.term(0)
	till.want(till.sale("visa", 150000, "1111"), host.Declined, "55")
	till.want(till.sale("visa", 150000, "2222"), host.Declined, "55")
	r.restart()
	till.reopen()
	till.want(till.sale("visa", 150000, "3333"), host.Declined, "75")
	till.want(till.sale("visa", 150000, "1234"), host.Declined, "75")
	r.restart()
	till.reopen()
	till.want(till.sale("visa", 150000, "1234"), host.Declined, "75")
	till.want(till.sale("visa", 500, ""), host.Approved, "00")
	if r.b.taken() != 500 {
		t.Errorf("taken %d", r.b.taken())
	}
}

// Who may not speak to us is told so, without a MAC, and nothing is sent.
func TestWhoMaySpeak(t *testing.T) {
	r := newRig(t)
	w := r.wire(0)
	w.expect("not signed on", w.sale(0x0200, 1, 100, r.tap("unionpay", 100)), "97", false)
	c := w.dial()
	w.signOn(c, 1)
	good := w.sale(0x0200, 2, 100, r.tap("unionpay", 100))
	bad := bytes.Clone(good)
	bad[len(bad)-1] ^= 1
	w.expect("wrong MAC", bad, "A0", false)
	stranger := func(from int, to string, body []byte) []byte {
		return bytes.Replace(body, []byte(terminalID(from)), []byte(to), 1)
	}
	w.expect("unknown terminal", stranger(0, "99999999", good), "97", false)
	w.expect("blocked terminal", stranger(0, terminalID(terminalsMax-1), good), "97", false)
	w.expect("foreign merchant", bytes.Replace(good, []byte(merchant), []byte("371449635398431"), 1), "97", false)
	if r.a.count("0200") != 0 {
		t.Error("something was sent")
	}
	w.expect("the same, right", good, "00", true)
	for reason, n := range map[string]string{"terminal_not_signed_on": "1", "mac_wrong": "1", "terminal_unknown": "1", "terminal_blocked": "1", "merchant_does_not_own_terminal": "1"} {
		if got := r.metric(`tapswitch_flow_payments_total{class="purchase",outcome="declined",reason="` + reason + `"}`); got != n {
			t.Errorf("%s counted %q times", reason, got)
		}
	}
	r.agree()
	if strings.Contains(r.log.text(), "371449635398431") {
		t.Error("the log shows what a stranger wrote into field 42")
	}
}

// The same message again gets the same answer under the keys of now, over
// another connection and after a sign-on in between, and debits nothing.
func TestRepeatOverAnotherConnectionAndOtherKeys(t *testing.T) {
	r := newRig(t)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	c := r.tap("unionpay", 700)
	first := w.expect("first", w.sale(0x0200, 2, 700, c), "00", true)
	again := w.expect("again", w.sale(0x0200, 2, 700, c), "00", true)
	w.signOn(w.dial(), 3)
	after := w.expect("after a sign-on", w.sale(0x0200, 2, 700, c), "00", true)
	for _, f := range []int{12, 13, 37, 38} {
		if !bytes.Equal(first.Raw(f), again.Raw(f)) || !bytes.Equal(first.Raw(f), after.Raw(f)) {
			t.Errorf("field %d differs between repeats", f)
		}
	}
	w.expect("another amount", w.sale(0x0200, 2, 701, r.tap("unionpay", 701)), "94", true)
	w.expect("another card", w.sale(0x0200, 2, 700, r.tap("visa", 700)), "94", true)
	w.expect("its reversal", w.sale(0x0400, 2, 700, c), "00", true)
	w.expect("its reversal again", w.sale(0x0400, 2, 700, c), "00", true)
	w.expect("after its reversal", w.sale(0x0200, 2, 700, c), "94", true)
	r.settled()
	if r.a.taken() != 0 || r.a.count("0200") != 1 || r.a.count("0400") != 1 {
		t.Errorf("taken %d after %d purchases and %d reversals", r.a.taken(), r.a.count("0200"), r.a.count("0400"))
	}
}

// The old keys serve until the first message under the new ones, and no longer.
func TestRotation(t *testing.T) {
	r := newRig(t)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	w.expect("before", w.sale(0x0200, 2, 100, r.tap("unionpay", 100)), "00", true)
	keys := w.signOnAnswer(w.dial(), 3)
	w.expect("old keys after a sign-on", w.sale(0x0200, 4, 100, r.tap("unionpay", 100)), "00", true)
	r.restart()
	w.expect("old keys after a restart", w.sale(0x0200, 5, 100, r.tap("unionpay", 100)), "00", true)
	stale := w.sale(0x0200, 7, 100, r.tap("unionpay", 100))
	w.take(keys)
	w.expect("new keys", w.sale(0x0200, 6, 100, r.tap("unionpay", 100)), "00", true)
	w.expect("old keys after the new", stale, "A0", false)
}

// A terminal's reversal gives the money back, and one that overtook its
// original keeps it from being taken.
func TestTerminalReversal(t *testing.T) {
	r := newRig(t)
	till := r.term(0)
	till.want(till.sale("unionpay", 900, ""), host.Approved, "00")
	undo, err := till.host.Reverse(t.Context())
	if err != nil || !undo.Done || undo.Code != "00" {
		t.Fatalf("%+v %v", undo, err)
	}
	r.settled()
	if r.a.taken() != 0 {
		t.Errorf("taken %d", r.a.taken())
	}
	w := r.wire(1)
	w.signOn(w.dial(), 1)
	c := r.tap("unionpay", 300)
	w.expect("unknown original", w.sale(0x0400, 9, 300, c), "25", true)
	w.expect("original after its reversal", w.sale(0x0200, 9, 300, c), "94", true)
	w.expect("unknown amount", w.sale(0x0200, 10, 300, c), "00", true)
	w.expect("reversal of another amount", w.sale(0x0400, 10, 301, c), "64", true)
	if r.a.taken() != 300 {
		t.Errorf("taken %d", r.a.taken())
	}
}

// No part of a card is anywhere but sealed: not in the log, not in the journal.
func TestNoCardDataAtRest(t *testing.T) {
	r := newRig(t)
	till := r.term(0)
	r.a.mood("bad-mac once")
	till.want(till.sale("unionpay", 1000, ""), host.Declined, "96")
	till.want(till.sale("visa", 150000, "1234"), host.Approved, "00")
	till.want(till.sale("visa", 150000, "9999"), host.Declined, "55")
	r.settled()
	r.agree()
	r.stop()
	all := []byte(r.log.text())
	for _, dir := range []string{r.cfg.Journal.Dir, r.cfg.HSM.Keystore} {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
	}
	for _, canary := range []string{panA, panB, panA[:14], panB[:14], "3112201", tmkHex} {
		if bytes.Contains(all, []byte(canary)) {
			t.Errorf("%s... is readable", canary[:4])
		}
		if packed, err := hex.DecodeString(canary[:len(canary)&^1]); err == nil && len(packed) > 4 && bytes.Contains(all, packed) {
			t.Errorf("%s... is readable, two digits a byte", canary[:4])
		}
	}
}

// Two switches in one process know nothing of each other.
func TestTwoNodes(t *testing.T) {
	one, two := newRig(t), newRig(t)
	tills := []*term{one.term(0), two.term(0)}
	for i, till := range tills {
		till.want(till.sale("unionpay", int64(100+i), ""), host.Approved, "00")
	}
	one.stop()
	tills[1].want(tills[1].sale("unionpay", 1000, ""), host.Approved, "00")
	if one.a.taken() != 100 || two.a.taken() != 1101 {
		t.Errorf("taken %d and %d", one.a.taken(), two.a.taken())
	}
}

// The limits of payments at one time: one more is refused by name.
func TestAdmission(t *testing.T) {
	r := newRig(t, func(c *config.Config) { c.Payment.MaxInFlight = 1 })
	one, two := r.term(0), r.term(1)
	two.want(two.sale("unionpay", 1, ""), host.Approved, "00")
	one.drained()
	r.a.mood("late 300ms once")
	done := make(chan host.Result)
	go func() { done <- one.sale("unionpay", 10, "") }()
	r.soon("a payment in flight", func() bool { return r.a.count("0200") == 2 })
	two.want(two.sale("visa", 20, ""), host.Declined, "96")
	one.want(<-done, host.Approved, "00")
	r.soon("delivery noted", func() bool { p, _ := r.find(0, 2); return p.State == txn.Completed })
}
