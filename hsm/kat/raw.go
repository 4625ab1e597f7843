// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"context"
	"fmt"

	"tapswitch/hsm"
)

// Raw is a token of known answers: it takes test keys in clear and runs ciphers
// with them. Only a token that was made for this has it.
type Raw interface {
	// Cipher runs whole blocks through a key, in ECB, or in CBC when iv is given.
	Cipher(ctx context.Context, algorithm hsm.Algorithm, key []byte, decrypt bool, iv, data []byte) ([]byte, error)
	// CMAC is the CMAC of data (NIST SP 800-38B), one block long.
	CMAC(ctx context.Context, algorithm hsm.Algorithm, key, data []byte) ([]byte, error)
	// HMAC is the HMAC-SHA-256 of data.
	HMAC(ctx context.Context, key, data []byte) ([]byte, error)
}

// Clear is a test key in clear.
type Clear struct {
	Algorithm hsm.Algorithm
	Value     []byte
}

// ECB enciphers whole blocks under key in the module.
func (k Clear) ECB(ctx context.Context, m Raw, data []byte) ([]byte, error) {
	return m.Cipher(ctx, k.Algorithm, k.Value, false, nil, data)
}

// TDES is a DES key of 8, 16 or 24 bytes; 8 are taken twice, which is single DES.
func TDES(value []byte) (Clear, error) {
	switch len(value) {
	case 8:
		return Clear{hsm.TDES2, append(append([]byte{}, value...), value...)}, nil
	case 16:
		return Clear{hsm.TDES2, value}, nil
	case 24:
		return Clear{hsm.TDES3, value}, nil
	}
	return Clear{}, fmt.Errorf("%w: a DES key has 8, 16 or 24 bytes", hsm.ErrInput)
}

// AES is an AES key of 16, 24 or 32 bytes.
func AES(value []byte) (Clear, error) {
	switch len(value) {
	case 16:
		return Clear{hsm.AES128, value}, nil
	case 24:
		return Clear{hsm.AES192, value}, nil
	case 32:
		return Clear{hsm.AES256, value}, nil
	}
	return Clear{}, fmt.Errorf("%w: an AES key has 16, 24 or 32 bytes", hsm.ErrInput)
}
