// SPDX-License-Identifier: Apache-2.0

package env

import (
	"context"
	"crypto/rand"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// started is the zero of every Mono of this process, so that readings of two
// Envs can be compared.
var started = time.Now()

// Real returns the machine's own clock, disk, network and randomness.
func Real() Env {
	return Env{
		Clock: realClock{},
		Waits: realWaits{},
		Disk:  RealDisk(),
		Net:   realNetwork{},
		Rand:  rand.Reader,
	}
}

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }
func (realClock) Mono() Mono     { return Mono(time.Since(started)) }

type realWaits struct{}

func (realWaits) NewEvent() Event { return &realEvent{done: make(chan struct{})} }

// realEvent is a channel that is closed once.
type realEvent struct {
	woken atomic.Bool
	done  chan struct{}
}

func (e *realEvent) Wake() {
	if e.woken.CompareAndSwap(false, true) {
		close(e.done)
	}
}

func (e *realEvent) Wait(until Mono) bool {
	if e.woken.Load() {
		return true
	}
	if until == Never {
		<-e.done
		return true
	}
	left := until.Sub(realClock{}.Mono())
	if left <= 0 {
		return e.woken.Load()
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-e.done:
		return true
	case <-timer.C:
		return e.woken.Load()
	}
}

type realNetwork struct{}

func (realNetwork) Listen(address string) (net.Listener, error) {
	if path, is := unixPath(address); is {
		return listenUnix(path, os.Geteuid())
	}
	return net.Listen("tcp", address)
}

func (realNetwork) Dial(ctx context.Context, address string) (net.Conn, error) {
	if path, is := unixPath(address); is {
		return dialUnix(ctx, path, os.Geteuid())
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}
