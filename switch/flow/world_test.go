// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/switch/chip"
	"tapswitch/switch/journal"
	"tapswitch/switch/pin"
	"tapswitch/switch/record"
	"tapswitch/switch/recover"
	"tapswitch/switch/replay"
	"tapswitch/switch/saf"
	"tapswitch/switch/settle"
	"tapswitch/switch/standin"
	"tapswitch/switch/txn"
	"tapswitch/switch/window"
)

// memory is a journal in memory; full and broken are its moods.
type memory struct {
	records      []journal.Record
	all          []journal.Record // also what was purged
	full, broken bool
	hear         func(journal.Record)
}

func (m *memory) Append(rs ...journal.Record) error {
	for _, r := range rs {
		if m.full && r.Reserve > 0 {
			return journal.ErrFull
		}
	}
	if m.broken {
		return journal.ErrBroken
	}
	m.records, m.all = append(m.records, rs...), append(m.all, rs...)
	for _, r := range rs {
		m.hear(r)
	}
	return nil
}

func (m *memory) Replay(fn func(uint64, journal.Record) error) error {
	for i, r := range m.records {
		if err := fn(uint64(i), r); err != nil {
			return err
		}
	}
	return nil
}

// world is a switch whose terminals, HSM and acquirers are scripted.
type world struct {
	t       *testing.T
	clock   *fake.Clock
	env     env.Env
	journal *memory
	index   *replay.Index
	batches *settle.Book
	tries   *pin.Checker
	counts  *window.Book
	limits  *standin.Limits
	card    string  // what its cryptogram is: genuine, forged, or unchecked since the HSM is lost
	checked func()  // runs when a cryptogram was checked
	heard   bool    // what the HSM is asked of cards is told
	mcc     [4]byte // of the merchant
	saf     *saf.Queue
	flow    *Flow
	past    *past // nil: no history is kept
	next    uint32
	out     []string
	mood    []string // what the acquirer does, one per message; "approve" when used up
	during  func()   // runs while the acquirer holds a purchase
	waiting []func() // run while something waits, one a wait; then the time passes
	books   map[txn.STAN]int64
	undone  map[txn.STAN]bool
	taken   map[txn.STAN]txn.STAN // what a void in force took back
	given   map[txn.STAN]txn.STAN // what a refund in force gives back a part of
	undoes  bool                  // the link takes reversals of refunds
	busy    bool
	stopped error
	last    txn.Answer
	lastKey txn.Key
	hsmGone bool
	keep    int           // payments that the switch remembers until their batch is closed
	noMore  bool          // numbers are used up
	serves  bool          // the link carries every class
	down    bool          // the link carries nothing now
	others  []string      // links beside it that do
	atFirst func()        // runs while a link has what it will not send
	lasts   time.Duration // of a hold; 30 days when zero
	may     TerminalLimits
	agreed  LinkLimits
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, serves: true, keep: 1000, mcc: [4]byte([]byte("5411")), may: TerminalLimits{Cashback: 500}, agreed: LinkLimits{Cashback: 400, TipPercent: 20}, clock: fake.NewClock(), journal: &memory{}, books: map[txn.STAN]int64{}, undone: map[txn.STAN]bool{}, taken: map[txn.STAN]txn.STAN{}, given: map[txn.STAN]txn.STAN{}}
	w.journal.hear = func(r journal.Record) { w.say("journal: %s", describe(r)) }
	w.env = env.Env{Clock: w.clock, Waits: waits{w}}
	w.start()
	return w
}

