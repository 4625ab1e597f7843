// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tapswitch/internal/env"
	"tapswitch/switch/journal"
	"tapswitch/switch/record"
	"tapswitch/switch/txn"
)

// Config bounds the index.
type Config struct {
	Max    int           // payments remembered; a new one beyond is refused
	Window time.Duration // a payment older than this may be forgotten
	Keep   int           // while so few are remembered, one whose batch is not closed is remembered beyond Window; advices and refunds in any case
	Holds  time.Duration // but an approved pre-authorization, and what is about it, only when that is older than this
	Expect int           // payments that the journal is likely to hold: room is made for them at once
}

// Index is all payments inside the replay window.
type Index struct {
	cfg     Config
	clock   env.Clock
	waits   env.Waits
	journal journal.Appender
	doubt   atomic.Bool // the journal could not tell whether records are durable

	accounts Accounts

	mu       sync.Mutex // never held across a wait or a port call
	roster   roster
	payments *table[txn.Key]
	sent     *table[sentKey]
	rrns     *table[txn.RRN]
	auths    map[AuthKey][]txn.Key    // approved pre-authorizations
	later    map[txn.Key][]txn.Key    // what names a payment as its original, in order
	batches  map[txn.BatchID][]*entry // payments of a batch, in order of arrival
	refused  refusals
	cases    int       // open ones
	taken    txn.Moves // by this life of the switch
	order    []*entry  // in order of arrival, for forgetting
	longer   []*entry  // those among the earliest that are remembered longer: what is held, and what is about it
	moves    uint64    // changes of state so far
}

type entry struct {
	key       txn.Key
	id        uint32 // in the roster
	p         *txn.Payment
	moved     uint64    // the change that brought it to its state
	since     env.Mono  // no wall clock: it may be set; of what was read back, before the start
	done      env.Event // woken when that call is over and its answer delivered; nil while nobody waits
	queue     []env.Event
	held      int32 // who forbid to forget it, and what names it
	tombstone bool  // its reversal came first
	running   bool  // a call of the flow owns it
	busy      bool  // somebody has the turn
}

// New makes an empty index; Apply fills it from the journal before the first Claim.
func New(cfg Config, world env.Env, j journal.Appender) *Index {
	n := min(cfg.Expect, cfg.Max)
	x := &Index{
		cfg: cfg, clock: world.Clock, waits: world.Waits, journal: j, accounts: unaccounted{},
		auths: make(map[AuthKey][]txn.Key), later: make(map[txn.Key][]txn.Key), batches: make(map[txn.BatchID][]*entry),
		refused: refusals{byKey: make(map[txn.Key]refusal)},
		roster:  roster{entries: make([]*entry, 1, n+1)}, order: make([]*entry, 0, n),
	}
	x.payments = newTable(n, &x.roster, (*entry).hasKey, nil)
	x.sent = newTable(n, &x.roster, (*entry).wasSent, sentKey.split)
	x.rrns = newTable(n, &x.roster, (*entry).hasRRN, splitRRN)
	return x
}

// Apply takes one durable record of an earlier life into the index.
func (x *Index) Apply(r journal.Record) error { return x.take(r, false) }

// take applies a record; what happens now is counted.
func (x *Index) take(r journal.Record, now bool) error {
	switch r.Kind {
	case record.KindTries, record.KindNumbers, record.KindBatch, record.KindUpload, record.KindUploadClosed, record.KindCounter, record.KindStandIn:
		return nil // projections of switch/pin, switch/number, switch/settle, switch/window and switch/standin
	case record.KindIntent, record.KindRefused, record.KindOutcome, record.KindUndo, record.KindUndone, record.KindCase, record.KindTombstone,
		record.KindAdvice, record.KindAdvised, record.KindAct, record.KindRerouted:
	default:
		return fmt.Errorf("replay: record kind %d is not known to this version", r.Kind)
	}
	k, err := record.ParseKey(r.Key)
	if err != nil {
		return fmt.Errorf("replay: %s record: key: %w", record.KindName(r.Kind), err)
	}
	x.mu.Lock()
	e := x.payments.get(k)
	if e != nil && record.Begins(r.Kind) && e.state() == txn.Approved { // its key comes to a new life: it was delivered, or presumed so
		x.follow(e, txn.MaybeWritten)
		x.mu.Lock()
		e = x.payments.get(k)
	}
	from, to, err := x.step(k, e, r, now)
	x.mu.Unlock()
	if err != nil {
		return fmt.Errorf("replay: %s record of terminal %s trace %06d: %w", record.KindName(r.Kind), k.Terminal, k.Trace, err)
	}
	x.accounts.Moved(k, from, to)
	return nil
}

