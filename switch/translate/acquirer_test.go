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

func eachAcquirer(t *testing.T, test func(*testing.T, *Acquirer)) {
	for _, name := range AcquirerDialects() {
		t.Run(name, func(t *testing.T) {
			a, err := NewAcquirerOf(AcquirerProfile{Dialect: name, Institution: "48431665", MerchantType: "5812", Destination: "00010000"})
			if err != nil {
				t.Fatal(err)
			}
			test(t, a)
		})
	}
}

func parsed(t *testing.T, l *iso8583.Layout, raw []byte) *iso8583.View {
	t.Helper()
	v := new(iso8583.View)
	if err := l.Parse(raw, v); err != nil {
		t.Fatal(err)
	}
	return v
}

// replyTo makes a host's answer: the request's own fields, a code and a MAC.
func replyTo(t *testing.T, a *Acquirer, v *iso8583.View, code string, change func(*iso8583.Builder)) *iso8583.View {
	t.Helper()
	var b iso8583.Builder
	b.Reset(a.t.layout, v.MTI().Response())
	for _, n := range append([]int{7, 32, 33}, a.t.answers...) {
		b.Copy(n, v)
	}
	here := code
	if a.t.codes != nil {
		here, _ = a.t.codeHere([]byte(code), v.MTI())
	}
	b.SetString(39, here)
	b.SetString(38, "A1B2C3")
	if change != nil {
		change(&b)
	}
	b.SetBytes(a.t.macs[len(a.t.macs)-1], []byte("12345678"))
	raw, err := b.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, a.t.layout, raw)
}

// A purchase, its answer and its reversal in every dialect of a link.
func TestEveryAcquirerDialect(t *testing.T) {
	eachAcquirer(t, func(t *testing.T, a *Acquirer) {
		p, card := payment(t)
		pin, _ := secret.NewPINBlock(bytes.Repeat([]byte{7}, 8))
		raw, err := a.Request(nil, p, card, pin)
		if err != nil {
			t.Fatal(err)
		}
		v := parsed(t, a.Layout(), raw)
		says, _ := itemsOf(a.t, v)
		for i, want := range map[item]string{
			itemPAN: testPAN, itemProcedure: "000000", itemAmount: "000000001234", itemCurrency: "156", itemSent: "1123010203", itemTrace: "17",
			itemLocalTime: "010203", itemLocalDate: "1123", 14: "3012", itemMCC: "5812", itemEntry: "071", 23: "001", itemAcquirer: "48431665",
			37: "632700000017", itemTerminal: "10000001", itemMerchant: "123456789012345", itemPIN: strings.Repeat("\x07", 8),
			itemTrack2: testPAN + "=30122011234500000", itemChip: "\x9f\x02\x06\x00\x00\x00\x00\x12\x34",
		} {
			if says[i] != want {
				t.Errorf("item %d is %q, want %q", i, says[i], want)
			}
		}
		if covered, mac := SplitMAC(raw); !bytes.Equal(mac, noMAC) || len(covered)+8 != len(raw) {
			t.Error("the MAC's place is not the last eight bytes")
		}
		asked, _ := a.InFlightKey(v)
		reply := replyTo(t, a, v, "00", nil)
		got, kind := a.InFlightKey(reply)
		if asked != got || kind != FinancialReply || !a.PurchaseReply(reply) {
			t.Errorf("request %q, reply %q, kind %d", asked, got, kind)
		}
		r, err := a.Reply(reply, p, p.Numbers)
		if err != nil || !r.Answer.Approved() || !r.HasMAC || string(r.Answer.Auth[:]) != "A1B2C3" || string(r.MAC[:]) != "12345678" {
			t.Errorf("%+v %v", r, err)
		}
		if stan, at, ok := a.Sent(reply); !ok || stan != 17 || at != "1123010203" {
			t.Errorf("sent %d %s %v", stan, at, ok)
		}
		reversal(t, a, p, card.PAN)
	})
}

