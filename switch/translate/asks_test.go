// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"testing"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/switch/txn"
)

// What a terminal sends of each class, and what it reverses.
func TestClassesOfTerminals(t *testing.T) {
	for _, c := range []struct {
		name   string
		mti    iso8583.MTI
		change func(map[int]string)
		class  txn.Class
		kind   uint8
		of     txn.Class
	}{
		{"cash", 0x0200, func(f map[int]string) { f[3] = "010000" }, txn.Cash, 22, 0},
		{"reversal of cash", 0x0400, func(f map[int]string) { f[3] = "010000"; delete(f, 52) }, txn.Reversal, 22, txn.Cash},
		{"void", 0x0200, func(f map[int]string) {
			f[3], f[37], f[60], f[61] = "200000", "632700000001", "2300000700060", "000006000041"
		}, txn.Void, 23, 0},
		{"reversal of a void", 0x0400, func(f map[int]string) { f[3], f[60], f[61] = "200000", "2300000700060", "000006000041" }, txn.Reversal, 23, txn.Void},
		{"offline sale", 0x0220, func(f map[int]string) { f[38], f[60] = "T12345", "3000000700060"; delete(f, 52) }, txn.OfflineSale, 30, 0},
		{"pre-authorization", 0x0100, func(f map[int]string) { f[3], f[25], f[60] = "030000", "06", "1000000700060" }, txn.PreAuth, 10, 0},
		{"its reversal", 0x0400, func(f map[int]string) { f[3], f[25], f[60] = "030000", "06", "1000000700060" }, txn.Reversal, 10, txn.PreAuth},
		{"its void", 0x0100, func(f map[int]string) {
			f[3], f[25], f[38], f[60], f[61] = "200000", "06", "A1B2C3", "1100000700060", "0000060000411128"
		}, txn.PreAuthVoid, 11, 0},
		{"reversal of that", 0x0400, func(f map[int]string) { f[3], f[25], f[60] = "200000", "06", "1100000700060" }, txn.Reversal, 11, txn.PreAuthVoid},
		{"completion", 0x0200, func(f map[int]string) {
			f[25], f[38], f[60], f[61] = "06", "A1B2C3", "2000000700060", "0000060000411128"
		}, txn.Completion, 20, 0},
		{"its reversal", 0x0400, func(f map[int]string) { f[25], f[60] = "06", "2000000700060" }, txn.Reversal, 20, txn.Completion},
		{"its void", 0x0200, func(f map[int]string) {
			f[3], f[25], f[37], f[38], f[60], f[61] = "200000", "06", "632700000001", "A1B2C3", "2100000700060", "0000060000411128"
		}, txn.CompletionVoid, 21, 0},
		{"reversal of that", 0x0400, func(f map[int]string) { f[3], f[25], f[60] = "200000", "06", "2100000700060" }, txn.Reversal, 21, txn.CompletionVoid},
		{"refund", 0x0220, func(f map[int]string) {
			f[3], f[37], f[60], f[61] = "200000", "632700000001", "2500000700060", "0000060000411122"
		}, txn.Refund, 25, 0},
		{"refund that names nothing", 0x0220, func(f map[int]string) { f[3], f[60] = "200000", "2500000700060" }, txn.Refund, 25, 0},
		{"balance inquiry", 0x0200, func(f map[int]string) { f[3], f[60] = "310000", "0100000700060"; delete(f, 4) }, txn.Balance, 1, 0},
		{"balance inquiry with an amount", 0x0200, func(f map[int]string) { f[3], f[60] = "310000", "0100000700060" }, txn.Balance, 1, 0},
	} {
		term, f := NewTerminal(), saleFields()
		c.change(f)
		r, err := term.Request(build(t, term.Layout(), c.mti, f))
		if err != nil || r.Key.Class != c.class || r.Key.Type != c.kind || r.Original.Class != c.of {
			t.Errorf("%s: class %s of %s, type %d, %v", c.name, r.Key.Class, r.Original.Class, r.Key.Type, err)
		}
		if c.class.Follows() && f[61] != "" && (r.Original.Trace != 41 || r.Original.Batch != 6 || r.Original.Terminal != r.Key.Terminal ||
			r.OfRRN.String() != f[37] || string(r.OfAuth[:]) != padded(f[38], 6) || string(r.OfDate[:]) != padded(f[61][12:], 4)) {
			t.Errorf("%s of %+v, %s, %s, %s", c.class, r.Original, r.OfRRN, r.OfAuth, r.OfDate)
		}
		if c.class == txn.OfflineSale && string(r.Auth[:]) != "T12345" {
			t.Errorf("%s: authorization %q", c.name, r.Auth)
		}
		if f[61] != "" && c.class == txn.Refund && (r.Original.Trace != 41 || r.Original.Batch != 6 || r.OfRRN.String() != "632700000001" || string(r.OfDate[:]) != "1122") {
			t.Errorf("refund of %+v, %s of %s", r.Original, r.OfRRN, r.OfDate)
		}
		if c.of != 0 && (r.Original.Trace != r.Key.Trace || r.Original.Batch != r.Key.Batch || r.Original.Type != c.kind) {
			t.Errorf("%s: original %+v", c.name, r.Original)
		}
		if want := map[bool]money.MinorUnits{true: 1234, false: 0}[f[4] != ""]; r.Amount != (money.Amount{Minor: want, Currency: money.CNY}) {
			t.Errorf("%s: amount %v", c.name, r.Amount)
		}
	}
}

