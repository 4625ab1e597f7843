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

// host is an acquirer: books (books.go) that are idempotent by the request's own
// key, and moods. It outlives every switch.
type host struct {
	w        *World
	name     string
	up       bool
	silent   bool // takes everything, answers nothing
	sluggish bool // answers everything after a while
	refusing bool // undoes nothing
	lines    []*line
	layout   *iso8583.Layout
	format   frame.Format
	zak      *hsm.Key
	books    map[string]*booked // by field 7 and field 11 of the request
	order    []*booked
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
	case h.sluggish:
		wait = w.between(200*time.Millisecond, 3*time.Second)
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
	case "0100", "0200", "0220", "0221", "0400", "0401", "0620", "0621":
	case "0800":
		var b iso8583.Builder
		b.Reset(h.layout, v.MTI().Response()&^1)
		for _, n := range []int{7, 11, 70} {
			b.Copy(n, &v)
		}
		b.SetString(39, "00")
		h.send(c, &b, nil)
		return
	default: // the switch answers a garbled answer that looks like a request: nobody asked for that
		return
	}
	message := h.note(&v, mti)
	said := &answer{}
	switch mti {
	case "0100", "0200":
		said = h.decide(&v, body)
	case "0400", "0401":
		said.code = h.reversal(&v)
	case "0620", "0621":
		said = h.scriptTold(&v)
	default:
		said = h.advice(&v, body)
	}
	h.w.history.Messages[message].Response = said.code
	h.w.say("%s answers %s stan=%s with %s", h.name, mti, text(&v, 11), said.code)
	h.answer(c, &v, said)
}

// answer is what a host says to a request.
type answer struct {
	code   string
	auth   string
	amount int64   // another than the one that was asked, 0 when not
	funds  string  // field 54 of a balance
	script string  // field 55: a script for the card
	of     *booked // whose yes it is; it is told there when the yes reached the switch whole
}

// answer builds the answer to a request and sends it.
func (h *host) answer(c *line, v *iso8583.View, said *answer) {
	var b iso8583.Builder
	b.Reset(h.layout, v.MTI().Response()&^1)
	for _, n := range []int{3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49} {
		if v.Has(n) {
			b.Copy(n, v)
		}
	}
	if said.amount != 0 {
		b.SetUint(4, uint64(said.amount))
	}
	b.SetString(39, said.code)
	if said.auth != "" {
		b.SetString(38, said.auth)
	}
	if said.script != "" {
		b.SetString(55, said.script)
	}
	if said.funds != "" {
		b.SetString(54, said.funds)
	}
	h.send(c, &b, said)
}

// note keeps what was asked, for the oracle, and returns its place.
func (h *host) note(v *iso8583.View, mti string) int {
	amount, _ := v.Uint(4)
	stan, _ := v.Uint(11)
	m := oracle.Message{Acquirer: h.name, MTI: mti, STAN: uint32(stan), Sent: text(v, 7), RRN: text(v, 37), Amount: int64(amount), Terminal: text(v, 41), Script: results(v.Raw(55))}
	if original := text(v, 90); len(original) >= 20 {
		_, err := fmt.Sscanf(original[4:10], "%d", &m.OriginalSTAN)
		if err != nil {
			h.w.finding("acquirer %s: field 90 of a reversal is not readable", h.name)
		}
		m.OriginalSent = original[10:20]
	}
	h.w.history.Messages = append(h.w.history.Messages, m)
	return len(h.w.history.Messages) - 1
}

// send answers: at once, late, twice, garbled or never. What is said of a payment
// has a MAC; a network message, said of none, has not.
func (h *host) send(c *line, b *iso8583.Builder, said *answer) {
	out, ok := h.wire(b, said != nil)
	if !ok || h.silent || h.w.trouble("answer lost", 40) {
		return
	}
	whole := true
	if h.w.trouble("answer garbled", 60) {
		const frameHead = 2
		out[frameHead+h.w.rng.IntN(len(out)-frameHead)] ^= 1 << h.w.rng.IntN(8)
		whole = false
	}
	wait := h.w.between(time.Millisecond, 20*time.Millisecond)
	if h.w.trouble("answer late", 40) {
		wait = h.w.between(time.Second, 15*time.Second)
	}
	h.w.sched.after(h.w.group, wait, func() {
		if h.path(c).deliver(out) && whole && said != nil && said.of != nil && said.code == "00" {
			said.of.told = true
		}
	})
	if h.w.trouble("answer twice", 40) {
		h.w.sched.after(h.w.group, wait+h.w.between(0, 2*time.Second), func() { h.path(c).deliver(out) })
	}
}

// wire gives a message as it travels.
func (h *host) wire(b *iso8583.Builder, mac bool) (out []byte, ok bool) {
	if mac {
		b.SetBytes(64, make([]byte, 8))
	}
	body, err := b.Append(nil)
	if err != nil {
		h.w.finding("acquirer %s cannot build its answer: %v", h.name, err)
		return nil, false
	}
	if mac {
		covered := body[:len(body)-8]
		sum, err := h.w.module.Module.MAC(context.Background(), h.zak, hsm.MACRetail, covered)
		if err != nil {
			h.w.finding("acquirer %s: MAC: %v", h.name, err)
			return nil, false
		}
		copy(body[len(covered):], sum)
	}
	if out, err = h.format.Append(nil, frame.Frame{Body: body}); err != nil {
		h.w.finding("acquirer %s: frame: %v", h.name, err)
		return nil, false
	}
	return out, true
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
