// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/soft"
	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/unionpaypos"
	"tapswitch/iso8583/frame"
	"tapswitch/simulators/card"
	"tapswitch/terminal/host"
	"tapswitch/terminal/kernel"
)

// term is a terminal program with its own disk, which outlives the program.
type term struct {
	testing.TB
	rig  *rig
	id   int
	soft *soft.Module
	disk *fake.Disk
	host *host.Host
	net  env.Network
	edit func(*host.Config)
}

func (r *rig) term(i int, edits ...func(*host.Config)) *term {
	r.Helper()
	t := &term{TB: r.TB, rig: r, id: i, disk: fake.NewDisk(), net: r.world.Net}
	if len(edits) > 0 {
		t.edit = edits[0]
	}
	t.open()
	r.Cleanup(func() { t.host.Close() })
	return t
}

// open starts the program on what its disk has.
func (t *term) open() {
	t.Helper()
	world := t.rig.world
	world.Disk, world.Net = t.disk, t.net
	var err error
	if t.soft, err = soft.New(world.Rand, world.Clock); err != nil {
		t.Fatal(err)
	}
	keys, err := host.SoftKeys(context.Background(), t.soft, terminalID(t.id), t.rig.secretKey(tmkHex), t.rig.secretKey(storageHex))
	if err != nil {
		t.Fatal(err)
	}
	cfg := host.Config{Terminal: terminalID(t.id), Merchant: merchant, TPDU: frame.TPDU{0x60, 0, 3, 0, 0}, Header: frame.Header{0x60, 0x31, 0, 0x31, 1, 0},
		Address: t.rig.addr, Answer: 5 * time.Second, Dial: time.Second, Dir: "state"}
	if t.edit != nil {
		t.edit(&cfg)
	}
	if t.host, err = host.Open(context.Background(), world, keys, cfg); err != nil {
		t.Fatal(err)
	}
}

// reopen is a power cut of the terminal; it finds a switch that moved.
func (t *term) reopen() {
	t.Helper()
	if err := t.host.Close(); err != nil {
		t.Fatal(err)
	}
	t.open()
}

// plastic lets a card of the deck answer the kernel.
type plastic struct{ card *card.Card }

func (p plastic) Transceive(_ context.Context, apdu []byte) ([]byte, error) {
	answer, present := p.card.Transceive(apdu)
	if !present {
		return nil, io.EOF
	}
	return answer, nil
}

// tap reads a card of the deck for an amount.
func (r *rig) tap(name string, amount int64, edits ...func(*kernel.Transaction)) host.Card {
	r.Helper()
	deck, err := card.Deck()
	if err != nil {
		r.Fatal(err)
	}
	for _, p := range deck {
		if p.Name != name {
			continue
		}
		c, err := card.New(p, r.cards)
		if err != nil {
			r.Fatal(err)
		}
		t, err := kernel.NewPurchase(rand.Reader, money.Amount{Minor: money.MinorUnits(amount), Currency: money.CNY}, time.Now(), 1)
		if err != nil {
			r.Fatal(err)
		}
		for _, edit := range edits {
			edit(&t)
		}
		out, err := kernel.Run(context.Background(), plastic{c}, kernel.DefaultConfig(), t)
		if err != nil || out.Kind != kernel.OnlineRequest {
			r.Fatalf("card %s: %v %v %v", name, out.Kind, out.Reason, err)
		}
		return host.Card{PAN: out.PAN, PSN: out.PSN, Expiry: out.Expiry, Track2: out.Track2, ICC: out.ICC, Entry: host.Contactless}
	}
	r.Fatalf("no card %q in the deck", name)
	return host.Card{}
}

