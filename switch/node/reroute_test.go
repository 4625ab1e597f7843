// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"testing"

	"tapswitch/iso8583"
	sim "tapswitch/simulators/acquirer"
	"tapswitch/simulators/card"
	"tapswitch/switch/config"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// The first link of a card's range has no room in flight: a payment goes to the
// second at once, with its PIN under that one's key. Its void and its reversal go
// there too, through a restart. What was sent and has no answer goes nowhere else.
func TestUnsentGoesToAnotherLink(t *testing.T) {
	second := startBank(t, bankConfig(t, "", "acq-b", "40000002", panA, []sim.Issuer{{Prefix: "622424", Profile: sim.UnionPayCVN01, IMK: sim.NewKey(card.TestKeys().UnionPayIMK)}}))
	r := newRig(t, func(c *config.Config) {
		c.Links[0].MaxInFlight, c.Links[1].Addresses = 1, []string{second.addr}
		c.BINs[0].Links = []string{"acq-a", "acq-b"}
	})
	r.a.mood("silent once")
	first, done := r.term(1), make(chan host.Result)
	go func() { done <- first.sale("unionpay", 100, "") }()
	r.soon("the first link is full", func() bool { return r.a.count("0200") == 1 })

	w := r.wire(0)
	w.signOn(w.dial(), 1)
	till := r.term(2)
	till.want(till.sale("unionpay-pin", 2000, card.TestKeys().PIN), host.Approved, "00")
	c, d := r.tap("unionpay", 700), r.tap("unionpay", 300)
	rrn := string(w.expect("purchase", w.sale(0x0200, 2, 700, c), "00", true).AppendText(nil, 37))
	w.expect("purchase", w.sale(0x0200, 3, 300, d), "00", true)
	first.want(<-done, host.Declined, "98")
	if p := r.purchase(2); p.Link != "acq-b" || r.a.count("0200") != 1 || second.taken() != 2000+700+300 {
		t.Errorf("on %s, %d at the first, %d taken by the second", p.Link, r.a.count("0200"), second.taken())
	}
	r.restart()
	w.expect("void", w.sale(0x0200, 4, 700, c, as("200000", "23"), func(b *iso8583.Builder) {
		b.Unset(55)
		b.SetString(37, rrn)
		b.SetString(61, fmt.Sprintf("000001%06d", 2))
	}), "00", true)
	w.expect("reversal", w.sale(0x0400, 3, 300, d), "00", true)
	r.settled()
	if p := r.purchase(3); p.State != txn.Reversed || p.Link != "acq-b" || r.a.taken() != 0 || second.taken() != 2000 {
		t.Errorf("%s on %s, taken %d and %d", p.State, p.Link, r.a.taken(), second.taken())
	}
	r.agree()
}
