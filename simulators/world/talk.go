// SPDX-License-Identifier: Apache-2.0

package world

import (
	"context"
	"slices"
	"time"

	"tapswitch/internal/env"
	"tapswitch/iso8583"
	"tapswitch/iso8583/frame"
	"tapswitch/simulators/card"
	"tapswitch/simulators/oracle"
	"tapswitch/switch/listen"
)

// testPIN is that of all cards.
var testPIN = card.TestKeys().PIN

// wallet is the cards that customers carry.
func wallet(counters *card.Counters) ([]*card.Card, error) {
	deck, err := card.Deck()
	if err != nil {
		return nil, err
	}
	var cards []*card.Card
	for _, profile := range deck {
		if !slices.Contains([]string{"unionpay", "unionpay-no-pin", "visa", "visa-no-pin"}, profile.Name) {
			continue
		}
		c, err := card.New(profile, counters)
		if err != nil {
			return nil, err
		}
		cards = append(cards, c)
	}
	return cards, nil
}

// talk sends a message and waits for its answer, which comes with the delivery
// that it answers; nil when none came in time.
func (p *pos) talk(body []byte, ask *oracle.Ask, patience time.Duration) ([]byte, *oracle.Ask) {
	w := p.w
	c := &call{answered: w.sched.NewEvent()}
	if w.trouble("terminal message lost", 20) {
		w.sched.sleep(patience)
		return nil, nil
	}
	p.deliver(c, body, ask, w.between(time.Millisecond, 30*time.Millisecond))
	if w.trouble("terminal message twice", 40) {
		again := *ask
		p.deliver(c, body, &again, w.between(time.Millisecond, 2*time.Second))
	}
	if !c.answered.Wait(w.sched.mono.Add(patience)) {
		c.answered = nil // what comes now is late
		return nil, nil
	}
	return c.answer, c.from
}

// longestLate is how long a message of a terminal may be on its way.
const longestLate = 9 * time.Second

// deliver hands a message to the switch that lives now; one that dies takes
// the message with it.
func (p *pos) deliver(c *call, body []byte, ask *oracle.Ask, wait time.Duration) {
	w := p.w
	ask.Arrived, ask.Answered, ask.Received = oracle.Never, oracle.Never, oracle.Never
	if w.trouble("terminal message late", 30) {
		wait = w.between(time.Second, longestLate)
	}
	m := w.machine
	w.sched.after(m.group, wait, func() {
		if m.handler != nil {
			p.serve(m, c, slices.Clone(body), ask)
		}
	})
}

// serve is a message's life in the switch.
func (p *pos) serve(m *machine, c *call, body []byte, ask *oracle.Ask) {
	w := p.w
	w.history.asks = append(w.history.asks, ask)
	ask.Arrived = w.sched.since()
	w.say("%s asks %s trace %06d", p.id, ask.Kind, ask.Key.Trace)
	in := frame.Frame{TPDU: frame.TPDU{0x60, 0, 3, 0, 0}, Header: []byte{0x60, 0x31, 0, 0x31, 1, 0}, Body: body}
	reply := m.handler.Serve(context.Background(), listen.Message{Remote: p.id, Frame: in, At: w.sched.mono})
	if m.group.dead {
		return
	}
	answer := slices.Clone(reply.Frame.Body)
	if len(answer) == 0 {
		w.say("%s trace %06d is told nothing", p.id, ask.Key.Trace)
		if reply.Done != nil {
			reply.Done(listen.NotWritten)
		}
		return
	}
	delivery, arrives := listen.Written, true
	switch {
	case w.trouble("answer not written", 30):
		delivery, arrives = listen.NotWritten, false
	case w.trouble("answer maybe written", 100):
		delivery, arrives = listen.MaybeWritten, w.rng.IntN(2) == 0
	case w.trouble("answer to terminal lost", 30):
		arrives = false
	}
	p.read(answer, ask)
	w.say("%s trace %06d is told %s: %s", p.id, ask.Key.Trace, ask.Code, delivery)
	if delivery != listen.NotWritten {
		ask.Answered = w.sched.since()
	}
	if arrives {
		if w.trouble("answer to terminal garbled", 20) {
			answer[w.rng.IntN(len(answer))] ^= 1 << w.rng.IntN(8)
		}
		wait := w.between(time.Millisecond, 30*time.Millisecond)
		if w.trouble("answer to terminal late", 20) {
			wait = w.between(time.Second, 8*time.Second)
		}
		w.sched.after(w.group, wait, func() { c.arrive(answer, ask) })
	}
	slow := 60
	if delivery != listen.Written || !arrives { // a line that breaks is noticed late
		slow = 700
	}
	if w.trouble("answer's write slow", slow) { // so that a person may have settled its case before
		w.sched.sleep(w.between(time.Second, 30*time.Second))
	}
	if w.rng.IntN(3) == 0 { // the write takes its time, and the answer may be there before it ends
		w.sched.sleep(w.between(0, 40*time.Millisecond))
	}
	if reply.Done != nil {
		reply.Done(delivery)
	}
}

// arrive gives an answer to the terminal that waits for it.
func (c *call) arrive(answer []byte, from *oracle.Ask) {
	if c.answered == nil || c.answer != nil {
		return
	}
	c.answer, c.from = answer, from
	c.answered.Wake()
}

// read notes what an answer says.
func (p *pos) read(answer []byte, ask *oracle.Ask) {
	var v iso8583.View
	if err := p.layout.Parse(answer, &v); err != nil {
		p.w.finding("the switch's answer is not of the dialect: %v", err)
		return
	}
	trace, _ := v.Uint(11)
	amount, _ := v.Uint(4)
	ask.Code, ask.RRN, ask.Auth, ask.Named = text(&v, 39), text(&v, 37), text(&v, 38), text(&v, 41)
	ask.OfTrace, ask.OfAmount = uint32(trace), int64(amount)
	if ask.Kind == oracle.Settlement {
		readTotals(&v, ask)
	}
}

// call is one exchange that a terminal waits for.
type call struct {
	answered env.Event
	answer   []byte
	from     *oracle.Ask // whose answer it is
}
