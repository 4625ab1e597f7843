// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"reflect"
	"sync"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/switch/config"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
	"tapswitch/terminal/host"
)

// dropping is a network whose connections break at times, some milliseconds
// after something was written to them, and where what was written arrives twice
// at times, the second time on a connection of its own.
type dropping struct {
	env.Network
	odds int // one write in so many
}

type droppingConn struct {
	net.Conn
	network dropping
	address string
}

func (d dropping) Dial(ctx context.Context, address string) (net.Conn, error) {
	c, err := d.Network.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return droppingConn{c, d, address}, nil
}

func (c droppingConn) Write(p []byte) (int, error) {
	if rand.IntN(c.network.odds) == 0 {
		time.AfterFunc(time.Duration(rand.IntN(15))*time.Millisecond, func() { c.Conn.Close() })
	}
	n, err := c.Conn.Write(p)
	if n > 0 && rand.IntN(c.network.odds) == 0 {
		go c.twice(append([]byte(nil), p...))
	}
	return n, err
}

// twice sends p over another connection; nobody reads the answer.
func (c droppingConn) twice(p []byte) {
	other, err := c.network.Network.Dial(context.Background(), c.address)
	if err != nil {
		return
	}
	time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
	_, _ = other.Write(p)
	time.AfterFunc(time.Duration(rand.IntN(400))*time.Millisecond, func() { other.Close() })
}

// told is what terminals were told, by terminal and trace number.
type told struct {
	mu   sync.Mutex
	sale map[string]sale
}

type sale struct {
	host.Result
	amount int64
	bank   *bank
}

// storm is what happens to the switch: terminals pay at the same time while
// hosts misbehave, lines break and the HSM stumbles.
func (r *rig) storm(tills []*term, each int, all *told) {
	stop := make(chan struct{})
	var weather, payers sync.WaitGroup
	weather.Add(1)
	go func() {
		defer weather.Done()
		moods := []string{"normal", "silent once", "silent-before once", "late 600ms once", "late 100ms once", "bad-mac once",
			"wrong-amount once", "duplicate once", "garbage once", "silent once", "normal", "bad-mac once", "duplicate once"}
		for {
			for _, b := range []*bank{r.a, r.b} {
				b.mood(moods[rand.IntN(len(moods))])
			}
			if rand.IntN(15) == 0 { // rarely: the link needs a while to come back
				r.b.mood("hangup once")
			}
			select {
			case <-stop:
				return
			case <-time.After(40 * time.Millisecond):
			}
		}
	}()
	r.module.set(func(op string, key *hsm.Key) error {
		if rand.IntN(150) == 0 {
			return fmt.Errorf("%w: stumbled", hsm.ErrUnavailable)
		}
		return nil
	})
	for _, t := range tills {
		payers.Add(1)
		go func() {
			defer payers.Done()
			for range each {
				t.pay(all)
			}
		}()
	}
	payers.Wait()
	close(stop)
	weather.Wait()
	r.module.set(nil)
	r.a.mood("normal")
	r.b.mood("normal")
}

// pay is one customer; now and then the shop takes it back at once.
func (t *term) pay(all *told) {
	amount, name, at := int64(1+rand.IntN(2000)), "unionpay", t.rig.a
	if rand.IntN(2) == 0 {
		name, at = "visa", t.rig.b
	}
	pin := ""
	if rand.IntN(4) == 0 {
		pin = "1234"
	}
	got := t.sale(name, amount, pin)
	if got.Trace == 0 {
		return // the terminal was not ready: nothing was sent
	}
	if got.Code == "91" {
		time.Sleep(100 * time.Millisecond) // the link comes back by itself
	}
	key := fmt.Sprintf("%s/%d", terminalID(t.id), got.Trace)
	all.mu.Lock()
	all.sale[key] = sale{got, amount, at}
	all.mu.Unlock()
	if got.Outcome == host.Approved && rand.IntN(8) == 0 {
		// Also one that is not acknowledged now stays due, and is drained later.
		if undo, _ := t.host.Reverse(context.Background()); undo != nil && undo.Trace == got.Trace {
			all.mu.Lock()
			got.Outcome = host.Declined
			all.sale[key] = sale{got, amount, at}
			all.mu.Unlock()
		}
	}
}

// TestStorm holds the promises of the switch against the terminals' memory, the
// acquirers' books and the journal.
func TestStorm(t *testing.T) {
	const terminals, each = 8, 50
	r := newRig(t, func(c *config.Config) {
		c.Payment.PINTries = 10
		c.Links[0].Timeout, c.Links[1].Timeout = 300*time.Millisecond, 300*time.Millisecond
	})
	all := &told{sale: map[string]sale{}}
	var tills []*term
	for i := range terminals {
		till := r.term(i, func(c *host.Config) {
			if i%2 == 0 { // reverses what is still in flight
				c.Answer = 150 * time.Millisecond
			}
		})
		till.net = dropping{r.world.Net, 12}
		till.reopen()
		tills = append(tills, till)
	}
	r.storm(tills, each, all)
	for _, till := range tills {
		till.net, till.edit = r.world.Net, nil
		till.reopen()
		till.drained()
	}
	r.soon("rest", func() bool {
		resting := r.node.saf.Depth("acq-a")+r.node.saf.Depth("acq-b") == 0
		r.node.index.Each(func(p txn.Payment) { resting = resting && p.State.Resting() })
		return resting
	})
	r.agree()
	r.judge(all)
	r.sameAfterReplay()
	r.restart()
	r.judge(all)
}

