// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"fmt"

	"tapswitch/hsm/keyblock"
)

// inProcess is a Cipher of the standard library, written apart from the drivers'.
type inProcess struct{ cipher.Block }

func (c inProcess) CBC(encipher bool, iv, data []byte) error {
	if encipher {
		cipher.NewCBCEncrypter(c.Block, iv).CryptBlocks(data, data)
	} else {
		cipher.NewCBCDecrypter(c.Block, iv).CryptBlocks(data, data)
	}
	return nil
}

// CMAC by the definition of SP 800-38B, with big numbers as bit strings.
func (c inProcess) CMAC(data, sum []byte) error {
	n := c.BlockSize()
	k := make([]byte, n)
	c.Encrypt(k, k)
	k = doubled(k)
	padded := append([]byte{}, data...)
	if len(data)%n != 0 || len(data) == 0 {
		k = doubled(k)
		padded = append(padded, 0x80)
		for len(padded)%n != 0 {
			padded = append(padded, 0)
		}
	}
	last := padded[len(padded)-n:]
	for i := range last {
		last[i] ^= k[i]
	}
	if err := c.CBC(true, make([]byte, n), padded); err != nil {
		return err
	}
	copy(sum, last)
	return nil
}

func doubled(k []byte) []byte {
	bits := ""
	for _, b := range k {
		bits += fmt.Sprintf("%08b", b)
	}
	out := make([]byte, len(k))
	for i, c := range bits[1:] + "0" {
		out[i/8] |= byte(c-'0') << (7 - i%8)
	}
	if bits[0] == '1' {
		out[len(out)-1] ^= map[int]byte{8: 0x1B, 16: 0x87}[len(k)]
	}
	return out
}

func blockOf(key []byte, isAES bool) (cipher.Block, error) {
	if isAES {
		return aes.NewCipher(key)
	}
	if len(key) == 8 {
		key = append(append([]byte{}, key...), key...)
	}
	if len(key) == 16 {
		key = append(append([]byte{}, key...), key[:8]...)
	}
	return des.NewTripleDESCipher(key)
}

func isAES(version byte) bool { return version == 'D' || version == 'E' }

// KeyBlockKey derives one key of a version from a clear protection key, in process.
func KeyBlockKey(version byte, kbpk []byte, p keyblock.Purpose) ([]byte, error) {
	if err := keyblock.CheckProtection(version, isAES(version), len(kbpk)); err != nil {
		return nil, err
	}
	if version == 'A' || version == 'C' {
		key := append([]byte{}, kbpk...)
		keyblock.Variant(key, p)
		return key, nil
	}
	c, err := blockOf(kbpk, isAES(version))
	if err != nil {
		return nil, err
	}
	zero := make([]byte, c.BlockSize())
	c.Encrypt(zero, zero)
	data := keyblock.DerivationData(nil, version, p, len(kbpk), zero)
	for at := 0; at < len(data); at += len(zero) {
		c.Encrypt(data[at:], data[at:])
	}
	return data[:len(kbpk)], nil
}

// KeyBlockKeys are both, as ciphers of the standard library, apart from any driver.
func KeyBlockKeys(version byte, kbpk []byte) (keys keyblock.Keys, err error) {
	var out [2]inProcess
	for i, p := range []keyblock.Purpose{keyblock.Encipher, keyblock.Authenticate} {
		key, err := KeyBlockKey(version, kbpk, p)
		if err != nil {
			return keys, err
		}
		c, err := blockOf(key, isAES(version))
		if err != nil {
			return keys, err
		}
		out[i] = inProcess{c}
	}
	return keyblock.Keys{Encipher: out[0], Authenticate: out[1]}, nil
}
