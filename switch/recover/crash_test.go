// SPDX-License-Identifier: Apache-2.0

// The proof of docs/PROMISES.md: one
// session of payments over the real flow, index, store-and-forward, numbers and
// segment journal on a disk that crashes at every single operation, keeping
// none, half or all of what was not synced.
package recover_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/switch/flow"
	"tapswitch/switch/journal"
	"tapswitch/switch/journal/segment"
	"tapswitch/switch/number"
	"tapswitch/switch/pin"
	"tapswitch/switch/record"
	"tapswitch/switch/recover"
	"tapswitch/switch/replay"
	"tapswitch/switch/saf"
	"tapswitch/switch/settle"
	"tapswitch/switch/txn"
)

const amount = 1000

// node is a switch as switch/node wires it, over a given disk and host.
type node struct {
	journal *segment.Journal
	index   *replay.Index
	batches *settle.Book
	tries   *pin.Checker
	saf     *saf.Queue
	flow    *flow.Flow
	world   env.Env
	numbers *number.Numbers
	stopped error
}

// given is the projection of the number blocks.
type given struct{ number.State }

func (g *given) Apply(r journal.Record) error {
	if r.Kind != record.KindNumbers {
		return nil
	}
	return g.State.Apply(r.Body)
}

// alone makes events for a switch that one goroutine works in: nobody else ends a
// wait, so that its time passes at once, and one without an end fails the test.
type alone struct{ clock *fake.Clock }

type lone struct {
	clock *fake.Clock
	woken bool
}

func (a alone) NewEvent() env.Event { return &lone{clock: a.clock} }

func (e *lone) Wake() { e.woken = true }

func (e *lone) Wait(until env.Mono) bool {
	if !e.woken && until == env.Never {
		panic("a wait that nothing ends")
	}
	if !e.woken {
		e.clock.Advance(until.Sub(e.clock.Mono()))
	}
	return e.woken
}

// remembers is for how long the switch remembers a payment.
const remembers = time.Hour

// boot starts a switch on what a disk holds.
func boot(clock *fake.Clock, disk env.Disk, h *host) (*node, error) {
	n := &node{world: env.Env{Clock: clock, Waits: alone{clock}, Disk: disk, Rand: fake.NewRand(1)}}
	var err error
	if n.journal, err = segment.Open(n.world, segment.Config{Dir: "journal", SegmentBytes: 64 << 10, MaxBytes: 1 << 20, OnBroken: n.broke}); err != nil {
		return nil, err
	}
	n.index = replay.New(replay.Config{Max: 100, Window: remembers, Holds: 30 * 24 * time.Hour}, n.world, n.journal)
	n.batches = settle.New(settle.Config{Max: 100}, n.world, n.journal)
	n.index.Account(n.batches)
	n.tries = pin.New(module{}, 3)
	var blocks given
	if _, err := recover.Replay(n.journal, n.index, n.batches, n.tries, &blocks); err != nil {
		return nil, err
	}
	n.numbers, err = number.Open(clock, n.journal, blocks.State, number.Config{Kind: record.KindNumbers, Block: 100, Window: time.Second})
	if err != nil {
		return nil, err
	}
	h.find = n.index.Find
	n.saf = saf.New(saf.Config{Retry: time.Second, MaxRetry: time.Second}, n.world, n.index, h, nil)
	s := still{n.tries}
	n.flow = &flow.Flow{
		Terminals: s, Admission: s, Cards: s, Payments: n.index, Batches: n.batches, Routes: s, Chips: s, PINs: s, Numbers: n, Limits: s, Holds: s, Acquirers: h, Reversals: n.saf,
		Past: archive{n}, Currency: []uint16{156}, Clock: clock, Stop: func(err error) { n.stopped = err },
	}
	_, err = recover.Resolve(n.index, n.Next, n.saf.EnqueueAgain)
	return n, err
}

// broke is what the process ends with when the journal stores no more.
func (n *node) broke(err error) { n.stopped = err }

// Next implements flow.Numbers.
func (n *node) Next() (txn.Numbers, error) {
	now := n.world.Clock.Now()
	stan, rrn, err := n.numbers.Next(now)
	return txn.Numbers{STAN: txn.STAN(stan), At: now, RRN: rrn}, err
}

