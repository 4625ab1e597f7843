// SPDX-License-Identifier: Apache-2.0

// Package world runs a whole switch, its terminals and its acquirers in one
// process from one seed, over virtual time.
//
// Promise: the same seed gives the same run, event by event, and so the same
// trace hash. What runs is the product: node's own wiring of flow, links,
// store-and-forward, replay, recovery, numbers, PINs, fleet and segment journal,
// with hsm/soft as its module. Only the machine around it is made up.
//
// How: every thread of the switch is a coroutine (iter.Pull); sched.go runs one
// at a time and lets the seed choose among those that can go on. Time moves only
// when none can. machine.go is the computer: a disk that crashes, fills up and
// fails, an HSM that hangs, a wall clock that jumps; net.go its lines to host.go,
// the acquirers, whose books are books.go. pos.go are the terminals, and sale.go what they ask for; hold.go is both
// sides of what is held. Once the time of trouble is over, all is drained, and
// simulators/oracle judges what the three sides kept.
//
// Imported by: cmd/tapswitch. Imports: switch/node and what history.go reads of its journal, simulators/{oracle,card}, terminal/kernel.
//
// Non-obvious: a crash ends coroutines by a panic that unwinds them, so deferred
// calls of the dead switch still run; its lines are cut and its disk is left
// behind before, so that nothing of it reaches the world. Terminals talk to node's handler
// message by message: sockets, TLS and their time-outs are the end-to-end tests' part.
package world