// start wires a switch over the journal, as node does.
func (w *world) start() {
	w.index = replay.New(replay.Config{Max: 1000, Keep: w.keep, Window: 24 * time.Hour, Holds: 31 * 24 * time.Hour}, w.env, w.journal)
	w.batches = settle.New(settle.Config{Max: 100}, w.env, w.journal)
	w.index.Account(w.batches)
	w.tries = pin.New(module{w}, 3)
	w.counts = window.New(10)
	w.limits = standin.NewLimits(10, 0)
	w.saf = saf.New(saf.Config{Retry: time.Second, MaxRetry: 8 * time.Second, MaxAge: 72 * time.Hour}, w.env, w.index, w, nil)
	w.flow = &Flow{
		Terminals: w, Admission: w, Cards: w, Payments: w.index, Batches: w.batches, Routes: w, Chips: w, Counters: chip.Counters{Book: w.counts}, PINs: w, Numbers: w, Limits: w, Holds: w, Acquirers: w, Reversals: w.saf, StandIns: mandates{w},
		Currency: []uint16{156}, Clock: w.clock, Stop: func(err error) { w.stopped = err; w.say("STOP: %v", err) },
		Opened: func(p txn.Payment) { w.say("told of a case: trace=%d %s", p.Key.Trace, p.Case.Why) },
	}
	w.wirePast()
	if _, err := recover.Replay(w.journal, w.index, w.batches, w.tries, w.counts, w.limits); err != nil {
		w.t.Fatal(err)
	}
	sum, err := recover.Resolve(w.index, w.Next, w.saf.EnqueueAgain)
	if err != nil {
		w.t.Fatal(err)
	}
	if sum != (recover.Summary{}) {
		closed := ""
		if sum.Closed > 0 {
			closed = fmt.Sprintf(", %d closed", sum.Closed)
		}
		if sum.Cases > 0 {
			closed += fmt.Sprintf(", %d cases", sum.Cases)
		}
		if sum.Advising > 0 {
			closed += fmt.Sprintf(", %d advising", sum.Advising)
		}
		w.say("recovered: %d payments, %d reversed, %d reversing, %d presumed delivered%s", sum.Payments, sum.Reversed, sum.Reversing, sum.Delivered, closed)
	}
}

// purge takes payments that the switch has forgotten out of the journal.
func (w *world) purge() {
	w.journal.records = slices.DeleteFunc(w.journal.records, func(r journal.Record) bool {
		k, err := record.ParseKey(r.Key)
		return err == nil && !w.index.Knows(k)
	})
}

// totals is totals in one line.
func totals(t txn.Totals) string {
	return fmt.Sprintf("%d debits %d, %d credits %d", t.Debits, t.DebitMinor, t.Credits, t.CreditMinor)
}

func (w *world) say(format string, args ...any) { w.out = append(w.out, fmt.Sprintf(format, args...)) }

// describe is a record in one line.
func describe(r journal.Record) string {
	name := record.KindName(r.Kind)
	switch r.Kind {
	case record.KindOutcome:
		o, _ := record.ParseOutcome(r.Body)
		part := string(o.Answer.Reason)
		if o.Answer.Part > 0 {
			part = fmt.Sprintf("part=%d", o.Answer.Part)
		}
		return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", name, o.Event, o.Answer.Code, part))
	case record.KindUndo:
		u, _ := record.ParseUndo(r.Body)
		return fmt.Sprintf("%s %s (%s) stan=%d", name, u.Event, u.Reason, u.Numbers.STAN)
	case record.KindUndone:
		u, _ := record.ParseUndone(r.Body)
		return fmt.Sprintf("%s %s %s", name, u.Event, u.Code)
	case record.KindCase:
		c, _ := record.ParseCase(r.Body)
		return strings.TrimSpace(fmt.Sprintf("%s %s %s", name, c.Why, c.Code))
	case record.KindAct:
		a, _ := record.ParseAct(r.Body)
		return strings.TrimSpace(fmt.Sprintf("%s %s by %s %s", name, a.What, a.By, a.Code))
	case record.KindBatch:
		id, b, _ := record.ParseBatch(r)
		return fmt.Sprintf("%s %06d %s, %s", name, id.Batch, b.State, totals(b.Now))
	case record.KindUpload:
		id, items, _, _ := record.ParseUpload(r)
		return fmt.Sprintf("%s %06d %s", name, id.Batch, verdicts(items))
	case record.KindUploadClosed:
		id, items, a, _ := record.ParseUploadClosed(r)
		return fmt.Sprintf("%s %06d by %s %s", name, id.Batch, a.By, verdicts(items))
	case record.KindCounter:
		c, _ := record.ParseCounter(r.Body)
		return fmt.Sprintf("%s highest=%d", name, c.High)
	case record.KindStandIn:
		return describeStandIn(r)
	case record.KindRerouted:
		return describeRerouted(r.Body)
	case record.KindTries:
		_, t, _ := record.ParseTries(r.Key, r.Body)
		return fmt.Sprintf("%s %d", name, t.Count)
	case record.KindAdvised:
		a, _ := record.ParseAdvised(r.Body)
		return fmt.Sprintf("%s %s", name, a.Code)
	case record.KindIntent, record.KindAdvice:
		k, _ := record.ParseKey(r.Key)
		p, _ := record.ParsePayment(k, r.Body)
		class := ""
		if k.Class != txn.Purchase {
			class = " " + k.Class.String()
		}
		if p.Cash > 0 {
			class += fmt.Sprintf(" of %d", p.Cash)
		}
		return fmt.Sprintf("%s%s trace=%d stan=%d amount=%d", name, class, k.Trace, p.Numbers.STAN, p.Amount.Minor)
	}
	k, _ := record.ParseKey(r.Key)
	return fmt.Sprintf("%s trace=%d", name, k.Trace)
}

