// SPDX-License-Identifier: Apache-2.0

package recover_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/env/fake"
	"tapswitch/internal/secret"
	"tapswitch/switch/chip"
	"tapswitch/switch/flow"
	"tapswitch/switch/journal"
	"tapswitch/switch/recover"
	"tapswitch/switch/standin"
	"tapswitch/switch/txn"
	"tapswitch/switch/window"
)

// outage is the ports of a switch whose issuer has a mandate and whose link comes
// and goes.
type outage struct {
	still
	down   *bool
	limits *standin.Limits
	clock  *fake.Clock
}

// standInMax is how many payments of the one card the mandate allows in a day.
const standInMax = 5

func (outage) issuer() chip.Issuer {
	return chip.Issuer{Name: "test", PVK: &hsm.Key{}, ATC: window.Profile{Ahead: 1000, Behind: 8}}
}

func (o outage) Issuer(secret.PAN) (*chip.Issuer, error) {
	is := o.issuer()
	return &is, nil
}

func (o outage) Choose(secret.PAN) (string, error) {
	if *o.down {
		return "", txn.DeclineLinkDown
	}
	return "acq", nil
}

func (o outage) Mandate(secret.PAN) *flow.Mandate {
	return &flow.Mandate{Name: "test", Issuer: o.issuer()}
}
func (outage) Allows(*txn.Request, *flow.Mandate) error { return nil }
func (outage) Auth(n txn.Numbers) [6]byte               { return standin.Auth(n.STAN) }

func (o outage) Take(p *txn.Payment, _ *flow.Mandate) ([]journal.Record, func(), error) {
	r, failed, err := o.limits.Take(standin.Rules{MaxCount: standInMax, MaxSum: 1 << 40}, p, o.clock.Now())
	if err != nil {
		return nil, nil, err
	}
	return []journal.Record{r}, failed, nil
}

// dropping is a host whose link goes down with the next payment in hand.
type dropping struct {
	*host
	down *bool
}

// Exchange implements flow.Acquirers.
func (d dropping) Exchange(ctx context.Context, s flow.Send) (txn.Answer, error) {
	if d.mood == "drops" {
		*d.down = true
		return txn.Answer{}, fmt.Errorf("%w: %w", flow.ErrNotSent, txn.DeclineNotSent)
	}
	return d.host.Exchange(ctx, s)
}

// sitter is a node that stands in.
type sitter struct {
	*node
	outage
}

func bootSitter(clock *fake.Clock, disk *fake.Disk, h *host) (*sitter, error) {
	n, err := boot(clock, disk, h)
	if err != nil {
		return nil, err
	}
	counts := window.New(100)
	o := outage{still{n.tries}, new(bool), standin.NewLimits(100, 0), clock}
	n.flow.Routes, n.flow.StandIns, n.flow.Counters, n.flow.Acquirers = o, o, chip.Counters{Book: counts}, dropping{h, o.down}
	_, err = recover.Replay(n.journal, counts, o.limits)
	return &sitter{n, o}, err
}

// sitting is one thing that happens on the day of an outage.
type sitting struct {
	trace   txn.STAN
	link    string // goes "up" or "down" before
	mood    string // of the host
	deliver flow.Delivery
	reverse bool // the terminal takes trace back
	drain   bool // the link is up and what is owed is delivered
}

// outageDay is each way a stood-in payment can go.
func outageDay() []sitting {
	return []sitting{
		{trace: 1, link: "down"},
		{trace: 2},
		{trace: 2, reverse: true}, // before its advice has left
		{trace: 3, deliver: flow.NotWritten},
		{link: "up", mood: "silent", drain: true}, // the advice of 1 is booked and not acknowledged
		{trace: 1, reverse: true},                 // after it may have left
		{drain: true},
		{trace: 4, mood: "drops"}, // not sent, with its intent durable
		{trace: 5},
		{link: "up", drain: true},
		{trace: 5, reverse: true}, // after the acquirer has it
		{drain: true},
		{trace: 6, link: "down"}, // one more than the mandate allows
	}
}

// play lets one thing happen; it tells what the terminal received.
func (s *sitter) play(clock *fake.Clock, h *host, d sitting) txn.Answer {
	if d.link != "" {
		*s.down = d.link == "down"
	}
	h.mood = d.mood
	clock.Advance(time.Second)
	switch {
	case d.drain:
		s.drain()
	case d.reverse:
		return s.flow.Reverse(context.Background(), step{trace: d.trace, class: txn.Reversal}.request(clock))
	default:
		in := step{trace: d.trace, class: txn.Purchase}.request(clock)
		data, _ := hex.DecodeString(fmt.Sprintf("9F2701809F0206%012d5F2A0201569F3602%04X", amount, d.trace))
		in.Card.ICC, _ = secret.NewICC(data)
		a := s.flow.Authorize(context.Background(), in)
		if d.deliver == 0 {
			d.deliver = flow.Written
		}
		s.flow.Delivered(in.Key, a, d.deliver)
		if d.deliver != flow.NotWritten {
			return a
		}
	}
	return txn.Answer{}
}

// outageMoment is what a crash leaves of the day, and what the terminal has.
type outageMoment struct {
	op       string
	at       int
	disk     *fake.Disk
	host     *host
	yes      map[txn.STAN]bool // has a yes and has not taken it back
	reversed map[txn.STAN]bool // has the reversal acknowledged
}