// step is one message of a terminal.
type step struct {
	trace   txn.STAN
	class   txn.Class
	mood    string // of the host
	pin     string
	deliver flow.Delivery // what becomes of the answer; zero is Written
}

// request makes the message of a step.
func (s step) request(clock *fake.Clock) *txn.Request {
	k := txn.Key{Terminal: txn.TerminalID([]byte("10000001")), Merchant: txn.MerchantID([]byte("123456789012345")), Batch: 1, Trace: s.trace, Class: s.class, Type: 22}
	r := &txn.Request{Key: k, Amount: money.Amount{Minor: amount, Currency: money.CNY}, HasMAC: true, Received: clock.Mono(), Deadline: clock.Mono().Add(4 * time.Second)}
	r.Card.PAN, _ = secret.NewPAN([]byte("4761739001010119"))
	r.Card.Track2, _ = secret.NewTrack2([]byte("4761739001010119=30122011123400000"))
	if s.pin != "" {
		r.Card.PIN, _ = secret.NewPINBlock([]byte(s.pin))
	}
	r.Original = k
	r.Original.Class = txn.Purchase
	return r
}

// run sends a step and tells what the terminal received.
func (n *node) run(clock *fake.Clock, h *host, s step) txn.Answer {
	h.mood = s.mood
	in := s.request(clock)
	if s.class == txn.Reversal {
		return n.flow.Reverse(context.Background(), in)
	}
	key := in.Key
	a := n.flow.Authorize(context.Background(), in)
	d := s.deliver
	if d == 0 {
		d = flow.Written
	}
	n.flow.Delivered(key, a, d)
	if d == flow.NotWritten {
		return txn.Answer{}
	}
	return a
}

// drain delivers all reversals.
func (n *node) drain() {
	const many = 100
	for range many {
		if !n.saf.Deliver(context.Background(), "acq") {
			return
		}
	}
	panic("saf: what waits does not become less")
}

// session is a day in the life: each way a payment can go, one after another.
func session() []step {
	return []step{
		{trace: 1, class: txn.Purchase},
		{trace: 2, class: txn.Purchase, mood: "decline"},
		{trace: 3, class: txn.Purchase, mood: "silent"},
		{trace: 4, class: txn.Purchase, pin: "wrongpin"},
		{trace: 5, class: txn.Purchase, pin: "rightpin"},
		{trace: 6, class: txn.Purchase, deliver: flow.NotWritten},
		{trace: 7, class: txn.Purchase},
		{trace: 7, class: txn.Reversal},
		{trace: 8, class: txn.Purchase, mood: "lost"},
		{trace: 9, class: txn.Reversal}, // its original is unknown
		{trace: 10, class: txn.Purchase, pin: "wrongpin"},
		{trace: 11, class: txn.Purchase, deliver: flow.MaybeWritten},
	}
}

// moment is the world outside the switch at one disk operation, and the disk
// that a crash there leaves behind.
type moment struct {
	op       string
	at       int // index of the step under way
	disk     *fake.Disk
	host     *host
	received map[txn.STAN]txn.Answer // what the terminal had
}

// moments plays the session once and takes every disk operation's moment.
func moments(t *testing.T, keep fake.Keep) []moment {
	t.Helper()
	clock, disk, h := fake.NewClock(), fake.NewDisk(), newHost()
	n, err := boot(clock, disk, h)
	if err != nil {
		t.Fatal(err)
	}
	var all []moment
	received := map[txn.STAN]txn.Answer{}
	at := 0
	take := func(op string) {
		m := moment{op: op, at: at, disk: disk.CrashClone(keep, uint64(len(all))), host: h.clone(), received: map[txn.STAN]txn.Answer{}}
		for k, v := range received {
			m.received[k] = v
		}
		all = append(all, m)
	}
	disk.OnOp(func(o fake.Op) { take(fmt.Sprintf("%d %v %s", o.K, o.Kind, o.Name)) })
	for i, s := range session() {
		at = i
		clock.Advance(time.Second)
		a := n.run(clock, h, s)
		if s.class == txn.Purchase {
			received[s.trace] = a
		}
		take("after the answer")
		if i%4 == 3 {
			n.drain()
			take("after a drain")
		}
	}
	return all
}

