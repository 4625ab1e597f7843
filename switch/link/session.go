// SPDX-License-Identifier: Apache-2.0

package link

import (
	"time"

	"tapswitch/internal/env"
)

// State is where a session stands.
type State uint8

// The states of a session, in the order of its life.
const (
	Idle       State = iota // not started
	Backoff                 // no connection; waiting before the next try
	Dialing                 // opening a connection
	SigningOn               // connected; the sign-on is not answered yet
	Up                      // in service
	Suspect                 // requests ran out of time in a row: out of service until an echo is answered
	Draining                // no new requests; those in flight go on
	SigningOff              // the sign-off is not answered yet
	Ended                   // over

	numStates = 9
)

// String names the state as health reasons, metrics and transcripts do.
func (s State) String() string {
	return [...]string{"idle", "backoff", "dialing", "signing_on", "up", "suspect", "draining", "signing_off", "ended"}[s]
}

// Kind is what happened.
type Kind uint8

// What the runner tells a session.
const (
	Start        Kind = iota // begin
	Tick                     // the time of Due may have come
	Connected                // the dial succeeded
	DialFailed               // it did not
	SignedOn                 // the host accepted the sign-on
	Refused                  // the host refused the sign-on
	EchoAnswered             // the host answered an echo
	Answered                 // a request was answered in time
	TimedOut                 // a request got no answer in time
	Lost                     // the connection broke
	Drain                    // stop taking requests, sign off and end
	Drained                  // nothing is in flight any more
	SignedOff                // the host answered the sign-off

	// What Step makes of a Tick or a TimedOut; the runner never sends these.
	stateOver  // the state lasted as long as it may
	echoDue    // time to ask whether the host is there
	echoLost   // it did not answer, and may still be asked again
	hostDead   // it did not answer as often as it may
	hostSilent // as many requests in a row ran out of time as may

	numKinds = 18
)

// String names the event.
func (k Kind) String() string {
	return [...]string{"start", "tick", "connected", "dial_failed", "signed_on", "refused", "echo_answered", "answered",
		"timed_out", "lost", "drain", "drained", "signed_off", "state_over", "echo_due", "echo_lost", "host_dead", "host_silent"}[k]
}

// ofConnection tells which events belong to one connection and mean nothing
// after it.
func (k Kind) ofConnection() bool {
	switch k {
	case Connected, DialFailed, SignedOn, Refused, EchoAnswered, Answered, TimedOut, Lost, SignedOff:
		return true
	}
	return false
}

// Event is one thing that happened.
type Event struct {
	Kind       Kind
	Generation uint32 // of the connection, for those that belong to one
	Rand       uint64 // randomness for the jitter of the next try
}

// Do is what the runner must do.
type Do uint8

// The actions.
const (
	Dial        Do = iota // open Address
	SendSignOn            // on the connection
	SendEcho              // on the connection
	SendSignOff           // on the connection
	Close                 // the connection, or the dial; what was in flight on it gets no answer
)

// String names the action.
func (d Do) String() string {
	return [...]string{"dial", "send_sign_on", "send_echo", "send_sign_off", "close"}[d]
}

// Action is one thing to do, on the connection of this generation.
type Action struct {
	Do         Do
	Generation uint32
	Address    int // index into the configured addresses, for Dial
}

// x marks an arrow of the table; the zero State with it unset is "no arrow".
const x = 0x80