// step applies a record to the entry of k, if there is one, and tells what the payment came to before it and comes
// to now; a key that begins a new life came to nothing before.
func (x *Index) step(k txn.Key, e *entry, r journal.Record, now bool) (from, to txn.Share, err error) {
	var before *txn.Payment
	if e != nil && !record.Begins(r.Kind) {
		before = e.p
	}
	from = before.Share()
	if e, err = x.apply(k, e, r, now); e != nil {
		to = e.p.Share()
	}
	return from, to, err
}

// apply takes a record into the entry of k, nil when there is none yet.
func (x *Index) apply(k txn.Key, e *entry, r journal.Record, now bool) (*entry, error) {
	switch {
	case r.Kind == record.KindTombstone:
		e = x.entry(k)
		e.tombstone = true
		return e, nil
	case record.Begins(r.Kind):
		return x.applyPayment(k, e, r, now)
	case e == nil:
		return nil, record.ErrNoIntent
	}
	before, link := e.state(), e.link()
	_, event, err := record.FoldEvent(e.p, k, r)
	if err != nil {
		return e, err
	}
	if after := e.state(); after != before {
		x.move(e)
		switch {
		case after == txn.Disputed:
			x.cases++
		case before == txn.Disputed:
			x.cases--
		}
	}
	if now && event != 0 {
		x.count(before, event)
	}
	x.authorized(e.p, r.Kind)
	x.rerouted(e, link)
	return e, nil
}

// move notes that a record brought e to another state.
func (x *Index) move(e *entry) {
	x.moves++
	e.moved = x.moves
}

// link is where its payment goes, empty when there is none.
func (e *entry) link() string {
	if e.p == nil {
		return ""
	}
	return e.p.Link
}

// rerouted makes a payment that went from one link to another findable by what it
// carries there, and no more by what it would have carried; the lock is held.
func (x *Index) rerouted(e *entry, from string) {
	if e.p.Link == from {
		return
	}
	x.sent.drop(sentAs(from, e.p.Numbers), e)
	x.sent.put(sentAs(e.p.Link, e.p.Numbers), e)
}

// state is where its payment stands, Received when there is none.
func (e *entry) state() txn.State {
	if e.p == nil {
		return txn.Received
	}
	return e.p.State
}

func (x *Index) applyPayment(k txn.Key, e *entry, r journal.Record, now bool) (*entry, error) {
	if e != nil && (e.tombstone || e.p != nil && record.Over(e.p)) {
		x.unlink(k, e) // the key has come to a new life: the running switch had forgotten the old one
	}
	var before *txn.Payment
	if e != nil {
		before = e.p
	}
	p, event, err := record.FoldEvent(before, k, r)
	if err != nil {
		return e, err
	}
	if e == nil {
		e = x.enter(k)
	}
	if now {
		x.count(txn.Received, event)
	}
	e.p = p
	x.move(e)
	if at := p.Numbers.At; !now && !at.IsZero() { // read back: it has its age
		e.since = e.since.Add(-max(0, x.clock.Now().Sub(at)))
	}
	if r.Kind == record.KindRefused {
		return e, nil
	}
	if k.Class != txn.StandIn { // it has the numbers of its payment, which they find
		x.sent.put(sentAs(p.Link, p.Numbers), e)
		x.rrns.put(p.Numbers.RRN, e)
	}
	x.listed(e)
	if p.Original != (txn.Key{}) {
		x.later[p.Original] = append(x.later[p.Original], k)
	}
	return e, nil
}

// await gives the event that wakes who waits for e; the lock is held.
func (x *Index) await(e *entry) env.Event {
	if e.done == nil {
		e.done = x.waits.NewEvent()
	}
	return e.done
}

// entry finds or makes the entry of k; the lock is held.
func (x *Index) entry(k txn.Key) *entry {
	e := x.payments.get(k)
	if e == nil {
		e = x.enter(k)
	}
	return e
}

// enter makes the entry of k, which has none; the lock is held.
func (x *Index) enter(k txn.Key) *entry {
	e := &entry{key: k, since: x.clock.Mono()}
	x.roster.add(e)
	x.payments.put(k, e)
	x.order = append(x.order, e)
	return e
}

// remove takes an entry away that nothing finds any more by what it carried; the lock
// is held.
func (x *Index) remove(e *entry) {
	x.payments.drop(e.key, e)
	x.roster.strike(e)
}

// Find returns a copy of the payment of k.
func (x *Index) Find(k txn.Key) (txn.Payment, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.payments.get(k)
	if e == nil || e.p == nil {
		return txn.Payment{}, false
	}
	return *e.p, true
}

// FindSent returns the key of the payment whose request carried l.
func (x *Index) FindSent(l LinkKey) (txn.Key, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	k, ok := l.parse()
	if !ok {
		return txn.Key{}, false
	}
	return keyOf(x.sent.get(k))
}

