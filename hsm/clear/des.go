// SPDX-License-Identifier: Apache-2.0

package clear

import (
	"encoding/binary"
	"math/bits"
)

// DES (FIPS 46-3), one block at a time, with its key schedule in memory of the
// caller: crypto/des keeps it on the heap, where nobody can wipe it. It serves
// keys that are in a Room anyway; a test holds it to crypto/des.

// scheduleLen is the length of a key schedule: 16 rounds of eight 6-bit groups.
const scheduleLen = 16 * 8

var (
	initial = [64]byte{
		58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8,
		57, 49, 41, 33, 25, 17, 9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7,
	}
	final = [64]byte{
		40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30, 37, 5, 45, 13, 53, 21, 61, 29,
		36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27, 34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9, 49, 17, 57, 25,
	}
	choice1 = [56]byte{
		57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
		63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
	}
	choice2 = [48]byte{
		14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
		41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
	}
	spread = [32]byte{
		16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
	}
	shifts = [16]int{1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1}

	// substitute is the eight S-boxes: four rows of sixteen, a hex digit each.
	substitute = [8]string{
		"e4d12fb83a6c5907" + "0f74e2d1a6cb9538" + "41e8d62bfc973a50" + "fc8249175b3ea06d",
		"f18e6b34972dc05a" + "3d47f28ec01a69b5" + "0e7ba4d158c6932f" + "d8a13f42b67c05e9",
		"a09e63f51dc7b428" + "d709346a285ecbf1" + "d6498f30b12c5ae7" + "1ad069874fe3b52c",
		"7de3069a1285bc4f" + "d8b56f03472c1ae9" + "a690cb7df13e5284" + "3f06a1d8945bc72e",
		"2c417ab6853fd0e9" + "eb2c47d150fa3986" + "421bad78f9c5630e" + "b8c71e2d6f09a453",
		"c1af92680d34e75b" + "af427c9561de0b38" + "9ef528c3704a1db6" + "432c95fabe17608d",
		"4b2ef08d3c975a61" + "d0b7491ae35c2f86" + "14bdc37eaf680592" + "6bd814a7950fe23c",
		"d2846fb1a93e50c7" + "1fd8a374c56b0e92" + "7b419ce206adf358" + "21e74a8dfc90356b",
	}
)

// bit picks bit n of a value of width bits, counted from 1 at the left.
func bit(v uint64, width, n byte) uint64 { return v >> (width - n) & 1 }

// permute builds a value of the bits of v that the table names.
func permute(v uint64, width byte, table []byte) (out uint64) {
	for _, n := range table {
		out = out<<1 | bit(v, width, n)
	}
	return out
}

// desSchedule writes the round keys of key into schedule.
func desSchedule(schedule, key []byte) {
	cd := permute(binary.BigEndian.Uint64(key), 64, choice1[:])
	const half = 1<<28 - 1
	c, d := cd>>28, cd&half
	for round, n := range shifts {
		c, d = (c<<n|c>>(28-n))&half, (d<<n|d>>(28-n))&half
		k := permute(c<<28|d, 56, choice2[:])
		for g := range 8 {
			schedule[8*round+g] = byte(k >> (42 - 6*g) & 0x3F)
		}
	}
}

// desBlock enciphers or deciphers block in place.
func desBlock(schedule, block []byte, decipher bool) {
	v := permute(binary.BigEndian.Uint64(block), 64, initial[:])
	l, r := uint32(v>>32), uint32(v)
	for round := range 16 {
		at := 8 * round
		if decipher {
			at = 8 * (15 - round)
		}
		l, r = r, l^desRound(schedule[at:at+8], r)
	}
	binary.BigEndian.PutUint64(block, permute(uint64(r)<<32|uint64(l), 64, final[:]))
}

// desRound is the function f of the standard: each S-box takes six bits of r,
// the outer two its neighbours', xor its part of the round key.
func desRound(key []byte, r uint32) uint32 {
	var s uint64
	for g, k := range key {
		six := byte(bits.RotateLeft32(r, 4*g+5)&0x3F) ^ k
		row, column := six>>4&2|six&1, six>>1&15
		digit := substitute[g][16*row+column]
		if digit >= 'a' {
			digit -= 'a' - 10 - '0'
		}
		s = s<<4 | uint64(digit-'0')
	}
	return uint32(permute(s, 32, spread[:]))
}