// sale makes the terminal ready and pays; pin may be empty.
func (t *term) sale(name string, amount int64, pin string) host.Result {
	t.Helper()
	if _, reason, err := t.host.Ready(context.Background()); err != nil || reason != host.ReasonNone {
		return host.Result{Outcome: host.NotSent, Reason: reason, Err: err}
	}
	s := host.Sale{Amount: money.MinorUnits(amount), Card: t.rig.tap(name, amount)}
	if pin != "" {
		digits, err := secret.NewKey([]byte(pin))
		if err != nil {
			t.Fatal(err)
		}
		if s.PIN, err = t.soft.EncipherPIN(context.Background(), digits, hsm.PINTarget{Format: hsm.ISO0, Key: t.host.PINKey(), PAN: s.Card.PAN}); err != nil {
			t.Fatal(err)
		}
	}
	return t.host.Sale(context.Background(), s)
}

// want fails unless the sale ended like this.
func (t *term) want(r host.Result, outcome host.Outcome, code string) host.Result {
	t.Helper()
	if r.Outcome != outcome || r.Code != code {
		t.Errorf("trace %d: %s %s %s %v, want %s %s", r.Trace, r.Outcome, r.Code, r.Reason, r.Err, outcome, code)
	}
	return r
}

// drained sends the terminal's reversal until it is acknowledged.
func (t *term) drained() {
	t.Helper()
	t.rig.soon("terminal's reversal memory empty", func() bool {
		_, reason, err := t.host.Ready(context.Background())
		_, due := t.host.Pending()
		return err == nil && reason == host.ReasonNone && !due
	})
}

// wire is a terminal that says what a test wants, byte by byte.
type wire struct {
	testing.TB
	rig      *rig
	id       int
	soft     *soft.Module
	tmk      hsm.Key
	tpk, tak hsm.Key
	version  uint32
	layout   *iso8583.Layout
}

func (r *rig) wire(i int) *wire {
	r.Helper()
	w := &wire{TB: r.TB, rig: r, id: i, layout: unionpaypos.New()}
	var err error
	if w.soft, err = soft.New(r.world.Rand, r.world.Clock); err != nil {
		r.Fatal(err)
	}
	w.tmk, err = w.soft.LoadClear(context.Background(), hsm.Spec{Name: "tmk", Usage: hsm.TMK, Algorithm: hsm.TDES2, Owner: "t", Version: 1}, r.secretKey(tmkHex))
	if err != nil {
		r.Fatal(err)
	}
	return w
}

func (w *wire) dial() net.Conn {
	w.Helper()
	c, err := net.Dial("tcp", w.rig.addr)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { c.Close() })
	return c
}

// send writes one message.
func (w *wire) send(c net.Conn, body []byte) {
	w.Helper()
	raw, err := frame.UnionPayPOS().Append(nil, frame.Frame{TPDU: frame.TPDU{0x60, 0, 3, 0, 0}, Header: make([]byte, 6), Body: body})
	if err == nil {
		_, err = c.Write(raw)
	}
	if err != nil {
		w.Fatal(err)
	}
}

// receive reads one answer; nil when the connection ended instead.
func (w *wire) receive(c net.Conn) *iso8583.View {
	w.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		w.Fatal(err)
	}
	fr, _, err := frame.UnionPayPOS().Read(c, nil)
	if err != nil {
		if t, ok := err.(net.Error); ok && t.Timeout() {
			w.Fatal("no answer")
		}
		return nil
	}
	var v iso8583.View
	if err := w.layout.Parse(append([]byte(nil), fr.Body...), &v); err != nil {
		w.Fatal(err)
	}
	return &v
}

func (w *wire) ask(c net.Conn, body []byte) *iso8583.View {
	w.Helper()
	w.send(c, body)
	return w.receive(c)
}

// signOn fetches keys and changes to them.
func (w *wire) signOn(c net.Conn, trace uint32) {
	w.Helper()
	w.take(w.signOnAnswer(c, trace))
}

// signOnAnswer fetches keys and leaves them alone.
func (w *wire) signOnAnswer(c net.Conn, trace uint32) []byte {
	w.Helper()
	set := w.keySet(c, trace)
	if set == nil {
		w.Fatal("sign-on refused")
	}
	return set
}

