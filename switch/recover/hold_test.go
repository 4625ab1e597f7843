// SPDX-License-Identifier: Apache-2.0

package recover_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/env/fake"
	"tapswitch/switch/flow"
	"tapswitch/switch/txn"
)

// taken is what a completion here takes of a hold of amount.
const taken = amount + amount/10

// complete is the host's part: it takes what stands, once per message. The switch has
// no business to ask for anything else.
func (h *host) complete(hold txn.STAN, p *txn.Payment) bool {
	n := p.Numbers.STAN
	if h.used[n] != 0 && h.debits[n] != 0 {
		return true // a repeat
	}
	if h.debits[hold] == 0 {
		h.clash = fmt.Sprintf("trace %d completes what is not held", p.Key.Trace)
		return false
	}
	h.debits[hold], h.debits[n], h.used[n] = 0, int64(p.Amount.Minor), hold
	return true
}

// standsAgain puts back what a completion used up, or takes it once more; nothing
// for other messages.
func (h *host) standsAgain(completion txn.STAN, again bool) {
	hold, ok := h.used[completion]
	switch {
	case !ok || h.undone[hold]:
	case again:
		h.debits[hold] = amount
	default:
		h.debits[hold] = 0
	}
}

// HoldTerms implements flow.Holds.
func (still) HoldTerms(string) flow.HoldTerms {
	return flow.HoldTerms{Percent: 115, Lasts: 30 * 24 * time.Hour}
}

// about sends a message of a class about the hold of trace 1, or of the void of the
// completion of trace 2, and tells what the terminal received.
func (n *node) about(clock *fake.Clock, h *host, trace txn.STAN, class txn.Class, mood string, d flow.Delivery) txn.Answer {
	h.mood = mood
	in := step{trace: trace, class: class}.request(clock)
	in.OfAuth = [6]byte([]byte("AUTH01"))
	in.Original = txn.Key{}
	run := n.flow.Authorize
	switch class {
	case txn.PreAuthVoid:
		run = n.flow.CancelPreAuth
	case txn.Completion, txn.CompletionAdvice:
		run, in.Amount.Minor = n.flow.Complete, taken
		if class == txn.CompletionAdvice {
			run = n.flow.AdviseCompletion
		}
	case txn.CompletionVoid:
		in.Original = step{trace: 2, class: txn.Completion}.request(clock).Key
		p, _ := n.index.Find(in.Original)
		run, in.OfRRN, in.Amount.Minor = n.flow.Void, p.Numbers.RRN, taken
	}
	key := in.Key
	a := run(context.Background(), in)
	n.flow.Delivered(key, a, d)
	if d == flow.NotWritten && class != txn.CompletionAdvice {
		return txn.Answer{}
	}
	return a
}

// takeBack is the terminal's reversal of such a message.
func (n *node) takeBack(clock *fake.Clock, trace txn.STAN, class txn.Class) txn.Answer {
	in := step{trace: trace, class: txn.Reversal}.request(clock)
	in.Original.Class = class
	if class != txn.PreAuth && class != txn.PreAuthVoid {
		in.Amount.Minor = taken
	}
	return n.flow.Reverse(context.Background(), in)
}

// holding is a class of messages about what is held, and what comes before it.
type holding struct {
	class txn.Class
	trace txn.STAN
	first []txn.Class // of traces 1 and 2
}

func holdings() []holding {
	return []holding{
		{txn.PreAuth, 1, nil},
		{txn.PreAuthVoid, 3, []txn.Class{txn.PreAuth}},
		{txn.Completion, 3, []txn.Class{txn.PreAuth}},
		{txn.CompletionAdvice, 3, []txn.Class{txn.PreAuth}},
		{txn.CompletionVoid, 3, []txn.Class{txn.PreAuth, txn.Completion}},
	}
}

// moments are those of the message, after the others; gap is how much later than the
// pre-authorization it comes.
func (c holding) moments(t *testing.T, keep fake.Keep, mood string, d flow.Delivery, gap time.Duration) (all []moment) {
	t.Helper()
	clock, disk, h := fake.NewClock(), fake.NewDisk(), newHost()
	n, err := boot(clock, disk, h)
	if err != nil {
		t.Fatal(err)
	}
	for i, class := range c.first {
		if a := n.about(clock, h, txn.STAN(i+1), class, "", flow.Written); !a.Approved() {
			t.Fatalf("%s: %s %s", class, a.Code, a.Reason)
		}
		clock.Advance(time.Second)
	}
	n.run(clock, h, step{trace: 90, class: txn.Purchase, mood: "decline"})
	clock.Advance(gap)
	n.run(clock, h, step{trace: 91, class: txn.Purchase, mood: "decline"})
	n.index.Forget()
	var told txn.Answer
	take := func(op string) {
		all = append(all, moment{op: op, disk: disk.CrashClone(keep, uint64(len(all))), host: h.clone(), received: map[txn.STAN]txn.Answer{c.trace: told}})
	}
	disk.OnOp(func(o fake.Op) { take(fmt.Sprintf("%d %v %s", o.K, o.Kind, o.Name)) })
	told = n.about(clock, h, c.trace, c.class, mood, d)
	take("after the answer")
	n.drain1()
	take("after a delivery")
	h.mood = ""
	n.drain()
	take("after a drain")
	return all
}

