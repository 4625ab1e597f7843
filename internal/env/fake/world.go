// SPDX-License-Identifier: Apache-2.0

// Package fake is the world under a test's control: a clock that moves when
// told, a disk that crashes, fails and fills up, a network in memory and
// randomness from a seed.
//
// Promise: the same calls in the same order give the same results. Nothing here
// is kinder than the real thing: what was not synced may be lost, in part or in
// whole, and a sync that failed leaves the data lost.
//
// How: New makes one World; Env hands it to the code under test. Everything may
// be used by many goroutines, or by one coroutine at a time.
//
// Imported by: tests and simulators. Imports: internal/env.
package fake

import (
	"io"
	"math/rand/v2"
	"sync"

	"tapswitch/internal/env"
)

// World is one fake machine and the network it is on.
type World struct {
	Clock *Clock
	Disk  *Disk
	Net   *Network
	Rand  io.Reader
}

// New returns a world whose randomness comes from seed.
func New(seed uint64) *World {
	clock := NewClock()
	return &World{Clock: clock, Disk: NewDisk(), Net: NewNetwork(clock), Rand: NewRand(seed)}
}

// Env is the world as the code under test sees it.
func (w *World) Env() env.Env {
	return env.Env{Clock: w.Clock, Waits: w.Clock, Disk: w.Disk, Net: w.Net, Rand: w.Rand}
}

// Restart is the world after a crash: the disk keeps what keep says, every
// connection is gone, clock and randomness go on.
func (w *World) Restart(keep Keep, seed uint64) *World {
	return &World{Clock: w.Clock, Disk: w.Disk.CrashClone(keep, seed), Net: NewNetwork(w.Clock), Rand: w.Rand}
}

// NewRand returns a source of bytes that depend on seed alone.
func NewRand(seed uint64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return &lockedRand{source: rand.NewChaCha8(key)}
}

type lockedRand struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

func (r *lockedRand) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(p)
}
