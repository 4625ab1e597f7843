// SPDX-License-Identifier: Apache-2.0

package standin

import (
	"fmt"
	"sync"
	"time"

	"tapswitch/internal/money"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// Limits is what was decided for each card today. It is a projection of the
// journal. Any number may use it.
type Limits struct {
	max    int
	offset time.Duration

	mu    sync.Mutex // never held over a call of a port
	day   uint32     // the newest that was seen: a clock that is set back goes on with it
	cards map[[16]byte]spent
}

// spent is one card's day.
type spent struct {
	count int
	sum   money.MinorUnits
}

// NewLimits makes empty counters of at most max cards a day. The day begins
// offset before midnight UTC.
func NewLimits(max int, offset time.Duration) *Limits {
	return &Limits{max: max, offset: offset, cards: map[[16]byte]spent{}}
}

// dayOf numbers days from 1970 on.
func (l *Limits) dayOf(now time.Time) uint32 {
	return uint32(max(0, now.Add(l.offset).Unix()/86400))
}

// enter moves on to a day that was not seen yet; the lock is held.
func (l *Limits) enter(day uint32) {
	if day > l.day {
		l.day = day
		clear(l.cards)
	}
}

// Apply takes a stored record; other kinds are passed over.
func (l *Limits) Apply(r journal.Record) error {
	if r.Kind != record.KindStandIn {
		return nil
	}
	token, s, err := record.ParseStandIn(r.Key, r.Body)
	if err != nil {
		return fmt.Errorf("standin: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.enter(s.Day)
	if s.Day == l.day {
		c := l.cards[token]
		l.cards[token] = spent{c.count + 1, c.sum + s.Amount.Minor}
	}
	return nil
}

// Take counts p in its card's day, or refuses it by the rule that it would break.
// The record must be made durable together with the approval; failed says that it
// was not.
func (l *Limits) Take(r Rules, p *txn.Payment, now time.Time) (rec journal.Record, failed func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.enter(l.dayOf(now))
	c, known := l.cards[p.Token]
	switch {
	case c.count >= r.MaxCount:
		return rec, nil, txn.DeclineStandInCount
	case p.Amount.Minor > r.MaxSum-c.sum:
		return rec, nil, txn.DeclineStandInSum
	case !known && len(l.cards) >= l.max:
		return rec, nil, txn.DeclineCounters
	}
	l.cards[p.Token] = spent{c.count + 1, c.sum + p.Amount.Minor}
	day := l.day
	rec = record.MakeStandIn(p.Token, record.StandIn{Day: day, Amount: p.Amount, Payment: p.Key})
	return rec, func() { l.giveBack(p.Token, day, p.Amount.Minor) }, nil
}

// giveBack takes one payment out of its day, unless that is over.
func (l *Limits) giveBack(token [16]byte, day uint32, amount money.MinorUnits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.cards[token]
	switch {
	case !ok || day != l.day:
	case c.count <= 1:
		delete(l.cards, token)
	default:
		l.cards[token] = spent{c.count - 1, c.sum - amount}
	}
}

// Spent is how often and how much was decided for a card today.
func (l *Limits) Spent(token [16]byte, now time.Time) (count int, sum money.MinorUnits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.enter(l.dayOf(now))
	c := l.cards[token]
	return c.count, c.sum
}
