// SPDX-License-Identifier: Apache-2.0

// Package retain says which records of the journal are no longer needed.
//
// Promise: what is left after a purge brings back every payment that is not
// final, has an open case or is younger than the retention period, every pre-authorization that may still be used, the totals of every batch, every wrong PIN that still counts,
// every used counter, what was decided in an issuer's place today, and the numbers as they were. A kind of record without a rule here, or a record
// that does not fit its payment, is an error, and nothing is purged.
//
// How: one replay folds the journal into a Plan. A payment goes with all its
// records or stays with all of them: it goes when it is final, its last record is
// old, and the running switch does not know it any more. Age is told by the
// journal's order: everything before the last old record that no younger one
// precedes is old. Non-obvious: Live must be asked while the fold runs. A payment
// unknown to the switch at that moment gets no further record but those of a new
// life of its key; records up to the end of the fold are seen.
//
// Imported by: node, cmd. Imports: switch/{journal,record,txn,number,window}.
package retain

import (
	"fmt"
	"time"

	"tapswitch/switch/journal"
	"tapswitch/switch/number"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// Config says what is old, and what still lives.
type Config struct {
	// Before: what was written before this moment may go.
	Before time.Time
	// Now: a record with a later time was written while the wall clock was ahead, and
	// has no age of its own; the zero value has no such rule.
	Now time.Time
	// HoldsFrom: a pre-authorization in force that was approved since this moment stays,
	// with what is about it; the zero value has no such rule.
	HoldsFrom time.Time
	// Live says whether the running switch knows a payment; nil when none runs.
	Live func(txn.Key) bool
}

// Plan is what may go. Records counts those of the fold, Payments the payments
// in it that may go whole.
type Plan struct {
	Records  uint64
	Payments uint64

	cfg    Config
	before uint64 // every record numbered below is old; only those may go
	closed bool   // a young record was seen: before does not move any more
	lives  map[txn.Key]*life
	tries  map[[16]byte]tries
	counts counters
	given  number.State
	batches
}

// life is what became of one payment that has an old record.
type life struct {
	state txn.State
	known bool // an intent was seen; without one it is a tombstone
	live  bool
	held  bool      // a case is open of it; of a root also: one of those that belong to it is not final, or lives
	first uint64    // its oldest record
	last  uint64    // its newest record
	holds time.Time // of an approved pre-authorization: since when
	with  *life     // an earlier one that it belongs to: its original, or that one's; nil is none
}

// root is the payment that all belong to that stay or go together: an original,
// its void, its completion, its refunds.
func (l *life) root() *life {
	for l.with != nil {
		l = l.with
	}
	return l
}

// join makes l stay or go with original, and those of it.
func (l *life) join(original *life) {
	if a, b := l.root(), original.root(); a != b {
		a.with = b
	}
}

// tries is the record that holds what still counts against a card.
type tries struct {
	seq   uint64
	count uint8
}

// Fold reads the whole journal.
func Fold(j journal.Replayer, cfg Config) (*Plan, error) {
	p := &Plan{cfg: cfg, before: 1, lives: map[txn.Key]*life{}, tries: map[[16]byte]tries{}, batches: newBatches(), counts: counters{}}
	err := j.Replay(func(seq uint64, r journal.Record) error {
		p.Records++
		if err := p.apply(seq, r); err != nil {
			return fmt.Errorf("retain: %s record %d: %w; nothing was purged", record.KindName(r.Kind), seq, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for k, l := range p.lives { // what holds one of them holds its root, which all ask
		r := l.root()
		r.held = r.held || p.needs(k, l)
		r.last = max(r.last, l.last)
		r.held = r.held || l.held || l.live || l.known && l.state != txn.Approved && !l.state.Resting() || p.mayBeUsed(l)
	}
	for _, l := range p.lives {
		if p.over(l) {
			p.Payments++
		}
	}
	return p, nil
}

// mayBeUsed says whether l is a pre-authorization that can still be completed or
// cancelled.
func (p *Plan) mayBeUsed(l *life) bool {
	inForce := l.state == txn.Approved || l.state == txn.Completed
	return inForce && !p.cfg.HoldsFrom.IsZero() && l.holds.After(p.cfg.HoldsFrom)
}

// keep says whether a record must stay.
func (p *Plan) keep(seq uint64, r journal.Record) bool {
	if seq >= p.before {
		return true
	}
	switch r.Kind {
	case record.KindTries:
		token, _, err := record.ParseTries(r.Key, r.Body)
		return err != nil || p.tries[token].seq == seq
	case record.KindNumbers:
		needed, err := p.given.Needs(r.Body)
		return err != nil || needed
	case record.KindBatch:
		return p.needsBatch(seq, r)
	case record.KindCounter:
		return p.counts.keep(seq, r)
	case record.KindStandIn:
		return standInCounts(r, p.cfg.Before)
	case record.KindUpload:
		return p.needsUpload(r)
	case record.KindUploadClosed:
		return p.needsClosed(r)
	}
	k, err := record.ParseKey(r.Key)
	if err != nil {
		return true
	}
	l := p.lives[k]
	return l == nil || !p.over(l)
}

// over says whether a payment may go: nothing more can happen to it, nor to one
// that belongs to it. An approval is presumed delivered, as at a restart.
func (p *Plan) over(l *life) bool {
	r := l.root()
	return !r.held && r.last < p.before
}

func (p *Plan) apply(seq uint64, r journal.Record) error {
	switch r.Kind {
	case record.KindTries:
		token, t, err := record.ParseTries(r.Key, r.Body)
		switch old := p.tries[token]; {
		case err != nil:
			return err
		case t.Count == 0:
			delete(p.tries, token)
		case t.Count >= old.count:
			p.tries[token] = tries{seq, t.Count}
		}
		return nil
	case record.KindNumbers:
		at, err := p.given.Reserved(r.Body)
		if err != nil {
			return err
		}
		p.age(seq, at)
		return p.given.Apply(r.Body)
	case record.KindBatch, record.KindUpload, record.KindUploadClosed:
		at, err := p.takeAny(seq, r)
		if err != nil {
			return err
		}
		p.age(seq, at)
		return nil
	case record.KindCounter:
		return p.counts.apply(seq, r)
	case record.KindStandIn:
		_, _, err := record.ParseStandIn(r.Key, r.Body)
		return err
	}
	k, err := record.ParseKey(r.Key)
	if err != nil {
		return err
	}
	at, err := p.follow(k, seq, r)
	if err != nil {
		return fmt.Errorf("terminal %s trace %06d: %w", k.Terminal, k.Trace, err)
	}
	p.age(seq, at)
	return nil
}

// age moves the border between old and young. Records without a time have that
// of the next one with a time.
func (p *Plan) age(seq uint64, at time.Time) {
	if p.closed || at.IsZero() || !p.cfg.Now.IsZero() && at.After(p.cfg.Now) {
		return
	}
	if !at.Before(p.cfg.Before) {
		p.closed = true
		return
	}
	p.before = seq + 1
}

// follow takes one record of a payment; it gives the record's time, if it has
// one. A payment whose first record is young is of no interest.
func (p *Plan) follow(k txn.Key, seq uint64, r journal.Record) (at time.Time, err error) {
	l := p.lives[k]
	if l == nil {
		l = &life{first: seq}
		if !p.closed {
			p.lives[k] = l
			l.live = p.cfg.Live != nil && p.cfg.Live(k)
		}
	}
	l.last = seq
	var event txn.Event
	switch r.Kind {
	case record.KindTombstone:
		return at, nil
	case record.KindIntent, record.KindRefused, record.KindAdvice:
		if event, at, err = p.begin(l, k, seq, r); err != nil {
			return at, err
		}
	case record.KindOutcome:
		o, err := record.ParseOutcome(r.Body)
		if err != nil {
			return at, err
		}
		event, at = o.Event, o.Answer.At
		if k.Class == txn.PreAuth && event == txn.SaidYes {
			l.holds = at
		}
	case record.KindUndo:
		u, err := record.ParseUndo(r.Body)
		if err != nil {
			return at, err
		}
		event, at = u.Event, u.Numbers.At
	case record.KindUndone:
		u, err := record.ParseUndone(r.Body)
		if err != nil {
			return at, err
		}
		event = u.Event
	case record.KindCase:
		c, err := record.ParseCase(r.Body)
		if err != nil {
			return at, err
		}
		event, at, l.held = txn.CaseOpened, c.At, true // until it is closed
	case record.KindAdvised:
		a, err := record.ParseAdvised(r.Body)
		if err != nil {
			return at, err
		}
		event, at = txn.AdviceAcked, a.At
	case record.KindAct:
		return l.act(p, k, r)
	case record.KindRerouted:
		return at, l.rerouted(p, k, r)
	default:
		return at, fmt.Errorf("this kind of record has no retention rule in this version")
	}
	return at, l.move(p, k, event)
}

// rerouted takes a payment to another link, which changes nothing here.
func (l *life) rerouted(p *Plan, k txn.Key, r journal.Record) error {
	if _, err := record.ParseRerouted(r.Body); err != nil {
		return err
	}
	return l.move(p, k, txn.Rerouted)
}

// begin takes the first record of a payment.
func (p *Plan) begin(l *life, k txn.Key, seq uint64, r journal.Record) (event txn.Event, at time.Time, err error) {
	q, err := record.ParsePayment(k, r.Body)
	if err != nil {
		return 0, at, err
	}
	event = txn.Journaled
	switch r.Kind {
	case record.KindRefused:
		event = txn.Refuse
	case record.KindAdvice:
		event = txn.Happened
	}
	l.known, l.state, l.holds = true, txn.Received, time.Time{}
	if o := p.lives[q.Original]; o != nil && q.Original != (txn.Key{}) {
		o.last = max(o.last, seq)
		l.join(o)
	}
	return event, later(q.Numbers.At, q.Answer.At), nil
}

// move follows one arrow. Of a payment that began young only the form of its
// records is looked at.
func (l *life) move(p *Plan, k txn.Key, event txn.Event) error {
	if p.lives[k] != l {
		return nil
	}
	if !l.known {
		return fmt.Errorf("no intent before it")
	}
	to, ok := txn.Follow(l.state, event)
	if !ok {
		return fmt.Errorf("event %s cannot happen in state %s", event, l.state)
	}
	l.state = to
	return nil
}

// act takes what an operator did. A hold or a retry changes what is sent, and not
// how the payment stands.
func (l *life) act(p *Plan, k txn.Key, r journal.Record) (at time.Time, err error) {
	a, err := record.ParseAct(r.Body)
	if err != nil {
		return at, err
	}
	event, moves := a.What.Event()
	if moves {
		l.held = a.What == txn.Drop
		return a.At, l.move(p, k, event)
	}
	if p.lives[k] == l && !(l.known && l.state.Owes()) {
		return a.At, fmt.Errorf("%s of a payment that owes nothing", a.What)
	}
	return a.At, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
