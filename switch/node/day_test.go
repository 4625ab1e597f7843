// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/iso8583"
	"tapswitch/switch/config"
	"tapswitch/switch/link"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// session is a fixed working day of two terminals, played again and again over one
// switch while something fails; what it is told is held against the books each time.
type session struct {
	*rig
	till  *term // the terminal's program: what it is not told it reverses
	wrote *lastWrite
	hand  *hand // what the program has no key for
	ready func()
	today []*bought
	kept  map[*bank]int64 // what customers paid for good, all days
	name  string          // of the day

	delivers bool // what the day leaves to be delivered is, before it is over
}

// bought is one purchase as its terminal knows it.
type bought struct {
	terminal int
	trace    uint32
	amount   int64
	at       *bank
	said     string // outcome and code, for errors
	yes      bool
	back     bool // by the terminal's reversal
	voided   bool
}

// lastWrite remembers what was written last, over whatever connection.
type lastWrite struct {
	env.Network
	raw []byte
}

type lastWriteConn struct {
	net.Conn
	of *lastWrite
}

func (l *lastWrite) Dial(ctx context.Context, address string) (net.Conn, error) {
	c, err := l.Network.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return lastWriteConn{c, l}, nil
}

func (c lastWriteConn) Write(p []byte) (int, error) {
	c.of.raw = slices.Clone(p)
	return c.Conn.Write(p)
}

// newSession starts a switch on a disk in memory, whose links come back at once.
// ready is waited for before each step.
func newSession(t *testing.T, prepare func(*rig), ready func()) *session {
	t.Helper()
	r := newRigWith(t, func(r *rig) {
		r.world.Disk, r.world.Net = fake.NewDisk(), env.Real().Net
		r.tune = func(n *Node) { quickLinks(t, n) }
		prepare(r)
	}, func(c *config.Config) {
		c.Reversal = config.Reversal{Retry: 5 * time.Millisecond, MaxRetry: 20 * time.Millisecond}
		for i := range c.Links {
			c.Links[i].Echo = time.Minute // it is no part of the day
		}
	})
	s := &session{rig: r, till: r.term(0), wrote: &lastWrite{Network: env.Real().Net}, ready: ready, kept: map[*bank]int64{}, delivers: true}
	s.till.net = s.wrote
	s.till.reopen()
	s.hand = &hand{wire: r.wire(1)}
	return s
}

// quickLinks lets the links of a switch that has not started try again at once.
func quickLinks(t *testing.T, n *Node) {
	for _, c := range n.cfg.Links {
		a, cfg := n.links[c.Name], n.linkConfig(c, n.links[c.Name])
		cfg.Session.BackoffMin = 4 * time.Millisecond
		var err error
		if a.link, err = link.New(cfg); err != nil {
			t.Fatal(err)
		}
	}
}

// play is the day: both sign on; purchases with PIN on either side, the on-us one
// with its cryptogram, and its repeat; a reversal by the terminal; a void; a balance.
func (s *session) play(name string) {
	s.Helper()
	s.name, s.today = name, nil
	s.ready()
	_ = s.till.host.SignOn(s.Context()) // a refusal is made good by the next sale
	s.pays("unionpay", 150, s.a)
	s.repeats(s.pays("visa", 250, s.b))
	s.takesBack(s.pays("visa", 350, s.b))
	if s.hand.signsOn() {
		s.voids(s.hand.pays(s, 450))
		s.inquires()
	}
	if s.delivers {
		s.settled()
	}
}

func (s *session) pays(card string, amount int64, at *bank) (*bought, host.Result) {
	s.Helper()
	s.ready()
	got := s.till.sale(card, amount, "1234")
	b := &bought{terminal: 0, trace: got.Trace, amount: amount, at: at, said: fmt.Sprintf("%s %s %s", got.Outcome, got.Code, got.Reason), yes: got.Outcome == host.Approved}
	s.today = append(s.today, b)
	return b, got
}

// repeats sends the last message of the terminal again, byte by byte, over a
// connection of its own.
func (s *session) repeats(b *bought, got host.Result) {
	s.Helper()
	if got.Trace == 0 || got.Outcome == host.NotSent {
		return
	}
	s.ready()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(s.wrote.raw); err != nil {
		s.Fatal(err)
	}
	v := s.hand.receive(c)
	if v != nil && string(v.AppendText(nil, 39)) == "00" && got.Outcome == host.Declined {
		s.Errorf("%s: %s, and 00 when it came again", s.name, b.said)
	}
}

// takesBack is the cashier who reverses the last sale.
func (s *session) takesBack(b *bought, _ host.Result) {
	s.Helper()
	if !b.yes {
		return
	}
	s.ready()
	undo, err := s.till.host.Reverse(s.Context())
	pending, due := s.till.host.Pending()
	b.back = undo != nil && undo.Trace == b.trace || due && pending == b.trace // what is not done yet stays due
	if !b.back && err == nil {
		s.Errorf("%s: trace %d is not reversed and nobody says why", s.name, b.trace)
	}
}

// hand is a terminal whose messages are built here; it reverses what it was not told
// with a MAC, as the program does.
type hand struct {
	*wire
	trace uint32
	due   []func() []byte // reversals
}

// signsOn tries a few times.
func (h *hand) signsOn() bool {
	for range 3 {
		c := h.dial()
		h.trace++
		set := h.keySet(c, h.trace)
		c.Close()
		if set != nil {
			h.take(set)
			return true
		}
	}
	return false
}

