// SPDX-License-Identifier: Apache-2.0

package saf

import (
	"context"
	"errors"
	"slices"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Run delivers what waits for one link until Close. It is one loop of the line:
// as many as run are under way at the same time.
func (q *Queue) Run(ctx context.Context, link string) {
	for {
		it, mine, until, closed := q.pick(link, true)
		switch {
		case closed:
			return
		case it == nil:
			mine.Wait(until)
			q.awake(link, mine)
		default:
			q.attempt(ctx, link, it)
		}
	}
}

// Deliver makes one attempt if one is due now, and says whether it did.
func (q *Queue) Deliver(ctx context.Context, link string) bool {
	it, _, _, closed := q.pick(link, false)
	if closed || it == nil {
		return false
	}
	q.attempt(ctx, link, it)
	return true
}

// pick takes the item that goes next. When there is none, a loop that idles is
// given the event to wait for, and until when.
func (q *Queue) pick(link string, idles bool) (it *item, mine env.Event, until env.Mono, closed bool) {
	up := q.sender.Up(link)
	q.mu.Lock()
	l, now := q.line(link), q.world.Clock.Mono()
	if q.closed {
		q.mu.Unlock()
		return nil, nil, 0, true
	}
	if l.down && up {
		l.pace.restart(now)
	}
	l.down = !up
	if until = now.Add(q.cfg.Retry); up {
		it, until = l.take(now)
	}
	var wake []env.Event
	if it != nil {
		wake = l.next() // another loop may go on beside this one
	} else if idles {
		mine = q.world.Waits.NewEvent()
		l.idle = append(l.idle, mine)
	}
	q.mu.Unlock()
	wakeAll(wake)
	return it, mine, until, false
}

// awake takes a loop that has waited out of those that do.
func (q *Queue) awake(link string, mine env.Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.line(link)
	if i := slices.Index(l.idle, mine); i >= 0 {
		l.idle = slices.Delete(l.idle, i, i+1)
	}
}

// attempt sends one item and makes the acquirer's word durable.
func (q *Queue) attempt(ctx context.Context, link string, it *item) {
	r, _ := q.rule(it.kind) // Add asked for it
	p, ok := q.payments.Find(it.key)
	if !ok || !r.owes(&p) {
		q.remove(link, it)
		return
	}
	if q.payments.Doubtful() { // it may be held, dropped or done with in the journal: the next start sends what is owed there
		q.later(link, it, it.code, errDoubtful)
		return
	}
	tries := it.tries // only who has taken it touches it
	repeat := tries > 0 || it.kind == Advice && it.old
	code, err := q.sender.Send(ctx, it.kind, p, repeat)
	if err != nil {
		code = txn.Code{} // of an answer that failed its checks
	}
	now := q.world.Clock.Now()
	answer := said{code, now, repeat}
	event, why, over := r.decide(&p, answer, err, q.world.Clock.Mono().Sub(it.began), q.cfg.MaxAge)
	if over {
		if failed := q.end(&p, r, event, why, answer); failed != nil {
			err, over, why = failed, false, ""
		}
	}
	if over {
		q.remove(link, it)
	} else {
		q.later(link, it, code, err)
	}
	q.observe(Attempt{Kind: it.kind, Payment: p, Tries: tries + 1, Code: code, Done: over && why == "", Case: why, Err: err})
}

// errDoubtful is why nothing is sent any more by a process that is about to stop.
var errDoubtful = errors.New("saf: not sent: the journal could not tell whether records are durable")

// end makes durable how an item ended, of which p was sent, unless it no longer owes
// anything.
func (q *Queue) end(p *txn.Payment, r rule, event txn.Event, why txn.Reason, s said) error {
	_, err := q.payments.Change(p.Key, func(now replay.View) ([]journal.Record, error) {
		switch {
		case !r.owes(now.Payment):
			return nil, nil
		case event == txn.UndoUnknown && now.Payment.LateYes > p.LateYes:
			return []journal.Record{r.record(now.Payment, event, s), again(now.Payment)}, nil
		case event == txn.CaseOpened:
			return []journal.Record{record.MakeCase(now.Payment, txn.Case{Why: why, Code: s.code, At: s.at})}, nil
		}
		return []journal.Record{r.record(now.Payment, event, s)}, nil
	})
	return err
}

// again reopens the reversal of p, whose original the acquirer did not know when its
// yes was on the way already: it worked at both at once, and its words crossed. Who
// heard the yes queues it. It has numbers of its own, since a host may answer those of
// before as it did then.
func again(p *txn.Payment) journal.Record {
	return record.MakeUndo(p.Key, record.Undo{Event: txn.SaidYes, Reason: txn.DeclineNoAnswer.Reason, Numbers: replay.SpareNumbers(p)})
}

// remove ends an item.
func (q *Queue) remove(link string, it *item) {
	q.mu.Lock()
	q.over(q.line(link), it)
	wake := it.waits
	q.mu.Unlock()
	wakeAll(wake)
}

// over takes an item out. One that was asked for meanwhile is a new debt: it goes
// to the end of its chain. The lock is held.
func (q *Queue) over(l *line, it *item) {
	l.remove(it)
	if it.again {
		now := q.world.Clock.Mono()
		l.add(&item{ident: it.ident, root: it.root, rank: it.rank, since: q.world.Clock.Now(), began: now, due: now})
	}
}

// later spaces the next attempt: Retry, then double, up to MaxRetry.
func (q *Queue) later(link string, it *item, code txn.Code, err error) {
	wait := q.cfg.Retry
	for i := 0; i < it.tries && wait < q.cfg.MaxRetry; i++ {
		wait *= 2
	}
	wait = min(wait, q.cfg.MaxRetry)
	q.mu.Lock()
	it.tries, it.code, it.err = it.tries+1, code, err
	q.line(link).putBack(it, q.world.Clock.Mono().Add(wait))
	wake := it.waits
	it.waits = nil
	q.mu.Unlock()
	wakeAll(wake)
}
