// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	"crypto/subtle"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
)

var (
	_ hsm.CSUAnswerer   = (*Module)(nil)
	_ hsm.GivenVerifier = (*Module)(nil)
)

// derivedKeys are the objects of a derived key. own ones are destroyed by drop;
// card keys stay in the cache and are released when the job ends.
type derivedKeys struct {
	pair
	own bool
}

func (w *worker) drop(d derivedKeys) {
	if d.own {
		w.destroy(d.whole, d.doubled)
	}
}

// card returns a card's key under an issuer master key, derived in the module
// when the cache has it not: a payment asks for it twice, to check and to
// answer. doubled adds the companion K1‖K1.
func (w *worker) card(imk *hsm.Key, data [16]byte, doubled bool) (pair, error) {
	base, err := w.objects(imk)
	if err != nil {
		return pair{}, err
	}
	mark := byte(1)
	if doubled {
		mark = 2
	}
	w.id = append(append(w.name(imk), mark), data[:]...)
	if e := w.m.cache.get(w.id); e != nil {
		w.held = append(w.held, e)
		return e.keys, nil
	}
	keys, err := w.derivePair(base.whole, data, doubled)
	if err != nil {
		return pair{}, err
	}
	return w.hold(keys), nil
}

// derivePair derives a key, with its companion when doubled.
func (w *worker) derivePair(from p11.ObjectHandle, data [16]byte, doubled bool) (keys pair, err error) {
	if keys.whole, err = w.m.fused.derive(w.session, from, &data, false); err != nil {
		return pair{}, w.fault("derive a card or session key", err)
	}
	if !doubled {
		return keys, nil
	}
	data = emvkey.DoubledLeft(data)
	if keys.doubled, err = w.m.fused.derive(w.session, from, &data, false); err != nil {
		w.destroy(keys.whole)
		return pair{}, w.fault("derive a card or session key", err)
	}
	return keys, nil
}

// chipKeys derives the key of a cryptogram or script, inside but for the tree of
// EMV 2000.
func (w *worker) chipKeys(imk *hsm.Key, way emvkey.Way, doubled bool) (derivedKeys, error) {
	if way.Tree.Height > 0 {
		return w.climb(imk, way, doubled)
	}
	keys, err := w.card(imk, way.Card, doubled && !way.Derived)
	if err != nil || !way.Derived {
		return derivedKeys{pair: keys}, err
	}
	keys, err = w.derivePair(keys.whole, way.Data, doubled)
	return derivedKeys{keys, true}, err
}

// climb derives a session key by the tree of EMV 2000. Each level takes keys as
// data, so they are in the worker's locked page.
func (w *worker) climb(imk *hsm.Key, way emvkey.Way, doubled bool) (derivedKeys, error) {
	if err := w.cardBytes(imk, way.Card[:]); err != nil {
		return derivedKeys{}, err
	}
	w.room.OddParity(16)
	err := w.room.Tree(way.Tree, way.ATC, func(key, data []byte) error {
		object, err := w.m.fused.importWorking(w.session, p11.CKK_DES2, key, mayEncrypt)
		if err != nil {
			return w.fault("bring in a level of a key tree", err)
		}
		defer w.destroy(object)
		return w.ecb(true, object, data, data)
	})
	if err != nil {
		return derivedKeys{}, err
	}
	return w.roomKey(doubled)
}

// cardBytes puts a card key, or its left half when data has 8 bytes, into the
// worker's locked page: what xors keys cannot be done inside. A master key for
// cryptograms may only derive, so it is unwrapped once more, for this.
func (w *worker) cardBytes(imk *hsm.Key, data []byte) error {
	keys, err := w.objects(imk)
	if err != nil {
		return err
	}
	if imk.Usage == hsm.IMKAC {
		if keys.whole, err = w.unwrapToEncrypt(imk); err != nil {
			return err
		}
		defer w.destroy(keys.whole)
	}
	return w.ecb(true, keys.whole, data, w.room.Key(len(data)))
}

// unwrapToEncrypt makes a session object of a double-length DES key that can
// encipher and nothing else. Its binding has been checked.
func (w *worker) unwrapToEncrypt(k *hsm.Key) (p11.ObjectHandle, error) {
	lmk, err := w.under(k)
	if err != nil {
		return 0, err
	}
	handle, err := w.m.ctx.UnwrapKey(w.session, keyWrap(), lmk.lmk, k.Wrapped[:wrappedLen(k.Algorithm.Size())], []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_DES2),
		p11.NewAttribute(p11.CKA_TOKEN, false), p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, false),
		p11.NewAttribute(p11.CKA_ENCRYPT, true), p11.NewAttribute(p11.CKA_DECRYPT, false), p11.NewAttribute(p11.CKA_DERIVE, false),
	})
	if err != nil {
		return 0, w.fault("unwrap a key", err)
	}
	return handle, nil
}

