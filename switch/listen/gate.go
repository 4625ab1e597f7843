// SPDX-License-Identifier: Apache-2.0

package listen

import (
	"slices"
	"sync"

	"tapswitch/internal/env"
)

// gate lets a bounded number in; who waits longest comes in next.
type gate struct {
	waits env.Waits
	mu    sync.Mutex
	free  int
	queue []env.Event // at most one per connection
}

// enter takes a place; false when none was free until then.
func (g *gate) enter(until env.Mono) bool {
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return true
	}
	mine := g.waits.NewEvent()
	g.queue = append(g.queue, mine)
	g.mu.Unlock()
	if mine.Wait(until) {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.queue, mine)
	if i < 0 {
		return true // the place came at the last moment
	}
	g.queue = slices.Delete(g.queue, i, i+1)
	return false
}

// leave gives a place back, or straight to who waits.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) == 0 {
		g.free++
		return
	}
	next := g.queue[0]
	g.queue = slices.Delete(g.queue, 0, 1)
	next.Wake()
}
