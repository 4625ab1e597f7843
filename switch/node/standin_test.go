// SPDX-License-Identifier: Apache-2.0

package node

import (
	"strings"
	"testing"

	"tapswitch/internal/secret"
	"tapswitch/iso8583/bertlv"
	"tapswitch/simulators/card"
	"tapswitch/switch/admin"
	"tapswitch/switch/config"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// standsIn lets the switch decide for its own cards when acq-b cannot be reached.
func standsIn(c *config.Config) {
	c.Payment.Counters = 100
	c.Issuers[0].ATCAhead, c.Issuers[0].ATCBehind = 1000, 8
	c.StandIn = config.StandIn{Enabled: true, Mandates: []config.Mandate{{Name: "visa", Issuer: "visa", MaxAmount: 50000, MaxCount: 3, MaxSum: 60000, PINAbove: 10000, Types: []string{"5411"}}}}
	c.BINs[1].StandIn = "visa"
	for i := range c.Terminals {
		c.Terminals[i].MerchantType = "5411"
	}
}

// down takes an acquirer away and waits until the switch knows.
func (r *rig) down(b *bank, link string) {
	r.Helper()
	b.mood("down")
	r.soon("the loss is noticed", func() bool { return !r.node.links.Up(link) })
}

// back brings it again, and waits until nothing is owed to it.
func (r *rig) back(b *bank, link string) {
	r.Helper()
	b.mood("normal")
	b.listen(b.addr)
	r.soon(link+" is back", func() bool { return r.node.links.Up(link) })
	r.settled()
}

// A card taps while its acquirer is down: real cryptogram, real PIN, our answer
// with an ARPC, told as stand-in; the acquirer books the advice once it is back,
// by the numbers and the code of the answer, once, through a silent answer and a
// restart. Other cards are refused as before.
func TestStandIn(t *testing.T) {
	r := newRig(t, standsIn)
	till := r.term(0)
	till.want(till.sale("visa", 100, ""), host.Approved, "00")
	r.down(r.b, "acq-b")
	yes := till.want(till.sale("visa-pin", 20000, card.TestKeys().PIN), host.Approved, "00")
	if yes.Notice != "STAND-IN" || !strings.HasPrefix(yes.Auth, "S") || len(yes.RRN) != 12 {
		t.Errorf("answer %+v", yes)
	}
	if tag, ok := bertlv.Find(yes.ICC.AppendTo(nil, secret.ForTest), 0x91); !ok || len(tag) != 10 {
		t.Errorf("ARPC of %d bytes", len(tag))
	}
	till.want(till.sale("visa", 300, ""), host.Approved, "00")
	till.want(till.sale("visa", 20000, ""), host.Declined, "91") // no PIN
	till.want(till.sale("visa-pin", 50001, card.TestKeys().PIN), host.Declined, "91")
	till.want(till.sale("visa-pin", 20000, "9999"), host.Declined, "55")
	till.want(till.sale("visa-forged", 300, ""), host.Declined, "59")
	till.want(till.sale("unionpay", 400, ""), host.Approved, "00") // its link is up
	if n := r.b.count("0200"); n != 1 {
		t.Errorf("the acquirer was asked %d times", n)
	}
	for reason, want := range map[string]string{"stood_in": "2"} {
		if got := r.metric(`tapswitch_flow_payments_total{class="purchase",outcome="approved",reason="` + reason + `"}`); got != want {
			t.Errorf("%s counted %q times", reason, got)
		}
	}
	r.stop()
	r.b.mood("silent once")
	r.b.listen(r.b.addr)
	r.start()
	r.settled()
	if r.b.taken() != 100+20000+300 || r.b.count("0220")+r.b.count("0221") < 3 {
		t.Errorf("%d taken by %d advices", r.b.taken(), r.b.count("0220")+r.b.count("0221"))
	}
	booked := 0
	for _, e := range r.b.host.Books() {
		if e.Effect == "debit" && e.AmountMinor == 20000 {
			booked++
			if e.AuthCode != yes.Auth || e.RRN != yes.RRN {
				t.Errorf("booked %+v", e)
			}
		}
	}
	if booked != 1 {
		t.Errorf("booked %d times", booked)
	}
	r.agree()
}

// purchase is the purchase of the first terminal by its trace number.
func (r *rig) purchase(trace uint32) (p txn.Payment) {
	r.Helper()
	r.node.Payments(func(q txn.Payment) {
		if q.Key.Class == txn.Purchase && q.Key.Terminal.String() == terminalID(0) && uint32(q.Key.Trace) == trace {
			p = q
		}
	})
	return p
}

// The terminal takes a stood-in payment back: before the advice has left nobody
// hears of either; afterwards the acquirer gets its reversal behind the advice.
func TestStandInReversed(t *testing.T) {
	r := newRig(t, standsIn)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	r.down(r.b, "acq-b")
	one, two := r.tap("visa", 700), r.tap("visa", 800)
	w.expect("stood in", w.sale(0x0200, 2, 700, one), "00", true)
	w.expect("its reversal", w.sale(0x0400, 2, 700, one), "00", true)
	w.expect("stood in", w.sale(0x0200, 3, 800, two), "00", true)
	if p := r.purchase(2); p.State != txn.Reversed || r.node.saf.Depth("acq-b") != 1 {
		t.Errorf("%s, %d wait", p.State, r.node.saf.Depth("acq-b"))
	}
	r.back(r.b, "acq-b")
	if r.b.taken() != 800 || r.b.count("0220") != 1 || r.b.count("0400") != 0 {
		t.Errorf("%d taken by %d advices, %d reversals", r.b.taken(), r.b.count("0220"), r.b.count("0400"))
	}
	w.expect("the reversal after the advice", w.sale(0x0400, 3, 800, two), "00", true)
	r.settled()
	if p := r.purchase(3); p.State != txn.Reversed || r.b.taken() != 0 {
		t.Errorf("%s, %d taken", p.State, r.b.taken())
	}
}

// An advice that the acquirer refuses opens a case.
func TestStandInRefusedIsACase(t *testing.T) {
	r := newRig(t, standsIn, func(c *config.Config) { c.Issuers[0].Profile, c.Issuers[0].CSU = "visa_cvn18", "00820000" })
	till := r.term(0)
	r.down(r.b, "acq-b")
	till.want(till.sale("visa", 300, ""), host.Declined, "59")   // of another profile than the issuer's
	till.want(till.sale("visa18", 300, ""), host.Approved, "00") // the acquirer has no such account
	r.b.mood("normal")
	r.b.listen(r.b.addr)
	r.soon("the case is open", func() bool {
		return r.metric(`tapswitch_saf_cases_total{link="acq-b",reason="advice_refused"}`) == "1"
	})
	if r.b.taken() != 0 {
		t.Errorf("%d taken", r.b.taken())
	}
}

// The advice has the reference number of its payment, and an operator reaches it by that:
// holds the advice and lets it go, and closes its case.
func TestOperatorOnStandIn(t *testing.T) {
	r := newRig(t, standsIn, withDesk, func(c *config.Config) { c.Issuers[0].Profile, c.Issuers[0].CSU = "visa_cvn18", "00820000" })
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	r.down(r.b, "acq-b")
	tap := r.tap("visa18", 300) // the acquirer has no such account
	w.expect("stood in", w.sale(0x0200, 2, 300, tap), "00", true)
	rrn := r.purchase(2).Numbers.RRN.String()
	r.refused(txn.FoundStands, rrn, admin.NoCase)
	if it := r.does(txn.Hold, rrn); it.Class != "stand_in" || it.Kind != "advice" || it.Place != "held" {
		t.Errorf("%+v", it)
	}
	r.b.mood("normal")
	r.b.listen(r.b.addr)
	r.soon("acq-b is back", func() bool { return r.node.links.Up("acq-b") })
	r.does(txn.Retry, rrn)
	r.soon("the case is open", func() bool { return r.node.index.Cases() == 1 })
	w.expect("its reversal", w.sale(0x0400, 2, 300, tap), "00", true)
	r.settled()
	if it := r.does(txn.FoundUndone, rrn); it.Class != "stand_in" || it.State != "reversed" {
		t.Errorf("%+v", it)
	}
	r.refused(txn.FoundUndone, rrn, admin.NoCase)
	if p := r.purchase(2); p.State != txn.Reversed || r.node.index.Cases() != 0 {
		t.Errorf("%s, %d cases", p.State, r.node.index.Cases())
	}
}

// Stand-in is off unless it is enabled, and a link whose dialect carries no advices
// cannot have it.
func TestStandInIsOff(t *testing.T) {
	r := newRig(t, standsIn, func(c *config.Config) { c.StandIn.Enabled = false })
	till := r.term(0)
	r.down(r.b, "acq-b")
	till.want(till.sale("visa", 300, ""), host.Declined, "91")
	r.stop()
	r.cfg.StandIn.Enabled, r.cfg.Links[1].Dialect = true, "iso93ascii"
	if _, err := New(r.cfg, r.world, r.module, Options{Log: r.log}); err == nil || !strings.Contains(err.Error(), "carries no advices") {
		t.Errorf("a link without advices: %v", err)
	}
	r.cfg.Links[1].Dialect, r.cfg.Issuers[0].PVK = "iso87ascii", ""
	if _, err := New(r.cfg, r.world, r.module, Options{Log: r.log}); err == nil || !strings.Contains(err.Error(), "with pvk and atc_ahead") {
		t.Errorf("a mandate without a PIN key: %v", err)
	}
	r.cfg.Issuers[0].PVK = "issuer/visa/pvk"
	r.b.mood("normal")
	r.b.listen(r.b.addr)
	r.start()
}
