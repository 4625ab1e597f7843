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

// cmac is CMAC (NIST SP 800-38B) under a cipher of blocks of 8 or 16; of the
// result as many bytes count as a block has.
func cmac(block cipher.Block, data []byte) (out [16]byte) {
	n := block.BlockSize()
	var room [16]byte
	k, sum := room[:n], out[:n]
	block.Encrypt(k, k)
	double(k)
	for len(data) > n {
		subtle.XORBytes(sum, sum, data[:n])
		block.Encrypt(sum, sum)
		data = data[n:]
	}
	subtle.XORBytes(sum, sum, data)
	if len(data) < n {
		sum[len(data)] ^= 0x80
		double(k)
	}
	subtle.XORBytes(sum, sum, k)
	block.Encrypt(sum, sum)
	return out
}

// double doubles k in the field of the subkeys (SP 800-38B, 5.3).
func double(k []byte) {
	carry := byte(0)
	for i := len(k) - 1; i >= 0; i-- {
		k[i], carry = k[i]<<1|carry, k[i]>>7
	}
	poly := byte(0x87)
	if len(k) == 8 {
		poly = 0x1B
	}
	k[len(k)-1] ^= carry * poly
}

// wipe overwrites b; it stands here because hsm/clear takes the builtin's name elsewhere.
func wipe(b []byte) { clear(b) }
