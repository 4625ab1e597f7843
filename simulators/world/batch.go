// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"tapswitch/internal/secret"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/unionpaypos"
	"tapswitch/simulators/oracle"
)

// What a terminal asks for when it settles: the last digits of field 60.
const (
	codeSettle = "201"
	codeUpload = "201"
	codeEnd    = "207"
)

// closing is a batch that is being settled, or was the last to be.
type closing struct {
	batch uint32
	list  []*sale
	wrong bool // the terminal has counted wrongly
	asks  int
	told  bool // the totals differ for good: the payments are uploaded
	sent  int  // of them
}

// counts says whether a sale stands in its batch's totals.
func (s *sale) counts() bool {
	return s.kind != oracle.Inquiry && s.kind != oracle.Hold && s.kind != oracle.Release
}

// count takes an approved sale into the list of the present batch.
func (p *pos) count(s *sale) {
	if s.batch == p.mem.batch && s.counts() {
		p.mem.list = append(p.mem.list, s)
	}
}

// strike takes one that was reversed out of it.
func (p *pos) strike(trace uint32) {
	p.mem.list = slices.DeleteFunc(slices.Clone(p.mem.list), func(s *sale) bool { return s.trace == trace })
}

// totals are what a batch comes to, as the terminal says it.
func (c *closing) totals() (t unionpaypos.Totals) {
	for _, s := range c.list {
		if s.kind == oracle.Void || s.kind == oracle.Refund || s.kind == oracle.CompletionVoid {
			t.Credits, t.CreditMinor = t.Credits+1, t.CreditMinor+uint64(s.amount)
		} else {
			t.Debits, t.DebitMinor = t.Debits+1, t.DebitMinor+uint64(s.amount)
		}
	}
	if c.wrong {
		t.DebitMinor += 100
	}
	return t
}

// beginClosing is the end of the merchant's day.
func (p *pos) beginClosing() {
	w := p.w
	p.mem.closing = &closing{batch: p.mem.batch, list: p.mem.list}
	if !w.calm && w.rng.IntN(4) == 0 {
		w.fault("totals counted wrongly")
		p.mem.closing.wrong = true
	}
}

// goOn takes the next step of a settlement.
func (p *pos) goOn() {
	c := p.mem.closing
	if c.told {
		p.upload(c)
		return
	}
	code, balanced := p.askTotals(c)
	switch {
	case code == "" && !p.w.calm && p.w.rng.IntN(3) == 0: // the next customer will not wait
		p.mem.closing = nil
	case code == "":
	case code != "00":
		p.hear(code)
		p.mem.closing = nil
	case balanced:
		p.closed(c)
	default: // one of both has counted wrongly, or not everything is final
		c.asks++
		c.wrong = c.wrong && p.w.rng.IntN(2) == 0
		c.told = c.asks >= 3
	}
}

// closed begins the next batch; the switch says at the sign-on which one it is.
func (p *pos) closed(c *closing) {
	if p.mem.closed = c; p.mem.batch <= c.batch {
		p.mem.batch, p.mem.list = c.batch+1, nil
	}
	p.mem.closing, p.tak = nil, nil
}

// leadOn takes the batch in that a sign-on names: a terminal that has not heard how its
// batch was closed goes on in the next one, without the old list.
func (p *pos) leadOn(v *iso8583.View) {
	text := text(v, 60)
	if len(text) < 8 {
		return
	}
	if n, err := strconv.ParseUint(text[2:8], 10, 32); err == nil && uint32(n) > p.mem.batch {
		p.w.fault("terminal is led to its next batch")
		p.mem.batch, p.mem.list = uint32(n), nil
	}
}

// askTotals tells the totals of a batch; no code when there is no answer to be
// believed.
func (p *pos) askTotals(c *closing) (code string, balanced bool) {
	own := c.totals()
	ask, v := p.exchange(oracle.Settlement, c.batch, 0x0500, codeSettle, unionpaypos.AppendTotals(nil, own, unionpaypos.Totals{}))
	if v == nil {
		return "", false
	}
	return text(v, 39), ask.Balanced
}

// closeAgain asks for the totals of the batch before once more.
func (p *pos) closeAgain() {
	p.askTotals(p.mem.closed)
}

