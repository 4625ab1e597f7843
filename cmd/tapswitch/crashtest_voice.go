// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/iso8583"
	"tapswitch/iso8583/frame"
	"tapswitch/simulators/oracle"
	"tapswitch/terminal/host"
)

// Fields of a terminal's messages beyond the sale (docs/dialects/unionpaypos.md).
const (
	procedureVoid    = "200000"
	procedureBalance = "310000"
	procedureCash    = "010000"
	typeVoid         = "23"
	typeBalance      = "01"
	typeRefund       = "25"
	typeHold         = "10"
	typeCompletion   = "20"

	typeCompletionVoid = "21"
	typeOffline        = "30"

	typeCompletionAdvice = "24"
	typeAdjust           = "32"
	typeTip              = "34"
	procedureCashback    = "090000"
)

const (
	firstOwnTrace = 500_000 // the terminal program's own numbers stay far below
	keptSales     = 64      // how many sales can still be repeated or voided
	voicePatience = 2 * time.Second
	laterPatience = 3 * time.Second // for a switch that starts again
)

// voice is what a terminal says beyond what its program can: it repeats a sale,
// also altered, voids one, asks for a balance, and talks nonsense. It has a
// connection of its own and the program's keys.
type voice struct {
	*till
	conn  net.Conn
	life  int64 // of the switch that conn is to
	trace uint32
	owed  *owed // nil: nothing
}

// owed is a void or a cash withdrawal whose end the terminal does not know: its
// reversal is sent until it is acknowledged, and until then the terminal does nothing
// else.
type owed struct {
	reversal func(context.Context) ([]byte, error)
}

// drop ends the connection.
func (v *voice) drop() {
	if v.conn != nil {
		_ = v.conn.Close() // nothing more is wanted of it
		v.conn = nil
	}
}

// connect makes sure of a connection to the switch that lives now.
func (v *voice) connect(ctx context.Context) (err error) {
	life := v.shop.life.Load()
	if v.life != life {
		v.drop()
	}
	if v.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	v.life = life
	if v.conn, err = env.Real().Net.Dial(ctx, v.address); err != nil {
		v.conn = nil
	}
	return err
}

// say sends a message and waits for its answer. The answer is nil when none came
// that is authentic, and to this message.
func (v *voice) say(ctx context.Context, body []byte, ask oracle.Ask) *iso8583.View {
	if v.connect(ctx) != nil {
		return nil // surely nothing left: nobody was asked
	}
	raw, err := v.protocol.format.Append(nil, frame.Frame{TPDU: crashTPDU, Header: crashHeader[:], Body: body})
	if err != nil {
		return nil
	}
	asked := v.protocol.asked(ask)
	if err := v.conn.SetDeadline(time.Now().Add(voicePatience)); err != nil {
		v.drop()
		return nil
	}
	if _, err := v.conn.Write(raw); err != nil {
		v.drop()
		return nil
	}
	fr, _, err := v.protocol.format.Read(v.conn, nil)
	answer := &iso8583.View{}
	if err != nil || v.protocol.layout.Parse(fr.Body, answer) != nil {
		v.drop()
		return nil
	}
	v.protocol.answered(asked, answer)
	if asked.Malformed || !v.authentic(ctx, answer, asked) {
		v.drop() // what comes later on it is not waited for
		return nil
	}
	v.protocol.believed(asked.Kind, asked.Key)
	return answer
}

// authentic says whether an answer has the terminal's MAC and is to what was asked.
func (v *voice) authentic(ctx context.Context, answer *iso8583.View, asked *oracle.Ask) bool {
	if !answer.Has(64) || v.keys.tak == nil || asked.Named != v.id || asked.OfTrace != asked.Key.Trace {
		return false
	}
	from, _ := answer.Span(64)
	var mac [8]byte
	copy(mac[:], answer.Raw(64))
	return v.soft.VerifyMAC(ctx, v.keys.tak, hsm.MACUnionPayECB, answer.Bytes()[:from], mac[:]) == nil
}

