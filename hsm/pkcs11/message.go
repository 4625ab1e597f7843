// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bytes"
	"context"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/mac"
)

var _ hsm.MACer = (*Module)(nil)

// whole is a MAC before it is cut; as many bytes count as the algorithm has.
type whole = [32]byte

// MAC makes a message authentication code with a TAK, ZAK or HMAC key. The data
// is folded or padded here; every cipher operation runs in the module.
func (m *Module) MAC(ctx context.Context, key *hsm.Key, alg hsm.MACAlgorithm, data []byte) ([]byte, error) {
	if alg.IsSM() {
		return nil, noSM(alg.String())
	}
	if err := alg.Permit(key, m.world.Clock.Now(), len(data)); err != nil {
		return nil, err
	}
	work, err := macWork(key, alg, data)
	if err != nil {
		return nil, err
	}
	out := new(whole)
	err = m.together(ctx, key, func(w *worker) error {
		keys, err := w.objects(key)
		if err != nil {
			return err
		}
		return work(w, keys, out)
	})
	if err != nil {
		return nil, err
	}
	return out[:alg.Size():alg.Size()], nil
}

// macWork prepares the data and says what a worker does with it. The data is
// copied before a worker sees it: a caller that gave up may change its own.
func macWork(key *hsm.Key, alg hsm.MACAlgorithm, data []byte) (func(w *worker, keys pair, out *whole) error, error) {
	if alg.Whole() == hsm.MACUnionPayECB {
		folded := mac.Fold(data)
		return func(w *worker, keys pair, out *whole) error { return w.unionPay(keys, folded, out) }, nil
	}
	var in []byte
	if method, block := alg.Padding(); method != 0 {
		in = mac.AppendPad(make([]byte, 0, len(data)+2*block), data, method, block)
	} else {
		in = append(make([]byte, 0, len(data)+1), data...) // an address even for no data
	}
	switch alg.Whole() {
	case hsm.MACRetail, hsm.MACRetailPad2, hsm.MACRetailPad3, hsm.MACAS2805:
		return func(w *worker, keys pair, out *whole) error {
			sum, err := w.alg3(keys, in)
			copy(out[:], sum[:])
			return err
		}, nil
	case hsm.MACX99:
		return func(w *worker, keys pair, out *whole) error {
			if !single(key) {
				return fmt.Errorf("%w: X9.9 is single DES and takes an 8-byte key alone; use X9.19 with this one", hsm.ErrUsage)
			}
			return w.cbcMAC(keys.whole, in, out)
		}, nil
	case hsm.MACCBC, hsm.MACCBCPad2, hsm.MACCBCPad3:
		return func(w *worker, keys pair, out *whole) error { return w.cbcMAC(keys.whole, in, out) }, nil
	case hsm.MACCMACAES:
		return signWork(p11.CKM_AES_CMAC, in, 16), nil
	case hsm.MACCMACTDES:
		return signWork(p11.CKM_DES3_CMAC, in, 8), nil
	case hsm.MACHMACSHA256:
		return signWork(p11.CKM_SHA256_HMAC, in, 32), nil
	}
	return nil, fmt.Errorf("%w: %s is not built", hsm.ErrInput, alg)
}

// signWork is a MAC that the module has a mechanism for, of n bytes.
func signWork(mechanism uint, in []byte, n int) func(w *worker, keys pair, out *whole) error {
	return func(w *worker, keys pair, out *whole) error {
		if err := w.m.fused.sign(w.session, mechanism, keys.whole, in, out[:n]); err != nil {
			return w.fault("make a MAC", err)
		}
		return nil
	}
}

// single reports whether a key that carries a companion K1‖K1 is K1‖K1 itself:
// AES key wrap gives equal bytes for equal keys. The key's binding was checked.
func single(key *hsm.Key) bool {
	half := len(key.Wrapped) / 2
	return hasDoubled(key.Usage, key.Algorithm) && bytes.Equal(key.Wrapped[:half], key.Wrapped[half:])
}

// unionPay is the ECB MAC of folded data: two block operations.
func (w *worker) unionPay(keys pair, folded [8]byte, out *whole) error {
	left, right := mac.Halves(folded)
	block, err := w.chain2(keys.whole, &left, &right)
	text := mac.Text(block)
	copy(out[:], text[:])
	return err
}

// cbcMAC is ISO 9797-1 algorithm 1 over padded data: the last block of CBC.
func (w *worker) cbcMAC(key p11.ObjectHandle, padded []byte, out *whole) error {
	var iv [8]byte
	chain := make([]byte, len(padded))
	if err := w.m.fused.crypt(w.session, true, p11.CKM_DES3_CBC, iv[:], key, padded, chain); err != nil {
		return w.fault("chain a MAC", err)
	}
	copy(out[:], chain[len(chain)-8:])
	return nil
}

// VerifyMAC checks a message authentication code, comparing in constant time.
func (m *Module) VerifyMAC(ctx context.Context, key *hsm.Key, alg hsm.MACAlgorithm, data, want []byte) error {
	got, err := m.MAC(ctx, key, alg, data)
	if err != nil {
		return err
	}
	return hsm.CheckMAC(key, got, want)
}
