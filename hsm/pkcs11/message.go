// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bytes"
	"context"
	"fmt"
	"slices"

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
	if err := alg.Permit(key, m.nowFor(key, nil), len(data)); err != nil {
		return nil, err
	}
	c := m.calls.mac.take()
	c.prepare(key, alg, data)
	err := m.serve(ctx, key, &c.job)
	var out []byte
	if err == nil {
		out = append(make([]byte, 0, alg.Size()), c.out[:alg.Size()]...)
	}
	m.calls.mac.leave(c)
	return out, err
}

// macCall is one MAC on its way.
type macCall struct {
	job

	with   *hsm.Key
	alg    hsm.MACAlgorithm
	folded [8]byte // of a UnionPay MAC, which has no in
	in     []byte  // padded
	out    whole
}

// largeMAC is the buffer that a call does not keep.
const largeMAC = 4096

func (c *macCall) wipe() {
	clear(c.in)
	if cap(c.in) > largeMAC {
		c.in = nil
	}
	c.with, c.folded, c.out = nil, [8]byte{}, whole{}
}

// prepare folds or pads the data. It is copied before a worker sees it: a caller
// that gave up may change its own.
func (c *macCall) prepare(key *hsm.Key, alg hsm.MACAlgorithm, data []byte) {
	c.with, c.alg, c.in = key, alg, c.in[:0]
	if alg.Whole() == hsm.MACUnionPayECB {
		c.folded = mac.Fold(data)
		return
	}
	method, block := alg.Padding()
	c.in = slices.Grow(c.in, len(data)+2*block+1) // an address even for no data
	if method != 0 {
		c.in = mac.AppendPad(c.in, data, method, block)
	} else {
		c.in = append(c.in, data...)
	}
}

// run is what a worker does with the data.
func (c *macCall) run(w *worker) error {
	keys, err := w.objects(c.with)
	if err != nil {
		return err
	}
	switch c.alg.Whole() {
	case hsm.MACUnionPayECB:
		return w.unionPay(keys.whole, c.folded, &c.out)
	case hsm.MACRetail, hsm.MACRetailPad2, hsm.MACRetailPad3, hsm.MACAS2805:
		sum, err := w.alg3(&keys, c.in)
		copy(c.out[:], sum[:])
		return err
	case hsm.MACX99:
		if !single(c.with) {
			return fmt.Errorf("%w: X9.9 is single DES and takes an 8-byte key alone; use X9.19 with this one", hsm.ErrUsage)
		}
		return w.cbcMAC(keys.whole, c.in, &c.out)
	case hsm.MACCBC, hsm.MACCBCPad2, hsm.MACCBCPad3:
		return w.cbcMAC(keys.whole, c.in, &c.out)
	case hsm.MACCMACAES:
		return w.sign(p11.CKM_AES_CMAC, keys.whole, c.in, c.out[:16])
	case hsm.MACCMACTDES:
		return w.sign(p11.CKM_DES3_CMAC, keys.whole, c.in, c.out[:8])
	case hsm.MACHMACSHA256:
		return w.sign(p11.CKM_SHA256_HMAC, keys.whole, c.in, c.out[:32])
	}
	return fmt.Errorf("%w: %s is not built", hsm.ErrInput, c.alg)
}

// sign is a MAC that the module has a mechanism for.
func (w *worker) sign(mechanism uint, key p11.ObjectHandle, in, out []byte) error {
	if err := w.m.fused.sign(w.session, mechanism, key, in, out); err != nil {
		return w.fault("make a MAC", err)
	}
	return nil
}

// single reports whether a key that carries a companion K1‖K1 is K1‖K1 itself:
// AES key wrap gives equal bytes for equal keys. The key's binding was checked.
func single(key *hsm.Key) bool {
	half := len(key.Wrapped) / 2
	return hasDoubled(key.Usage, key.Algorithm) && bytes.Equal(key.Wrapped[:half], key.Wrapped[half:])
}

// unionPay is the ECB MAC of folded data: two block operations.
func (w *worker) unionPay(key p11.ObjectHandle, folded [8]byte, out *whole) error {
	left, right := mac.Halves(folded)
	block, err := w.chain2(key, left, right)
	text := mac.Text(block)
	copy(out[:], text[:])
	return err
}

// cbcMAC is ISO 9797-1 algorithm 1 over padded data, which it uses up: the last
// block of CBC.
func (w *worker) cbcMAC(key p11.ObjectHandle, padded []byte, out *whole) error {
	var iv [8]byte
	if err := w.m.fused.crypt(w.session, true, p11.CKM_DES3_CBC, iv[:], key, padded, padded); err != nil {
		return w.fault("chain a MAC", err)
	}
	copy(out[:], padded[len(padded)-8:])
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