func reversal(t *testing.T, a *Acquirer, p *txn.Payment, pan secret.PAN) {
	t.Helper()
	raw, err := a.Reversal(nil, p, pan, true)
	if err != nil {
		t.Fatal(err)
	}
	v := parsed(t, a.Layout(), raw)
	if v.MTI() != a.t.reversal|1 {
		t.Errorf("repeat is %s", v.MTI())
	}
	says, _ := itemsOf(a.t, v)
	if says[itemOriginalTrace] != "000017" || says[itemOriginalMTI] != "0200" || says[itemOriginalAcquirer] != "48431665" ||
		says[itemOriginalSent]+says[itemOriginalLocal] != "1123010203" && says[itemOriginalSent]+says[itemOriginalLocal] != "261123010203" {
		t.Errorf("original is %v", says)
	}
	for _, i := range []item{itemTrack2, itemPIN, itemChip} {
		if says[i] != "" {
			t.Errorf("a reversal must not carry item %d", i)
		}
	}
	reply := replyTo(t, a, v, "00", nil)
	asked, _ := a.InFlightKey(v)
	if got, _ := a.InFlightKey(reply); got != asked {
		t.Errorf("reversal %q, reply %q", asked, got)
	}
	if r, err := a.Reply(reply, p, p.Undo); err != nil || !r.Answer.Approved() || a.PurchaseReply(reply) {
		t.Errorf("%+v %v", r, err)
	}
}

// An answer that does not repeat the request is refused, whatever field differs.
func TestEveryReplyMustRepeat(t *testing.T) {
	eachAcquirer(t, func(t *testing.T, a *Acquirer) {
		p, card := payment(t)
		raw, err := a.Request(nil, p, card, secret.PINBlock{})
		if err != nil {
			t.Fatal(err)
		}
		v := parsed(t, a.Layout(), raw)
		for _, n := range a.t.answers {
			other := v.AppendText(nil, n)
			other[len(other)-1] = '9' - (other[len(other)-1] - '0') // another digit
			for name, change := range map[string]func(*iso8583.Builder){
				"other":  func(b *iso8583.Builder) { b.SetText(n, other) },
				"absent": func(b *iso8583.Builder) { b.Unset(n) },
			} {
				if _, err := a.Reply(replyTo(t, a, v, "00", change), p, p.Numbers); err == nil {
					t.Errorf("taken with %s field %d", name, n)
				}
			}
		}
		r, err := a.Reply(replyTo(t, a, v, "51", nil), p, p.Numbers)
		if err != nil || r.Answer.Code.String() != "51" || r.Answer.Reason != txn.DeclineAcquirer.Reason {
			t.Errorf("%+v %v", r, err)
		}
		if _, err := a.Reply(replyTo(t, a, v, "00", func(b *iso8583.Builder) { b.Unset(39) }), p, p.Numbers); err == nil {
			t.Error("taken without field 39")
		}
	})
}

// Network messages: ours are answered under their key, the host's get a yes.
func TestEveryNetworkMessage(t *testing.T) {
	eachAcquirer(t, func(t *testing.T, a *Acquirer) {
		at := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
		raw, err := a.Network(nil, NetworkEcho, txn.Numbers{STAN: 5, At: at})
		if err != nil {
			t.Fatal(err)
		}
		v := parsed(t, a.Layout(), raw)
		if says, _ := itemsOf(a.t, v); says[itemNetwork] != "301" || a.KindOf(v) != NetworkRequest {
			t.Errorf("network code %q, kind %d", says[itemNetwork], a.KindOf(v))
		}
		if raw, err = a.NetworkAnswer(nil, v); err != nil {
			t.Fatal(err)
		}
		answer := parsed(t, a.Layout(), raw)
		asked, _ := a.InFlightKey(v)
		got, kind := a.InFlightKey(answer)
		if got != asked || kind != NetworkReply || a.Code(answer) != txn.CodeApproved {
			t.Errorf("request %q, answer %q, kind %d, code %s", asked, got, kind, a.Code(answer))
		}
	})
}

func TestAcquirerProfiles(t *testing.T) {
	if _, err := NewAcquirerOf(AcquirerProfile{Dialect: "iso2003bin"}); err == nil || !strings.Contains(err.Error(), "iso93bin") {
		t.Errorf("%v", err)
	}
	eachAcquirer(t, func(t *testing.T, a *Acquirer) {
		header := a.Header(nil, 100)
		if (len(header) > 0) != a.Format().HasHeader() {
			t.Errorf("header of %d bytes, the format has one: %v", len(header), a.Format().HasHeader())
		}
		if want := map[bool]hsm.MACAlgorithm{true: hsm.MACUnionPayECB, false: hsm.MACRetail}[len(header) > 0]; a.MAC() != want {
			t.Errorf("MAC algorithm %d", a.MAC())
		}
	})
}