// asks sends a message and says how it was answered; without an authentic answer
// its reversal is due.
func (h *hand) asks(body []byte, reversal func() []byte) (v *iso8583.View, code string, authentic bool) {
	h.Helper()
	c := h.dial()
	defer c.Close()
	v = h.ask(c, body)
	if code, authentic = h.code(v); !authentic && reversal != nil {
		h.due = append(h.due, reversal)
	}
	return v, code, authentic
}

// drained sends the reversals that are due; nothing fails any more.
func (h *hand) drained() {
	h.Helper()
	if len(h.due) > 0 && !h.signsOn() {
		h.Fatal("sign-on refused though nothing fails any more")
	}
	for _, reversal := range h.due {
		if _, code, authentic := h.asks(reversal(), nil); !authentic || code != "00" && code != "25" {
			h.Errorf("a reversal is answered %q, authentic %v", code, authentic)
		}
	}
	h.due = nil
}

// pays is a purchase without a PIN.
func (h *hand) pays(s *session, amount int64) (b *bought, rrn string, void func(mti iso8583.MTI, trace uint32) []byte) {
	h.Helper()
	s.ready()
	h.trace++
	trace, card := h.trace, s.tap("unionpay", amount)
	v, code, authentic := h.asks(h.sale(0x0200, trace, amount, card), func() []byte { return h.sale(0x0400, trace, amount, card) })
	b = &bought{terminal: 1, trace: trace, amount: amount, at: s.a, said: code, yes: authentic && code == "00"}
	s.today = append(s.today, b)
	if v != nil && v.Has(37) {
		rrn = string(v.Raw(37))
	}
	return b, rrn, func(mti iso8583.MTI, number uint32) []byte {
		return h.sale(mti, number, amount, card, as("200000", "23"), func(b *iso8583.Builder) {
			b.Unset(55) // what the chip says is of the purchase
			b.SetString(37, rrn)
			b.SetString(61, fmt.Sprintf("000001%06d", trace))
		})
	}
}

func (s *session) voids(b *bought, _ string, void func(iso8583.MTI, uint32) []byte) {
	s.Helper()
	if !b.yes {
		return
	}
	s.ready()
	s.hand.trace++
	trace := s.hand.trace
	_, code, authentic := s.hand.asks(void(0x0200, trace), func() []byte { return void(0x0400, trace) })
	b.voided = authentic && code == "00"
	b.said += ", void " + code
}

func (s *session) inquires() {
	s.Helper()
	s.ready()
	s.hand.trace++
	stripe := func(b *iso8583.Builder) { b.SetString(22, "022"); b.Unset(55) }
	s.hand.asks(s.hand.sale(0x0200, s.hand.trace, 0, s.tap("unionpay", 5), as("310000", "01"), stripe), nil)
}

// judge drains terminals and queues, now that nothing fails, and holds the promises:
// what was approved is debited once and in the journal, anything else nets to zero.
func (s *session) judge() {
	s.Helper()
	s.ready()
	s.till.drained()
	s.hand.drained()
	s.settled()
	s.soon("rest of all payments", func() bool {
		resting := true
		s.node.index.Each(func(p txn.Payment) { resting = resting && p.State.Resting() })
		return resting
	})
	held := s.books()
	for _, b := range s.today {
		p, known := s.find(b.terminal, b.trace)
		stands := b.yes && !b.back
		want := int64(0)
		if stands {
			want = b.amount
		}
		switch paid := held[p.Numbers.RRN.String()]; {
		case b.yes && !known:
			s.Errorf("%s: terminal %d trace %d is approved and not in the journal", s.name, b.terminal, b.trace)
		case known && p.Numbers.STAN != 0 && paid != want && !b.voided:
			s.Errorf("%s: terminal %d trace %d was told %s, reversed %v; the customer paid %d of %d, state %s", s.name, b.terminal, b.trace, b.said, b.back, paid, want, p.State)
		}
		if stands && !b.voided {
			s.kept[b.at] += b.amount
		}
	}
	for _, b := range []*bank{s.a, s.b} {
		if b.taken() != s.kept[b] {
			s.Errorf("%s: %s took %d, terminals know of %d", s.name, b.cfg.Name, b.taken(), s.kept[b])
		}
	}
	if s.Failed() {
		s.FailNow()
	}
}

// whole says whether a day went as it goes when nothing fails.
func (s *session) whole() bool {
	return len(s.today) == 4 && s.today[0].yes && s.today[1].yes && s.today[2].back && s.today[3].voided
}

// over is the judgement of all days: refusals had names that reasons.md knows, those
// given among them, log and metrics agree, and the journal alone gives the same states.
func (s *session) over(given ...txn.Reason) {
	s.Helper()
	names, seen := map[string]bool{}, map[string]int{}
	for _, d := range txn.Reasons() {
		names[string(d.Reason)] = d != txn.DeclineMalfunction
	}
	for _, e := range s.log.events("payment") {
		if reason, _ := e["reason"].(string); e["outcome"] == "declined" {
			seen[reason]++
			if !names[reason] {
				s.Errorf("a %v is refused and has no name: %q", e["class"], reason)
			}
		}
	}
	for _, reason := range given {
		if seen[string(reason)] == 0 {
			s.Errorf("nothing was refused as %s: %v", reason, seen)
		}
	}
	s.Logf("refused: %v", seen)
	s.agree()
	s.sameAfterReplay()
	s.restart()
	s.settled()
	s.today, s.name = nil, "after a restart"
	s.till.reopen()
	s.judge()
}