// TestCrashAtEveryOperation restarts the switch from every moment, lets the
// terminal drain what it does not know, and holds the promises against books,
// answers and journal.
func TestCrashAtEveryOperation(t *testing.T) {
	for _, keep := range fake.Keeps() {
		all := moments(t, keep)
		if len(all) < 60 {
			t.Fatalf("only %d moments: the disk is not being written", len(all))
		}
		for _, m := range all {
			name := fmt.Sprintf("keep %s, step %d, %s", keep, m.at, m.op)
			judge(t, name, m)
		}
	}
}

// TestFaultAtEveryOperation fails every disk operation once. The switch stops,
// nothing that it cannot stand for was answered, and a restart settles all.
func TestFaultAtEveryOperation(t *testing.T) {
	for k := 1; ; k++ {
		clock, disk, h := fake.NewClock(), fake.NewDisk(), newHost()
		disk.FailAt(k, errors.New("device error"))
		n, err := boot(clock, disk, h)
		m := moment{op: fmt.Sprintf("operation %d failed", k), host: h, received: map[txn.STAN]txn.Answer{}}
		for i, s := range session() {
			if err != nil || n.stopped != nil {
				break
			}
			m.at = i
			clock.Advance(time.Second)
			if a := n.run(clock, h, s); s.class == txn.Purchase && known(a) {
				m.received[s.trace] = a
			}
		}
		if disk.Ops() < k {
			if k < 60 {
				t.Fatalf("only %d operations: the disk is not being written", k)
			}
			return // every operation has been failed once
		}
		for _, keep := range fake.Keeps() {
			again := m
			again.disk, again.host = disk.CrashClone(keep, uint64(k)), h.clone()
			judge(t, fmt.Sprintf("%s, keep %s, step %d", m.op, keep, m.at), again)
		}
	}
}

// restarted is the switch of a moment started again, so long after the clock began,
// with what the journal has; nil when it does not start, which fails the test.
func restarted(t *testing.T, name string, m moment, after time.Duration) (*node, *fake.Clock) {
	t.Helper()
	clock := fake.NewClock()
	clock.Advance(after)
	n, err := boot(clock, m.disk, m.host)
	if err != nil {
		t.Errorf("%s: the switch does not start: %v", name, err)
		return nil, nil
	}
	sameAgain(t, name, n, m)
	return n, clock
}

// judge restarts from a moment and checks what came of every payment.
func judge(t *testing.T, name string, m moment) {
	t.Helper()
	n, clock := restarted(t, name, m, time.Hour)
	if n == nil {
		return
	}
	for _, s := range session()[:m.at+1] {
		if s.class == txn.Reversal || !known(m.received[s.trace]) {
			// The terminal has no answer: its memory makes it reverse, and, were it
			// broken, the repeat must not be paid twice.
			if a := n.run(clock, m.host, step{trace: s.trace, class: txn.Reversal}); !done(a) {
				t.Errorf("%s: reversal of trace %d is told %s %s", name, s.trace, a.Code, a.Reason)
			}
			s.class = txn.Purchase
			if a := n.run(clock, m.host, s); a.Approved() {
				t.Errorf("%s: trace %d is approved after its undo", name, s.trace)
			}
		}
	}
	n.drain()
	settled(t, name, n, m)
	pins(t, name, n, m)
	if m.host.clash != "" {
		t.Errorf("%s: promise 7: %s", name, m.host.clash)
	}
	if n.stopped != nil {
		t.Errorf("%s: stopped: %v", name, n.stopped)
	}
	if err := n.journal.Close(); err != nil {
		t.Errorf("%s: close: %v", name, err)
	}
}

func known(a txn.Answer) bool { return a.Code != txn.Code{} }

// done says whether the terminal takes a reversal for acknowledged.
func done(a txn.Answer) bool { return a.Code == txn.CodeApproved || a.Code == txn.CodeUnmatched }

