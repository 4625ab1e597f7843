// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"context"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/pinblock"
)

// sms are functions of the SM series; a module without them says so.
func sms() map[string]Function {
	return map[string]Function{
		"sm3.digest":           sm3,
		"sm4.ecb_encrypt":      macOf(hsm.MACSM4CBC), // of one block, which padding 1 leaves alone
		"sm4.ecb_decrypt":      sm4Decrypt,
		"sm4.pin_field_x98_16": wideField,
		"kcv.sm4":              sm4KCV,
	}
}

func sm3(ctx context.Context, m Module, in Inputs) (string, error) {
	data, err := in.Bytes("data")
	if err != nil {
		return "", err
	}
	sum, err := m.SM3(ctx, data)
	return Hex(sum[:]), err
}

// sm4KCV is the cipher of a zero block, whole; the loaded key has three bytes of it.
func sm4KCV(ctx context.Context, m Module, in Inputs) (string, error) {
	key, err := macKey(ctx, m, hsm.MACSM4CBC, in)
	if err != nil {
		return "", err
	}
	sum, err := m.MAC(ctx, key, hsm.MACSM4CBC, make([]byte, 16))
	if err != nil {
		return "", err
	}
	if Hex(sum[:3]) != Hex(key.KCV[:]) {
		return "", fmt.Errorf("the driver's check value %X is not the beginning of %X", key.KCV, sum)
	}
	return cut(sum, in.Number("length"))
}

// sm4Decrypt is a working key under a terminal master key: where SM4 is served,
// its value stays inside all the same.
func sm4Decrypt(ctx context.Context, m Module, in Inputs) (string, error) {
	value, err := in.Bytes("key")
	if err != nil {
		return "", err
	}
	if _, err := load(ctx, m, hsm.TMK, Clear{hsm.SM4, value}); err != nil {
		return "", err
	}
	return "", unsupported{"a working key is taken in under its master key and never comes out"}
}

// wideField is the 16-byte PIN block before SM4.
func wideField(_ context.Context, _ Module, in Inputs) (string, error) {
	account, err := pinblock.Account([]byte(in.Text("pan")))
	if err != nil {
		return "", err
	}
	var block [16]byte
	err = pinblock.EncodeSM4Wide(&block, []byte(in.Text("pin")), account)
	return Hex(block[:]), err
}
