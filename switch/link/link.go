// SPDX-License-Identifier: Apache-2.0

// Package link keeps the sessions with an acquirer's host and carries requests
// to it and answers back. It knows nothing of payments.
//
// Promise: an answer reaches the request that it belongs to, or nobody; what
// came late, twice, unasked or on the wrong link has a name and a counter.
// Exchange tells ErrNotSent (surely not one byte left) from ErrNoAnswer (a byte
// may have left): a payment may move to another link only after the first.
//
// How: Session (session.go) and Table (table.go) are pure machines. Exchange
// (exchange.go) waits by env.Event alone; the goroutines, one that drives each
// connection and one that reads it, are in run.go. What is particular to a
// dialect comes in as a Protocol.
//
// Imported by: node, simulators/world. Imports: iso8583/frame,
// internal/{assert, batch, env}.
//
// Non-obvious: the breaker counts per connection, because a half-dead
// connection looks like a dead host from outside; the link is out of service
// when no connection is in service. A late answer does not close the breaker: a
// host that always answers late is as good as silent. An answer may come on
// another connection than its request; only the key counts.
package link

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"tapswitch/internal/env"
	"tapswitch/iso8583/frame"
)

// The two ends of an exchange without answer. Every error of Exchange is one of
// them, and wraps a reason.
var (
	// ErrNotSent: surely not one byte left. The request may go elsewhere.
	ErrNotSent = errors.New("not sent")
	// ErrNoAnswer: a byte may have left, and no answer came. The request may have
	// been carried out; it must be undone or repeated, never sent elsewhere.
	ErrNoAnswer = errors.New("sent, or maybe sent, and not answered")
)

// Reasons within ErrNotSent, besides ErrDuplicateKey and ErrTableFull.
var (
	ErrDown        = errors.New("no connection is signed on")
	ErrHostSilent  = errors.New("host did not answer the last requests")
	ErrSignedOff   = errors.New("signing off")
	ErrDeadline    = errors.New("deadline passed before the first byte")
	ErrFrame       = errors.New("message does not fit the frame")
	ErrWriteFailed = errors.New("connection took no byte")
)

// Reasons within ErrNoAnswer.
var (
	ErrTimeout = errors.New("no answer before the deadline")
	ErrLost    = errors.New("connection lost")
)

// ErrConfig is what every mistake of a Config wraps.
var ErrConfig = errors.New("link: configuration refused")

// MessageKind says what a message of the host is.
type MessageKind uint8

// The kinds of message.
const (
	NetworkRequest  MessageKind = iota + 1 // sign-on, echo or such asked by the host
	NetworkResponse                        // the answer to ours
	Response                               // the answer to a request of Exchange
	Unserved                               // a request that this link does not serve
)

// Protocol is what the dialect and the acquirer's profile know. It is called
// from several goroutines. Bodies given to it are good during the call only.
type Protocol interface {
	// Key reads what a message of the host is, and for responses the key of the
	// request that it answers. An error means that it is no message of the dialect.
	Key(body []byte) (Key, MessageKind, error)
	// SignOn, Echo and SignOff make a network request and its key.
	SignOn() (body []byte, key Key, err error)
	Echo() (body []byte, key Key, err error)
	SignOff() (body []byte, key Key, err error)
	// Accepted tells whether a network response says yes.
	Accepted(body []byte) bool
	// Answer makes the answer to a network request of the host.
	Answer(body []byte) ([]byte, error)
}

// Stray is an answer that reached no request.
type Stray struct {
	Link    string
	Outcome Outcome // never Matched
	Key     Key
	Body    []byte // good during the call only; holds card data
}

// Names that Config.Count is called with, beside those of OutcomeCount.
const (
	CountGarbage        = "host_message_unreadable"
	CountFrame          = "host_frame_broken"
	CountUnserved       = "host_request_unserved"
	CountNetworkUnknown = "host_network_answer_unasked"
	CountNetworkRequest = "host_network_request"
	CountEchoRefused    = "host_echo_refused"
	CountNetworkFailed  = "network_message_not_built"
	CountTimeout        = "request_timeout"
	CountLost           = "request_connection_lost"
	CountNotSent        = "request_not_sent"
)

// OutcomeCount is the name that Config.Count is called with for an outcome.
func OutcomeCount(o Outcome) string {
	return [...]string{"answer_matched", "answer_late", "answer_duplicate", "answer_unknown", "answer_wrong_link"}[o]
}

// Config is one acquirer link.
type Config struct {
	Name      string
	Addresses []string // tried in turn
	Frame     frame.Format
	// Header appends what stands between length and message, for a message of body
	// bytes; needed when Frame has a header.
	Header   func(dst []byte, body int) []byte
	Protocol Protocol
	Env      env.Env

	Connections  int           // at the same time, 1 to MaxConnections
	Timeout      time.Duration // the most that a request waits, whatever its deadline
	WriteTimeout time.Duration // for the host to take a message
	MaxGarbage   int           // unreadable messages in a row, then the connection is given up
	Table        TableConfig
	Session      SessionConfig // Addresses is filled in by New

	// OnStray hears of answers that reached nobody; on the reader's goroutine. May be nil.
	OnStray func(Stray)
	// Elsewhere tells whether another link waits for a key; see Waits. May be nil.
	Elsewhere func(Key) bool
	// Count counts what happened by name; on the money path, so it must be quick. May be nil.
	Count func(name string)
	// OnState hears of every change of a connection's state; with the link locked, so it must
	// neither block nor call the link. May be nil.
	OnState func(connection int, state State, why Kind)
}

