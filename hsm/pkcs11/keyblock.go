// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/keyblock"
)

var _ hsm.KeyBlocks = (*Module)(nil)

// ImportKeyBlock takes in the key of a key block. The keys that decipher and
// authenticate are derived and used in the module; the key of the block is in the
// worker's locked page until it is imported.
func (m *Module) ImportKeyBlock(ctx context.Context, kbpk *hsm.Key, want hsm.WorkingKey, block string) (hsm.Key, error) {
	if err := keyblock.CheckImport(kbpk, &want, m.world.Clock.Now()); err != nil {
		return hsm.Key{}, err
	}
	b, err := keyblock.Parse(block)
	if err != nil {
		return hsm.Key{}, keyblock.Named(want.Name, err)
	}
	if err := keyblock.Agree(&b.Header, &want, false); err != nil {
		return hsm.Key{}, err
	}
	if err := checkProtection(kbpk, &b.Header, want.Name); err != nil {
		return hsm.Key{}, err
	}
	out := new(made)
	err = m.do(ctx, func(w *worker) error {
		size, err := w.openBlock(kbpk, b, want.Name)
		if err == nil {
			err = w.room.Arrive(&want, size)
		}
		if err == nil {
			*out, err = w.keepRoom(want.Spec)
		}
		if err == nil {
			err = keyblock.CheckValue(&b.Header, "KC", out.key.Algorithm, out.key.KCV)
		}
		return err
	})
	if err != nil {
		return hsm.Key{}, err
	}
	return out.key, nil
}

// TranslateKeyBlock protects the key of a block under another KBPK. The key is in the
// worker's locked page between the two.
func (m *Module) TranslateKeyBlock(ctx context.Context, from, to *hsm.Key, block string, form hsm.KeyBlockForm) (string, error) {
	for _, k := range []*hsm.Key{from, to} {
		if err := m.permit(hsm.OpProtectKeyBlock, k); err != nil {
			return "", err
		}
	}
	b, h, err := keyblock.Passes(block, &form, to)
	if err != nil {
		return "", err
	}
	if err := checkProtection(from, &b.Header, from.Name); err != nil {
		return "", err
	}
	out := new(string)
	err = m.do(ctx, func(w *worker) error {
		size, err := w.openBlock(from, b, from.Name)
		if err == nil {
			*out, err = w.closeBlock(to, h, size, to.Name)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return *out, nil
}

// checkProtection refuses a protection key of another version, or another than the
// block names, before the module is asked.
func checkProtection(kbpk *hsm.Key, h *keyblock.Header, name string) error {
	err := keyblock.CheckProtection(h.Version, kbpk.Algorithm.IsAES(), kbpk.Algorithm.Size())
	if err == nil {
		err = keyblock.CheckValue(h, "KP", kbpk.Algorithm, kbpk.KCV)
	}
	return keyblock.Named(name, err)
}

// openBlock puts the key of b into the worker's locked page and returns its length.
func (w *worker) openBlock(kbpk *hsm.Key, b *keyblock.Block, name string) (int, error) {
	keys, done, err := w.protection(kbpk, b.Header.Version)
	if err != nil {
		return 0, err
	}
	defer done()
	size, err := w.room.OpenBlock(b, keys)
	return size, keyblock.Named(name, err)
}

// closeBlock builds the block of the size key bytes in the worker's locked page.
func (w *worker) closeBlock(kbpk *hsm.Key, h keyblock.Header, size int, name string) (string, error) {
	padding := make([]byte, h.PaddingLen(size))
	if len(padding) > 0 {
		if err := w.m.fused.random(w.session, padding); err != nil {
			return "", w.fault("take random padding", err)
		}
	}
	keys, done, err := w.protection(kbpk, h.Version)
	if err != nil {
		return "", err
	}
	defer done()
	text, err := w.room.CloseBlock(keys, h, size, padding)
	return text, keyblock.Named(name, err)
}

// protection makes the two keys of a version inside the module; done removes them.
func (w *worker) protection(kbpk *hsm.Key, version byte) (keys keyblock.Keys, done func(), err error) {
	base, err := w.objects(kbpk)
	if err != nil {
		return keys, nil, err
	}
	a := kbpk.Algorithm
	if version == 'A' || version == 'C' {
		keys.Encipher = moduleCipher{w, base.variants[keyblock.Encipher], a}
		keys.Authenticate = moduleCipher{w, base.variants[keyblock.Authenticate], a}
		return keys, func() {}, nil
	}
	encipher, err := w.deriveProtection(base.whole, a, version, keyblock.Encipher)
	if err != nil {
		return keys, nil, err
	}
	authenticate, err := w.deriveProtection(base.whole, a, version, keyblock.Authenticate)
	if err != nil {
		w.destroy(encipher)
		return keys, nil, err
	}
	keys.Encipher, keys.Authenticate = moduleCipher{w, encipher, a}, moduleCipher{w, authenticate, a}
	return keys, func() { w.destroy(encipher, authenticate) }, nil
}

// deriveProtection makes one key of the versions B, D and E. What the module shows
// for it is the encipherment of a zero block, in the worker's locked page.
func (w *worker) deriveProtection(base p11.ObjectHandle, a hsm.Algorithm, version byte, p keyblock.Purpose) (p11.ObjectHandle, error) {
	kind, err := keyType(a)
	if err != nil {
		return 0, err
	}
	mechanism, size := uint(p11.CKM_DES3_ECB), 8
	if a.IsAES() {
		mechanism, size = p11.CKM_AES_ECB, 16
	}
	var zeros [16]byte
	zero := w.room.Companion(size)
	if err := w.m.fused.crypt(w.session, true, mechanism, nil, base, zeros[:size], zero); err != nil {
		return 0, w.fault("derive a key block key", err)
	}
	data := w.room.DerivationData(version, p, a.Size(), zero)
	object, err := w.m.fused.deriveCipher(w.session, derivation(a), base, data, kind, a.Size(), mayEncrypt|mayDecrypt|maySign)
	clear(data)
	clear(zero)
	if err != nil {
		return 0, w.fault("derive a key block key", err)
	}
	return object, nil
}

// moduleCipher is a derived key in the module.
type moduleCipher struct {
	w   *worker
	key p11.ObjectHandle
	a   hsm.Algorithm
}

// CBC implements keyblock.Cipher.
func (c moduleCipher) CBC(encipher bool, iv, data []byte) error {
	mechanism := uint(p11.CKM_DES3_CBC)
	if c.a.IsAES() {
		mechanism = p11.CKM_AES_CBC
	}
	if err := c.w.m.fused.crypt(c.w.session, encipher, mechanism, iv, c.key, data, data); err != nil {
		return c.w.fault("cipher a key block", err)
	}
	return nil
}

// CMAC implements keyblock.Cipher.
func (c moduleCipher) CMAC(data, sum []byte) error {
	mechanism := uint(p11.CKM_DES3_CMAC)
	if c.a.IsAES() {
		mechanism = p11.CKM_AES_CMAC
	}
	if err := c.w.m.fused.cmacOf(c.w.session, mechanism, c.key, data, sum); err != nil {
		return c.w.fault("authenticate a key block", err)
	}
	return nil
}
