// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"math/rand/v2"
	"path"
	"slices"
)

// Keep says how much of what was not synced a crash keeps.
type Keep int

// The choices of CrashClone.
const (
	KeepNone Keep = iota // only what was synced
	KeepHalf             // each unsynced sector and name by the toss of a seeded coin
	KeepAll              // everything, as kill -9 leaves it
)

// Keeps are all of them, for loops in tests.
func Keeps() []Keep { return []Keep{KeepNone, KeepHalf, KeepAll} }

// String names the choice.
func (k Keep) String() string {
	return [...]string{"none", "half", "all"}[k]
}

// CrashClone returns the disk that a crash at this moment leaves behind. The
// original goes on; the clone has its capacity but no faults, hooks or locks.
func (d *Disk) CrashClone(keep Keep, seed uint64) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	toss := coin(keep, seed)
	names := map[string]*inode{}
	for name, n := range d.durable {
		names[name] = n
	}
	for _, op := range d.unsynced {
		if toss() {
			op.apply(names)
		}
	}
	clone := NewDisk()
	clone.capacity = d.capacity
	for _, name := range sorted(names) {
		if hasParents(names, name) {
			n := names[name].crash(toss)
			clone.names[name], clone.durable[name] = n, n
		}
	}
	return clone
}

func coin(keep Keep, seed uint64) func() bool {
	if keep != KeepHalf {
		return func() bool { return keep == KeepAll }
	}
	r := rand.New(rand.NewPCG(seed, 0x7a9))
	return func() bool { return r.Uint64()&1 == 0 }
}

func (n *inode) crash(toss func() bool) *inode {
	data := slices.Clone(n.durable)
	for _, c := range n.pending {
		data = c.apply(data, toss)
	}
	return &inode{dir: n.dir, data: data, durable: slices.Clone(data)}
}

// hasParents says whether every directory above name survived.
func hasParents(names map[string]*inode, name string) bool {
	for dir := path.Dir(name); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if n := names[dir]; n == nil || !n.dir {
			return false
		}
	}
	return true
}

func sorted(names map[string]*inode) []string {
	var list []string
	for name := range names {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// Files names every file, sorted.
func (d *Disk) Files() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(sorted(d.names), func(name string) bool { return d.names[name].dir })
}

// Bytes is a copy of what a file holds, nil when there is none.
func (d *Disk) Bytes(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[path.Clean(name)]
	if n == nil {
		return nil
	}
	return slices.Clone(n.data)
}

// SetBytes puts a file there behind everybody's back, durably: bit rot, a
// restored backup, a hand in the works.
func (d *Disk) SetBytes(name string, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = path.Clean(name)
	n := &inode{data: slices.Clone(data), durable: slices.Clone(data)}
	d.names[name], d.durable[name] = n, n
}

// Delete takes a file away behind everybody's back, durably.
func (d *Disk) Delete(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = path.Clean(name)
	delete(d.names, name)
	delete(d.durable, name)
}
