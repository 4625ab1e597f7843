// SPDX-License-Identifier: Apache-2.0

package observe

import "sync"

// ring holds events until they are encoded. It is bounded: what does not fit is
// dropped and counted.
type ring struct {
	mu      sync.Mutex
	events  []Event
	first   int
	n       int
	dropped uint64        // since take last asked
	ready   chan struct{} // holds a token while there is something to take
}

func newRing(size int) *ring {
	return &ring{events: make([]Event, size), ready: make(chan struct{}, 1)}
}

// put copies e in; false when there was no room.
func (r *ring) put(e Event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n == len(r.events) {
		r.dropped++
		return false
	}
	r.events[(r.first+r.n)%len(r.events)] = e
	r.n++
	select {
	case r.ready <- struct{}{}:
	default: // the token is there already
	}
	return true
}

// take moves the waiting events into dst and returns them with the number of
// events dropped since the last call.
func (r *ring) take(dst []Event) ([]Event, uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ; r.n > 0; r.n-- {
		dst = append(dst, r.events[r.first])
		r.events[r.first] = Event{}
		r.first = (r.first + 1) % len(r.events)
	}
	dropped := r.dropped
	r.dropped = 0
	return dst, dropped
}
