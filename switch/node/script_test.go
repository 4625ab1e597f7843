// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"
	"time"

	"tapswitch/internal/money"
	"tapswitch/iso8583"
	"tapswitch/iso8583/bertlv"
	"tapswitch/simulators/card"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
	"tapswitch/terminal/kernel"
)

// scripted has bank A's issuer send a script with each approval of a chip.
func scripted(r *rig) { r.script = "04da9f580301aabb" }

// results are the lines of bank A's books about results of scripts that were taken in.
func (r *rig) results() (n int) {
	for _, e := range r.a.host.Books() {
		if e.Reason == "script_result" {
			n++
		}
	}
	return n
}

// Results of scripts over the wire: told yes while the acquirer is down, taken there
// once through a silent answer and a restart; under another trace number, after the
// reversal and after the batch too; another one of the same approval is refused.
func TestScriptResults(t *testing.T) {
	r := newRigWith(t, scripted)
	w := r.wire(0)
	w.signOn(w.dial(), 1)
	c := r.tap("unionpay", 1000)
	bought := w.expect("purchase", w.sale(0x0200, 2, 1000, c), "00", true)
	rrn := string(bought.AppendText(nil, 37))
	script, ok := bertlv.Find(bought.Raw(55), 0x72)
	id, named := bertlv.Find(script, 0x9F18)
	if !ok || !named {
		t.Fatalf("the approval brings %x", bought.Raw(55))
	}
	tell := func(trace uint32, nibble byte, edits ...func(*iso8583.Builder)) []byte {
		icc, _ := hex.DecodeString(fmt.Sprintf("df3105%02x%x95050000000000", nibble<<4, id))
		return w.sale(0x0620, trace, 1000, c, append([]func(*iso8583.Builder){func(b *iso8583.Builder) {
			b.Unset(39)
			b.SetString(37, rrn)
			b.SetBytes(55, icc)
			b.SetString(60, "2200000195160")
			b.SetString(61, "000001000002")
		}}, edits...)...)
	}
	r.a.mood("down")
	for _, what := range []string{"a result", "its repeat"} {
		if v := w.expect(what, tell(3, 2), "00", true); v.MTI() != 0x0630 || len(v.Raw(37)) != 12 || string(v.Raw(37)) == rrn || v.Has(55) {
			t.Errorf("%s: %s %q", what, v.MTI(), v.Raw(37))
		}
	}
	w.expect("another content", tell(3, 1), "94", true)
	w.expect("the same again", tell(4, 2), "00", true)
	w.expect("another result", tell(5, 1), "94", true)
	w.expect("of nothing", tell(6, 2, func(b *iso8583.Builder) { b.SetString(61, "000001000009") }), "25", true)
	w.expect("of another amount", tell(7, 2, func(b *iso8583.Builder) { b.SetUint(4, 1001) }), "64", true)
	w.expect("without results", tell(8, 2, func(b *iso8583.Builder) { b.SetBytes(55, []byte{0x95, 5, 0, 0, 0, 0, 0}) }), "30", false)
	r.restartWith("silent once")
	r.settled()
	if p, _ := r.find(0, 3); p.State != txn.Advised || r.results() != 1 || r.a.taken() != 1000 {
		t.Errorf("%s, %d results, %d taken", p.State, r.results(), r.a.taken())
	}
	w.expect("the same after a restart", tell(9, 2), "00", true)
	w.expect("the purchase is reversed", w.sale(0x0400, 2, 1000, c), "00", true)
	r.settled()
	w.expect("the same after the reversal", tell(10, 2), "00", true)
	if s := r.a.host.Summary(); s.Check != "ok" || r.results() != 1 || r.a.taken() != 0 {
		t.Errorf("books %s, %d results, %d taken", s.Check, r.results(), r.a.taken())
	}
	r.agree()
}

