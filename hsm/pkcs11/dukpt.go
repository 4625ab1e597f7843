// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/dukpt"
	"tapswitch/hsm/mac"
)

var (
	_ hsm.DUKPTMACer      = (*Module)(nil)
	_ hsm.DUKPTDataCipher = (*Module)(nil)
)

// permitDUKPT refuses a base key that must not be used before what is wrong with
// the rest, and a TDES initial key of the time before they had a carrier.
func (m *Module) permitDUKPT(base *hsm.Key, check func() error) error {
	if err := m.permit(hsm.OpDUKPT, base); err != nil {
		return err
	}
	if hasCarrier(base.Usage, base.Algorithm) && len(base.Wrapped) == wrappedLen(base.Algorithm.Size()) {
		return fmt.Errorf("%w: IK %q was stored by a version that could not use it, without what derivation needs; bring it in again", hsm.ErrInput, base.Name)
	}
	return check()
}

// dukptPIN is the PIN key of a transaction: what the PIN functions take in place
// of w.objects(key) when the block came with a key serial number. It
// may decipher and no more. The caller has passed d to permitDUKPT with
// checkPIN, and destroys the object.
func (w *worker) dukptPIN(d hsm.DUKPTKey) (p11.ObjectHandle, error) {
	keys, err := w.dukptKeys(d, dukpt.PIN, mayDecrypt)
	return keys.whole, err
}

// checkPIN refuses a working key that enciphers no PIN block.
func checkPIN(d hsm.DUKPTKey) error {
	if err := d.Check(); err != nil {
		return err
	}
	if d.Type.BlockSize() == 0 {
		return fmt.Errorf("%w: a PIN is not enciphered with a key of %s", hsm.ErrInput, d.Type)
	}
	return nil
}

// dukptKeys makes the objects of a working key, with the companion of algorithm
// 3 when it is a MAC key of TDES DUKPT. The caller destroys them.
func (w *worker) dukptKeys(d hsm.DUKPTKey, use dukpt.Use, may abilities) (pair, error) {
	if !d.KSN.IsAES() {
		return w.dukptTDES(d, use, may)
	}
	last := dukpt.WorkingStep(use.Purpose(), d.Type, d.KSN)
	if d.Type == hsm.HMAC128 || d.Type == hsm.HMAC192 {
		key, err := w.shortHMAC(d, last)
		return pair{whole: key}, err
	}
	parent, err := w.walk(d.Base, d.KSN, dukpt.Path(d.Base, d.KSN))
	if err != nil {
		return pair{}, err
	}
	key, err := w.step(parent, last, may)
	return pair{whole: key}, err
}

// dukptTDES makes a working key in the worker's locked page. The module makes
// the initial key from the BDK, or deciphers one that is kept, so that is all that
// leaves it.
func (w *worker) dukptTDES(d hsm.DUKPTKey, use dukpt.Use, may abilities) (keys pair, err error) {
	base, err := w.objects(d.Base)
	if err != nil {
		return pair{}, err
	}
	defer w.room.Wipe()
	key := w.room.Key(16)
	if err := w.dukptInitial(d, base, key); err != nil {
		return pair{}, err
	}
	w.room.DUKPTWorking(d.KSN, use)
	if keys.whole, err = w.m.fused.importWorking(w.session, p11.CKK_DES2, key, may); err != nil {
		return pair{}, w.fault("bring in a transaction key", err)
	}
	if use != dukpt.MACRequest && use != dukpt.MACResponse {
		return keys, nil
	}
	if keys.doubled, err = w.m.fused.importWorking(w.session, p11.CKK_DES2, w.room.Doubled(), mayEncrypt); err != nil {
		w.destroy(keys.whole)
		return pair{}, w.fault("bring in a transaction key", err)
	}
	return keys, nil
}

// dukptInitial puts a device's TDES initial key into the worker's locked page.
func (w *worker) dukptInitial(d hsm.DUKPTKey, base pair, key []byte) error {
	if hasCarrier(d.Base.Usage, d.Base.Algorithm) {
		return w.ecb(true, base.doubled, carriedOf(d.Base), key)
	}
	id := d.KSN.ID()
	if err := w.ecb(true, base.whole, id[:], key[:8]); err != nil {
		return err
	}
	return w.ecb(true, base.doubled, id[:], key[8:])
}

