// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"testing"

	"tapswitch/internal/money"
	"tapswitch/iso8583"
	"tapswitch/switch/config"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
	"tapswitch/terminal/kernel"
)

// cashbacks lets terminal 0 hand out 500 and link acq-a take 400.
func cashbacks(c *config.Config) { c.Terminals[0].Cashback, c.Links[0].Cashback = 500, 400 }

// withCash makes the card hear of cash.
func withCash(cash int64) func(*kernel.Transaction) {
	return func(t *kernel.Transaction) { t.Other, t.Type = money.MinorUnits(cash), 9 }
}

// cashback makes a sale one with cash.
func cashback(cash string) []func(*iso8583.Builder) {
	return []func(*iso8583.Builder){as("090000", "22"), func(b *iso8583.Builder) {
		if cash != "" {
			b.SetString(54, cash)
		}
	}}
}

func cashOf(minor int64) string { return fmt.Sprintf("0040156D%012d", minor) }

// A purchase with cashback over the wire: both amounts reach the acquirer's books,
// and the card's word is about both; limits of terminal and link; what is wrong is
// refused by name, and the reversal gives all back.
func TestCashback(t *testing.T) {
	r := newRig(t, cashbacks)
	w, other := r.wire(0), r.wire(1)
	w.signOn(w.dial(), 1)
	other.signOn(other.dial(), 1)
	c := r.tap("unionpay", 1000, withCash(200))
	sale := func(trace uint32, cash string) []byte { return w.sale(0x0200, trace, 1000, c, cashback(cash)...) }
	for _, what := range []string{"cashback", "its repeat"} {
		if v := w.expect(what, sale(2, cashOf(200)), "00", true); string(v.AppendText(nil, 54)) != cashOf(200) {
			t.Errorf("field 54 %q", v.AppendText(nil, 54))
		}
	}
	w.expect("other cash in the repeat", sale(2, cashOf(201)), "94", true)
	w.expect("not the card's cash", sale(3, cashOf(201)), "59", true)
	w.expect("a purchase with the card's cash", w.sale(0x0200, 4, 1000, c), "59", true)
	w.expect("no cash", sale(5, ""), "30", false)
	w.expect("other currency", sale(6, "0040840D000000000200"), "30", false)
	w.expect("nothing in cash", sale(7, cashOf(0)), "13", true)
	w.expect("all in cash", sale(8, cashOf(1000)), "13", true)
	w.expect("more than the terminal", sale(9, cashOf(501)), "61", true)
	w.expect("more than the link", w.sale(0x0200, 10, 1000, r.tap("unionpay", 1000, withCash(401)), cashback(cashOf(401))...), "61", true)
	w.expect("another link", w.sale(0x0200, 11, 1000, r.tap("visa", 1000, withCash(200)), cashback(cashOf(200))...), "58", true)
	other.expect("another terminal", other.sale(0x0200, 2, 1000, c, cashback(cashOf(200))...), "58", true)
	if r.a.taken() != 1000 || r.a.count("0200") != 1 {
		t.Errorf("%d taken, %d requests", r.a.taken(), r.a.count("0200"))
	}
	for _, e := range r.a.host.Books() {
		if e.Effect == "debit" && (e.CashMinor != 200 || e.Procedure != "090000" || e.ARQC != "ok") {
			t.Errorf("%+v", e)
		}
	}
	r.a.mood("silent once")
	w.expect("unanswered", w.sale(0x0200, 12, 700, r.tap("unionpay", 700, withCash(100)), cashback(cashOf(100))...), "98", true)
	w.expect("reversal", w.sale(0x0400, 2, 1000, c, cashback(cashOf(200))...), "00", true)
	r.settled()
	if p, _ := r.find(0, 12); p.State != txn.Reversed || r.a.taken() != 0 || r.a.host.Summary().Check != "ok" {
		t.Errorf("%s, %d taken, %s", p.State, r.a.taken(), r.a.host.Summary().Check)
	}
	r.agree()
}

// The terminal's program end to end, with a reversal.
func TestCashbackOfATerminal(t *testing.T) {
	r := newRig(t, cashbacks)
	till := r.term(0)
	if _, _, err := till.host.Ready(context.Background()); err != nil {
		t.Fatal(err)
	}
	s := till.host.Sale(context.Background(), host.Sale{Kind: host.KindCashback, Amount: 1000, Cash: 300, Card: r.tap("unionpay", 1000, withCash(300))})
	till.want(s, host.Approved, "00")
	if r.a.taken() != 1000 {
		t.Errorf("%d taken", r.a.taken())
	}
	if undo, err := till.host.Reverse(context.Background()); err != nil || !undo.Done {
		t.Fatalf("%+v %v", undo, err)
	}
	r.settled()
	if r.a.taken() != 0 {
		t.Errorf("%d taken", r.a.taken())
	}
}