// The terminal's program end to end: a sale with a script, what became of it, and the
// close of the batch.
func TestScriptOfATerminal(t *testing.T) {
	r := newRigWith(t, scripted)
	till := r.term(0)
	sale := till.sale("unionpay", 1000, "")
	till.want(sale, host.Approved, "00")
	ids, err := host.Scripts(sale.ICC)
	if err != nil || len(ids) != 1 {
		t.Fatalf("scripts %x %v", ids, err)
	}
	if err := till.host.ScriptsDone(context.Background(), sale.Trace, []host.ScriptResult{{Done: host.Performed, ID: ids[0]}}); err != nil {
		t.Fatal(err)
	}
	told, err := till.host.Upload(context.Background(), false)
	if err != nil || len(told) != 1 || !told[0].Done || told[0].Kind != host.KindScript {
		t.Fatalf("%+v %v", told, err)
	}
	r.settled()
	if p, _ := r.find(0, told[0].Trace); p.State != txn.Advised || r.results() != 1 {
		t.Errorf("%s, %d results", p.State, r.results())
	}
	again := till.sale("unionpay", 500, "")
	till.want(again, host.Approved, "00")
	if ids, err := host.Scripts(again.ICC); err != nil || len(ids) != 0 || till.host.Kept() != 0 {
		t.Errorf("carried out, and another approval brings %x %v; %d kept", ids, err, till.host.Kept())
	}
	ended, err := till.host.Settle(context.Background())
	if err != nil || ended.Ours != ended.Theirs || ended.Ours.Debits != 2 {
		t.Errorf("settled %+v %v", ended, err)
	}
	if s := r.a.host.Summary(); s.Check != "ok" || r.a.taken() != 1500 {
		t.Errorf("books %s, %d taken", s.Check, r.a.taken())
	}
}

// From the card to the card: its issuer's script comes with the approval, the card
// believes the issuer at a second tap and carries it out, and the issuer hears that and
// sends none any more.
func TestScriptCarriedOut(t *testing.T) {
	r := newRigWith(t, scripted)
	till := r.term(0)
	c := r.drawn("unionpay-scripts")
	cfg := kernel.DefaultConfig()
	for i := range cfg.Applications {
		cfg.Applications[i].TTQ[2] |= kernel.UpdateTTQ
	}
	sale := func() (host.Result, kernel.Outcome) {
		t.Helper()
		purchase, err := kernel.NewPurchase(rand.Reader, money.Amount{Minor: 700, Currency: money.CNY}, time.Now(), 1)
		if err != nil {
			t.Fatal(err)
		}
		c.PowerOn()
		out, err := kernel.Run(context.Background(), plastic{c}, cfg, purchase)
		if err != nil || !out.Update {
			t.Fatalf("%v %v, %v", out.Kind, out.Update, err)
		}
		if _, _, err := till.host.Ready(context.Background()); err != nil {
			t.Fatal(err)
		}
		bought := till.host.Sale(context.Background(), host.Sale{Amount: 700, Card: host.Card{PAN: out.PAN, PSN: out.PSN, Expiry: out.Expiry, Track2: out.Track2, ICC: out.ICC, Entry: host.Contactless}})
		till.want(bought, host.Approved, "00")
		return bought, out
	}
	bought, out := sale()
	c.PowerOn()
	done, err := kernel.RunScripts(context.Background(), plastic{c}, out.AID, bought.ICC)
	if err != nil || len(done) != 1 || !done[0].Begun || done[0].Refused != 0 || hex.EncodeToString(c.Value(0x9F58)) != "01aabb" {
		t.Fatalf("%+v %v, the card has %x", done, err, c.Value(0x9F58))
	}
	if err := till.host.ScriptsDone(context.Background(), bought.Trace, []host.ScriptResult{{Done: host.Performed, ID: done[0].ID}}); err != nil {
		t.Fatal(err)
	}
	if told, err := till.host.Upload(context.Background(), false); err != nil || len(told) != 1 || !told[0].Done {
		t.Fatalf("%+v %v", told, err)
	}
	r.settled()
	if again, _ := sale(); r.results() != 1 {
		t.Errorf("%d results", r.results())
	} else if ids, err := host.Scripts(again.ICC); err != nil || len(ids) != 0 {
		t.Errorf("carried out, and another approval brings %x %v", ids, err)
	}
}

// drawn is a card of the deck.
func (r *rig) drawn(name string) *card.Card {
	r.Helper()
	deck, err := card.Deck()
	if err != nil {
		r.Fatal(err)
	}
	at := slices.IndexFunc(deck, func(p card.Profile) bool { return p.Name == name })
	c, err := card.New(deck[at], r.cards)
	if err != nil {
		r.Fatal(err)
	}
	return c
}
