// SPDX-License-Identifier: Apache-2.0

package saf

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/replay"
	"tapswitch/switch/txn"
)

// Why an operator's act is refused; nothing is changed then.
var (
	ErrNothing = errors.New("saf: nothing of this payment waits for an acquirer")
	ErrSending = errors.New("saf: it is being sent this moment")
)

// Place is where an item stands.
type Place string

// The places.
const (
	Sending Place = "sending" // under way to the acquirer
	Due     Place = "due"     // goes as soon as the link is up and its pace allows
	Later   Place = "later"   // waits for its next attempt
	Held    Place = "held"    // until an operator lets it go
	Behind  Place = "behind"  // another item of the same original goes first
	Over    Place = "over"    // waits no more
)

// Item is what waits for an acquirer, as an operator sees it.
type Item struct {
	Kind    Kind
	Payment txn.Payment
	Link    string
	Place   Place
	Wait    time.Duration // Later: until the next attempt
	First   txn.RRN       // Behind: of what goes first
	Since   time.Time     // owed since
	Tries   int           // of this process
	Code    txn.Code      // what the acquirer said at last, zero when nothing
	Err     error         // why the last attempt brought no code, nil otherwise

	first txn.Key // Behind
}

// List gives what waits for a link, at most so many, those that are owed longest
// first, and how many more there are.
func (q *Queue) List(link string, most int) (items []Item, more int) {
	q.mu.Lock()
	l := q.line(link)
	all := make([]*item, 0, len(l.items))
	for _, it := range l.items {
		all = append(all, it)
	}
	q.mu.Unlock()
	slices.SortFunc(all, func(a, b *item) int { // neither changes while it waits
		if c := a.since.Compare(b.since); c != 0 {
			return c
		}
		return cmp.Compare(a.order, b.order)
	})
	if more = max(0, len(all)-most); more > 0 {
		all = all[:most]
	}
	q.mu.Lock()
	for _, it := range all {
		if l.items[it.ident] == it { // it may have ended meanwhile
			items = append(items, q.shown(link, l, it))
		}
	}
	q.mu.Unlock()
	for i := range items {
		q.fill(&items[i])
	}
	return items, more
}

// fill adds what the index knows of an item.
func (q *Queue) fill(s *Item) {
	s.Payment, _ = q.payments.Find(s.Payment.Key)
	if s.Place == Behind {
		p, _ := q.payments.Find(s.first)
		s.First = p.Numbers.RRN
	}
}

// shown is an item without its payment but for the key; the lock is held.
func (q *Queue) shown(link string, l *line, it *item) Item {
	s := Item{Kind: it.kind, Payment: txn.Payment{Key: it.key}, Link: link, Since: it.since, Tries: it.tries, Code: it.code, Err: it.err}
	switch now := q.world.Clock.Mono(); {
	case it.taken && !it.acted:
		s.Place = Sending
	case it.held:
		s.Place = Held
	case l.chains[it.root].first() != it:
		s.Place, s.first = Behind, l.chains[it.root].first().key
	case it.due > now:
		s.Place, s.Wait = Later, it.due.Sub(now)
	default:
		s.Place = Due
	}
	return s
}

// HeldCount is the number of items of a link that an operator holds.
func (q *Queue) HeldCount(link string) (held int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range q.line(link).items {
		if it.held {
			held++
		}
	}
	return held
}

// Act does to what is owed of k what an operator asks: Hold, Retry or Drop. The
// act is durable before anything changes. One that is being delivered is waited
// for, and then a.Code is what the acquirer said; ErrSending when that does not
// end until then. A Drop leaves a case; nothing else ends a debt from here.
func (q *Queue) Act(link string, k txn.Key, a txn.Act, until env.Mono) (Item, error) {
	it, err := q.seize(link, k, until)
	if err != nil {
		return Item{}, err
	}
	if a.What == txn.Drop {
		a.Code = it.code
	}
	r, _ := q.rule(it.kind)
	_, err = q.payments.Change(k, func(now replay.View) ([]journal.Record, error) {
		if now.Payment == nil || !r.owes(now.Payment) {
			return nil, ErrNothing
		}
		return []journal.Record{record.MakeAct(now.Payment, a)}, nil
	})
	return q.letGo(link, it, a, err), err
}

// seize takes the item of k for an operator, as soon as nobody else has it.
func (q *Queue) seize(link string, k txn.Key, until env.Mono) (*item, error) {
	for {
		q.mu.Lock()
		l := q.line(link)
		it := l.find(k)
		if it == nil {
			q.mu.Unlock()
			return nil, ErrNothing
		}
		if !it.taken {
			l.seize(it)
			q.mu.Unlock()
			return it, nil
		}
		over := q.world.Waits.NewEvent()
		it.waits = append(it.waits, over)
		q.mu.Unlock()
		if !over.Wait(until) {
			return nil, ErrSending
		}
	}
}

// find is the item of a payment: it owes one message at a time.
func (l *line) find(k txn.Key) *item {
	for _, kind := range []Kind{Reversal, Advice} {
		if it := l.items[ident{kind, k}]; it != nil {
			return it
		}
	}
	return nil
}

// letGo ends an operator's hold on an item, after the act was made durable, or
// failed with err and changed nothing.
func (q *Queue) letGo(link string, it *item, a txn.Act, err error) (s Item) {
	q.mu.Lock()
	l := q.line(link)
	switch {
	case errors.Is(err, ErrNothing), err == nil && a.What == txn.Drop:
		s = q.shown(link, l, it)
		s.Place = Over
		q.over(l, it)
	default:
		due := it.due
		if err == nil {
			it.held = a.What == txn.Hold
		}
		if err == nil && a.What == txn.Retry {
			due = q.world.Clock.Mono()
		}
		l.putBack(it, due)
		s = q.shown(link, l, it)
	}
	wake := append(it.waits, l.next()...)
	it.waits = nil
	q.mu.Unlock()
	wakeAll(wake)
	q.fill(&s)
	return s
}