// sameAgain is promise 8: replaying the journal gives the states that the
// running switch has.
func sameAgain(t *testing.T, name string, n *node, m moment) {
	t.Helper()
	fresh := replay.New(replay.Config{Max: 100, Window: remembers, Holds: 30 * 24 * time.Hour}, n.world, nil)
	accounts := settle.New(settle.Config{Max: 100}, n.world, nil)
	fresh.Account(accounts)
	if _, err := recover.Replay(n.journal, fresh, accounts); err != nil {
		t.Errorf("%s: replay: %v", name, err)
		return
	}
	if running, again := n.batches.Cases(), accounts.Cases(); running != again {
		t.Errorf("%s: promise 8: uploads opened %d cases in memory and %d in the journal", name, running, again)
	}
	n.index.Each(func(p txn.Payment) {
		q, ok := fresh.Find(p.Key)
		if p.State == txn.Completed { // delivery is presumed, not stored
			p.State = txn.Approved
		}
		if p.State == txn.Approved && p.Reserved != record.UndoRoom {
			t.Errorf("%s: the approval of trace %d keeps %d bytes for its undo", name, p.Key.Trace, p.Reserved)
		}
		if !ok || q.State != p.State || q.Reserved != p.Reserved || (q.Held == nil) != (p.Held == nil) {
			t.Errorf("%s: promise 8: trace %d is %s in memory and %s in the journal", name, p.Key.Trace, p.State, q.State)
		}
		if q.State == txn.Approved && p.Key.Class.Side() == txn.OnNeither { // a batch of nothing in force is there only while it is under way
			fresh.Move(p.Key, txn.MaybeWritten)
		}
	})
	if running, again := standing(n.batches), standing(accounts); running != again {
		t.Errorf("%s: promise 8: batches are %s in memory and %s in the journal", name, running, again)
	}
}

// standing is how all batches stand.
func standing(b *settle.Book) (out string) {
	b.Each(func(id txn.BatchID, is txn.Batch) {
		out += fmt.Sprintf("%d %s %+v %+v; ", id.Batch, is.State, is.Now, is.Told)
	})
	return out
}

// settled is promises 1 to 4 for every payment: a yes that the terminal has is
// booked once and in the journal; everything else is not booked in the end.
func settled(t *testing.T, name string, n *node, m moment) {
	t.Helper()
	reversed := map[txn.STAN]bool{}
	for _, s := range session()[:m.at+1] {
		reversed[s.trace] = reversed[s.trace] || s.class == txn.Reversal
	}
	want := int64(0)
	for trace, a := range m.received {
		if !a.Approved() || reversed[trace] {
			continue
		}
		want += amount
		p, ok := n.index.Find(step{trace: trace, class: txn.Purchase}.request(fake.NewClock()).Key)
		if !ok || p.State != txn.Completed {
			t.Errorf("%s: promise 1: the approval of trace %d is %v in the journal", name, trace, p.State)
		} else if m.host.debits[p.Numbers.STAN] != amount {
			t.Errorf("%s: promise 2: trace %d is booked with %d", name, trace, m.host.debits[p.Numbers.STAN])
		}
	}
	if got := m.host.held(); got != want {
		t.Errorf("%s: promise 4: the acquirer holds %d, the terminal knows of %d", name, got, want)
	}
	n.index.Each(func(p txn.Payment) {
		if !p.State.Resting() {
			t.Errorf("%s: promise 3: trace %d rests in %s", name, p.Key.Trace, p.State)
		}
	})
}

// pins is promise 11: what was answered as a wrong PIN is counted, and nothing
// is counted twice.
func pins(t *testing.T, name string, n *node, m moment) {
	t.Helper()
	told, least := 0, 0
	for _, s := range session()[:m.at+1] {
		switch a := m.received[s.trace]; {
		case s.pin == "wrongpin" && a.Code == txn.CodeWrongPIN:
			told, least = told+1, least+1
		case s.pin == "rightpin" && a.Approved():
			told, least = 0, 0
		case s.pin == "rightpin": // its reset may be durable before its answer
			least = 0
		}
	}
	if counted := n.tries.Wrong([16]byte{1}); counted < least || counted > told+1 {
		t.Errorf("%s: promise 11: %d wrong PINs counted, %d told", name, counted, told)
	}
}
