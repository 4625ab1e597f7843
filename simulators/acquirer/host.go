// SPDX-License-Identifier: Apache-2.0

package acquirer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"

	"tapswitch/internal/money"
)

// Errors of Serve.
var (
	ErrDown   = errors.New("acquirer: the host is down by its mood; set another one and serve a new listener")
	ErrClosed = errors.New("acquirer: the host is closed")
)

// Event is what a host reports while it runs.
type Event struct {
	Event   string   `json:"event"` // ready, message, mood, closed, books, error
	Name    string   `json:"name,omitempty"`
	Address string   `json:"address,omitempty"` // of ready
	Mood    string   `json:"mood,omitempty"`    // of mood
	Reason  string   `json:"reason,omitempty"`  // of closed and error
	Message *Entry   `json:"message,omitempty"` // of message
	Books   *Summary `json:"books,omitempty"`   // of books
}

// Summary is the state of the books.
type Summary struct {
	Path         string           `json:"path"`
	Entries      int              `json:"entries"`
	DebitsMinor  money.MinorUnits `json:"debits_minor"`
	CreditsMinor money.MinorUnits `json:"credits_minor"`
	Check        string           `json:"check"` // ok, or the first contradiction
	Accounts     []AccountState   `json:"accounts"`
}

// AccountState is an account as the books have it.
type AccountState struct {
	ID           string           `json:"id"`
	PAN          string           `json:"pan"` // masked
	Status       string           `json:"status"`
	BalanceMinor money.MinorUnits `json:"balance_minor"`
	HeldMinor    money.MinorUnits `json:"held_minor,omitempty"` // of the balance
	PINTries     int              `json:"pin_tries"`            // wrong ones since the last right one
}

// Host is a running acquirer host.
type Host struct {
	cfg   Config
	codec *codec
	books *books

	mu        sync.Mutex // everything below
	ledger    *ledger
	mood      Mood
	moodSet   chan struct{} // closed and renewed when the mood changes
	shared    session       // of all connections when sign-on counts for the host
	listeners map[net.Listener]error
	conns     map[*conn]bool
	failed    error
	closed    bool
	counters  map[string]uint64

	running sync.WaitGroup
	once    sync.Once
	closing error
}

// New opens the books, rebuilds balances, decisions and PIN tries from them,
// and opens accounts that are new.
func New(cfg Config) (*Host, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	mood, err := ParseMood(cfg.Mood)
	if err != nil {
		return nil, err
	}
	b, err := openBooks(cfg.Books)
	if err != nil {
		return nil, err
	}
	h := &Host{cfg: cfg, codec: newCodec(), books: b, ledger: newLedger(cfg), mood: mood, moodSet: make(chan struct{}),
		listeners: map[net.Listener]error{}, conns: map[*conn]bool{}, counters: map[string]uint64{}}
	if err := h.rebuild(); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return h, nil
}

func (h *Host) rebuild() error {
	past := h.books.copy()
	if err := CheckBooks(past); err != nil {
		return fmt.Errorf("%w; move the books away to start anew", err)
	}
	known := map[string]bool{}
	for _, e := range past {
		if err := h.ledger.apply(e); err != nil {
			return err
		}
		known[e.Account] = true
	}
	for _, e := range h.ledger.openings(known, h.cfg.Now().UTC()) {
		if err := h.ledger.apply(e); err != nil {
			return err
		}
		ticket, err := h.books.enqueue(e)
		if err != nil {
			return err
		}
		if err := h.books.wait(ticket); err != nil {
			return err
		}
	}
	return nil
}

// Serve accepts connections until the host closes (nil), its mood takes it
// down (ErrDown), or its books fail. The listener is closed in every case.
func (h *Host) Serve(l net.Listener) error {
	if err := h.admit(l); err != nil {
		l.Close()
		return err
	}
	h.event(Event{Event: "ready", Address: l.Addr().String()})
	for {
		c, err := l.Accept()
		if err == nil {
			h.start(c)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return h.leave(l)
		}
		h.count("accept_failed") // out of descriptors, or the peer gave up: try on
		time.Sleep(20 * time.Millisecond)
	}
}

func (h *Host) admit(l net.Listener) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return ErrClosed
	case h.failed != nil:
		return h.failed
	case h.isDown():
		return ErrDown
	}
	h.listeners[l] = nil
	return nil
}

// leave tells why a listener was closed.
func (h *Host) leave(l net.Listener) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.listeners[l]
	delete(h.listeners, l)
	return err
}

func (h *Host) isDown() bool { return h.mood.Kind == MoodDown && !h.mood.Once }

// start serves one connection, or closes it when there are too many.
func (h *Host) start(nc net.Conn) {
	c := newConn(h, nc)
	h.mu.Lock()
	refuse := ""
	switch {
	case h.closed || h.failed != nil:
		refuse = "host_closed"
	case h.isDown():
		refuse = MoodDown
	case len(h.conns) >= h.cfg.Connections:
		refuse = "too_many_connections"
	default:
		h.conns[c] = true
		h.running.Add(1)
	}
	h.mu.Unlock()
	if refuse != "" {
		nc.Close()
		h.count("closed_" + refuse)
		h.event(Event{Event: "closed", Reason: refuse})
		return
	}
	go func() {
		defer h.running.Done()
		reason := c.run()
		h.mu.Lock()
		delete(h.conns, c)
		h.mu.Unlock()
		h.count("closed_" + reason)
		h.event(Event{Event: "closed", Reason: reason})
	}()
}

