// SPDX-License-Identifier: Apache-2.0

// Package pkcs11 drives a hardware security module through its PKCS#11 library.
//
// Promise: no caller waits longer than the time-out, no stuck call takes more
// than its own worker, a full queue refuses at once, a token that went away is
// noticed within ProbeEvery and taken into use again by itself. A key is used
// only when usage, validity and binding are right. What leaves the module, and
// where it is then, stands in docs/reference/hsm-functions.md.
//
// How: there is a fixed number of workers, each with a session and a locked page.
// A caller runs an idle one on its own thread, under the eyes of a watchdog; those
// who find none wait in one bounded queue (run.go, pool.go). Callers that want
// the same under the same key at the same time are served in one go (coalesce.go).
// Working keys are unwrapped into session objects kept in a bounded cache
// (cache.go, objects.go), under whichever generation of local master keys they
// are wrapped (lmk.go); Admin forms those from components, and moves keys to the
// next (admin.go, migrate.go). The connection is probed in front of an operation
// when the last probe is old, and made anew by the first caller after a loss
// (link.go), after known answers were computed on it (selftest.go). Administration
// goes through github.com/miekg/pkcs11, operations through one C call each (fused.go).
// A Group puts Modules on several tokens behind one another (group.go), which may
// have a library in common (library.go).
//
// Imported by: cmd, switch/node. Imports: hsm and its pure packages, hsm/clear,
// internal/env, internal/secret, github.com/miekg/pkcs11.
//
// Non-obvious: a goroutine that is locked to its thread (runtime.LockOSThread)
// must not call a Module: workers are coroutines. A library is global to the process (C_Initialize), so there is
// one Module or Group at a time. SoftHSM goes on serving session objects after its token
// directory is gone, and never sees the token again before C_Finalize and
// C_Initialize.
package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/internal/env"
	"tapswitch/internal/secret"
)

// Defaults and bounds of Config.
const (
	DefaultSessions = 4
	DefaultQueue    = 256
	DefaultCache    = 4096
	DefaultTimeout  = time.Second

	maxSessions = 256
	// ProbeEvery is the longest time an operation trusts the last probe of the
	// token, and the shortest time between two tries to get a lost one back.
	ProbeEvery = 200 * time.Millisecond
)

// Config says which token to use and how much of it.
type Config struct {
	Module     string        // path of the PKCS#11 library
	TokenLabel string        // the token that has the local master keys
	UserPIN    secret.Key    // kept for logging in again after a loss
	Sessions   int           // workers and sessions; a stuck call holds one
	Queue      int           // jobs that may wait; beyond it ErrBusy at once
	Cache      int           // unwrapped keys kept in the module
	Timeout    time.Duration // the longest a caller waits
}

// withDefaults fills in zeros and refuses what cannot work.
func (c Config) withDefaults() (Config, error) {
	if c.Sessions == 0 {
		c.Sessions = DefaultSessions
	}
	if c.Queue == 0 {
		c.Queue = DefaultQueue
	}
	if c.Cache == 0 {
		c.Cache = DefaultCache
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	switch {
	case c.Module == "":
		return c, errors.New("pkcs11: no module configured: name the path of the HSM's PKCS#11 library")
	case c.TokenLabel == "":
		return c, errors.New("pkcs11: no token label configured")
	case c.UserPIN.IsZero():
		return c, errors.New("pkcs11: no user PIN configured")
	case c.Sessions < 1 || c.Sessions > maxSessions:
		return c, fmt.Errorf("pkcs11: %d sessions configured, want 1 to %d", c.Sessions, maxSessions)
	case c.Queue < 1 || c.Timeout < time.Millisecond:
		return c, errors.New("pkcs11: queue and time-out must be positive")
	case c.Cache < 4*c.Sessions: // every worker may hold three keys at once
		return c, fmt.Errorf("pkcs11: a cache of %d keys is too small for %d sessions, want at least %d", c.Cache, c.Sessions, 4*c.Sessions)
	}
	return c, nil
}

// Module is an HSM behind PKCS#11, safe for concurrent use. Keys passed to it
// must not be changed afterwards.
type Module struct {
	cfg   Config
	world env.Env
	fused functions
	ctx   *p11.Ctx
	cache *cache

	lib    *library
	agreed *agreement // with the other tokens of a group; nil without

	pool     pool
	jobs     sync.Pool // of *job
	calls    calls
	closed   atomic.Bool
	watchdog sync.WaitGroup

	gate sync.RWMutex // read-held during a job, write-held while the link is made anew
	link link
	id   atomic.Pointer[[8]byte] // of the link

	generations atomic.Pointer[[]generation] // of local master keys, as last seen
	sought      atomic.Pointer[sought]       // the last look that was in vain

	lost    atomic.Pointer[loss] // nil while the link is up
	linked  atomic.Int64         // env.Mono of the last good connect
	pause   time.Duration        // ProbeEvery, but in tests
	probed  atomic.Int64         // env.Mono of the last good probe
	suspect atomic.Bool          // an operation failed: probe before the next
}

var (
	_ hsm.CryptogramVerifier = (*Module)(nil)
	_ hsm.KeyMaker           = (*Module)(nil)
	_ hsm.KeyLoader          = (*Module)(nil)
	_ hsm.Sealer             = (*Module)(nil)
	_ hsm.Tokener            = (*Module)(nil)
	_ hsm.Health             = (*Module)(nil)
)

// Open loads the module, logs in and starts the workers. Its errors say what to
// do: module file, token label, user PIN, local master keys, memory lock.
func Open(world env.Env, cfg Config) (*Module, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	m, rooms, err := newModule(world, cfg)
	if err != nil {
		return nil, err
	}
	m.lib = &library{path: cfg.Module}
	if _, err = m.lib.begin(); err == nil {
		m.ctx, m.fused = m.lib.ctx, m.lib.fused
		if err = m.connect(); err != nil {
			stop(m.ctx)
		}
	}
	if err != nil {
		closeRooms(rooms)
		return nil, err
	}
	m.lib.enter(m)
	m.startWorkers(rooms)
	return m, nil
}

// newModule makes a Module with no library yet, and locks the pages of its workers.
func newModule(world env.Env, cfg Config) (*Module, []*clear.Room, error) {
	rooms := make([]*clear.Room, 0, cfg.Sessions)
	for range cfg.Sessions {
		room, err := clear.New()
		if err != nil {
			closeRooms(rooms)
			return nil, nil, err
		}
		rooms = append(rooms, room)
	}
	m := &Module{
		cfg: cfg, world: world, cache: newCache(cfg.Cache),
		pool: pool{world: world, max: cfg.Queue, timeout: cfg.Timeout}, pause: ProbeEvery,
	}
	m.calls.open()
	return m, rooms, nil
}

func closeRooms(rooms []*clear.Room) {
	for _, r := range rooms {
		_ = r.Close() // wiped all the same
	}
}

// Health is nil when an operation would be tried now. It probes the token when
// the last probe is old, and tries to get a lost one back.
func (m *Module) Health() error {
	return m.health(context.Background())
}

func (m *Module) health(ctx context.Context) error {
	err := m.do(ctx, func(*worker) error { return nil })
	if errors.Is(err, hsm.ErrBusy) {
		return nil // full of work is not ill
	}
	return err
}

// LMK is the identity of the local master key that new keys of this module carry;
// keys under older generations that are still on the token are served, too.
func (m *Module) LMK() [8]byte { return *m.id.Load() } // not by the gate: making the link anew may hang
