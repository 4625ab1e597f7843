// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"context"
	"crypto/subtle"

	"tapswitch/hsm"
)

// ciphers are plain cipher modes, which say that the token computes what its
// mechanisms are named for.
func ciphers() map[string]Function {
	return map[string]Function{
		"cipher.tdes_ecb_encrypt":       cipherOf(TDES, false, false),
		"cipher.tdes_cbc_encrypt":       cipherOf(TDES, true, false),
		"cipher.tdes_ecb_encrypt_pkcs7": cipherOf(TDES, false, true),
		"cipher.tdes_cbc_encrypt_pkcs7": cipherOf(TDES, true, true),
		"cipher.aes_ecb_encrypt_pkcs7":  cipherOf(AES, false, true),
		"cipher.aes_cbc_encrypt_pkcs7":  cipherOf(AES, true, true),
		"cipher.aes_ctr":                feedback(AES, counterMode),
		"cipher.tdes_cfb64_encrypt":     feedback(TDES, cfb64),
		"cipher.tdes_cfb8_encrypt":      feedback(TDES, cfb8),
	}
}

// keyOf makes a clear key of an input's bytes.
type keyOf func(value []byte) (Clear, error)

// blockOf is the block size of a cipher.
func blockOf(a hsm.Algorithm) int {
	if a.IsTDES() {
		return 8
	}
	return 16
}

// inputsOf are the three inputs of every cipher vector.
func inputsOf(in Inputs, kind keyOf) (key Clear, iv, data []byte, err error) {
	value, err := in.Bytes("key")
	if err != nil {
		return key, nil, nil, err
	}
	if key, err = kind(value); err != nil {
		return key, nil, nil, err
	}
	if iv, err = in.Bytes("iv"); err != nil {
		return key, nil, nil, err
	}
	data, err = in.Bytes("data")
	return key, iv, data, err
}

// cipherOf enciphers in ECB or CBC, padded as PKCS#7 says where a vector wants it.
func cipherOf(kind keyOf, chained, padded bool) Function {
	return func(ctx context.Context, m Module, in Inputs) (string, error) {
		key, iv, data, err := inputsOf(in, kind)
		if err != nil {
			return "", err
		}
		if !chained {
			iv = nil
		}
		if size := blockOf(key.Algorithm); padded {
			n := size - len(data)%size
			for range n {
				data = append(data, byte(n))
			}
		}
		out, err := m.Cipher(ctx, key.Algorithm, key.Value, false, iv, data)
		return Hex(out), err
	}
}

// step runs one block through the module.
type step func(block []byte) ([]byte, error)

// feedback runs a mode that is built of single blocks here.
func feedback(kind keyOf, mode func(encipher step, iv, data []byte) ([]byte, error)) Function {
	return func(ctx context.Context, m Module, in Inputs) (string, error) {
		key, iv, data, err := inputsOf(in, kind)
		if err != nil {
			return "", err
		}
		out, err := mode(func(block []byte) ([]byte, error) { return key.ECB(ctx, m, block) }, iv, data)
		return Hex(out), err
	}
}

// counterMode xors the ciphers of a counter that starts as iv (NIST SP 800-38A, 6.5).
func counterMode(encipher step, iv, data []byte) (out []byte, err error) {
	counter := append([]byte{}, iv...)
	for len(data) > 0 {
		pad, err := encipher(counter)
		if err != nil {
			return nil, err
		}
		n := min(len(pad), len(data))
		chunk := make([]byte, n)
		subtle.XORBytes(chunk, pad[:n], data[:n])
		out, data = append(out, chunk...), data[n:]
		for i := len(counter) - 1; i >= 0; i-- {
			if counter[i]++; counter[i] != 0 {
				break
			}
		}
	}
	return out, nil
}

func cfb64(encipher step, iv, data []byte) ([]byte, error) { return cfb(encipher, iv, data, 8) }
func cfb8(encipher step, iv, data []byte) ([]byte, error)  { return cfb(encipher, iv, data, 1) }

// cfb feeds n bytes of cipher back at a time (NIST SP 800-38A, 6.3).
func cfb(encipher step, iv, data []byte, n int) (out []byte, err error) {
	register := append([]byte{}, iv...)
	for len(data) > 0 {
		pad, err := encipher(register)
		if err != nil {
			return nil, err
		}
		k := min(n, len(data))
		chunk := make([]byte, k)
		subtle.XORBytes(chunk, pad[:k], data[:k])
		register = append(register[k:], chunk...)
		out, data = append(out, chunk...), data[k:]
	}
	return out, nil
}