// derived is the PKCS#11 type of a derived key.
func derived(a hsm.Algorithm) uint {
	switch {
	case a == hsm.TDES2:
		return p11.CKK_DES2
	case a == hsm.TDES3:
		return p11.CKK_DES3
	case a.IsAES():
		return p11.CKK_AES
	}
	return p11.CKK_GENERIC_SECRET
}

// step derives one key inside the module.
func (w *worker) step(parent p11.ObjectHandle, s dukpt.Step, may abilities) (p11.ObjectHandle, error) {
	key, err := w.m.fused.deriveAES(w.session, parent, s.Data, derived(s.Type), s.Type.Size(), may)
	if err != nil {
		return 0, w.fault("derive a DUKPT key", err)
	}
	return key, nil
}

// walk goes down the chain from the base key inside the module and returns the
// last derivation key, which stays until the job ends. Every key of the chain is
// kept in the cache: the next transaction of the device shares all but the last
// of them. The search begins at the end of the chain, so one transaction's
// second function derives nothing. At any moment two keys of the chain are in use.
func (w *worker) walk(base *hsm.Key, ksn hsm.KSN, steps []dukpt.Step) (p11.ObjectHandle, error) {
	at, last := len(steps), (*entry)(nil)
	for ; at > 0 && last == nil; at-- {
		last = w.m.cache.get(w.derivedID(base, ksn, steps[at-1]))
	}
	var parent pair
	if last == nil {
		var err error
		if parent, err = w.objects(base); err != nil {
			return 0, err
		}
	} else {
		parent, at = last.keys, at+1
		w.held = append(w.held, last)
	}
	for _, s := range steps[at:] {
		key, err := w.step(parent.whole, s, mayDerive)
		if err != nil {
			return 0, err
		}
		e, drop := w.m.cache.put(w.derivedID(base, ksn, s), pair{whole: key})
		for _, old := range drop {
			w.remove(old)
		}
		w.m.cache.release(w.held[len(w.held)-1])
		w.held[len(w.held)-1], parent = e, e.keys
	}
	return parent.whole, nil
}

// derivedID names a derivation key in the cache: the whole content of its base
// key, as the base key's own name does, then device and counter.
func (w *worker) derivedID(base *hsm.Key, ksn hsm.KSN, s dukpt.Step) []byte {
	id := ksn.ID()
	w.id = append(append(w.name(base), id[:]...), byte(s.Counter>>24), byte(s.Counter>>16), byte(s.Counter>>8), byte(s.Counter))
	return w.id
}

// hmacLen is the shortest HMAC-SHA-256 key that modules take.
const hmacLen = 32

// shortHMAC makes an HMAC key of 16 or 24 bytes, filled up with zeros to the 32
// that modules ask for, which is the same key to HMAC. The zeros behind 16 bytes
// are derived too: as the cipher of what deciphers to them. Behind 24 bytes that
// cannot be, so those are enciphered into the worker's locked page.
func (w *worker) shortHMAC(d hsm.DUKPTKey, last dukpt.Step) (p11.ObjectHandle, error) {
	path := dukpt.Path(d.Base, d.KSN)
	n := len(path) - 1
	above, err := w.walk(d.Base, d.KSN, path[:n])
	if err != nil {
		return 0, err
	}
	base, err := w.step(above, path[n], mayDerive|mayEncrypt|mayDecrypt)
	if err != nil {
		return 0, err
	}
	defer w.destroy(base)
	if d.Type == hsm.HMAC128 {
		data, zeros := make([]byte, hmacLen), make([]byte, 16)
		copy(data, last.Data)
		if err := w.m.fused.crypt(w.session, false, p11.CKM_AES_ECB, nil, base, zeros, data[16:]); err != nil {
			return 0, w.fault("derive a DUKPT key", err)
		}
		key, err := w.m.fused.deriveAES(w.session, base, data, p11.CKK_GENERIC_SECRET, hmacLen, maySign)
		if err != nil {
			return 0, w.fault("derive a DUKPT key", err)
		}
		return key, nil
	}
	defer w.room.Wipe()
	value := w.room.Key(hmacLen)
	if err := w.m.fused.crypt(w.session, true, p11.CKM_AES_ECB, nil, base, last.Data, value); err != nil {
		return 0, w.fault("derive a DUKPT key", err)
	}
	clear(value[d.Type.Size():])
	key, err := w.m.fused.importWorking(w.session, p11.CKK_GENERIC_SECRET, value, maySign)
	if err != nil {
		return 0, w.fault("bring in a transaction key", err)
	}
	return key, nil
}

