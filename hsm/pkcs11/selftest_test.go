// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"fmt"
	"testing"
)

// tdesOf is the standard library's cipher under a double-length key in hex.
func tdesOf(t *testing.T, key string) cipher.Block {
	t.Helper()
	block, err := des.NewTripleDESCipher(unhex(key + key[:16]))
	if err != nil {
		t.Fatal(err)
	}
	return block
}

// TestSelfTestAnswers computes the known answers with the standard library; the
// CMAC is published.
func TestSelfTestAnswers(t *testing.T) {
	zeros := make([]byte, 8)
	check, chain, derived, derivedCheck := make([]byte, 8), make([]byte, 16), make([]byte, 16), make([]byte, 8)
	block := tdesOf(t, testTDES)
	block.Encrypt(check, zeros)
	cipher.NewCBCEncrypter(block, zeros).CryptBlocks(chain, unhex(testText))
	block.Encrypt(derived[:8], unhex(testText)[:8])
	block.Encrypt(derived[8:], unhex(testText)[8:])
	tdesOf(t, fmt.Sprintf("%X", derived)).Encrypt(derivedCheck, zeros) // parity changes nothing here
	for i, got := range [][]byte{check, zeros, chain, derivedCheck} {
		if fmt.Sprintf("%X", got) != tdesAnswers[i].want {
			t.Errorf("%s: %X, the self test has %s", tdesAnswers[i].what, got, tdesAnswers[i].want)
		}
	}
	wide, err := aes.NewCipher(unhex(testAES))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(wide)
	if err != nil {
		t.Fatal(err)
	}
	sealed := gcm.Seal(nil, make([]byte, nonceLen), make([]byte, 16), unhex(testText))
	if got := fmt.Sprintf("%X", sealed[16:]); got != aesAnswers[1].want {
		t.Errorf("%s: %s, the self test has %s", aesAnswers[1].what, got, aesAnswers[1].want)
	}
}
