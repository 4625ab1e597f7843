// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The bounds of the HTTP side; a scrape is small and local.
const (
	headerTimeout = 5 * time.Second
	bodyTimeout   = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	stopTimeout   = 2 * time.Second
	maxHeader     = 8 << 10
)

// Run encodes events until ctx ends, then those still waiting, and returns.
func (o *Observer) Run(ctx context.Context) {
	batch := make([]Event, 0, len(o.ring.events))
	for {
		select {
		case <-o.ring.ready:
			batch = o.flush(ctx, batch)
		case <-ctx.Done():
			o.flush(context.WithoutCancel(ctx), batch)
			return
		}
	}
}

// flush writes what waits and says what was dropped. It gives the batch back empty.
func (o *Observer) flush(ctx context.Context, batch []Event) []Event {
	batch, dropped := o.ring.take(batch[:0])
	for _, e := range batch {
		o.write(ctx, e)
	}
	if dropped > 0 {
		o.log.LogAttrs(ctx, slog.LevelWarn, "payment events dropped: the log is slower than the payments; the metrics have them all",
			slog.Uint64("dropped", dropped))
	}
	clear(batch)
	return batch[:0]
}

// Serve answers HTTP on ln until ctx ends. It closes ln.
func (o *Observer) Serve(ctx context.Context, ln net.Listener, checks []Check) error {
	s := &http.Server{
		Handler:           o.Handler(checks),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      bodyTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(o.log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	end := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		stopped <- s.Shutdown(limit)
	})
	err := s.Serve(ln)
	if !end() { // the stop was asked for: wait for it
		if late := <-stopped; late != nil {
			_ = s.Close() // a scrape that does not end must not hold up the stop
		}
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("observe: serve metrics on %s: %w", ln.Addr(), err)
}
