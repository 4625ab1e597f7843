// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/switch/txn"
)

const testPAN = "6224242300000069"

// saleFields is a sale with PIN and chip data as a terminal sends it.
func saleFields() map[int]string {
	return map[int]string{
		2: testPAN, 3: "000000", 4: "000000001234", 11: "000042", 14: "3012", 22: "071", 23: "001", 25: "00", 26: "12",
		35: testPAN + "=30122011234500000", 41: "10000001", 42: "123456789012345", 49: "156", 52: "\x01\x02\x03\x04\x05\x06\x07\x08",
		53: "2600000000000000", 55: "\x9f\x02\x06\x00\x00\x00\x00\x12\x34", 60: "2200000700060", 64: "ABCDEF01",
	}
}

func build(t *testing.T, l *iso8583.Layout, mti iso8583.MTI, fields map[int]string) *iso8583.View {
	t.Helper()
	var b iso8583.Builder
	b.Reset(l, mti)
	for n, s := range fields {
		b.SetString(n, s)
	}
	raw, err := b.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := new(iso8583.View)
	if err := l.Parse(raw, v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSaleBecomesRequest(t *testing.T) {
	term := NewTerminal()
	v := build(t, term.Layout(), 0x0200, saleFields())
	r, err := term.Request(v)
	if err != nil {
		t.Fatal(err)
	}
	want := txn.Key{Terminal: txn.TerminalID([]byte("10000001")), Merchant: txn.MerchantID([]byte("123456789012345")), Batch: 7, Trace: 42, Class: txn.Purchase, Type: 22}
	if r.Key != want {
		t.Errorf("key %+v", r.Key)
	}
	if r.Amount != (money.Amount{Minor: 1234, Currency: money.CNY}) || string(r.Expiry[:]) != "3012" || string(r.PSN[:]) != "001" || string(r.Entry[:]) != "071" {
		t.Errorf("amount %v expiry %s psn %s entry %s", r.Amount, r.Expiry, r.PSN, r.Entry)
	}
	if string(r.Card.PAN.Reveal(secret.ForTest)) != testPAN || r.Card.PIN.IsZero() || r.Card.ICC.IsZero() || r.Card.Track2.IsZero() {
		t.Error("card data is not complete")
	}
	if !r.HasMAC || string(r.MAC[:]) != "ABCDEF01" || !bytes.Equal(r.MACInput, v.Bytes()[:len(v.Bytes())-8]) {
		t.Error("MAC or what it covers is wrong")
	}
}

func TestReversalNamesItsOriginal(t *testing.T) {
	term := NewTerminal()
	f := saleFields()
	for _, n := range []int{35, 52, 26} {
		delete(f, n)
	}
	f[39], f[53] = "98", "0600000000000000"
	r, err := term.Request(build(t, term.Layout(), 0x0400, f))
	if err != nil {
		t.Fatal(err)
	}
	sale, _ := term.Request(build(t, term.Layout(), 0x0200, saleFields()))
	if r.Original != sale.Key || r.Key.Class != txn.Reversal || string(r.Why[:]) != "98" {
		t.Errorf("original %+v, class %s", r.Original, r.Key.Class)
	}
}

func TestRefusedByName(t *testing.T) {
	for _, c := range []struct {
		name   string
		mti    iso8583.MTI
		change func(map[int]string)
		want   *txn.Decline
	}{
		{"void without its original", 0x0200, func(f map[int]string) { f[3], f[60] = "200000", "2300000700060" }, txn.DeclineField},
		{"void without the reference number", 0x0200, func(f map[int]string) { f[3], f[60], f[61] = "200000", "2300000700060", "000007000041" }, txn.DeclineField},
		{"void of a pre-authorization without its original", 0x0100, func(f map[int]string) { f[3], f[25], f[38], f[60] = "200000", "06", "A1B2C3", "1100000700060" }, txn.DeclineField},
		{"void of a pre-authorization without the date", 0x0100, func(f map[int]string) {
			f[3], f[25], f[38], f[60], f[61] = "200000", "06", "A1B2C3", "1100000700060", "000006000041"
		}, txn.DeclineField},
		{"completion without the authorization code", 0x0200, func(f map[int]string) { f[25], f[60], f[61] = "06", "2000000700060", "0000060000411128" }, txn.DeclineField},
		{"void of a completion without the reference number", 0x0200, func(f map[int]string) {
			f[3], f[25], f[38], f[60], f[61] = "200000", "06", "A1B2C3", "2100000700060", "0000060000411128"
		}, txn.DeclineField},
		{"completion as an advice without the authorization code", 0x0220, func(f map[int]string) { f[25], f[60], f[61] = "06", "2400000700060", "0000060000411128" }, txn.DeclineField},
		{"reversal of a completion as an advice", 0x0400, func(f map[int]string) {
			f[25], f[38], f[60], f[61] = "06", "A1B2C3", "2400000700060", "0000060000411128"
		}, txn.DeclineUnsupported},
		{"refund as a request", 0x0200, func(f map[int]string) { f[3], f[60] = "200000", "2500000700060" }, txn.DeclineUnsupported},
		{"refund without the reference number", 0x0220, func(f map[int]string) { f[3], f[60], f[61] = "200000", "2500000700060", "000007000041" }, txn.DeclineField},
		{"refund without batch and trace", 0x0220, func(f map[int]string) { f[3], f[60], f[37] = "200000", "2500000700060", "632700000001" }, txn.DeclineField},
		{"reversal of a refund", 0x0400, func(f map[int]string) { f[3], f[60], f[61] = "200000", "2500000700060", "000007000041" }, txn.DeclineUnsupported},
		{"balance with a condition", 0x0200, func(f map[int]string) { f[3], f[25], f[60] = "310000", "06", "0100000700060" }, txn.DeclineUnsupported},
		{"reversal of a balance inquiry", 0x0400, func(f map[int]string) { f[3], f[60] = "310000", "0100000700060" }, txn.DeclineUnsupported},
		{"cash from another account", 0x0200, func(f map[int]string) { f[3] = "012000" }, txn.DeclineUnsupported},
		{"pre-authorization without its condition", 0x0100, func(f map[int]string) { f[3], f[60] = "030000", "1000000700060" }, txn.DeclineUnsupported},
		{"pre-authorization as a financial message", 0x0200, func(f map[int]string) { f[3], f[25], f[60] = "030000", "06", "1000000700060" }, txn.DeclineUnsupported},
		{"batch settlement", 0x0500, func(f map[int]string) { f[60] = "0000000720100" }, txn.DeclineUnsupported},
		{"no terminal", 0x0200, func(f map[int]string) { delete(f, 41) }, txn.DeclineField},
		{"no field 60", 0x0200, func(f map[int]string) { delete(f, 60) }, txn.DeclineField},
		{"no trace", 0x0200, func(f map[int]string) { f[11] = "000000" }, txn.DeclineField},
		{"no amount", 0x0200, func(f map[int]string) { delete(f, 4) }, txn.DeclineField},
		{"no currency", 0x0200, func(f map[int]string) { delete(f, 49) }, txn.DeclineField},
		{"no card", 0x0200, func(f map[int]string) { delete(f, 2); delete(f, 35) }, txn.DeclineField},
		{"two cards", 0x0200, func(f map[int]string) { f[2] = "6224242300000070" }, txn.DeclineTrack},
		{"PIN under SM4", 0x0200, func(f map[int]string) { f[53] = "2300000000000000" }, txn.DeclineUnsupported},
		{"PIN without field 53", 0x0200, func(f map[int]string) { delete(f, 53) }, txn.DeclineField},
	} {
		term := NewTerminal()
		f := saleFields()
		c.change(f)
		_, err := term.Request(build(t, term.Layout(), c.mti, f))
		var d *txn.Decline
		if !errors.As(err, &d) || d.Reason != c.want.Reason {
			t.Errorf("%s: %v, want %s", c.name, err, c.want.Reason)
		}
		if err != nil && strings.Contains(err.Error(), testPAN) {
			t.Errorf("%s: the error holds the card number", c.name)
		}
	}
}

func TestAnswerRepeatsTheRequest(t *testing.T) {
	term := NewTerminal()
	v := build(t, term.Layout(), 0x0200, saleFields())
	at := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
	a := txn.Answer{Code: txn.CodeApproved, RRN: txn.RRN([]byte("632700000001")), Auth: [6]byte([]byte("A12345")), At: at, SettleMD: [4]byte([]byte("1123")), ICC: []byte{0x91, 1, 2}}
	raw, err := term.Answer(nil, v, a, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	covered, mac := SplitMAC(raw)
	if !bytes.Equal(mac, make([]byte, 8)) || len(covered)+8 != len(raw) {
		t.Error("the MAC's place is not the last eight bytes")
	}
	var got iso8583.View
	if err := term.Layout().Parse(raw, &got); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]string{2: testPAN, 4: "000000001234", 11: "000042", 12: "010203", 13: "1123", 15: "1123", 37: "632700000001", 38: "A12345", 39: "00", 41: "10000001", 60: "2200000700060"} {
		if s := string(got.AppendText(nil, n)); s != want {
			t.Errorf("field %d is %q, want %q", n, s, want)
		}
	}
	for _, n := range []int{35, 52, 26, 53} {
		if got.Has(n) {
			t.Errorf("field %d must not be in an answer", n)
		}
	}
}

func TestSignOnAnswerHasKeys(t *testing.T) {
	term := NewTerminal()
	v := build(t, term.Layout(), 0x0800, map[int]string{11: "000001", 41: "10000001", 42: "123456789012345", 60: "00000007003", 63: "001"})
	keys := &Keys{
		PIN: hsm.Exported{Cryptogram: bytes.Repeat([]byte{1}, 16), KCV: [4]byte{9, 9, 9, 9}},
		MAC: hsm.Exported{Cryptogram: bytes.Repeat([]byte{2}, 16), KCV: [4]byte{8, 8, 8, 8}},
	}
	raw, err := term.Answer(nil, v, txn.Answer{Code: txn.CodeApproved}, keys, false)
	if err != nil {
		t.Fatal(err)
	}
	var got iso8583.View
	if err := term.Layout().Parse(raw, &got); err != nil {
		t.Fatal(err)
	}
	if f := got.Raw(62); len(f) != 40 || f[0] != 1 || f[16] != 9 || f[20] != 2 || f[36] != 8 {
		t.Errorf("field 62 has %d bytes", len(got.Raw(62)))
	}
	if got.Has(64) {
		t.Error("a sign-on answer has no MAC")
	}
}

func payment(t *testing.T) (*txn.Payment, *txn.CardData) {
	t.Helper()
	term := NewTerminal()
	r, err := term.Request(build(t, term.Layout(), 0x0200, saleFields()))
	if err != nil {
		t.Fatal(err)
	}
	p := txn.NewPayment(&r)
	at := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
	p.Numbers = txn.Numbers{STAN: 17, At: at, RRN: txn.RRN([]byte("632700000017"))}
	p.Undo = txn.Numbers{STAN: 18, At: at.Add(time.Minute), RRN: p.Numbers.RRN}
	return p, &r.Card
}

func TestPurchaseAndReversalOnTheLink(t *testing.T) {
	acq := NewAcquirer("12345678", "5999")
	p, card := payment(t)
	pin, _ := secret.NewPINBlock(bytes.Repeat([]byte{7}, 8))
	raw, err := acq.Request(nil, p, card, pin)
	if err != nil {
		t.Fatal(err)
	}
	var v iso8583.View
	if err := acq.Layout().Parse(raw, &v); err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]string{2: testPAN, 4: "000000001234", 7: "1123010203", 11: "000017", 18: "5999", 32: "12345678", 35: testPAN + "=30122011234500000", 37: "632700000017", 52: "\x07\x07\x07\x07\x07\x07\x07\x07", 64: string(noMAC)} {
		if s := string(v.AppendText(nil, n)); s != want {
			t.Errorf("0200 field %d is %q, want %q", n, s, want)
		}
	}
	raw, err = acq.Reversal(nil, p, card.PAN, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := acq.Layout().Parse(raw, &v); err != nil {
		t.Fatal(err)
	}
	if v.MTI() != 0x0401 || string(v.Raw(90)) != "0200"+"000017"+"1123010203"+"00012345678"+"00000000000" {
		t.Errorf("%s field 90 %q", v.MTI(), v.Raw(90))
	}
	for _, n := range []int{35, 52, 55} {
		if v.Has(n) {
			t.Errorf("a reversal must not carry field %d", n)
		}
	}
}

func TestReplyMustRepeatTheRequest(t *testing.T) {
	acq := NewAcquirer("12345678", "5999")
	p, _ := payment(t)
	good := func() map[int]string {
		return map[int]string{3: "000000", 4: "000000001234", 7: "1123010203", 11: "000017", 38: "A1B2C3", 39: "00", 41: "10000001", 42: "123456789012345", 49: "156", 64: "12345678"}
	}
	r, err := acq.Reply(build(t, acq.Layout(), 0x0210, good()), p, p.Numbers)
	if err != nil || !r.Answer.Approved() || string(r.Answer.Auth[:]) != "A1B2C3" || !r.HasMAC {
		t.Fatalf("%+v %v", r, err)
	}
	for n, wrong := range map[int]string{3: "200000", 4: "000000001235", 7: "1123010204", 11: "000018", 41: "10000002", 42: "123456789012346", 49: "840"} {
		f := good()
		f[n] = wrong
		if _, err := acq.Reply(build(t, acq.Layout(), 0x0210, f), p, p.Numbers); err == nil {
			t.Errorf("a reply with another field %d was taken", n)
		}
	}
	for _, code := range []string{"08", "10", "11", "16", "32", "85", "87", "A2", "A4", "A5", "A6"} {
		f := good()
		f[39] = code
		if r, err := acq.Reply(build(t, acq.Layout(), 0x0210, f), p, p.Numbers); err == nil {
			t.Errorf("%s, by which money was taken, became %+v", code, r.Answer)
		}
	}
	f := good()
	delete(f, 39)
	if _, err := acq.Reply(build(t, acq.Layout(), 0x0210, f), p, p.Numbers); err == nil {
		t.Error("a reply without field 39 was taken")
	}
}

func TestRequestAndReplyHaveOneKey(t *testing.T) {
	acq := NewAcquirer("12345678", "5999")
	p, card := payment(t)
	raw, err := acq.Request(nil, p, card, secret.PINBlock{})
	if err != nil {
		t.Fatal(err)
	}
	var v iso8583.View
	if err := acq.Layout().Parse(raw, &v); err != nil {
		t.Fatal(err)
	}
	asked, _ := acq.InFlightKey(&v)
	reply := build(t, acq.Layout(), 0x0210, map[int]string{7: "1123010203", 11: "000017", 39: "00"})
	got, kind := acq.InFlightKey(reply)
	if asked != got || kind != FinancialReply {
		t.Errorf("request %q, reply %q, kind %d", asked, got, kind)
	}
}