// The ports, scripted.

func (w *world) Authenticate(_ context.Context, in *txn.Request) error {
	if w.hsmGone {
		return txn.DeclineHSM
	}
	if !in.HasMAC {
		return txn.DeclineMACMissing
	}
	in.PINKey, in.MerchantType = &hsm.Key{}, w.mcc
	return nil
}

func (w *world) SignOn(context.Context, *txn.Request) (Keys, error) { return Keys{}, nil }
func (w *world) Known(*txn.Request) error                           { return nil }

func (w *world) Enter(class txn.Class) (func(), error) {
	if w.busy && class != txn.Reversal {
		return nil, txn.DeclineOverload
	}
	return func() {}, nil
}

func (w *world) Protect(_ context.Context, in *txn.Request, p *txn.Payment) error {
	digits := in.Card.PAN.Reveal(secret.ForTest)
	p.Token, _ = w.Token(context.Background(), in.Card.PAN)
	copy(p.Fingerprint[:], fmt.Sprintf("%s%d-%d%s", digits[len(digits)-4:], in.Amount.Minor, in.Cash, in.Script))
	return nil
}

func (w *world) Token(_ context.Context, pan secret.PAN) (token [16]byte, err error) {
	if w.hsmGone {
		return token, txn.DeclineHSM
	}
	digits := pan.Reveal(secret.ForTest)
	copy(token[:], digits[len(digits)-16:])
	return token, nil
}

func (w *world) Issuer(pan secret.PAN) (*chip.Issuer, error) {
	switch pan.Reveal(secret.ForTest)[0] {
	case '6':
		return nil, nil
	case '4':
		return &chip.Issuer{Name: "test", PVK: &hsm.Key{}, IMK: &hsm.Key{}, ATC: window.Profile{Ahead: 100, Behind: 4}}, nil
	}
	return nil, txn.DeclineNoRoute
}

func (w *world) Choose(secret.PAN) (string, error) {
	if w.down {
		return "", txn.DeclineLinkDown
	}
	return "acq", nil
}
func (w *world) Home(secret.PAN, txn.Class) (string, error) { return "acq", nil }

func (w *world) Respond(context.Context, *txn.Request, chip.Issuer, txn.Code) ([]byte, error) {
	return []byte{0x91, 1, 0}, nil
}

func (w *world) Verify(ctx context.Context, in *txn.Request, p *txn.Payment, is chip.Issuer) ([]journal.Record, func(), error) {
	return w.tries.Verify(ctx, pin.Attempt{Key: in.PINKey, PVK: is.PVK, Card: &in.Card, Token: p.Token, For: p.Key})
}

func (w *world) Translate(_ context.Context, _ *txn.Request, link string) (secret.PINBlock, error) {
	if link != "acq" {
		w.say("hsm: PIN to the zone key%s", on(link))
	}
	return secret.NewPINBlock(make([]byte, 8))
}

// module knows one right PIN block.
type module struct{ w *world }

func (m module) TranslatePIN(context.Context, hsm.EncipheredPIN, hsm.PINTarget) (secret.PINBlock, error) {
	return secret.PINBlock{}, hsm.ErrUnavailable
}

func (m module) VerifyPVV(_ context.Context, in hsm.EncipheredPIN, _ hsm.PVV) error {
	if string(in.Block.AppendTo(nil, secret.ForTest)) != "rightpin" {
		return hsm.ErrPIN
	}
	return nil
}

