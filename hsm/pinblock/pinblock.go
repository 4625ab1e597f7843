// SPDX-License-Identifier: Apache-2.0

// Package pinblock lays out PIN blocks of ISO 9564-1 format 0, and those under
// SM4, and checks them.
//
// Promise: a block that decodes has a right control nibble, a length of 4 to
// 12, decimal digits, and F filler to its end; anything else is a named refusal
// that says nothing of the PIN.
//
// How: pure functions over memory of the caller. They see clear PINs, so the
// only callers are hsm/clear (with locked memory) and tests.
//
// Imported by: hsm/clear. Imports: the standard library.
package pinblock

import "errors"

// The refusals name the rule, never a digit.
var (
	ErrPINLength = errors.New("pinblock: a PIN has 4 to 12 digits")
	ErrPINDigits = errors.New("pinblock: a PIN has decimal digits only")
	ErrControl   = errors.New("pinblock: control nibble is not 0")
	ErrFiller    = errors.New("pinblock: filler is not F")
	ErrPANLength = errors.New("pinblock: format 0 needs a PAN of 13 to 19 decimal digits")
)

// Bounds of a PIN (ISO 9564-1).
const (
	MinPIN = 4
	MaxPIN = 12
)

// Account returns the twelve rightmost digits of pan without its check digit.
// Shorter numbers are refused: zero filling them would let two cards share a block.
func Account(pan []byte) (account [12]byte, err error) {
	if len(pan) < 13 || len(pan) > 19 || !decimal(pan) {
		return account, ErrPANLength
	}
	copy(account[:], pan[len(pan)-13:])
	return account, nil
}

// Encode0 writes the clear format 0 block of pin and account into block.
func Encode0(block *[8]byte, pin []byte, account [12]byte) error {
	if len(pin) < MinPIN || len(pin) > MaxPIN {
		return ErrPINLength
	}
	if !decimal(pin) {
		return ErrPINDigits
	}
	if !decimal(account[:]) {
		return ErrPANLength
	}
	block[0] = byte(len(pin))
	for i := 1; i < 8; i++ {
		block[i] = digitOr(pin, 2*i-2, 0xF)<<4 | digitOr(pin, 2*i-1, 0xF)
	}
	xorAccount(block, account)
	return nil
}

// Decode0 checks the clear format 0 block against account, writes the PIN's
// digits as ASCII into pin and returns their number. It leaves block as it was.
func Decode0(pin *[MaxPIN]byte, block *[8]byte, account [12]byte) (int, error) {
	if !decimal(account[:]) {
		return 0, ErrPANLength
	}
	xorAccount(block, account)
	defer xorAccount(block, account)
	if block[0]>>4 != 0 {
		return 0, ErrControl
	}
	n := int(block[0] & 0x0F)
	if n < MinPIN || n > MaxPIN {
		return 0, ErrPINLength
	}
	for i := range 14 {
		v := nibble(block, 2+i)
		switch {
		case i < n && v > 9:
			clear(pin[:])
			return 0, ErrPINDigits
		case i < n:
			pin[i] = '0' + v
		case v != 0xF:
			clear(pin[:])
			return 0, ErrFiller
		}
	}
	return n, nil
}

// xorAccount xors 0000‖account into block; doing it twice undoes it.
func xorAccount(block *[8]byte, account [12]byte) {
	for i := range 6 {
		block[2+i] ^= (account[2*i]-'0')<<4 | (account[2*i+1] - '0')
	}
}

func nibble(b *[8]byte, i int) byte {
	if i%2 == 0 {
		return b[i/2] >> 4
	}
	return b[i/2] & 0x0F
}

func digitOr(s []byte, i int, fill byte) byte {
	if i < len(s) {
		return s[i] - '0'
	}
	return fill
}

func decimal(s []byte) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
