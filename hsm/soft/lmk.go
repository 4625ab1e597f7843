// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// wrapIV is the initial value of RFC 3394, section 2.2.3.1.
const wrapIV = 0xA6A6A6A6A6A6A6A6

// wrap is AES key wrap (RFC 3394) of value, a multiple of 8 bytes.
func wrap(kek cipher.Block, value []byte) []byte {
	n := len(value) / 8
	out := make([]byte, 8+len(value))
	copy(out[8:], value)
	a := uint64(wrapIV)
	var b [16]byte
	for t := range 6 * n {
		at := 8 + t%n*8
		binary.BigEndian.PutUint64(b[:], a)
		copy(b[8:], out[at:at+8])
		kek.Encrypt(b[:], b[:])
		a = binary.BigEndian.Uint64(b[:]) ^ uint64(t+1)
		copy(out[at:], b[8:])
	}
	binary.BigEndian.PutUint64(out, a)
	return out
}

// unwrap undoes wrap into value and reports whether the integrity check holds.
func unwrap(kek cipher.Block, value, wrapped []byte) bool {
	if len(wrapped) != len(value)+8 || len(value)%8 != 0 {
		return false
	}
	n := len(value) / 8
	copy(value, wrapped[8:])
	a := binary.BigEndian.Uint64(wrapped)
	var b [16]byte
	for t := 6*n - 1; t >= 0; t-- {
		at := t % n * 8
		binary.BigEndian.PutUint64(b[:], a^uint64(t+1))
		copy(b[8:], value[at:at+8])
		kek.Decrypt(b[:], b[:])
		a = binary.BigEndian.Uint64(b[:])
		copy(value[at:], b[8:])
	}
	b = [16]byte{}
	var want, got [8]byte
	binary.BigEndian.PutUint64(want[:], wrapIV)
	binary.BigEndian.PutUint64(got[:], a)
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// cmac is AES-CMAC (NIST SP 800-38B).
func cmac(block cipher.Block, data []byte) (out [16]byte) {
	var k [16]byte
	block.Encrypt(k[:], k[:])
	shift(&k)
	for len(data) > 16 {
		subtle.XORBytes(out[:], out[:], data[:16])
		block.Encrypt(out[:], out[:])
		data = data[16:]
	}
	subtle.XORBytes(out[:], out[:], data)
	if len(data) < 16 {
		out[len(data)] ^= 0x80
		shift(&k)
	}
	subtle.XORBytes(out[:], out[:], k[:])
	block.Encrypt(out[:], out[:])
	return out
}

// shift doubles k in the field of the subkeys.
func shift(k *[16]byte) {
	carry := byte(0)
	for i := 15; i >= 0; i-- {
		k[i], carry = k[i]<<1|carry, k[i]>>7
	}
	k[15] ^= carry * 0x87
}

// wipe overwrites b; it stands here because hsm/clear takes the builtin's name elsewhere.
func wipe(b []byte) { clear(b) }
