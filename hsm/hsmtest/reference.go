// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"encoding/hex"
	"strings"
	"testing"

	"tapswitch/internal/secret"
)

// Test keys: published values, odd parity or not as they are printed.
const (
	testKey   = "0123456789ABCDEFFEDCBA9876543210"
	otherKey  = "AABBCCDDEEFF00112233445566778899"
	doubleKey = "13345779133457791334577913345779" // K‖K: single DES in effect
	testPAN   = "6224242300000069"
)

// tdes runs double-length DES over blocks, by the standard library.
func tdes(t testing.TB, key, data []byte, decrypt bool) []byte {
	t.Helper()
	if len(key) == 8 {
		key = append(append([]byte{}, key...), key...)
	}
	c, err := des.NewTripleDESCipher(append(append([]byte{}, key[:16]...), key[:8]...))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, len(data))
	for i := 0; i+8 <= len(data); i += 8 {
		if decrypt {
			c.Decrypt(out[i:], data[i:])
		} else {
			c.Encrypt(out[i:], data[i:])
		}
	}
	return out
}

// gcmOpen opens nonce(12)‖AES-GCM by the standard library.
func gcmOpen(t testing.TB, key, sealed, aad []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gcm.Open(nil, sealed[:12], sealed[12:], aad)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// fields is field 55 by tag.
type fields map[string]string

// order of the tags in field 55; the sum of what the tests use.
var order = []string{"9F26", "9F27", "9F10", "9F37", "9F36", "95", "9A", "9C", "9F02", "5F2A", "82", "9F1A", "9F03"}

// icc writes field 55.
func (f fields) icc(t testing.TB) secret.ICC {
	t.Helper()
	var b strings.Builder
	for _, tag := range order {
		if v, ok := f[tag]; ok {
			b.WriteString(tag)
			b.WriteString(hex.EncodeToString([]byte{byte(len(v) / 2)}))
			b.WriteString(v)
		}
	}
	icc, err := secret.NewICC(unhex(t, b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return icc
}

// sale is a well-formed field 55 without a right cryptogram.
func sale() fields {
	return fields{
		"9F26": "0000000000000000", "9F10": "07010103A00000010A010000000000A1B2C3D4", "9F37": "52BF4585", "9F36": "001C",
		"95": "8000048000", "9A": "191105", "9C": "01", "9F02": "000000004000", "5F2A": "0124", "82": "1800",
		"9F1A": "0124", "9F03": "000000000000",
	}
}

// fromData splits a printed cryptogram input of the Visa list back into tags;
// iad is what goes into 9F10.
func fromData(data, arqc, iad string) fields {
	f := fields{"9F26": arqc, "9F10": iad}
	at := 0
	for _, e := range []struct {
		tag string
		n   int
	}{{"9F02", 12}, {"9F03", 12}, {"9F1A", 4}, {"95", 10}, {"5F2A", 4}, {"9A", 6}, {"9C", 2}, {"9F37", 8}, {"82", 4}, {"9F36", 4}} {
		f[e.tag] = data[at : at+e.n]
		at += e.n
	}
	return f
}
