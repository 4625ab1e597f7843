// SPDX-License-Identifier: Apache-2.0

// Package pinblock lays out the PIN blocks of ISO 9564-1 (formats 0 to 4), those
// under SM4, and the layouts before them, and checks them.
//
// Promise: a block that decodes has its format's control nibble, a length of 4
// to 12, decimal digits, and the right filler to its end; anything else is a
// named refusal that says nothing of the PIN. What is refused leaves no digit
// behind.
//
// How: pure functions over memory of the caller, without keys and without
// randomness: filler is passed in. They see clear PINs, so the only callers are
// hsm/clear (with locked memory) and tests. Formats 0 and 3 are in format03.go,
// 1 and 2 in format12.go, 4 in format4.go, the older ones in legacy.go.
//
// Imported by: hsm, hsm/clear, hsm/hsmtest. Imports: the standard library.
//
// Non-obvious: a format 0 or 3 block needs a PAN of 13 digits. Hosts that fill a
// shorter one with zeros let two cards share a block; here it is refused
// (ErrPANLength), by policy. A format 3 block filled with F throughout is a good
// one: F is one of the six filler values.
package pinblock

import (
	"encoding/binary"
	"errors"
)

// The refusals name the rule, never a digit.
var (
	ErrPINLength   = errors.New("pinblock: a PIN has 4 to 12 digits")
	ErrPINDigits   = errors.New("pinblock: a PIN has decimal digits only")
	ErrControl     = errors.New("pinblock: control nibble is not the format's")
	ErrFiller      = errors.New("pinblock: filler is not the format's")
	ErrPANLength   = errors.New("pinblock: formats 0 and 3 need a PAN of 13 to 19 decimal digits, format 4 one of 1 to 19")
	ErrBlockLength = errors.New("pinblock: a block has 8 bytes, of format 4 16")
)

// Bounds of a PIN (ISO 9564-1, 9.1).
const (
	MinPIN = 4
	MaxPIN = 12
)

// FillMax is the most filler digits an 8-byte block takes: those beside a PIN
// of four digits.
const FillMax = 10

// header starts an 8-byte block or a format 4 PIN field: control nibble,
// length, PIN.
func header(block, pin []byte, control byte) error {
	if len(pin) < MinPIN || len(pin) > MaxPIN {
		return ErrPINLength
	}
	if !decimal(pin) {
		return ErrPINDigits
	}
	block[0] = control<<4 | byte(len(pin))
	for i, c := range pin {
		setNibble(block, 2+i, c-'0')
	}
	return nil
}

// encode writes a clear 8-byte block: control nibble, length, PIN, then the
// first of the filler digits as far as there is room.
func encode(block *[8]byte, pin []byte, control byte, fill *[FillMax]byte) error {
	if err := header(block[:], pin, control); err != nil {
		return err
	}
	for i := len(pin); i < 14; i++ {
		setNibble(block[:], 2+i, fill[i-len(pin)])
	}
	return nil
}

// fillers are the values a filler digit may have: from lowest to F.
type fillers struct{ lowest byte }

// The fillers of the formats.
var (
	anyFill    = fillers{0x0}
	letterFill = fillers{0xA}
	onlyF      = fillers{0xF}
)

// decode reads a block of 8 bytes and writes the PIN's digits as ASCII.
func decode(pin *[MaxPIN]byte, block []byte, control byte, filler fillers) (int, error) {
	n, err := digits(pin, block, control, filler)
	if err != nil {
		clear(pin[:])
		return 0, err
	}
	return n, nil
}

func digits(pin *[MaxPIN]byte, block []byte, control byte, filler fillers) (int, error) {
	if block[0]>>4 != control {
		return 0, ErrControl
	}
	n := int(block[0] & 0x0F)
	if n < MinPIN || n > MaxPIN {
		return 0, ErrPINLength
	}
	for i := range n {
		v := nibble(block, 2+i)
		if v > 9 {
			return 0, ErrPINDigits
		}
		pin[i] = '0' + v
	}
	i := 2 + n
	if i%2 != 0 {
		if block[i/2]&0x0F < filler.lowest {
			return 0, ErrFiller
		}
		i++
	}
	for _, v := range block[i/2:] {
		if v>>4 < filler.lowest || v&0x0F < filler.lowest {
			return 0, ErrFiller
		}
	}
	return n, nil
}

func nibble(b []byte, i int) byte {
	if i%2 == 0 {
		return b[i/2] >> 4
	}
	return b[i/2] & 0x0F
}

func setNibble(b []byte, i int, v byte) {
	if i%2 == 0 {
		b[i/2] = b[i/2]&0x0F | v<<4
	} else {
		b[i/2] = b[i/2]&0xF0 | v
	}
}

// number is decimal for what is no PIN: eight characters at a time.
func number(s []byte) bool {
	for ; len(s) >= 8; s = s[8:] {
		if !digits8(binary.BigEndian.Uint64(s)) {
			return false
		}
	}
	return decimal(s)
}

func decimal(s []byte) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
