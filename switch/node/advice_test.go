// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"testing"

	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/switch/config"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// offline makes a sale a message about one that was authorised by telephone.
func offline(auth string) []func(*iso8583.Builder) {
	return []func(*iso8583.Builder){as("000000", "30"), func(b *iso8583.Builder) {
		b.SetString(22, "012")
		b.Unset(39)
		if auth != "" {
			b.SetString(38, auth)
		}
	}}
}

// An offline sale over the wire: told yes while the acquirer is down, booked once
// when it is back, through a silent answer and a restart; its repeat gets the same
// answer. What is refused is refused by name, and a reversal of one is no message of
// the dialect.
func TestOfflineSale(t *testing.T) {
	r := newRig(t)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	c := r.tap("unionpay", 4200)
	r.a.mood("down")
	sale := func(trace uint32, amount int64, auth string) []byte {
		return w.sale(0x0220, trace, amount, c, offline(auth)...)
	}
	first := w.expect("while the acquirer is down", sale(2, 4200, "T12345"), "00", true)
	if first == nil || first.MTI() != 0x0230 || string(first.AppendText(nil, 38)) != "T12345" || len(first.Raw(37)) != 12 {
		t.Fatalf("answer %v", first)
	}
	w.expect("no authorization", sale(3, 4200, ""), "30", true)
	w.expect("another amount", sale(2, 4300, "T12345"), "94", true)
	w.expect("its reversal", w.sale(0x0400, 2, 4200, c, as("000000", "30")), "40", false)
	if p, _ := r.find(0, 2); p.State != txn.Advising || r.node.saf.Depth("acq-a") != 1 {
		t.Fatalf("%s, %d wait", p.State, r.node.saf.Depth("acq-a"))
	}
	r.stop()
	r.a.mood("silent once")
	r.a.listen(r.a.addr)
	r.start()
	w = r.wire(0)
	w.signOn(w.dial(), 4)
	again := w.expect("its repeat after a restart", sale(2, 4200, "T12345"), "00", true)
	if string(again.Raw(37)) != string(first.Raw(37)) {
		t.Errorf("RRN %s and %s", first.Raw(37), again.Raw(37))
	}
	r.settled()
	if p, _ := r.find(0, 2); p.State != txn.Advised || r.a.taken() != 4200 {
		t.Errorf("%s, %d taken", p.State, r.a.taken())
	}
	for _, e := range r.a.host.Books() {
		if e.Effect != "none" && (e.AuthCode != "T12345" || e.RRN != string(first.Raw(37)) || e.MTI != "0221") {
			t.Errorf("booked %+v", e)
		}
	}
	r.agree()
}

// An advice that the acquirer refuses is a case, and the terminal's repeat is told
// what it was told.
func TestRefusedAdviceIsACase(t *testing.T) {
	r := newRig(t)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	c := r.tap("unionpay", 4200)
	var err error
	if c.PAN, err = secret.NewPAN([]byte("6224242300000051")); err != nil { // of no account
		t.Fatal(err)
	}
	w.expect("offline sale", w.sale(0x0220, 2, 4200, c, offline("T12345")...), "00", true)
	r.soon("the case is open", func() bool {
		return r.metric(`tapswitch_saf_cases_total{link="acq-a",reason="advice_refused"}`) == "1"
	})
	if p, _ := r.find(0, 2); p.State != txn.Disputed || p.Case.Why != txn.CaseAdviceRefused || p.Case.Code != txn.CodeBadPAN {
		t.Errorf("%s %+v", p.State, p.Case)
	}
	w.expect("its repeat", w.sale(0x0220, 2, 4200, c, offline("T12345")...), "00", true)
	if r.a.taken() != 0 {
		t.Errorf("%d taken", r.a.taken())
	}
}

// The terminal's program keeps an offline sale while the switch is away, and tells it
// when it is back; the acquirer books it once.
func TestOfflineSaleOfATerminal(t *testing.T) {
	r := newRig(t)
	till := r.term(0)
	r.stop()
	kept := till.host.KeepOffline(context.Background(), host.Offline{Amount: 4200, Card: r.tap("unionpay", 4200), Auth: "T12345"})
	if kept.Outcome != host.Kept {
		t.Fatalf("%+v", kept)
	}
	if told, err := till.host.Upload(context.Background(), false); err == nil || len(told) != 1 || told[0].Done {
		t.Errorf("without a switch: %+v, %v", told, err)
	}
	r.start()
	till.reopen()
	told, err := till.host.Upload(context.Background(), false)
	if err != nil || len(told) != 1 || !told[0].Done || told[0].RRN == "" || till.host.Kept() != 0 {
		t.Errorf("%+v, %v", told, err)
	}
	r.settled()
	if p, _ := r.find(0, kept.Trace); p.State != txn.Advised || r.a.taken() != 4200 {
		t.Errorf("%s, %d taken", p.State, r.a.taken())
	}
}

// offlineLimits bounds the offline sales of terminal 0.
func offlineLimits(c *config.Config) {
	withDesk(c)
	c.Terminals[0].Offline = config.Offline{Amount: 5000, Count: 2, Sum: 6000}
}

// Offline sales over the limits of their terminal, over the wire: each is told 00 and kept, none reaches the
// acquirer until an operator lets it go, over a restart, and the event has the limit. Another terminal has its own.
func TestOfflineLimits(t *testing.T) {
	r := newRig(t, offlineLimits)
	w, other := r.wire(0), r.wire(1)
	w.signOn(w.dial(), 1)
	other.signOn(other.dial(), 1)
	c, small := r.tap("unionpay", 5001), r.tap("unionpay", 900)
	sale := func(trace uint32, amount int64) []byte {
		return w.sale(0x0220, trace, amount, c, offline("T12345")...)
	}
	w.expect("more than one may be", sale(2, 5001), "00", true)
	w.expect("within the limits", w.sale(0x0220, 3, 900, small, offline("T12345")...), "00", true)
	w.expect("one too many", w.sale(0x0220, 4, 900, small, offline("T12345")...), "00", true)
	other.expect("at another terminal", other.sale(0x0220, 2, 5001, c, offline("T12345")...), "00", true)
	r.soon("the others are told", func() bool { return r.a.taken() == 900+5001 })
	for _, why := range txn.OfflineReasons()[:2] {
		if n := r.metric(`tapswitch_flow_payments_total{class="offline_sale",outcome="approved",reason="` + string(why) + `"}`); n != "1" {
			t.Errorf("%s is counted %q", why, n)
		}
	}
	r.restart()
	items := r.list()
	if len(items) != 2 || items[0].Place != "held" || items[0].HeldBy != "tapswitch" || items[0].HeldWhy != "offline_sale_above_limit" || items[1].HeldWhy != "offline_sales_above_limit" {
		t.Fatalf("%+v", items)
	}
	w = r.wire(0)
	w.signOn(w.dial(), 5)
	w.expect("its repeat", sale(2, 5001), "00", true)
	if r.a.taken() != 900+5001 {
		t.Errorf("taken %d while two are held", r.a.taken())
	}
	r.does(txn.Retry, items[0].RRN)
	r.does(txn.Drop, items[1].RRN)
	r.soon("it is told", func() bool { return r.a.taken() == 900+5001+5001 })
	r.does(txn.FoundUndone, items[1].RRN)
	r.settled()
	w.expect("two are in force", w.sale(0x0220, 6, 900, small, offline("T12345")...), "00", true)
	if items = r.list(); len(items) != 1 || items[0].HeldWhy != "offline_sales_above_limit" {
		t.Errorf("%+v", items)
	}
}