func (w *world) Next() (txn.Numbers, error) {
	if w.noMore {
		return txn.Numbers{}, txn.DeclineNumbers
	}
	w.next++
	return txn.Numbers{STAN: txn.STAN(w.next), At: w.clock.Now(), RRN: txn.RRN([]byte(fmt.Sprintf("%012d", w.next)))}, nil
}

func (w *world) act() string {
	if len(w.mood) == 0 {
		return "approve"
	}
	m := w.mood[0]
	w.mood = w.mood[1:]
	return m
}

func (w *world) Serves(string, txn.Class) bool { return w.serves }

func (w *world) Undoes(string, txn.Class) bool { return w.undoes }

// Exchange is the acquirer for purchases.
func (w *world) Exchange(_ context.Context, s Send) (txn.Answer, error) {
	s.Forwarded()
	act := w.act()
	if act == "drops" { // the link goes down with the payment in hand, before a byte of it has left
		w.down, act = true, "down"
		if w.during != nil {
			w.during()
		}
	}
	if act == "unsent" {
		if w.atFirst != nil {
			w.atFirst()
		}
		return txn.Answer{}, fmt.Errorf("%w: %w", ErrNotSent, txn.DeclineNotSent)
	}
	if act == "down" {
		return txn.Answer{}, fmt.Errorf("%w: %w", ErrNotSent, txn.DeclineLinkDown)
	}
	class := ""
	if c := s.Payment.Key.Class; c != txn.Purchase {
		class = " " + c.String()
	}
	if s.Payment.Cash > 0 {
		class += fmt.Sprintf(" of %d", s.Payment.Cash)
	}
	w.say("to acquirer: %s%s stan=%d amount=%d pin=%v%s", mtiOf(s.Payment), class, s.Payment.Numbers.STAN, s.Payment.Amount.Minor, !s.PIN.IsZero(), on(s.Payment.Link))
	if w.during != nil {
		w.during()
	}
	switch o := s.Original; {
	case o == nil:
	case s.Payment.Key.Class == txn.Completion:
		return w.complete(s, act)
	default:
		return w.giveBack(s, act)
	}
	if act != "lost" && act != "decline" && !w.undone[s.Payment.Numbers.STAN] {
		w.books[s.Payment.Numbers.STAN] += int64(s.Payment.Amount.Minor)
	}
	a := txn.Answer{Code: txn.CodeApproved, Auth: [6]byte([]byte("AUTH01")), RRN: s.Payment.Numbers.RRN, At: w.clock.Now(), ICC: scripts[act]}
	if s.Payment.Key.Class == txn.Balance {
		a.Funds.Available = money.Amount{Minor: 123456, Currency: money.CNY}
	}
	switch act {
	case "silent", "lost":
		w.clock.Advance(2 * time.Second)
		return txn.Answer{}, ErrNoAnswer
	case "decline":
		a.Code, a.Reason = txn.Code{'5', '1'}, txn.DeclineAcquirer.Reason
	case "part":
		a.Code, a.Part = txn.CodePartial, s.Payment.Amount.Minor/2
		w.books[s.Payment.Numbers.STAN] = int64(a.Part)
	case "slow":
		w.clock.Advance(time.Minute)
	case "mangle":
		return txn.Answer{}, fmt.Errorf("%w: %w", ErrChecks, txn.DeclineAnswer)
	}
	return a, nil
}

// giveBack is the acquirer for voids and refunds: a void gives back what the
// original took, once, a refund its amount. It trusts the switch with the sum.
func (w *world) giveBack(s Send, act string) (txn.Answer, error) {
	o, n := s.Original.Numbers.STAN, s.Payment.Numbers
	a := txn.Answer{Code: txn.CodeApproved, RRN: n.RRN, At: w.clock.Now()}
	switch {
	case act == "lost", act == "decline", w.undone[n.STAN]:
	case s.Payment.Key.Class == txn.Refund:
		w.refund(n.STAN, o, s.Payment)
	case w.books[o] > 0:
		w.taken[n.STAN], w.books[o] = o, 0
		w.hold(o, true)
	}
	switch act {
	case "silent", "lost":
		w.clock.Advance(2 * time.Second)
		return txn.Answer{}, ErrNoAnswer
	case "decline":
		a.Code, a.Reason = txn.CodeBadTxn, txn.DeclineAcquirer.Reason
	case "slow":
		w.clock.Advance(time.Minute)
	case "mangle":
		return txn.Answer{}, fmt.Errorf("%w: %w", ErrChecks, txn.DeclineAnswer)
	}
	return a, nil
}

