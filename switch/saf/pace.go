// SPDX-License-Identifier: Apache-2.0

package saf

import (
	"time"

	"tapswitch/internal/env"
)

// Pace bounds how fast a link's backlog is sent: an acquirer that was out must
// not be knocked over by what has waited for it.
type Pace struct {
	PerSecond int           // deliveries; 0 is no bound but the window
	Ramp      time.Duration // after an outage, from a tenth of it to the whole
}

const (
	rampFrom = 10 // the ramp begins at one part in so many of the rate
	// lateness is by how much the end of a wait may come late without the pace
	// falling behind for it.
	lateness = 2 * time.Millisecond
)

// pace is where a line stands. It is a pure machine: its caller has the clock.
type pace struct {
	Pace
	since env.Mono // the ramp began
	next  env.Mono // no delivery before
}

// restart begins the ramp: the link came back.
func (p *pace) restart(now env.Mono) { p.since, p.next = now, now }

// took notes a delivery that begins. What was not used is not saved up.
func (p *pace) took(now env.Mono) {
	if p.PerSecond > 0 {
		p.next = max(p.next, now.Add(-lateness)).Add(p.pause(now))
	}
}

// pause is the time between two deliveries.
func (p *pace) pause(now env.Mono) time.Duration {
	whole := time.Second / time.Duration(p.PerSecond)
	gone := now.Sub(p.since)
	if gone >= p.Ramp {
		return whole
	}
	return time.Duration(float64(whole) / max(1.0/rampFrom, float64(gone)/float64(p.Ramp)))
}
