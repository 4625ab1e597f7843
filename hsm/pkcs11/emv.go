// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	"crypto/subtle"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
	"tapswitch/internal/secret"
)

// chip is one transaction's cryptogram, prepared: nothing of field 55 but what
// the profile lists is kept.
type chip struct {
	card [16]byte // derivation data of the card key
	in   emvkey.Input
}

func prepare(c hsm.Cryptogram) (*chip, error) {
	icc := c.Data.AppendTo(nil, secret.ForHSM)
	defer clear(icc)
	in, err := emvkey.Prepare(c.Profile, icc)
	if err != nil {
		return nil, err
	}
	y, err := emvkey.OptionA(c.PAN.Reveal(secret.ForHSM), c.PSN)
	if err != nil {
		return nil, err
	}
	return &chip{card: emvkey.MasterKeyData(y), in: in}, nil
}

// keysOf derives the cryptogram key inside the module, with its companion when
// doubled is wanted. The caller destroys them.
func (w *worker) keysOf(imk *hsm.Key, c *chip, doubled bool) (keys pair, err error) {
	base, err := w.objects(imk)
	if err != nil {
		return pair{}, err
	}
	from, data := base.whole, c.card
	if c.in.Session {
		if from, err = w.m.fused.derive(w.session, base.whole, &data, false); err != nil {
			return pair{}, w.fault("derive a card key", err)
		}
		defer w.destroy(from)
		data = emvkey.SessionKeyData(emvkey.CommonR(c.in.ATC))
	}
	if keys.whole, err = w.m.fused.derive(w.session, from, &data, false); err != nil {
		return pair{}, w.fault("derive a cryptogram key", err)
	}
	if !doubled {
		return keys, nil
	}
	data = emvkey.DoubledLeft(data)
	if keys.doubled, err = w.m.fused.derive(w.session, from, &data, false); err != nil {
		w.destroy(keys.whole)
		return pair{}, w.fault("derive a cryptogram key", err)
	}
	return keys, nil
}

// VerifyARQC checks an application cryptogram. Card and session keys are derived
// in the module and never leave it.
func (m *Module) VerifyARQC(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram) error {
	if err := m.permit(hsm.OpCryptogram, imk); err != nil {
		return err
	}
	p, err := prepare(c)
	if err != nil {
		return err
	}
	return m.do(ctx, func(w *worker) error {
		keys, err := w.keysOf(imk, p, true)
		if err != nil {
			return err
		}
		defer w.destroy(keys.whole, keys.doubled)
		got, err := w.alg3(keys, p.in.Padded())
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(got[:], p.in.ARQC[:]) != 1 {
			return hsm.ErrCryptogram
		}
		return nil
	})
}

// ARPC answers an application cryptogram by method 1, under the key that made it.
func (m *Module) ARPC(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram, arc [2]byte) ([10]byte, error) {
	if err := m.permit(hsm.OpCryptogram, imk); err != nil {
		return [10]byte{}, err
	}
	p, err := prepare(c)
	if err != nil {
		return [10]byte{}, err
	}
	block := emvkey.ARPC1(p.in.ARQC, arc)
	out := new([10]byte)
	err = m.do(ctx, func(w *worker) error {
		keys, err := w.keysOf(imk, p, false)
		if err != nil {
			return err
		}
		defer w.destroy(keys.whole)
		return w.ecb(true, keys.whole, block[:], out[:8])
	})
	if err != nil {
		return [10]byte{}, err
	}
	copy(out[8:], arc[:])
	return *out, nil
}
