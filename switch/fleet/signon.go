// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"context"
	"fmt"

	"tapswitch/hsm"
)

// Exported is what a sign-on hands to the terminal: both working keys under its
// master key.
type Exported struct {
	PIN, MAC hsm.Exported
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
	version, err := t.keys.nextVersion()
	if err != nil {
		return Exported{}, err
	}
	pin, pinOut, err := f.cfg.Maker.GenerateUnder(ctx, t.TMK, spec(t, hsm.TPK, version))
	if err != nil {
		return Exported{}, fmt.Errorf("fleet: make PIN key of terminal %s: %w", t.ID, err)
	}
	mac, macOut, err := f.cfg.Maker.GenerateUnder(ctx, t.TMK, spec(t, hsm.TAK, version))
	if err != nil {
		return Exported{}, fmt.Errorf("fleet: make MAC key of terminal %s: %w", t.ID, err)
	}
	// The store keeps two: room for the new set is made at the expense of the one
	// that nobody needs, not of the one that the terminal may still use.
	f.retire(t, t.keys.superseded())
	// Durable before handed out: a terminal that uses keys which a crash made us
	// forget could not even send its reversals.
	if err := f.cfg.Store.Put(pin, mac); err != nil {
		return Exported{}, fmt.Errorf("%w: terminal %s: %w", ErrKeysNotStored, t.ID, err)
	}
	t.keys.install(&KeySet{PIN: &pin, MAC: &mac, Version: version})
	return Exported{PIN: pinOut, MAC: macOut, Version: version}, nil
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

// nextVersion takes a number that was never tried before: keys whose Put failed
// may be in the store all the same.
func (r *ring) nextVersion() (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == 1<<32-1 {
		return 0, ErrVersions
	}
	r.last++
	return r.last, nil
}

// name is under what the store keeps a terminal's key of this usage.
func name(t *Terminal, usage hsm.Usage) string {
	if usage == hsm.TPK {
		return "terminal/" + t.ID + "/tpk"
	}
	return "terminal/" + t.ID + "/tak"
}

// spec says what a working key shall be.
func spec(t *Terminal, usage hsm.Usage, version uint32) hsm.Spec {
	return hsm.Spec{
		Name:      name(t, usage),
		Usage:     usage,
		Algorithm: hsm.TDES2,
		Owner:     "terminal/" + t.ID,
		Version:   version,
	}
}

// load fills a terminal's ring from the store: the newest complete set and the
// one before it. Half a set (a crash came between its halves) is left alone, and
// its number is not used again.
func (f *Fleet) load(t *Terminal) error {
	pins, err := f.stored(t, hsm.TPK)
	if err != nil {
		return err
	}
	macs, err := f.stored(t, hsm.TAK)
	if err != nil {
		return err
	}
	r := t.keys
	for _, k := range append(pins[:len(pins):len(pins)], macs...) {
		r.last = max(r.last, k.Version)
	}
	for i := range pins {
		for j := range macs {
			if macs[j].Version != pins[i].Version {
				continue
			}
			set := &KeySet{PIN: &pins[i], MAC: &macs[j], Version: pins[i].Version}
			if r.current == nil {
				r.current = set
			} else {
				r.previous = set
			}
		}
	}
	return nil
}

// stored reads the versions of one key, the newest first.
func (f *Fleet) stored(t *Terminal, usage hsm.Usage) (kept []hsm.Key, err error) {
	name := name(t, usage)
	if k, ok := f.cfg.Store.Get(name); ok {
		kept = append(kept, k)
	}
	if k, ok := f.cfg.Store.Previous(name); ok {
		kept = append(kept, k)
	}
	for _, k := range kept {
		if k.Name != name || k.Usage != usage {
			return nil, fmt.Errorf("%w: %s version %d has another name or usage", ErrStoredKeys, name, k.Version)
		}
	}
	if len(kept) == 2 && kept[1].Version >= kept[0].Version {
		return nil, fmt.Errorf("%w: %s version %d is current, %d came before it", ErrStoredKeys, name, kept[0].Version, kept[1].Version)
	}
	return kept, nil
}
