// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"sync"
	"syscall"

	"tapswitch/internal/env"
)

// Kind names an operation of the disk.
type Kind string

// The operations. Close is none: it changes nothing.
const (
	OpCreate   Kind = "create"
	OpOpen     Kind = "open"
	OpRename   Kind = "rename"
	OpRemove   Kind = "remove"
	OpList     Kind = "list"
	OpMkdir    Kind = "mkdir"
	OpSyncDir  Kind = "syncdir"
	OpLock     Kind = "lock"
	OpRead     Kind = "read"
	OpWrite    Kind = "write"
	OpSync     Kind = "sync"
	OpSize     Kind = "size"
	OpTruncate Kind = "truncate"
	OpAllocate Kind = "allocate"
)

// Op is one operation as a hook sees it, before it is done.
type Op struct {
	K    int // 1 for the first operation of this disk
	Kind Kind
	Name string
}

// Disk is a file system in memory with a page cache: writes are seen at once
// and become durable by Sync, names by SyncDir.
type Disk struct {
	mu       sync.Mutex
	names    map[string]*inode // as the running process sees them
	durable  map[string]*inode // as a crash leaves them
	unsynced []nameOp
	locked   map[string]bool
	ops      int
	failAt   map[int]error
	failSync error
	hook     func(Op)
	capacity int64 // 0 is no limit
}

// nameOp is a change of the name space that no SyncDir has covered.
type nameOp struct {
	from, to string // from: removed, to: made to name node; either may be empty
	node     *inode
}

var (
	_ env.Disk   = (*Disk)(nil)
	_ env.Locker = (*Disk)(nil)
)

// NewDisk returns an empty disk without limits or faults.
func NewDisk() *Disk {
	return &Disk{
		names:   map[string]*inode{},
		durable: map[string]*inode{},
		locked:  map[string]bool{},
		failAt:  map[int]error{},
	}
}

// Ops is how many operations have been asked for.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// FailAt makes the k-th operation (see Ops) fail with err. A write that fails
// has written its first half; a sync that fails has lost what was not synced.
func (d *Disk) FailAt(k int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failAt[k] = err
}

// FailSyncs makes every Sync of a file fail with err; nil ends it.
func (d *Disk) FailSyncs(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failSync = err
}

// OnOp has hook called before every operation, without any lock held: it may
// take a CrashClone.
func (d *Disk) OnOp(hook func(Op)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hook = hook
}

// SetCapacity limits the bytes of all files together; 0 is no limit.
func (d *Disk) SetCapacity(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capacity = bytes
}

// Used is the bytes of all files together.
func (d *Disk) Used() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used()
}

func (d *Disk) used() int64 {
	var sum int64
	for _, n := range d.names {
		sum += int64(len(n.data))
	}
	return sum
}

// room says whether more bytes fit on the disk. The lock is held.
func (d *Disk) room(more int64) bool {
	return more <= 0 || d.capacity == 0 || d.used()+more <= d.capacity
}

// enter counts the operation and returns the fault that was ordered for it.
func (d *Disk) enter(kind Kind, name string) error {
	d.mu.Lock()
	d.ops++
	op := Op{K: d.ops, Kind: kind, Name: name}
	err := d.failAt[op.K]
	if kind == OpSync && err == nil {
		err = d.failSync
	}
	hook := d.hook
	d.mu.Unlock()
	if hook != nil {
		hook(op)
	}
	return wrap(kind, name, err)
}

func wrap(kind Kind, name string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: string(kind), Path: name, Err: err}
}

// Create makes a new file; it fails when the name is taken.
func (d *Disk) Create(name string) (env.File, error) {
	name = path.Clean(name)
	if err := d.enter(OpCreate, name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] != nil {
		return nil, wrap(OpCreate, name, os.ErrExist)
	}
	if !d.isDir(path.Dir(name)) {
		return nil, wrap(OpCreate, name, os.ErrNotExist)
	}
	n := &inode{}
	d.change(nameOp{to: name, node: n})
	return &file{disk: d, name: name, node: n}, nil
}

