// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"tapswitch/hsm"
)

// Errors of a rotation.
var (
	ErrVersions = errors.New("keystore: version numbers of the keys are used up")
	ErrStored   = errors.New("keystore: stored keys are not what was kept") // at load only
	ErrSet      = errors.New("keystore: keys are no set of this rotation")  // nothing was stored
)

// Keeper is what a Rotation keeps its keys in; Store is one.
type Keeper interface {
	// Replace makes what only returns, called in the store's turn, the only keys under
	// names, durably, all of it or nothing.
	Replace(names []string, only func() []hsm.Key) error
	// Get returns the current key of a name, Previous the one before, if there is one.
	Get(name string) (hsm.Key, bool)
	Previous(name string) (hsm.Key, bool)
}

// Member is one key of every set: a terminal's PIN key, a zone's MAC key.
type Member struct {
	Name     string
	Usage    hsm.Usage
	Optional bool // a set without it is whole
}

// Terminal is the members of a terminal's set; only some terminals have a data key.
func Terminal(id string) []Member {
	at := "terminal/" + id
	return []Member{{Name: at + "/tpk", Usage: hsm.TPK}, {Name: at + "/tak", Usage: hsm.TAK}, {Name: at + "/tdk", Usage: hsm.TDK, Optional: true}}
}

// Zone is the members of a link's set, shared with an acquirer; only some zones have
// a MAC or a data key.
func Zone(link string) []Member {
	at := "link/" + link
	return []Member{{Name: at + "/zpk", Usage: hsm.ZPK}, {Name: at + "/zak", Usage: hsm.ZAK, Optional: true}, {Name: at + "/zdk", Usage: hsm.ZDK, Optional: true}}
}

// Set is the keys of one version, which are used together: the set that verified a
// message's MAC is the one that deciphers its PIN and its data. Read only.
type Set struct {
	Version uint32
	Keys    []hsm.Key
}

// Key returns the key of a usage, nil when the set has none.
func (s *Set) Key(u hsm.Usage) *hsm.Key {
	for i := range s.Keys {
		if s.Keys[i].Usage == u {
			return &s.Keys[i]
		}
	}
	return nil
}

// Rotation is the life of one owner's sets. The newest serves at once; the one before
// lives until the newest is proven by its first valid MAC, without a timer, so that a
// lost answer strands nobody. What is kept beside the newest is the last set that was
// proven, not the last but one: sets that were handed out and never used take no
// other's place. Safe for concurrent use, but Install takes turns with itself.
type Rotation struct {
	store   Keeper
	members []Member
	names   []string

	mu       sync.Mutex // never held over a call of the store, which calls back (keep)
	current  *Set
	previous *Set   // the last proven, until current is; else nil
	coming   *Set   // on its way into the store, in a running Install
	last     uint32 // highest version ever tried, also when keeping it failed
}

// Load fills a rotation from the store: the newest whole set and the one before it.
// Part of a set is left alone, and its number is not used again.
func Load(store Keeper, members []Member) (*Rotation, error) {
	r := &Rotation{store: store, members: members, names: make([]string, len(members))}
	for i, m := range members {
		r.names[i] = m.Name
	}
	byVersion := make(map[uint32]*Set)
	for _, m := range members {
		kept, err := m.stored(store)
		if err != nil {
			return nil, err
		}
		for _, k := range kept {
			r.last = max(r.last, k.Version)
			if byVersion[k.Version] == nil {
				byVersion[k.Version] = &Set{Version: k.Version}
			}
			byVersion[k.Version].Keys = append(byVersion[k.Version].Keys, k)
		}
	}
	for _, version := range slices.Backward(slices.Sorted(maps.Keys(byVersion))) {
		switch set := byVersion[version]; {
		case !r.whole(set):
		case r.current == nil:
			r.current = set
		case r.previous == nil:
			r.previous = set
		}
	}
	return r, nil
}

