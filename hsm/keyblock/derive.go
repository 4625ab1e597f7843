// SPDX-License-Identifier: Apache-2.0

package keyblock

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"
)

// Purpose is what a key derived from the key block protection key does.
type Purpose uint8

// The two purposes: encipher the key data (KBEK), authenticate the block (KBAK).
const (
	Encipher Purpose = iota
	Authenticate
)

// Cipher is one derived key in a module or in process. Data are whole blocks and
// change in place.
type Cipher interface {
	// CBC enciphers or deciphers data under cipher block chaining.
	CBC(encipher bool, iv, data []byte) error
	// CMAC puts the CMAC of data (NIST SP 800-38B), one cipher block, into sum.
	CMAC(data, sum []byte) error
}

// Keys are the two ciphers of one key block.
type Keys struct {
	Encipher, Authenticate Cipher
}

// CheckProtection refuses a key block protection key whose cipher or length (bytes)
// a version does not take, with ErrProtection: double- or triple-length DES for A, B
// and C, AES for D and E.
func CheckProtection(version byte, aes bool, size int) error {
	want := version == 'D' || version == 'E'
	ok := size == 16 || size == 24 || aes && size == 32
	if aes != want || !ok {
		return fmt.Errorf("%w: version %c and a key of %d bytes", ErrProtection, version, size)
	}
	return nil
}

// variants of the protection key in versions A and C, by purpose.
var variants = [...]byte{Encipher: 0x45, Authenticate: 0x4D}

// Variant makes the key of versions A and C out of the protection key, in place:
// every byte xor 45 (encipher) or 4D (authenticate).
func Variant(key []byte, p Purpose) {
	for i := range key {
		key[i] ^= variants[p]
	}
}

// algorithm indicators of the derivation data, by cipher and key bytes.
func indicator(aes bool, size int) uint16 {
	n := uint16(size/8 - 2) // 16, 24, 32 bytes: 0, 1, 2
	if aes {
		n += 2
	}
	return n
}

// DerivationData appends the blocks whose encipherment under the protection key
// (ECB) is a derived key of versions B, D and E, as far as its size goes (X9.143
// section 7.3.1: CMAC in counter mode). One CMAC of one block is the encipherment
// of that block xor a subkey, which zero gives: the encipherment of a zero block
// under the protection key. So a module that derives by ECB encipherment needs to
// show nothing else.
func DerivationData(dst []byte, version byte, p Purpose, size int, zero []byte) []byte {
	aes := len(zero) == 16
	use := uint16(p)
	if version == 'E' && p == Encipher {
		use = 2 // counter mode; 0 is CBC
	}
	subkey := make([]byte, len(zero))
	double(subkey, zero)
	if aes {
		double(subkey, subkey) // eight bytes of data are a cut block of AES
	}
	for done, counter := 0, byte(1); done < size; done, counter = done+len(zero), counter+1 {
		at := len(dst)
		dst = append(dst, counter)
		dst = binary.BigEndian.AppendUint16(dst, use)
		dst = append(dst, 0)
		dst = binary.BigEndian.AppendUint16(dst, indicator(aes, size))
		dst = binary.BigEndian.AppendUint16(dst, uint16(8*size))
		if aes {
			dst = append(dst, 0x80, 0, 0, 0, 0, 0, 0, 0)
		}
		subtle.XORBytes(dst[at:], dst[at:], subkey)
	}
	clear(subkey)
	return dst
}

// double is the step between subkeys of CMAC for blocks of 8 and 16.
func double(dst, src []byte) {
	carry := src[0] >> 7
	for i := range src {
		next := byte(0)
		if i+1 < len(src) {
			next = src[i+1] >> 7
		}
		dst[i] = src[i]<<1 | next
	}
	constant := byte(0x1B)
	if len(src) == 16 {
		constant = 0x87
	}
	dst[len(dst)-1] ^= carry * constant
}
