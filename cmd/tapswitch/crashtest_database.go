// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"tapswitch/internal/pgtest"
)

// What is killed of PostgreSQL.
const (
	hitBackend = "backend" // one process; the server ends the others and recovers by itself
	hitFirst   = "first"   // the first process alone, started again
	hitAll     = "all"     // every process, started again
	hitAway    = "away"    // every process, and it stays away until the switch has given up
)

// crashResolve is how long the switch tries a database that is gone; one that
// stays away makes it give up soon after.
const crashResolve = 2 * time.Second

// awayLimit is how long a switch may live without its database, at most: its
// resolve time, and what a busy machine adds.
const awayLimit = crashResolve + 10*time.Second

// database is the PostgreSQL server of a crash test. All methods of a nil
// database do nothing: the journal is in segment files then.
type database struct {
	*pgtest.Server
	chance *rand.Rand
	hits   map[string]int // by what was killed
	gaveUp int            // lives of the switch that ended by themselves, the database being gone
}

func newDatabase(chance *rand.Rand) (*database, error) {
	server, err := pgtest.Start()
	if err != nil {
		return nil, fmt.Errorf("--journal %s: %w", inPostgres, err)
	}
	return &database{Server: server, chance: chance, hits: map[string]int{}}, nil
}

// address is the URL of the database that the journal is in.
func (d *database) address() string { return d.URL("postgres") }

// edits are what the switch's configuration needs to have its journal there.
func (d *database) edits(s stage) ([][2]string, error) {
	if d == nil {
		return nil, nil
	}
	file := s.path("journal.url")
	if err := os.WriteFile(file, []byte(d.address()+"\n"), 0o600); err != nil {
		return nil, err
	}
	return [][2]string{
		{"journal: {dir: journal, segment_bytes: 1048576, max_bytes: 67108864}",
			fmt.Sprintf("journal: {max_bytes: 67108864, postgres: {url: \"${file:journal.url}\", timeout_ms: 1000, resolve_ms: %d}}", crashResolve.Milliseconds())},
		{"history: {path: history.db}\n", "history: {store: postgres, url: \"${file:journal.url}\", timeout_ms: 1000}\n"},
	}, nil
}

// keepLog copies the server's log.
func (d *database) keepLog(file string) error {
	b, err := os.ReadFile(d.Log())
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}

// close ends the server and removes its data.
func (d *database) close() {
	if d != nil {
		_ = d.Stop() // a process of ours that has ended, and a folder for temporary files
	}
}

// hit is one killing of the database, in one life of the switch.
type hit struct {
	*database
	serve  *part
	kind   string
	after  time.Duration // from the beginning of that life
	pause  time.Duration // until the server is started again
	struck chan struct{} // closed when it has been killed, or there was nothing to kill
	done   chan struct{} // closed when the server serves again
	found  bool          // there was something to kill
	err    error
}

// begin draws whether and how the database is killed in the life of serve, which
// begins now, and is to be killed itself at that moment. usual is about how long a start takes.
func (d *database) begin(serve *part, when string, usual time.Duration) *hit {
	if d == nil || d.chance.IntN(2) == 0 {
		return nil
	}
	draw := func(most time.Duration) time.Duration { return time.Duration(d.chance.Int64N(int64(most))) }
	h := &hit{database: d, serve: serve, struck: make(chan struct{}), done: make(chan struct{}), pause: draw(400 * time.Millisecond),
		kind: []string{hitBackend, hitBackend, hitFirst, hitAll, hitAll, hitAway}[d.chance.IntN(6)]}
	switch when {
	case whenStart:
		h.after = draw(usual)
	case whenStop: // about when it is told to stop
		h.after = usual + draw(600*time.Millisecond)
	default:
		h.after = draw(usual + time.Second)
	}
	if h.kind == hitAway && when != whenLoad {
		h.kind = hitAll
	}
	go func() {
		defer close(h.done)
		h.err = h.strike()
	}()
	return h
}

// moment comes when the switch is to be killed, after from now: under load not
// before its database, nor, when that stays away, before it has had time to give up.
func (h *hit) moment(when string, after time.Duration) <-chan struct{} {
	moment := make(chan struct{})
	go func() {
		defer close(moment)
		time.Sleep(after)
		if h == nil || when != whenLoad {
			return
		}
		<-h.struck
		if h.kind == hitAway {
			<-h.done
		}
	}()
	return moment
}

// strike kills and starts again; when the switch is dead before, nothing is killed.
func (h *hit) strike() (err error) {
	select {
	case <-time.After(h.after):
		h.found, err = h.kill()
	case <-h.serve.done:
	}
	close(h.struck)
	if err != nil || !h.found {
		return err
	}
	if h.kind == hitBackend {
		time.Sleep(h.pause)
		return h.Await()
	}
	if h.kind == hitAway {
		select {
		case <-h.serve.done:
		case <-time.After(awayLimit):
			err = fmt.Errorf("the switch goes on %v after its database went away", awayLimit)
		}
	}
	time.Sleep(h.pause)
	return errors.Join(err, h.Up())
}

func (h *hit) kill() (found bool, err error) {
	switch h.kind {
	case hitBackend:
		return h.KillBackend()
	case hitFirst:
		return true, h.Behead()
	}
	return true, h.Crash()
}

// end waits for the database to serve again. life is how the switch's life ended:
// that it ended by itself is its duty when it could not say what became of a record.
func (h *hit) end(ctx context.Context, life error) (kind string, err error) {
	if h == nil {
		return "", life
	}
	select {
	case <-h.done:
	case <-ctx.Done():
		return "", errors.Join(life, ctx.Err())
	}
	if !h.found {
		return "", errors.Join(life, h.err)
	}
	h.hits[h.kind]++
	if errors.Is(life, errPartEnded) && strings.Contains(h.serve.tail.String(), "journal") {
		h.gaveUp++
		life = nil
	}
	return h.kind, errors.Join(life, h.err)
}
