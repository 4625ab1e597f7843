// SPDX-License-Identifier: Apache-2.0

package pn532

import (
	"errors"
	"time"
)

// Ends of an exchange that got no answer.
var (
	ErrNoACK      = errors.New("pn532: the chip did not acknowledge the command")
	ErrNoAnswer   = errors.New("pn532: the chip acknowledged and did not answer in time")
	ErrDamaged    = errors.New("pn532: the answer came damaged each time it was asked for")
	ErrSyntax     = errors.New("pn532: the chip refused the form of the command")
	ErrCancelled  = errors.New("pn532: exchange cancelled")
	ErrBadCommand = errors.New("pn532: command is empty or longer than a frame")
	ErrNoise      = errors.New("pn532: frames that belong to no command keep coming")
)

// strayMax bounds foreign frames during one exchange.
const strayMax = 16

// Timing bounds one exchange.
type Timing struct {
	ACK     time.Duration // from command to acknowledge
	Answer  time.Duration // from acknowledge to answer
	Retries int           // repeats of a command without ACK, and of NACKs
}

// EventKind is what happened on the line.
type EventKind uint8

// The events.
const (
	Received EventKind = iota + 1 // a whole frame
	Damaged                       // a frame that cannot be read
	Expired                       // the time of the last Wait is over
	Cancel                        // the caller gave up
)

// Event is one thing that happened.
type Event struct {
	Kind  EventKind
	Frame Frame
}

// ActionKind is what the runner must do.
type ActionKind uint8

// The actions.
const (
	Send   ActionKind = iota + 1 // write Bytes
	Wait                         // forget the last timer, start one of For
	Finish                       // the answer's parameters are in Bytes
	Fail                         // give up with Err
)

// Action is one thing to do, in order.
type Action struct {
	Kind  ActionKind
	Bytes []byte
	For   time.Duration
	Err   error
}

type exchangeState uint8

const (
	awaitACK exchangeState = iota + 1
	awaitLate
	awaitAnswer
	ended
)

// Exchange is one command and its answer.
type Exchange struct {
	timing Timing
	frame  []byte
	code   byte // of the answer
	once   bool // the command must not be repeated
	state  exchangeState
	repeat int
	nacks  int
	stray  int
}

// NewExchange prepares one command. A command that moves a card (data exchange)
// is never sent twice: a lost acknowledge would make the card run it twice.
func NewExchange(command []byte, timing Timing) (*Exchange, error) {
	frame, ok := AppendCommand(nil, command)
	if !ok {
		return nil, ErrBadCommand
	}
	return &Exchange{
		timing: timing,
		frame:  frame,
		code:   command[0] + 1,
		once:   command[0] == cmdExchange,
		state:  awaitACK,
	}, nil
}

// Start sends the command.
func (x *Exchange) Start() []Action {
	return []Action{{Kind: Send, Bytes: x.frame}, {Kind: Wait, For: x.timing.ACK}}
}

// Step takes one event and says what to do.
func (x *Exchange) Step(e Event) []Action {
	if x.state == ended {
		return nil
	}
	switch e.Kind {
	case Received:
		return x.received(e.Frame)
	case Damaged:
		return x.damaged()
	case Expired:
		return x.expired()
	}
	x.state = ended
	return []Action{{Kind: Send, Bytes: ackFrame[:]}, {Kind: Fail, Err: ErrCancelled}}
}

func (x *Exchange) received(f Frame) []Action {
	switch {
	case f.Kind == ACK && x.state != awaitAnswer:
		x.state = awaitAnswer
		return []Action{{Kind: Wait, For: x.timing.Answer}}
	case f.Kind == NACK && x.state == awaitACK:
		return x.again(ErrDamaged) // the chip could not read the command: it did not run
	case f.Kind == ErrorFrame:
		return x.fail(ErrSyntax)
	case f.Kind == Information && f.FromChip && len(f.Data) > 0 && f.Data[0] == x.code:
		// Also without an ACK before it: that one was lost on the line.
		x.state = ended
		return []Action{{Kind: Finish, Bytes: append([]byte(nil), f.Data[1:]...)}}
	}
	// A late answer of an aborted command, an echo of our own frame.
	if x.stray++; x.stray > strayMax {
		return x.fail(ErrNoise)
	}
	return nil
}

func (x *Exchange) damaged() []Action {
	if x.state == awaitACK {
		return nil // perhaps the ACK itself; the answer follows or the timer ends it
	}
	if x.nacks == x.timing.Retries {
		return x.abort(ErrDamaged)
	}
	x.nacks++
	return []Action{{Kind: Send, Bytes: nackFrame[:]}, {Kind: Wait, For: x.timing.Answer}}
}

func (x *Exchange) expired() []Action {
	switch {
	case x.state == awaitAnswer:
		return x.abort(ErrNoAnswer)
	case x.state == awaitLate:
		return x.abort(ErrNoACK)
	case x.once:
		// The command may be running: wait for its answer instead of repeating it.
		x.state = awaitLate
		return []Action{{Kind: Wait, For: x.timing.Answer}}
	}
	return x.again(ErrNoACK)
}

func (x *Exchange) again(give error) []Action {
	if x.repeat == x.timing.Retries {
		return x.abort(give)
	}
	x.repeat++
	return x.Start()
}

// abort tells the chip to stop what it does; an ACK from the host means that.
func (x *Exchange) abort(err error) []Action {
	x.state = ended
	return []Action{{Kind: Send, Bytes: ackFrame[:]}, {Kind: Fail, Err: err}}
}

func (x *Exchange) fail(err error) []Action {
	x.state = ended
	return []Action{{Kind: Fail, Err: err}}
}