// judge is the oracle.
func (r *rig) judge(all *told) {
	r.Helper()
	held := r.books()
	payments := map[string]txn.Payment{}
	rrns := map[string]bool{}
	r.node.index.Each(func(p txn.Payment) {
		payments[fmt.Sprintf("%s/%d", p.Key.Terminal, p.Key.Trace)] = p
		if rrn := p.Numbers.RRN.String(); rrn != "" {
			if rrns[rrn] {
				r.Errorf("two payments have RRN %s", rrn)
			}
			rrns[rrn] = true
		}
	})
	yes, sum, codes := 0, map[*bank]int64{}, map[string]int{}
	for key, s := range all.sale {
		p, known := payments[key]
		paid := held[p.Numbers.RRN.String()]
		switch {
		case s.Outcome == host.Approved && !known:
			r.Errorf("%s was approved and is not in the journal", key)
		case s.Outcome == host.Approved && paid != s.amount:
			r.Errorf("%s was approved over %d; the customer paid %d; state %s", key, s.amount, paid, p.State)
		case s.Outcome != host.Approved && known && paid != 0:
			r.Errorf("%s ended %s %s %s; the customer paid %d; state %s", key, s.Outcome, s.Code, s.Reason, paid, p.State)
		}
		if s.Outcome == host.Approved {
			yes++
			sum[s.bank] += s.amount
		}
		codes[string(s.Outcome)+" "+s.Code]++
		if s.Outcome == host.Declined && s.Code != "00" && txn.ByReason(p.Answer.Reason) == nil {
			r.Errorf("%s has no reason", key)
		}
	}
	if r.a.taken() != sum[r.a] || r.b.taken() != sum[r.b] {
		r.Errorf("taken %d and %d, approved %d and %d", r.a.taken(), r.b.taken(), sum[r.a], sum[r.b])
	}
	for rrn := range held {
		if !rrns[rrn] {
			r.Errorf("a debit with RRN %s belongs to no payment", rrn)
		}
	}
	r.Logf("%d sales, %d approved and kept, %d in the journal: %v", len(all.sale), yes, len(payments), codes)
	if yes < len(all.sale)/10 || yes == len(all.sale) {
		r.Errorf("%d of %d approved: the storm was too hard or too mild", yes, len(all.sale))
	}
}

// books is what customers paid, by RRN, and the proof that no request key was
// used twice.
func (r *rig) books() map[string]int64 {
	held := map[string]int64{}
	for _, b := range []*bank{r.a, r.b} {
		if s := b.host.Summary(); s.Check != "ok" {
			r.Error(s.Check)
		}
		keys := map[string]bool{}
		for _, e := range b.host.Books() {
			switch e.Effect {
			case "debit":
				held[e.RRN] += int64(e.AmountMinor)
			case "credit":
				held[e.RRN] -= int64(e.AmountMinor)
			}
			if e.MTI == "open" || e.MTI == "0401" { // a repeat carries its original's
				continue
			}
			if keys[e.Key()] && e.MTI != "0400" || e.Response == "94" && e.Reason == "duplicate_differs" {
				r.Errorf("%s %s came twice", e.MTI, e.Key())
			}
			keys[e.Key()] = true
		}
	}
	return held
}

// sameAfterReplay applies the journal to a fresh index and compares.
func (r *rig) sameAfterReplay() {
	r.Helper()
	fresh := replay.New(replay.Config{Max: maxPayments, Window: r.cfg.Payment.ReplayWindow}, r.world, nil)
	kept := int64(0)
	err := r.node.journal.Replay(func(_ uint64, rec journal.Record) error {
		kept = max(0, kept+int64(rec.Reserve))
		return fresh.Apply(rec)
	})
	if err != nil {
		r.Fatal(err)
	}
	states := map[txn.Key]txn.Payment{}
	owed := int64(0)
	fresh.Each(func(p txn.Payment) {
		if p.State == txn.Approved { // that it was written is not durable
			p.State = txn.Completed
		}
		states[p.Key] = p
		owed += int64(p.Reserved)
	})
	n := 0
	r.node.index.Each(func(p txn.Payment) {
		n++
		p.LateYes = 0 // is not stored
		if !reflect.DeepEqual(states[p.Key], p) {
			r.Errorf("the journal has\n%+v\nthe process\n%+v", states[p.Key], p)
		}
	})
	if n != len(states) {
		r.Errorf("%d payments in the process, %d in the journal", n, len(states))
	}
	if got := r.node.segments.Reserved(); got != kept || got < owed {
		r.Errorf("room kept: %d, records say %d, payments need %d (an approval keeps %d)", got, kept, owed, record.UndoRoom)
	}
}
