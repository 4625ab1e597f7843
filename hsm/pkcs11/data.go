// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bytes"
	"context"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
)

var _ hsm.DataCipher = (*Module)(nil)

// EncipherData enciphers message data with a TDK or ZDK in the module.
func (m *Module) EncipherData(ctx context.Context, key *hsm.Key, mode hsm.CipherMode, data []byte) ([]byte, error) {
	return m.data(ctx, key, mode, data, true)
}

// DecipherData deciphers message data with a TDK or ZDK in the module.
func (m *Module) DecipherData(ctx context.Context, key *hsm.Key, mode hsm.CipherMode, data []byte) ([]byte, error) {
	return m.data(ctx, key, mode, data, false)
}

func (m *Module) data(ctx context.Context, key *hsm.Key, mode hsm.CipherMode, data []byte, encipher bool) ([]byte, error) {
	if err := m.permit(hsm.OpData, key); err != nil {
		return nil, err
	}
	if err := mode.Check(key.Algorithm, data); err != nil {
		return nil, err
	}
	call := newCipherCall(key.Algorithm, mode, data, encipher)
	err := m.do(ctx, func(w *worker) error {
		keys, err := w.objects(key)
		if err != nil {
			return err
		}
		return w.cipher(call, keys.whole)
	})
	if err != nil {
		return nil, err
	}
	return call.out, nil
}

// cipherCall is one pass over whole blocks. It has copies of its own: the
// caller may be gone while the module works.
type cipherCall struct {
	encipher  bool
	mechanism uint
	iv        []byte
	in, out   []byte
}

func newCipherCall(a hsm.Algorithm, mode hsm.CipherMode, data []byte, encipher bool) *cipherCall {
	c := &cipherCall{encipher: encipher, iv: bytes.Clone(mode.IV), in: bytes.Clone(data), out: make([]byte, len(data))}
	switch {
	case a.IsAES() && c.iv == nil:
		c.mechanism = p11.CKM_AES_ECB
	case a.IsAES():
		c.mechanism = p11.CKM_AES_CBC
	case c.iv == nil:
		c.mechanism = p11.CKM_DES3_ECB
	default:
		c.mechanism = p11.CKM_DES3_CBC
	}
	return c
}

// cipher runs the call under a session object.
func (w *worker) cipher(c *cipherCall, key p11.ObjectHandle) error {
	defer clear(c.in)
	if err := w.m.fused.crypt(w.session, c.encipher, c.mechanism, c.iv, key, c.in, c.out); err != nil {
		return w.fault("cipher data", err)
	}
	return nil
}
