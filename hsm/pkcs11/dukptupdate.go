// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"

	"tapswitch/hsm"
	"tapswitch/hsm/dukpt"
)

var _ hsm.DUKPTUpdater = (*Module)(nil)

// DUKPTUpdateKey derives the key under which a device's next initial key travels.
// It is derived, wrapped and bound inside the module.
func (m *Module) DUKPTUpdateKey(ctx context.Context, base *hsm.Key, ksn hsm.KSN, spec hsm.Spec) (hsm.Key, error) {
	d := hsm.DUKPTKey{Base: base, KSN: ksn, Type: spec.Algorithm}
	if err := m.permitDUKPT(base, func() error { return d.CheckUpdate(spec) }); err != nil {
		return hsm.Key{}, err
	}
	out := new(made)
	err := m.do(ctx, func(w *worker) error {
		path := dukpt.UpdatePath(base, spec.Algorithm, ksn)
		last := len(path) - 1
		parent, err := w.walk(base, ksn, path[:last])
		if err != nil {
			return err
		}
		key, err := w.step(parent, path[last], maySign|mayWrapped) // it signs its check value
		if err != nil {
			return err
		}
		defer w.destroy(key)
		*out, err = w.keep(spec, pair{whole: key})
		return err
	})
	if err != nil {
		return hsm.Key{}, err
	}
	return out.key, nil
}
