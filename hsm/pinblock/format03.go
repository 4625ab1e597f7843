// SPDX-License-Identifier: Apache-2.0

package pinblock

import (
	"encoding/binary"
	"math/bits"
)

// Account returns the twelve rightmost digits of pan without its check digit,
// as formats 0 and 3 take them (ISO 9564-1, 9.3.2 and 9.3.5). Shorter numbers
// are refused: zero filling them would let two cards share a block.
func Account(pan []byte) (account [12]byte, err error) {
	if len(pan) < 13 || len(pan) > 19 || !number(pan) {
		return account, ErrPANLength
	}
	copy(account[:], pan[len(pan)-13:])
	return account, nil
}

// Encode0 writes the clear format 0 block of pin and account into block.
func Encode0(block *[8]byte, pin []byte, account [12]byte) error {
	return encodeWithAccount(block, pin, 0, &[FillMax]byte{0xF, 0xF, 0xF, 0xF, 0xF, 0xF, 0xF, 0xF, 0xF, 0xF}, account)
}

// Decode0 checks the clear format 0 block against account, writes the PIN's
// digits as ASCII into pin and returns their number. It leaves block as it was.
func Decode0(pin *[MaxPIN]byte, block *[8]byte, account [12]byte) (int, error) {
	return decodeWithAccount(pin, block, 0, onlyF, account)
}

// Encode3 writes the clear format 3 block of pin and account into block, with
// as many of the filler digits, each A to F as a number, as there is room for.
func Encode3(block *[8]byte, pin []byte, account [12]byte, fill *[FillMax]byte) error {
	for _, v := range fill {
		if v < letterFill.lowest || v > 0xF {
			return ErrFiller
		}
	}
	return encodeWithAccount(block, pin, 3, fill, account)
}

// Decode3 is Decode0 for format 3: filler is A to F.
func Decode3(pin *[MaxPIN]byte, block *[8]byte, account [12]byte) (int, error) {
	return decodeWithAccount(pin, block, 3, letterFill, account)
}

// Fill3 makes ten filler digits A to F out of eight random bytes: the bytes as
// a fraction of one, written in base six. Every digit is even in its choice up
// to one part in 10^11.
func Fill3(random [8]byte) (fill [FillMax]byte) {
	rest := binary.BigEndian.Uint64(random[:])
	for i := range fill {
		var v uint64
		v, rest = bits.Mul64(rest, 6)
		fill[i] = 0xA + byte(v)
	}
	return fill
}

func encodeWithAccount(block *[8]byte, pin []byte, control byte, fill *[FillMax]byte, account [12]byte) error {
	packed, ok := pack(account)
	if !ok {
		return ErrPANLength
	}
	if err := encode(block, pin, control, fill); err != nil {
		return err
	}
	xorAccount(block, packed)
	return nil
}

func decodeWithAccount(pin *[MaxPIN]byte, block *[8]byte, control byte, filler fillers, account [12]byte) (int, error) {
	packed, ok := pack(account)
	if !ok {
		return 0, ErrPANLength
	}
	xorAccount(block, packed)
	n, err := decode(pin, block[:], control, filler)
	xorAccount(block, packed)
	return n, err
}

// pack makes two digits a byte, in the lowest six; not ok when they are none.
func pack(account [12]byte) (packed uint64, ok bool) {
	high, low := binary.BigEndian.Uint64(account[:8]), binary.BigEndian.Uint32(account[8:])
	ok = digits8(high) && digits8(zeros8|uint64(low))
	return pack8(high)<<16 | pack8(uint64(low)), ok
}

// pack8 packs eight digits.
func pack8(v uint64) uint64 {
	v &= 0x0F0F0F0F0F0F0F0F
	v = (v | v>>4) & 0x00FF00FF00FF00FF
	v = (v | v>>8) & 0x0000FFFF0000FFFF
	return (v | v>>16) & 0xFFFFFFFF
}

// zeros8 are eight digits zero.
const zeros8 = 0x3030303030303030

// digits8 reports whether all eight characters are decimal digits: what is 30 to 3F
// stays so with 6 added.
func digits8(v uint64) bool {
	const high = 0xF0F0F0F0F0F0F0F0
	return v&high == zeros8 && (v+0x0606060606060606)&high == zeros8
}

// xorAccount xors 0000‖account into block, a byte at a time because a PIN is in it;
// doing it twice undoes it.
func xorAccount(block *[8]byte, packed uint64) {
	block[2] ^= byte(packed >> 40)
	block[3] ^= byte(packed >> 32)
	block[4] ^= byte(packed >> 24)
	block[5] ^= byte(packed >> 16)
	block[6] ^= byte(packed >> 8)
	block[7] ^= byte(packed)
}
