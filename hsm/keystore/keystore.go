// SPDX-License-Identifier: Apache-2.0

// Package keystore keeps wrapped keys at rest: the current and the previous
// version of each, by name; and the life of key sets that are rotated together.
//
// Promise: when Put returned nil, its keys are durable and current, all of them;
// after a crash at any moment either all are or none. A file that was altered
// or cut is named and refused at Open, never skipped.
//
// How: one small file for each owner (terminal, link, issuer) in one directory,
// replaced as a whole: written aside, synced, renamed, directory synced. On a
// disk where processes can take turns, a change reads the file anew first, so
// that Beside can rewrap keys while a switch has the store open. The
// checksum finds damage; that a key block is authentic is the HSM's own check
// of its binding. See file.go for the format, rotation.go for the life of the sets of
// terminals and zones.
//
// Imported by: switch/fleet, switch/node, cmd. Imports: hsm, internal/env.
package keystore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"

	"tapswitch/hsm"
	"tapswitch/internal/env"
)

// Errors of the store.
var (
	ErrCorrupt = errors.New("keystore: file is damaged")                     // names the file
	ErrVersion = errors.New("keystore: key version is not a newer one")      // nothing was stored
	ErrOwners  = errors.New("keystore: keys of one Put belong to one owner") // nothing was stored
	ErrUnknown = errors.New("keystore: no such key")
)

// suffix of key files, and of files that are being written.
const (
	suffix     = ".keys"
	tempSuffix = ".tmp"
)

// lockName is the file in the directory that keeps a second process out: each
// would put back what the other replaced. At the other one, it and Beside take
// turns.
const (
	lockName = "lock"
	turnName = "turn"
)

// Store is an open keystore, safe for concurrent use. There is one process per
// directory, held by a lock.
type Store struct {
	disk env.Disk
	dir  string
	lock io.Closer
	turn sync.Mutex // held during a change, before mu

	mu     sync.RWMutex
	owners map[string][]hsm.Key // in order of name, then version, oldest first
	names  map[string]string    // key name to owner
}

