// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/soft"
	"tapswitch/internal/env"
	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583/frame"
	"tapswitch/simulators/card"
	"tapswitch/simulators/oracle"
	"tapswitch/terminal/host"
	"tapswitch/terminal/kernel"
)

// sale is a line of a terminal's log: what it asked and what it was told.
type sale struct {
	Terminal string       `json:"terminal"`
	Batch    string       `json:"batch"`
	Trace    uint32       `json:"trace"`
	Link     string       `json:"link"` // whose card it was
	Amount   int64        `json:"amount_minor"`
	Outcome  host.Outcome `json:"outcome"`
	Code     string       `json:"code,omitempty"`
	Reason   host.Reason  `json:"reason,omitempty"`
	RRN      string       `json:"rrn,omitempty"`
	Undone   bool         `json:"undone,omitempty"` // approved, then taken back by the shop
	Cash     int64        `json:"cash_minor,omitempty"`
	Ready    bool         `json:"ready,omitempty"` // sent while the switch said that it was ready

	left   int64 // what was not given back
	unsure bool  // what is left of it is not known: the end of a refund or of an adjustment
	part   int64 // what was approved, when it is less
	cash   bool  // a part of it was paid in cash: it is not to be refunded or adjusted
}

// till is a terminal of the crash test: the real terminal's conversation and
// memory on the machine's disk, with cards but without a reader.
type till struct {
	shop
	id, dir, address string
	tmk, storage     string // hex, published test values
	chance           *rand.Rand
	deck             map[string]card.Profile

	soft     *soft.Module
	keys     *keyring
	host     *host.Host
	protocol *protocol
	voice    voice
	log      *os.File
	sent     atomic.Int64
	approved atomic.Int64
	said     []sale
	held     []*sale // what it takes for paid, in order
	refunds
	deposit
	kept    map[uint32]*happened // by trace number
	parts   bool                 // it takes approvals of a part
	voiding bool                 // it voids sales, which its program does not count: its batches do not balance

	fell atomic.Pointer[fall] // set when it did not start again; it pays no more
}

// fall is why a terminal did not start after its power cut, or could not make a
// message. Neither asks for the switch, so that every reason is a finding.
type fall struct{ error }

// crashStorage enciphers the terminals' memories; a test value.
const crashStorage = "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"

// shop is what all terminals share.
type shop struct {
	stage
	began    time.Time
	counters *card.Counters // of the cards
	ready    *atomic.Bool   // the switch has said so, and is not yet to be killed
	life     *atomic.Int64  // of the switch, the first is 1
	pins     *pins
}

func newShop(s stage, began time.Time) (shop, error) {
	counters, err := card.OpenCounters("")
	return shop{s, began, counters, &atomic.Bool{}, &atomic.Int64{}, &pins{wrong: map[string]bool{}}}, err
}

// pins sees to it that no card has two wrong PINs in a row: its owner would have
// to go to the bank.
type pins struct {
	mu    sync.Mutex
	wrong map[string]bool // cards whose last PIN was, or may have been, wrong
}

// spoil says whether a wrong PIN may be typed for a card now.
func (p *pins) spoil(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.wrong[name]
	p.wrong[name] = true
	return !was
}

// right notes that the card's right PIN was taken.
func (p *pins) right(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrong[name] = false
}