// refund is carried out once.
func (w *world) refund(n, original txn.STAN, p *txn.Payment) {
	if _, done := w.given[n]; !done {
		w.given[n] = original
		w.books[original] -= int64(p.Amount.Minor)
	}
}

func (w *world) Up(string) bool { return !w.down }

// Send is the acquirer for reversals.
func (w *world) Send(_ context.Context, kind saf.Kind, p txn.Payment, repeat bool) (txn.Code, error) {
	if kind == saf.Advice {
		return w.advised(p, repeat)
	}
	mti := "0400"
	if repeat {
		mti = "0401"
	}
	w.say("to acquirer: %s stan=%d original=%d%s", mti, p.Undo.STAN, p.Numbers.STAN, on(p.Link))
	switch w.act() {
	case "silent":
		return txn.Code{}, errors.New("no answer")
	case "decline":
		return txn.Code{'9', '6'}, nil
	case "lost":
		if w.during != nil { // while its answer is on its way
			w.during()
		}
		return txn.CodeUnmatched, nil
	case "refuse":
		return txn.CodeFormat, nil
	case "invalid":
		return txn.CodeBadTxn, nil
	}
	w.undone[p.Numbers.STAN] = true
	if o, ok := w.taken[p.Numbers.STAN]; ok { // the original is in force again
		return w.untake(p, o), nil
	}
	if o, ok := w.given[p.Numbers.STAN]; ok {
		delete(w.given, p.Numbers.STAN)
		w.books[o] += int64(p.Amount.Minor)
		return txn.CodeApproved, nil
	}
	if w.books[p.Numbers.STAN] == 0 {
		return txn.CodeUnmatched, nil
	}
	w.books[p.Numbers.STAN] = 0
	return txn.CodeApproved, nil
}

// request makes what a terminal would send.
func (w *world) request(class txn.Class, trace, amount int, card, pinText string) *txn.Request {
	pan, err := secret.NewPAN([]byte(card))
	if err != nil {
		w.t.Fatal(err)
	}
	k := txn.Key{Terminal: txn.TerminalID([]byte("10000001")), Merchant: txn.MerchantID([]byte("123456789012345")), Batch: 1, Trace: txn.STAN(trace), Class: class, Type: 22}
	r := &txn.Request{Key: k, Amount: money.Amount{Minor: money.MinorUnits(amount), Currency: money.CNY}, HasMAC: true, Received: w.clock.Mono(), Deadline: w.clock.Mono().Add(4 * time.Second)}
	r.Card.PAN = pan
	r.Card.Track2, _ = secret.NewTrack2([]byte(card + "=30122011123400000"))
	if pinText != "" {
		r.Card.PIN, _ = secret.NewPINBlock([]byte(pinText))
	}
	if class == txn.Reversal {
		r.Original = k
		r.Original.Class = txn.Purchase
	}
	if kind, ok := types60[class]; ok {
		r.Key.Type = kind
	}
	return r
}

func (w *world) answered(a txn.Answer) {
	if a.Code == (txn.Code{}) {
		w.say("to terminal: nothing")
		return
	}
	if a.Reason == txn.BatchCases {
		w.say("to terminal: %s (%s)", a.Code, a.Reason)
		return
	}
	if s := a.Settled; s != nil {
		w.say("to terminal: %s %s, %s", a.Code, map[bool]string{true: "balanced", false: "not balanced (" + string(a.Reason) + ")"}[s.Balanced], totals(s.Ours))
		return
	}
	funds := ""
	if a.Part > 0 {
		funds = fmt.Sprintf("part=%d", a.Part)
	}
	if a.Funds != (txn.Funds{}) {
		funds = fmt.Sprintf("available=%d", a.Funds.Available.Minor)
	}
	w.say("to terminal: %s %s%s%s", a.Code, a.Reason, funds, map[bool]string{true: " (repeat)"}[a.Repeat])
}