// FindRRN returns the key of the payment that has this reference number.
func (x *Index) FindRRN(n txn.RRN) (txn.Key, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return keyOf(x.rrns.get(n))
}

// keyOf is what found e, if anything did.
func keyOf(e *entry) (txn.Key, bool) {
	if e == nil {
		return txn.Key{}, false
	}
	return e.key, true
}

// Each calls fn with a copy of every payment in order of arrival.
func (x *Index) Each(fn func(txn.Payment)) {
	x.mu.Lock()
	all := x.everything()
	x.mu.Unlock()
	for _, e := range all {
		x.mu.Lock()
		there := e.p != nil
		var p txn.Payment
		if there {
			p = *e.p
		}
		x.mu.Unlock()
		if there {
			fn(p)
		}
	}
}

// Owing gives copies of the payments that are in one of some states, in the order
// in which the journal brought them there.
func (x *Index) Owing(states ...txn.State) []txn.Payment {
	x.mu.Lock()
	defer x.mu.Unlock()
	var found []*entry
	for _, e := range x.everything() {
		if slices.Contains(states, e.state()) {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b *entry) int { return cmp.Compare(a.moved, b.moved) })
	all := make([]txn.Payment, len(found))
	for i, e := range found {
		all[i] = *e.p
	}
	return all
}

// Len is the number of keys remembered.
func (x *Index) Len() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.payments.used
}

// Cases is the number of payments with an open case.
func (x *Index) Cases() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.cases
}

// few is how many forget looks at.
const few = 8

// forget drops resting payments older than the window; the lock is held. What
// names an original is kept as long as that is: it says what is left of it. An
// original is kept until what names it rests: its message says what it is about. One
// with an open case is kept: its key must not begin a new life; so is, while there is
// room, one whose batch is not closed. It looks at no more than a few, so that no call pays for all.
func (x *Index) forget() {
	x.forgetHolds()
	oldest := x.clock.Mono().Add(-x.cfg.Window)
	for range few {
		if len(x.order) == 0 {
			return
		}
		e := x.order[0]
		if e.since > oldest {
			return
		}
		x.order = x.order[1:]
		switch {
		case x.ofHold(e):
			x.longer = append(x.longer, e)
		case x.needed(e):
			x.order = append(x.order, e)
		default:
			x.unlink(e.key, e)
			x.remove(e)
		}
	}
}

// needed says whether e must be remembered whatever its age; the lock is held.
func (x *Index) needed(e *entry) bool {
	return e.running || e.busy || e.held > 0 ||
		(e.p != nil && (!e.p.State.Resting() || e.p.State == txn.Disputed || x.payments.get(e.p.Original) != nil || x.owed(e.key) || x.wanted(e.p)))
}

// owed says whether something that names k is not at its end, or is the advice of k
// with an open case: it has k's key but for the class, and a new life of k might
// need that. The lock is held.
func (x *Index) owed(k txn.Key) bool {
	for _, l := range x.later[k] {
		if o := x.payments.get(l); o != nil && o.p != nil && (!o.p.State.Resting() || o.p.State == txn.Disputed && l.Class == txn.StandIn) {
			return true
		}
	}
	return false
}

// unlink takes a life out of what finds it; its entry stays, empty. The lock is
// held.
func (x *Index) unlink(k txn.Key, e *entry) {
	if e.p != nil {
		x.unlisted(e)
		x.sent.drop(sentAs(e.p.Link, e.p.Numbers), e)
		x.rrns.drop(e.p.Numbers.RRN, e)
		x.unauthorized(e.p)
		x.unlater(k, e.p)
	}
	e.p, e.tombstone, e.since = nil, false, x.clock.Mono()
}

// unlater takes k, which ends here, out of what its original finds. What names k
// itself stays to be found: a refund may live longer than what it gives back.
// Without the original's reference number it could be taken for one of k's next
// life, so it is forgotten with this one.
func (x *Index) unlater(k txn.Key, p *txn.Payment) {
	x.keepLater(k, func(o txn.Key) bool {
		e := x.payments.get(o)
		return e != nil && e.p != nil && e.p.OfRRN != txn.RRN{}
	})
	if p.Original != (txn.Key{}) {
		x.keepLater(p.Original, func(o txn.Key) bool { return o != k })
	}
}

// keepLater keeps of what names an original only what keep says.
func (x *Index) keepLater(original txn.Key, keep func(txn.Key) bool) {
	kept := slices.DeleteFunc(x.later[original], func(k txn.Key) bool { return !keep(k) })
	if len(kept) == 0 {
		delete(x.later, original)
		return
	}
	x.later[original] = kept
}