// outageMoments plays the day; with failAt the disk's operation of that number fails.
func outageMoments(keep fake.Keep, failAt int) (all []outageMoment, ops int, err error) {
	clock, disk, h := fake.NewClock(), fake.NewDisk(), newHost()
	if failAt > 0 {
		disk.FailAt(failAt, errors.New("device error"))
	}
	yes, reversed, at := map[txn.STAN]bool{}, map[txn.STAN]bool{}, 0
	take := func(op string) {
		m := outageMoment{op, at, disk.CrashClone(keep, uint64(len(all))), h.clone(), map[txn.STAN]bool{}, map[txn.STAN]bool{}}
		for k := range yes {
			m.yes[k] = true
		}
		for k := range reversed {
			m.reversed[k] = true
		}
		all = append(all, m)
	}
	s, err := bootSitter(clock, disk, h)
	if err != nil {
		take("at the start")
		return all, disk.Ops(), err
	}
	disk.OnOp(func(o fake.Op) { take(fmt.Sprintf("%d %v %s", o.K, o.Kind, o.Name)) })
	for i, d := range outageDay() {
		if at = i; s.stopped != nil {
			break
		}
		a := s.play(clock, h, d)
		switch {
		case d.reverse && done(a):
			delete(yes, d.trace)
			reversed[d.trace] = true
		case !d.reverse && !d.drain && a.Approved():
			yes[d.trace] = true
		}
		take("after it")
	}
	return all, disk.Ops(), s.stopped
}

// judge restarts from the moment with the link up. The terminal takes back what it
// has no yes of; then every yes is booked once and nothing else is, whatever was
// stood in has its advice at the acquirer or is undone, and the limits of the day
// know of every yes.
func (m outageMoment) judge(t *testing.T, name string) {
	t.Helper()
	clock := fake.NewClock()
	clock.Advance(10 * time.Minute)
	s, err := bootSitter(clock, m.disk, m.host)
	if err != nil {
		t.Errorf("%s: the switch does not start: %v", name, err)
		return
	}
	sameAgain(t, name, s.node, moment{})
	counted, _ := s.limits.Spent([16]byte{1}, clock.Now())
	if counted < len(m.yes) || counted > standInMax {
		t.Errorf("%s: %d counted today, the terminal has %d yeses", name, counted, len(m.yes))
	}
	if d := outageDay()[m.at]; d.reverse { // the terminal has no answer to its reversal, and sends it again
		delete(m.yes, d.trace)
	}
	m.host.mood = ""
	s.drain()
	for _, d := range outageDay()[:m.at+1] {
		if d.trace != 0 && !m.yes[d.trace] && !m.reversed[d.trace] {
			if a := s.play(clock, m.host, sitting{trace: d.trace, reverse: true}); !done(a) {
				t.Errorf("%s: the reversal of trace %d is told %s %s", name, d.trace, a.Code, a.Reason)
			}
			s.drain()
		}
	}
	clock.Advance(time.Minute)
	s.drain()
	if got, want := m.host.held(), int64(len(m.yes))*amount; got != want || m.host.clash != "" || s.stopped != nil {
		t.Errorf("%s: the acquirer holds %d, the terminal knows of %d; %s; stopped: %v", name, got, want, m.host.clash, s.stopped)
	}
	s.index.Each(func(p txn.Payment) {
		if !p.State.Resting() {
			t.Errorf("%s: %s of trace %d rests in %s", name, p.Key.Class, p.Key.Trace, p.State)
		}
		if p.StoodIn {
			m.told(t, name, s, p)
		}
	})
	if err := s.journal.Close(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// told is the one advice of a stood-in payment: at the acquirer, or not owed since
// the payment was undone before.
func (m outageMoment) told(t *testing.T, name string, s *sitter, p txn.Payment) {
	t.Helper()
	a, ok := s.index.Find(txn.StandInKey(p.Key))
	switch {
	case !ok:
		t.Errorf("%s: trace %d was stood in, and nothing is owed of it", name, p.Key.Trace)
	case a.State == txn.Advised && (p.State == txn.Completed || p.State == txn.Reversed || p.State == txn.Unmatched): // unmatched: its reversal came twice
	case a.State == txn.Declined && p.State == txn.Reversed:
	default:
		t.Errorf("%s: trace %d is %s, its advice %s", name, p.Key.Trace, p.State, a.State)
	}
}

// TestCrashWhileStandingIn restarts the switch from every disk operation of an
// outage.
func TestCrashWhileStandingIn(t *testing.T) {
	for _, keep := range fake.Keeps() {
		all, _, err := outageMoments(keep, 0)
		if err != nil || len(all) < 40 {
			t.Fatalf("%d moments, %v", len(all), err)
		}
		for _, m := range all {
			m.judge(t, fmt.Sprintf("keep %s, step %d, %s", keep, m.at, m.op))
		}
	}
}

// TestFaultWhileStandingIn fails every disk operation once.
func TestFaultWhileStandingIn(t *testing.T) {
	for k := 1; ; k++ {
		all, ops, _ := outageMoments(fake.KeepAll, k)
		if ops < k {
			if k < 40 {
				t.Fatalf("only %d operations: the disk is not being written", k)
			}
			return
		}
		all[len(all)-1].judge(t, fmt.Sprintf("operation %d failed", k))
	}
}