// Open reads all keys in dir, which is made when it is not there, and keeps
// other processes from it until Close (env.ErrLocked). What a crash left half
// written is removed; it was never current.
func Open(disk env.Disk, dir string) (*Store, error) {
	if err := disk.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("keystore: make directory %s: %w", dir, err)
	}
	s := empty(disk, dir)
	if locker, ok := disk.(env.Locker); ok {
		var err error
		if s.lock, err = locker.Lock(path.Join(dir, lockName)); err != nil {
			return nil, fmt.Errorf("keystore: %w; stop the other process first", err)
		}
	}
	release, err := s.take() // what is half written may be Beside's at work
	if err == nil {
		err = s.readAll(true)
		release()
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Read returns all keys in dir, by owner, name and version, beside whoever has
// the store open: an owner's file is replaced as a whole. It writes nothing.
func Read(disk env.Disk, dir string) ([]hsm.Key, error) {
	s := empty(disk, dir)
	if err := s.readAll(false); err != nil {
		return nil, err
	}
	return s.List(), nil
}

func empty(disk env.Disk, dir string) *Store {
	return &Store{disk: disk, dir: dir, owners: make(map[string][]hsm.Key), names: make(map[string]string)}
}

// Close lets other processes in. The store must not be used afterwards.
func (s *Store) Close() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

// readAll takes in every owner's file; clean removes what was left half written.
func (s *Store) readAll(clean bool) error {
	names, err := s.disk.List(s.dir)
	if err != nil {
		return fmt.Errorf("keystore: list directory %s: %w", s.dir, err)
	}
	for _, name := range names {
		full := path.Join(s.dir, name)
		switch {
		case strings.HasSuffix(name, tempSuffix) && clean:
			if err := s.disk.Remove(full); err != nil {
				return fmt.Errorf("keystore: remove unfinished %s: %w", full, err)
			}
		case strings.HasSuffix(name, suffix):
			if err := s.read(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// read takes in one owner's file.
func (s *Store) read(name string) error {
	full := path.Join(s.dir, name)
	raw, err := readAll(s.disk, full)
	if err != nil {
		return fmt.Errorf("keystore: read %s: %w", full, err)
	}
	owner, keys, err := decode(raw)
	if err == nil && fileName(owner) != name {
		err = fmt.Errorf("%w: it belongs to another owner than its name says", ErrCorrupt)
	}
	if err != nil {
		return fmt.Errorf("%s: %w; restore it from a backup, or remove it and bring these keys in again", full, err)
	}
	s.owners[owner] = keys
	for i := range keys {
		if other, ok := s.names[keys[i].Name]; ok && other != owner {
			return fmt.Errorf("%s: %w: key %q belongs to %q already", full, ErrCorrupt, keys[i].Name, other)
		}
		s.names[keys[i].Name] = owner
	}
	return nil
}

// Put makes keys current, all of them or none. They have one owner, and each a
// higher version than the current key of its name; the key that was current
// becomes the previous one, and the one before that is dropped.
func (s *Store) Put(keys ...hsm.Key) error {
	if len(keys) == 0 {
		return nil
	}
	owner := keys[0].Owner
	release, err := s.begin(owner)
	if err != nil {
		return err
	}
	defer release()
	s.mu.Lock()
	defer s.mu.Unlock()
	next := append([]hsm.Key(nil), s.owners[owner]...)
	for _, k := range keys {
		if err := s.belongs(k, owner); err != nil {
			return err
		}
		if current, ok := pick(next, k.Name, 0); ok && k.Version <= current.Version {
			return fmt.Errorf("%w: key %q version %d, current is %d", ErrVersion, k.Name, k.Version, current.Version)
		}
		next = add(next, clone(k))
	}
	return s.commit(owner, next)
}

// Replace makes what only returns the only keys under names, in one write: all of it
// or nothing. They have one owner and at most two versions of a name. only is called
// (also) when it is this caller's turn, so that of two callers the later one writes the
// later state; it must not call the store. A key that is stored already stays as it is
// stored: it may have been rewrapped since the caller got it.
func (s *Store) Replace(names []string, only func() []hsm.Key) error {
	keys := only()
	if len(keys) == 0 {
		return fmt.Errorf("%w: no key is left under %q", ErrUnknown, names)
	}
	owner := keys[0].Owner
	release, err := s.begin(owner)
	if err != nil {
		return err
	}
	defer release()
	s.mu.Lock()
	defer s.mu.Unlock()
	stored := s.owners[owner]
	next := slices.DeleteFunc(append([]hsm.Key(nil), stored...), func(k hsm.Key) bool { return slices.Contains(names, k.Name) })
	for _, k := range only() {
		if err := s.belongs(k, owner); err != nil {
			return err
		}
		if !slices.Contains(names, k.Name) {
			return fmt.Errorf("%w: %q is not among %q", ErrUnknown, k.Name, names)
		}
		if _, third := pick(next, k.Name, 1); third {
			return fmt.Errorf("%w: key %q version %d would be the third", ErrVersion, k.Name, k.Version)
		}
		if i := slices.IndexFunc(stored, func(o hsm.Key) bool { return sameKey(o, k) }); i >= 0 {
			k = stored[i]
		}
		next = add(next, clone(k))
	}
	return s.commit(owner, next)
}

// belongs refuses a key of another owner. The lock is held.
func (s *Store) belongs(k hsm.Key, owner string) error {
	if k.Owner != owner {
		return fmt.Errorf("%w: %q and %q", ErrOwners, owner, k.Owner)
	}
	if other, ok := s.names[k.Name]; ok && other != owner {
		return fmt.Errorf("%w: key %q belongs to %q", ErrOwners, k.Name, other)
	}
	return nil
}

// commit writes an owner's keys and takes them into use. The lock is held.
func (s *Store) commit(owner string, next []hsm.Key) error {
	if err := s.write(owner, next); err != nil {
		return err
	}
	for _, k := range s.owners[owner] {
		delete(s.names, k.Name)
	}
	s.owners[owner] = next
	for _, k := range next {
		s.names[k.Name] = owner
	}
	return nil
}

// Get returns the current key of name.
func (s *Store) Get(name string) (current hsm.Key, ok bool) { return s.find(name, 0) }

// Previous returns the key that was current before, while it is not retired.
func (s *Store) Previous(name string) (previous hsm.Key, ok bool) { return s.find(name, 1) }

func (s *Store) find(name string, age int) (hsm.Key, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, ok := pick(s.owners[s.names[name]], name, age)
	return clone(k), ok
}

// Retire removes one version of a key for good: the previous one when the new
// one is proven, or the current one of an owner that is closed.
func (s *Store) Retire(name string, version uint32) error {
	s.mu.RLock()
	owner := s.names[name]
	s.mu.RUnlock()
	release, err := s.begin(owner)
	if err != nil {
		return err
	}
	defer release()
	s.mu.Lock()
	defer s.mu.Unlock()
	next := slices.DeleteFunc(append([]hsm.Key(nil), s.owners[owner]...), func(k hsm.Key) bool { return k.Name == name && k.Version == version })
	if len(next) == len(s.owners[owner]) {
		return fmt.Errorf("%w: %q version %d", ErrUnknown, name, version)
	}
	return s.commit(owner, next)
}

// List returns all keys, by owner, name and version.
func (s *Store) List() []hsm.Key {
	s.mu.RLock()
	defer s.mu.RUnlock()
	owners := make([]string, 0, len(s.owners))
	for owner := range s.owners {
		owners = append(owners, owner)
	}
	sort.Strings(owners)
	var out []hsm.Key
	for _, owner := range owners {
		for _, k := range s.owners[owner] {
			out = append(out, clone(k))
		}
	}
	return out
}

// pick returns the key of name that is age versions old.
func pick(keys []hsm.Key, name string, age int) (hsm.Key, bool) {
	for i := len(keys) - 1; i >= 0; i-- {
		if keys[i].Name != name {
			continue
		}
		if age == 0 {
			return keys[i], true
		}
		age--
	}
	return hsm.Key{}, false
}

// add puts k in its place and drops what is older than its predecessor.
func add(keys []hsm.Key, k hsm.Key) []hsm.Key {
	keys = append(keys, k)
	sort.SliceStable(keys, func(i, j int) bool {
		if keys[i].Name != keys[j].Name {
			return keys[i].Name < keys[j].Name
		}
		return keys[i].Version < keys[j].Version
	})
	if third, ok := pick(keys, k.Name, 2); ok {
		for i := range keys {
			if keys[i].Name == third.Name && keys[i].Version == third.Version {
				return append(keys[:i], keys[i+1:]...)
			}
		}
	}
	return keys
}

// clone gives a key its own bytes: callers and the store share none.
func clone(k hsm.Key) hsm.Key {
	k.Wrapped = bytes.Clone(k.Wrapped)
	return k
}