// Open opens a file for reading and writing.
func (d *Disk) Open(name string) (env.File, error) {
	name = path.Clean(name)
	if err := d.enter(OpOpen, name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[name]
	if n == nil {
		return nil, wrap(OpOpen, name, os.ErrNotExist)
	}
	if n.dir {
		return nil, wrap(OpOpen, name, syscall.EISDIR)
	}
	return &file{disk: d, name: name, node: n}, nil
}

// Rename gives a file another name, replacing what had it.
func (d *Disk) Rename(from, to string) error {
	from, to = path.Clean(from), path.Clean(to)
	if err := d.enter(OpRename, from); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[from]
	if n == nil || n.dir || !d.isDir(path.Dir(to)) {
		return wrap(OpRename, from, os.ErrNotExist)
	}
	d.change(nameOp{from: from, to: to, node: n})
	return nil
}

// Remove takes a file away.
func (d *Disk) Remove(name string) error {
	name = path.Clean(name)
	if err := d.enter(OpRemove, name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] == nil {
		return wrap(OpRemove, name, os.ErrNotExist)
	}
	d.change(nameOp{from: name})
	return nil
}

// List gives the base names in dir, sorted.
func (d *Disk) List(dir string) ([]string, error) {
	dir = path.Clean(dir)
	if err := d.enter(OpList, dir); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.isDir(dir) {
		return nil, wrap(OpList, dir, os.ErrNotExist)
	}
	var names []string
	for name := range d.names {
		if path.Dir(name) == dir {
			names = append(names, path.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// MkdirAll makes dir and its parents; each is durable once its parent is synced.
func (d *Disk) MkdirAll(dir string) error {
	dir = path.Clean(dir)
	if err := d.enter(OpMkdir, dir); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var missing []string
	for at := dir; !d.isDir(at); at = path.Dir(at) {
		if d.names[at] != nil {
			return wrap(OpMkdir, at, syscall.ENOTDIR)
		}
		missing = append(missing, at)
	}
	for _, at := range slices.Backward(missing) {
		d.change(nameOp{to: at, node: &inode{dir: true}})
	}
	return nil
}

func (d *Disk) isDir(name string) bool {
	if name == "." || name == "/" {
		return true
	}
	n := d.names[name]
	return n != nil && n.dir
}

// SyncDir makes the changes of names in dir durable.
func (d *Disk) SyncDir(dir string) error {
	dir = path.Clean(dir)
	if err := d.enter(OpSyncDir, dir); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.isDir(dir) {
		return wrap(OpSyncDir, dir, os.ErrNotExist)
	}
	d.unsynced = slices.DeleteFunc(d.unsynced, func(op nameOp) bool {
		in := op.from != "" && path.Dir(op.from) == dir || op.to != "" && path.Dir(op.to) == dir
		if in {
			op.apply(d.durable)
		}
		return in
	})
	return nil
}

func (d *Disk) change(op nameOp) {
	op.apply(d.names)
	d.unsynced = append(d.unsynced, op)
}

func (op nameOp) apply(names map[string]*inode) {
	if op.from != "" {
		delete(names, op.from)
	}
	if op.to != "" {
		names[op.to] = op.node
	}
}

// Lock locks name until the closer is closed; a crash clone has no locks.
func (d *Disk) Lock(name string) (io.Closer, error) {
	name = path.Clean(name)
	if err := d.enter(OpLock, name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked[name] {
		return nil, fmt.Errorf("lock %s: %w", name, env.ErrLocked)
	}
	if d.names[name] == nil {
		if !d.isDir(path.Dir(name)) {
			return nil, wrap(OpLock, name, os.ErrNotExist)
		}
		d.change(nameOp{to: name, node: &inode{}})
	}
	d.locked[name] = true
	return &lock{disk: d, name: name}, nil
}

type lock struct {
	disk *Disk
	name string
	once sync.Once
}

func (l *lock) Close() error {
	err := errors.New("closed twice")
	l.once.Do(func() {
		l.disk.mu.Lock()
		defer l.disk.mu.Unlock()
		delete(l.disk.locked, l.name)
		err = nil
	})
	return err
}
