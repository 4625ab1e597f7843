// SPDX-License-Identifier: Apache-2.0

// Package listen takes terminals' connections, gives their messages to a
// handler and writes its answers. It knows nothing of payments.
//
// Promise: an answer goes to the connection its message came from, whole or not
// at all, and Done tells exactly once whether it was written. Whatever bytes
// come, the process goes on: what is no frame closes its connection and is
// counted by reason. Connections, messages, memory and time are bounded.
//
// How: one goroutine reads a connection; each message gets one of its own, at
// most PerConnection at a time, so that a reversal is read while its purchase
// still waits. A buffer is taken from a pool when a length has arrived and
// wiped when it goes back; an idle connection holds none.
//
// Imported by: node. Imports: iso8583/frame, internal/env.
//
// Non-obvious: a connection takes its slot before it reads, so a message that
// was read is always served. The idle deadline counts only while nothing is in
// flight. After the end of a stream, or bytes that are no frame, answers still
// in flight are written before the connection is closed.
package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"tapswitch/internal/env"
	"tapswitch/iso8583/frame"
)

// Message is one frame of a terminal.
type Message struct {
	Conn   uint64      // number of the connection, never used twice
	Remote string      // where it comes from
	Frame  frame.Frame // good until Serve's reply is delivered; it is wiped then
	At     env.Mono    // when its first byte was there
}

// Delivery is what became of an answer.
type Delivery uint8

// The deliveries.
const (
	Written      Delivery = iota + 1 // the system took every byte
	MaybeWritten                     // it failed, and some may have left
	NotWritten                       // surely not one byte left
)

// String names the delivery.
func (d Delivery) String() string {
	return [...]string{"none", "written", "maybe_written", "not_written"}[d]
}

// Reply is what a handler wants done with a message.
type Reply struct {
	Frame frame.Frame    // no Body: no answer
	Close bool           // close the connection afterwards
	Done  func(Delivery) // told exactly once; NotWritten when there is no answer. May be nil
}

// Handler serves messages, several at a time, also of one connection. Serve must
// come to an end by itself: the context ends only when the server is closed and
// its time is over.
type Handler interface {
	Serve(ctx context.Context, m Message) Reply
}

// Reasons that Count is called with, beside those of package frame.
const (
	ReasonTooMany     = "too_many_connections"
	ReasonAccept      = "accept_failed"
	ReasonHandshake   = "tls_handshake_failed"
	ReasonIdle        = "idle"
	ReasonTooSlow     = "message_too_slow"
	ReasonLost        = "connection_lost"
	ReasonEnd         = "end_of_stream" // the terminal hung up
	ReasonProcessFull = "too_many_messages"
	ReasonAnswerForm  = "answer_does_not_fit_the_frame"
	ReasonAnswerLost  = "answer_not_written"
	ReasonAnswerMaybe = "answer_maybe_written"
)

// Config is one listener.
type Config struct {
	Address string
	Frame   frame.Format
	Env     env.Env
	// TLS protects the line. Without it, PrivateLine says that somebody else does.
	TLS         *tls.Config
	PrivateLine bool

	MaxConnections int           // more are closed at once
	PerConnection  int           // messages of one connection in flight; more are not read
	MaxMessages    int           // messages of all connections in flight
	AdmitTime      time.Duration // for room among MaxMessages, then the connection is closed
	IdleTime       time.Duration // without a message, then the connection is closed
	MessageTime    time.Duration // from a message's first byte to its last; and for a TLS handshake
	WriteTime      time.Duration // for the terminal to take an answer

	// Count counts what happened by reason; quick, and safe for concurrent use. May be nil.
	Count func(reason string)
}

// Defaults fills what is zero.
func (c Config) Defaults() Config {
	for _, n := range []struct {
		at *int
		v  int
	}{{&c.MaxConnections, 20_000}, {&c.PerConnection, 4}, {&c.MaxMessages, 4096}} {
		if *n.at == 0 {
			*n.at = n.v
		}
	}
	for _, d := range []struct {
		at *time.Duration
		v  time.Duration
	}{{&c.AdmitTime, time.Second}, {&c.IdleTime, 10 * time.Minute}, {&c.MessageTime, 10 * time.Second}, {&c.WriteTime, 10 * time.Second}} {
		if *d.at == 0 {
			*d.at = d.v
		}
	}
	return c
}

// ErrConfig is what every mistake of a Config wraps.
var ErrConfig = errors.New("listen: configuration refused")

// check is the ladder of rules; all mistakes are told together.
func (c *Config) check() error {
	var mistakes []error
	rule := func(ok bool, text string) {
		if !ok {
			mistakes = append(mistakes, fmt.Errorf("%w: %s: %s", ErrConfig, c.Address, text))
		}
	}
	rule(c.Address != "", "address is missing")
	rule(c.Frame.Max > 0, "frame has no bound")
	rule(c.TLS != nil || c.PrivateLine, "plain TCP needs private-line: true, or configure TLS")
	rule(c.TLS == nil || c.TLS.MinVersion == 0 || c.TLS.MinVersion >= tls.VersionTLS12, "TLS below 1.2 is not served")
	rule(c.MaxConnections >= 1 && c.PerConnection >= 1 && c.MaxMessages >= 1, "bounds must be at least 1")
	rule(c.AdmitTime > 0 && c.IdleTime > 0 && c.MessageTime > 0 && c.WriteTime > 0, "times must be positive")
	return errors.Join(mistakes...)
}