// What one switch sends as an acquirer, another reads as a peer, and the other
// way round, in every dialect that both speak.
func TestPeers(t *testing.T) {
	eachAcquirer(t, func(t *testing.T, a *Acquirer) {
		peer, err := NewPeer(a.t.name)
		if err != nil {
			t.Fatal(err)
		}
		p, card := payment(t)
		pin, _ := secret.NewPINBlock(bytes.Repeat([]byte{7}, 8))
		raw, err := a.Request(nil, p, card, pin)
		if err != nil {
			t.Fatal(err)
		}
		v := parsed(t, peer.Layout(), raw)
		r, err := peer.Request(v)
		if err != nil {
			t.Fatal(err)
		}
		want := txn.Key{Terminal: p.Key.Terminal, Merchant: p.Key.Merchant, Batch: 1123010203, Trace: 17, Class: txn.Purchase}
		if r.Key != want || r.Amount != (money.Amount{Minor: 1234, Currency: money.CNY}) || string(r.Entry[:]) != "071" || string(r.PSN[:]) != "001" {
			t.Errorf("%+v", r.Key)
		}
		if string(r.Card.PAN.Reveal(secret.ForTest)) != testPAN || r.Card.PIN.IsZero() || r.Card.ICC.IsZero() || r.Card.Track2.IsZero() || !r.HasMAC {
			t.Error("card data or MAC is missing")
		}
		ans := txn.Answer{Code: txn.CodeApproved, RRN: p.Numbers.RRN, Auth: [6]byte([]byte("A12345")), SettleMD: [4]byte([]byte("1123")), At: p.Numbers.At, ICC: []byte{0x91, 1, 2}}
		if raw, err = peer.Answer(nil, v, ans, true); err != nil {
			t.Fatal(err)
		}
		reply, err := a.Reply(parsed(t, a.Layout(), raw), p, p.Numbers)
		if err != nil || !reply.Answer.Approved() || reply.Answer.Auth != ans.Auth || reply.Answer.SettleMD != ans.SettleMD || !bytes.Equal(reply.Answer.ICC, ans.ICC) {
			t.Errorf("%+v %v", reply.Answer, err)
		}
		if raw, err = a.Reversal(nil, p, card.PAN, false); err != nil {
			t.Fatal(err)
		}
		undo, err := peer.Request(parsed(t, peer.Layout(), raw))
		if err != nil || undo.Original != want || undo.Key.Class != txn.Reversal {
			t.Errorf("original %+v, want %+v, %v", undo.Original, want, err)
		}
	})
}

// What a peer asks in a wrong form is refused by name.
func TestPeerRefusals(t *testing.T) {
	if _, err := NewPeer("unionpaypos"); err == nil {
		t.Error("terminals are no peers")
	}
	peer, err := NewPeer("iso87bin")
	if err != nil {
		t.Fatal(err)
	}
	good := func() map[int]string {
		return map[int]string{2: testPAN, 3: "000000", 4: "000000001234", 7: "1123010203", 11: "000017", 41: "10000001", 42: "123456789012345", 49: "156"}
	}
	for _, c := range []struct {
		name   string
		mti    iso8583.MTI
		change func(map[int]string)
		want   *txn.Decline
	}{
		{"refund", 0x0200, func(f map[int]string) { f[3] = "200000" }, txn.DeclineUnsupported},
		{"other edition", 0x1200, func(map[int]string) {}, txn.DeclineUnsupported},
		{"settlement", 0x0500, func(map[int]string) {}, txn.DeclineUnsupported},
		{"no time", 0x0200, func(f map[int]string) { delete(f, 7) }, txn.DeclineField},
		{"no amount", 0x0200, func(f map[int]string) { delete(f, 4) }, txn.DeclineField},
		{"currency in letters", 0x0200, func(f map[int]string) { f[49] = "USD" }, txn.DeclineField},
		{"currency with a sign", 0x0200, func(f map[int]string) { f[49] = "+15" }, txn.DeclineField},
		{"no card", 0x0200, func(f map[int]string) { delete(f, 2) }, txn.DeclineField},
		{"two cards", 0x0200, func(f map[int]string) { f[35] = "6224242300000070=3012" }, txn.DeclineTrack},
		{"PIN without 53", 0x0200, func(f map[int]string) { f[52] = "12345678" }, txn.DeclineUnsupported},
		{"reversal of nothing", 0x0400, func(map[int]string) {}, txn.DeclineField},
	} {
		f := good()
		c.change(f)
		_, err := peer.Request(build(t, peer.Layout(), c.mti, f))
		if d, ok := errors.AsType[*txn.Decline](err); !ok || d.Reason != c.want.Reason {
			t.Errorf("%s: %v, want %s", c.name, err, c.want.Reason)
		}
	}
}
