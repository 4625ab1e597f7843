// SPDX-License-Identifier: Apache-2.0

package world

import (
	"context"
	"fmt"
	"time"

	"tapswitch/hsm"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/iso87ascii"
	"tapswitch/iso8583/frame"
	"tapswitch/simulators/oracle"
)

// host is an acquirer: books that are idempotent by the request's own key, and
// moods. It outlives every switch.
type host struct {
	w      *World
	name   string
	up     bool
	silent bool // takes everything, answers nothing
	lines  []*line
	layout *iso8583.Layout
	format frame.Format
	zak    *hsm.Key
	books  map[string]*booked // by field 7 and field 11 of the purchase
	order  []*booked
}

// booked is one purchase, or the reversal of one that was not known.
type booked struct {
	oracle.Debit
	known    bool // the purchase itself was seen
	code     string
	auth     string
	reversed bool   // a reversal was seen
	request  []byte // of a yes that it insists on
	insisted int    // how often, since all is calm
}

func newHost(w *World, name string, zak *hsm.Key) *host {
	return &host{w: w, name: name, up: true, layout: iso87ascii.New(), format: frame.ISO87(), zak: zak, books: map[string]*booked{}}
}

// split takes the first whole frame off.
func (h *host) split(out []byte) (body, rest []byte, ok bool) {
	const size = 2
	if len(out) < size {
		return nil, nil, false
	}
	n := int(out[0])<<8 | int(out[1])
	if len(out) < size+n {
		return nil, nil, false
	}
	return append([]byte(nil), out[size:size+n]...), out[size+n:], true
}

// take is a message's arrival: the host works on it after a while.
func (h *host) take(c *line, body []byte) {
	w := h.w
	var v iso8583.View
	if h.layout.Parse(body, &v) == nil {
		w.say("%s is asked %s stan=%s", h.name, v.MTI(), text(&v, 11))
	}
	wait := w.between(2*time.Millisecond, 40*time.Millisecond)
	switch {
	case w.trouble("request lost", 40):
		return
	case w.trouble("host slow", 30):
		wait = w.between(time.Second, 12*time.Second)
	}
	w.sched.after(w.group, wait, func() { h.serve(c, body) })
	if w.trouble("request twice", 50) {
		w.sched.after(w.group, wait+w.between(time.Millisecond, time.Second), func() { h.serve(c, body) })
	}
}

// text is a field as characters.
func text(v *iso8583.View, n int) string { return string(v.AppendText(nil, n)) }

// serve works on one message.
func (h *host) serve(c *line, body []byte) {
	var v iso8583.View
	if err := h.layout.Parse(body, &v); err != nil {
		h.w.finding("acquirer %s cannot read a message of the switch: %v", h.name, err)
		return
	}
	mti := v.MTI().String()
	switch mti {
	case "0200", "0400", "0401", "0800":
	default: // the switch answers a garbled answer that looks like a request: nobody asked for that
		return
	}
	var b iso8583.Builder
	b.Reset(h.layout, v.MTI().Response()&^1)
	if mti == "0800" {
		for _, n := range []int{7, 11, 70} {
			b.Copy(n, &v)
		}
		b.SetString(39, "00")
		h.send(c, &b, false)
		return
	}
	for _, n := range []int{3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49} {
		if v.Has(n) {
			b.Copy(n, &v)
		}
	}
	h.note(&v, mti)
	code, auth := "", ""
	if mti == "0200" {
		code, auth = h.purchase(&v, body)
	} else {
		code = h.reversal(&v)
	}
	b.SetString(39, code)
	if auth != "" {
		b.SetString(38, auth)
	}
	h.w.say("%s answers %s stan=%s with %s", h.name, mti, text(&v, 11), code)
	h.send(c, &b, true)
}

// note keeps what was asked, for the oracle.
func (h *host) note(v *iso8583.View, mti string) {
	amount, _ := v.Uint(4)
	stan, _ := v.Uint(11)
	m := oracle.Message{Acquirer: h.name, MTI: mti, STAN: uint32(stan), Sent: text(v, 7), RRN: text(v, 37), Amount: int64(amount), Terminal: text(v, 41)}
	if original := text(v, 90); len(original) >= 20 {
		_, err := fmt.Sscanf(original[4:10], "%d", &m.OriginalSTAN)
		if err != nil {
			h.w.finding("acquirer %s: field 90 of a reversal is not readable", h.name)
		}
		m.OriginalSent = original[10:20]
	}
	h.w.history.Messages = append(h.w.history.Messages, m)
}

