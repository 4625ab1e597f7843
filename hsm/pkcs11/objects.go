// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
)

// wrappedLen is the length of a key of size bytes under AES key wrap.
func wrappedLen(size int) int { return size + 8 }

// hmacSize is the length of every HMAC key in the module. Modules refuse keys
// shorter than the hash (SoftHSM: CKR_KEY_SIZE_RANGE); a short key is filled
// with zeros, which by RFC 2104 does not change its MACs.
const hmacSize = 32

// sizeIn is the length of a key in the module.
func sizeIn(a hsm.Algorithm) int {
	if a.IsHMAC() {
		return hmacSize
	}
	return a.Size()
}

// hasDoubled reports whether a key carries the companion K1‖K1: the
// double-length DES keys under whose left half alone blocks are chained.
func hasDoubled(u hsm.Usage, a hsm.Algorithm) bool {
	return a == hsm.TDES2 && (u == hsm.TAK || u == hsm.ZAK || u == hsm.CVK)
}

// hasMasked reports whether a key carries the masked companion under which the
// right half of a TDES DUKPT initial key is made.
func hasMasked(u hsm.Usage, a hsm.Algorithm) bool { return u == hsm.BDK && a == hsm.TDES2 }

// hasCarrier reports whether a key carries a second key, under which it lies
// enciphered behind the wrapped ones: a TDES DUKPT initial key, whose first
// derivation step is a xor that no module in service does, and which must come
// out into the locked page for it, as it does when it is made of a BDK.
func hasCarrier(u hsm.Usage, a hsm.Algorithm) bool { return u == hsm.IK && a == hsm.TDES2 }

// carriedLen is the length of a key under its carrier.
const carriedLen = 16

// hasVariants reports whether a key carries its two variants for key blocks of the
// versions A and C: no module in service xors a key by plain PKCS#11.
func hasVariants(u hsm.Usage, a hsm.Algorithm) bool { return u == hsm.KBPK && a.IsTDES() }

// firstVariant is the place of the first variant among pair.parts.
const firstVariant = 2

// companions says which of pair.parts a key has.
func companions(u hsm.Usage, a hsm.Algorithm) [4]bool {
	variants := hasVariants(u, a)
	return [4]bool{true, hasDoubled(u, a) || hasMasked(u, a) || hasCarrier(u, a), variants, variants}
}

// keyType is the PKCS#11 type of an algorithm.
func keyType(a hsm.Algorithm) (uint, error) {
	switch {
	case a == hsm.TDES2:
		return p11.CKK_DES2, nil
	case a == hsm.TDES3:
		return p11.CKK_DES3, nil
	case a.IsAES():
		return p11.CKK_AES, nil
	case a.IsHMAC():
		return p11.CKK_GENERIC_SECRET, nil
	case a == hsm.SM4:
		return 0, noSM("keys of " + a.String())
	}
	return 0, fmt.Errorf("%w: keys of %s are not built for PKCS#11", hsm.ErrInput, a)
}

// permit refuses what must not be done with a key before the module is asked.
func (m *Module) permit(op hsm.Operation, k *hsm.Key) error {
	return hsm.Permit(op, k, m.nowFor(k, nil))
}

// nowFor is the time against which the ends of keys are held: zero, and no look at
// the clock, when none of them has an end.
func (m *Module) nowFor(a, b *hsm.Key) (now time.Time) {
	if a != nil && a.NotAfter != 0 || b != nil && b.NotAfter != 0 {
		now = m.world.Clock.Now()
	}
	return now
}

