// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"time"

	"tapswitch/internal/env"
	"tapswitch/iso8583"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// underWay is how long a request, once sent, may be on its way through the switch.
const underWay = 30 * time.Second

// operator is the person who has the open cases: each is looked up in the books of
// its acquirer and closed with what is there. Of one that the acquirer has not
// heard of, the request may still be under way, and is waited for.
func (w *World) operator() {
	seen := map[txn.Key]env.Mono{}
	for !w.calm {
		w.sched.sleep(w.between(50*time.Millisecond, 3*time.Second))
		m := w.machine
		if m.handler == nil || m.group.dead {
			continue
		}
		m.node.Payments(func(p txn.Payment) {
			if p.State != txn.Disputed {
				return
			}
			first, known := seen[p.Key]
			if !known {
				first = w.sched.mono.Add(w.between(0, 40*time.Second)) // when it is their turn
				if w.rng.IntN(2) == 0 {
					first = w.sched.mono
				}
				seen[p.Key] = first
			}
			e := w.host(p.Link).books[replay.NewLinkKey(p.Link, p.Numbers).At+fmt.Sprintf("%06d", p.Numbers.STAN)]
			switch {
			case w.sched.mono < first, e == nil || !e.known && w.sched.mono < first.Add(underWay), e.wavers || e.request != nil:
			default:
				w.close(m, p, e)
			}
		})
	}
}

// close tells the switch what is in the books. Not while its terminal waits for what
// must be refused: with the case closed it might rightly be approved.
func (w *World) close(m *machine, p txn.Payment, e *booked) {
	for _, shop := range w.shops {
		if shop.id == p.Key.Terminal.String() && shop.vainly > w.sched.mono {
			return
		}
	}
	a := txn.Act{What: txn.FoundUndone, By: "operator", Why: "seen in the books", At: w.sched.Now()}
	if e.inForce() || e.gives {
		a.What = txn.FoundStands
	}
	if a.What == txn.FoundUndone {
		w.cameFree(p.Key)
	} else if p.Key.Class == txn.CompletionVoid { // it stands, and what was completed is held again
		w.cameFree(p.Original)
	}
	w.sched.start(m.group, func() {
		err := m.node.Act(p.Numbers.RRN, a, w.sched.mono.Add(time.Second))
		w.say("operator: %s of terminal %s trace %06d: %v", a.What, p.Key.Terminal, p.Key.Trace, err == nil)
	})
	if a.What == txn.FoundUndone && w.trouble("found undone, then yes", 100) {
		w.sched.after(w.group, w.between(100*time.Millisecond, 5*time.Second), func() {
			w.host(p.Link).afterAll(e, p.Key.Class == txn.Purchase || p.Key.Class == txn.Cash)
		})
	}
}

// afterAll says yes to what a person found undone: it is booked after all, where it
// takes money and nothing else, or an old answer comes round once more.
func (h *host) afterAll(e *booked, takes bool) {
	var v iso8583.View
	switch {
	case e.body == nil: // an advice
	case takes && e.pays && !e.inForce() && h.w.rng.IntN(2) == 0:
		e.reversed = false
		h.contradict(e, e.body)
	case e.said.code == "00" && len(h.lines) > 0 && !h.silent && h.layout.Parse(e.body, &v) == nil:
		h.w.say("%s: an old yes to stan=%s comes round", h.name, text(&v, 11))
		h.answer(h.lines[len(h.lines)-1], &v, &answer{code: "00", auth: e.said.auth})
	}
}

// cameFree lets a terminal forget what a person finds undone: what was completed or
// cancelled by it may be completed again, and that is nothing to be refused. A yes
// to it may still be on its way to the terminal.
func (w *World) cameFree(k txn.Key) {
	w.foundUndone[oracleKey(k)] = true
	for _, p := range w.shops {
		if p.id != k.Terminal.String() {
			continue
		}
		if c := p.mem.completed; c != nil && c.trace == uint32(k.Trace) {
			p.mem.completed = nil
		}
		if k.Class == txn.PreAuthVoid {
			p.mem.released = nil
		}
	}
}
