// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/secret"
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

// uploading is a message about the batch behind its totals: network code 201 with
// items, 207 or 202 with their count.
func (w *wire) uploading(trace uint32, network, text string) []byte {
	w.Helper()
	return w.sale(0x0320, trace, 0, w.rig.tap("unionpay", 1), func(b *iso8583.Builder) {
		for _, n := range []int{2, 3, 4, 14, 22, 23, 25, 39, 49} {
			b.Unset(n)
		}
		b.SetString(48, text)
		b.SetString(60, "00"+"000001"+network)
	})
}

// item is a payment as field 48 of an upload has it.
func item(trace, minor int, pan string) string {
	return fmt.Sprintf("00%06d%020s%012d", trace, pan, minor)
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

// A terminal whose totals differ uploads its payments and ends the batch; what is
// not the switch's is a case, and a repeat gets the same answer.
func TestUpload(t *testing.T) {
	r := newRig(t)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	c := r.tap("unionpay", 700)
	pan := string(c.PAN.Reveal(secret.ForTest))
	w.expect("purchase", w.sale(0x0200, 2, 700, c), "00", true)
	w.expect("purchase", w.sale(0x0200, 3, 700, c), "00", true)
	w.expect("an upload before the totals", w.uploading(4, "201", "01"+item(2, 700, pan)), "12", true)
	w.expect("totals", w.closing(5, "000001", half(1, 700, "0")+half(0, 0, "0")), "00", true)
	for _, c := range []struct {
		what, network, text, code string
		cases                     int
	}{
		{"two items", "201", "02" + item(2, 700, pan) + item(9, 1, "6222021234567890"), "00", 1},
		{"two items again", "201", "02" + item(2, 700, pan) + item(9, 1, "6222021234567890"), "00", 1},
		{"an item that is none", "201", "01" + item(2, 700, "12345"), "30", 1},
		{"no count", "207", "12", "30", 1},
		{"the chip data of a payment", "203", "01", "40", 1},
		{"the end", "207", "0002", "00", 2},
		{"the end again", "207", "0002", "00", 2},
		{"the end as of a balanced batch", "202", "0000", "00", 2},
		{"an item behind the end", "201", "01" + item(8, 700, pan), "77", 2},
	} {
		w.expect(c.what, w.uploading(6, c.network, c.text), c.code, c.code == "00" || c.code == "77")
		if n := r.node.batches.Cases(); n != c.cases {
			t.Errorf("%s: %d cases, want %d", c.what, n, c.cases)
		}
	}
	r.restart()
	if n := r.node.batches.Cases(); n != 2 {
		t.Errorf("after a restart: %d cases", n)
	}
	w.expect("the end again", w.uploading(7, "207", "0002"), "00", true)
	r.settled()
	r.agree()
	if got := r.metric(`tapswitch_flow_payments_total{class="batch_end",outcome="approved",reason="none"}`); got != "1" {
		t.Errorf("counted %q", got)
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

// Terminals that have no MAC on their settlement are refused, unless the setting lets
// them; one with a wrong MAC, and a payment without, never.
func TestSettleWithoutMAC(t *testing.T) {
	for _, required := range []bool{true, false} {
		r := newRig(t, func(c *config.Config) { c.Settlement.MACRequired = required })
		w := r.wire(0)
		w.signOn(w.dial(), 1)
		c := r.tap("unionpay", 700)
		w.expect("purchase", w.sale(0x0200, 2, 700, c), "00", true)
		bare := func(body []byte) []byte {
			var v iso8583.View
			if err := w.layout.Parse(body, &v); err != nil {
				t.Fatal(err)
			}
			var b iso8583.Builder
			b.Reset(w.layout, v.MTI())
			for n := v.Next(0); n != 0; n = v.Next(n) {
				if n != 64 {
					b.Copy(n, &v)
				}
			}
			out, err := b.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		want := map[bool]string{true: "A0", false: "00"}[required]
		w.expect("totals", bare(w.closing(3, "000001", half(2, 700, "0")+half(0, 0, "0"))), want, false)
		w.expect("an upload", bare(w.uploading(4, "201", "01"+item(2, 700, string(c.PAN.Reveal(secret.ForTest))))), want, false)
		w.expect("its end", bare(w.uploading(5, "207", "0001")), want, false)
		w.expect("a payment", bare(w.sale(0x0200, 6, 700, c)), "A0", false)
		w.expect("a reversal", bare(w.sale(0x0400, 2, 700, c)), "A0", false)
		wrong := w.closing(7, "000001", half(1, 700, "0")+half(0, 0, "0"))
		wrong[len(wrong)-1] ^= 1
		w.expect("a wrong MAC", wrong, "A0", false)
		stranger := bytes.Replace(bare(w.closing(8, "000001", half(1, 700, "0")+half(0, 0, "0"))), []byte(terminalID(0)), []byte("99999999"), 1)
		w.expect("a stranger", stranger, "97", false)
		r.node.batches.Each(func(_ txn.BatchID, b txn.Batch) {
			if (b.State == txn.BatchUploaded) == required {
				t.Errorf("required %v: the batch is %s", required, b.State)
			}
		})
	}
}
