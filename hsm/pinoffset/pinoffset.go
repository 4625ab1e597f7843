// SPDX-License-Identifier: Apache-2.0

// Package pinoffset prepares and reads what PINs are verified against: the Visa
// PIN verification value and the IBM 3624 offset.
//
// Promise: TSP takes eleven account digits, the key index and the first four
// PIN digits in that order; two passes keep digits first and letters minus ten
// after; an offset is the PIN minus the natural PIN, digit by digit modulo ten.
//
// How: pure functions over memory of the caller; the cipher between them runs
// elsewhere. They hold clear PINs, so their caller is hsm/clear. The Visa value
// is in this file, IBM 3624 in ibm3624.go.
//
// Imported by: hsm/clear, hsm/hsmtest. Imports: hsm.
package pinoffset

import "errors"

// ErrDigits refuses what is not made of decimal digits of the right number.
var ErrDigits = errors.New("pinoffset: account, key index and PIN must be decimal digits, the PIN at least four")

// ErrAccount refuses a PAN that is too short for a verification value.
var ErrAccount = errors.New("pinoffset: a PVV needs a PAN of 12 to 19 decimal digits")

// Account11 returns the eleven rightmost digits of pan without its check digit.
func Account11(pan []byte) (account [11]byte, err error) {
	if len(pan) < 12 || len(pan) > 19 || !decimal(pan) {
		return account, ErrAccount
	}
	copy(account[:], pan[len(pan)-12:])
	return account, nil
}

// TSP writes the transformed security parameter into tsp: eleven account
// digits, the key index, and the first four PIN digits, packed.
func TSP(tsp *[8]byte, account [11]byte, index byte, pin []byte) error {
	if len(pin) < 4 || !decimal(account[:]) || !decimal([]byte{index}) || !decimal(pin[:4]) {
		clear(tsp[:])
		return ErrDigits
	}
	for i := range 5 {
		tsp[i] = account[2*i]<<4 | account[2*i+1]&0x0F
	}
	tsp[5] = account[10]<<4 | index&0x0F
	tsp[6] = pin[0]<<4 | pin[1]&0x0F // a longer PIN counts with its first four digits
	tsp[7] = pin[2]<<4 | pin[3]&0x0F
	return nil
}

// Decimalise returns the four decimal digits of an enciphered TSP as ASCII.
func Decimalise(block [8]byte) (out [4]byte) {
	TwoPass(out[:], block[:])
	return out
}

// TwoPass fills out with ASCII digits of the hex digits of block: first its
// decimal digits from the left, then, when those are too few, its letters A to F
// from the left with ten taken off. It returns how many there were.
func TwoPass(out, block []byte) int {
	n := 0
	for pass := range byte(2) {
		for i := 0; i < 2*len(block) && n < len(out); i++ {
			v := nibble(block, i) - 10*pass
			if v <= 9 { // a digit in the first pass underflows in the second
				out[n] = '0' + v
				n++
			}
		}
	}
	return n
}

func nibble(b []byte, i int) byte {
	return b[uint(i)/2] >> (4 &^ (uint(i) << 2)) & 0x0F
}

func decimal(s []byte) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
