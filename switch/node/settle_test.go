// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"testing"
	"time"

	"tapswitch/iso8583"
	"tapswitch/switch/config"
	"tapswitch/switch/txn"
)

// closing is the settlement of a batch: halves are the terminal's sums of cards
// of the country and of others, each as the 31 digits of field 48.
func (w *wire) closing(trace uint32, batch string, halves string) []byte {
	w.Helper()
	return w.sale(0x0500, trace, 0, w.rig.tap("unionpay", 1), func(b *iso8583.Builder) {
		for _, n := range []int{2, 3, 4, 14, 22, 23, 25, 39} {
			b.Unset(n)
		}
		b.SetString(48, halves)
		b.SetString(60, "00"+batch+"201")
		b.SetString(63, "01 ")
	})
}

// half is one half of field 48.
func half(debits int, minor int64, result string) string {
	return fmt.Sprintf("%012d%03d%012d%03d%s", minor, debits, 0, 0, result)
}

// A terminal closes its batch over the wire: told what both have, refused with 77
// from then on, and told its next batch when it signs on; through a restart too.
func TestSettle(t *testing.T) {
	r := newRig(t)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	c := r.tap("unionpay", 700)
	w.expect("purchase", w.sale(0x0200, 2, 700, c), "00", true)
	w.expect("purchase", w.sale(0x0200, 3, 700, c), "00", true)
	theirs := half(1, 700, "0") + half(1, 700, "0")
	for _, c := range []struct{ what, halves, want string }{
		{"totals that differ", half(1, 700, "0") + half(0, 0, "0"), half(2, 1400, "2") + half(0, 0, "2")},
		{"the right ones", theirs, half(1, 700, "1") + half(1, 700, "1")},
		{"the right ones again", theirs, half(1, 700, "1") + half(1, 700, "1")},
	} {
		if v := w.expect(c.what, w.closing(4, "000001", c.halves), "00", true); string(v.AppendText(nil, 48)) != c.want {
			t.Errorf("%s: field 48 is %s, want %s", c.what, v.AppendText(nil, 48), c.want)
		}
	}
	r.restart()
	w.expect("a payment of the closed batch", w.sale(0x0200, 5, 700, c), "77", true)
	w.expect("another form", w.closing(6, "000001", "12"), "30", false)
	if p, _ := r.find(0, 5); p.State != txn.Received {
		t.Errorf("the late payment is %s", p.State)
	}
	next := func(b *iso8583.Builder) { b.SetString(60, "2200000200060") }
	w.expect("the next batch", w.sale(0x0200, 5, 700, c, next), "00", true)
	w.expect("a reversal in the closed batch", w.sale(0x0400, 3, 700, c), "00", true)
	r.settled()
	if r.a.taken() != 1400 {
		t.Errorf("the acquirer holds %d", r.a.taken())
	}
	r.agree()

	till := r.term(0)
	till.want(till.sale("unionpay", 100, ""), "approved", "00")
	if till.host.Batch() != "000002" {
		t.Errorf("after its sign-on the terminal is in batch %s", till.host.Batch())
	}
}

// The totals of an open batch survive the purge of its payments.
func TestPurgeCarriesTotals(t *testing.T) {
	r := newRig(t, func(c *config.Config) { c.Journal.SegmentBytes, c.Journal.Retention = 64<<10, 1 })
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	w.expect("purchase", w.sale(0x0200, 2, 700, r.tap("unionpay", 700)), "00", true)
	r.node.purge()
	if err := r.node.batches.Carry(); err != nil {
		t.Fatal(err)
	}
	var last time.Time
	r.node.batches.Each(func(id txn.BatchID, b txn.Batch) {
		last = b.At
		if b.Now != (txn.Totals{Debits: 1, DebitMinor: 700}) || b.State != txn.BatchOpen {
			t.Errorf("batch %d: %+v", id.Batch, b)
		}
	})
	if last.IsZero() {
		t.Error("the purge made no record of the open batch")
	}
	r.restart()
	w.expect("close", w.closing(4, "000001", half(1, 700, "0")+half(0, 0, "0")), "00", true)
	if got := r.metric(`tapswitch_flow_payments_total{class="settle",outcome="approved",reason="none"}`); got != "1" {
		t.Errorf("counted %q", got)
	}
}
