// SPDX-License-Identifier: Apache-2.0

// Package cvv lays out what card verification values are computed from and
// reads the digits of the result.
//
// Promise: each kind of value has the service code of its kind and no other; a
// value never depends on a byte that its kind does not name; a CVC3 keeps its
// leading zeros.
//
// How: pure functions, no keys. CVV, iCVV, CVV2, dCVV and CAVV are one MAC
// (ISO 9797-1 algorithm 3) over 32 packed digits, decimalised in two passes;
// they differ in the fields alone. The CVC3 is one block under the card's key,
// two bytes of which are read as a number.
//
// Imported by: hsm/pkcs11, hsm/soft. Imports: hsm, hsm/emvkey, hsm/mac, internal/secret.
package cvv

import (
	"fmt"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

// Digits is the length of a CVV, CVV2, iCVV, dCVV and CAVV.
const Digits = 3

// fieldDigits are the digits of expiry date and service code behind the PAN.
const fieldDigits = 7

// Block is the two blocks of 8 that a value is the MAC of: digits packed from
// the left, zero filled.
type Block = [16]byte

// Input lays out a CVV, CVV2 or iCVV. The kind rules the service code: a CVV
// with the code of another kind is refused, because it would be that value.
func Input(c hsm.CardValueData) (Block, error) {
	service := c.ServiceCode
	switch c.Kind {
	case hsm.CardCVV:
		if s := string(service[:]); s == "000" || s == "999" {
			return Block{}, fmt.Errorf("%w: a CVV with service code %s would be a CVV2 or an iCVV", hsm.ErrInput, s)
		}
	case hsm.CardCVV2, hsm.CardICVV:
		if service != [3]byte{} {
			return Block{}, fmt.Errorf("%w: the service code of a CVV2 and an iCVV is fixed: leave it empty", hsm.ErrInput)
		}
		service = [3]byte{'0', '0', '0'}
		if c.Kind == hsm.CardICVV {
			service = [3]byte{'9', '9', '9'}
		}
	default:
		return Block{}, fmt.Errorf("%w: card verification value of kind %d is not built", hsm.ErrInput, c.Kind)
	}
	expiry := c.Expiry
	switch c.Order {
	case hsm.YYMM:
	case hsm.MMYY:
		expiry = [4]byte{expiry[2], expiry[3], expiry[0], expiry[1]}
	default:
		return Block{}, fmt.Errorf("%w: the order of the expiry date in the value must be said: YYMM or MMYY", hsm.ErrInput)
	}
	return lay(c.PAN.Reveal(secret.ForHSM), expiry, service)
}

// CAVVInput lays out a CAVV: a CVV with the unpredictable number in place of the
// date and the two authentication codes in place of the service code.
func CAVVInput(a hsm.AuthenticationData) (Block, error) {
	return lay(a.PAN.Reveal(secret.ForHSM), a.Unpredictable, [3]byte{a.Result, a.SecondFactor[0], a.SecondFactor[1]})
}

// DCVVInput lays out a dCVV: the ATC's four digits replace the first four of the PAN.
func DCVVInput(d hsm.DCVVData) (Block, error) {
	pan := append(make([]byte, 0, 19), d.PAN.Reveal(secret.ForHSM)...)
	defer clear(pan)
	if len(pan) < len(d.ATC) {
		return Block{}, errPAN()
	}
	copy(pan, d.ATC[:])
	return lay(pan, d.Expiry, d.ServiceCode)
}

func errPAN() error { return fmt.Errorf("%w: a PAN has 8 to 19 digits", hsm.ErrInput) }

// lay packs PAN, four digits and three digits, zero filled to 32 digits.
func lay(pan []byte, date [4]byte, service [3]byte) (out Block, err error) {
	if len(pan) < 8 || len(pan) > 19 {
		return out, errPAN()
	}
	at := 0
	for _, part := range [][]byte{pan, date[:], service[:]} {
		for _, c := range part {
			if c < '0' || c > '9' {
				return Block{}, fmt.Errorf("%w: PAN, date, numbers and service code of a card verification value are decimal digits", hsm.ErrInput)
			}
			out[at/2] |= (c - '0') << (4 * (1 - at%2))
			at++
		}
	}
	return out, nil
}

// The longest PAN and the fields behind it fit the two blocks.
const _ = uint(32 - 19 - fieldDigits)

// Decimalise fills out with decimal digits of block as ASCII: first its digits
// from the left, then, when those are too few, its letters A-F from the left
// with ten taken off. out has at most one digit for each half byte.
func Decimalise(out, block []byte) {
	n := 0
	for pass := range 2 {
		for i := 0; i < 2*len(block) && n < len(out); i++ {
			v := block[i/2] >> 4
			if i%2 == 1 {
				v = block[i/2] & 0x0F
			}
			switch {
			case pass == 0 && v <= 9:
				out[n] = '0' + v
				n++
			case pass == 1 && v > 9:
				out[n] = '0' + v - 10
				n++
			}
		}
	}
}

// Value are the three digits of the MAC over a Block.
func Value(mac [8]byte) (out [Digits]byte) {
	Decimalise(out[:], mac[:])
	return out
}
