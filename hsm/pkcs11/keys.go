// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/keyblock"
	"tapswitch/internal/secret"
)

// made is a new key on its way out of a job.
type made struct {
	key   hsm.Key
	check [8]byte
}

// Generate makes a random key that never leaves the module in clear.
func (m *Module) Generate(ctx context.Context, spec hsm.Spec) (hsm.Key, error) {
	if err := spec.Check(); err != nil {
		return hsm.Key{}, err
	}
	out := new(made)
	err := m.do(ctx, func(w *worker) (err error) {
		keys, err := w.generate(spec)
		if err != nil {
			return err
		}
		defer w.remove(keys)
		*out, err = w.keep(spec, keys)
		return err
	})
	if err != nil {
		return hsm.Key{}, err
	}
	return out.key, nil
}

// generate makes the session objects of a random key. For a key with a
// companion both are derived from one random base that is thrown away: K1 is
// the cipher of the same block in either.
func (w *worker) generate(spec hsm.Spec) (pair, error) {
	mechanism := uint(p11.CKM_AES_KEY_GEN)
	if u, a := spec.Usage, spec.Algorithm; hasMasked(u, a) || hasVariants(u, a) || hasCarrier(u, a) {
		return w.generateMasked(spec)
	}
	if _, err := keyType(spec.Algorithm); err != nil {
		return pair{}, err
	}
	template := []*p11.Attribute{
		p11.NewAttribute(p11.CKA_TOKEN, false), p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, true),
		p11.NewAttribute(p11.CKA_ENCRYPT, true), p11.NewAttribute(p11.CKA_SIGN, true), p11.NewAttribute(p11.CKA_DERIVE, true),
	}
	switch {
	case spec.Algorithm == hsm.TDES2:
		mechanism = p11.CKM_DES2_KEY_GEN
	case spec.Algorithm == hsm.TDES3:
		mechanism = p11.CKM_DES3_KEY_GEN
	case spec.Algorithm.Size() != sizeIn(spec.Algorithm):
		return w.generateFilled(spec)
	case spec.Algorithm.IsHMAC():
		return w.generateHMAC()
	default:
		template = append(template, p11.NewAttribute(p11.CKA_VALUE_LEN, spec.Algorithm.Size()))
	}
	base, err := w.m.ctx.GenerateKey(w.session, []*p11.Mechanism{p11.NewMechanism(mechanism, nil)}, template)
	if err != nil {
		return pair{}, w.fault("generate a key", err)
	}
	if !hasDoubled(spec.Usage, spec.Algorithm) {
		return pair{whole: base}, nil
	}
	defer w.destroy(base)
	data := [16]byte{7: 1, 15: 2}
	var keys pair
	if keys.whole, err = w.m.fused.derive(w.session, base, &data, true); err != nil {
		return pair{}, w.fault("generate a key", err)
	}
	data[15] = 1
	if keys.doubled, err = w.m.fused.derive(w.session, base, &data, true); err != nil {
		w.destroy(keys.whole)
		return pair{}, w.fault("generate a key", err)
	}
	return keys, nil
}

// generateMasked makes a random key whose companions are its xor with masks, or
// carry it to where it is xored: no module in service xors keys, so the key is in
// the worker's locked page once.
func (w *worker) generateMasked(spec hsm.Spec) (pair, error) {
	if err := w.fresh(&hsm.WorkingKey{Spec: spec}); err != nil {
		return pair{}, err
	}
	return w.imported(spec)
}

// generateHMAC makes an HMAC key as long as the hash, inside the module.
func (w *worker) generateHMAC() (pair, error) {
	template := []*p11.Attribute{
		p11.NewAttribute(p11.CKA_TOKEN, false), p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, true),
		p11.NewAttribute(p11.CKA_SIGN, true), p11.NewAttribute(p11.CKA_VALUE_LEN, hmacSize),
	}
	key, err := w.m.ctx.GenerateKey(w.session, []*p11.Mechanism{p11.NewMechanism(p11.CKM_GENERIC_SECRET_KEY_GEN, nil)}, template)
	if err != nil {
		return pair{}, w.fault("generate a key", err)
	}
	return pair{whole: key}, nil
}

// generateFilled makes an HMAC key shorter than the hash: its bytes come from
// the module's random numbers and are zero filled in the worker's locked page.
func (w *worker) generateFilled(spec hsm.Spec) (pair, error) {
	if err := w.m.fused.random(w.session, w.room.Key(spec.Algorithm.Size())); err != nil {
		return pair{}, w.fault("generate a key", err)
	}
	return w.imported(spec)
}