// garbledTotals asks for the close of the present batch in a wrong form: it is refused
// by name, and the batch goes on.
func (p *pos) garbledTotals() {
	w := p.w
	w.fault("totals in a wrong form")
	present := closing{list: p.mem.list}
	content := unionpaypos.AppendTotals(nil, present.totals(), unionpaypos.Totals{})
	switch w.rng.IntN(3) {
	case 0:
		content = content[:1+w.rng.IntN(len(content)-1)]
	case 1:
		content = append(content, content[:1+w.rng.IntN(len(content))]...)
	default:
		content = nil
	}
	p.mem.trace++
	ask := &oracle.Ask{Kind: oracle.Settlement, Key: oracle.Key{Terminal: p.id, Batch: p.mem.batch, Trace: p.mem.trace}, Malformed: true}
	p.say(ask, 0x0500, codeSettle, content)
	if ask.Code != "" && ask.Code != "30" {
		w.finding("terminal %s: totals in a wrong form are told %s", p.id, ask.Code)
	}
}

// upload sends the payments of a batch one by one, and its end.
func (p *pos) upload(c *closing) {
	if c.sent >= len(c.list) {
		if _, v := p.exchange(oracle.Other, c.batch, 0x0320, codeEnd, unionpaypos.AppendUploadEnd(nil, len(c.list))); v != nil {
			p.uploaded(c, text(v, 39), 0)
		}
		return
	}
	some := c.list[c.sent:min(c.sent+unionpaypos.UploadMaxItems, len(c.list))]
	var items []unionpaypos.UploadItem
	for _, s := range some {
		items = append(items, unionpaypos.UploadItem{Organization: [2]byte{'0', '0'}, Trace: s.trace, PAN: s.card.PAN.Reveal(secret.ForWire), Minor: uint64(s.amount)})
	}
	body, err := unionpaypos.AppendUpload(nil, items)
	if err != nil {
		p.w.finding("terminal: upload: %v", err)
		return
	}
	if _, v := p.exchange(oracle.Other, c.batch, 0x0320, codeUpload, body); v != nil {
		p.uploaded(c, text(v, 39), len(some))
	}
}

// uploaded takes the answer to an upload of n items in, or to its end for none.
func (p *pos) uploaded(c *closing, code string, n int) {
	switch {
	case code == "00" && n == 0:
		p.w.fault("totals differ to the end")
		p.closed(c)
	case code == "00":
		c.sent += n
	case code == "77": // closed there
		c.sent = len(c.list)
	case code == "12": // its totals were not told: not everything was final
		p.mem.closing = nil
	default:
		p.hear(code)
	}
}

// exchange sends a message about a batch and waits; no answer when it is not to be believed.
func (p *pos) exchange(kind oracle.Kind, batch uint32, mti iso8583.MTI, code string, content []byte) (*oracle.Ask, *iso8583.View) {
	p.mem.trace++
	ask := &oracle.Ask{Kind: kind, Key: oracle.Key{Terminal: p.id, Batch: batch, Trace: p.mem.trace}}
	return p.say(ask, mti, code, content)
}

// say is exchange of what is asked; without content field 48 is left out.
func (p *pos) say(ask *oracle.Ask, mti iso8583.MTI, code string, content []byte) (*oracle.Ask, *iso8583.View) {
	var b iso8583.Builder
	b.Reset(p.layout, mti)
	b.SetUint(11, uint64(ask.Key.Trace))
	b.SetString(41, p.id)
	b.SetString(42, merchant)
	if len(content) > 0 {
		b.SetText(48, content)
	}
	if mti == 0x0500 {
		b.SetString(49, "156")
		b.SetString(63, "01 ")
	}
	b.SetString(60, fmt.Sprintf("00%06d%s", ask.Key.Batch, code))
	body, err := p.sealed(&b)
	if err != nil {
		p.w.finding("terminal: %s: %v", ask.Kind, err)
		return nil, nil
	}
	answer, ask := p.talk(body, ask, 6*time.Second)
	v := new(iso8583.View)
	if answer == nil {
		return nil, nil
	}
	if !p.authentic(answer, v) {
		if p.layout.Parse(answer, v) == nil {
			p.hear(text(v, 39))
		}
		return nil, nil
	}
	return ask, v
}

// readTotals notes what the answer to a settlement says.
func readTotals(v *iso8583.View, ask *oracle.Ask) {
	a, b, err := unionpaypos.ParseTotals(v.AppendText(nil, 48))
	if err != nil {
		return
	}
	ask.Balanced = a.Result == unionpaypos.ResultBalanced && b.Result == unionpaypos.ResultBalanced
	ask.Told = oracle.Totals{Debits: int(a.Debits) + int(b.Debits), Credits: int(a.Credits) + int(b.Credits),
		DebitMinor: int64(a.DebitMinor + b.DebitMinor), CreditMinor: int64(a.CreditMinor + b.CreditMinor)}
}
