// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
	"tapswitch/internal/secret"
)

// checkValues are key check values and what is done with key components.
func checkValues() map[string]Function {
	return map[string]Function{
		"kcv.tdes":     loadedKCV,
		"kcv.aes_cmac": loadedKCV,
		"kcv.aes_ecb":  checkBy(func(ctx context.Context, m Module, k Clear) ([]byte, error) { return k.ECB(ctx, m, make([]byte, 16)) }),
		"kcv.aes_cmac_empty": checkBy(func(ctx context.Context, m Module, k Clear) ([]byte, error) {
			return m.CMAC(ctx, k.Algorithm, k.Value, nil)
		}),
		"kcv.aes_cmac_ones": checkBy(func(ctx context.Context, m Module, k Clear) ([]byte, error) {
			return m.CMAC(ctx, k.Algorithm, k.Value, bytes.Repeat([]byte{0xFF}, 16))
		}),
		"kcv.hmac_sha256_empty":      checkBy(func(ctx context.Context, m Module, k Clear) ([]byte, error) { return m.HMAC(ctx, k.Value, nil) }),
		"key.combine_components":     combine,
		"key.combine_components_kcv": combinedKCV,
		"key.odd_parity":             oddParity,
		"key.variant":                variant,
	}
}

// checkBy computes a check value that the driver itself does not use.
func checkBy(compute func(ctx context.Context, m Module, k Clear) ([]byte, error)) Function {
	return func(ctx context.Context, m Module, in Inputs) (string, error) {
		value, err := in.Bytes("key")
		if err != nil {
			return "", err
		}
		key, err := AES(value)
		if err != nil {
			return "", err
		}
		sum, err := compute(ctx, m, key)
		if err != nil {
			return "", err
		}
		return cut(sum, in.Number("length"))
	}
}

// loadedKCV brings the key in as the driver does, whose check value has three
// bytes; longer ones are computed by its mechanism.
func loadedKCV(ctx context.Context, m Module, in Inputs) (string, error) {
	value, err := in.Bytes("key")
	if err != nil {
		return "", err
	}
	kind, usage := TDES, hsm.TDK
	if in.v.Function == "kcv.aes_cmac" {
		kind = AES
	}
	key, err := kind(value)
	if err != nil {
		return "", err
	}
	loaded, err := load(ctx, m, usage, key)
	if err != nil {
		return "", err
	}
	n := in.Number("length")
	if n <= len(loaded.KCV) {
		return cut(loaded.KCV[:], n)
	}
	var sum []byte
	if key.Algorithm.IsTDES() {
		sum, err = key.ECB(ctx, m, make([]byte, 8))
	} else {
		sum, err = m.CMAC(ctx, key.Algorithm, key.Value, make([]byte, 16))
	}
	if err != nil {
		return "", err
	}
	if !bytes.HasPrefix(sum, loaded.KCV[:]) {
		return "", fmt.Errorf("the driver's check value %X is not the beginning of %X", loaded.KCV, sum)
	}
	return cut(sum, n)
}

// load brings a clear test key in.
func load(ctx context.Context, m hsm.KeyLoader, usage hsm.Usage, key Clear) (*hsm.Key, error) {
	value, err := secret.NewKey(key.Value)
	if err != nil {
		return nil, err
	}
	out, err := m.LoadClear(ctx, hsm.Spec{Name: "kat/" + usage.String(), Owner: "kat", Usage: usage, Algorithm: key.Algorithm, Version: 1}, value)
	return &out, err
}

// combined is the sum of the components, and the key that the driver makes of them.
func combined(ctx context.Context, m Module, in Inputs) (sum []byte, key *hsm.Key, err error) {
	parts, err := in.List("components")
	if err != nil {
		return nil, nil, err
	}
	var components []secret.Key
	for _, p := range parts {
		c, err := secret.NewKey(p)
		if err != nil {
			return nil, nil, err
		}
		components = append(components, c)
		if sum == nil {
			sum = make([]byte, len(p))
		}
		subtle.XORBytes(sum, sum, p)
	}
	kind := TDES
	if len(sum) == 32 {
		kind = AES
	}
	whole, err := kind(sum)
	if err != nil {
		return nil, nil, err
	}
	made, err := m.LoadClear(ctx, hsm.Spec{Name: "kat/TDK", Owner: "kat", Usage: hsm.TDK, Algorithm: whole.Algorithm, Version: 1}, components...)
	return sum, &made, err
}

// combine shows that the key which the driver makes of the components is the
// one whose value is the sum: loaded whole, it has the same check value.
func combine(ctx context.Context, m Module, in Inputs) (string, error) {
	sum, key, err := combined(ctx, m, in)
	if err != nil {
		return "", err
	}
	kind := TDES
	if len(sum) == 32 {
		kind = AES
	}
	whole, err := kind(sum)
	if err != nil {
		return "", err
	}
	other, err := load(ctx, m, hsm.TDK, whole)
	if err != nil {
		return "", err
	}
	if other.KCV != key.KCV {
		return "", fmt.Errorf("the components give a key with check value %X, their sum one with %X", key.KCV, other.KCV)
	}
	return Hex(sum), nil
}

func combinedKCV(ctx context.Context, m Module, in Inputs) (string, error) {
	_, key, err := combined(ctx, m, in)
	if err != nil {
		return "", err
	}
	return cut(key.KCV[:], in.Number("length"))
}

func oddParity(_ context.Context, _ Module, in Inputs) (string, error) {
	key, err := in.Bytes("key")
	if err != nil {
		return "", err
	}
	emvkey.OddParity(key)
	return Hex(key), nil
}

func variant(_ context.Context, _ Module, in Inputs) (string, error) {
	key, err := in.Bytes("key")
	if err != nil {
		return "", err
	}
	key, err = emvkey.Variant(key, in.Number("variant"))
	return Hex(key), err
}
