// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"tapswitch/iso8583"
	"tapswitch/switch/config"
)

// forget waits until the switch remembers no payment.
func (r *rig) forget() {
	r.Helper()
	r.soon("an empty memory", func() bool { r.node.index.Forget(); return r.node.index.Len() == 0 })
}

// A purchase that the switch has forgotten is refunded out of its history, up to
// what it was and no more: over restarts, from a history made anew, and not at all
// while there is none to read.
func TestRefundOfAnOldPurchase(t *testing.T) {
	r := newRig(t, remembering, func(c *config.Config) { c.Payment.ReplayWindow = time.Millisecond })
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	c := r.tap("unionpay", 700)
	rrn := string(w.expect("purchase", w.sale(0x0200, 2, 700, c), "00", true).AppendText(nil, 37))
	trace := uint32(2)
	refund := func(what string, minor int64, code string) {
		t.Helper()
		r.forget()
		trace++
		batch := fmt.Sprintf("%06d", trace) // of its own: a refund is remembered until its batch is closed
		w.expect(what, w.refund(trace, minor, c, 2, rrn, func(b *iso8583.Builder) { b.SetString(60, "25"+batch+"00060") }), code, true)
		if code == "00" {
			w.expect("its batch", w.closing(trace+100, batch, fmt.Sprintf("%015d%012d%03d0", 0, minor, 1)+half(0, 0, "0")), "00", true)
		}
	}
	refund("too much", 701, "64")
	refund("a part", 300, "00")
	refund("more than the rest", 401, "64")
	refund("another part", 100, "00")
	r.restart()
	w.signOn(w.dial(), 30)
	refund("more than the rest after a restart", 301, "64")
	refund("another part after a restart", 100, "00")
	r.stop()
	if err := os.Remove(r.cfg.History.Path); err != nil {
		t.Fatal(err)
	}
	r.start()
	w.signOn(w.dial(), 31)
	refund("more than the rest by a new history", 201, "64")
	r.stop()
	if err := os.WriteFile(r.cfg.History.Path, bytes.Repeat([]byte("rubbish "), 2000), 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	w.signOn(w.dial(), 32)
	refund("without a history", 1, "96")
	r.soon("the log says why", func() bool {
		return slices.ContainsFunc(r.log.events("payment"), func(e map[string]any) bool { return e["reason"] == "history_behind" })
	})
	r.stop()
	if err := os.Remove(r.cfg.History.Path); err != nil {
		t.Fatal(err)
	}
	r.start()
	w.signOn(w.dial(), 33)
	refund("the rest", 200, "00")
	refund("one more", 1, "64")
	if s := r.a.host.Summary(); s.Check != "ok" || r.a.taken() != 0 || r.a.count("0220") != 4 {
		t.Errorf("books %s, %d held, %d refunds", s.Check, r.a.taken(), r.a.count("0220"))
	}
}
