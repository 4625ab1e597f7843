// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"crypto/des"
	"encoding/hex"
	"strings"
)

// double enciphers blocks of eight under a double-length key, ECB.
func double(key, data []byte) []byte {
	block, err := des.NewTripleDESCipher(append(append([]byte(nil), key...), key[:8]...))
	if err != nil {
		return nil // the keys are constants of this package
	}
	out := make([]byte, len(data))
	for i := 0; i+8 <= len(data); i += 8 {
		block.Encrypt(out[i:], data[i:])
	}
	return out
}

// wrapped is a working key as it travels: under the TMK, and its check value.
func wrapped(key string) []byte {
	return append(double(unhex(TMK), unhex(key)), double(unhex(key), make([]byte, 8))[:4]...)
}

// mac is the UnionPay ECB MAC with a double-length key, written from its
// description: fold by xor, cipher the hex characters in two halves.
func mac(key, data []byte) (out [8]byte) {
	var fold [8]byte
	for i, c := range data {
		fold[i%8] ^= c
	}
	chars := strings.ToUpper(hex.EncodeToString(fold[:]))
	step := double(key, []byte(chars[:8]))
	for i := range step {
		step[i] ^= chars[8+i]
	}
	copy(out[:], strings.ToUpper(hex.EncodeToString(double(key, step)))[:8])
	return out
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil // only constants of this package come here
	}
	return b
}
