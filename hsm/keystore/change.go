// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sort"

	"tapswitch/hsm"
	"tapswitch/internal/env"
)

// take waits for the turn to change the directory, in this process and, where
// the disk can, among all.
func (s *Store) take() (release func(), err error) {
	s.turn.Lock()
	turns, ok := s.disk.(env.Turns)
	if !ok {
		return s.turn.Unlock, nil
	}
	held, err := turns.Turn(path.Join(s.dir, turnName))
	if err != nil {
		s.turn.Unlock()
		return nil, fmt.Errorf("keystore: %w", err)
	}
	return func() {
		_ = held.Close() // gives the turn back however it ends
		s.turn.Unlock()
	}, nil
}

// begin takes the turn and reads an owner's file anew when another process may
// have changed it.
func (s *Store) begin(owner string) (release func(), err error) {
	if release, err = s.take(); err != nil {
		return nil, err
	}
	if _, ok := s.disk.(env.Turns); !ok {
		return release, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.read(fileName(owner)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		release()
		return nil, err
	}
	return release, nil
}

// Beside opens the store without keeping others out, beside the process that has
// it open: for Rewrap and for looking. Only on a disk where processes can take
// turns (env.Turns); else hsm.ErrInput.
func Beside(disk env.Disk, dir string) (*Store, error) {
	s := empty(disk, dir)
	if _, ok := disk.(env.Turns); !ok {
		return nil, fmt.Errorf("keystore: %w: this disk has one process at a time", hsm.ErrInput)
	}
	if err := s.readAll(false); err != nil {
		return nil, err
	}
	return s, nil
}

// Rewrap replaces wrapped forms: for every key, change returns it as it shall be
// stored, the same or wrapped under another local master key. The files are
// replaced owner by owner, each whole, while Get and List go on; an error leaves
// the owners before it changed and all others as they were, so that it can be
// run again. changed counts keys. Errors: hsm.ErrInput when change returned
// another key; those of change, with the key's name.
func (s *Store) Rewrap(change func(hsm.Key) (hsm.Key, error)) (changed int, err error) {
	s.mu.RLock()
	owners := make([]string, 0, len(s.owners))
	for owner := range s.owners {
		owners = append(owners, owner)
	}
	s.mu.RUnlock()
	sort.Strings(owners)
	for _, owner := range owners {
		n, err := s.rewrapOwner(owner, change)
		if err != nil {
			return changed, err
		}
		changed += n
	}
	return changed, nil
}

// rewrapOwner changes one file.
func (s *Store) rewrapOwner(owner string, change func(hsm.Key) (hsm.Key, error)) (changed int, err error) {
	release, err := s.begin(owner)
	if err != nil {
		return 0, err
	}
	defer release()
	s.mu.RLock()
	keys := s.owners[owner]
	s.mu.RUnlock()
	next := make([]hsm.Key, len(keys))
	for i, k := range keys {
		if next[i], err = change(clone(k)); err != nil {
			return 0, fmt.Errorf("keystore: key %q version %d: %w", k.Name, k.Version, err)
		}
		if !sameKey(k, next[i]) {
			return 0, fmt.Errorf("keystore: %w: key %q version %d would become another key", hsm.ErrInput, k.Name, k.Version)
		}
		if k.LMK != next[i].LMK || k.Binding != next[i].Binding {
			changed++
		}
	}
	if changed == 0 {
		return 0, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.write(owner, next); err != nil {
		return 0, err
	}
	s.owners[owner] = next
	return changed, nil
}

// sameKey reports whether all but the wrapped form is the same.
func sameKey(a, b hsm.Key) bool {
	for _, k := range []*hsm.Key{&a, &b} {
		k.LMK, k.Binding, k.Wrapped = [8]byte{}, [16]byte{}, nil
	}
	return string(a.AppendBound(nil)) == string(b.AppendBound(nil))
}

// write replaces an owner's file durably. Until the rename the old one stands.
func (s *Store) write(owner string, keys []hsm.Key) error {
	full := path.Join(s.dir, fileName(owner))
	raw, err := encode(owner, keys)
	if err != nil {
		return err
	}
	if err := writeAll(s.disk, full+tempSuffix, raw); err != nil {
		// A left-over of an earlier failure is in the way at most once: what is
		// removed was never current.
		if s.disk.Remove(full+tempSuffix) != nil {
			return fmt.Errorf("keystore: write %s: %w", full, err)
		}
		if err := writeAll(s.disk, full+tempSuffix, raw); err != nil {
			return fmt.Errorf("keystore: write %s: %w", full, err)
		}
	}
	if err := s.disk.Rename(full+tempSuffix, full); err != nil {
		return fmt.Errorf("keystore: write %s: %w", full, err)
	}
	if err := s.disk.SyncDir(s.dir); err != nil {
		return fmt.Errorf("keystore: sync directory %s: %w; whether the new keys are current shows at the next start", s.dir, err)
	}
	return nil
}
