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
	c := m.calls.token.take()
	c.with, c.n = key, copy(c.digits[:], pan.Reveal(secret.ForHSM))
	err := m.serve(ctx, nil, &c.job)
	var out [16]byte
	if err == nil {
		out = c.out
	}
	m.calls.token.leave(c)
	return out, err
}

// tokenCall is one card number on its way.
type tokenCall struct {
	job

	with   *hsm.Key
	digits [19]byte
	n      int
	out    [16]byte
}

func (c *tokenCall) wipe() { c.with, c.digits, c.out = nil, [19]byte{}, [16]byte{} }

func (c *tokenCall) run(w *worker) error {
	keys, err := w.objects(c.with)
	switch {
	case err != nil:
	case c.with.Algorithm == hsm.HMAC256:
		err = c.hmac(w, keys.whole)
	default:
		err = w.m.fused.cmac(w.session, keys.whole, c.digits[:c.n], &c.out)
		if err != nil {
			err = w.fault("make a token", err)
		}
	}
	clear(c.digits[:]) // here, too: the caller may have given up
	return err
}

func (c *tokenCall) hmac(w *worker, key p11.ObjectHandle) error {
	var sum [32]byte
	if err := w.m.fused.sign(w.session, p11.CKM_SHA256_HMAC, key, c.digits[:c.n], sum[:]); err != nil {
		return w.fault("make a token", err)
	}
	copy(c.out[:], sum[:])
	return nil
}