// keySet is field 62 of the answer to a sign-on, nil when it is refused.
func (w *wire) keySet(c net.Conn, trace uint32) []byte {
	w.Helper()
	var b iso8583.Builder
	b.Reset(w.layout, 0x0800)
	b.SetUint(11, uint64(trace))
	b.SetString(41, terminalID(w.id))
	b.SetString(42, merchant)
	b.SetString(60, "00000001003")
	b.SetString(63, "001")
	body, err := b.Append(nil)
	if err != nil {
		w.Fatal(err)
	}
	v := w.ask(c, body)
	if v == nil || string(v.AppendText(nil, 39)) != "00" || len(v.Raw(62)) != 40 {
		return nil
	}
	return v.Raw(62)
}

func (w *wire) take(field62 []byte) {
	w.Helper()
	w.version++
	for _, k := range []struct {
		to    *hsm.Key
		usage hsm.Usage
		from  []byte
	}{{&w.tpk, hsm.TPK, field62[:20]}, {&w.tak, hsm.TAK, field62[20:]}} {
		in := hsm.Exported{Cryptogram: k.from[:16], KCV: [4]byte(k.from[16:20])}
		want := hsm.WorkingKey{Spec: hsm.Spec{Name: fmt.Sprint(k.usage), Usage: k.usage, Algorithm: hsm.TDES2, Owner: "t", Version: w.version}}
		keys, err := w.soft.LoadSet(context.Background(), &w.tmk, []hsm.WorkingKey{want}, []hsm.Exported{in})
		if err != nil {
			w.Fatal(err)
		}
		*k.to = keys[0]
	}
}

// sale builds a purchase, or its reversal, with a MAC.
func (w *wire) sale(mti iso8583.MTI, trace uint32, amount int64, c host.Card, edits ...func(*iso8583.Builder)) []byte {
	w.Helper()
	var b iso8583.Builder
	b.Reset(w.layout, mti)
	b.SetText(2, c.PAN.Reveal(secret.ForTest))
	b.SetString(3, "000000")
	b.SetUint(4, uint64(amount))
	b.SetUint(11, uint64(trace))
	b.SetString(14, c.Expiry)
	b.SetString(22, "072")
	b.SetString(23, "0"+c.PSN)
	b.SetString(25, "00")
	if mti == 0x0200 {
		b.SetText(35, c.Track2.AppendTo(nil, secret.ForTest))
		b.SetString(53, "0600000000000000")
		b.SetBytes(55, c.ICC.AppendTo(nil, secret.ForTest))
	} else {
		b.SetString(39, "98")
	}
	b.SetString(41, terminalID(w.id))
	b.SetString(42, merchant)
	b.SetString(49, "156")
	b.SetString(60, "2200000100060")
	b.SetBytes(64, make([]byte, 8))
	for _, edit := range edits {
		edit(&b)
	}
	body, err := b.Append(nil)
	if err != nil {
		w.Fatal(err)
	}
	if w.version > 0 {
		mac, err := w.soft.MAC(context.Background(), &w.tak, hsm.MACUnionPayECB, body[:len(body)-8])
		if err != nil {
			w.Fatal(err)
		}
		copy(body[len(body)-8:], mac[:])
	}
	return body
}

// code is field 39 of an answer whose MAC, when it has one, is right.
func (w *wire) code(v *iso8583.View) (code string, authentic bool) {
	w.Helper()
	if v == nil {
		return "", false
	}
	if v.Has(64) {
		from, _ := v.Span(64)
		var mac [8]byte
		copy(mac[:], v.Raw(64))
		authentic = w.soft.VerifyMAC(context.Background(), &w.tak, hsm.MACUnionPayECB, v.Bytes()[:from], mac[:]) == nil
		if !authentic {
			w.Error("the answer's MAC is wrong")
		}
	}
	return string(v.AppendText(nil, 39)), authentic
}

// expect sends a message on its own connection and checks the answer's code.
func (w *wire) expect(what string, body []byte, code string, authentic bool) *iso8583.View {
	w.Helper()
	c := w.dial()
	defer c.Close()
	v := w.ask(c, body)
	if got, mac := w.code(v); got != code || mac != authentic {
		w.Errorf("%s: %q authentic %v, want %q %v", what, got, mac, code, authentic)
	}
	return v
}
