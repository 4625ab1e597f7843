// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bytes"
	"context"
	"iter"
	"time"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/hsm/mac"
	"tapswitch/internal/env"
)

// Natural batching. To begin a cipher operation costs a module as much as twenty
// blocks of it, so callers that want something under the same key at the same
// time are served in one go: a lot.
//
// A worker that becomes free takes the oldest job, and with it jobs under the
// same key that wait (pool.take): the more callers, the larger the lot, without a
// timer. Each job of a lot runs in a lane, which is a coroutine with a locked
// page of its own. A lane runs until its code wants blocks enciphered or
// deciphered (worker.ecb); when all lanes have come to that, those that want the
// same direction under the same key have it by one call of the module, and go
// on. Whatever else a job asks of the module, it asks alone.
//
// Who comes when nobody else is there is alone in its lot and pays nothing: no
// coroutine, no copy.

// together is do for work that gains when others under the same key run beside
// it. The key is one whose blocks all of them want, such as the zone key that
// PIN blocks are translated to.
func (m *Module) together(ctx context.Context, key *hsm.Key, work func(w *worker) error) error {
	return m.submit(ctx, key, work)
}

// sameKey reports whether two keys are one: equal in all that is bound and in
// the binding.
func sameKey(a, b *hsm.Key) bool {
	return a == b || a != nil && b != nil &&
		a.Binding == b.Binding && a.Name == b.Name && a.Usage == b.Usage && a.Algorithm == b.Algorithm &&
		a.Owner == b.Owner && a.Version == b.Version && a.KCV == b.KCV && a.NotAfter == b.NotAfter && a.LMK == b.LMK && a.Offset == b.Offset &&
		bytes.Equal(a.Wrapped, b.Wrapped)
}

// maxLot is the largest lot: beyond it a call costs as much as its blocks.
const maxLot = 32

// A module that answers within near is on this machine, and calls at the same
// time get into each other's way: under one key it gets one lot at a time. From
// a module across a network calls at the same time are what makes it fast: jobs
// go to all sessions.
const near = 250 * time.Microsecond

// patience is the time for which a job waits for its key to come back while
// other workers are idle.
const patience = 10 * time.Millisecond

// underWay reports whether a job under key had better wait for the lot under it
// that is in the module now. The lock is held.
func (p *pool) underWay(key *hsm.Key, now env.Mono) bool {
	if key == nil || p.floor > near {
		return false
	}
	for _, w := range p.workers {
		if sameKey(w.key, key) && now.Sub(w.began) < patience {
			return true
		}
	}
	return false
}

// lotMax is the number of jobs that one worker may take when so many wait: no
// more than it has lanes for, and from a module across a network no more than
// its share.
func (p *pool) lotMax(w *worker, waiting int) int {
	if p.floor > near {
		waiting = (waiting + len(p.workers) - 1) / len(p.workers)
	}
	return max(1, min(w.maxLot, waiting))
}

// lane is a worker for one job of a lot, with the session of another.
type lane struct {
	worker
	job  *job
	want blocks
	run  func() (wants, more bool) // until the job wants blocks or ends
	stop func()
}

// blocks are what a lane wants of the module. Out takes as much as in has.
type blocks struct {
	mechanism uint
	encipher  bool
	key       p11.ObjectHandle
	in, out   []byte
	done      bool
	err       error
}

func (b *blocks) like(o *blocks) bool {
	return b.mechanism == o.mechanism && b.encipher == o.encipher && b.key == o.key
}

// open makes a lane. It fails when there is no more memory to lock.
func (w *worker) open() error {
	if w.lot == nil {
		lot, err := clear.New()
		if err != nil {
			return err
		}
		w.lot = lot
	}
	room, err := clear.New()
	if err != nil {
		return err
	}
	l := &lane{worker: worker{m: w.m, room: room, scratch: new(scratch)}}
	l.run, l.stop = iter.Pull(func(yield func(bool) bool) {
		l.hand = func(b blocks) error {
			l.want = b
			yield(true)
			return l.want.err
		}
		for more := true; more; more = yield(false) {
			l.job.err = l.job.task.run(&l.worker)
			l.tidy()
		}
	})
	w.lanes = append(w.lanes, l)
	return nil
}