// stored reads the versions of one member, the newest first.
func (m Member) stored(store Keeper) (kept []hsm.Key, err error) {
	if k, ok := store.Get(m.Name); ok {
		kept = append(kept, k)
	}
	if k, ok := store.Previous(m.Name); ok {
		kept = append(kept, k)
	}
	for _, k := range kept {
		if k.Name != m.Name || k.Usage != m.Usage {
			return nil, fmt.Errorf("%w: %s version %d has another name or usage", ErrStored, m.Name, k.Version)
		}
	}
	if len(kept) == 2 && kept[1].Version >= kept[0].Version {
		return nil, fmt.Errorf("%w: %s version %d is current, %d came before it", ErrStored, m.Name, kept[0].Version, kept[1].Version)
	}
	return kept, nil
}

// whole reports whether a set has every member that is not optional, and no key twice
// or of another name.
func (r *Rotation) whole(s *Set) bool {
	found := 0
	for _, m := range r.members {
		there := false
		for i := range s.Keys {
			there = there || s.Keys[i].Name == m.Name && s.Keys[i].Usage == m.Usage && s.Keys[i].Version == s.Version
		}
		if !there && !m.Optional {
			return false
		}
		if there {
			found++
		}
	}
	return found == len(s.Keys)
}

// Sets returns the sets that may verify, the newest first; nil where there is none.
func (r *Rotation) Sets() (current, previous *Set) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current, r.previous
}

// NextVersion takes a number that was never tried before: keys whose keeping failed
// may be in the store all the same.
func (r *Rotation) NextVersion() (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == 1<<32-1 {
		return 0, ErrVersions
	}
	r.last++
	return r.last, nil
}

// Install makes keys, all of one version, the newest set. It is durable when Install
// returns nil, and only then may the keys be handed out: a partner who uses keys that
// a crash made us forget could not even send its reversals. After an error the sets
// are what they were.
func (r *Rotation) Install(keys ...hsm.Key) error {
	if len(keys) == 0 {
		return fmt.Errorf("%w: there is none", ErrSet)
	}
	next := &Set{Version: keys[0].Version, Keys: keys}
	r.mu.Lock()
	newer := r.current == nil || next.Version > r.current.Version
	if !newer || !r.whole(next) {
		r.mu.Unlock()
		return fmt.Errorf("%w: version %d", ErrSet, next.Version)
	}
	r.last = max(r.last, next.Version)
	r.coming = next
	r.mu.Unlock()

	err := r.store.Replace(r.names, r.keep)

	r.mu.Lock()
	defer r.mu.Unlock()
	r.coming = nil
	if err != nil {
		return err
	}
	if r.previous == nil {
		r.previous = r.current
	}
	r.current = next
	return nil
}

// keep is what the store shall hold now, at most two sets. Beside a new one stays the
// set that is proven, when there is one, and not the one that was handed out after it
// and proven by nobody.
func (r *Rotation) keep() (keys []hsm.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	older, newest := r.previous, r.current
	if r.coming != nil {
		newest = r.coming
		if older == nil {
			older = r.current
		}
	}
	for _, set := range []*Set{older, newest} {
		if set != nil {
			keys = append(keys, set.Keys...)
		}
	}
	return keys
}

// Proven is told of every valid MAC under set. The first one under the newest ends the
// life of the set before it. An error means that the store did not forget that one:
// nobody is refused for it, at worst it is back after a restart until the next MAC.
func (r *Rotation) Proven(set *Set) error {
	r.mu.Lock()
	old := r.previous
	if r.current != set || old == nil {
		r.mu.Unlock()
		return nil // an older set goes on serving, or there is nothing to end
	}
	r.previous = nil
	r.mu.Unlock()
	if err := r.store.Replace(r.names, r.keep); err != nil {
		return fmt.Errorf("keystore: retire version %d of %s: %w", old.Version, old.Keys[0].Name, err)
	}
	return nil
}
