// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"errors"
	"time"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/txn"
)

// View is what a change decides on: the payment as it stands.
type View struct {
	Payment   *txn.Payment  // nil when only a claim or a tombstone exists
	Known     bool          // a payment, a claim or a tombstone has this key
	Running   bool          // a call of the flow owns it: its exchange may be under way
	Tombstone bool          // its reversal came first
	Later     []txn.Payment // what names it as its original, in order
	Beyond    []txn.Payment // what names one of those: the void of a completion

	x *Index
}

// Change takes the turn of k, lets decide look and choose records, makes them
// durable and applies them; it returns how the payment stands then. Changes of
// one payment happen one after the other. An error of the journal is returned
// as it is: the records may be durable, the index does not have them.
func (x *Index) Change(k txn.Key, decide func(View) ([]journal.Record, error)) (View, error) {
	e := x.turn(k)
	defer x.release(k, e)
	return x.change(e, func() ([]journal.Record, error) { return decide(x.view(e)) })
}

// ChangeBoth is Change with the turn of k's original besides, so that nothing
// else happens to that meanwhile. Turns are taken in this order alone: from what
// names an original to the original.
func (x *Index) ChangeBoth(k, original txn.Key, decide func(now, of View) ([]journal.Record, error)) (View, error) {
	e := x.turn(k)
	defer x.release(k, e)
	of := x.turn(original)
	defer x.release(original, of)
	return x.change(e, func() ([]journal.Record, error) { return decide(x.view(e), x.view(of)) })
}

// change carries a decision out; the turn is the caller's.
func (x *Index) change(e *entry, decide func() ([]journal.Record, error)) (View, error) {
	records, err := decide()
	if err != nil {
		return View{}, err
	}
	if len(records) > 0 {
		if err := x.foresee(e, records); err != nil {
			return View{}, err
		}
		if err := x.accounts.Enter(records); err != nil {
			return View{}, err
		}
		defer x.accounts.Leave(records)
		if err := x.store(records); err != nil {
			return View{}, err
		}
		for _, r := range records {
			if err := x.take(r, true); err != nil {
				return View{}, err
			}
		}
	}
	return x.view(e), nil
}

// Await waits until no call works on k and its answer is delivered, or until
// the deadline.
func (x *Index) Await(k txn.Key, until env.Mono) {
	for {
		x.mu.Lock()
		e := x.payments.get(k)
		if e == nil || !e.running && (e.p == nil || e.p.State != txn.Approved) {
			x.mu.Unlock()
			return
		}
		done := x.await(e)
		x.mu.Unlock()
		if !done.Wait(until) {
			return
		}
	}
}

func (x *Index) view(e *entry) View {
	x.mu.Lock()
	defer x.mu.Unlock()
	v := e.view()
	v.x = x
	v.Later = x.naming(nil, e)
	for i := range v.Later {
		v.Beyond = x.naming(v.Beyond, x.payments.get(v.Later[i].Key))
	}
	return v
}

// View gives how the payment of k stands, outside of any turn.
func (x *Index) View(k txn.Key) View {
	x.mu.Lock()
	e := x.payments.get(k)
	x.mu.Unlock()
	if e == nil {
		return View{}
	}
	return x.view(e)
}

// naming appends what names a payment as its original; the lock is held.
func (x *Index) naming(to []txn.Payment, e *entry) []txn.Payment {
	for _, k := range x.later[e.key] {
		if o := x.payments.get(k); o != nil && o.p != nil && names(o.p, e) {
			to = append(to, *o.p)
		}
	}
	return to
}

// names says whether p names this life of e: the keys of both may have come to
// another one since.
func names(p *txn.Payment, e *entry) bool {
	return p.Original == e.key && (e.p == nil || p.OfRRN == txn.RRN{} || p.OfRRN == e.p.Numbers.RRN)
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

// turn waits for the turn of k.
func (x *Index) turn(k txn.Key) *entry {
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
	wake := x.settled(e)
	if len(e.queue) > 0 {
		wake = append(wake, e.queue[0])
		e.queue = e.queue[1:]
	} else {
		e.busy = false
		x.drop(k, e)
	}
	x.mu.Unlock()
	for _, w := range wake {
		w.Wake()
	}
}

// busyPause is for how long an owed record waits when the journal's queue is full.
const busyPause = time.Millisecond

// store makes records durable. A new payment finds the queue full and is
// refused; what belongs to one that was accepted waits for its place.
func (x *Index) store(records []journal.Record) error {
	asks := 0
	for _, r := range records {
		asks += r.Reserve
	}
	for {
		err := x.journal.Append(records...)
		if asks > 0 || !errors.Is(err, journal.ErrBusy) {
			if err != nil && !errors.Is(err, journal.ErrFull) && !errors.Is(err, journal.ErrBusy) && !errors.Is(err, journal.ErrTooBig) {
				x.doubt.Store(true)
			}
			return err
		}
		x.waits.NewEvent().Wait(x.clock.Mono().Add(busyPause))
	}
}

// Doubtful says that the journal could not tell of some records whether they are
// durable: how payments stand is not known any more, and the process is about to
// stop. What is sent now might contradict what the next start reads.
func (x *Index) Doubtful() bool { return x.doubt.Load() }

// SpareNumbers are for the reversal of p when no others are to be had: the
// payment's own trace number with another second. No other message carries
// them, because that trace number was given to p alone for at least a minute
// from its own second on. A second reversal of p takes the next second.
func SpareNumbers(p *txn.Payment) txn.Numbers {
	n := p.Numbers
	if p.Undo.STAN == n.STAN {
		n.At = p.Undo.At
	}
	n.At = n.At.Add(time.Second)
	return n
}
