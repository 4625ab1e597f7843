// SPDX-License-Identifier: Apache-2.0

package pos

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
)

// The commands of the till.
const (
	cmdSale    = "sale"
	cmdPIN     = "pin"
	cmdCancel  = "cancel"
	cmdReverse = "reverse"
	cmdSettle  = "settle"
	cmdSignOn  = "sign-on"
	cmdSignOff = "sign-off"
	cmdEcho    = "echo"
	cmdQuit    = "quit"
)

// command is one line of input.
type command struct {
	name   string
	amount money.MinorUnits
	pin    secret.Key
	err    error // what is wrong with the line; it never shows the line
}

// What can be wrong with a line.
var (
	errCommand = errors.New("unknown command: sale AMOUNT_MINOR, pin DIGITS, cancel, reverse, settle, sign-on, sign-off, echo, quit")
	errAmount  = errors.New("sale needs a whole amount in minor units, 1 to 999999999999")
	errPIN     = errors.New("pin needs 4 to 12 digits")
	errLength  = errors.New("line too long")
)

// lineMax bounds a command line.
const lineMax = 256

// readLines turns input into commands until it ends, which is a quit. A line
// that held a PIN is wiped in the buffer it came in.
func readLines(in io.Reader, out chan<- command, stop <-chan struct{}) {
	give := func(c command) bool {
		select {
		case out <- c:
			return true
		case <-stop:
			c.pin.Wipe()
			return false
		}
	}
	r := bufio.NewReaderSize(in, lineMax)
	for {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) {
				clear(line)
				line, err = r.ReadSlice('\n')
			}
			clear(line)
			if !give(command{err: errLength}) {
				return
			}
			continue
		}
		if c, ok := parse(line); ok && !give(c) {
			return
		}
		if err != nil {
			give(command{name: cmdQuit})
			return
		}
	}
}

// parse reads one line and wipes it; ok is false for an empty one.
func parse(line []byte) (c command, ok bool) {
	defer clear(line)
	words := bytes.Fields(line)
	if len(words) == 0 {
		return c, false
	}
	c.name = string(words[0])
	switch c.name {
	case cmdSale:
		if len(words) != 2 {
			return command{err: errAmount}, true
		}
		n, err := strconv.ParseInt(string(words[1]), 10, 64)
		if c.amount = money.MinorUnits(n); err != nil || n < 1 || c.amount > money.Max {
			return command{err: errAmount}, true
		}
	case cmdPIN:
		if len(words) != 2 {
			return command{err: errPIN}, true
		}
		var err error
		if c.pin, err = secret.NewKey(words[1]); err != nil {
			return command{err: errPIN}, true
		}
	case cmdCancel, cmdReverse, cmdSettle, cmdSignOn, cmdSignOff, cmdEcho, cmdQuit:
		if len(words) != 1 {
			return command{err: errCommand}, true
		}
	default:
		return command{err: errCommand}, true
	}
	return c, true
}