// objects returns the session objects of a key, unwrapped when they are not
// there yet; they stay until the job ends. The binding is checked before the
// module unwraps anything.
func (w *worker) objects(k *hsm.Key) (pair, error) {
	if e := w.nearby.find(k, w.generation); e != nil {
		return e.keys, nil
	}
	w.id = w.name(k)
	if e := w.m.cache.get(w.id); e != nil {
		w.use(k, e)
		return e.keys, nil
	}
	lmk, err := w.under(k)
	if err != nil {
		return pair{}, err
	}
	bound, err := w.bindUnder(lmk.binding, w.id[:len(w.id)-len(k.Binding)])
	if err != nil {
		return pair{}, err
	}
	blobs, ok := blobsOf(k)
	if subtle.ConstantTimeCompare(bound[:], k.Binding[:]) != 1 || !ok {
		return pair{}, fmt.Errorf("%w: %s %q version %d", hsm.ErrBinding, k.Usage, k.Name, k.Version)
	}
	var keys pair
	for i, part := range keys.parts() {
		if !companions(k.Usage, k.Algorithm)[i] {
			continue
		}
		if *part, err = w.unwrapUnder(lmk.lmk, k, blobs[0], i >= firstVariant); err != nil {
			w.remove(keys)
			return pair{}, err
		}
		blobs = blobs[1:]
	}
	return w.hold(keys), nil
}

// name is all that is bound of a key, and its binding: what names it in the
// cache. It is the worker's scratch w.id.
func (w *worker) name(k *hsm.Key) []byte {
	return append(k.AppendBound(w.id[:0]), k.Binding[:]...)
}

// hold puts keys into the cache under w.id and keeps them until the job ends;
// another worker's are used when it was first.
func (w *worker) hold(keys pair) pair {
	e, drop := w.m.cache.put(w.id, keys)
	w.held = append(w.held, e)
	for _, old := range drop {
		w.remove(old)
	}
	return e.keys
}

// blobsOf takes apart what is wrapped: the key, and its companion if it has one.
// What is carried behind them is no blob.
func blobsOf(k *hsm.Key) (blobs [][]byte, ok bool) {
	size, want := wrappedLen(sizeIn(k.Algorithm)), 0
	for _, there := range companions(k.Usage, k.Algorithm) {
		if there {
			want++
		}
	}
	wrapped := k.Wrapped[:len(k.Wrapped)-len(carriedOf(k))]
	return slices.Collect(slices.Chunk(wrapped, size)), len(wrapped) == want*size
}

// carriedOf is a key under its carrier, nil when it has none.
func carriedOf(k *hsm.Key) []byte {
	if !hasCarrier(k.Usage, k.Algorithm) || len(k.Wrapped) < carriedLen {
		return nil
	}
	return k.Wrapped[len(k.Wrapped)-carriedLen:]
}

// bind computes the CMAC of bound content under the newest second local master key.
func (w *worker) bind(content []byte) ([16]byte, error) {
	return w.bindUnder(w.m.link.binding, content)
}

// bindUnder is bind under one of the second local master keys.
func (w *worker) bindUnder(binding p11.ObjectHandle, content []byte) ([16]byte, error) {
	if err := w.m.fused.cmac(w.session, binding, content, &w.scratch.sum); err != nil {
		return [16]byte{}, w.fault("bind a key", err)
	}
	return w.scratch.sum, nil
}

// keyWrap is the mechanism of the local master key.
func keyWrap() []*p11.Mechanism {
	return []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_KEY_WRAP, nil)}
}

// unwrapUnder makes a session object that can do what the usage needs and no more. A
// variant of a key block protection key enciphers and deciphers, which the key itself
// does not need.
func (w *worker) unwrapUnder(lmk p11.ObjectHandle, k *hsm.Key, blob []byte, variant bool) (p11.ObjectHandle, error) {
	kind, err := keyType(k.Algorithm)
	if err != nil {
		return 0, err
	}
	template := []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_KEY_TYPE, kind),
		p11.NewAttribute(p11.CKA_TOKEN, false), p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, false),
		p11.NewAttribute(p11.CKA_ENCRYPT, canEncrypt(k)), p11.NewAttribute(p11.CKA_DECRYPT, variant || canDecrypt(k.Usage)),
		p11.NewAttribute(p11.CKA_SIGN, canSign(k.Usage)), p11.NewAttribute(p11.CKA_DERIVE, canDerive(k)),
		p11.NewAttribute(p11.CKA_WRAP, false), p11.NewAttribute(p11.CKA_UNWRAP, false), // modules default to true
	}
	handle, err := w.m.ctx.UnwrapKey(w.session, keyWrap(), lmk, blob, template)
	if err != nil {
		return 0, w.fault("unwrap a key", err)
	}
	return handle, nil
}

