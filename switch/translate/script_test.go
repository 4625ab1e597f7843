// SPDX-License-Identifier: Apache-2.0

package translate

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"tapswitch/iso8583"
	"tapswitch/switch/txn"
)

// scriptFields is the result of a script as a terminal sends it, with the card's
// track in field 55, which no specification asks for.
func scriptFields(icc string) map[int]string {
	f := saleFields()
	for _, n := range []int{14, 26, 35, 52, 53} {
		delete(f, n)
	}
	raw, _ := hex.DecodeString(icc)
	f[37], f[38], f[55], f[60], f[61] = "632700000001", "A1B2C3", string(raw), "22000007951", "0000070000411123"
	return f
}

const scriptICC = "57116224242300000069d30122011234500000" + // track 2
	"9f3303e0f1c8" + "95050000048010" + "9f3704000000ab" + "9f26080102030405060708" + "9f3602002a" + "82027c00" + "df310520000000019f1a0201569a03261123"

// The result names its original by reference number, batch and trace; of field 55 what
// the issuer needs is kept, the results under EMV's tag.
func TestScriptResultOfATerminal(t *testing.T) {
	term := NewTerminal()
	r, err := term.Request(build(t, term.Layout(), 0x0620, scriptFields(scriptICC)))
	if err != nil || r.Key.Class != txn.ScriptResult || r.Key.Type != 22 || r.OfRRN.String() != "632700000001" || string(r.OfAuth[:]) != "A1B2C3" ||
		r.Original.Trace != 41 || r.Original.Batch != 7 || r.Amount.Minor != 1234 {
		t.Fatalf("%+v %v", r, err)
	}
	want := "9f5b052000000001" + "95050000048010" + "9f26080102030405060708" + "9f3602002a" + "9f3704000000ab" + "82027c00" + "9f1a020156" + "9a03261123" + "9f3303e0f1c8"
	if got := hex.EncodeToString(r.Script); got != want {
		t.Errorf("kept %s\nwant %s", got, want)
	}
	emv := scriptFields(strings.Replace(scriptICC, "df31", "9f5b", 1))
	if r, err := term.Request(build(t, term.Layout(), 0x0620, emv)); err != nil || hex.EncodeToString(r.Script) != want {
		t.Errorf("tag 9F5B: %x %v", r.Script, err)
	}
	for what, kind := range map[string][3]string{"cash": {"010000", "00", "22"}, "cashback": {"090000", "00", "22"}, "a pre-authorization": {"030000", "06", "10"}} {
		f := scriptFields(scriptICC)
		f[3], f[25], f[60] = kind[0], kind[1], kind[2]+"000007951"
		if r, err := term.Request(build(t, term.Layout(), 0x0620, f)); err != nil || r.Key.Class != txn.ScriptResult {
			t.Errorf("of %s: %s %v", what, r.Key.Class, err)
		}
	}
}

func TestScriptResultIsRefused(t *testing.T) {
	term := NewTerminal()
	refused := func(what string, f map[int]string, want txn.Reason) {
		t.Helper()
		var d *txn.Decline
		if _, err := term.Request(build(t, term.Layout(), 0x0620, f)); !errors.As(err, &d) || d.Reason != want {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
	for what, icc := range map[string]string{
		"no results":            strings.Replace(scriptICC, "df31052000000001", "", 1),
		"both tags":             scriptICC + "9f5b052000000001",
		"results of four bytes": strings.Replace(scriptICC, "df31052000000001", "df310420000000", 1),
		"five results":          strings.Replace(scriptICC, "df31052000000001", "df3119"+strings.Repeat("2000000001", 5), 1),
		"no TVR":                strings.Replace(scriptICC, "95050000048010", "", 1),
		"a short TVR":           strings.Replace(scriptICC, "95050000048010", "950400000480", 1),
		"torn":                  scriptICC + "9f1e08",
	} {
		refused(what, scriptFields(icc), txn.DeclineScript.Reason)
	}
	for _, n := range []int{37, 61} {
		f := scriptFields(scriptICC)
		delete(f, n)
		refused("without a field", f, txn.DeclineField.Reason)
	}
	f := scriptFields("")
	delete(f, 55)
	refused("without field 55", f, txn.DeclineScript.Reason)
	f = scriptFields(scriptICC)
	f[3], f[60] = "310000", "01000007951"
	refused("of an inquiry", f, txn.DeclineUnsupported.Reason)
}

// The acquirer is told with the original's processing code and numbers; other dialects
// refuse to carry it.
func TestScriptResultOfAcquirers(t *testing.T) {
	eachAcquirer(t, func(t *testing.T, a *Acquirer) {
		for class, want := range map[txn.Class][2]string{txn.Purchase: {"0200", "000000"}, txn.PreAuth: {"0100", "030000"}} {
			o, card := payment(t)
			o.Key.Class = class
			p := *o
			p.Key.Class, p.Key.Trace, p.Original, p.Of, p.Answer.Auth = txn.ScriptResult, 43, o.Key, o.Numbers, [6]byte([]byte("A1B2C3"))
			p.Numbers.STAN, p.Script = 18, []byte("\x9F\x5B\x05\x20\x00\x00\x00\x01\x95\x05\x00\x00\x04\x80\x10")
			raw, err := a.Advice(nil, &p, card.PAN, &txn.Payment{Key: p.Original, Numbers: p.Of}, true)
			if (err == nil) != (a.t.family == family87) || (err == nil) != a.Serves(txn.ScriptResult) {
				t.Fatalf("built: %v", err)
			}
			if err != nil {
				continue
			}
			v := parsed(t, a.Layout(), raw)
			says, _ := itemsOf(a.t, v)
			if v.MTI() != iso8583.MTI(0x0621) || says[itemProcedure] != want[1] || string(v.Raw(55)) != string(p.Script) || says[itemOriginalMTI] != want[0] ||
				says[itemOriginalTrace] != "000017" || says[38] != "A1B2C3" || v.Has(35) || !v.Has(128) {
				t.Errorf("%s %v", v.MTI(), says)
			}
			if r, err := a.Reply(replyTo(t, a, v, "00", nil), &p, p.Numbers); err != nil || !r.Answer.Approved() {
				t.Errorf("answer %s: %v", r.Answer.Code, err)
			}
			asked, _ := a.InFlightKey(v)
			reply, kind := a.InFlightKey(replyTo(t, a, v, "00", nil))
			if kind != FinancialReply || asked != reply {
				t.Errorf("the answer is of kind %d and key %q for %q", kind, reply, asked)
			}
			if _, err := a.Advice(nil, &p, card.PAN, nil, false); err == nil {
				t.Error("a result of nothing was built")
			}
		}
	})
}
