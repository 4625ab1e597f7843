// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/sha256"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/dukpt"
)

func aesOfSize(n int) hsm.Algorithm {
	return map[int]hsm.Algorithm{16: hsm.AES128, 24: hsm.AES192, 32: hsm.AES256}[n]
}

// cipherOf makes the standard library's cipher of a key whose algorithm is known.
func cipherOf(t testing.TB, a hsm.Algorithm, key []byte) cipher.Block {
	t.Helper()
	var block cipher.Block
	var err error
	switch a {
	case hsm.TDES2:
		block, err = des.NewTripleDESCipher(append(append([]byte{}, key...), key[:8]...))
	case hsm.TDES3:
		block, err = des.NewTripleDESCipher(key)
	default:
		block, err = aes.NewCipher(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return block
}

func hmacOf(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

// cmacBlock is the CMAC of one block of zeros: the first subkey, enciphered.
func cmacBlock(block cipher.Block) []byte {
	k := make([]byte, block.BlockSize())
	block.Encrypt(k, k)
	carry, poly := k[0]>>7, byte(0x1B)
	if len(k) == 16 {
		poly = 0x87
	}
	for i := range k {
		k[i] <<= 1
		if i+1 < len(k) {
			k[i] |= k[i+1] >> 7
		}
	}
	k[len(k)-1] ^= carry * poly
	block.Encrypt(k, k)
	return k
}

// derive is a working key of AES DUKPT by the standard library, from base.
func derive(t testing.TB, d hsm.DUKPTKey, use dukpt.Use, base []byte) []byte {
	t.Helper()
	for _, s := range append(dukpt.Path(d.Base, d.KSN), dukpt.WorkingStep(use.Purpose(), d.Type, d.KSN)) {
		block, err := aes.NewCipher(base)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]byte, len(s.Data))
		for i := 0; i < len(out); i += 16 {
			block.Encrypt(out[i:], s.Data[i:])
		}
		base = out[:s.Type.Size()]
	}
	return base
}

// workingTDES is a working key of TDES DUKPT by the standard library, from an
// initial key.
func workingTDES(t testing.TB, initial []byte, ksn hsm.KSN, use dukpt.Use) []byte {
	t.Helper()
	run := func(crypt func(c cipher.Block, block []byte)) dukpt.DES {
		return func(key, block []byte) {
			c, err := des.NewCipher(key)
			if err != nil {
				t.Fatal(err)
			}
			crypt(c, block)
		}
	}
	m := dukpt.Memory{Key: append([]byte{}, initial...), Scratch: make([]byte, dukpt.ScratchLen)}
	dukpt.WorkingKey(run(func(c cipher.Block, b []byte) { c.Encrypt(b, b) }), run(func(c cipher.Block, b []byte) { c.Decrypt(b, b) }), m, ksn, use)
	return m.Key
}
