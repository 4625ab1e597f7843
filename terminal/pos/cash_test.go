// SPDX-License-Identifier: Apache-2.0

package pos_test

import (
	"strings"
	"testing"

	"tapswitch/terminal/pos"
)

// A purchase with cashback at the till: the card is told of the cash, and so is the
// customer on the receipt.
func TestCashbackAtTheTill(t *testing.T) {
	cards := &taps{t: t, next: []pos.Tap{{CVM: "none", Kernel: 7}}}
	r := newRig(t, cards)
	r.wait("ready")
	r.say("cashback 1234 200")
	if e := r.wait("result"); e.Outcome != "approved" || e.CashMinor != 200 || e.AmountMinor != 1234 || cards.want.Cash != 200 ||
		!strings.HasPrefix(e.Receipt, "APPROVED cashback 12.34 CNY with 2.00 CNY in cash ") {
		t.Errorf("%+v", e)
	}
	if sale := r.sw.Books()[0]; sale.Kind != "090000 00 22" || sale.Amounts != "0040156D000000000200" {
		t.Errorf("%+v", sale)
	}
	for _, wrong := range []string{"cashback", "cashback 1234", "cashback 1234 0", "cashback 1234 1234", "cashback 1234 x", "cashback 1234 200 1"} {
		r.say(wrong)
		if e := r.wait("error"); e.Reason != "command_malformed" {
			t.Errorf("%s: %+v", wrong, e)
		}
	}
	r.end()
}