// shut gives back what the worker and its lanes hold.
func (w *worker) shut() {
	rooms := []*clear.Room{w.room}
	for _, l := range w.lanes {
		l.stop()
		rooms = append(rooms, l.room)
	}
	if w.lot != nil {
		rooms = append(rooms, w.lot)
	}
	closeRooms(rooms)
}

// serveLot does the jobs of a lot.
func (w *worker) serveLot(jobs []*job) {
	for len(w.lanes) < len(jobs) && len(w.lanes) < w.maxLot {
		if w.open() != nil {
			w.maxLot = len(w.lanes) // smaller lots are slower and as good
		}
	}
	n := min(len(jobs), len(w.lanes))
	running := append(w.running[:0], w.lanes[:n]...)
	for i, l := range running {
		l.job, l.session, l.generation = jobs[i], w.session, w.generation
	}
	for len(running) > 0 {
		wanting := running[:0]
		for _, l := range running {
			if wants, _ := l.run(); wants {
				wanting = append(wanting, l)
			} else {
				w.orphans, l.orphans, l.job = append(w.orphans, l.orphans...), l.orphans[:0], nil
			}
		}
		running = wanting
		w.cipherAll(running)
	}
	w.lot.Wipe()
	for _, j := range jobs[n:] {
		w.serveOne(j)
	}
}

// cipherAll gives all lanes the blocks they want, in as few calls as there are
// keys and directions.
func (w *worker) cipherAll(lanes []*lane) {
	for i, l := range lanes {
		if l.want.done {
			continue
		}
		n, like := 0, w.like[:0]
		for _, o := range lanes[i:] {
			if !o.want.done && o.want.like(&l.want) && n+len(o.want.in) <= lotBytes {
				copy(w.lot.Lot(lotBytes)[n:], o.want.in)
				n += len(o.want.in)
				like = append(like, &o.want)
			}
		}
		w.like = like
		w.cipherLike(like, w.lot.Lot(lotBytes)[:n])
	}
}

// lotBytes is the room for blocks of one call, of 8 or 16 bytes each.
const lotBytes = 16 * maxLot

// cipherLike makes one call for all that is wanted under one key.
func (w *worker) cipherLike(like []*blocks, all []byte) {
	b := like[0]
	err := w.m.fused.crypt(w.session, b.encipher, b.mechanism, nil, b.key, all, all)
	if err != nil {
		err = w.fault("cipher blocks", err)
	}
	for _, b := range like {
		if b.done, b.err = true, err; err == nil {
			all = all[copy(b.out, all[:len(b.in)]):]
		}
	}
}

// ecb runs blocks of 8 bytes through double-length DES, together with those of
// the other jobs of a lot.
func (w *worker) ecb(encipher bool, key p11.ObjectHandle, in, out []byte) error {
	return w.ecbWith(p11.CKM_DES3_ECB, encipher, key, in, out)
}

// ecbWith is ecb for the block cipher of any mechanism without a parameter.
func (w *worker) ecbWith(mechanism uint, encipher bool, key p11.ObjectHandle, in, out []byte) error {
	if w.hand != nil && len(in) <= lotBytes/maxLot {
		return w.hand(blocks{mechanism: mechanism, encipher: encipher, key: key, in: in, out: out})
	}
	if err := w.m.fused.crypt(w.session, encipher, mechanism, nil, key, in, out); err != nil {
		return w.fault("cipher a block", err)
	}
	return nil
}

// chain2 is E(E(first) xor second) under double-length DES: alone it is one
// crossing, in a lot two steps.
func (w *worker) chain2(key p11.ObjectHandle, first, second [8]byte) ([8]byte, error) {
	if w.hand != nil {
		return w.chain2InLot(key, first, second)
	}
	if err := w.m.fused.chain2(w.session, key, &first, &second, &w.scratch.block); err != nil {
		return [8]byte{}, w.fault("make a MAC", err)
	}
	return w.scratch.block, nil
}

func (w *worker) chain2InLot(key p11.ObjectHandle, block, second [8]byte) ([8]byte, error) {
	if err := w.ecb(true, key, block[:], block[:]); err != nil {
		return block, err
	}
	block = mac.Xor(block, second)
	err := w.ecb(true, key, block[:], block[:])
	return block, err
}
