// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/money"
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
	w.expect("reversal of the purchase", w.sale(0x0400, 2, 700, c), "64", true)
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

// The terminal's program refunds a sale of its receipt: an answer that was lost is
// asked for with the same message, over a loss of its power, and given once.
func TestRefundOfATerminal(t *testing.T) {
	r := newRig(t, func(c *config.Config) { c.Links[0].Unanswered = "reverse" })
	lossy := &losing{Network: r.world.Net}
	till := r.term(0, func(c *host.Config) { c.Answer, c.Tries = 500*time.Millisecond, 1 })
	till.net = lossy
	till.reopen()
	sale := till.sale("unionpay", 1000, "")
	till.want(sale, host.Approved, "00")
	ask := func(minor int64) host.Result {
		t.Helper()
		if _, reason, err := till.host.Ready(t.Context()); reason != host.ReasonNone {
			t.Fatal(reason, err)
		}
		return till.host.Refund(t.Context(), host.Refund{Amount: money.MinorUnits(minor), Card: r.tap("unionpay", minor),
			Original: host.Original{RRN: sale.RRN, Batch: sale.Batch, Trace: sale.Trace}})
	}
	told := func(what string, got host.Result, outcome host.Outcome, code string, held int64) {
		t.Helper()
		if err := till.host.Told(t.Context()); err != nil || got.Outcome != outcome || got.Code != code || r.a.taken() != held {
			t.Errorf("%s: %s %s %s, %v, %v; %d held", what, got.Outcome, got.Code, got.Reason, got.Err, err, r.a.taken())
		}
	}
	told("a part", ask(300), host.Approved, "00", 700)
	home := till.sale("visa", 900, "") // of an issuer at home: its chip's word is not needed
	till.want(home, host.Approved, "00")
	if got := till.host.Refund(t.Context(), host.Refund{Amount: 900, Card: r.tap("visa", 900), Original: host.Original{RRN: home.RRN, Batch: home.Batch, Trace: home.Trace}}); got.Outcome != host.Approved {
		t.Errorf("of an issuer at home: %+v", got)
	}
	if err := till.host.Told(t.Context()); err != nil {
		t.Error(err)
	}
	told("too much", ask(701), host.Declined, "64", 700)
	lossy.deaf.Store(true)
	told("its answer is lost", ask(200), host.NoAnswer, "", 500)
	lossy.deaf.Store(false)
	till.reopen()
	again := till.host.Repeat(t.Context())
	told("asked again", *again, host.Approved, "00", 500)
	told("one more", ask(501), host.Declined, "64", 500)
	told("the rest", ask(500), host.Approved, "00", 0)
	if s := r.a.host.Summary(); s.Check != "ok" || r.a.count("0220") != 3 || r.b.taken() != 0 {
		t.Errorf("books %s, %d refunds, %d held of the issuer at home", s.Check, r.a.count("0220"), r.b.taken())
	}
	r.agree()
}

// losing is a network on which a terminal hears nothing while deaf.
type losing struct {
	env.Network
	deaf atomic.Bool
}

func (l *losing) Dial(ctx context.Context, address string) (net.Conn, error) {
	c, err := l.Network.Dial(ctx, address)
	return lost{c, &l.deaf}, err
}

type lost struct {
	net.Conn
	deaf *atomic.Bool
}

func (c lost) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if err != nil || !c.deaf.Load() {
			return n, err
		}
	}
}
