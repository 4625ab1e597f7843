// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"testing"

	"tapswitch/internal/secret"
	"tapswitch/switch/txn"
)

// An advice says what has happened, with the authorization that was given; its
// repeat says the same in another type. A yes of any kind is an answer to it, and
// other dialects refuse to carry it.
func TestAdviceOfAnOfflineSale(t *testing.T) {
	eachAcquirer(t, func(t *testing.T, a *Acquirer) {
		p, card := payment(t)
		p.Key.Class, p.Answer.Auth = txn.OfflineSale, [6]byte([]byte("T12345"))
		for mti, repeat := range map[string]bool{"0220": false, "0221": true} {
			raw, err := a.Advice(nil, p, card.PAN, nil, repeat)
			if (err == nil) != (a.t.family == family87) || (err == nil) != a.Serves(txn.OfflineSale) {
				t.Fatalf("served %v, %v", a.Serves(txn.OfflineSale), err)
			}
			if err != nil {
				continue
			}
			v := parsed(t, a.Layout(), raw)
			says, _ := itemsOf(a.t, v)
			if v.MTI().String() != mti || says[itemProcedure] != "000000" || says[38] != "T12345" || says[itemTrace] != "17" || says[itemPAN] == "" ||
				v.Has(35) || v.Has(52) || v.Has(55) || v.Has(90) || !v.Has(64) {
				t.Errorf("%s %v", v.MTI(), says)
			}
			for _, code := range []string{"00", "94", "10", "A2", "30"} {
				r, err := a.Reply(replyTo(t, a, v, code, nil), p, p.Numbers)
				if err != nil || r.Answer.Code.String() != code {
					t.Errorf("%s: %s, %v", code, r.Answer.Code, err)
				}
			}
			request, _ := a.InFlightKey(v)
			reply, kind := a.InFlightKey(replyTo(t, a, v, "00", nil))
			if kind != FinancialReply || request != reply {
				t.Errorf("the answer is of kind %d and key %q for %q", kind, reply, request)
			}
		}
	})
}

// A completion that has happened names its pre-authorization, by field 90 and by the
// authorization code, and says by field 25 that it is about what is held.
func TestAdviceOfACompletion(t *testing.T) {
	eachAcquirer(t, func(t *testing.T, a *Acquirer) {
		o, card := payment(t)
		o.Key.Class = txn.PreAuth
		p, _ := payment(t)
		p.Key.Class, p.Key.Trace, p.Original, p.Answer.Auth, p.Cond = txn.CompletionAdvice, 9, o.Key, [6]byte([]byte("A00002")), [2]byte{'0', '6'}
		raw, err := a.Advice(nil, p, card.PAN, o, true)
		if (err == nil) != a.Serves(txn.CompletionAdvice) {
			t.Fatalf("served %v, %v", a.Serves(txn.CompletionAdvice), err)
		}
		if err != nil {
			return
		}
		v := parsed(t, a.Layout(), raw)
		says, _ := itemsOf(a.t, v)
		if v.MTI() != 0x0221 || says[itemProcedure] != "000000" || says[25] != "06" || says[38] != "A00002" || says[itemOriginalMTI] != "0100" || says[itemOriginalTrace] != "000017" {
			t.Errorf("%s %v", v.MTI(), says)
		}
		if _, err := a.Advice(nil, p, card.PAN, nil, false); err == nil {
			t.Error("without what it is about")
		}
	})
}

// What is no advice is not told as one, nor an advice without the original that it
// names.
func TestAdviceIsRefused(t *testing.T) {
	a := NewAcquirer("48431665", "5812")
	p, card := payment(t)
	if _, err := a.Advice(nil, p, card.PAN, nil, false); err == nil {
		t.Error("a purchase was told as an advice")
	}
	p.Key.Class = txn.OfflineSale
	o, _ := payment(t)
	if _, err := a.Advice(nil, p, card.PAN, o, false); err == nil {
		t.Error("an original that it does not name was told")
	}
	p.Original = o.Key
	if _, err := a.Advice(nil, p, card.PAN, nil, false); err == nil {
		t.Error("the original that it names was left out")
	}
	if _, err := a.Advice(nil, p, secret.PAN{}, nil, false); err == nil {
		t.Error("an advice without a card was built")
	}
}