// drain1 delivers once.
func (n *node) drain1() { n.saf.Deliver(context.Background(), "acq") }

// TestCrashWhileHolding restarts the switch from every disk operation of a
// pre-authorization, its cancel, its completion (asked for or already happened) and
// the void of that, however it ends at the host; and of those about a hold that is
// older than repeats are answered for. What the terminal was told of stands, once;
// anything else is as if it had not been, and the hold is used once afterwards.
func TestCrashWhileHolding(t *testing.T) {
	for _, c := range holdings() {
		for _, gap := range []time.Duration{time.Second, 20 * 24 * time.Hour} {
			if c.first == nil && gap > time.Second {
				continue
			}
			t.Run(fmt.Sprintf("%s after %v", c.class, gap), func(t *testing.T) {
				for _, keep := range fake.Keeps() {
					for _, mood := range []string{"", "decline", "silent", "lost"} {
						for _, d := range []flow.Delivery{flow.Written, flow.NotWritten} {
							all := c.moments(t, keep, mood, d, gap)
							if len(all) < 4 {
								t.Fatalf("only %d moments: the disk is not being written", len(all))
							}
							for _, m := range all {
								c.after(t, fmt.Sprintf("keep %s, %q, delivery %d, %s", keep, mood, d, m.op), m, gap)
							}
						}
					}
				}
			})
		}
	}
}

// after restarts from a moment, lets the terminal take back, or tell again, what it
// knows nothing of, and judges.
func (c holding) after(t *testing.T, name string, m moment, gap time.Duration) {
	t.Helper()
	n, clock := restarted(t, name, m, gap+10*time.Minute)
	if n == nil {
		return
	}
	told := m.received[c.trace]
	switch {
	case c.class == txn.CompletionAdvice:
		if told = n.about(clock, m.host, c.trace, c.class, "", flow.Written); !told.Approved() {
			t.Errorf("%s: the advice is told %s %s in the end", name, told.Code, told.Reason)
		}
	case !known(told):
		if a := n.takeBack(clock, c.trace, c.class); !done(a) {
			t.Errorf("%s: its reversal is told %s %s", name, a.Code, a.Reason)
		}
	}
	m.host.mood = ""
	n.drain()
	stands, took := c.left(told.Approved())
	if hold, sum := n.books(m.host, 1, txn.PreAuth), m.host.held(); hold != stands || sum != stands+took {
		t.Errorf("%s: the acquirer holds %d and has taken %d, want %d and %d", name, hold, sum-hold, stands, took)
	}
	n.index.Each(func(p txn.Payment) {
		if !p.State.Resting() {
			t.Errorf("%s: trace %d rests in %s", name, p.Key.Trace, p.State)
		}
	})
	clock.Advance(time.Second)
	again := n.about(clock, m.host, 8, txn.Completion, "", flow.Written)
	cancel := n.about(clock, m.host, 9, txn.PreAuthVoid, "", flow.Written)
	if again.Approved() != (stands > 0) || cancel.Approved() || m.host.clash != "" || n.stopped != nil {
		t.Errorf("%s: a later completion is told %s %s, a cancel after it %s; %s; stopped: %v", name, again.Code, again.Reason, cancel.Code, m.host.clash, n.stopped)
	}
	if sum := m.host.held(); sum != 0 && sum != taken {
		t.Errorf("%s: in the end %d is taken", name, sum)
	}
}

// left is what must be held and taken when the message had its effect, or had not.
func (c holding) left(effective bool) (held, took int64) {
	switch c.class {
	case txn.PreAuth:
		if !effective {
			return 0, 0
		}
		return amount, 0
	case txn.PreAuthVoid:
		if effective {
			return 0, 0
		}
		return amount, 0
	case txn.CompletionVoid:
		if effective {
			return amount, 0
		}
		return 0, taken
	}
	if effective {
		return 0, taken
	}
	return amount, 0
}

// books is what the acquirer has of a message.
func (n *node) books(h *host, trace txn.STAN, class txn.Class) int64 {
	p, _ := n.index.Find(step{trace: trace, class: class}.request(fake.NewClock()).Key)
	return h.debits[p.Numbers.STAN]
}
