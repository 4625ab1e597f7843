// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	"crypto/subtle"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
)

var _ hsm.KeyChecker = (*Module)(nil)

// CheckKey unwraps a key for this alone, and computes its check value inside.
func (m *Module) CheckKey(ctx context.Context, key *hsm.Key) error {
	if key == nil {
		return fmt.Errorf("%w: no key given to check", hsm.ErrInput)
	}
	return m.do(ctx, func(w *worker) error {
		lmk, err := w.checkBinding(key)
		if err != nil {
			return err
		}
		object, err := w.unwrapForCheck(lmk.lmk, key)
		if err != nil {
			return err
		}
		defer w.destroy(object)
		check, err := w.checkValue(key.Algorithm, object)
		if err != nil {
			return err
		}
		if [3]byte(check[:3]) != key.KCV {
			return fmt.Errorf("%w: %s %q version %d: the check value is not the stored one", hsm.ErrBinding, key.Usage, key.Name, key.Version)
		}
		return nil
	})
}

// checkBinding refuses a key that is another module's or was altered, and finds
// the local master keys it is under.
func (w *worker) checkBinding(k *hsm.Key) (generation, error) {
	lmk, err := w.under(k)
	if err != nil {
		return lmk, err
	}
	bound, err := w.bindUnder(lmk.binding, k.AppendBound(nil))
	if err != nil {
		return lmk, err
	}
	if subtle.ConstantTimeCompare(bound[:], k.Binding[:]) != 1 || len(k.Wrapped) < wrappedLen(sizeIn(k.Algorithm)) {
		return lmk, fmt.Errorf("%w: %s %q version %d", hsm.ErrBinding, k.Usage, k.Name, k.Version)
	}
	return lmk, nil
}

// unwrapForCheck makes a session object that can compute a check value; the one
// that work is done with often cannot encipher.
func (w *worker) unwrapForCheck(lmk p11.ObjectHandle, k *hsm.Key) (p11.ObjectHandle, error) {
	kind, err := keyType(k.Algorithm)
	if err != nil {
		return 0, err
	}
	handle, err := w.m.ctx.UnwrapKey(w.session, keyWrap(), lmk, k.Wrapped[:wrappedLen(sizeIn(k.Algorithm))], checkable(k.Algorithm, kind, false))
	if err != nil {
		return 0, w.fault("unwrap a key", err)
	}
	return handle, nil
}

// checkable is the template of a key whose check value is computed; it can be
// wrapped again when extractable, and never read.
func checkable(a hsm.Algorithm, kind uint, extractable bool) []*p11.Attribute {
	return []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_KEY_TYPE, kind), p11.NewAttribute(p11.CKA_TOKEN, false),
		p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, extractable),
		p11.NewAttribute(p11.CKA_ENCRYPT, !a.IsHMAC()), p11.NewAttribute(p11.CKA_SIGN, true),
		p11.NewAttribute(p11.CKA_WRAP, false), p11.NewAttribute(p11.CKA_UNWRAP, false),
	}
}