// purchase books once per key. One whose reversal came first is refused by a
// careful host; a careless one books it and keeps saying so until it is reversed.
func (h *host) purchase(v *iso8583.View, body []byte) (code, auth string) {
	key := text(v, 7) + text(v, 11)
	e := h.entry(key, v)
	if e.known {
		return e.code, e.auth
	}
	e.known = true
	stan, _ := v.Uint(11)
	amount, _ := v.Uint(4)
	e.Debit = oracle.Debit{Acquirer: h.name, STAN: uint32(stan), Sent: text(v, 7), RRN: text(v, 37), Terminal: text(v, 41), Amount: int64(amount)}
	careless := e.reversed && h.w.trouble("booked after its reversal", 300)
	switch {
	case e.reversed && !careless:
		e.code = "12"
		return e.code, ""
	case h.w.rng.IntN(8) == 0:
		e.code = "51"
		if h.w.trouble("no, then yes", 50) {
			h.w.sched.after(h.w.group, h.w.between(time.Second, 5*time.Second), func() { h.contradict(e, body) })
		}
		return e.code, ""
	}
	e.Effective, e.reversed = true, false
	e.code, e.auth = "00", fmt.Sprintf("A%05d", len(h.order))
	if careless {
		e.request = body
		h.w.sched.after(h.w.group, time.Second, func() { h.insist(e) })
	}
	return e.code, e.auth
}

// contradict books what was declined, and says so until it is reversed.
func (h *host) contradict(e *booked, body []byte) {
	if e.reversed {
		return
	}
	e.Effective, e.code, e.auth, e.request = true, "00", fmt.Sprintf("A%05d", len(h.order)), body
	h.insist(e)
}

// insist repeats a late yes until its reversal comes. The switch may hold it
// for a good answer, when the no before it was lost; so it ends in calm times.
func (h *host) insist(e *booked) {
	const enough = 10
	if !e.Effective || e.insisted >= enough {
		e.request = nil
		return
	}
	for _, c := range h.lines {
		if !c.closed && h.up && !h.silent {
			h.serve(c, e.request)
			if h.w.calm {
				e.insisted++
			}
			break
		}
	}
	h.w.sched.after(h.w.group, 5*time.Second, func() { h.insist(e) })
}

func (h *host) entry(key string, v *iso8583.View) *booked {
	e := h.books[key]
	if e == nil {
		e = &booked{}
		h.books[key] = e
		h.order = append(h.order, e)
	}
	return e
}

// reversal takes a debit back; what is not known is remembered.
func (h *host) reversal(v *iso8583.View) string {
	if h.w.trouble("reversal refused", 10) {
		return "96"
	}
	original := text(v, 90)
	if len(original) < 20 {
		return "30"
	}
	e := h.entry(original[10:20]+original[4:10], v)
	if e.reversed && e.known {
		return "00"
	}
	e.reversed = true
	if !e.Effective {
		return "25"
	}
	e.Effective = false
	return "00"
}

// send answers: at once, late, twice, garbled or never.
func (h *host) send(c *line, b *iso8583.Builder, mac bool) {
	if mac {
		b.SetBytes(64, make([]byte, 8))
	}
	body, err := b.Append(nil)
	if err != nil {
		h.w.finding("acquirer %s cannot build its answer: %v", h.name, err)
		return
	}
	if mac {
		covered := body[:len(body)-8]
		sum, err := h.w.module.Module.MAC(context.Background(), h.zak, hsm.MACRetail, covered)
		if err != nil {
			h.w.finding("acquirer %s: MAC: %v", h.name, err)
			return
		}
		copy(body[len(covered):], sum)
	}
	if h.silent || h.w.trouble("answer lost", 40) {
		return
	}
	if h.w.trouble("answer garbled", 40) {
		body[h.w.rng.IntN(len(body))] ^= 1 << h.w.rng.IntN(8)
	}
	out, err := h.format.Append(nil, frame.Frame{Body: body})
	if err != nil {
		h.w.finding("acquirer %s: frame: %v", h.name, err)
		return
	}
	wait := h.w.between(time.Millisecond, 20*time.Millisecond)
	if h.w.trouble("answer late", 40) {
		wait = h.w.between(time.Second, 15*time.Second)
	}
	h.w.sched.after(h.w.group, wait, func() { h.path(c).deliver(out) })
	if h.w.trouble("answer twice", 40) {
		h.w.sched.after(h.w.group, wait+h.w.between(0, 2*time.Second), func() { h.path(c).deliver(out) })
	}
}

// path is the line of an answer: another one when its own is gone.
func (h *host) path(c *line) *line {
	if !c.closed {
		return c
	}
	for _, other := range h.lines {
		if !other.closed {
			return other
		}
	}
	return c
}

// flap cuts all lines; the host takes none until it is up again.
func (h *host) flap(up bool) {
	h.up = up
	if up {
		return
	}
	for _, c := range h.lines {
		c.cut()
	}
	h.lines = nil
}