// canEncrypt leaves out keys that only sign, derive or decipher: an AES MAC key
// has CMAC, a DES one the CBC MACs too.
func canEncrypt(k *hsm.Key) bool {
	if canSign(k.Usage) {
		return k.Algorithm.IsTDES()
	}
	return (!canDerive(k) || forScripts(k.Usage) || k.Usage == hsm.KBPK) && k.Usage != hsm.TPK // a KBPK enciphers a zero block too
}

func canSign(u hsm.Usage) bool {
	return u == hsm.PANToken || u == hsm.HMACKey || u == hsm.TAK || u == hsm.ZAK
}

func canDecrypt(u hsm.Usage) bool {
	return u == hsm.TPK || u == hsm.ZPK || u == hsm.TMK || u == hsm.ZMK || u == hsm.PANSeal || u == hsm.TDK || u == hsm.ZDK
}

// forScripts tells the keys that must do both: derive card keys inside, and
// encipher them out for Visa's scripts.
func forScripts(u hsm.Usage) bool { return u == hsm.IMKSMI || u == hsm.IMKSMC }

func canDerive(k *hsm.Key) bool {
	return k.Usage == hsm.IMKAC || k.Usage == hsm.IMKCVC3 || k.Usage == hsm.KBPK || forScripts(k.Usage) || hsm.OpDUKPT.Allows(k.Usage) && k.Algorithm.IsAES()
}

// remove takes away all objects of a key.
func (w *worker) remove(keys pair) {
	for _, object := range keys.parts() {
		w.destroy(*object)
	}
}

// destroy removes session objects. One that cannot be removed now is removed
// before the worker's next job, or dies with its session.
func (w *worker) destroy(objects ...p11.ObjectHandle) {
	for _, object := range objects {
		if object == 0 {
			continue
		}
		err := w.m.fused.destroy(w.session, object)
		if err == nil || errors.Is(err, p11.Error(p11.CKR_OBJECT_HANDLE_INVALID)) {
			continue
		}
		w.m.suspect.Store(true)
		w.orphans = append(w.orphans, object)
	}
}

// maxOrphans is the number of objects that may not be destroyed before only new
// sessions help.
const maxOrphans = 64

// bury tries again to destroy what destroy could not.
func (w *worker) bury() {
	if len(w.orphans) == 0 {
		return
	}
	again := w.orphans
	w.orphans = nil
	w.destroy(again...)
	if len(w.orphans) > maxOrphans {
		w.m.lose(fmt.Errorf("%d objects cannot be destroyed", len(w.orphans)))
	}
}

// alg3 is ISO 9797-1 algorithm 3 over padded data, which it uses up: CBC under
// K1‖K1, which is single DES, for all blocks but the last, and E-D-E under the
// whole key for the last. Single DES itself is refused by modules in service.
// Alone it is one crossing, in a lot two steps.
func (w *worker) alg3(keys *pair, padded []byte) ([8]byte, error) {
	if w.hand != nil {
		return w.alg3InLot(keys, padded)
	}
	if err := w.m.fused.alg3(w.session, keys, padded, &w.scratch.block); err != nil {
		return [8]byte{}, w.fault("make a MAC", err)
	}
	return w.scratch.block, nil
}

func (w *worker) alg3InLot(keys *pair, padded []byte) (block [8]byte, err error) {
	last := len(padded) - 8
	if last > 0 {
		if err := w.chain(keys.doubled, padded[:last]); err != nil {
			return block, err
		}
		subtle.XORBytes(padded[last:], padded[last:], padded[last-8:last])
	}
	err = w.ecb(true, keys.whole, padded[last:], block[:])
	return block, err
}

// chain is CBC from zeros, in place. One block of it is ECB, which goes together
// with those of others.
func (w *worker) chain(key p11.ObjectHandle, blocks []byte) error {
	if len(blocks) == 8 {
		return w.ecb(true, key, blocks, blocks)
	}
	var iv [8]byte
	if err := w.m.fused.crypt(w.session, true, p11.CKM_DES3_CBC, iv[:], key, blocks, blocks); err != nil {
		return w.fault("chain a MAC", err)
	}
	return nil
}
