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
	"tapswitch/terminal/host"
)

// The commands of the till.
const (
	cmdSale    = "sale"
	cmdCash    = string(host.KindCashback)
	cmdPIN     = "pin"
	cmdCancel  = "cancel"
	cmdReverse = "reverse"
	cmdLast    = "last"
	cmdSettle  = "settle"
	cmdSignOn  = "sign-on"
	cmdSignOff = "sign-off"
	cmdEcho    = "echo"
	cmdAdjust  = string(host.KindAdjust)
	cmdTip     = string(host.KindTip)
	cmdOffline = "offline"
	cmdUpload  = "upload"
	cmdDiscard = "discard"
	cmdQuit    = "quit"
)

// command is one line of input.
type command struct {
	name     string
	amount   money.MinorUnits
	cash     money.MinorUnits // of cashback
	original host.Original    // of what is about an earlier message
	auth     string           // of offline
	trace    uint32           // of discard
	pin      secret.Key
	err      error // what is wrong with the line; it never shows the line
}

// What can be wrong with a line.
var (
	errCommand = errors.New("unknown command: sale AMOUNT_MINOR, cashback AMOUNT_MINOR CASH_MINOR, preauth AMOUNT_MINOR, preauth-void, complete, complete-offline, complete-void, refund AMOUNT_MINOR REFERENCE BATCH TRACE, repeat, pin DIGITS, cancel, reverse, last, settle, sign-on, sign-off, echo, adjust AMOUNT_MINOR, tip AMOUNT_MINOR, offline AMOUNT_MINOR AUTHORIZATION, upload, discard TRACE, quit")
	errAmount  = errors.New("sale, adjust and tip need a whole amount in minor units, 1 to 999999999999")
	errCash    = errors.New("cashback needs the whole amount, goods and cash, and the cash in it, both whole and in minor units; the cash is less")
	errOffline = errors.New("offline needs a whole amount in minor units and the authorization, six letters or digits")
	errDiscard = errors.New("discard needs a trace number, 1 to 999999")
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
	if c, ok = parseHold(words); ok {
		return c, true
	}
	if c, ok = parseRefund(words); ok {
		return c, true
	}
	c.name = string(words[0])
	switch c.name {
	case cmdSale, cmdAdjust, cmdTip:
		if len(words) != 2 {
			return command{err: errAmount}, true
		}
		if c.amount = amount(words[1]); c.amount == 0 {
			return command{err: errAmount}, true
		}
	case cmdCash:
		return parseCash(words), true
	case cmdOffline:
		return parseOffline(words), true
	case cmdDiscard:
		return parseDiscard(words), true
	case cmdPIN:
		if len(words) != 2 {
			return command{err: errPIN}, true
		}
		var err error
		if c.pin, err = secret.NewKey(words[1]); err != nil {
			return command{err: errPIN}, true
		}
	case cmdCancel, cmdReverse, cmdLast, cmdSettle, cmdSignOn, cmdSignOff, cmdEcho, cmdUpload, cmdRepeat, cmdQuit:
		if len(words) != 1 {
			return command{err: errCommand}, true
		}
	default:
		return command{err: errCommand}, true
	}
	return c, true
}

// amount is a whole amount in minor units; 0 when the word is none.
func amount(word []byte) money.MinorUnits {
	n, err := strconv.ParseInt(string(word), 10, 64)
	if err != nil || n < 1 || n > int64(money.Max) {
		return 0
	}
	return money.MinorUnits(n)
}

func parseCash(words [][]byte) command {
	c := command{name: cmdCash}
	if len(words) == 3 {
		c.amount, c.cash = amount(words[1]), amount(words[2])
	}
	if c.cash == 0 || c.cash >= c.amount {
		return command{err: errCash}
	}
	return c
}

func parseOffline(words [][]byte) command {
	const auth = 6 // field 38
	c := command{name: cmdOffline}
	if len(words) == 3 {
		c.amount, c.auth = amount(words[1]), string(words[2])
	}
	if c.amount == 0 || len(c.auth) != auth {
		return command{err: errOffline}
	}
	return c
}

func parseDiscard(words [][]byte) command {
	if len(words) != 2 {
		return command{err: errDiscard}
	}
	n, err := strconv.ParseUint(string(words[1]), 10, 32)
	if err != nil || n < 1 || n > host.TraceMax {
		return command{err: errDiscard}
	}
	return command{name: cmdDiscard, trace: uint32(n)}
}