// roomKey brings in the session key that is in the worker's locked page.
func (w *worker) roomKey(doubled bool) (d derivedKeys, err error) {
	d.own = true
	if d.whole, err = w.m.fused.importWorking(w.session, p11.CKK_DES2, w.room.Key(16), mayEncrypt); err != nil {
		return derivedKeys{}, w.fault("bring in a session key", err)
	}
	if !doubled {
		return d, nil
	}
	if d.doubled, err = w.m.fused.importWorking(w.session, p11.CKK_DES2, w.room.Doubled(), mayEncrypt); err != nil {
		w.destroy(d.whole)
		return derivedKeys{}, w.fault("bring in a session key", err)
	}
	return d, nil
}

// verify checks a cryptogram.
func (m *Module) verify(ctx context.Context, imk *hsm.Key, prepare func() (emvkey.Input, error)) error {
	if err := m.permit(hsm.OpCryptogram, imk); err != nil {
		return err
	}
	in, err := prepare()
	if err != nil {
		return err
	}
	return m.do(ctx, func(w *worker) error {
		keys, err := w.chipKeys(imk, in.Key, true)
		if err != nil {
			return err
		}
		defer w.drop(keys)
		got, err := w.alg3(&keys.pair, in.Padded())
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(got[:], in.AC[:]) != 1 {
			return hsm.ErrCryptogram
		}
		return nil
	})
}

// arpc1 answers a cryptogram by method 1.
func (m *Module) arpc1(ctx context.Context, imk *hsm.Key, arc [2]byte, prepare func() (emvkey.Input, error)) ([8]byte, error) {
	if err := m.permit(hsm.OpCryptogram, imk); err != nil {
		return [8]byte{}, err
	}
	in, err := prepare()
	if err != nil {
		return [8]byte{}, err
	}
	block, out := emvkey.ARPC1(in.AC, arc), new([8]byte)
	err = m.do(ctx, func(w *worker) error {
		// The card key that checked the cryptogram is in the cache with its companion.
		keys, err := w.chipKeys(imk, in.Answer, !in.Key.Derived && !in.Answer.Derived)
		if err != nil {
			return err
		}
		defer w.drop(keys)
		return w.ecb(true, keys.whole, block[:], out[:])
	})
	if err != nil {
		return [8]byte{}, err
	}
	return *out, nil
}

// arpc2 answers a cryptogram by method 2.
func (m *Module) arpc2(ctx context.Context, imk *hsm.Key, csu hsm.CSU, prepare func() (emvkey.Input, error)) ([4]byte, error) {
	if err := m.permit(hsm.OpCryptogram, imk); err != nil {
		return [4]byte{}, err
	}
	in, err := prepare()
	if err != nil {
		return [4]byte{}, err
	}
	padded, err := emvkey.ARPC2(in.AC, csu)
	if err != nil {
		return [4]byte{}, err
	}
	out := new([8]byte)
	err = m.do(ctx, func(w *worker) error {
		keys, err := w.chipKeys(imk, in.Answer, true)
		if err != nil {
			return err
		}
		defer w.drop(keys)
		*out, err = w.alg3(&keys.pair, padded)
		return err
	})
	if err != nil {
		return [4]byte{}, err
	}
	return [4]byte(out[:4]), nil
}

// VerifyARQC checks an application cryptogram. Card and session keys are derived
// in the module and never leave it.
func (m *Module) VerifyARQC(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram) error {
	return m.verify(ctx, imk, func() (emvkey.Input, error) { return emvkey.Prepare(c) })
}

// ARPC answers an application cryptogram by method 1.
func (m *Module) ARPC(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram, arc [2]byte) (out [10]byte, err error) {
	arpc, err := m.arpc1(ctx, imk, arc, func() (emvkey.Input, error) { return emvkey.Prepare(c) })
	if err != nil {
		return out, err
	}
	copy(out[:], arpc[:])
	copy(out[8:], arc[:])
	return out, nil
}

// ARPC2 answers an application cryptogram by method 2.
func (m *Module) ARPC2(ctx context.Context, imk *hsm.Key, c hsm.Cryptogram, csu hsm.CSU) ([]byte, error) {
	arpc, err := m.arpc2(ctx, imk, csu, func() (emvkey.Input, error) { return emvkey.Prepare(c) })
	if err != nil {
		return nil, err
	}
	return emvkey.Tag91(arpc, csu), nil
}

// VerifyGiven checks a cryptogram over data that the caller laid out.
func (m *Module) VerifyGiven(ctx context.Context, imk *hsm.Key, g hsm.Given) error {
	return m.verify(ctx, imk, func() (emvkey.Input, error) { return emvkey.PrepareGiven(g) })
}

// GivenARPC1 answers such a cryptogram by method 1.
func (m *Module) GivenARPC1(ctx context.Context, imk *hsm.Key, g hsm.Given, arc [2]byte) ([8]byte, error) {
	return m.arpc1(ctx, imk, arc, func() (emvkey.Input, error) { return emvkey.PrepareGiven(g) })
}

// GivenARPC2 answers such a cryptogram by method 2.
func (m *Module) GivenARPC2(ctx context.Context, imk *hsm.Key, g hsm.Given, csu hsm.CSU) ([4]byte, error) {
	return m.arpc2(ctx, imk, csu, func() (emvkey.Input, error) { return emvkey.PrepareGiven(g) })
}