// next is the life of a session: state × event → state. An event that has no
// arrow cannot happen in that state.
var next = [numStates][numKinds]uint8{
	Idle:    {Start: x | uint8(Dialing), Drain: x | uint8(Ended)},
	Backoff: {stateOver: x | uint8(Dialing), Drain: x | uint8(Ended)},
	Dialing: {Connected: x | uint8(SigningOn), DialFailed: x | uint8(Backoff), stateOver: x | uint8(Backoff), Drain: x | uint8(Ended)},
	SigningOn: {SignedOn: x | uint8(Up), Refused: x | uint8(Backoff), stateOver: x | uint8(Backoff), Lost: x | uint8(Backoff),
		Answered: x | uint8(SigningOn), Drain: x | uint8(Ended)},
	Up: {Answered: x | uint8(Up), EchoAnswered: x | uint8(Up), TimedOut: x | uint8(Up), echoDue: x | uint8(Up), echoLost: x | uint8(Up),
		hostSilent: x | uint8(Suspect), hostDead: x | uint8(Backoff), Lost: x | uint8(Backoff), Drain: x | uint8(Draining)},
	Suspect: {Answered: x | uint8(Suspect), EchoAnswered: x | uint8(Up), TimedOut: x | uint8(Suspect), hostSilent: x | uint8(Suspect),
		echoDue: x | uint8(Suspect), echoLost: x | uint8(Suspect), hostDead: x | uint8(Backoff), Lost: x | uint8(Backoff), Drain: x | uint8(Draining)},
	Draining: {Answered: x | uint8(Draining), EchoAnswered: x | uint8(Draining), TimedOut: x | uint8(Draining), hostSilent: x | uint8(Draining),
		Drained: x | uint8(SigningOff), stateOver: x | uint8(SigningOff), Lost: x | uint8(Ended)},
	SigningOff: {Answered: x | uint8(SigningOff), EchoAnswered: x | uint8(SigningOff), TimedOut: x | uint8(SigningOff), hostSilent: x | uint8(SigningOff),
		SignedOff: x | uint8(Ended), stateOver: x | uint8(Ended), Lost: x | uint8(Ended)},
	Ended: {},
}

// SessionConfig is the times and counts of a session.
type SessionConfig struct {
	Addresses     int           // tried in turn
	DialTimeout   time.Duration // for opening a connection
	SignOnTimeout time.Duration // for the answer to a sign-on, an echo or a sign-off
	EchoEvery     time.Duration // of silence before an echo asks
	MaxLostEchoes int           // in a row, then the connection is given up
	MaxTimeouts   int           // requests in a row without answer, then the session is suspect
	BackoffMin    time.Duration // before the first new try; doubled for each that fails
	BackoffMax    time.Duration
	DrainTime     time.Duration // for requests in flight before the sign-off
}

// Session is the machine of one connection to an acquirer's host, through all
// its reconnects. It does no IO and never reads the clock.
type Session struct {
	cfg        SessionConfig
	state      State
	due        env.Mono // when Tick is wanted
	generation uint32   // of the connection; every dial makes a new one
	address    int
	attempts   int // dials since the last accepted sign-on
	timeouts   int // requests in a row without answer
	lostEchoes int // in a row
	echoing    bool
	why        Kind // what brought the session out of service
}

// NewSession returns a session that waits for Start.
func NewSession(cfg SessionConfig) Session { return Session{cfg: cfg, due: env.Never, why: Start} }

// State is where the session stands.
func (s *Session) State() State { return s.state }

// Due is when the session wants a Tick.
func (s *Session) Due() env.Mono { return s.due }

// Generation is of the present connection.
func (s *Session) Generation() uint32 { return s.generation }

// Why names what took the session out of service last.
func (s *Session) Why() Kind { return s.why }

// Step advances the session. It never blocks.
func (s *Session) Step(now env.Mono, e Event) []Action {
	if e.Kind.ofConnection() && (e.Generation != s.generation || !s.hasConnection()) {
		return nil // of a connection that is no more
	}
	kind, ok := s.refine(now, e.Kind)
	if !ok {
		return nil
	}
	arrow := next[s.state][kind]
	if arrow&x == 0 {
		return nil // a second Start or Drain, a reply of the host that nobody asked for
	}
	from, to := s.state, State(arrow&^x)
	s.state = to
	if to == from {
		return s.stay(now, kind)
	}
	if to == Backoff || to == Suspect || to == Draining || to == Ended {
		s.why = kind
	}
	return s.enter(now, from, e.Rand)
}

