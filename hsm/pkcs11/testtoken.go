// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/internal/secret"
)

// TestLabel is the label of tokens that are made for known answers.
const TestLabel = "tapswitch-known-answers"

// TestToken is a Module on a token that was made for known answers and holds
// published test keys only. Beside the driver's functions it runs ciphers under
// keys that are given in clear; no other token has that.
type TestToken struct{ *Module }

// NewTestToken initialises a free slot of the module as a token for known
// answers, forms its local master keys and opens it. PINs are the caller's, since
// the token is thrown away afterwards.
func NewTestToken(world env.Env, cfg Config, soPIN secret.Key) (*TestToken, error) {
	cfg.TokenLabel = TestLabel
	if err := InitToken(cfg.Module, TestLabel, soPIN, cfg.UserPIN); err != nil {
		return nil, err
	}
	if err := FormLMK(cfg.Module, TestLabel, cfg.UserPIN); err != nil {
		return nil, err
	}
	m, err := Open(world, cfg)
	if err != nil {
		return nil, err
	}
	return &TestToken{m}, nil
}

// clearKey makes a session object of a test key, runs work with it, and removes it.
func (t *TestToken) clearKey(ctx context.Context, kind uint, value []byte, work func(w *worker, key p11.ObjectHandle) error) error {
	return t.do(ctx, func(w *worker) error {
		key, err := w.m.ctx.CreateObject(w.session, []*p11.Attribute{
			p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_KEY_TYPE, kind), p11.NewAttribute(p11.CKA_TOKEN, false),
			p11.NewAttribute(p11.CKA_ENCRYPT, true), p11.NewAttribute(p11.CKA_DECRYPT, true), p11.NewAttribute(p11.CKA_SIGN, true),
			p11.NewAttribute(p11.CKA_VALUE, value),
		})
		if err != nil {
			return w.fault("bring in a test key", err)
		}
		defer w.destroy(key)
		return work(w, key)
	})
}

// Cipher runs whole blocks through a test key, in ECB, or in CBC when iv is given.
func (t *TestToken) Cipher(ctx context.Context, algorithm hsm.Algorithm, key []byte, decrypt bool, iv, data []byte) (out []byte, err error) {
	kind, err := keyType(algorithm)
	if err != nil {
		return nil, err
	}
	mechanism := map[bool]uint{false: p11.CKM_AES_ECB, true: p11.CKM_AES_CBC}[iv != nil]
	if algorithm.IsTDES() {
		mechanism = map[bool]uint{false: p11.CKM_DES3_ECB, true: p11.CKM_DES3_CBC}[iv != nil]
	}
	m := []*p11.Mechanism{p11.NewMechanism(mechanism, iv)}
	result := new([]byte)
	err = t.clearKey(ctx, kind, key, func(w *worker, key p11.ObjectHandle) (err error) {
		begin, run := w.m.ctx.EncryptInit, w.m.ctx.Encrypt
		if decrypt {
			begin, run = w.m.ctx.DecryptInit, w.m.ctx.Decrypt
		}
		if err := begin(w.session, m, key); err != nil {
			return w.fault("cipher blocks", err)
		}
		if *result, err = run(w.session, data); err != nil {
			return w.fault("cipher blocks", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return *result, nil
}

// CMAC is the CMAC of data under a test key (NIST SP 800-38B), one block long.
func (t *TestToken) CMAC(ctx context.Context, algorithm hsm.Algorithm, key, data []byte) ([]byte, error) {
	kind, err := keyType(algorithm)
	if err != nil {
		return nil, err
	}
	mechanism := uint(p11.CKM_AES_CMAC)
	if algorithm.IsTDES() {
		mechanism = p11.CKM_DES3_CMAC
	}
	return t.sign(ctx, kind, mechanism, key, data)
}

// HMAC is the HMAC-SHA-256 of data under a test key. Modules refuse keys shorter
// than the digest; zeros behind such a key are part of the algorithm (FIPS 198-1,
// section 4), so they change nothing.
func (t *TestToken) HMAC(ctx context.Context, key, data []byte) ([]byte, error) {
	if len(key) < 32 {
		key = append(append([]byte{}, key...), make([]byte, 32-len(key))...)
	}
	return t.sign(ctx, p11.CKK_GENERIC_SECRET, p11.CKM_SHA256_HMAC, key, data)
}

func (t *TestToken) sign(ctx context.Context, kind, mechanism uint, key, data []byte) ([]byte, error) {
	result := new([]byte)
	if data == nil {
		data = []byte{}
	}
	err := t.clearKey(ctx, kind, key, func(w *worker, key p11.ObjectHandle) (err error) {
		if err := w.m.ctx.SignInit(w.session, []*p11.Mechanism{p11.NewMechanism(mechanism, nil)}, key); err != nil {
			return w.fault("make a MAC", err)
		}
		if len(data) == 0 { // a null pointer is refused even for no bytes
			if err := w.m.ctx.SignUpdate(w.session, []byte{}); err != nil {
				return w.fault("make a MAC", err)
			}
			*result, err = w.m.ctx.SignFinal(w.session)
		} else {
			*result, err = w.m.ctx.Sign(w.session, data)
		}
		if err != nil {
			return w.fault("make a MAC", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return *result, nil
}
