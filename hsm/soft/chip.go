// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"context"
	"crypto/subtle"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/hsm/emvkey"
)

var (
	_ hsm.CSUAnswerer   = (*Module)(nil)
	_ hsm.GivenVerifier = (*Module)(nil)
)

// derive makes the key that the cipher of data under c is, odd parity, as a
// PKCS#11 token derives it.
func (c *ciphers) derive(data [16]byte) (*ciphers, error) {
	room := clear.Unlocked()
	defer room.Wipe()
	value := room.Key(16)
	c.encipher(value, data[:])
	room.OddParity(16)
	return expandDES(value)
}

// encipher runs whole blocks through ECB.
func (c *ciphers) encipher(dst, src []byte) {
	for i := 0; i+8 <= len(src); i += 8 {
		c.whole.Encrypt(dst[i:], src[i:])
	}
}

// walk derives the key of a cryptogram from the issuer master key.
func (c *ciphers) walk(w emvkey.Way) (*ciphers, error) {
	if w.Tree.Height > 0 {
		return c.climb(w)
	}
	card, err := c.derive(w.Card)
	if err != nil || !w.Derived {
		return card, err
	}
	return card.derive(w.Data)
}

// climb derives a session key by the tree of EMV 2000.
func (c *ciphers) climb(w emvkey.Way) (*ciphers, error) {
	room := clear.Unlocked()
	defer room.Wipe()
	c.encipher(room.Key(16), w.Card[:])
	room.OddParity(16)
	err := room.Tree(w.Tree, w.ATC, func(key, data []byte) error {
		level, err := expandDES(key)
		if err != nil {
			return err
		}
		level.encipher(data, data)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return expandDES(room.Key(16))
}

// chip is one cryptogram's input and the issuer master key's ciphers.
type chip struct {
	master *ciphers
	in     emvkey.Input
}

func (m *Module) chip(ctx context.Context, imk *hsm.Key, prepare func() (emvkey.Input, error)) (c chip, err error) {
	if err := alive(ctx); err != nil {
		return c, err
	}
	if c.master, err = m.use(hsm.OpCryptogram, imk); err != nil {
		return c, err
	}
	c.in, err = prepare()
	return c, err
}

// verify compares the cryptogram with what the card's key makes of the input.
func (c chip) verify() error {
	key, err := c.master.walk(c.in.Key)
	if err != nil {
		return err
	}
	got := key.alg3(c.in.Padded())
	if subtle.ConstantTimeCompare(got[:], c.in.AC[:]) != 1 {
		return hsm.ErrCryptogram
	}
	return nil
}

// arpc1 is the answer by method 1.
func (c chip) arpc1(arc [2]byte) ([8]byte, error) {
	key, err := c.master.walk(c.in.Answer)
	if err != nil {
		return [8]byte{}, err
	}
	return key.encrypt(emvkey.ARPC1(c.in.AC, arc)), nil
}

// arpc2 is the answer by method 2.
func (c chip) arpc2(csu hsm.CSU) ([4]byte, error) {
	padded, err := emvkey.ARPC2(c.in.AC, csu)
	if err != nil {
		return [4]byte{}, err
	}
	key, err := c.master.walk(c.in.Answer)
	if err != nil {
		return [4]byte{}, err
	}
	full := key.alg3(padded)
	return [4]byte(full[:4]), nil
}

// VerifyARQC checks an application cryptogram.
func (m *Module) VerifyARQC(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram) error {
	work, err := m.chip(ctx, imk, func() (emvkey.Input, error) { return emvkey.Prepare(c) })
	if err != nil {
		return err
	}
	return work.verify()
}

// ARPC answers an application cryptogram by method 1.
func (m *Module) ARPC(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram, arc [2]byte) (out [10]byte, err error) {
	work, err := m.chip(ctx, imk, func() (emvkey.Input, error) { return emvkey.Prepare(c) })
	if err != nil {
		return out, err
	}
	arpc, err := work.arpc1(arc)
	if err != nil {
		return out, err
	}
	copy(out[:], arpc[:])
	copy(out[8:], arc[:])
	return out, nil
}

// ARPC2 answers an application cryptogram by method 2.
func (m *Module) ARPC2(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram, csu hsm.CSU) ([]byte, error) {
	work, err := m.chip(ctx, imk, func() (emvkey.Input, error) { return emvkey.Prepare(c) })
	if err != nil {
		return nil, err
	}
	arpc, err := work.arpc2(csu)
	if err != nil {
		return nil, err
	}
	return emvkey.Tag91(arpc, csu), nil
}

// VerifyGiven checks a cryptogram over data that the caller laid out.
func (m *Module) VerifyGiven(ctx context.Context, imk *hsm.Key, g hsm.Given) error {
	work, err := m.chip(ctx, imk, func() (emvkey.Input, error) { return emvkey.PrepareGiven(g) })
	if err != nil {
		return err
	}
	return work.verify()
}

// GivenARPC1 answers such a cryptogram by method 1.
func (m *Module) GivenARPC1(ctx context.Context, imk *hsm.Key, g hsm.Given, arc [2]byte) ([8]byte, error) {
	work, err := m.chip(ctx, imk, func() (emvkey.Input, error) { return emvkey.PrepareGiven(g) })
	if err != nil {
		return [8]byte{}, err
	}
	return work.arpc1(arc)
}

// GivenARPC2 answers such a cryptogram by method 2.
func (m *Module) GivenARPC2(ctx context.Context, imk *hsm.Key, g hsm.Given, csu hsm.CSU) ([4]byte, error) {
	work, err := m.chip(ctx, imk, func() (emvkey.Input, error) { return emvkey.PrepareGiven(g) })
	if err != nil {
		return [4]byte{}, err
	}
	return work.arpc2(csu)
}

// scriptKey derives the session key of a script.
func (c *ciphers) scriptKey(s hsm.Script) (*ciphers, error) {
	w, xor, err := emvkey.ScriptWay(s)
	if err != nil {
		return nil, err
	}
	if !xor {
		return c.walk(w)
	}
	room := clear.Unlocked()
	defer room.Wipe()
	c.encipher(room.Key(16), w.Card[:])
	room.VisaScriptKey(s.ATC)
	return expandDES(room.Key(16))
}
