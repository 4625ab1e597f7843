// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"tapswitch/hsm"
	"tapswitch/hsm/keystore"
	"tapswitch/internal/env"
)

// KeySet is the working keys of one sign-on. Its keys are shared: read only.
type KeySet struct {
	PIN, MAC *hsm.Key
	Data     *hsm.Key // nil when the terminal has no data key
	Version  uint32   // of all
}

// ring is the life of one terminal's sets, and whose turn a sign-on is.
type ring struct {
	*keystore.Rotation
	mu      sync.Mutex // never held over a call of store or module
	signing env.Event  // not nil while a sign-on runs; woken at its end
}

// keySet names the keys of a set.
func keySet(s *keystore.Set) KeySet {
	return KeySet{PIN: s.Key(hsm.TPK), MAC: s.Key(hsm.TAK), Data: s.Key(hsm.TDK), Version: s.Version}
}

// VerifyMAC checks a message's MAC under the terminal's newest keys, then under
// those before. The set that it returns is the one to decrypt the message's PIN
// with and to MAC the answer with. Errors: ErrNoKeys, hsm.ErrMAC when no set
// fits, and the module's own, which decide nothing.
func (f *Fleet) VerifyMAC(ctx context.Context, t *Terminal, alg hsm.MACAlgorithm, data []byte, mac [8]byte) (KeySet, error) {
	current, previous := t.keys.Sets()
	if current == nil {
		return KeySet{}, ErrNoKeys
	}
	set := keySet(current)
	err := f.cfg.MACer.VerifyMAC(ctx, set.MAC, alg, data, mac[:])
	if err == nil {
		f.proven(t, current)
		return set, nil
	}
	if previous == nil || !errors.Is(err, hsm.ErrMAC) {
		return KeySet{}, fmt.Errorf("fleet: verify MAC of terminal %s: %w", t.ID, err)
	}
	set = keySet(previous)
	if err := f.cfg.MACer.VerifyMAC(ctx, set.MAC, alg, data, mac[:]); err != nil {
		return KeySet{}, fmt.Errorf("fleet: verify MAC of terminal %s, previous keys: %w", t.ID, err)
	}
	return set, nil
}

// Keys returns the newest set, for messages that answer no MAC. False: never
// signed on.
func (f *Fleet) Keys(t *Terminal) (KeySet, bool) {
	current, _ := t.keys.Sets()
	if current == nil {
		return KeySet{}, false
	}
	return keySet(current), true
}

// proven ends the life of the set before. A failure refuses nobody: at worst the old
// set is back after a restart, until the next valid MAC.
func (f *Fleet) proven(t *Terminal, set *keystore.Set) {
	if err := t.keys.Proven(set); err != nil && f.cfg.Trouble != nil {
		f.cfg.Trouble(t.ID, fmt.Errorf("fleet: %w", err))
	}
}
