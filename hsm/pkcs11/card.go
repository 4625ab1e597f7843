// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"

	"tapswitch/hsm"
	"tapswitch/hsm/cvv"
	"tapswitch/hsm/emvkey"
	"tapswitch/internal/secret"
)

var (
	_ hsm.CVVer  = (*Module)(nil)
	_ hsm.CAVVer = (*Module)(nil)
	_ hsm.DCVVer = (*Module)(nil)
	_ hsm.CVC3er = (*Module)(nil)
)

// CVV makes a static card verification value.
func (m *Module) CVV(ctx context.Context, cvk *hsm.Key, c hsm.CardValueData) (secret.CVV, error) {
	return hsm.MadeCardValue(m.static(ctx, cvk, func() (cvv.Block, error) { return cvv.Input(c) }))
}

// VerifyCVV checks a static card verification value.
func (m *Module) VerifyCVV(ctx context.Context, cvk *hsm.Key, c hsm.CardValueData, presented secret.CVV) error {
	got, err := m.static(ctx, cvk, func() (cvv.Block, error) { return cvv.Input(c) })
	return hsm.CheckCardValue(cvk, presented, got, err)
}

// CAVV makes a cardholder authentication verification value.
func (m *Module) CAVV(ctx context.Context, cvk *hsm.Key, a hsm.AuthenticationData) (secret.CVV, error) {
	return hsm.MadeCardValue(m.static(ctx, cvk, func() (cvv.Block, error) { return cvv.CAVVInput(a) }))
}

// VerifyCAVV checks a cardholder authentication verification value.
func (m *Module) VerifyCAVV(ctx context.Context, cvk *hsm.Key, a hsm.AuthenticationData, presented secret.CVV) error {
	got, err := m.static(ctx, cvk, func() (cvv.Block, error) { return cvv.CAVVInput(a) })
	return hsm.CheckCardValue(cvk, presented, got, err)
}

// static computes three digits over a block under a CVK: algorithm 3, whose
// single DES part runs under the companion K1‖K1.
func (m *Module) static(ctx context.Context, cvk *hsm.Key, lay func() (cvv.Block, error)) ([]byte, error) {
	if err := m.permit(hsm.OpCVV, cvk); err != nil {
		return nil, err
	}
	block, err := lay()
	if err != nil {
		return nil, err
	}
	out := new([cvv.Digits]byte)
	err = m.together(ctx, cvk, func(w *worker) error {
		keys, err := w.objects(cvk)
		if err != nil {
			return err
		}
		return w.cardValue(keys, &block, out)
	})
	if err != nil {
		return nil, err
	}
	return out[:], nil
}

// cardValue is the MAC of a block, read as three digits. The block, which holds
// the card number, is wiped.
func (w *worker) cardValue(keys pair, block *cvv.Block, out *[cvv.Digits]byte) error {
	defer clear(block[:])
	sum, err := w.alg3(&keys, block[:])
	*out = cvv.Value(sum)
	return err
}

// cardKey derives a card's key for dynamic values in the module, with its
// companion. The caller destroys both.
func (w *worker) cardKey(imk *hsm.Key, data [16]byte) (keys pair, err error) {
	base, err := w.objects(imk)
	if err != nil {
		return pair{}, err
	}
	if keys.whole, err = w.m.fused.derive(w.session, base.whole, &data, false); err != nil {
		return pair{}, w.fault("derive a card key", err)
	}
	data = emvkey.DoubledLeft(data)
	if keys.doubled, err = w.m.fused.derive(w.session, base.whole, &data, false); err != nil {
		w.destroy(keys.whole)
		return pair{}, w.fault("derive a card key", err)
	}
	return keys, nil
}

// DCVV makes a dynamic card verification value.
func (m *Module) DCVV(ctx context.Context, imk *hsm.Key, d hsm.DCVVData) (secret.CVV, error) {
	return hsm.MadeCardValue(m.dcvv(ctx, imk, d))
}

// VerifyDCVV checks a dynamic card verification value.
func (m *Module) VerifyDCVV(ctx context.Context, imk *hsm.Key, d hsm.DCVVData, presented secret.CVV) error {
	got, err := m.dcvv(ctx, imk, d)
	return hsm.CheckCardValue(imk, presented, got, err)
}

func (m *Module) dcvv(ctx context.Context, imk *hsm.Key, d hsm.DCVVData) ([]byte, error) {
	if err := m.permit(hsm.OpDynamicCVV, imk); err != nil {
		return nil, err
	}
	card, err := cvv.CardKeyData(d.Method, d.PAN, d.PSN)
	if err != nil {
		return nil, err
	}
	block, err := cvv.DCVVInput(d)
	if err != nil {
		return nil, err
	}
	out := new([cvv.Digits]byte)
	err = m.do(ctx, func(w *worker) error {
		keys, err := w.cardKey(imk, card)
		if err != nil {
			return err
		}
		defer w.destroy(keys.whole, keys.doubled)
		return w.cardValue(keys, &block, out)
	})
	if err != nil {
		return nil, err
	}
	return out[:], nil
}

// CVC3 makes a dynamic value of a contactless magnetic stripe card.
func (m *Module) CVC3(ctx context.Context, imk *hsm.Key, c hsm.CVC3Data) (secret.CVV, error) {
	return hsm.MadeCardValue(m.cvc3(ctx, imk, c))
}

// VerifyCVC3 checks a dynamic value of a contactless magnetic stripe card.
func (m *Module) VerifyCVC3(ctx context.Context, imk *hsm.Key, c hsm.CVC3Data, presented secret.CVV) error {
	got, err := m.cvc3(ctx, imk, c)
	return hsm.CheckCardValue(imk, presented, got, err)
}

func (m *Module) cvc3(ctx context.Context, imk *hsm.Key, c hsm.CVC3Data) ([]byte, error) {
	if err := m.permit(hsm.OpDynamicCVV, imk); err != nil {
		return nil, err
	}
	card, err := cvv.CardKeyData(c.Method, c.PAN, c.PSN)
	if err != nil {
		return nil, err
	}
	if err := cvv.CheckCVC3(c); err != nil {
		return nil, err
	}
	var track []byte
	if !c.Track.IsZero() {
		track = cvv.TrackInput(c.Track)
	}
	out := new([5]byte)
	err = m.do(ctx, func(w *worker) error {
		defer clear(track)
		keys, err := w.cardKey(imk, card)
		if err != nil {
			return err
		}
		defer w.destroy(keys.whole, keys.doubled)
		iv := c.IVCVC3
		if track != nil {
			sum, err := w.alg3(&keys, track)
			if err != nil {
				return err
			}
			iv = cvv.IV(sum)
		}
		in := cvv.CVC3Block(iv, c.UN, c.ATC)
		err = w.ecb(true, keys.whole, in[:], w.scratch.block[:])
		*out = cvv.CVC3(w.scratch.block, c.Digits)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out[:c.Digits], nil
}