// sealed puts the MAC of the present key over the last eight bytes of a message.
func (v *voice) sealed(ctx context.Context, body []byte) ([]byte, error) {
	covered := body[:len(body)-8]
	mac, err := v.soft.MAC(ctx, v.keys.tak, hsm.MACUnionPayECB, covered)
	copy(body[len(covered):], mac)
	return body, err
}

// more is what a terminal does besides a sale, drawn after each: s is the sale that
// just ended. An error is the test's own.
func (v *voice) more(ctx context.Context, s *sale) error {
	if v.keys.tak == nil {
		return nil
	}
	if s.Outcome == host.NoAnswer && s.Reason == host.ReasonLost && v.chance.IntN(2) == 0 {
		return v.repeatLater(ctx, s)
	}
	switch n := v.chance.IntN(48); {
	case n < 6:
		return v.repeat(ctx, s, false)
	case n < 8:
		return v.repeat(ctx, s, true)
	case n < 16:
		return v.void(ctx)
	case n < 18:
		return v.inquire(ctx, s)
	case n < 20:
		return v.nonsense(ctx, s)
	case n < 28:
		return v.cash(ctx, s)
	}
	return nil
}

// repeat sends a sale again under the present key: one that was approved, also
// when the shop took it back since, or one that was not answered. Whoever was told
// no by the switch itself, before anything was durable, may be told yes later: a
// terminal does not ask. Altered is another amount, of what was approved.
func (v *voice) repeat(ctx context.Context, s *sale, altered bool) error {
	body := v.protocol.body(s.Trace)
	if body == nil || s.Outcome != "approved" && (altered || s.Outcome != "no_answer") {
		return nil
	}
	var err error
	if altered {
		body, err = v.altered(ctx, body)
	} else {
		body, err = v.sealed(ctx, body)
	}
	if err != nil {
		return err
	}
	ask := v.protocol.askOf(body)
	ask.Vain = altered
	v.say(ctx, body, ask)
	return nil
}

// repeatLater sends a sale again whose line broke, when a switch is there again, and
// before its reversal: what the switch that lives now has of it, it may have from the
// journal alone, or nothing.
func (v *voice) repeatLater(ctx context.Context, s *sale) error {
	for began := time.Now(); time.Since(began) < laterPatience; {
		if v.drop(); v.connect(ctx) == nil {
			return v.repeat(ctx, s, false)
		}
		if sleep(ctx, 20*time.Millisecond) != nil {
			return nil
		}
	}
	return nil
}

// altered is a message for another amount.
func (v *voice) altered(ctx context.Context, body []byte) ([]byte, error) {
	var was iso8583.View
	if err := v.protocol.layout.Parse(body, &was); err != nil {
		return nil, err
	}
	_, to := was.Span(4)
	body[to-1] ^= 1 // another digit, in whatever way digits are packed
	return v.sealed(ctx, body)
}

// void takes back a sale that is not the last one, which is the operator's to
// reverse. What was refunded, in part or whole, is not to be voided any more, nor what
// was settled.
func (v *voice) void(ctx context.Context) error {
	if len(v.held) < 2 || !v.voiding {
		return nil
	}
	i := v.chance.IntN(len(v.held) - 1)
	s := v.held[i]
	batch, trace := v.host.Batch(), v.next()
	if s.unsure || s.Batch != batch && v.chance.IntN(8) != 0 {
		return nil
	}
	body, err := v.voidOf(ctx, 0x0200, trace, batch, s)
	if body == nil || err != nil {
		return err
	}
	ask := v.protocol.askOf(body)
	ask.Vain = s.left < s.Amount || s.Batch != batch
	v.owed = &owed{func(ctx context.Context) ([]byte, error) { return v.voidOf(ctx, 0x0400, trace, batch, s) }} // before the first byte leaves
	answer := v.say(ctx, body, ask)
	if answer == nil {
		return nil
	}
	v.owed = nil
	if string(answer.AppendText(nil, 39)) == "00" {
		v.held = append(v.held[:i:i], v.held[i+1:]...)
		v.voids = append(v.voids, oracle.Taken{Key: ask.Key, Of: s.key()})
	}
	return nil
}