// Bounds of the configuration.
const (
	MaxConnections = 64      // per link: no acquirer gives more
	MaxSlots       = 1 << 20 // of the table: about 100 bytes each
)

// Defaults fills what is zero with values that suit an acquirer in the same
// country.
func (c Config) Defaults() Config {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	count := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	count(&c.Connections, 1)
	set(&c.Timeout, 30*time.Second)
	set(&c.WriteTimeout, 5*time.Second)
	count(&c.MaxGarbage, 3)
	count(&c.Table.MaxInFlight, 4096)
	count(&c.Table.Remember, 4*c.Table.MaxInFlight)
	set(&c.Table.RememberFor, 10*time.Minute)
	set(&c.Session.DialTimeout, 5*time.Second)
	set(&c.Session.SignOnTimeout, 10*time.Second)
	set(&c.Session.EchoEvery, 60*time.Second)
	count(&c.Session.MaxLostEchoes, 2)
	count(&c.Session.MaxTimeouts, 5)
	set(&c.Session.BackoffMin, 500*time.Millisecond)
	set(&c.Session.BackoffMax, 30*time.Second)
	set(&c.Session.DrainTime, c.Timeout)
	return c
}

// check is the ladder of rules; all mistakes are told together.
func (c *Config) check() error {
	var mistakes []error
	rule := func(ok bool, text string) {
		if !ok {
			mistakes = append(mistakes, fmt.Errorf("%w: link %q: %s", ErrConfig, c.Name, text))
		}
	}
	s := c.Session
	rule(c.Name != "", "name is missing")
	rule(len(c.Addresses) > 0, "no address")
	rule(c.Protocol != nil, "no protocol")
	rule(!c.Frame.TPDU, "frames with a TPDU are not built for acquirer links")
	rule(!c.Frame.HasHeader() || c.Header != nil, "the frame has a header and nobody to make it")
	rule(c.Frame.Max > 0, "frame has no bound")
	rule(c.Connections >= 1 && c.Connections <= MaxConnections, fmt.Sprintf("connections must be 1 to %d", MaxConnections))
	rule(c.Timeout > 0 && c.WriteTimeout > 0, "timeout and write timeout must be positive")
	rule(c.MaxGarbage >= 1, "at least one unreadable message must be allowed for")
	rule(c.Table.MaxInFlight >= 1 && c.Table.Remember >= 1 && c.Table.MaxInFlight+c.Table.Remember <= MaxSlots,
		fmt.Sprintf("in flight and remembered must be at least 1 and together at most %d", MaxSlots))
	rule(c.Table.RememberFor > 0, "answers must be remembered for some time")
	rule(s.DialTimeout > 0 && s.SignOnTimeout > 0 && s.EchoEvery > 0 && s.DrainTime > 0, "session times must be positive")
	rule(s.MaxLostEchoes >= 1 && s.MaxTimeouts >= 1, "lost echoes and time-outs in a row must be at least 1")
	rule(s.BackoffMin > 0 && s.BackoffMin <= s.BackoffMax, "backoff must be positive, least below most")
	return errors.Join(mistakes...)
}

// Link is one acquirer's host behind one or more connections.
type Link struct {
	cfg   Config
	mu    sync.Mutex // machines and waiters; never held over IO, but for closing a connection
	table *Table
	wait  []*waiter // by slot of the table
	conns []*conn
	turn  int // of the connections, for Exchange
	ended env.Event
	live  int // connections that have not ended
	run   sync.WaitGroup
}

// New checks the configuration and makes a link that Start starts.
func New(cfg Config) (*Link, error) {
	cfg = cfg.Defaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg.Session.Addresses = len(cfg.Addresses)
	l := &Link{cfg: cfg, table: NewTable(cfg.Table), ended: cfg.Env.Waits.NewEvent(), live: cfg.Connections}
	l.wait = make([]*waiter, l.table.Size())
	for i := range cfg.Connections {
		l.conns = append(l.conns, &conn{link: l, index: i, session: NewSession(cfg.Session), wake: cfg.Env.Waits.NewEvent(), armed: env.Never})
	}
	return l, nil
}

// Name is the configured name.
func (l *Link) Name() string { return l.cfg.Name }

// Health tells whether the link can take a request now, and why not.
type Health struct {
	Up     bool
	Reason string // state and what led to it, such as "backoff: dial_failed"; empty when up
}

// Health is for routing: it is asked for every payment.
func (l *Link) Health() Health {
	l.mu.Lock()
	defer l.mu.Unlock()
	best := l.conns[0]
	for _, c := range l.conns {
		if c.session.State() == Up {
			return Health{Up: true}
		}
		if c.session.State() == Suspect {
			best = c
		}
	}
	return Health{Reason: best.session.State().String() + ": " + best.session.Why().String()}
}

// Waits reports whether a request with this key is in flight here; for the
// Elsewhere of other links.
func (l *Link) Waits(key Key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.table.Waits(key)
}

// InFlight is the number of requests that wait for an answer.
func (l *Link) InFlight() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.table.InFlight()
}

// Outcomes tells how many answers had each outcome.
func (l *Link) Outcomes() [NumOutcomes]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.table.Counts()
}

func (l *Link) count(name string) {
	if l.cfg.Count != nil {
		l.cfg.Count(name)
	}
}
