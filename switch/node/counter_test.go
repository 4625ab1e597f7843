// SPDX-License-Identifier: Apache-2.0

package node

import (
	"testing"

	"tapswitch/switch/config"
)

// A tap of an on-us card that is sent again under another trace number is refused
// by name and counted, also after a restart and with another amount; the card's
// next tap is served. A card of another issuer is not looked at.
func TestTapSentAgain(t *testing.T) {
	r := newRig(t, func(c *config.Config) {
		c.Payment.Counters = 100
		c.Issuers[0].ATCAhead, c.Issuers[0].ATCBehind = 1000, 8
	})
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	first, early := r.tap("visa", 700), r.tap("visa", 800)
	w.expect("the later tap first", w.sale(0x0200, 2, 800, early), "00", true)
	w.expect("the tap", w.sale(0x0200, 3, 700, first), "00", true)
	w.expect("a repeat of the message", w.sale(0x0200, 3, 700, first), "00", true)
	w.expect("the tap again", w.sale(0x0200, 4, 700, first), "63", true)
	r.restart()
	w.signOn(w.dial(), 5)
	w.expect("the tap after a restart", w.sale(0x0200, 6, 700, first), "63", true)
	w.expect("the next tap", w.sale(0x0200, 7, 700, r.tap("visa", 700)), "00", true)
	if err := r.cards.Set("visa-0119", 5000); err != nil {
		t.Fatal(err)
	}
	w.expect("a counter far ahead", w.sale(0x0200, 8, 700, r.tap("visa", 700)), "63", true)
	other := r.tap("unionpay", 900)
	w.expect("another issuer's card", w.sale(0x0200, 9, 900, other), "00", true)
	w.expect("another issuer's card again", w.sale(0x0200, 10, 900, other), "00", true)
	for reason, want := range map[string]string{"atc_used_before": "1", "atc_outside_window": "1"} { // since the restart
		if got := r.metric(`tapswitch_flow_payments_total{class="purchase",outcome="declined",reason="` + reason + `"}`); got != want {
			t.Errorf("%s counted %q times", reason, got)
		}
	}
	r.soon("the gauge", func() bool { return r.metric("tapswitch_chip_counters") == "1" })
	if taken := openingFen - int64(r.b.host.Summary().Accounts[0].BalanceMinor); taken != 700+800+700 {
		t.Errorf("%d taken", taken)
	}
}
