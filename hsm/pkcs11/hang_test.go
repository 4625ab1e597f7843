// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"tapswitch/hsm"
)

// longHang is how long the module hangs in TestLongHang.
const longHang = 30 * time.Second

// inChild is set in the environment of a process that runs one test alone.
const inChild = "TAPSWITCH_TEST_IN_CHILD"

// TestLongHang lets every call of the module hang for half a minute, as when the
// network to it is gone: all that time every function is refused within a second,
// by no more goroutines and calls than there are sessions; when the module
// returns every function is served within five seconds, and no goroutine, worker,
// session or object is left over.
//
// There is one module in a process, and this one waits long: it has a process of
// its own, and this one goes on to the tests behind it.
func TestLongHang(t *testing.T) {
	if os.Getenv(inChild) != "" {
		hangLong(t)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
	child.Env = append(os.Environ(), inChild+"=1")
	var said strings.Builder
	child.Stdout, child.Stderr = &said, &said
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Parallel() // from here on when the others are through
	if err := child.Wait(); err != nil || !strings.Contains(said.String(), "--- PASS: "+t.Name()) {
		t.Errorf("in a process of its own: %v\n%s", err, &said)
	}
	t.Log(said.String())
}

func hangLong(t *testing.T) {
	r := chaotic(t, func(c *Config) { c.Sessions, c.Timeout = 3, 500*time.Millisecond })
	r.learn()
	goroutines := runtime.NumGoroutine()
	r.tell("hang * 0 0")
	end := time.Now().Add(longHang)
	var calls sync.WaitGroup
	for _, call := range r.all { // as many at once as there are functions
		calls.Go(func() { r.refusedInTime(call) })
	}
	calls.Wait()
	rounds := 0
	for ; time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		rounds++
		for _, call := range r.all {
			r.refusedInTime(call)
		}
		r.refusedInTime(func(context.Context) error { return r.Health() })
		if n := runtime.NumGoroutine(); n > goroutines+r.cfg.Sessions {
			t.Fatalf("%d goroutines while %d calls hang, %d before", n, r.cfg.Sessions, goroutines)
		}
		if n := r.counters(); n.Inside != uint64(r.cfg.Sessions) {
			t.Fatalf("%d calls hang in the module, want one for each of %d sessions", n.Inside, r.cfg.Sessions)
		}
	}
	t.Logf("%d functions were refused in each of %d rounds", len(r.all), rounds)
	r.tell()
	r.recovers()
	r.nothingLeft()
	if n := r.pool.hanging(); n != 0 {
		t.Errorf("%d workers still count as hanging", n)
	}
	until(t, 5*time.Second, "no goroutine more than before", func() bool { return runtime.NumGoroutine() <= goroutines })
}

// refusedInTime calls a function that must be refused within a second.
func (r *rig) refusedInTime(call func(context.Context) error) {
	from := time.Now()
	err := call(context.Background())
	if took := time.Since(from); !errors.Is(err, hsm.ErrUnavailable) || took > time.Second {
		r.Errorf("while the module hangs: %v after %v", err, took)
	}
}
