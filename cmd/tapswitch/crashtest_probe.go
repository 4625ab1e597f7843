// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"syscall"
	"time"

	"tapswitch/iso8583"
	"tapswitch/iso8583/frame"
	"tapswitch/simulators/oracle"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// probe is a message that the switch must refuse, and the reason by which it must
// count it: one of a payment's, or of the listener's.
type probe struct {
	what   string
	edit   func(b *iso8583.Builder) // of a sale in form; its MAC is made behind it
	noMAC  bool                     // its MAC is not right
	again  bool                     // a sale that was approved, with another amount
	bend   func(raw []byte) []byte  // of the frame, behind its MAC
	reason txn.Reason
	listen string // instead of a reason: the listener's, and there is no answer
}

// probes are one message for each rule that a terminal alone can break, in a batch.
func probes(batch string) []probe {
	set := func(n int, text string) func(*iso8583.Builder) {
		return func(b *iso8583.Builder) { b.SetString(n, text) }
	}
	ofNothing := func(procedure, typ string) func(*iso8583.Builder) {
		return func(b *iso8583.Builder) {
			b.SetString(3, procedure)
			b.SetString(37, "999999999999")
			b.SetString(60, typ+batch+"00060")
			b.SetString(61, batch+"499999")
		}
	}
	return []probe{
		{what: "cut short", bend: func(raw []byte) []byte { return reframed(raw[:len(raw)-9]) }, listen: string(txn.DeclineFormat.Reason)},
		{what: "a byte too much", bend: func(raw []byte) []byte { return reframed(append(raw, 0)) }, listen: string(txn.DeclineFormat.Reason)},
		{what: "an empty frame", bend: func([]byte) []byte { return []byte{0, 0} }, listen: frame.ReasonLengthZero},
		{what: "a frame without a message", bend: func(raw []byte) []byte { return reframed(raw[:10]) }, listen: frame.ReasonTooShort},
		{what: "a frame beyond all bounds", bend: func(raw []byte) []byte { return append([]byte{0xFF, 0xFF}, raw[2:]...) }, listen: frame.ReasonTooLong},
		{what: "another MAC", bend: func(raw []byte) []byte { raw[len(raw)-1] ^= 1; return raw }, noMAC: true, reason: txn.DeclineMAC.Reason},
		{what: "no MAC", bend: withoutMAC, noMAC: true, reason: txn.DeclineMACMissing.Reason},
		{what: "another terminal", edit: set(41, "19999999"), reason: txn.DeclineTerminalUnknown.Reason},
		{what: "another merchant", edit: set(42, "104110059990009"), reason: txn.DeclineMerchant.Reason},
		{what: "no amount", edit: set(4, "000000000000"), reason: txn.DeclineAmount.Reason},
		{what: "another currency", edit: set(49, "840"), reason: txn.DeclineCurrency.Reason},
		{what: "another check digit", edit: set(2, "6224242300000068"), reason: txn.DeclinePAN.Reason},
		{what: "a card of long ago", edit: set(14, "2001"), reason: txn.DeclineExpired.Reason},
		{what: "another business", edit: set(3, "990000"), reason: txn.DeclineUnsupported.Reason},
		{what: "another amount of a known message", again: true, reason: txn.DeclineDuplicate.Reason},
		{what: "the void of nothing", edit: ofNothing(procedureVoid, typeVoid), reason: txn.DeclineOriginalUnknown.Reason},
		{what: "a card of nobody", edit: set(2, "4000000000000002"), reason: txn.DeclineNoRoute.Reason},
	}
}

// reframed puts the right length before a frame's content.
func reframed(raw []byte) []byte {
	n := len(raw) - 2
	raw[0], raw[1] = byte(n>>8), byte(n)
	return raw
}

// withoutMAC takes field 64 out of a frame.
func withoutMAC(raw []byte) []byte {
	raw[placeOf64] &^= 1
	return reframed(raw[:len(raw)-8])
}

// placeOf64 is the last byte of the bitmap: behind length, TPDU, header and type.
const placeOf64 = 2 + 5 + 6 + 2 + 7