func newTill(ctx context.Context, s shop, i int, chance *rand.Rand) (*till, error) {
	t := &till{shop: s, id: tillID(i), dir: s.path("till-" + tillID(i)), address: s.Switch, tmk: demoTMK, storage: crashStorage,
		chance: chance, protocol: newProtocol(tillID(i), s.began)}
	t.voice.till, t.kept, t.voiding = t, map[uint32]*happened{}, i%2 == 1
	t.parts = i%4 < 2
	err := t.stock()
	if err != nil {
		return nil, err
	}
	if t.log, err = os.OpenFile(filepath.Join(s.Dir, "till-"+t.id+".jsonl"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	return t, t.open(ctx)
}

// stock takes the deck of test cards.
func (t *till) stock() error {
	deck, err := card.Deck()
	t.deck = map[string]card.Profile{}
	for _, p := range deck {
		t.deck[p.Name] = p
	}
	return err
}

// open starts the terminal on what its disk has. It does not connect.
func (t *till) open(ctx context.Context) error {
	world := env.Real()
	var err error
	if t.soft, err = soft.New(world.Rand, world.Clock); err != nil {
		return err
	}
	tmk, err := testKey(t.tmk)
	if err != nil {
		return err
	}
	storage, err := testKey(t.storage)
	if err != nil {
		return err
	}
	keys, err := host.SoftKeys(ctx, t.soft, t.id, tmk, storage)
	if err != nil {
		return err
	}
	t.keys = &keyring{Module: keys.Module}
	keys.Module = t.keys
	world.Net = network{world.Net, t.protocol}
	answer := 2 * time.Second
	if t.chance.IntN(3) == 0 { // gives up early: its reversal meets the sale in flight
		answer = 250 * time.Millisecond
	}
	opened, err := host.Open(ctx, world, keys, host.Config{
		Terminal: t.id, Merchant: demoMerchant, Address: t.address, Answer: answer, Dial: time.Second, Currency: money.CNY, Dir: t.dir, Part: t.parts,
		TPDU: crashTPDU, Header: crashHeader,
	})
	if err == nil {
		t.host = opened
	}
	return err
}

// power is a power cut and the start after it.
func (t *till) power(ctx context.Context) error {
	if t.host != nil {
		err := t.host.Close()
		t.host = nil
		if err != nil {
			return err
		}
	}
	return t.open(ctx)
}

func testKey(digits string) (secret.Key, error) {
	b, err := hex.DecodeString(digits)
	if err != nil {
		return secret.Key{}, err
	}
	return secret.NewKey(b)
}

func (t *till) close() error {
	t.voice.drop()
	if t.host == nil {
		return t.log.Close()
	}
	return errors.Join(t.host.Close(), t.log.Close())
}

// The transport of the terminals' messages.
var (
	crashTPDU   = frame.TPDU{0x60, 0, 3, 0, 0}
	crashHeader = frame.Header{0x60, 0x31, 0, 0x31, 1, 0}
)

// run pays until quit is closed; a customer in between is served to his end. A
// terminal that does not start is not started again: that would hide why.
func (t *till) run(ctx context.Context, quit <-chan struct{}) {
	for t.fallen() == nil {
		pause := time.Duration(1+t.chance.IntN(20)) * time.Millisecond
		if !t.pay(ctx) {
			pause = 100 * time.Millisecond // no switch or no acquirer there, or a reversal is due
		}
		select {
		case <-quit:
			return
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// pay is one customer; false when nothing was sent, or the switch could not ask
// anybody. Now and then the terminal loses power before, or the shop takes the
// sale back.
func (t *till) pay(ctx context.Context) bool {
	if t.chance.IntN(40) == 0 {
		if err := t.power(ctx); err != nil {
			t.fell.Store(&fall{err})
			return false
		}
	}
	if _, reason, err := t.host.Ready(ctx); err != nil || reason != host.ReasonNone || !t.voice.settle(ctx) {
		if reason == host.ReasonUnreachable && len(t.kept) < 10 && t.chance.IntN(20) == 0 {
			t.fall(t.offline(ctx))
		}
		return false
	}
	if _, err := t.owes(ctx); err != nil {
		t.fall(err)
		return false
	}
	link := t.anyLink()
	s := t.sell(ctx, link, t.types(cardOf(link)))
	if s == nil {
		return false
	}
	t.note(t.take(ctx, s))
	t.fall(errors.Join(t.voice.more(ctx, s), t.business(ctx, s)))
	return s.Code != "91"
}

// sell is a sale with what the customer types; nil when nothing was sent.
func (t *till) sell(ctx context.Context, link, typed string) *sale {
	s := &sale{Terminal: t.id, Link: link, Amount: int64(1 + t.chance.IntN(2000)), Ready: t.ready.Load()}
	kind := oracle.Purchase
	if s.Amount > 100 && t.chance.IntN(12) == 0 {
		kind, s.Cash, s.cash = oracle.Cashback, 1+t.chance.Int64N(s.Amount-1), true
	}
	ask, err := t.tap(ctx, cardOf(link), s.Amount, s.Cash, typed)
	if err != nil {
		t.fall(err)
		return nil
	}
	if s.cash {
		ask.Kind, ask.Cash = host.KindCashback, money.MinorUnits(s.Cash)
	}
	r := t.host.Sale(ctx, ask)
	if r.Outcome == host.NotSent {
		return nil
	}
	t.sent.Add(1)
	s.Batch, s.Trace, s.Outcome, s.Code, s.Reason, s.RRN = r.Batch, r.Trace, r.Outcome, r.Code, r.Reason, r.RRN
	s.part = int64(r.Part)
	if s.Outcome == host.Approved || s.Outcome == host.Declined {
		t.protocol.believed(kind, s.key())
	}
	if s.Outcome == host.Approved && typed == t.deck[cardOf(link)].PIN {
		t.pins.right(cardOf(link))
	}
	return s
}

// paid has the terminal take a sale for paid.
func (t *till) paid(s *sale) {
	if s.part > 0 {
		s.Amount = s.part
	}
	s.left = s.Amount
	t.held = append(t.held, s)
}

// business is what a shop does besides selling, drawn after each sale. An error is
// the test's own, or the terminal's memory.
func (t *till) business(ctx context.Context, s *sale) error {
	if _, due := t.host.Pending(); due || t.keys.tak == nil || t.voice.owed != nil {
		return nil
	}
	switch n := t.chance.IntN(40); {
	case n < 6:
		return t.refund(ctx)
	case n < 16:
		return t.deposits(ctx)
	case n < 18:
		return t.offline(ctx)
	case n == 18:
		t.settleBatch(ctx)
	case n < 22:
		return t.adjust(ctx, s)
	}
	return nil
}

// owes does once what the terminal still has to do but for its reversals; false when
// something is left.
func (t *till) owes(ctx context.Context) (bool, error) {
	refunded, err := t.repeatRefund(ctx)
	if err != nil {
		return false, err
	}
	told, err := t.tell(ctx)
	return refunded && told && t.settleDue(ctx), err
}

// fall has the terminal pay no more, for a reason.
func (t *till) fall(why error) {
	if why != nil {
		t.fell.Store(&fall{why})
	}
}

// types is what the customer types: mostly nothing, as the amount is small.
func (t *till) types(name string) string {
	switch {
	case t.chance.IntN(4) != 0:
		return ""
	case t.chance.IntN(12) == 0 && t.pins.spoil(name):
		return wrongPIN
	}
	return t.deck[name].PIN
}

// take takes in what was approved, and now and then back.
func (t *till) take(ctx context.Context, s *sale) (line sale) {
	if line = *s; s.Outcome != host.Approved {
		return line
	}
	t.approved.Add(1)
	if t.chance.IntN(10) == 0 {
		// Also one that is not acknowledged now is due, and drained later.
		undo, _ := t.host.Reverse(ctx)
		s.Undone = undo != nil && undo.Trace == s.Trace
		line = *s
	}
	if !s.Undone {
		t.paid(s)
	}
	return line
}

// key is the payment as the promises name it.
func (s *sale) key() oracle.Key { return keyOf(s.Terminal, s.Batch, s.Trace) }

func keyOf(terminal, batch string, trace uint32) oracle.Key {
	return oracle.Key{Terminal: terminal, Batch: number(batch), Trace: trace}
}

// account is what the terminal says at the end.
func (t *till) account() oracle.Terminal {
	a := oracle.Terminal{ID: t.id, Pending: t.voice.owed != nil || t.giving != nil, Voids: t.voids, Refunds: t.given}
	if t.host != nil {
		_, due := t.host.Pending()
		a.Pending = a.Pending || due
	}
	for _, s := range t.held {
		a.Holds = append(a.Holds, s.key())
	}
	a.Holds = append(a.Holds, t.holds...)
	return a
}

// note keeps a line of the log.
func (t *till) note(s sale) {
	t.said = append(t.said, s)
	_ = json.NewEncoder(t.log).Encode(s) // for people: the judge has the line itself
}

// typeCashback is tag 9C of goods and cash in one.
const typeCashback = 0x09

// plastic lets a card of the deck answer the kernel.
type plastic struct{ card *card.Card }

func (p plastic) Transceive(_ context.Context, apdu []byte) ([]byte, error) {
	answer, present := p.card.Transceive(apdu)
	if !present {
		return nil, io.EOF
	}
	return answer, nil
}

// ask reads a card for an amount and makes the sale of it.
func (t *till) ask(ctx context.Context, name string, amount int64, pin string) (host.Sale, error) {
	return t.tap(ctx, name, amount, 0, pin)
}

// tap is ask with cash that is a part of the amount.
func (t *till) tap(ctx context.Context, name string, amount, cash int64, pin string) (host.Sale, error) {
	c, err := card.New(t.deck[name], t.counters)
	if err != nil {
		return host.Sale{}, err
	}
	purchase, err := kernel.NewPurchase(env.Real().Rand, money.Amount{Minor: money.MinorUnits(amount), Currency: money.CNY}, time.Now(), 1)
	if err != nil {
		return host.Sale{}, err
	}
	if purchase.Other = money.MinorUnits(cash); cash > 0 {
		purchase.Type = typeCashback
	}
	out, err := kernel.Run(ctx, plastic{c}, kernel.DefaultConfig(), purchase)
	if err != nil {
		return host.Sale{}, err
	}
	if out.Kind != kernel.OnlineRequest {
		return host.Sale{}, fmt.Errorf("card %s does not ask to go online", name)
	}
	s := host.Sale{Amount: money.MinorUnits(amount), Card: host.Card{PAN: out.PAN, PSN: out.PSN, Expiry: out.Expiry, Track2: out.Track2, ICC: out.ICC, Entry: host.Contactless}}
	if pin == "" {
		return s, nil
	}
	digits, err := secret.NewKey([]byte(pin))
	if err != nil {
		return host.Sale{}, err
	}
	s.PIN, err = t.soft.EncipherPIN(ctx, digits, hsm.PINTarget{Format: hsm.ISO0, Key: t.host.PINKey(), PAN: s.Card.PAN})
	return s, err
}

// fallen is the finding that the terminal did not start after a power cut, or
// could not make a message.
func (t *till) fallen() error {
	if why := t.fell.Load(); why != nil {
		return fmt.Errorf("terminal %s does not go on: %w", t.id, why.error)
	}
	return nil
}

// drain sends the terminal's own reversals until they are acknowledged.
func (t *till) drain(ctx context.Context) error {
	if err := t.fallen(); err != nil {
		return err
	}
	for {
		_, reason, err := t.host.Ready(ctx)
		if _, due := t.host.Pending(); err == nil && reason == host.ReasonNone && !due && t.voice.settle(ctx) {
			done, err := t.owes(ctx)
			if done || err != nil {
				return err
			}
		}
		if failed := sleep(ctx, 100*time.Millisecond); failed != nil {
			return fmt.Errorf("terminal %s still owes the switch something (%s): %w", t.id, reason, errors.Join(err, failed))
		}
	}
}
