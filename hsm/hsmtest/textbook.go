// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"

	"github.com/emmansun/gmsm/sm4"

	"tapswitch/hsm"
)

// TextbookMAC computes a MAC a second time, written down from the standards with
// block ciphers alone: no driver, no package mac, no crypto/hmac. key is the
// clear key of the algorithm, 16, 24 or 32 bytes.
func TextbookMAC(alg hsm.MACAlgorithm, key, data []byte) ([]byte, error) {
	mac, err := textbookWhole(alg.Whole(), key, data)
	if err != nil {
		return nil, err
	}
	return mac[:alg.Size()], nil
}

func textbookWhole(alg hsm.MACAlgorithm, key, data []byte) ([]byte, error) {
	switch alg {
	case hsm.MACUnionPayECB:
		return textbookUnionPay(key, data)
	case hsm.MACRetail, hsm.MACAS2805:
		return textbookRetail(key, textbookPad(data, 1, 8))
	case hsm.MACRetailPad2:
		return textbookRetail(key, textbookPad(data, 2, 8))
	case hsm.MACRetailPad3:
		return textbookRetail(key, textbookPad(data, 3, 8))
	case hsm.MACX99:
		return textbookCBC(textbookDES, key[:8], textbookPad(data, 1, 8))
	case hsm.MACCBC:
		return textbookCBC(textbookTDES, key, textbookPad(data, 1, 8))
	case hsm.MACCBCPad2:
		return textbookCBC(textbookTDES, key, textbookPad(data, 2, 8))
	case hsm.MACCBCPad3:
		return textbookCBC(textbookTDES, key, textbookPad(data, 3, 8))
	case hsm.MACSM4CBC:
		return textbookCBC(sm4.NewCipher, key, textbookPad(data, 1, 16))
	case hsm.MACSM4CBCPad2:
		return textbookCBC(sm4.NewCipher, key, textbookPad(data, 2, 16))
	case hsm.MACSM4CBCPad3:
		return textbookCBC(sm4.NewCipher, key, textbookPad(data, 3, 16))
	case hsm.MACCMACAES:
		return textbookCMAC(aes.NewCipher, key, data, 0x87)
	case hsm.MACCMACTDES:
		return textbookCMAC(textbookTDES, key, data, 0x1B)
	case hsm.MACSM4CMAC:
		return textbookCMAC(sm4.NewCipher, key, data, 0x87)
	case hsm.MACHMACSHA256:
		return textbookHMAC(key, data), nil
	}
	return nil, fmt.Errorf("%w: no textbook has %s", hsm.ErrInput, alg)
}

// newCipher makes a block cipher of a key.
type newCipher = func(key []byte) (cipher.Block, error)

func textbookDES(key []byte) (cipher.Block, error) { return des.NewCipher(key) }

// textbookTDES has two keys as K1, K2, K1.
func textbookTDES(key []byte) (cipher.Block, error) {
	if len(key) == 16 {
		key = append(append([]byte{}, key...), key[:8]...)
	}
	return des.NewTripleDESCipher(key)
}

// textbookPad is 6.3 of ISO 9797-1, a byte at a time.
func textbookPad(data []byte, method, block int) []byte {
	out := append([]byte{}, data...)
	if method == 2 {
		out = append(out, 0x80)
	}
	for len(out) == 0 || len(out)%block != 0 {
		out = append(out, 0)
	}
	if method != 3 {
		return out
	}
	front := big.NewInt(int64(8 * len(data))).FillBytes(make([]byte, block))
	return append(front, out...)
}

// textbookCBC is algorithm 1: the last block of CBC from a zero vector.
func textbookCBC(make1 newCipher, key, padded []byte) ([]byte, error) {
	c, err := make1(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(padded))
	cipher.NewCBCEncrypter(c, make([]byte, c.BlockSize())).CryptBlocks(out, padded)
	return out[len(out)-c.BlockSize():], nil
}

// textbookRetail is algorithm 3: CBC under the first key, then D and E.
func textbookRetail(key, padded []byte) ([]byte, error) {
	out, err := textbookCBC(textbookDES, key[:8], padded)
	if err != nil {
		return nil, err
	}
	one, err1 := des.NewCipher(key[:8])
	two, err2 := des.NewCipher(key[8:16])
	if err1 != nil || err2 != nil {
		return nil, fmt.Errorf("%w, %w", err1, err2)
	}
	two.Decrypt(out, out)
	one.Encrypt(out, out)
	return out, nil
}

// textbookUnionPay folds eight bytes at a time as a number.
func textbookUnionPay(key, data []byte) ([]byte, error) {
	c, err := textbookTDES(key)
	if err != nil {
		return nil, err
	}
	var sum uint64
	for padded := textbookPad(data, 1, 8); len(padded) > 0; padded = padded[8:] {
		sum ^= binary.BigEndian.Uint64(padded)
	}
	text := fmt.Sprintf("%016X", sum)
	block := []byte(text[:8])
	c.Encrypt(block, block)
	for i := range block {
		block[i] ^= text[8+i]
	}
	c.Encrypt(block, block)
	return []byte(strings.ToUpper(fmt.Sprintf("%x", block)))[:8], nil
}

// textbookCMAC is SP 800-38B with the subkeys as numbers: doubled modulo the
// field's polynomial, of which low are the lowest bits.
func textbookCMAC(make1 newCipher, key, data []byte, low int64) ([]byte, error) {
	c, err := make1(key)
	if err != nil {
		return nil, err
	}
	n := c.BlockSize()
	zero := make([]byte, n)
	c.Encrypt(zero, zero)
	sub := new(big.Int).SetBytes(zero)
	times := 1
	last := append([]byte{}, data...)
	if len(data) == 0 || len(data)%n != 0 {
		times = 2
		last = append(last, 0x80)
		for len(last)%n != 0 {
			last = append(last, 0)
		}
	}
	for range times {
		sub.Lsh(sub, 1)
		if sub.Bit(8*n) == 1 {
			sub.SetBit(sub, 8*n, 0)
			sub.Xor(sub, big.NewInt(low))
		}
	}
	for i, k := range sub.FillBytes(make([]byte, n)) {
		last[len(last)-n+i] ^= k
	}
	return textbookCBC(make1, key, last)
}

// textbookHMAC is RFC 2104 for keys no longer than a block.
func textbookHMAC(key, data []byte) []byte {
	var inner, outer [sha256.BlockSize]byte
	copy(inner[:], key)
	copy(outer[:], key)
	for i := range inner {
		inner[i] ^= 0x36
		outer[i] ^= 0x5C
	}
	sum := sha256.Sum256(append(inner[:], data...))
	sum = sha256.Sum256(append(outer[:], sum[:]...))
	return sum[:]
}
