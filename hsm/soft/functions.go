// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"context"
	"crypto/cipher"
	"crypto/subtle"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/hsm/pinoffset"
	"tapswitch/internal/secret"
)

// decipherPIN puts a clear PIN block into room.
func decipherPIN(room *clear.Room, c *ciphers, in secret.PINBlock) error {
	if in.Len() != 8 {
		return fmt.Errorf("%w: a format 0 PIN block has 8 bytes", hsm.ErrInput)
	}
	block := room.Block()
	in.AppendTo(block[:0], secret.ForHSM)
	c.whole.Decrypt(block[:], block[:])
	return nil
}

// TranslatePIN moves a PIN block from one key to another.
func (m *Module) TranslatePIN(ctx context.Context, in secret.PINBlock, from, to *hsm.Key, account hsm.Account12) (secret.PINBlock, error) {
	if err := alive(ctx); err != nil {
		return secret.PINBlock{}, err
	}
	source, err := m.use(hsm.OpTranslateFrom, from)
	if err != nil {
		return secret.PINBlock{}, err
	}
	target, err := m.use(hsm.OpTranslateTo, to)
	if err != nil {
		return secret.PINBlock{}, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	if err := decipherPIN(room, source, in); err != nil {
		return secret.PINBlock{}, err
	}
	if err := room.CheckBlock(account); err != nil {
		return secret.PINBlock{}, err
	}
	out := target.encrypt(*room.Block())
	return secret.NewPINBlock(out[:])
}

// VerifyPVV checks a PIN block against a Visa PIN verification value.
func (m *Module) VerifyPVV(ctx context.Context, in secret.PINBlock, key *hsm.Key, account hsm.Account12, ref hsm.PVV) error {
	if err := alive(ctx); err != nil {
		return err
	}
	source, err := m.use(hsm.OpVerifyPIN, key)
	if err != nil {
		return err
	}
	pvk, err := m.use(hsm.OpPVV, ref.Key)
	if err != nil {
		return err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	if err := decipherPIN(room, source, in); err != nil {
		return err
	}
	if err := room.BlockToTSP(account, ref); err != nil {
		return err
	}
	got := pinoffset.Decimalise(pvk.encrypt(*room.Block()))
	if subtle.ConstantTimeCompare(got[:], ref.Value[:]) != 1 {
		return hsm.ErrPIN
	}
	return nil
}

// EncipherPIN makes the PIN block of a typed PIN.
func (m *Module) EncipherPIN(ctx context.Context, pin secret.Key, key *hsm.Key, account hsm.Account12) (secret.PINBlock, error) {
	if err := alive(ctx); err != nil {
		return secret.PINBlock{}, err
	}
	c, err := m.use(hsm.OpEncipherPIN, key)
	if err != nil {
		return secret.PINBlock{}, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	if err := room.EncodePIN(pin, account); err != nil {
		return secret.PINBlock{}, err
	}
	out := c.encrypt(*room.Block())
	return secret.NewPINBlock(out[:])
}

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

// Token makes the keyed token of a card number.
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
	return cmac(c.whole, pan.Reveal(secret.ForHSM)), nil
}

// alive refuses work for a caller that is gone already.
func alive(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", hsm.ErrUnavailable, err)
	}
	return nil
}
