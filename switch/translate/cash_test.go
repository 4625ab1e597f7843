// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"errors"
	"testing"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/switch/txn"
)

// A purchase with cashback says both amounts, to us and to the acquirer; its
// reversal says them too, or leaves the cash out.
func TestCashback(t *testing.T) {
	const cash = "0040156D000000000200"
	term, f := NewTerminal(), saleFields()
	f[3], f[54] = "090000", cash
	r, err := term.Request(build(t, term.Layout(), 0x0200, f))
	if err != nil || r.Key.Class != txn.Cashback || r.Cash != 200 || r.Amount.Minor != 1234 {
		t.Fatalf("%+v %v", r, err)
	}
	if raw, err := term.Answer(nil, build(t, term.Layout(), 0x0200, f), txn.Answer{Code: txn.CodeApproved}, nil, true); err != nil || string(parsed(t, term.Layout(), raw).AppendText(nil, 54)) != cash {
		t.Errorf("the answer does not repeat the cash: %v", err)
	}
	for text, want := range map[string]money.MinorUnits{"": 0, cash: 200} {
		g := saleFields()
		delete(g, 52)
		if g[3] = "090000"; text != "" {
			g[54] = text
		}
		if r, err := term.Request(build(t, term.Layout(), 0x0400, g)); err != nil || r.Original.Class != txn.Cashback || r.Cash != want {
			t.Errorf("reversal with %q: %+v %v", text, r.Cash, err)
		}
	}
	for _, bad := range []string{"", "0040840D000000000200", "0040156C000000000200", "0040156D0000000002xx"} {
		if f[54] = bad; bad == "" {
			delete(f, 54)
		}
		var d *txn.Decline
		if _, err := term.Request(build(t, term.Layout(), 0x0200, f)); !errors.As(err, &d) || d.Reason != txn.DeclineField.Reason {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if n, err := parseCash([]byte("0002156C000000000999"+cash), money.CNY); n != 200 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if _, err := parseCash([]byte(cash+cash), money.CNY); err == nil {
		t.Error("cash was taken twice")
	}
}

// An acquirer is asked with both amounts, and an answer may not name other cash.
func TestCashbackOfAcquirers(t *testing.T) {
	eachAcquirer(t, func(t *testing.T, a *Acquirer) {
		p, card := payment(t)
		p.Key.Class, p.Cash = txn.Cashback, 200
		raw, err := a.Request(nil, p, card, secret.PINBlock{})
		if (err == nil) != (a.t.family == family87) {
			t.Fatalf("built: %v", err)
		}
		if err != nil {
			return
		}
		v := parsed(t, a.Layout(), raw)
		if says, _ := itemsOf(a.t, v); says[itemProcedure] != "090000" || says[itemAmounts] != "0040156D000000000200" {
			t.Errorf("%v", says)
		}
		for text, fine := range map[string]bool{"": true, "0040156D000000000200": true, "0002156C000000000999": true, "0040156D000000000201": false, "0040840D000000000200": false, "004": false} {
			_, err := a.Reply(replyTo(t, a, v, "00", func(b *iso8583.Builder) {
				if b.Unset(54); text != "" {
					b.SetString(54, text)
				}
			}), p, p.Numbers)
			if (err == nil) != fine {
				t.Errorf("%q: %v", text, err)
			}
		}
		if raw, err = a.Reversal(nil, p, card.PAN, false); err != nil {
			t.Fatal(err)
		}
		if says, _ := itemsOf(a.t, parsed(t, a.Layout(), raw)); says[itemProcedure] != "090000" || says[itemAmounts] != "0040156D000000000200" {
			t.Errorf("reversal %v", says)
		}
	})
}
