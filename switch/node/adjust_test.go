// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"testing"

	"tapswitch/iso8583"
	"tapswitch/switch/config"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// adjustment makes a sale one about the purchase with this trace and reference number.
func adjustment(kind string, of uint32, rrn string) []func(*iso8583.Builder) {
	return []func(*iso8583.Builder){as("000000", kind), func(b *iso8583.Builder) {
		b.SetString(22, "012")
		b.Unset(39)
		b.SetString(37, rrn)
		b.SetString(61, fmt.Sprintf("000001%06d", of))
	}}
}

// twenty lets adjustments on both links raise a sale by a fifth.
func twenty(c *config.Config) { c.Links[0].TipPercent, c.Links[1].TipPercent = 20, 20 }

// Tips and adjustments over the wire: told yes while the acquirer is down, the books
// follow through a silent answer and a restart; one after the other, the latest holds,
// and the void gives back what the sale comes to.
func TestAdjustment(t *testing.T) {
	r := newRig(t, twenty)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	c := r.tap("unionpay", 1000)
	rrn := string(w.expect("purchase", w.sale(0x0200, 2, 1000, c), "00", true).AppendText(nil, 37))
	adjust := func(kind string, trace uint32, amount int64) []byte {
		return w.sale(0x0220, trace, amount, c, adjustment(kind, 2, rrn)...)
	}
	r.a.mood("down")
	for _, what := range []string{"tip", "its repeat"} {
		if v := w.expect(what, adjust("34", 3, 1150), "00", true); v.MTI() != 0x0230 || len(v.Raw(37)) != 12 || string(v.Raw(37)) == rrn {
			t.Errorf("%s: %s %q", what, v.MTI(), v.Raw(37))
		}
	}
	w.expect("a tip that lowers", adjust("34", 4, 900), "13", true)
	w.expect("too much", adjust("32", 5, 1201), "61", true)
	void := func(trace uint32, amount int64) []byte {
		return w.sale(0x0200, trace, amount, r.tap("unionpay", amount), adjustment("23", 2, rrn)[1], as("200000", "23"))
	}
	w.expect("another adjustment meanwhile", adjust("32", 6, 1100), "96", true)
	w.expect("a void meanwhile", void(7, 1150), "96", true)
	w.expect("its reversal", w.sale(0x0400, 3, 1100, c, as("000000", "32")), "40", false)
	r.restartWith("silent once")
	r.settled()
	w.expect("another adjustment", adjust("32", 6, 1100), "00", true)
	r.settled()
	if p, _ := r.find(0, 6); p.State != txn.Advised || p.Was != 1150 || r.a.taken() != 1100 {
		t.Errorf("%s, %d before, %d taken", p.State, p.Was, r.a.taken())
	}
	w.expect("reversal of the purchase", w.sale(0x0400, 2, 1000, c), "64", true)
	w.expect("void of what was approved", void(8, 1000), "64", true)
	w.expect("void of what it comes to", void(9, 1100), "00", true)
	r.soon("the void is told", func() bool { p, _ := r.find(0, 9); return p.State == txn.Completed })
	w.expect("adjusted after the void", adjust("32", 10, 1000), "12", true)
	if s := r.a.host.Summary(); s.Check != "ok" || r.a.taken() != 0 {
		t.Errorf("books %s, %d taken", s.Check, r.a.taken())
	}
	r.agree()
}

// restartWith starts the switch again, in front of an acquirer that is back and in a
// mood.
func (r *rig) restartWith(mood string) {
	r.Helper()
	r.stop()
	r.a.mood(mood)
	r.a.listen(r.a.addr)
	r.start()
}

// The terminal's program end to end: a sale, its tip, and the close of the batch.
func TestTipOfATerminal(t *testing.T) {
	r := newRig(t, twenty)
	till := r.term(0)
	till.want(till.sale("unionpay", 1000, ""), host.Approved, "00")
	kept := till.host.KeepAdjustment(context.Background(), host.KindTip, 1100)
	if kept.Outcome != host.Kept {
		t.Fatalf("%+v", kept)
	}
	told, err := till.host.Upload(context.Background(), false)
	if err != nil || len(told) != 1 || !told[0].Done {
		t.Fatalf("%+v %v", told, err)
	}
	r.settled()
	if p, _ := r.find(0, kept.Trace); p.State != txn.Advised || r.a.taken() != 1100 {
		t.Errorf("%s, %d taken", p.State, r.a.taken())
	}
}
