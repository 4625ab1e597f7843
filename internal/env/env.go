// SPDX-License-Identifier: Apache-2.0

// Package env is the world as values: clock, disk, network, randomness and the
// one way to wait.
//
// Promise: code that takes an Env and nothing else runs the same over the real
// machine, over a disk that crashes and over virtual time.
//
// How: Env is a struct of small interfaces. Real returns the machine's own;
// package env/fake has the crashable disk, the failing disk, the manual clock
// and the in-memory network. The money path waits by Event alone (Wait and
// Wake), so that a simulator can decide who runs next.
//
// Imported by: everything that touches the world. Imports: the standard library.
package env

import (
	"context"
	"io"
	"net"
	"time"
)

// Mono is a reading of the monotonic clock in nanoseconds since an arbitrary
// start; deadlines are Mono, so that a stepped wall clock changes none.
type Mono int64

// Never is a deadline that does not come.
const Never = Mono(1<<63 - 1)

// Add returns the reading d later.
func (m Mono) Add(d time.Duration) Mono { return m + Mono(d) }

// Sub returns the time from o to m.
func (m Mono) Sub(o Mono) time.Duration { return time.Duration(m - o) }

// Clock reads wall and monotonic time.
type Clock interface {
	Now() time.Time // wall time
	Mono() Mono     // monotonic time, for deadlines and durations
}

// Event is a latch: once woken it stays woken. Any number may wait.
type Event interface {
	// Wait returns true when the event is or becomes woken, false when until
	// came first.
	Wait(until Mono) bool
	Wake()
}

// Waits makes events; it is the only way to wait on the money path.
type Waits interface {
	NewEvent() Event
}

// File is a file that is written at offsets and made durable by Sync.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Sync() error
	Size() (int64, error)
	Truncate(size int64) error
	// Allocate makes sure that the first size bytes have blocks on the device,
	// so that writing them cannot fail for want of room. New bytes read as zero.
	Allocate(size int64) error
}

// Disk is a file system, names relative to the process or absolute.
type Disk interface {
	Create(name string) (File, error) // fails when it exists
	Open(name string) (File, error)   // for reading and writing; fails when it does not exist
	Rename(from, to string) error
	Remove(name string) error
	List(dir string) ([]string, error) // base names, sorted
	MkdirAll(dir string) error
	SyncDir(dir string) error // makes creations, renames and removals in dir durable
}

// Network opens stream connections. An address is host:port, or unix:PATH for a
// socket in the file system that only its owner may connect to; Close of its
// listener takes it away.
type Network interface {
	Listen(address string) (net.Listener, error)
	Dial(ctx context.Context, address string) (net.Conn, error)
}

// Env is the world a component is given.
type Env struct {
	Clock Clock
	Waits Waits
	Disk  Disk
	Net   Network
	Rand  io.Reader // cryptographic randomness
	// Go starts fn beside its caller. Nil, as in the real world, is a goroutine; a
	// simulator runs fn as a coroutine of its own.
	Go func(fn func())
}

// Start starts fn beside its caller.
func (e Env) Start(fn func()) {
	if e.Go == nil {
		go fn()
		return
	}
	e.Go(fn)
}
