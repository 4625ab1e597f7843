// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

// Token makes the keyed token of a card number in the module: its HMAC-SHA-256
// cut to 16 bytes, or its AES-CMAC, as the key is.
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
		if key.Algorithm != hsm.HMAC256 {
			if err := w.m.fused.cmac(w.session, keys.whole, digits, out); err != nil {
				return w.fault("make a token", err)
			}
			return nil
		}
		var whole [32]byte
		if err := w.m.fused.sign(w.session, p11.CKM_SHA256_HMAC, keys.whole, digits, whole[:]); err != nil {
			return w.fault("make a token", err)
		}
		copy(out[:], whole[:])
		return nil
	})
	if err != nil {
		return [16]byte{}, err
	}
	return *out, nil
}
