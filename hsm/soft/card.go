// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"context"

	"tapswitch/hsm"
	"tapswitch/hsm/cvv"
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

// static computes three digits over a block under a CVK.
func (m *Module) static(ctx context.Context, cvk *hsm.Key, lay func() (cvv.Block, error)) ([]byte, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	c, err := m.use(hsm.OpCVV, cvk)
	if err != nil {
		return nil, err
	}
	block, err := lay()
	if err != nil {
		return nil, err
	}
	defer wipe(block[:])
	out := cvv.Value(c.alg3(block[:]))
	return out[:], nil
}

// cardKey derives a card's key for dynamic values.
func (m *Module) cardKey(ctx context.Context, imk *hsm.Key, method hsm.CardKeyMethod, pan secret.PAN, psn [2]byte) (*ciphers, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	master, err := m.use(hsm.OpDynamicCVV, imk)
	if err != nil {
		return nil, err
	}
	data, err := cvv.CardKeyData(method, pan, psn)
	if err != nil {
		return nil, err
	}
	return master.derive(data)
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
	key, err := m.cardKey(ctx, imk, d.Method, d.PAN, d.PSN)
	if err != nil {
		return nil, err
	}
	block, err := cvv.DCVVInput(d)
	if err != nil {
		return nil, err
	}
	defer wipe(block[:])
	out := cvv.Value(key.alg3(block[:]))
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
	key, err := m.cardKey(ctx, imk, c.Method, c.PAN, c.PSN)
	if err != nil {
		return nil, err
	}
	if err := cvv.CheckCVC3(c); err != nil {
		return nil, err
	}
	iv := c.IVCVC3
	if !c.Track.IsZero() {
		in := cvv.TrackInput(c.Track)
		defer wipe(in)
		iv = cvv.IV(key.alg3(in))
	}
	out := cvv.CVC3(key.encrypt(cvv.CVC3Block(iv, c.UN, c.ATC)), c.Digits)
	return out[:c.Digits], nil
}
