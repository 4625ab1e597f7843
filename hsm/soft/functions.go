// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"context"
	"crypto/cipher"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

// sealNonce is the length of the nonce in front of sealed data.
const sealNonce = 12

// Seal enciphers a card number for storage.
func (m *Module) Seal(ctx context.Context, key *hsm.Key, plain, aad []byte) ([]byte, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	c, err := m.use(hsm.OpSeal, key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(c.whole)
	if err != nil {
		return nil, fmt.Errorf("soft hsm: %w", err)
	}
	nonce := make([]byte, sealNonce, sealNonce+len(plain)+gcm.Overhead())
	if err := m.random(nonce); err != nil {
		return nil, err
	}
	return gcm.Seal(nonce, nonce, plain, aad), nil
}

// Open deciphers what Seal made.
func (m *Module) Open(ctx context.Context, key *hsm.Key, sealed, aad []byte) ([]byte, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	c, err := m.use(hsm.OpSeal, key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(c.whole)
	if err != nil {
		return nil, fmt.Errorf("soft hsm: %w", err)
	}
	if len(sealed) < sealNonce+gcm.Overhead() {
		return nil, fmt.Errorf("%w: sealed data is shorter than its nonce and tag", hsm.ErrInput)
	}
	plain, err := gcm.Open(nil, sealed[:sealNonce], sealed[sealNonce:], aad)
	if err != nil {
		return nil, fmt.Errorf("%w: sealed data was altered, or belongs to another key or place", hsm.ErrInput)
	}
	return plain, nil
}

// Token makes the keyed token of a card number: its HMAC-SHA-256 cut to 16 bytes,
// or its AES-CMAC, as the key is.
func (m *Module) Token(ctx context.Context, key *hsm.Key, pan secret.PAN) (out [16]byte, err error) {
	if err := alive(ctx); err != nil {
		return out, err
	}
	c, err := m.use(hsm.OpToken, key)
	if err != nil {
		return out, err
	}
	if pan.IsZero() {
		return out, fmt.Errorf("%w: no card number to make a token of", hsm.ErrInput)
	}
	if key.Algorithm == hsm.HMAC256 {
		return [16]byte(hmacSHA256(c.hmacKey, pan.Reveal(secret.ForHSM))), nil
	}
	return cmac(c.whole, pan.Reveal(secret.ForHSM)), nil
}

// alive refuses work for a caller that is gone already.
func alive(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", hsm.ErrUnavailable, err)
	}
	return nil
}