// next is a trace number of the voice's own.
func (v *voice) next() uint32 {
	if v.trace == 0 {
		v.trace = firstOwnTrace
	}
	v.trace++
	return v.trace
}

// settle sends the reversal that the voice owes, once; false when it is still owed.
func (v *voice) settle(ctx context.Context) bool {
	if v.owed == nil {
		return true
	}
	if v.keys.tak == nil {
		return false
	}
	body, err := v.owed.reversal(ctx)
	if body == nil || err != nil {
		return false
	}
	answer := v.say(ctx, body, v.protocol.askOf(body))
	if answer == nil {
		return false
	}
	switch string(answer.AppendText(nil, 39)) {
	case "00", "12", "25":
		v.owed = nil
	}
	return v.owed == nil
}

// voidOf is a void, or its reversal; nil when the sale is too long ago.
func (v *voice) voidOf(ctx context.Context, mti iso8583.MTI, trace uint32, batch string, s *sale) ([]byte, error) {
	return v.build(ctx, mti, s, func(b *iso8583.Builder) {
		b.SetString(3, procedureVoid)
		b.SetUint(4, uint64(s.Amount))
		b.SetUint(11, uint64(trace))
		b.SetString(22, "072")
		b.SetString(37, s.RRN)
		if mti == 0x0400 {
			b.SetString(39, "98")
		}
		b.SetString(60, typeVoid+batch+"00060")
		b.SetString(61, fmt.Sprintf("%s%06d", s.Batch, s.Trace))
	})
}

// inquire asks for the balance of the card of s, read from its stripe.
func (v *voice) inquire(ctx context.Context, s *sale) error {
	if s.Link != linkA { // the other card's issuer is the switch, and wants a chip
		return nil
	}
	body, err := v.build(ctx, 0x0200, s, func(b *iso8583.Builder) {
		b.SetString(3, procedureBalance)
		b.SetUint(11, uint64(v.next()))
		b.SetString(22, "022")
		b.SetString(53, "0600000000000000")
		b.SetString(60, typeBalance+v.host.Batch()+"00060")
	})
	if body != nil && err == nil {
		v.say(ctx, body, v.protocol.askOf(body))
	}
	return err
}

// nonsense is a sale in a wrong form: cut short, without an authentic MAC, or with
// one bit turned.
func (v *voice) nonsense(ctx context.Context, s *sale) error {
	body, err := v.build(ctx, 0x0200, s, func(b *iso8583.Builder) {
		b.SetString(3, "000000")
		b.SetUint(4, uint64(s.Amount))
		b.SetUint(11, uint64(v.next()))
		b.SetString(22, "072")
		b.SetString(60, "22"+v.host.Batch()+"00060")
	})
	if body == nil || err != nil {
		return err
	}
	ask := v.protocol.askOf(body)
	ask.Malformed = true
	switch v.chance.IntN(3) {
	case 0:
		body = body[:v.chance.IntN(len(body))]
	case 1:
		body[len(body)-1] ^= 1
		ask.NoMAC = true
	default:
		body[v.chance.IntN(len(body))] ^= 1 << v.chance.IntN(8)
		ask.NoMAC = true
	}
	v.say(ctx, body, ask)
	return nil
}

// build makes a message of the card and shop of a sale and of what edit says; nil
// when the sale is too long ago.
func (v *voice) build(ctx context.Context, mti iso8583.MTI, s *sale, edit func(*iso8583.Builder)) ([]byte, error) {
	body := v.protocol.body(s.Trace)
	if body == nil {
		return nil, nil
	}
	var was iso8583.View
	if err := v.protocol.layout.Parse(body, &was); err != nil {
		return nil, err
	}
	var b iso8583.Builder
	b.Reset(v.protocol.layout, mti)
	for _, n := range []int{2, 14, 23, 25, 35, 41, 42, 49} {
		b.Copy(n, &was)
	}
	edit(&b)
	b.SetBytes(64, make([]byte, 8))
	made, err := b.Append(nil)
	if err != nil {
		return nil, fmt.Errorf("terminal %s: build a message: %w", strings.TrimSpace(v.id), err)
	}
	return v.sealed(ctx, made)
}
