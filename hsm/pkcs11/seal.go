// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"io"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
)

// Lengths of what is in front of and behind sealed data, and the most that one
// call seals: a card number and what belongs to it is far smaller.
const (
	nonceLen = 12
	tagLen   = 16
	sealMax  = 4096
)

// Seal enciphers a card number for storage: AES-256-GCM in the module, with a
// random nonce in front.
func (m *Module) Seal(ctx context.Context, key *hsm.Key, plain, aad []byte) ([]byte, error) {
	if err := m.permit(hsm.OpSeal, key); err != nil {
		return nil, err
	}
	if len(plain) > sealMax || len(aad) > sealMax {
		return nil, fmt.Errorf("%w: at most %d bytes are sealed at once", hsm.ErrInput, sealMax)
	}
	out := make([]byte, nonceLen+len(plain)+tagLen)
	if _, err := io.ReadFull(m.world.Rand, out[:nonceLen]); err != nil {
		return nil, fmt.Errorf("%w: no randomness: %w", hsm.ErrUnavailable, err)
	}
	in, place := append([]byte(nil), plain...), append([]byte(nil), aad...)
	err := m.do(ctx, func(w *worker) error {
		defer clear(in)
		keys, err := w.objects(key)
		if err != nil {
			return err
		}
		n, err := w.m.fused.gcm(w.session, true, keys.whole, out[:nonceLen], place, in, out[nonceLen:])
		if err == nil && n != len(in)+tagLen {
			err = p11.Error(p11.CKR_FUNCTION_FAILED)
		}
		if err != nil {
			return w.fault("seal", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Open deciphers what Seal made.
func (m *Module) Open(ctx context.Context, key *hsm.Key, sealed, aad []byte) ([]byte, error) {
	if err := m.permit(hsm.OpSeal, key); err != nil {
		return nil, err
	}
	if len(sealed) < nonceLen+tagLen || len(sealed) > nonceLen+sealMax+tagLen || len(aad) > sealMax {
		return nil, fmt.Errorf("%w: sealed data has %d to %d bytes", hsm.ErrInput, nonceLen+tagLen, nonceLen+sealMax+tagLen)
	}
	in, place := append([]byte(nil), sealed...), append([]byte(nil), aad...)
	out := make([]byte, len(sealed)) // modules ask for room for the tag too
	want := len(sealed) - nonceLen - tagLen
	err := m.do(ctx, func(w *worker) error {
		keys, err := w.objects(key)
		if err != nil {
			return err
		}
		decipher := func() (int, error) {
			return w.m.fused.gcm(w.session, false, keys.whole, in[:nonceLen], place, in[nonceLen:], out)
		}
		n, err := decipher()
		if errors.Is(err, p11.Error(p11.CKR_GENERAL_ERROR)) {
			// A wrong tag, or a module that is ill: the well one says it twice.
			if n, err = decipher(); err != nil && w.probe() != nil {
				return w.fault("open sealed data", err)
			}
		}
		var code p11.Error
		switch {
		case errors.As(err, &code) && notAuthentic(code):
			return fmt.Errorf("%w: sealed data was altered, or belongs to another key or place", hsm.ErrInput)
		case err != nil:
			return w.fault("open sealed data", err)
		case n != want:
			return w.fault("open sealed data", p11.Error(p11.CKR_FUNCTION_FAILED))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out[:want], nil
}

// notAuthentic reports whether a return value means a wrong tag. SoftHSM says
// CKR_GENERAL_ERROR for it (checked by the conformance suite), so that one
// counts too when the module is well otherwise.
func notAuthentic(code p11.Error) bool {
	switch code {
	case p11.CKR_ENCRYPTED_DATA_INVALID, p11.CKR_ENCRYPTED_DATA_LEN_RANGE, p11.CKR_SIGNATURE_INVALID, p11.CKR_GENERAL_ERROR:
		return true
	}
	return false
}
