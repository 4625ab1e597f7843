// SPDX-License-Identifier: Apache-2.0

// Package mac prepares data for the message authentication codes of the field
// and reads their results.
//
// Promise: padding method 1 adds nothing to whole blocks; the UnionPay fold
// takes every byte once; no function here sees a key.
//
// How: pure functions. Drivers run the ciphers between them: two double-length
// DES ECB operations for UnionPay, CBC for ISO 9797-1 algorithm 1, CBC and one
// last block for algorithm 3.
//
// Imported by: hsm/pkcs11, hsm/soft, hsm/hsmtest. Imports: the standard library.
package mac

import "encoding/binary"

const hexUpper = "0123456789ABCDEF"

// Fold xors data, in blocks of 8 and zero filled, into one block.
func Fold(data []byte) (block [8]byte) {
	var sum uint64
	for ; len(data) >= 8; data = data[8:] {
		sum ^= binary.BigEndian.Uint64(data)
	}
	binary.BigEndian.PutUint64(block[:], sum)
	for i, c := range data {
		block[i] ^= c
	}
	return block
}

// Halves writes a block as 16 upper-case hex characters, in two halves. (Through
// one array: go1.26.8, inlining, drops stores through a pointer that is to one of
// two results when the caller discards the other.)
func Halves(block [8]byte) (left, right [8]byte) {
	var text [16]byte
	for i, c := range block {
		text[2*i], text[2*i+1] = hexUpper[c>>4], hexUpper[c&0x0F]
	}
	copy(left[:], text[:8])
	copy(right[:], text[8:])
	return left, right
}

// Xor returns a xor b.
func Xor(a, b [8]byte) (out [8]byte) {
	binary.BigEndian.PutUint64(out[:], binary.BigEndian.Uint64(a[:])^binary.BigEndian.Uint64(b[:]))
	return out
}

// Text is the UnionPay MAC of the last enciphered block: its first 4 bytes as 8
// hex characters.
func Text(block [8]byte) [8]byte {
	left, _ := Halves(block)
	return left
}

// AppendPad1 appends data with padding method 1 of ISO 9797-1 for blocks of 8:
// zeros up to a whole block, none when it is whole already, one block of zeros
// for no data.
func AppendPad1(dst, data []byte) []byte { return AppendPad(dst, data, 1, 8) }

// AppendPad2 appends data with padding method 2 of ISO 9797-1 for blocks of 8:
// the byte 80, always, and zeros up to a whole block.
func AppendPad2(dst, data []byte) []byte { return AppendPad(dst, data, 2, 8) }

// AppendPad appends data with a padding method of ISO 9797-1 (6.3) for blocks of
// the cipher. Method 3 is method 1 with a block in front that holds the length
// of the data in bits. Another method, or a block too short for that length,
// appends nothing.
func AppendPad(dst, data []byte, method, block int) []byte {
	if block < 4 {
		return dst
	}
	switch method {
	case 1, 3:
		if method == 3 {
			dst = append(dst, make([]byte, block-4)...)
			dst = binary.BigEndian.AppendUint32(dst, uint32(8*len(data)))
		}
		dst = append(dst, data...)
		if len(data) == 0 {
			return append(dst, make([]byte, block)...)
		}
		return append(dst, make([]byte, (block-len(data)%block)%block)...)
	case 2:
		dst = append(append(dst, data...), 0x80)
		return append(dst, make([]byte, (block-(len(data)+1)%block)%block)...)
	}
	return dst
}