// reply is a decided message on its way to the line.
type reply struct {
	m      *message
	entry  Entry
	mood   Mood // normal unless a mood bends this message
	ticket uint64
}

// decide is the one place where messages meet the ledger, one at a time.
func (h *Host) decide(m *message, raw []byte, own *session) (reply, error) {
	if m.mti != mtiNetwork {
		m.mac = checkMAC(m, raw, h.ledger.zak)
	}
	malformed := h.codec.malformed(m)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.books.room(); err != nil {
		return reply{}, err
	}
	s := own
	if h.cfg.SignOn == SignOnHost {
		s = &h.shared
	}
	r := reply{m: m, mood: h.takeMood(m.mti)}
	m.half = r.mood.Kind == MoodPartial
	now := h.cfg.Now().UTC()
	if r.mood.drops() {
		r.entry = h.ledger.drop(m, now)
	} else {
		r.entry = h.ledger.serve(m, malformed, s, now)
	}
	if r.mood.Kind != MoodNormal {
		r.entry.Mood = r.mood.String()
	}
	if err := h.ledger.apply(r.entry); err != nil {
		return reply{}, err
	}
	var err error
	r.ticket, err = h.books.enqueue(r.entry)
	if r.mood.Kind == MoodDown {
		h.takeDown()
	}
	return r, err
}

// takeMood returns the mood for a message and uses a once up.
func (h *Host) takeMood(mti string) Mood {
	mood := h.mood
	if !mood.actsOn(mti) {
		return Mood{Kind: MoodNormal}
	}
	if mood.spentBy(mti) {
		h.changeMood(Mood{Kind: MoodNormal})
	}
	return mood
}

func (h *Host) changeMood(m Mood) {
	h.mood = m
	close(h.moodSet)
	h.moodSet = make(chan struct{})
}

// SetMood changes how the host behaves from the next message on. Down closes
// listeners and connections at once; down once does so at the next financial
// request, which has no effect.
func (h *Host) SetMood(m Mood) error {
	m, err := ParseMood(m.String())
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.changeMood(m)
	if h.isDown() {
		h.takeDown()
	}
	h.mu.Unlock()
	h.event(Event{Event: "mood", Mood: m.String()})
	return nil
}

// takeDown closes what is open; the caller holds the lock.
func (h *Host) takeDown() {
	for l := range h.listeners {
		h.listeners[l] = ErrDown
		l.Close()
	}
	for c := range h.conns {
		c.close(MoodDown)
	}
}

// fail stops the host for good: without books there are no answers.
func (h *Host) fail(err error) {
	h.mu.Lock()
	first := h.failed == nil
	if first {
		h.failed = err
	}
	for l := range h.listeners {
		h.listeners[l] = err
		l.Close()
	}
	for c := range h.conns {
		c.close("books_failed")
	}
	h.mu.Unlock()
	if first {
		h.event(Event{Event: "error", Reason: err.Error()})
	}
}

// ListenAndServe serves the configured address until ctx ends or the host is
// closed. After the mood down it opens the same address again.
func (h *Host) ListenAndServe(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { h.Close() })
	defer stop()
	address := h.cfg.Listen
	for {
		h.mu.Lock()
		down, changed := h.isDown() && !h.closed, h.moodSet
		h.mu.Unlock()
		if down {
			select {
			case <-changed:
			case <-ctx.Done():
				return nil
			}
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("acquirer: listen: %w; free the address or choose another", err)
		}
		address = l.Addr().String() // port 0 was taken once; peers know the number now
		switch err := h.Serve(l); {
		case errors.Is(err, ErrDown):
		case errors.Is(err, ErrClosed):
			return nil
		default:
			return err
		}
	}
}

// Books returns what is on disk, oldest first.
func (h *Host) Books() []Entry { return h.books.copy() }

// Summary returns the totals and the accounts.
func (h *Host) Summary() Summary {
	entries := h.Books()
	s := Summary{Path: h.cfg.Books, Entries: len(entries), Check: StateOK}
	if err := CheckBooks(entries); err != nil {
		s.Check = err.Error()
	}
	for _, e := range entries {
		switch e.Effect {
		case EffectDebit:
			s.DebitsMinor += e.AmountMinor
		case EffectAdjust:
			s.DebitsMinor += e.AmountMinor - e.WasMinor
		case EffectCredit:
			s.CreditsMinor += e.AmountMinor
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.cfg.Accounts {
		now := h.ledger.byID[a.ID]
		s.Accounts = append(s.Accounts, AccountState{a.ID, a.PAN.String(), a.Status, now.balance, now.held, now.tries})
	}
	return s
}

// Counters returns why connections were closed and answers lost, by reason.
func (h *Host) Counters() map[string]uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.counters)
}

func (h *Host) count(what string) {
	h.mu.Lock()
	h.counters[what]++
	h.mu.Unlock()
}

func (h *Host) event(e Event) {
	e.Name = h.cfg.Name
	h.cfg.OnEvent(e)
}

// Close ends listeners and connections and closes the books. Answers that were
// still to come late are not sent.
func (h *Host) Close() error {
	h.once.Do(func() {
		h.mu.Lock()
		h.closed = true
		for l := range h.listeners {
			l.Close()
		}
		for c := range h.conns {
			c.close("host_closed")
		}
		h.changeMood(h.mood) // wakes who waits for a better one
		h.mu.Unlock()
		h.running.Wait()
		h.closing = h.books.close()
	})
	return h.closing
}