// padded is text in a field of its own, zero bytes behind it.
func padded(text string, size int) string { return text + string(make([]byte, size-len(text))) }

// How each class is asked of an acquirer, and that other dialects refuse it.
func TestClassesOfAcquirers(t *testing.T) {
	eachAcquirer(t, func(t *testing.T, a *Acquirer) {
		for class, want := range map[txn.Class][2]string{txn.Purchase: {"0200", "000000"}, txn.Cash: {"0200", "010000"}, txn.Refund: {"0220", "200000"}, txn.Balance: {"0200", "310000"}, txn.PreAuth: {"0100", "030000"}} {
			p, card := payment(t)
			p.Key.Class = class
			raw, err := a.Request(nil, p, card, secret.PINBlock{})
			if class.Follows() {
				o, _ := payment(t)
				p.Original = o.Key
				raw, err = a.Void(nil, p, card, secret.PINBlock{}, o)
			}
			if (err == nil) != a.Serves(class) || a.Serves(class) != (class == txn.Purchase || a.t.family == family87) {
				t.Errorf("%s: served %v, %v", class, a.Serves(class), err)
			}
			if err != nil {
				continue
			}
			v := parsed(t, a.Layout(), raw)
			says, _ := itemsOf(a.t, v)
			if got := v.MTI() &^ 0xF000; got.String() != want[0] || says[itemProcedure] != want[1] {
				t.Errorf("%s: %s %s", class, got, says[itemProcedure])
			}
			if class == txn.Balance {
				continue
			}
			if raw, err = a.Reversal(nil, p, card.PAN, false); err != nil {
				t.Fatal(err)
			}
			if says, _ = itemsOf(a.t, parsed(t, a.Layout(), raw)); says[itemOriginalMTI] != want[0] || says[itemProcedure] != want[1] {
				t.Errorf("reversal of %s: original %s, field 3 %s", class, says[itemOriginalMTI], says[itemProcedure])
			}
		}
		if a.Serves(txn.Echo) || a.Serves(txn.Reversal) {
			t.Error("serves what is no request")
		}
	})
}

// What is done with a pre-authorization names it by its own message type and by the
// authorization code of its approval, which an approval must have; field 25 tells
// these messages from those about a purchase.
func TestHoldsNameTheirOriginal(t *testing.T) {
	a := NewAcquirer("48431665", "5812")
	o, card := payment(t)
	o.Key.Class, o.Cond = txn.PreAuth, [2]byte{'0', '6'}
	raw, err := a.Request(nil, o, card, secret.PINBlock{})
	if err != nil {
		t.Fatal(err)
	}
	v := parsed(t, a.Layout(), raw)
	if _, err := a.Reply(replyTo(t, a, v, "00", func(b *iso8583.Builder) { b.Unset(38) }), o, o.Numbers); err == nil {
		t.Error("an approval without a code was taken")
	}
	reply := replyTo(t, a, v, "00", nil)
	if r, err := a.Reply(reply, o, o.Numbers); err != nil || r.Answer.Auth == ([6]byte{}) || !a.PurchaseReply(reply) || a.KindOf(reply) != FinancialReply {
		t.Errorf("%+v %v, kind %d", r.Answer, err, a.KindOf(reply))
	}
	copy(o.Answer.Auth[:], "A1B2C3")
	completion := *o
	completion.Key.Class, completion.Key.Trace, completion.Original = txn.Completion, 43, o.Key
	for _, c := range []struct {
		class    txn.Class
		original *txn.Payment
		want     [3]string // type, field 3, type of the original
	}{
		{txn.PreAuthVoid, o, [3]string{"0100", "200000", "0100"}},
		{txn.Completion, o, [3]string{"0200", "000000", "0100"}},
		{txn.CompletionVoid, &completion, [3]string{"0200", "200000", "0200"}},
	} {
		p := *o
		p.Key.Class, p.Key.Trace, p.Numbers.STAN, p.Undo.STAN, p.Original = c.class, 44, 18, 19, c.original.Key
		nobody := p
		nobody.Original = txn.Key{}
		if _, err := a.Request(nil, &nobody, card, secret.PINBlock{}); err == nil {
			t.Errorf("a %s that names nothing was built", c.class)
		}
		if raw, err = a.Void(nil, &p, card, secret.PINBlock{}, c.original); err != nil {
			t.Fatal(err)
		}
		v := parsed(t, a.Layout(), raw)
		says, _ := itemsOf(a.t, v)
		if got := [3]string{v.MTI().String(), says[itemProcedure], says[itemOriginalMTI]}; got != c.want || says[38] != "A1B2C3" || says[25] != "6" && says[25] != "06" || says[itemOriginalTrace] != "000017" {
			t.Errorf("%s: %v, code %s, condition %s, original %s", c.class, got, says[38], says[25], says[itemOriginalTrace])
		}
		if raw, err = a.Reversal(nil, &p, card.PAN, false); err != nil {
			t.Fatal(err)
		}
		if says, _ = itemsOf(a.t, parsed(t, a.Layout(), raw)); says[itemOriginalTrace] != "000018" || says[itemOriginalMTI] != c.want[0] {
			t.Errorf("reversal of %s: original %s %s", c.class, says[itemOriginalMTI], says[itemOriginalTrace])
		}
	}
}

