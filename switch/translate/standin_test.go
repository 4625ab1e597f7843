// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"strings"
	"testing"

	"tapswitch/switch/txn"
)

// What was decided here is told by its own numbers and names nothing, and what
// takes it back later names the advice.
func TestAdviceOfStandIn(t *testing.T) {
	eachAcquirer(t, func(t *testing.T, a *Acquirer) {
		p, card := payment(t)
		advice := *p
		advice.Key, advice.Original, advice.Answer.Auth = txn.StandInKey(p.Key), p.Key, [6]byte([]byte("S0000H"))
		raw, err := a.Advice(nil, &advice, card.PAN, nil, false)
		if (err == nil) != (a.t.family == family87) || (err == nil) != a.Serves(txn.StandIn) {
			t.Fatalf("served %v, %v", a.Serves(txn.StandIn), err)
		}
		if err != nil {
			return
		}
		v := parsed(t, a.Layout(), raw)
		says, _ := itemsOf(a.t, v)
		if v.MTI().String() != "0220" || says[38] != "S0000H" || says[itemTrace] != "17" || v.Has(90) || v.Has(55) || v.Has(52) || v.Has(35) {
			t.Errorf("%s %v", v.MTI(), says)
		}
		for want, stoodIn := range map[string]bool{"0200": false, "0220": true} {
			p.StoodIn = stoodIn
			raw, err := a.Reversal(nil, p, card.PAN, false)
			if err != nil {
				t.Fatal(err)
			}
			says, _ := itemsOf(a.t, parsed(t, a.Layout(), raw))
			if says[itemOriginalMTI] != want || says[itemOriginalTrace] != "000017" {
				t.Errorf("stood in %v: the reversal names %s %s", stoodIn, says[itemOriginalMTI], says[itemOriginalTrace])
			}
		}
	})
}

// Field 18 has the merchant's type, or the link's when it has none.
func TestMerchantType(t *testing.T) {
	eachAcquirer(t, func(t *testing.T, a *Acquirer) {
		for kind, want := range map[string]string{"": "5812", "5411": "5411"} {
			p, card := payment(t)
			copy(p.MerchantType[:], kind)
			raw, err := a.Request(nil, p, card, card.PIN)
			if err != nil {
				t.Fatal(err)
			}
			if says, _ := itemsOf(a.t, parsed(t, a.Layout(), raw)); says[itemMCC] != want {
				t.Errorf("%q: %q", kind, says[itemMCC])
			}
		}
	})
}

// The receipt's text is in the answer to what was decided here, and in no other.
func TestNotice(t *testing.T) {
	term := NewTerminal()
	v := build(t, term.Layout(), 0x0200, saleFields())
	for reason, want := range map[txn.Reason]string{"": "", txn.StandInYes: "STAND-IN"} {
		raw, err := term.Answer(nil, v, txn.Answer{Code: txn.CodeApproved, Reason: reason}, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		text := string(parsed(t, term.Layout(), raw).Raw(63))
		if strings.TrimSpace(text) != want || want != "" && (len(text) != 63 || text[23:31] != want) {
			t.Errorf("%q: %q", reason, text)
		}
	}
}
