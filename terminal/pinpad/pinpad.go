// SPDX-License-Identifier: Apache-2.0

// Package pinpad asks for a PIN and gives back an enciphered PIN block.
//
// Promise: the digits live only between the entry and the cipher and are wiped
// there; no error, log or encoding of this package holds one. What is not 4 to
// 12 digits, a cancel and a time-out each have a name.
//
// How: Entry is the keyboard, whatever it is; Pad puts what was typed through
// the PIN pad's own cipher (ISO 9564-1 format 0 or 3 under a TDES terminal PIN
// key, 4 under an AES one) and wipes it on every way out.
//
// Imported by: terminal/pos, tests of the switch. Imports: hsm, internal/secret.
package pinpad

import (
	"context"
	"errors"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

// Bounds of a PIN (ISO 9564-1) and of the card number that formats 0 and 3 need.
const (
	MinDigits = 4
	MaxDigits = 12
	minPAN    = 13
)

// The ways in which no PIN block comes about.
var (
	ErrCancelled = errors.New("pinpad: the cardholder cancelled")
	ErrTimeout   = errors.New("pinpad: no PIN within the time")
	ErrFormat    = errors.New("pinpad: a PIN has 4 to 12 decimal digits")
	ErrPAN       = errors.New("pinpad: formats 0 and 3 need a card number of at least 13 digits, format 4 one")
	ErrNoKey     = errors.New("pinpad: no PIN key: sign on first")
)

// Entry is where digits are typed. EnterPIN returns them as ASCII and gives
// them away: the caller wipes. When ctx ends first it returns ctx's error;
// ErrCancelled when the cardholder gave up.
type Entry interface {
	EnterPIN(ctx context.Context) (secret.Key, error)
}

// Pad is a PIN pad: a keyboard and a cipher.
type Pad struct {
	Entry  Entry
	Cipher hsm.PINEncipherer
	Format hsm.PINFormat // hsm.ISO0 when it is zero
}

// Block asks for a PIN and returns its block for pan under tpk. The errors are
// those above, or the cipher's own.
func (p Pad) Block(ctx context.Context, pan secret.PAN, tpk *hsm.Key) (secret.PINBlock, error) {
	if tpk == nil {
		return secret.PINBlock{}, ErrNoKey
	}
	to := hsm.PINTarget{Format: p.Format, Key: tpk, PAN: pan}
	if to.Format == 0 {
		to.Format = hsm.ISO0
	}
	if pan.IsZero() || to.Format != hsm.ISO4 && pan.Len() < minPAN {
		return secret.PINBlock{}, ErrPAN
	}
	digits, err := p.Entry.EnterPIN(ctx)
	defer digits.Wipe()
	if err != nil {
		return secret.PINBlock{}, named(err)
	}
	if !wellFormed(digits) {
		return secret.PINBlock{}, ErrFormat
	}
	block, err := p.Cipher.EncipherPIN(ctx, digits, to)
	if err != nil {
		return secret.PINBlock{}, fmt.Errorf("pinpad: encipher the PIN: %w", err)
	}
	return block, nil
}

// named turns the end of a context into this package's words.
func named(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return ErrTimeout
	case errors.Is(err, context.Canceled):
		return ErrCancelled
	}
	return err
}

func wellFormed(digits secret.Key) bool {
	if digits.Len() < MinDigits || digits.Len() > MaxDigits {
		return false
	}
	var room [32]byte
	defer clear(room[:])
	for _, c := range digits.AppendTo(room[:0], secret.ForHSM) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// Typed is an Entry for scripts: the digits it was made with, once.
type Typed struct{ digits secret.Key }

// NewTyped copies digits; what is wrong with them is found when they are used.
func NewTyped(digits []byte) (*Typed, error) {
	k, err := secret.NewKey(digits)
	if err != nil {
		return nil, ErrFormat
	}
	return &Typed{k}, nil
}

// EnterPIN gives the digits; a second call finds them wiped.
func (t *Typed) EnterPIN(context.Context) (secret.Key, error) { return t.digits, nil }
