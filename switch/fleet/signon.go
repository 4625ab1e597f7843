// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"context"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/keystore"
)

// Exported is what a sign-on hands to the terminal: its working keys under its master
// key.
type Exported struct {
	PIN, MAC hsm.Exported
	Data     hsm.Exported // of a terminal with a data key
	Version  uint32
}

// SignOn makes a new set of working keys, keeps it, and returns it for the
// terminal. Sign-ons of one terminal take turns; one that waited longer than
// SignOnWait gets ErrSignOnBusy. After an error the terminal's keys are what
// they were, but for a set that was handed out, never used, and will not
// survive a restart.
func (f *Fleet) SignOn(ctx context.Context, t *Terminal) (Exported, error) {
	if err := f.enter(t); err != nil {
		return Exported{}, err
	}
	defer t.keys.leave()
	version, err := t.keys.NextVersion()
	if err != nil {
		return Exported{}, fmt.Errorf("%w: terminal %s", ErrVersions, t.ID)
	}
	keys, out, err := f.cfg.Maker.GenerateSet(ctx, t.TMK, wanted(t, version)...)
	if err != nil {
		return Exported{}, fmt.Errorf("fleet: make working keys of terminal %s: %w", t.ID, err)
	}
	// Durable before handed out: a terminal that uses keys which a crash made us
	// forget could not even send its reversals.
	if err := t.keys.Install(keys...); err != nil {
		return Exported{}, fmt.Errorf("%w: terminal %s: %w", ErrKeysNotStored, t.ID, err)
	}
	exported := Exported{PIN: out[0], MAC: out[1], Version: version}
	if len(out) > 2 {
		exported.Data = out[2]
	}
	return exported, nil
}

// enter waits for this caller's turn.
func (f *Fleet) enter(t *Terminal) error {
	until := f.cfg.Clock.Mono().Add(f.cfg.SignOnWait)
	for {
		t.keys.mu.Lock()
		other := t.keys.signing
		if other == nil {
			t.keys.signing = f.cfg.Waits.NewEvent()
		}
		t.keys.mu.Unlock()
		if other == nil {
			return nil
		}
		if !other.Wait(until) {
			return ErrSignOnBusy
		}
	}
}

// leave lets the next sign-on in.
func (r *ring) leave() {
	r.mu.Lock()
	done := r.signing
	r.signing = nil
	r.mu.Unlock()
	done.Wake()
}

// wanted says what the working keys of a terminal shall be: PIN key, MAC key and, for
// some terminals, data key.
func wanted(t *Terminal, version uint32) []hsm.WorkingKey {
	var out []hsm.WorkingKey
	for _, m := range keystore.Terminal(t.ID) {
		if m.Usage == hsm.TDK && !t.DataKey {
			continue
		}
		out = append(out, hsm.WorkingKey{Spec: hsm.Spec{Name: m.Name, Usage: m.Usage, Algorithm: hsm.TDES2, Owner: "terminal/" + t.ID, Version: version}})
	}
	return out
}
