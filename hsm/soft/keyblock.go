// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/hsm/keyblock"
)

var _ hsm.KeyBlocks = (*Module)(nil)

// ImportKeyBlock takes in the key of a key block. This module is also the
// terminal's side, so a block that lets a PIN pad only encipher agrees with a TPK.
func (m *Module) ImportKeyBlock(ctx context.Context, kbpk *hsm.Key, want hsm.WorkingKey, block string) (hsm.Key, error) {
	if err := alive(ctx); err != nil {
		return hsm.Key{}, err
	}
	if err := keyblock.CheckImport(kbpk, &want, m.clock.Now()); err != nil {
		return hsm.Key{}, err
	}
	b, err := keyblock.Parse(block)
	if err != nil {
		return hsm.Key{}, keyblock.Named(want.Name, err)
	}
	if err := keyblock.Agree(&b.Header, &want, true); err != nil {
		return hsm.Key{}, err
	}
	room := clear.Spacious()
	defer room.Wipe()
	size, err := m.openBlock(kbpk, b, room, want.Name)
	if err == nil {
		err = room.Arrive(&want, size)
	}
	if err != nil {
		return hsm.Key{}, err
	}
	key, _, err := m.keep(want.Spec, room)
	if err == nil {
		err = keyblock.CheckValue(&b.Header, "KC", key.Algorithm, key.KCV)
	}
	if err != nil {
		return hsm.Key{}, err
	}
	return key, nil
}

// TranslateKeyBlock protects the key of a block under another KBPK.
func (m *Module) TranslateKeyBlock(ctx context.Context, from, to *hsm.Key, block string, form hsm.KeyBlockForm) (string, error) {
	if err := alive(ctx); err != nil {
		return "", err
	}
	for _, k := range []*hsm.Key{from, to} {
		if err := hsm.Permit(hsm.OpProtectKeyBlock, k, m.clock.Now()); err != nil {
			return "", err
		}
	}
	b, h, err := keyblock.Passes(block, &form, to)
	if err != nil {
		return "", err
	}
	room := clear.Spacious()
	defer room.Wipe()
	size, err := m.openBlock(from, b, room, from.Name)
	if err != nil {
		return "", err
	}
	return m.closeBlock(to, h, size, room, to.Name)
}

// openBlock puts the key of b into room and returns its length.
func (m *Module) openBlock(kbpk *hsm.Key, b *keyblock.Block, room *clear.Room, name string) (int, error) {
	keys, err := m.protection(kbpk, b.Header.Version)
	if err == nil {
		err = keyblock.CheckValue(&b.Header, "KP", kbpk.Algorithm, kbpk.KCV)
	}
	if err != nil {
		return 0, keyblock.Named(name, err)
	}
	size, err := room.OpenBlock(b, keys)
	return size, keyblock.Named(name, err)
}

// closeBlock builds the block of the size key bytes in room.
func (m *Module) closeBlock(kbpk *hsm.Key, h keyblock.Header, size int, room *clear.Room, name string) (string, error) {
	keys, err := m.protection(kbpk, h.Version)
	if err != nil {
		return "", keyblock.Named(name, err)
	}
	padding := make([]byte, h.PaddingLen(size))
	if err := m.random(padding); err != nil {
		return "", err
	}
	text, err := room.CloseBlock(keys, h, size, padding)
	return text, keyblock.Named(name, err)
}

// protection derives the two keys of a version from a protection key.
func (m *Module) protection(kbpk *hsm.Key, version byte) (keys keyblock.Keys, err error) {
	a := kbpk.Algorithm
	if err := keyblock.CheckProtection(version, a.IsAES(), a.Size()); err != nil {
		return keys, err
	}
	if _, err := m.use(hsm.OpProtectKeyBlock, kbpk); err != nil {
		return keys, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	value := room.Key(a.Size())
	if !unwrap(m.lmk, value, kbpk.Wrapped) {
		return keys, fmt.Errorf("%w: %s %q version %d does not unwrap", hsm.ErrBinding, kbpk.Usage, kbpk.Name, kbpk.Version)
	}
	var out [2]cipher.Block
	for i, p := range []keyblock.Purpose{keyblock.Encipher, keyblock.Authenticate} {
		var derived []byte
		if version == 'A' || version == 'C' {
			derived = room.Variant(p, a.Size())
		} else {
			derived, err = deriveProtection(a, value, version, p)
		}
		if err == nil {
			out[i], err = blockOf(a, derived)
		}
		wipe(derived)
		if err != nil {
			return keys, err
		}
	}
	return keyblock.Keys{Encipher: blockCipher{out[0]}, Authenticate: blockCipher{out[1]}}, nil
}

// deriveProtection is one key of the versions B, D and E.
func deriveProtection(a hsm.Algorithm, value []byte, version byte, p keyblock.Purpose) ([]byte, error) {
	c, err := blockOf(a, value)
	if err != nil {
		return nil, err
	}
	zero := make([]byte, c.BlockSize())
	c.Encrypt(zero, zero)
	data := keyblock.DerivationData(make([]byte, 0, 32), version, p, a.Size(), zero)
	for at := 0; at < len(data); at += len(zero) {
		c.Encrypt(data[at:], data[at:])
	}
	return data[:a.Size()], nil
}

// blockOf is the cipher of a DES or AES key.
func blockOf(a hsm.Algorithm, value []byte) (c cipher.Block, err error) {
	switch {
	case a.IsAES():
		c, err = aes.NewCipher(value)
	case a == hsm.TDES3:
		c, err = des.NewTripleDESCipher(value)
	default:
		var keys *ciphers
		if keys, err = expandDES(value); err == nil {
			c = keys.whole
		}
	}
	if err != nil {
		return nil, fmt.Errorf("soft hsm: %w", err)
	}
	return c, nil
}

// blockCipher is a derived key in process.
type blockCipher struct{ cipher.Block }

// CBC implements keyblock.Cipher.
func (c blockCipher) CBC(encipher bool, iv, data []byte) error {
	if encipher {
		cipher.NewCBCEncrypter(c.Block, iv).CryptBlocks(data, data)
	} else {
		cipher.NewCBCDecrypter(c.Block, iv).CryptBlocks(data, data)
	}
	return nil
}

// CMAC implements keyblock.Cipher, for both block lengths.
func (c blockCipher) CMAC(data, sum []byte) error {
	n := c.BlockSize()
	var k, out [16]byte
	c.Encrypt(k[:n], k[:n])
	shiftBlock(k[:n])
	for len(data) > n {
		subtle.XORBytes(out[:], out[:], data[:n])
		c.Encrypt(out[:n], out[:n])
		data = data[n:]
	}
	subtle.XORBytes(out[:], out[:], data)
	if len(data) < n {
		out[len(data)] ^= 0x80
		shiftBlock(k[:n])
	}
	subtle.XORBytes(out[:], out[:], k[:n])
	c.Encrypt(out[:n], out[:n])
	copy(sum, out[:n])
	return nil
}

// shiftBlock doubles k in the field of CMAC's subkeys, for blocks of 8 and 16.
func shiftBlock(k []byte) {
	carry := byte(0)
	for i := len(k) - 1; i >= 0; i-- {
		k[i], carry = k[i]<<1|carry, k[i]>>7
	}
	constant := byte(0x87)
	if len(k) == 8 {
		constant = 0x1B
	}
	k[len(k)-1] ^= carry * constant
}
