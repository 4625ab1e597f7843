// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

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
