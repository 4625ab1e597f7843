// SPDX-License-Identifier: Apache-2.0

// Package pinoffset prepares and reads the Visa PIN verification value.
//
// Promise: TSP takes eleven account digits, the key index and the first four
// PIN digits in that order; Decimalise keeps digits first and letters minus ten
// after, as two passes.
//
// How: pure functions over memory of the caller; the cipher between them runs
// elsewhere. TSP holds a clear PIN, so its caller is hsm/clear.
//
// Imported by: hsm/clear, hsm/pkcs11, hsm/soft. Imports: the standard library.
package pinoffset

import "errors"

// ErrDigits refuses what is not made of decimal digits of the right number.
var ErrDigits = errors.New("pinoffset: account, key index and PIN must be decimal digits, the PIN at least four")

// TSP writes the transformed security parameter into tsp: eleven account
// digits, the key index, and the first four PIN digits, packed.
func TSP(tsp *[8]byte, account [11]byte, index byte, pin []byte) error {
	if len(pin) < 4 {
		return ErrDigits
	}
	for i := range 16 {
		var c byte
		switch {
		case i < 11:
			c = account[i]
		case i == 11:
			c = index
		default:
			c = pin[i-12] // a longer PIN counts with its first four digits
		}
		if c < '0' || c > '9' {
			clear(tsp[:])
			return ErrDigits
		}
		if i%2 == 0 {
			tsp[i/2] = (c - '0') << 4
		} else {
			tsp[i/2] |= c - '0'
		}
	}
	return nil
}

// Decimalise returns four decimal digits of an enciphered block as ASCII: first
// its digits from the left, then, when those are too few, its letters A-F from
// the left with ten taken off.
func Decimalise(block [8]byte) (out [4]byte) {
	n := 0
	for pass := range 2 {
		for i := 0; i < 16 && n < len(out); i++ {
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
	return out
}
