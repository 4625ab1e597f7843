// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// View is what a change decides on: the payment as it stands.
type View struct {
	Payment   *txn.Payment // nil when only a claim or a tombstone exists
	Known     bool         // a payment, a claim or a tombstone has this key
	Running   bool         // a call of the flow owns it: its exchange may be under way
	Tombstone bool         // its reversal came first
}

// Change takes the turn of k, lets decide look and choose records, makes them
// durable and applies them; it returns how the payment stands then. Changes of
// one payment happen one after the other. An error of the journal is returned
// as it is: the records may be durable, the index does not have them.
func (x *Index) Change(k txn.Key, decide func(View) ([]journal.Record, error)) (View, error) {
	e := x.take(k)
	defer x.release(k, e)
	records, err := decide(x.view(e))
	if err != nil {
		return View{}, err
	}
	if len(records) > 0 {
		if err := x.journal.Append(records...); err != nil {
			return View{}, err
		}
		for _, r := range records {
			if err := x.Apply(r); err != nil {
				return View{}, err
			}
		}
	}
	return x.view(e), nil
}

func (x *Index) view(e *entry) View {
	x.mu.Lock()
	defer x.mu.Unlock()
	return e.view()
}

// view copies what a change may see; the index's lock is held.
func (e *entry) view() View {
	v := View{Known: e.p != nil || e.running || e.tombstone, Running: e.running, Tombstone: e.tombstone}
	if e.p != nil {
		p := *e.p
		v.Payment = &p
	}
	return v
}

// take waits for the turn of k.
func (x *Index) take(k txn.Key) *entry {
	x.mu.Lock()
	e := x.entry(k)
	if !e.busy {
		e.busy = true
		x.mu.Unlock()
		return e
	}
	mine := x.waits.NewEvent()
	e.queue = append(e.queue, mine)
	x.mu.Unlock()
	mine.Wait(env.Never)
	return e
}

// release hands the turn on, and forgets an entry that holds nothing.
func (x *Index) release(k txn.Key, e *entry) {
	x.mu.Lock()
	if len(e.queue) > 0 {
		next := e.queue[0]
		e.queue = e.queue[1:]
		x.mu.Unlock()
		next.Wake()
		return
	}
	e.busy = false
	if e.p == nil && !e.running && !e.tombstone {
		delete(x.payments, k)
		x.dropOrder(k)
	}
	x.mu.Unlock()
}

// Move follows an arrow that is not durable by its own: delivery of an answer.
func (x *Index) Move(k txn.Key, ev txn.Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.payments[k]; e != nil && e.p != nil {
		e.p.State = txn.MustNext(e.p.State, ev)
	}
}
