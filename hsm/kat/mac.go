// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"context"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/mac"
)

// macs are message authentication codes, through the driver.
func macs() map[string]Function {
	return map[string]Function{
		"mac.iso9797_alg1_tdes":      macOf(hsm.MACCBC),
		"mac.iso9797_alg3":           macOf(hsm.MACRetail),
		"mac.cmac_aes":               macOf(hsm.MACCMACAES),
		"mac.cmac_tdes":              macOf(hsm.MACCMACTDES),
		"mac.hmac_sha256":            macOf(hsm.MACHMACSHA256),
		"mac.hmac_sha256_truncated":  macOf(hsm.MACHMACSHA256),
		"mac.as2805_4_1":             macOf(hsm.MACAS2805),
		"mac.unionpay_ecb":           macOf(hsm.MACUnionPayECB),
		"mac.unionpay_first_encrypt": firstEncrypt,
		"mac.unionpay_xor_fold":      fold,
		"mac.pad_iso_1":              pad(1),
		"mac.pad_iso_2":              pad(2),
		"mac.pad_iso_3":              pad(3),
		"mac.retail_k1k2":            twoKeys,
	}
}

// macKey brings a key in for a MAC: the algorithm's, of as many bytes as there are.
func macKey(ctx context.Context, m Module, alg hsm.MACAlgorithm, in Inputs) (*hsm.Key, error) {
	value, err := in.Bytes("key")
	if err != nil {
		return nil, err
	}
	usage := hsm.ZAK
	if alg == hsm.MACHMACSHA256 {
		usage = hsm.HMACKey
	}
	for _, a := range alg.Keys() {
		if a.Size() == len(value) || a == hsm.TDES2 && len(value) == 8 {
			return load(ctx, m, usage, Clear{a, value})
		}
	}
	return nil, fmt.Errorf("%w: %s has no key of %d bytes", hsm.ErrInput, alg, len(value))
}

// macOf makes a MAC of which the vector keeps so many bytes; a vector's padding
// is a number of ISO 9797-1, in which order the algorithms stand.
func macOf(alg hsm.MACAlgorithm) Function {
	return func(ctx context.Context, m Module, in Inputs) (string, error) {
		one := alg
		if n := in.Number("padding"); n > 1 {
			one += hsm.MACAlgorithm(n - 1)
			if method, _ := one.Padding(); method != n {
				return "", fmt.Errorf("%w: %s has no padding method %d", hsm.ErrInput, alg, n)
			}
		}
		key, err := macKey(ctx, m, one, in)
		if err != nil {
			return "", err
		}
		data, err := in.Bytes("data")
		if err != nil {
			return "", err
		}
		if n := in.Number("length"); n != 0 && n != one.Size() {
			one = one.Keep(n)
		}
		sum, err := m.MAC(ctx, key, one, data)
		if err != nil {
			return "", err
		}
		if err := m.VerifyMAC(ctx, key, one, data, sum); err != nil {
			return "", fmt.Errorf("the MAC that was made is not found right: %w", err)
		}
		if alg == hsm.MACUnionPayECB {
			return string(sum), nil
		}
		return Hex(sum), nil
	}
}

// twoKeys is algorithm 3 of ISO 9797-1 over K1 and K2, each a whole key. A MAC of
// the driver's has one key, whose halves they would be: here the module chains
// the blocks under K1, and turns the last one back under K2 and again under K1.
func twoKeys(ctx context.Context, m Module, in Inputs) (string, error) {
	k1, err := clearOf(in, "k1", TDES)
	if err != nil {
		return "", err
	}
	k2, err := clearOf(in, "k2", TDES)
	if err != nil {
		return "", err
	}
	data, err := in.Bytes("data")
	if err != nil {
		return "", err
	}
	method := in.Number("padding")
	if method < 1 || method > 3 {
		return "", fmt.Errorf("%w: ISO 9797-1 has no padding method %d", hsm.ErrInput, method)
	}
	chain, err := m.Cipher(ctx, k1.Algorithm, k1.Value, false, make([]byte, 8), mac.AppendPad(nil, data, method, 8))
	if err != nil {
		return "", err
	}
	back, err := m.Cipher(ctx, k2.Algorithm, k2.Value, true, nil, chain[len(chain)-8:])
	if err != nil {
		return "", err
	}
	sum, err := k1.ECB(ctx, m, back)
	if err != nil {
		return "", err
	}
	return cut(sum, in.Number("length"))
}

// firstEncrypt is the middle of the UnionPay MAC: the left half of the folded
// data's text, one block.
func firstEncrypt(ctx context.Context, m Module, in Inputs) (string, error) {
	value, err := in.Bytes("key")
	if err != nil {
		return "", err
	}
	key, err := TDES(value)
	if err != nil {
		return "", err
	}
	data, err := in.Bytes("data")
	if err != nil {
		return "", err
	}
	left, _ := mac.Halves(mac.Fold(data))
	out, err := key.ECB(ctx, m, left[:])
	return Hex(out), err
}

func fold(_ context.Context, _ Module, in Inputs) (string, error) {
	data, err := in.Bytes("data")
	if err != nil {
		return "", err
	}
	block := mac.Fold(data)
	return Hex(block[:]), nil
}

// pad is a padding method of ISO 9797-1.
func pad(method int) Function {
	return func(_ context.Context, _ Module, in Inputs) (string, error) {
		data, err := in.Bytes("data")
		return Hex(mac.AppendPad(nil, data, method, in.Number("block_size"))), err
	}
}
