// SPDX-License-Identifier: Apache-2.0

package dukpt

import (
	"encoding/binary"

	"tapswitch/hsm"
)

// DES enciphers one block of 8 bytes in place under a single-length key of 8
// bytes. Where the bytes are is the caller's choice, so it must copy nothing.
type DES func(key, block []byte)

// Memory is what a TDES derivation works in: 16 bytes of key, replaced by the
// derived key, and Scratch, which holds key bytes too and is wiped at the end.
type Memory struct {
	Key     []byte // 16 bytes
	Scratch []byte // ScratchLen bytes
}

// ScratchLen is the length of Memory.Scratch.
const ScratchLen = 24

// mask is xored into both halves of a key for the second half of the next one,
// and of the initial key (ANSI X9.24-1, A.2 and A.6).
var mask = [8]byte{0xC0, 0xC0, 0xC0, 0xC0}

// Mask turns a BDK of 16 bytes into the key that the right half of the initial
// key is enciphered under; doing it twice undoes it. No parity is set.
func Mask(key []byte) {
	for i := range key[:16] {
		key[i] ^= mask[i%8]
	}
}

// TransactionKey replaces the initial key in m by the key of the transaction,
// before any variant: one step for each one-bit of the counter, from the left.
func TransactionKey(des DES, m Memory, ksn hsm.KSN) {
	for bit := uint32(1) << (hsm.TDESCounterBits - 1); bit != 0; bit >>= 1 {
		if ksn.Counter()&bit != 0 {
			// counter so far: all one-bits down to this one
			NextKey(des, m, ksn, ksn.Counter()&^(bit-1))
		}
	}
}

// NextKey replaces the key in m by the one for counter, whose lowest one-bit is
// the step: each half is the register xor the right half, enciphered under the
// left half, xor the right half; the left one of the result under the masked
// key (X9.24-1, A.2, non-reversible key generation).
func NextKey(des DES, m Memory, ksn hsm.KSN, counter uint32) {
	register := ksn.Register()
	tail := binary.BigEndian.Uint32(register[4:]) | counter
	binary.BigEndian.PutUint32(register[4:], tail)

	right, left := m.Scratch[:8], m.Scratch[8:16]
	half(des, right, m.Key, register)
	Mask(m.Key)
	half(des, left, m.Key, register)
	copy(m.Key, left)
	copy(m.Key[8:], right)
	clear(m.Scratch)
}

// half makes one half of the next key in out.
func half(des DES, out, key []byte, register [8]byte) {
	for i := range out {
		out[i] = register[i] ^ key[8+i]
	}
	des(key[:8], out)
	for i := range out {
		out[i] ^= key[8+i]
	}
}

// variant is what is xored into both halves of the transaction key (X9.24-1,
// A.4): one byte FF, whose place tells the uses apart.
func (u Use) variant() (v [8]byte) {
	at := [...]int{PIN: 7, MACRequest: 6, MACResponse: 4, DataRequest: 5, DataResponse: 3}
	v[at[u]] = 0xFF
	return v
}

// HasTDES reports whether TDES DUKPT has a key for the use.
func (u Use) HasTDES() bool {
	return u == PIN || u == MACRequest || u == MACResponse || u == DataRequest || u == DataResponse
}

// Variant replaces the transaction key in m by its variant for u. For data it is
// not the working key yet: OneWay follows. u must have a key (HasTDES).
func Variant(m Memory, u Use) {
	v := u.variant()
	for i := range m.Key[:16] {
		m.Key[i] ^= v[i%8]
	}
}

// OneWay is the extra step of data keys: both halves are enciphered, E-D-E,
// under the variant itself (X9.24-1, A.4.1). decipher is the inverse of des.
func OneWay(des, decipher DES, m Memory) {
	out := m.Scratch[:16]
	copy(out, m.Key)
	for _, block := range [][]byte{out[:8], out[8:16]} {
		des(m.Key[:8], block)
		decipher(m.Key[8:16], block)
		des(m.Key[:8], block)
	}
	copy(m.Key, out)
	clear(m.Scratch)
}

// WorkingKey replaces the initial key in m by the working key for u.
func WorkingKey(des, decipher DES, m Memory, ksn hsm.KSN, u Use) {
	TransactionKey(des, m, ksn)
	Variant(m, u)
	if u == DataRequest || u == DataResponse {
		OneWay(des, decipher, m)
	}
}
