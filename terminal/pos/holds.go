// SPDX-License-Identifier: Apache-2.0

package pos

import (
	"errors"
	"strconv"

	"tapswitch/internal/money"
	"tapswitch/terminal/host"
)

// The commands about what is held; their names are the kinds of messages.
const (
	cmdPreAuth        = string(host.KindPreAuth)
	cmdPreAuthVoid    = string(host.KindPreAuthVoid)
	cmdCompletion     = string(host.KindCompletion)
	cmdCompletionVoid = string(host.KindCompletionVoid)

	cmdCompletionAdvice = string(host.KindCompletionAdvice)
)

// What can be wrong with a line about what is held.
var (
	errPreAuth        = errors.New("preauth needs a whole amount in minor units, 1 to 999999999999")
	errHeld           = errors.New("preauth-void, complete and complete-offline need AMOUNT_MINOR AUTHORIZATION DATE as on the receipt, date MMDD; BATCH TRACE behind them when at hand")
	errCompletionVoid = errors.New("complete-void needs AMOUNT_MINOR AUTHORIZATION DATE BATCH TRACE REFERENCE as on the receipt of the completion")
)

// takesCard says whether a command waits for a card.
func (c command) takesCard() bool {
	switch c.name {
	case cmdSale, cmdCash, cmdPreAuth, cmdPreAuthVoid, cmdCompletion, cmdCompletionVoid:
		return true
	}
	return false
}

// kind is what such a command asks for.
func (c command) kind() host.Kind {
	if c.name == cmdSale || c.name == cmdOffline {
		return host.KindSale
	}
	return host.Kind(c.name)
}

// parseHold reads a command about what is held; ok is false for another one.
func parseHold(words [][]byte) (c command, ok bool) {
	c.name = string(words[0])
	wrong := errHeld
	switch n := len(words); c.name {
	default:
		return c, false
	case cmdPreAuth:
		if wrong = nil; n != 2 {
			wrong = errPreAuth
		}
	case cmdPreAuthVoid, cmdCompletion, cmdCompletionAdvice:
		if n == 4 || n == 6 {
			wrong = nil
		}
	case cmdCompletionVoid:
		if wrong = nil; n != 7 {
			wrong = errCompletionVoid
		}
	}
	if wrong != nil {
		return command{err: wrong}, true
	}
	n, err := strconv.ParseInt(string(words[1]), 10, 64)
	if c.amount = money.MinorUnits(n); err != nil || n < 1 || c.amount > money.Max {
		return command{err: errPreAuth}, true
	}
	if len(words) > 3 {
		c.original.Auth, c.original.Date = string(words[2]), string(words[3])
	}
	if len(words) > 5 {
		trace, err := strconv.ParseUint(string(words[5]), 10, 32)
		if err != nil || trace == 0 {
			return command{err: errHeld}, true
		}
		c.original.Batch, c.original.Trace = string(words[4]), uint32(trace)
	}
	if len(words) > 6 {
		c.original.RRN = string(words[6])
	}
	return c, true
}
