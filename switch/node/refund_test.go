// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"testing"

	"tapswitch/iso8583"
	"tapswitch/switch/config"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// refund builds a refund of the purchase with this trace and reference number.
func (w *wire) refund(trace uint32, amount int64, c host.Card, of uint32, rrn string, edits ...func(*iso8583.Builder)) []byte {
	w.Helper()
	return w.sale(0x0220, trace, amount, c, append([]func(*iso8583.Builder){as("200000", "25"), func(b *iso8583.Builder) {
		b.Unset(39)
		b.SetString(37, rrn)
		b.SetString(61, fmt.Sprintf("000001%06d0000", of))
	}}, edits...)...)
}

// Refunds over the wire: parts of a purchase up to the whole and no more, told
// again alike, through a restart too; nothing that names no purchase.
func TestRefund(t *testing.T) {
	r := newRig(t)
	w, other := r.wire(0), r.wire(1)
	w.signOn(w.dial(), 1)
	other.signOn(other.dial(), 1)
	c := r.tap("unionpay", 700)
	rrn := string(w.expect("purchase", w.sale(0x0200, 2, 700, c), "00", true).AppendText(nil, 37))
	left := func(what string, want int64) {
		t.Helper()
		if r.a.taken() != want {
			t.Errorf("%s: the acquirer holds %d, want %d", what, r.a.taken(), want)
		}
	}
	w.expect("another number", w.refund(3, 100, c, 2, "000000000000"), "25", true)
	w.expect("another date", w.refund(4, 100, c, 2, rrn, func(b *iso8583.Builder) { b.SetString(61, "0000010000020230") }), "64", true)
	w.expect("no original", w.refund(5, 100, c, 2, rrn, func(b *iso8583.Builder) { b.Unset(37); b.Unset(61) }), "12", true)
	w.expect("half of an original", w.refund(6, 100, c, 2, rrn, func(b *iso8583.Builder) { b.Unset(37) }), "30", false)
	w.expect("too much", w.refund(7, 701, c, 2, rrn), "64", true)
	left("after refusals", 700)
	v := w.expect("a part", w.refund(8, 300, c, 2, rrn), "00", true)
	if v.MTI() != 0x0230 || string(v.AppendText(nil, 37)) == rrn {
		t.Errorf("answered by %s, number %s", v.MTI(), v.AppendText(nil, 37))
	}
	w.expect("again", w.refund(8, 300, c, 2, rrn), "00", true)
	w.expect("again with another amount", w.refund(8, 301, c, 2, rrn), "94", true)
	other.expect("elsewhere", other.refund(2, 100, c, 2, rrn), "00", true)
	left("in part", 300)
	w.expect("its reversal", w.sale(0x0400, 8, 300, c, as("200000", "25")), "40", false)
	w.expect("reversal of the purchase", w.sale(0x0400, 2, 700, c), "12", true)
	r.restart()
	w.expect("too much after a restart", w.refund(9, 301, c, 2, rrn), "64", true)
	w.expect("again after a restart", w.refund(8, 300, c, 2, rrn), "00", true)
	w.expect("the rest", w.refund(10, 300, c, 2, rrn), "00", true)
	w.expect("one more", w.refund(11, 1, c, 2, rrn), "64", true)
	left("to the full", 0)
	if s := r.a.host.Summary(); s.Check != "ok" || r.a.count("0220") != 3 || r.a.count("0400") != 0 {
		t.Errorf("books %s, %d refunds, %d reversals", s.Check, r.a.count("0220"), r.a.count("0400"))
	}
	r.agree()
}

// A refund that nobody answers is a case, told in the log, and counts; on a link
// that takes reversals of refunds it is reversed.
func TestUnansweredRefund(t *testing.T) {
	for option, held := range map[string]int64{"case": 400, "reverse": 700} {
		r := newRig(t, func(c *config.Config) { c.Links[0].Unanswered = option })
		w := r.wire(0)
		w.signOn(w.dial(), 1)
		c := r.tap("unionpay", 700)
		rrn := string(w.expect("purchase", w.sale(0x0200, 2, 700, c), "00", true).AppendText(nil, 37))
		r.a.mood("silent once")
		w.expect("unanswered", w.refund(3, 300, c, 2, rrn), "98", true)
		r.settled()
		if r.a.taken() != held {
			t.Errorf("%s: %d held, want %d", option, r.a.taken(), held)
		}
		state, code, cases := txn.Disputed, "12", 1
		if option == "reverse" {
			state, code, cases = txn.Reversed, "00", 0
		}
		if p, _ := r.find(0, 3); p.State != state {
			t.Errorf("%s: %s, want %s", option, p.State, state)
		}
		w.expect("the whole", w.refund(4, 700, c, 2, rrn), code, true)
		if got := r.log.events("case"); len(got) != cases || cases == 1 && (got[0]["why"] != "refund_unanswered" || got[0]["class"] != "refund") {
			t.Errorf("%s: %v", option, got)
		}
		if s := r.a.host.Summary(); s.Check != "ok" {
			t.Errorf("%s: books %s", option, s.Check)
		}
		r.agree()
	}
}