// probe sends what must be refused, on connections of its own while nothing else is
// on its way, and holds what the counters rose by against it. Then a sale must be
// possible as ever.
func (c *crash) probe(ctx context.Context) error {
	at := slices.IndexFunc(c.tills, func(t *till) bool { return t.voice.latest() != nil })
	if at < 0 {
		return errors.New("no terminal has a sale to make a probe of")
	}
	t := c.tills[at]
	if _, reason, err := t.host.Ready(ctx); err != nil || reason != host.ReasonNone {
		return fmt.Errorf("terminal %s is not ready for the probes: %s: %w", t.id, reason, err)
	}
	before, err := c.count(ctx, true)
	if err != nil {
		return err
	}
	want, failed := &scrape{Payments: map[counted]int{}, Refused: map[string]int{}}, error(nil)
	for _, p := range probes(t.host.Batch()) {
		code, err := t.voice.probe(ctx, p)
		failed = errors.Join(failed, err)
		if p.listen != "" {
			want.Refused[p.listen]++
			if code != "" {
				c.found = append(c.found, fmt.Sprintf("promise 10: %s is answered with %s", p.what, code))
			}
			continue
		}
		want.Payments[counted{reason: string(p.reason)}]++
		if right := codesOfReasons()[string(p.reason)]; code != right {
			c.found = append(c.found, fmt.Sprintf("promise 10: %s is answered with %q, not with %s (%s)", p.what, code, right, p.reason))
		}
	}
	after, err := c.count(ctx, true)
	if failed = errors.Join(failed, err); failed != nil {
		return failed
	}
	c.found = append(c.found, after.rose(before, want)...)
	s := t.sell(ctx, t.anyLink(), "")
	if s == nil || s.Outcome != host.Approved {
		c.found = append(c.found, fmt.Sprintf("promise 10: after what had to be refused a sale is not approved: %+v", s))
		return nil
	}
	t.paid(s)
	return nil
}

// rose says where the counters rose by something else than they should have.
func (s *scrape) rose(before, want *scrape) (broken []string) {
	diff := func(is, was, should map[string]int) {
		for _, reason := range slices.Sorted(maps.Keys(is)) {
			if n := is[reason] - was[reason]; n != should[reason] {
				broken = append(broken, fmt.Sprintf("promise 10: %d messages were to be refused by %s, it counts %d more", should[reason], reason, n))
			}
		}
		for _, reason := range slices.Sorted(maps.Keys(should)) {
			if _, ok := is[reason]; !ok {
				broken = append(broken, fmt.Sprintf("promise 10: %d messages were to be refused by %s, it counts none", should[reason], reason))
			}
		}
	}
	diff(s.byReason(), before.byReason(), want.byReason())
	diff(s.messages(), before.messages(), want.messages())
	return broken
}

// messages are those that a listener refused, without the connections that ended.
func (s *scrape) messages() map[string]int {
	refused := maps.Clone(s.Refused)
	maps.DeleteFunc(refused, func(reason string, _ int) bool { return !slices.Contains(noMessages(), reason) })
	return refused
}

// byReason are the payments by reason alone.
func (s *scrape) byReason() map[string]int {
	sum := map[string]int{}
	for k, n := range s.Payments {
		sum[k.reason] += n
	}
	return sum
}

// latest is a sale of the first bank that can be sent again, nil without one.
func (v *voice) latest() *sale {
	for _, s := range slices.Backward(v.held) {
		if s.Link == linkA && v.protocol.body(s.Trace) != nil {
			return s
		}
	}
	return nil
}

// probe sends one probe and returns the code of the answer, "" without one.
func (v *voice) probe(ctx context.Context, p probe) (code string, err error) {
	s := v.latest()
	body, err := v.build(ctx, 0x0200, s, func(b *iso8583.Builder) {
		b.SetString(3, "000000")
		b.SetUint(4, uint64(s.Amount))
		b.SetUint(11, uint64(v.next()))
		b.SetString(22, "012")
		b.SetString(60, "22"+v.host.Batch()+"00060")
		b.Unset(35)
		if p.edit != nil {
			p.edit(b)
		}
	})
	if p.again && err == nil {
		body, err = v.altered(ctx, v.protocol.body(s.Trace))
	}
	if err != nil {
		return "", err
	}
	ask := v.protocol.askOf(body)
	ask.Malformed, ask.NoMAC = true, p.noMAC
	raw, err := v.protocol.format.Append(nil, frame.Frame{TPDU: crashTPDU, Header: crashHeader[:], Body: body})
	if err != nil {
		return "", err
	}
	if p.bend != nil {
		raw = p.bend(raw)
	}
	return v.exchange(ctx, raw, v.protocol.asked(ask))
}

// exchange sends bytes on a new connection and reads until an answer or the end.
func (v *voice) exchange(ctx context.Context, raw []byte, asked *oracle.Ask) (code string, err error) {
	if err := v.connect(ctx); err != nil {
		return "", err
	}
	defer v.drop()
	if err := v.conn.SetDeadline(time.Now().Add(voicePatience)); err != nil {
		return "", err
	}
	if _, err := v.conn.Write(raw); err != nil {
		return "", err
	}
	fr, _, err := v.protocol.format.Read(v.conn, nil)
	if err != nil {
		return "", ignoreEnd(err)
	}
	answer := &iso8583.View{}
	if err := v.protocol.layout.Parse(fr.Body, answer); err != nil {
		return "", err
	}
	v.protocol.answered(asked, answer)
	return asked.Code, nil
}

// ignoreEnd lets the end of a connection pass, by which the switch refuses what is no
// message.
func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	return err
}
