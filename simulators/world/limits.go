// SPDX-License-Identifier: Apache-2.0

package world

import (
	"time"

	"tapswitch/internal/money"
	"tapswitch/switch/config"
	"tapswitch/switch/txn"
)

// unasked is what each terminal may sell without asking in a batch; they sell more.
var unasked = config.Offline{Amount: 40_000, Count: 2, Sum: 60_000}

// clerk is the person who looks at the offline sales that the switch holds over their
// limits, and lets them go.
func (w *World) clerk() {
	for {
		w.sched.sleep(w.between(time.Second, 8*time.Second))
		m := w.machine
		if m.handler == nil || m.group.dead {
			continue
		}
		m.node.Payments(func(p txn.Payment) {
			if p.Held == nil || p.State != txn.Advising {
				return
			}
			a := txn.Act{What: txn.Retry, By: "clerk", Why: "voucher seen", At: w.sched.Now()}
			if !w.letGo[p.Key] {
				w.fault("offline sale over a limit")
				w.letGo[p.Key] = true // from here on it may be durable
			}
			w.sched.start(m.group, func() {
				err := m.node.Act(p.Numbers.RRN, a, w.sched.mono.Add(time.Second))
				w.say("clerk: %s of terminal %s trace %06d: %v", a.What, p.Key.Terminal, p.Key.Trace, err == nil)
			})
		})
	}
}

// judgeLimits says whether more than a terminal may sell without asking went to the
// acquirers by itself: of every batch what nobody let go is within the limits.
func (w *World) judgeLimits() {
	counts, sums := map[txn.BatchID]int{}, map[txn.BatchID]money.MinorUnits{}
	w.machine.node.Payments(func(p txn.Payment) {
		if p.Key.Class != txn.OfflineSale || w.letGo[p.Key] || p.Share().Side != txn.OnDebit {
			return
		}
		id := p.Key.BatchID()
		counts[id]++
		sums[id] += p.Amount.Minor
		if int64(p.Amount.Minor) > unasked.Amount || counts[id] > unasked.Count || int64(sums[id]) > unasked.Sum {
			w.finding("offline sale of terminal %s batch %06d trace %06d is over a limit, and nobody let it go", id.Terminal, id.Batch, p.Key.Trace)
		}
	})
}
