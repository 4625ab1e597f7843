// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"tapswitch/hsm"
	"tapswitch/internal/env"
)

// KeySet is the working keys of one sign-on. Its keys are shared: read only.
type KeySet struct {
	PIN, MAC *hsm.Key
	Version  uint32 // of both
}

// ring holds the key sets of one terminal.
type ring struct {
	mu       sync.Mutex // never held over a call of store or module
	current  *KeySet    // of the newest sign-on
	previous *KeySet    // the last that verified a MAC, until current does; else nil
	last     uint32     // highest version ever tried, also when keeping it failed
	signing  env.Event  // not nil while a sign-on runs; woken at its end
}

// sets returns the sets that may verify, the newest first.
func (r *ring) sets() (current, previous *KeySet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current, r.previous
}

// superseded is the set that a new one will replace before it verified
// anything, while an older one did: nobody needs it any more.
func (r *ring) superseded() *KeySet {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.previous == nil {
		return nil
	}
	return r.current
}

// install makes set the newest.
func (r *ring) install(set *KeySet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.previous == nil {
		r.previous = r.current
	}
	r.current = set
}

// confirm ends the life of the previous set, when set is still the newest.
func (r *ring) confirm(set *KeySet) (retired *KeySet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != set {
		return nil // a sign-on came in between; the next valid MAC decides
	}
	retired, r.previous = r.previous, nil
	return retired
}

// VerifyMAC checks a message's MAC under the terminal's newest keys, then under
// those before. The set that it returns is the one to decrypt the message's PIN
// with and to MAC the answer with. Errors: ErrNoKeys, hsm.ErrMAC when no set
// fits, and the module's own, which decide nothing.
func (f *Fleet) VerifyMAC(ctx context.Context, t *Terminal, alg hsm.MACAlgorithm, data []byte, mac [8]byte) (KeySet, error) {
	current, previous := t.keys.sets()
	if current == nil {
		return KeySet{}, ErrNoKeys
	}
	err := f.cfg.MACer.VerifyMAC(ctx, current.MAC, alg, data, mac[:])
	if err == nil {
		f.retire(t, t.keys.confirm(current))
		return *current, nil
	}
	if previous == nil || !errors.Is(err, hsm.ErrMAC) {
		return KeySet{}, fmt.Errorf("fleet: verify MAC of terminal %s: %w", t.ID, err)
	}
	if err := f.cfg.MACer.VerifyMAC(ctx, previous.MAC, alg, data, mac[:]); err != nil {
		return KeySet{}, fmt.Errorf("fleet: verify MAC of terminal %s, previous keys: %w", t.ID, err)
	}
	return *previous, nil
}

// Keys returns the newest set, for messages that answer no MAC. False: never
// signed on.
func (f *Fleet) Keys(t *Terminal) (KeySet, bool) {
	current, _ := t.keys.sets()
	if current == nil {
		return KeySet{}, false
	}
	return *current, true
}

// retire makes the store forget a set. A failure refuses nobody: at worst the
// set is back after a restart, until the next valid MAC.
func (f *Fleet) retire(t *Terminal, set *KeySet) {
	if set == nil {
		return
	}
	for _, k := range []*hsm.Key{set.PIN, set.MAC} {
		if err := f.cfg.Store.Retire(k.Name, k.Version); err != nil && f.cfg.Trouble != nil {
			f.cfg.Trouble(t.ID, fmt.Errorf("fleet: retire %s version %d: %w", k.Name, k.Version, err))
		}
	}
}
