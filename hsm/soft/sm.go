// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"context"
	"fmt"

	"github.com/emmansun/gmsm/sm3"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/internal/secret"
)

var (
	_ hsm.SM4Translator    = (*Module)(nil)
	_ hsm.SM4PINEncipherer = (*Module)(nil)
	_ hsm.SM3Hasher        = (*Module)(nil)
)

// TranslateSM4PIN moves an SM4 PIN block to another key.
func (m *Module) TranslateSM4PIN(ctx context.Context, in secret.PINBlock, shape hsm.SM4Shape, from, to *hsm.Key, account hsm.Account12) (secret.PINBlock, error) {
	if err := alive(ctx); err != nil {
		return secret.PINBlock{}, err
	}
	source, err := m.use(hsm.OpSM4PINFrom, from)
	if err != nil {
		return secret.PINBlock{}, err
	}
	op := hsm.OpSM4PINTo
	tdes := to != nil && to.Algorithm.IsTDES()
	if tdes {
		op = hsm.OpTranslateTo
	}
	target, err := m.use(op, to)
	if err != nil {
		return secret.PINBlock{}, err
	}
	if in.Len() != 16 {
		return secret.PINBlock{}, fmt.Errorf("%w: an SM4 PIN block has 16 bytes", hsm.ErrInput)
	}
	room := clear.Unlocked()
	defer room.Wipe()
	block := room.SM4Block()
	in.AppendTo(block[:0], secret.ForHSM)
	source.whole.Decrypt(block[:], block[:])
	if err := room.CheckSM4Block(shape, account, tdes); err != nil {
		return secret.PINBlock{}, err
	}
	if tdes {
		out := target.encrypt(*room.Block())
		return secret.NewPINBlock(out[:])
	}
	var out [16]byte
	target.whole.Encrypt(out[:], block[:])
	return secret.NewPINBlock(out[:])
}

// EncipherSM4PIN makes the SM4 PIN block of a typed PIN.
func (m *Module) EncipherSM4PIN(ctx context.Context, pin secret.Key, shape hsm.SM4Shape, key *hsm.Key, account hsm.Account12) (secret.PINBlock, error) {
	if err := alive(ctx); err != nil {
		return secret.PINBlock{}, err
	}
	c, err := m.use(hsm.OpSM4PINEncipher, key)
	if err != nil {
		return secret.PINBlock{}, err
	}
	room := clear.Unlocked()
	defer room.Wipe()
	if err := room.EncodeSM4PIN(pin, shape, account); err != nil {
		return secret.PINBlock{}, err
	}
	var out [16]byte
	c.whole.Encrypt(out[:], room.SM4Block()[:])
	return secret.NewPINBlock(out[:])
}

// SM3 computes an SM3 digest.
func (m *Module) SM3(ctx context.Context, data []byte) ([32]byte, error) {
	if err := alive(ctx); err != nil {
		return [32]byte{}, err
	}
	return sm3.Sum(data), nil
}