// imported makes the session objects of the clear key in the worker's locked page.
func (w *worker) imported(spec hsm.Spec) (keys pair, err error) {
	kind, err := keyType(spec.Algorithm)
	if err != nil {
		return pair{}, err
	}
	value := w.room.Key(sizeIn(spec.Algorithm))
	clear(value[spec.Algorithm.Size():])
	if hasCarrier(spec.Usage, spec.Algorithm) {
		if err := w.m.fused.random(w.session, w.room.Companion(carriedLen)); err != nil {
			return pair{}, w.fault("generate a key", err)
		}
		keys.carried = w.room.Carry()
	}
	values := [...]func() []byte{
		func() []byte { return value },
		w.companion(spec),
		func() []byte { return w.room.Variant(keyblock.Encipher, spec.Algorithm.Size()) },
		func() []byte { return w.room.Variant(keyblock.Authenticate, spec.Algorithm.Size()) },
	}
	for i, there := range companions(spec.Usage, spec.Algorithm) {
		if !there {
			continue
		}
		if *keys.parts()[i], err = w.m.fused.importKey(w.session, kind, values[i]()); err != nil {
			w.remove(keys)
			return pair{}, w.fault("bring in a key", err)
		}
	}
	return keys, nil
}

// companion writes the second object's value beside the clear key.
func (w *worker) companion(spec hsm.Spec) func() []byte {
	switch {
	case hasMasked(spec.Usage, spec.Algorithm):
		return w.room.Masked
	case hasCarrier(spec.Usage, spec.Algorithm):
		return func() []byte { return w.room.Companion(carriedLen) }
	}
	return w.room.Doubled
}

// keep wraps and binds a key. Its objects stay the caller's to destroy.
func (w *worker) keep(spec hsm.Spec, keys pair) (out made, err error) {
	if out.check, err = w.checkValue(spec.Algorithm, keys.whole); err != nil {
		return made{}, err
	}
	k := spec.Key()
	k.LMK = w.m.link.id
	copy(k.KCV[:], out.check[:])
	for _, object := range keys.parts() {
		if *object == 0 {
			continue
		}
		blob, err := w.m.ctx.WrapKey(w.session, keyWrap(), w.m.link.lmk, *object)
		if err != nil {
			return made{}, w.fault("wrap a key", err)
		}
		k.Wrapped = append(k.Wrapped, blob...)
	}
	if hasCarrier(spec.Usage, spec.Algorithm) {
		k.Wrapped = append(k.Wrapped, keys.carried[:]...)
	}
	w.id = k.AppendBound(w.id[:0])
	if k.Binding, err = w.bind(w.id); err != nil {
		return made{}, err
	}
	out.key = k
	return out, nil
}

// checkValue computes the payment check value: the cipher of zeros for DES, the
// CMAC of a zero block for AES, the HMAC of nothing. The token's CKA_CHECK_VALUE is another one.
func (w *worker) checkValue(algorithm hsm.Algorithm, key p11.ObjectHandle) (check [8]byte, err error) {
	var zeros [16]byte
	if algorithm.IsTDES() {
		err = w.ecb(true, key, zeros[:8], check[:])
		return check, err
	}
	if algorithm.IsHMAC() {
		sum := make([]byte, hmacSize)
		if err := w.m.fused.sign(w.session, p11.CKM_SHA256_HMAC, key, zeros[:0], sum); err != nil {
			return check, w.fault("compute a check value", err)
		}
		copy(check[:], sum)
		return check, nil
	}
	if err := w.m.fused.cmac(w.session, key, zeros[:], &w.scratch.sum); err != nil {
		return check, w.fault("compute a check value", err)
	}
	copy(check[:], w.scratch.sum[:])
	return check, nil
}

// LoadClear brings in a key as the xor of clear components. The components come
// from the caller's memory; their sum is in the worker's locked page only.
func (m *Module) LoadClear(ctx context.Context, spec hsm.Spec, components ...secret.Key) (hsm.Key, error) {
	if err := spec.Check(); err != nil {
		return hsm.Key{}, err
	}
	out := new(made)
	err := m.do(ctx, func(w *worker) (err error) {
		if err := w.room.Combine(components, spec.Algorithm.Size()); err != nil {
			return err
		}
		*out, err = w.keepRoom(spec)
		return err
	})
	if err != nil {
		return hsm.Key{}, err
	}
	return out.key, nil
}

// keepRoom imports, wraps and binds the clear key in the worker's locked page.
func (w *worker) keepRoom(spec hsm.Spec) (made, error) {
	keys, err := w.imported(spec)
	if err != nil {
		return made{}, err
	}
	defer w.remove(keys)
	return w.keep(spec, keys)
}
