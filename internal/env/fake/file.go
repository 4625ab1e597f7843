// SPDX-License-Identifier: Apache-2.0

package fake

import (
	"io"
	"os"
	"sync/atomic"
	"syscall"
)

// Sector is the unit that a crash keeps or loses whole.
const Sector = 512

// inode is one file: what the process sees, what a crash is sure to keep, and
// the changes in between.
type inode struct {
	dir     bool
	data    []byte
	durable []byte
	pending []change
}

// change is a write (bytes set), a new size, or blocks up to a size.
type change struct {
	at    int64
	bytes []byte
	size  int64
	grow  bool // size is the least, not the new one
}

// apply does the change to data; with keep, only to the sectors it says.
func (c change) apply(data []byte, keep func() bool) []byte {
	if c.bytes == nil {
		if keep != nil && !keep() {
			return data
		}
		if c.grow {
			return resize(data, max(c.size, int64(len(data))))
		}
		return resize(data, c.size)
	}
	for done := int64(0); done < int64(len(c.bytes)); {
		at := c.at + done
		n := min(Sector-at%Sector, int64(len(c.bytes))-done)
		if keep == nil || keep() {
			if at+n > int64(len(data)) {
				data = resize(data, at+n)
			}
			copy(data[at:], c.bytes[done:done+n])
		}
		done += n
	}
	return data
}

func resize(data []byte, size int64) []byte {
	if size <= int64(len(data)) {
		return data[:size:size]
	}
	return append(data, make([]byte, size-int64(len(data)))...)
}

func (n *inode) do(c change) {
	n.data = c.apply(n.data, nil)
	n.pending = append(n.pending, c)
}

func (n *inode) sync() {
	for _, c := range n.pending {
		n.durable = c.apply(n.durable, nil)
	}
	n.pending = nil
}

// file is one open handle.
type file struct {
	disk   *Disk
	name   string
	node   *inode
	closed atomic.Bool
}

// enter begins an operation; the disk's lock is held when it returns nil.
func (f *file) enter(kind Kind) error {
	if err := f.disk.enter(kind, f.name); err != nil {
		return err
	}
	if f.closed.Load() {
		return wrap(kind, f.name, os.ErrClosed)
	}
	f.disk.mu.Lock()
	return nil
}

func (f *file) ReadAt(p []byte, at int64) (int, error) {
	if err := f.enter(OpRead); err != nil {
		return 0, err
	}
	defer f.disk.mu.Unlock()
	if at < 0 {
		return 0, wrap(OpRead, f.name, syscall.EINVAL)
	}
	if at >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, at int64) (int, error) {
	if err := f.enter(OpWrite); err != nil {
		if f.closed.Load() {
			return 0, err
		}
		f.disk.mu.Lock()
		defer f.disk.mu.Unlock()
		return f.write(p[:len(p)/2], at), err
	}
	defer f.disk.mu.Unlock()
	if at < 0 {
		return 0, wrap(OpWrite, f.name, syscall.EINVAL)
	}
	if !f.disk.room(at + int64(len(p)) - int64(len(f.node.data))) {
		return f.write(p[:len(p)/2], at), wrap(OpWrite, f.name, syscall.ENOSPC)
	}
	return f.write(p, at), nil
}

func (f *file) write(p []byte, at int64) int {
	if len(p) > 0 && f.disk.room(at+int64(len(p))-int64(len(f.node.data))) {
		f.node.do(change{at: at, bytes: append([]byte(nil), p...)})
		return len(p)
	}
	return 0
}

// Sync makes the writes durable. One that fails loses them, though reads go on
// showing them and the next Sync succeeds: that is how Linux does it.
func (f *file) Sync() error {
	if err := f.enter(OpSync); err != nil {
		if f.closed.Load() {
			return err
		}
		f.disk.mu.Lock()
		defer f.disk.mu.Unlock()
		f.node.pending = nil
		return err
	}
	defer f.disk.mu.Unlock()
	f.node.sync()
	return nil
}

func (f *file) Size() (int64, error) {
	if err := f.enter(OpSize); err != nil {
		return 0, err
	}
	defer f.disk.mu.Unlock()
	return int64(len(f.node.data)), nil
}

func (f *file) Truncate(size int64) error {
	if err := f.enter(OpTruncate); err != nil {
		return err
	}
	defer f.disk.mu.Unlock()
	if !f.disk.room(size - int64(len(f.node.data))) {
		return wrap(OpTruncate, f.name, syscall.ENOSPC)
	}
	f.node.do(change{size: size})
	return nil
}

func (f *file) Allocate(size int64) error {
	if err := f.enter(OpAllocate); err != nil {
		return err
	}
	defer f.disk.mu.Unlock()
	if !f.disk.room(size - int64(len(f.node.data))) {
		return wrap(OpAllocate, f.name, syscall.ENOSPC)
	}
	f.node.do(change{size: size, grow: true})
	return nil
}

func (f *file) Close() error {
	if f.closed.Swap(true) {
		return wrap("close", f.name, os.ErrClosed)
	}
	return nil
}
