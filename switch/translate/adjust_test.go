// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"errors"
	"testing"

	"tapswitch/iso8583"
	"tapswitch/switch/txn"
)

// An adjustment and a tip name their original by reference number, batch and trace.
func TestAdjustmentOfATerminal(t *testing.T) {
	for kind, tip := range map[string]bool{"32": false, "34": true} {
		term, f := NewTerminal(), saleFields()
		delete(f, 52)
		f[37], f[38], f[60], f[61] = "632700000001", "A1B2C3", kind+"00000700060", "000007000041"
		r, err := term.Request(build(t, term.Layout(), 0x0220, f))
		if err != nil || r.Key.Class != txn.Adjustment || r.Tip != tip || r.OfRRN.String() != "632700000001" || string(r.OfAuth[:]) != "A1B2C3" ||
			r.Original.Trace != 41 || r.Original.Batch != 7 || r.Amount.Minor != 1234 {
			t.Errorf("%s: %+v %v", kind, r, err)
		}
		for _, n := range []int{37, 61} {
			was := f[n]
			delete(f, n)
			var d *txn.Decline
			if _, err := term.Request(build(t, term.Layout(), 0x0220, f)); !errors.As(err, &d) || d.Reason != txn.DeclineField.Reason {
				t.Errorf("without field %d: %v", n, err)
			}
			f[n] = was
		}
		f[48] = "000000000200"
		var d *txn.Decline
		if _, err := term.Request(build(t, term.Layout(), 0x0220, f)); !errors.As(err, &d) || d.Reason != txn.DeclineField.Reason {
			t.Errorf("with field 48: %v", err)
		}
	}
}

// The acquirer is told what the original comes to, and which it is, be that a request
// or an advice; other dialects refuse to carry it.
func TestAdjustmentOfAcquirers(t *testing.T) {
	eachAcquirer(t, func(t *testing.T, a *Acquirer) {
		for class, mti := range map[txn.Class]string{txn.Purchase: "0200", txn.OfflineSale: "0220"} {
			o, card := payment(t)
			o.Key.Class = class
			p := *o
			p.Key.Class, p.Key.Trace, p.Original, p.Of, p.Answer.Auth = txn.Adjustment, 43, o.Key, o.Numbers, [6]byte([]byte("A1B2C3"))
			p.Numbers.STAN, p.Amount.Minor = 18, 1300
			raw, err := a.Advice(nil, &p, card.PAN, &txn.Payment{Key: p.Original, Numbers: p.Of}, true)
			if (err == nil) != (a.t.family == family87) {
				t.Fatalf("built: %v", err)
			}
			if err != nil {
				continue
			}
			v := parsed(t, a.Layout(), raw)
			says, _ := itemsOf(a.t, v)
			if v.MTI() != iso8583.MTI(0x0221) || says[itemProcedure] != "020000" || says[38] != "A1B2C3" || says[itemOriginalMTI] != mti ||
				says[itemOriginalTrace] != "000017" || says[itemOriginalSent] != "1123010203" || !v.Has(128) {
				t.Errorf("%s %v", v.MTI(), says)
			}
			if _, err := a.Advice(nil, &p, card.PAN, nil, false); err == nil {
				t.Error("an adjustment of nothing was built")
			}
		}
	})
}
