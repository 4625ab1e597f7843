// SPDX-License-Identifier: Apache-2.0

package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/env"
	"tapswitch/internal/env/fake"
	"tapswitch/switch/listen"
	"tapswitch/switch/node"
	"tapswitch/switch/txn"
)

// machine is one life of the switch, from start to crash.
type machine struct {
	sluggish bool // every operation of the journal's disk takes long
	world    *World
	group    *group
	disk     *fake.Disk
	node     *node.Node
	handler  listen.Handler // nil until it serves
	crashIn  int            // disk operations until it loses power; 0 is never
	keep     fake.Keep
}

// boot starts a switch over a disk.
func (w *World) boot(disk *fake.Disk) {
	m := &machine{world: w, group: &group{name: "switch"}, disk: disk}
	w.machine = m
	disk.OnOp(m.operation)
	if w.trouble("crash at start", 100) {
		m.crashIn, m.keep = 1+w.rng.IntN(40), fake.Keeps()[w.rng.IntN(3)]
	}
	w.sched.start(m.group, m.live)
}

func (m *machine) env() env.Env {
	w := m.world
	return env.Env{Clock: w.sched, Waits: w.sched, Disk: m.disk, Net: lines{m}, Rand: w.random,
		Go: func(fn func()) { w.sched.start(m.group, fn) }}
}

// live is the process's main function.
func (m *machine) live() {
	w := m.world
	n, err := node.New(w.config, m.env(), w.module, node.Options{Log: io.Discard, Version: "world", Stopped: m.stopped})
	if m.group.dead {
		return
	}
	if err != nil {
		w.say("the switch does not start")
		if !w.troubled() {
			w.broken(3, "the switch does not start: %v", err)
		}
		w.sched.after(w.group, 2*time.Second, func() { m.restart("start failed") })
		return
	}
	m.node, m.handler = n, n.Handler()
	n.Connect(context.Background())
	w.say("the switch serves")
}

// stopped is the process's own end after a fault; what is in flight goes on for
// a moment, as it does while Run shuts down.
func (m *machine) stopped(err error) {
	w := m.world
	w.say("the switch stops")
	if !w.troubled() || errors.Is(err, txn.DeclineOriginalState) { // the table does not know what happened
		w.broken(3, "the switch stopped without a fault: %v", err)
	}
	w.sched.after(w.group, w.between(0, 50*time.Millisecond), func() { m.restart("stopped itself") })
}

// restart ends the process, which loses no more than its memory, and starts the next.
func (m *machine) restart(why string) {
	if !m.group.dead {
		m.die(why, fake.KeepAll)
	}
}

// die ends this life and arranges for the next.
func (m *machine) die(why string, keep fake.Keep) {
	w := m.world
	w.crashes = append(w.crashes, fmt.Sprintf("%s, keep %s", why, keep))
	w.say("the switch is gone: %s, keep %s", why, keep)
	if m.node != nil && !m.group.dead {
		w.moves.Add(m.node.Moves())
	}
	disk := m.disk.CrashClone(keep, w.rng.Uint64())
	disk.SetCapacity(0)
	m.disk.OnOp(nil)
	m.handler = nil
	m.group.dead = true
	for _, h := range w.hosts {
		for _, c := range h.lines {
			if c.m == m {
				c.cut()
			}
		}
	}
	w.sched.kill(m.group)
	w.sched.after(w.group, w.between(100*time.Millisecond, 4*time.Second), func() { w.boot(disk) })
}

// operation is called before every operation of the disk. It may be the last.
func (m *machine) operation(op fake.Op) {
	w := m.world
	if m.group.dead {
		return
	}
	if m.crashIn > 0 {
		if m.crashIn--; m.crashIn == 0 {
			w.fault("crash")
			m.die(fmt.Sprintf("at %s of %s", op.Kind, strings.SplitN(op.Name, "/", 2)[0]), m.keep)
			panic(killed{})
		}
	}
	// Other payments go on while one waits for the journal's disk.
	if strings.HasPrefix(op.Name, "journal/") && (op.Kind == fake.OpSync || op.Kind == fake.OpWrite) && m.handler != nil && w.sched.current != nil {
		switch {
		case m.sluggish:
			w.sched.sleep(w.between(0, 600*time.Millisecond))
		case w.trouble("disk slow", 8):
			w.sched.sleep(w.between(500*time.Millisecond, 8*time.Second))
		default:
			w.sched.sleep(w.between(0, 3*time.Millisecond))
		}
	}
}

// full lets the disk have no more room for a while.
func (m *machine) full(d time.Duration) {
	m.disk.SetCapacity(m.disk.Used() + 512)
	m.world.sched.after(m.world.group, d, func() { m.disk.SetCapacity(0) })
}

// failSync makes every sync fail; the switch must stop by itself.
func (m *machine) failSync() {
	m.disk.FailSyncs(syscall.EIO)
	m.world.sched.after(m.world.group, 3*time.Second, func() {
		m.disk.FailSyncs(nil)
		m.restart("disk replaced")
	})
}

// errNoModule is what a module says that is gone.
var errNoModule = errors.New("unplugged")

// ask is the module's own trouble before an operation.
func (m *module) ask() error {
	w := m.w
	if w.sched.current == nil || w.sched.current.group.name != "switch" {
		return nil
	}
	switch {
	case m.gone:
		return fmt.Errorf("%w: %w", hsm.ErrUnavailable, errNoModule)
	case w.trouble("hsm busy", 8):
		return hsm.ErrBusy
	case w.trouble("hsm failed", 8):
		return fmt.Errorf("%w: %w", hsm.ErrUnavailable, errNoModule)
	case w.trouble("hsm slow", 12):
		w.sched.sleep(w.between(500*time.Millisecond, 6*time.Second))
	case m.sluggish:
		w.sched.sleep(w.between(0, 800*time.Millisecond))
	case w.rng.IntN(4) == 0:
		w.sched.sleep(w.between(0, 2*time.Millisecond))
	}
	return nil
}
