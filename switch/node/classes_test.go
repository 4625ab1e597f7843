// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"testing"

	"tapswitch/iso8583"
	"tapswitch/switch/txn"
)

// as changes a sale into another message: field 3, field 60.1.
func as(procedure, kind string) func(*iso8583.Builder) {
	return func(b *iso8583.Builder) {
		b.SetString(3, procedure)
		b.SetString(60, kind+"00000100060")
	}
}

// A balance inquiry over the wire: told what the acquirer's books have, moves
// nothing, and leaves nothing behind when nobody answers.
func TestBalanceInquiry(t *testing.T) {
	r := newRig(t)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	c := r.tap("unionpay", 5)
	stripe := func(b *iso8583.Builder) { b.SetString(22, "022"); b.Unset(55) } // a kernel refuses an amount of nothing
	ask := func(trace uint32) []byte { return w.sale(0x0200, trace, 0, c, as("310000", "01"), stripe) }
	want := fmt.Sprintf("0002156C%012d", openingFen)
	for _, what := range []string{"inquiry", "its repeat"} {
		if v := w.expect(what, ask(2), "00", true); string(v.AppendText(nil, 54)) != want {
			t.Errorf("%s: field 54 is %q", what, v.AppendText(nil, 54))
		}
	}
	w.expect("with an amount", w.sale(0x0200, 3, 5, c, as("310000", "01")), "13", true)
	r.a.mood("silent once")
	w.expect("unanswered", ask(4), "98", true)
	if p, _ := r.find(0, 4); p.State != txn.Declined || p.Key.Class != txn.Balance {
		t.Errorf("%s in state %s", p.Key.Class, p.State)
	}
	w.expect("reversal of an inquiry", w.sale(0x0400, 2, 0, c, as("310000", "01")), "40", false)
	r.settled()
	if r.a.taken() != 0 || r.a.count("0200") != 2 || r.a.count("0400") != 0 {
		t.Errorf("taken %d, %d requests, %d reversals", r.a.taken(), r.a.count("0200"), r.a.count("0400"))
	}
	r.agree()
}

// Cash over the wire: debited once, undone when nobody answers, reversed.
func TestCash(t *testing.T) {
	r := newRig(t)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	c := r.tap("unionpay", 900)
	cash := func(mti iso8583.MTI, trace uint32) []byte { return w.sale(mti, trace, 900, c, as("010000", "22")) }
	w.expect("cash", cash(0x0200, 2), "00", true)
	w.expect("again", cash(0x0200, 2), "00", true)
	r.a.mood("silent once")
	w.expect("unanswered", cash(0x0200, 3), "98", true)
	r.settled()
	if r.a.taken() != 900 {
		t.Errorf("taken %d", r.a.taken())
	}
	w.expect("reversal", cash(0x0400, 2), "00", true)
	r.settled()
	if r.a.taken() != 0 {
		t.Errorf("taken %d after the reversal", r.a.taken())
	}
	r.restart()
	w.expect("again after its reversal", cash(0x0200, 2), "94", true)
}

// A void over the wire: gives the money back once; unanswered it is reversed and
// the purchase stands; one original is voided once, through a restart too.
func TestVoid(t *testing.T) {
	r := newRig(t)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	c := r.tap("unionpay", 700)
	bought := w.expect("purchase", w.sale(0x0200, 2, 700, c), "00", true)
	rrn := string(bought.AppendText(nil, 37))
	void := func(mti iso8583.MTI, trace uint32, number string) []byte {
		return w.sale(mti, trace, 700, c, as("200000", "23"), func(b *iso8583.Builder) {
			b.Unset(55) // what the chip says is of the purchase
			b.SetString(37, number)
			b.SetString(61, "000001000002")
		})
	}
	w.expect("another number", void(0x0200, 3, "000000000000"), "25", true)
	r.a.mood("silent once")
	w.expect("unanswered", void(0x0200, 4, rrn), "98", true)
	r.settled()
	if r.a.taken() != 700 {
		t.Errorf("taken %d after an unanswered void", r.a.taken())
	}
	w.expect("void", void(0x0200, 5, rrn), "00", true)
	w.expect("void again", void(0x0200, 5, rrn), "00", true)
	w.expect("second void", void(0x0200, 6, rrn), "12", true)
	w.expect("reversal of what was voided", w.sale(0x0400, 2, 700, c), "12", true)
	if r.a.taken() != 0 {
		t.Errorf("taken %d after the void", r.a.taken())
	}
	r.restart()
	w.expect("second void after a restart", void(0x0200, 7, rrn), "12", true)
	w.expect("reversal of the void", void(0x0400, 5, rrn), "00", true)
	r.settled()
	if r.a.taken() != 700 {
		t.Errorf("taken %d after the void was reversed", r.a.taken())
	}
	w.expect("void at last", void(0x0200, 8, rrn), "00", true)
	if s := r.a.host.Summary(); r.a.taken() != 0 || s.Check != "ok" {
		t.Errorf("taken %d, books %s", r.a.taken(), s.Check)
	}
	r.agree()
}