// A void or a refund names what it gives back, and its own reversal names it.
func TestVoidNamesItsOriginal(t *testing.T) {
	for class, mti := range map[txn.Class]iso8583.MTI{txn.Void: 0x0200, txn.Refund: 0x0220} {
		names(t, class, mti)
	}
}

func names(t *testing.T, class txn.Class, mti iso8583.MTI) {
	a := NewAcquirer("48431665", "5812")
	o, card := payment(t)
	copy(o.Answer.Auth[:], "A1B2C3")
	p := *o
	p.Key.Class, p.Key.Trace, p.Original = class, 43, o.Key
	p.Numbers.STAN, p.Undo.STAN = 18, 19
	if _, err := a.Request(nil, &p, card, secret.PINBlock{}); err == nil {
		t.Error("a void that names nothing was built")
	}
	other := *o
	other.Key.Trace++
	if _, err := a.Void(nil, &p, card, secret.PINBlock{}, &other); err == nil {
		t.Error("a void of another payment was built")
	}
	raw, err := a.Void(nil, &p, card, secret.PINBlock{}, o)
	if err != nil {
		t.Fatal(err)
	}
	v := parsed(t, a.Layout(), raw)
	says, _ := itemsOf(a.t, v)
	if v.MTI() != mti || says[itemProcedure] != "200000" || says[itemTrace] != "18" || says[38] != "A1B2C3" ||
		says[itemOriginalMTI] != "0200" || says[itemOriginalTrace] != "000017" || says[itemOriginalSent] != "1123010203" || !v.Has(128) {
		t.Errorf("%s %v", v.MTI(), says)
	}
	if r, err := a.Reply(replyTo(t, a, v, "00", nil), &p, p.Numbers); err != nil || !r.Answer.Approved() {
		t.Errorf("%+v %v", r.Answer, err)
	}
	if raw, err = a.Reversal(nil, &p, card.PAN, false); err != nil {
		t.Fatal(err)
	}
	if says, _ = itemsOf(a.t, parsed(t, a.Layout(), raw)); says[itemOriginalTrace] != "000018" || says[itemOriginalMTI] != mti.String() || says[itemProcedure] != "200000" {
		t.Errorf("reversal of trace %s, field 3 %s", says[itemOriginalTrace], says[itemProcedure])
	}
}

// Field 54: the available amount among others, and what is refused.
func TestFunds(t *testing.T) {
	want := txn.Funds{Available: money.Amount{Minor: 1234, Currency: money.CNY}, Debit: true}
	got, err := parseFunds([]byte("0001156C000000000999" + "0002156D000000001234"))
	if err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	if got, err = parseFunds([]byte(fundsText(want))); err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	if got, err = parseFunds([]byte("0001156C000000000999")); err != nil || got != (txn.Funds{}) {
		t.Errorf("without an available amount: %+v %v", got, err)
	}
	for _, bad := range []string{"0002156C00000000123", "0002156X000000001234", "000215xC000000001234", "0002000C000000001234", "0002156C00000000123x"} {
		if _, err := parseFunds([]byte(bad)); err == nil {
			t.Errorf("taken: %q", bad)
		}
	}
}

// An inquiry's answer tells the funds, in a reply as in the terminal's answer.
func TestInquiryIsAnswered(t *testing.T) {
	a := NewAcquirer("48431665", "5812")
	p, card := payment(t)
	p.Key.Class, p.Amount.Minor = txn.Balance, 0
	raw, err := a.Request(nil, p, card, secret.PINBlock{})
	if err != nil {
		t.Fatal(err)
	}
	v := parsed(t, a.Layout(), raw)
	r, err := a.Reply(replyTo(t, a, v, "00", func(b *iso8583.Builder) { b.SetString(54, "0002156C000000004321") }), p, p.Numbers)
	if err != nil || r.Answer.Funds.Available != (money.Amount{Minor: 4321, Currency: money.CNY}) {
		t.Fatalf("%+v %v", r.Answer, err)
	}
	if _, err := a.Reply(replyTo(t, a, v, "00", func(b *iso8583.Builder) { b.SetString(54, "000215") }), p, p.Numbers); err == nil {
		t.Error("half a balance is taken")
	}
	term, f := NewTerminal(), saleFields()
	f[3], f[60] = "310000", "0100000700060"
	if raw, err = term.Answer(nil, build(t, term.Layout(), 0x0200, f), r.Answer, nil, true); err != nil {
		t.Fatal(err)
	}
	if got := string(parsed(t, term.Layout(), raw).AppendText(nil, 54)); got != "0002156C000000004321" {
		t.Errorf("field 54 is %q", got)
	}
}
