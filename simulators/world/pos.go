// SPDX-License-Identifier: Apache-2.0

package world

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/soft"
	"tapswitch/internal/env"
	"tapswitch/iso8583"
	"tapswitch/iso8583/dialect/unionpaypos"
	"tapswitch/simulators/oracle"
)

const merchant = "104110059990001"

func terminalID(i int) string { return fmt.Sprintf("1000%04d", i) }

// pos is one terminal. Its memory survives the loss of power, its keys do not.
type pos struct {
	w      *World
	id     string
	group  *group
	module *soft.Module
	tmk    hsm.Key
	layout *iso8583.Layout

	tpk, tak *hsm.Key
	version  uint32
	done     bool     // calm, and nothing is due
	vainly   env.Mono // until then a message that must be refused may be on its way

	mem memory
}

// memory is what a terminal keeps on its own disk.
type memory struct {
	trace   uint32
	batch   uint32
	pending *sale // to be reversed, or not known to be answered
	last    *sale // the last approved one that takes money
	gone    *sale // the last of them that was taken back
	holds   []oracle.Key
	voids   []oracle.Taken
	refunds []oracle.Taken
	list    []*sale  // what counts in the present batch
	closing *closing // the batch that is being settled
	closed  *closing // the one that was settled last
	aside   []*sale  // refunds asked for beside all that, and not answered
	scripts []*sale  // what cards did with scripts, and the switch does not have
	told    *sale    // the last of these that it has
	deposit
}

func (p *pos) key(s *sale) oracle.Key {
	return oracle.Key{Terminal: p.id, Batch: s.batch, Trace: s.trace}
}

func newPos(w *World, i int) (*pos, error) {
	p := &pos{w: w, id: terminalID(i), layout: unionpaypos.New(), mem: memory{batch: 1}}
	var err error
	if p.module, err = soft.New(w.random, w.sched); err != nil {
		return nil, err
	}
	p.tmk, err = load(p.module, "terminal/tmk", hsm.TMK, hsm.TDES2, tmkHex)
	return p, err
}

// switchOn starts the terminal's program.
func (p *pos) switchOn() {
	p.group = &group{name: "terminal " + p.id}
	p.tpk, p.tak = nil, nil
	p.w.sched.start(p.group, p.live)
}

// powerLoss ends the program; it is on again a little later.
func (p *pos) powerLoss() {
	if p.group.dead {
		return
	}
	p.w.sched.kill(p.group)
	p.w.sched.after(p.w.group, p.w.between(200*time.Millisecond, 4*time.Second), p.switchOn)
}

// live is the program: sign on, undo what is due, sell.
func (p *pos) live() {
	w := p.w
	for {
		w.sched.sleep(w.between(100*time.Millisecond, 2500*time.Millisecond))
		switch {
		case p.tak == nil:
			p.signOn()
		case p.mem.pending != nil && p.mem.pending.repeats():
			p.insist(p.mem.pending, false)
		case p.mem.pending != nil:
			p.undo()
		case len(p.mem.aside) > 0:
			p.insist(p.mem.aside[0], false)
		case len(p.mem.scripts) > 0:
			p.insist(p.mem.scripts[0], false)
		case p.mem.closing != nil:
			p.goOn()
		case w.calm && len(p.mem.list) > 0:
			p.beginClosing()
		case w.calm:
			p.done = true
			return
		case len(p.mem.list) > 0 && w.rng.IntN(15) == 0:
			p.beginClosing()
		case p.mem.closed != nil && w.rng.IntN(25) == 0:
			p.closeAgain()
		case p.mem.last != nil && p.mem.last.kind == oracle.Purchase && w.rng.IntN(10) == 0:
			p.refund()
		case p.mem.last != nil && !p.mem.last.touched && w.rng.IntN(4) == 0: // the customer changes their mind
			p.takeBack()
		case p.mem.last != nil && w.rng.IntN(25) == 0:
			p.altered()
		case p.mem.told != nil && w.rng.IntN(6) == 0:
			p.tellAgain()
		case p.mem.gone != nil && w.rng.IntN(25) == 0:
			p.voidInVain()
		case w.rng.IntN(25) == 0:
			p.nonsense()
		case len(p.mem.list) > 0 && w.rng.IntN(25) == 0:
			p.garbledTotals()
		case p.deposits():
		case w.rng.IntN(8) == 0:
			p.inquire()
		case w.rng.IntN(15) == 0:
			p.offline()
		default:
			p.sell()
		}
	}
}

// forget takes a payment out of those that the terminal has.
func (p *pos) forget(trace uint32) {
	p.mem.holds = slices.DeleteFunc(p.mem.holds, func(k oracle.Key) bool { return k.Trace == trace })
	p.mem.voids = slices.DeleteFunc(p.mem.voids, func(v oracle.Taken) bool { return v.Key.Trace == trace })
}

// signOn fetches working keys.
func (p *pos) signOn() {
	p.mem.trace++
	var b iso8583.Builder
	b.Reset(p.layout, 0x0800)
	b.SetUint(11, uint64(p.mem.trace))
	b.SetString(41, p.id)
	b.SetString(42, merchant)
	b.SetString(60, fmt.Sprintf("00%06d003", p.mem.batch))
	b.SetString(62, "Sequence No123060"+p.id)
	b.SetString(63, "001")
	body, err := b.Append(nil)
	if err != nil {
		p.w.finding("terminal: sign-on: %v", err)
		return
	}
	ask := &oracle.Ask{Kind: oracle.Other, Key: oracle.Key{Terminal: p.id, Batch: p.mem.batch, Trace: p.mem.trace}}
	answer, _ := p.talk(body, ask, 3*time.Second)
	var v iso8583.View
	if answer == nil || p.layout.Parse(answer, &v) != nil || text(&v, 39) != "00" || v.Len(62) != 40 {
		return
	}
	p.version++
	want := func(name string, usage hsm.Usage) hsm.WorkingKey {
		return hsm.WorkingKey{Spec: hsm.Spec{Name: name, Usage: usage, Algorithm: hsm.TDES2, Owner: p.id, Version: p.version}}
	}
	raw := v.Raw(62)
	in := []hsm.Exported{{Cryptogram: raw[:16], KCV: [4]byte(raw[16:20])}, {Cryptogram: raw[20:36], KCV: [4]byte(raw[36:40])}}
	keys, err := p.module.LoadSet(context.Background(), &p.tmk, []hsm.WorkingKey{want("tpk", hsm.TPK), want("tak", hsm.TAK)}, in)
	if err == nil { // a garbled answer has wrong check values
		p.tpk, p.tak = &keys[0], &keys[1]
		p.leadOn(&v)
	}
}
