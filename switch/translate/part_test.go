// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"testing"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/switch/txn"
)

// A terminal declares in field 60.6 that it takes a part, and only of a purchase.
func TestTerminalDeclaresPart(t *testing.T) {
	for f60, want := range map[string]bool{"2200000700060": false, "22000007000600": false, "22000007000601": true, "22000007000601000": true, "22000007": false} {
		term, f := NewTerminal(), saleFields()
		f[60] = f60
		r, err := term.Request(build(t, term.Layout(), 0x0200, f))
		if err != nil || r.TakesPart != want || txn.NewPayment(&r).TakesPart != want {
			t.Errorf("%s: %v, %v", f60, r.TakesPart, err)
		}
	}
	term, f := NewTerminal(), saleFields()
	f[3], f[60] = "010000", "22000007000601"
	if r, err := term.Request(build(t, term.Layout(), 0x0200, f)); err != nil || r.TakesPart {
		t.Errorf("cash: %v, %v", r.TakesPart, err)
	}
}

// A part that was approved is told in field 4 beside code 10.
func TestTerminalIsToldOfPart(t *testing.T) {
	term := NewTerminal()
	raw, err := term.Answer(nil, build(t, term.Layout(), 0x0200, saleFields()), txn.Answer{Code: txn.CodePartial, Part: 1000}, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	v := parsed(t, term.Layout(), raw)
	if string(v.AppendText(nil, 4)) != "000000001000" || string(v.AppendText(nil, 39)) != "10" {
		t.Errorf("%s over %s", v.AppendText(nil, 39), v.AppendText(nil, 4))
	}
}

// partly is an acquirer of a's dialect that is told who takes a part.
func partly(t *testing.T, a *Acquirer) *Acquirer {
	t.Helper()
	profile := a.profile
	profile.Part = Part{60, "1"}
	for _, r := range a.t.rows {
		if r.field == 60 && a.t.layout.Encoding(60) == iso8583.EncodingBytes {
			profile.Part.Content = "\x01"
		}
	}
	b, err := NewAcquirerOf(profile)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The acquirer is told who takes a part, and a part is taken from it when the
// terminal declared it, when it is smaller, and for a purchase; any other is no usable
// answer. Its reversal is for what was asked.
func TestPartialApproval(t *testing.T) {
	eachAcquirer(t, func(t *testing.T, plain *Acquirer) {
		a := partly(t, plain)
		p, card := payment(t)
		lower := func(minor money.MinorUnits) func(*iso8583.Builder) {
			return func(b *iso8583.Builder) { b.SetUint(4, uint64(minor)) }
		}
		ask := func(a *Acquirer) *iso8583.View {
			raw, err := a.Request(nil, p, card, secret.PINBlock{})
			if err != nil {
				t.Fatal(err)
			}
			return parsed(t, a.Layout(), raw)
		}
		if v := ask(a); v.Has(60) {
			t.Error("told of a terminal that takes no part")
		}
		p.TakesPart = true
		v := ask(a)
		if string(v.Raw(60)) != a.profile.Part.Content || ask(plain).Has(60) {
			t.Errorf("field 60 is %q", v.Raw(60))
		}
		r, err := a.Reply(replyTo(t, a, v, "10", lower(1000)), p, p.Numbers)
		if err != nil || !r.Answer.Approved() || r.Answer.Part != 1000 || r.Answer.Code != txn.CodePartial || r.Answer.Reason != "" {
			t.Fatalf("%+v %v", r.Answer, err)
		}
		p.Answer = r.Answer
		raw, err := a.Reversal(nil, p, card.PAN, false)
		if err != nil {
			t.Fatal(err)
		}
		if says, _ := itemsOf(a.t, parsed(t, a.Layout(), raw)); says[itemAmount] != "000000001234" && says[itemAmount] != "1234" {
			t.Errorf("reversed %s", says[itemAmount])
		}
		for _, minor := range []money.MinorUnits{0, 1234, 1235} {
			if r, err := a.Reply(replyTo(t, a, v, "10", lower(minor)), p, p.Numbers); err == nil {
				t.Errorf("%d of 1234 became %+v", minor, r.Answer)
			}
		}
		otherPart(t, a, v, p)
		for _, code := range []string{"00", "51"} {
			if r, err := a.Reply(replyTo(t, a, v, code, lower(1000)), p, p.Numbers); err == nil {
				t.Errorf("%s of a part became %+v", code, r.Answer)
			}
		}
		if r, err := plain.Reply(replyTo(t, plain, v, "10", lower(1000)), p, p.Numbers); err == nil {
			t.Errorf("an acquirer that approves no part: %+v", r.Answer)
		}
		p.TakesPart = false
		if r, err := a.Reply(replyTo(t, a, v, "10", lower(1000)), p, p.Numbers); err == nil {
			t.Errorf("a terminal that takes no part: %+v", r.Answer)
		}
		p.TakesPart, p.Key.Class = true, txn.Cash
		if r, err := a.Reply(replyTo(t, a, v, "10", lower(1000)), p, p.Numbers); err == nil {
			t.Errorf("cash: %+v", r.Answer)
		}
	})
}

// otherPart holds that a part in an answer that does not repeat the rest is not taken.
func otherPart(t *testing.T, a *Acquirer, v *iso8583.View, p *txn.Payment) {
	t.Helper()
	for what, change := range map[string]func(*iso8583.Builder){
		"other currency": func(b *iso8583.Builder) { b.SetUint(4, 1000); b.SetString(49, "840") },
		"other terminal": func(b *iso8583.Builder) { b.SetUint(4, 1000); b.SetString(41, "10000002") },
		"no amount":      func(b *iso8583.Builder) { b.Unset(4) },
	} {
		if r, err := a.Reply(replyTo(t, a, v, "10", change), p, p.Numbers); err == nil {
			t.Errorf("%s became %+v", what, r.Answer)
		}
	}
}

// Where it is told is a field that the dialect leaves to its hosts.
func TestPartIsConfigured(t *testing.T) {
	for text, want := range map[string]Part{"": {}, "60=1": {60, "1"}, "104=a=b": {104, "a=b"}} {
		if p, err := ParsePart(text); err != nil || p != want {
			t.Errorf("%q: %+v %v", text, p, err)
		}
	}
	for _, bad := range []string{"60", "60=", "=1", "x=1", "1=1", "999=1"} {
		if p, err := ParsePart(bad); err == nil {
			t.Errorf("%q became %+v", bad, p)
		}
	}
	for _, bad := range []Part{{4, "1"}, {39, "10"}, {64, "1"}, {129, "1"}, {90, "1"}} {
		if _, err := NewAcquirerOf(AcquirerProfile{Dialect: "iso87ascii", Institution: "48431665", Part: bad}); err == nil {
			t.Errorf("field %d was taken", bad.Field)
		}
	}
}
