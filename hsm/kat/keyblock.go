// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"context"

	"tapswitch/hsm/keyblock"
)

// workLen is memory for the largest key block, whose clear key is a test key.
const workLen = 1 << 15

// keyBlocks are the key blocks of X9.143 and ISO 20038. Drivers take the key of a block
// in and never show it: here the same package opens and builds blocks, with every cipher
// operation done by the module.
func keyBlocks() map[string]Function {
	return map[string]Function{
		"tr31.derive_kbek":    protectionKey(keyblock.Encipher),
		"tr31.derive_kbak":    protectionKey(keyblock.Authenticate),
		"tr31.unwrap":         openBlock(keyblock.Parse),
		"tr31.unwrap_lenient": openBlock(keyblock.ParseLenient),
		"tr31.wrap":           closeBlock,
	}
}

// protection is the key block protection key of a vector.
func protection(in Inputs, version byte) (Clear, error) {
	value, err := in.Bytes("kbpk")
	if err != nil {
		return Clear{}, err
	}
	aes := version == 'D' || version == 'E'
	if err := keyblock.CheckProtection(version, aes, len(value)); err != nil {
		return Clear{}, err
	}
	if aes {
		return AES(value)
	}
	return TDES(value)
}

// derivedBlockKey is one of the two keys of a version.
func derivedBlockKey(ctx context.Context, m Raw, kbpk Clear, version byte, p keyblock.Purpose) (Clear, error) {
	out := Clear{kbpk.Algorithm, append([]byte{}, kbpk.Value...)}
	if version == 'A' || version == 'C' {
		keyblock.Variant(out.Value, p)
		return out, nil
	}
	size := 8
	if kbpk.Algorithm.IsAES() {
		size = 16
	}
	zero, err := kbpk.ECB(ctx, m, make([]byte, size))
	if err != nil {
		return Clear{}, err
	}
	value, err := kbpk.ECB(ctx, m, keyblock.DerivationData(nil, version, p, len(kbpk.Value), zero))
	if err != nil {
		return Clear{}, err
	}
	out.Value = value[:len(kbpk.Value)]
	return out, nil
}

func protectionKey(p keyblock.Purpose) Function {
	return func(ctx context.Context, m Module, in Inputs) (string, error) {
		version := (in.Text("version") + " ")[0]
		kbpk, err := protection(in, version)
		if err != nil {
			return "", err
		}
		key, err := derivedBlockKey(ctx, m, kbpk, version, p)
		return Hex(key.Value), err
	}
}

// blockKeys are both keys of a version, in the module.
func blockKeys(ctx context.Context, m Raw, in Inputs, version byte) (keys keyblock.Keys, err error) {
	kbpk, err := protection(in, version)
	if err != nil {
		return keys, err
	}
	encipher, err := derivedBlockKey(ctx, m, kbpk, version, keyblock.Encipher)
	if err != nil {
		return keys, err
	}
	authenticate, err := derivedBlockKey(ctx, m, kbpk, version, keyblock.Authenticate)
	return keyblock.Keys{Encipher: rawCipher{ctx, m, encipher}, Authenticate: rawCipher{ctx, m, authenticate}}, err
}

func openBlock(parse func(string) (*keyblock.Block, error)) Function {
	return func(ctx context.Context, m Module, in Inputs) (string, error) {
		b, err := parse(in.Text("key_block"))
		if err != nil {
			return "", err
		}
		keys, err := blockKeys(ctx, m, in, b.Header.Version)
		if err != nil {
			return "", err
		}
		key, err := b.Unwrap(keys, make([]byte, workLen))
		return Hex(key), err
	}
}

func closeBlock(ctx context.Context, m Module, in Inputs) (string, error) {
	h, err := keyblock.ParseHeader(in.Text("header"))
	if err != nil {
		return "", err
	}
	key, err := in.Bytes("key")
	if err != nil {
		return "", err
	}
	padding, err := in.Bytes("padding")
	if err != nil {
		return "", err
	}
	keys, err := blockKeys(ctx, m, in, h.Version)
	if err != nil {
		return "", err
	}
	return keyblock.Wrap(keys, h, key, padding, make([]byte, workLen))
}

// rawCipher is a clear test key whose operations the module does.
type rawCipher struct {
	ctx context.Context
	m   Raw
	key Clear
}

// CBC implements keyblock.Cipher.
func (c rawCipher) CBC(encipher bool, iv, data []byte) error {
	out, err := c.m.Cipher(c.ctx, c.key.Algorithm, c.key.Value, !encipher, iv, data)
	copy(data, out)
	return err
}

// CMAC implements keyblock.Cipher.
func (c rawCipher) CMAC(data, sum []byte) error {
	out, err := c.m.CMAC(c.ctx, c.key.Algorithm, c.key.Value, data)
	copy(sum, out)
	return err
}
