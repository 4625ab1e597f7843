// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"context"
	"crypto/subtle"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
)

var _ hsm.KeyChecker = (*Module)(nil)

// CheckKey unwraps a key and computes its check value.
func (m *Module) CheckKey(ctx context.Context, key *hsm.Key) error {
	if err := alive(ctx); err != nil {
		return err
	}
	if key == nil {
		return fmt.Errorf("%w: no key given to check", hsm.ErrInput)
	}
	bound := cmac(m.binding, key.AppendBound(nil))
	room := clear.Unlocked()
	defer room.Wipe()
	if key.LMK != m.id || subtle.ConstantTimeCompare(bound[:], key.Binding[:]) != 1 || !unwrap(m.lmk, room.Key(key.Algorithm.Size()), key.Wrapped) {
		return fmt.Errorf("%w: %s %q version %d", hsm.ErrBinding, key.Usage, key.Name, key.Version)
	}
	again, _, err := m.keep(key.Spec(), room)
	if err == nil && again.KCV != key.KCV {
		err = fmt.Errorf("%w: %s %q version %d: the check value is not the stored one", hsm.ErrBinding, key.Usage, key.Name, key.Version)
	}
	return err
}
