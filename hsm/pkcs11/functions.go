// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	"crypto/subtle"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/pinoffset"
	"tapswitch/internal/secret"
)

// blockOf is an enciphered format 0 PIN block's bytes.
func blockOf(in secret.PINBlock) (out [8]byte, err error) {
	if in.Len() != 8 {
		return out, fmt.Errorf("%w: a format 0 PIN block has 8 bytes", hsm.ErrInput)
	}
	in.AppendTo(out[:0], secret.ForHSM)
	return out, nil
}

// decipherPIN lets the module decipher a PIN block into the worker's locked page.
func (w *worker) decipherPIN(key *hsm.Key, block *[8]byte) error {
	keys, err := w.objects(key)
	if err != nil {
		return err
	}
	return w.ecb(false, keys.whole, block[:], w.room.Block()[:])
}

// TranslatePIN moves a PIN block from one key to another. The clear block is in
// the worker's locked page between the two operations, and nowhere else here.
func (m *Module) TranslatePIN(ctx context.Context, in secret.PINBlock, from, to *hsm.Key, account hsm.Account12) (secret.PINBlock, error) {
	if err := m.permit(hsm.OpTranslateFrom, from); err != nil {
		return secret.PINBlock{}, err
	}
	if err := m.permit(hsm.OpTranslateTo, to); err != nil {
		return secret.PINBlock{}, err
	}
	block, err := blockOf(in)
	if err != nil {
		return secret.PINBlock{}, err
	}
	out := new([8]byte)
	err = m.do(ctx, func(w *worker) error {
		target, err := w.objects(to)
		if err != nil {
			return err
		}
		if err := w.decipherPIN(from, &block); err != nil {
			return err
		}
		if err := w.room.CheckBlock(account); err != nil {
			return err
		}
		return w.ecb(true, target.whole, w.room.Block()[:], out[:])
	})
	if err != nil {
		return secret.PINBlock{}, err
	}
	return secret.NewPINBlock(out[:])
}

// VerifyPVV checks a PIN block against a Visa PIN verification value. The clear
// block and the parameter made of it are in the worker's locked page only.
func (m *Module) VerifyPVV(ctx context.Context, in secret.PINBlock, key *hsm.Key, account hsm.Account12, ref hsm.PVV) error {
	if err := m.permit(hsm.OpVerifyPIN, key); err != nil {
		return err
	}
	if err := m.permit(hsm.OpPVV, ref.Key); err != nil {
		return err
	}
	block, err := blockOf(in)
	if err != nil {
		return err
	}
	return m.do(ctx, func(w *worker) error {
		pvk, err := w.objects(ref.Key)
		if err != nil {
			return err
		}
		if err := w.decipherPIN(key, &block); err != nil {
			return err
		}
		if err := w.room.BlockToTSP(account, ref); err != nil {
			return err
		}
		if err := w.ecb(true, pvk.whole, w.room.Block()[:], w.scratch.block[:]); err != nil {
			return err
		}
		got := pinoffset.Decimalise(w.scratch.block)
		if subtle.ConstantTimeCompare(got[:], ref.Value[:]) != 1 {
			return hsm.ErrPIN
		}
		return nil
	})
}

// Token makes the keyed token of a card number: its AES-CMAC in the module.
func (m *Module) Token(ctx context.Context, key *hsm.Key, pan secret.PAN) ([16]byte, error) {
	if err := m.permit(hsm.OpToken, key); err != nil {
		return [16]byte{}, err
	}
	if pan.IsZero() {
		return [16]byte{}, fmt.Errorf("%w: no card number to make a token of", hsm.ErrInput)
	}
	digits := append([]byte(nil), pan.Reveal(secret.ForHSM)...)
	out := new([16]byte)
	err := m.do(ctx, func(w *worker) error {
		defer clear(digits)
		keys, err := w.objects(key)
		if err != nil {
			return err
		}
		if err := w.m.fused.cmac(w.session, keys.whole, digits, out); err != nil {
			return w.fault("make a token", err)
		}
		return nil
	})
	if err != nil {
		return [16]byte{}, err
	}
	return *out, nil
}