// hasConnection reports whether there is a connection, or a dial for one.
func (s *Session) hasConnection() bool {
	return s.state != Idle && s.state != Backoff && s.state != Ended
}

// refine turns a Tick into what is due, and counts requests without answer.
func (s *Session) refine(now env.Mono, k Kind) (Kind, bool) {
	switch k {
	case Tick:
		if now < s.due {
			return 0, false
		}
		return s.whatIsDue(), true
	case TimedOut:
		s.timeouts++
		if s.timeouts >= s.cfg.MaxTimeouts {
			return hostSilent, true
		}
	}
	return k, true
}

func (s *Session) whatIsDue() Kind {
	if s.state != Up && s.state != Suspect {
		return stateOver
	}
	if !s.echoing {
		return echoDue
	}
	s.lostEchoes++
	if s.lostEchoes >= s.cfg.MaxLostEchoes {
		return hostDead
	}
	return echoLost
}

// stay is what an event does that changes no state.
func (s *Session) stay(now env.Mono, k Kind) []Action {
	switch k {
	case Answered: // an echo may still be outstanding, but the host is there
		if s.state == Up {
			s.timeouts = 0
			s.alive(now)
		}
	case EchoAnswered: // it says nothing of requests: a host may answer echoes alone
		if s.state == Up {
			s.alive(now)
		}
	case echoDue, echoLost:
		return s.echo(now)
	}
	return nil
}

// alive notes that the host spoke: the next echo is for the next silence.
func (s *Session) alive(now env.Mono) {
	s.echoing, s.lostEchoes = false, 0
	s.due = now.Add(s.cfg.EchoEvery)
}

func (s *Session) echo(now env.Mono) []Action {
	s.echoing = true
	s.due = now.Add(s.cfg.SignOnTimeout)
	return []Action{{Do: SendEcho, Generation: s.generation}}
}

// enter is what a new state begins with.
func (s *Session) enter(now env.Mono, from State, rand uint64) []Action {
	switch s.state {
	case Backoff:
		s.due = now.Add(s.delay(rand))
		return []Action{{Do: Close, Generation: s.generation}}
	case Dialing:
		return s.dial(now)
	case SigningOn:
		s.due = now.Add(s.cfg.SignOnTimeout)
		return []Action{{Do: SendSignOn, Generation: s.generation}}
	case Up:
		s.attempts, s.timeouts = 0, 0
		s.alive(now)
	case Suspect:
		return s.echo(now)
	case Draining:
		s.due = now.Add(s.cfg.DrainTime)
	case SigningOff:
		s.due = now.Add(s.cfg.SignOnTimeout)
		return []Action{{Do: SendSignOff, Generation: s.generation}}
	case Ended:
		s.due = env.Never
		if from != Idle && from != Backoff {
			return []Action{{Do: Close, Generation: s.generation}}
		}
	}
	return nil
}

// dial begins a new connection, to the next address when the last try failed.
func (s *Session) dial(now env.Mono) []Action {
	if s.attempts > 0 {
		s.address = (s.address + 1) % s.cfg.Addresses
	}
	s.attempts++
	s.generation++
	s.echoing, s.timeouts, s.lostEchoes = false, 0, 0
	s.due = now.Add(s.cfg.DialTimeout)
	return []Action{{Do: Dial, Generation: s.generation, Address: s.address}}
}

// delay doubles with every try that failed, and is spread over its upper half,
// so that a host that comes back is not met by all its clients at once.
func (s *Session) delay(rand uint64) time.Duration {
	d := s.cfg.BackoffMin
	for i := 1; i < s.attempts && d < s.cfg.BackoffMax; i++ {
		d *= 2
	}
	d = min(d, s.cfg.BackoffMax)
	half := uint64(d / 2)
	return d - time.Duration(half) + time.Duration(rand%(half+1))
}