// DUKPTMAC makes a MAC under the key of a transaction.
func (m *Module) DUKPTMAC(ctx context.Context, d hsm.DUKPTKey, dir hsm.Direction, alg hsm.DUKPTMACAlgorithm, data []byte) ([]byte, error) {
	return m.dukptMAC(ctx, d, dir, alg, data, nil)
}

func (m *Module) dukptMAC(ctx context.Context, d hsm.DUKPTKey, dir hsm.Direction, alg hsm.DUKPTMACAlgorithm, data, received []byte) ([]byte, error) {
	var size int
	check := func() (err error) { size, err = d.CheckMAC(alg, dir, received); return err }
	if err := m.permitDUKPT(d.Base, check); err != nil {
		return nil, err
	}
	if len(data) == 0 || len(data) > hsm.MaxMACData {
		return nil, fmt.Errorf("%w: a MAC covers 1 to %d bytes", hsm.ErrInput, hsm.MaxMACData)
	}
	in, out := bytes.Clone(data), make([]byte, size)
	mechanism, may := uint(p11.CKM_SHA256_HMAC), maySign
	switch {
	case alg == hsm.DUKPTRetail:
		in, may = mac.AppendPad1(nil, data), mayEncrypt
	case alg == hsm.DUKPTCMAC && d.Type.IsTDES():
		mechanism = p11.CKM_DES3_CMAC
	case alg == hsm.DUKPTCMAC:
		mechanism = p11.CKM_AES_CMAC
	}
	err := m.do(ctx, func(w *worker) error {
		keys, err := w.dukptKeys(d, dukpt.MAC(dir), may)
		if err != nil {
			return err
		}
		defer w.destroy(keys.whole, keys.doubled)
		if alg == hsm.DUKPTRetail {
			block, err := w.alg3(&keys, in)
			copy(out, block[:])
			return err
		}
		if err := w.m.fused.sign(w.session, mechanism, keys.whole, in, out); err != nil {
			return w.fault("make a MAC", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// VerifyDUKPTMAC checks a MAC under the key of a transaction, in constant time.
func (m *Module) VerifyDUKPTMAC(ctx context.Context, d hsm.DUKPTKey, dir hsm.Direction, alg hsm.DUKPTMACAlgorithm, data, received []byte) error {
	if received == nil {
		received = []byte{}
	}
	got, err := m.dukptMAC(ctx, d, dir, alg, data, received)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(got[:len(received)], received) != 1 {
		return fmt.Errorf("%w: under a transaction key of %s %q version %d", hsm.ErrMAC, d.Base.Usage, d.Base.Name, d.Base.Version)
	}
	return nil
}

// EncipherDUKPTData enciphers under the data key of a transaction.
func (m *Module) EncipherDUKPTData(ctx context.Context, d hsm.DUKPTKey, dir hsm.Direction, mode hsm.CipherMode, data []byte) ([]byte, error) {
	return m.dukptData(ctx, d, dir, mode, data, true)
}

// DecipherDUKPTData deciphers under the data key of a transaction.
func (m *Module) DecipherDUKPTData(ctx context.Context, d hsm.DUKPTKey, dir hsm.Direction, mode hsm.CipherMode, data []byte) ([]byte, error) {
	return m.dukptData(ctx, d, dir, mode, data, false)
}

func (m *Module) dukptData(ctx context.Context, d hsm.DUKPTKey, dir hsm.Direction, mode hsm.CipherMode, data []byte, encipher bool) ([]byte, error) {
	if err := m.permitDUKPT(d.Base, func() error { return d.CheckData(dir, mode, data) }); err != nil {
		return nil, err
	}
	call, may := newCipherCall(d.Type, mode, data, encipher), mayDecrypt
	if encipher {
		may = mayEncrypt
	}
	err := m.do(ctx, func(w *worker) error {
		keys, err := w.dukptKeys(d, dukpt.Data(dir), may)
		if err != nil {
			return err
		}
		defer w.destroy(keys.whole)
		return w.cipher(call, keys.whole)
	})
	if err != nil {
		return nil, err
	}
	return call.out, nil
}
