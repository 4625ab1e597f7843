// SPDX-License-Identifier: Apache-2.0

package flow

import "tapswitch/internal/env"

// waits makes events whose waiting is played: what the transcript says happens
// meanwhile, one line a wait; when there is none left, the time passes.
type waits struct{ w *world }

type event struct {
	w     *world
	woken bool
}

func (w waits) NewEvent() env.Event { return &event{w: w.w} }

func (e *event) Wake() { e.woken = true }

func (e *event) Wait(until env.Mono) bool {
	for !e.woken && len(e.w.waiting) > 0 {
		next := e.w.waiting[0]
		e.w.waiting = e.w.waiting[1:]
		next()
	}
	if !e.woken && until == env.Never {
		e.w.t.Fatal("a wait that nothing ends")
	}
	if !e.woken {
		e.w.clock.Advance(until.Sub(e.w.clock.Mono()))
	}
	return e.woken
}
