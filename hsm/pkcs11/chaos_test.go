// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/hsmtest"
	"tapswitch/simulators/p11chaos"
)

// rig is a module of the driver's behind one that misbehaves on order.
type rig struct {
	*testing.T
	*Module
	chaos *p11chaos.Chaos
	all   map[string]func(context.Context) error
	good  map[string]error // how each function ends when all is well
}

// chaos is built once for the process, in the folder of the test's token.
var chaos *p11chaos.Chaos

// chaotic opens a module through p11chaos.
func chaotic(t *testing.T, change func(c *Config)) *rig {
	t.Helper()
	alone(t)
	if chaos == nil {
		var err error
		if chaos, err = p11chaos.New(base, modulePath); err != nil {
			t.Fatal(err)
		}
	}
	r := &rig{T: t, chaos: chaos}
	r.tell()
	cfg := config()
	cfg.Module, cfg.Timeout = chaos.Module, 10*time.Second // patient: the machine may be busy
	if change != nil {
		change(&cfg)
	}
	m, err := Open(world(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.pause = 0 // lost links are made anew at once
	r.Module = m
	t.Cleanup(func() {
		r.tell()
		closeIt(t, m)
	})
	return r
}

func (r *rig) tell(rules ...string) {
	r.Helper()
	if err := r.chaos.Tell(rules...); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) counters() p11chaos.Counters {
	r.Helper()
	n, err := r.chaos.Counters()
	if err != nil {
		r.Fatal(err)
	}
	return n
}

// learn calls every function once, to know how it ends when all is well.
func (r *rig) learn() {
	r.Helper()
	r.all, r.good = hsmtest.AllFunctions(r.T, r.Module), make(map[string]error)
	for name, call := range r.all {
		if r.good[name] = call(r.Context()); errors.Is(r.good[name], hsm.ErrUnavailable) {
			r.Fatalf("%s before the fault: %v", name, r.good[name])
		}
	}
}

// names are those of all functions, in order. Longer AES keys go through the same
// calls as those of 128 bits: what is done for every single call leaves them out.
func (r *rig) names() (names []string) {
	for name := range r.all {
		if !strings.HasSuffix(name, "under AES-192") && !strings.HasSuffix(name, "under AES-256") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// same reports whether two ends of a function are the same one.
func same(a, b error) bool {
	for _, kind := range []error{hsm.ErrUnavailable, hsm.ErrBusy, hsm.ErrUsage, hsm.ErrBinding, hsm.ErrMAC, hsm.ErrPIN, hsm.ErrPINBlock, hsm.ErrCryptogram, hsm.ErrInput} {
		if errors.Is(a, kind) != errors.Is(b, kind) {
			return false
		}
	}
	return (a == nil) == (b == nil)
}

// recovers waits until every function ends as it does when all is well.
func (r *rig) recovers() {
	r.Helper()
	took := until(r.T, 5*time.Second, "every function is served again", func() bool {
		for name, call := range r.all {
			if err := call(r.Context()); errors.Is(err, hsm.ErrUnavailable) {
				return false
			} else if !same(err, r.good[name]) {
				r.Fatalf("%s after the fault: %v, want %v", name, err, r.good[name])
			}
		}
		return true
	})
	r.Logf("every function is served again after %v", took)
}

// forget destroys the session objects of all keys that are not in use.
func (r *rig) forget() {
	r.Helper()
	until(r.T, 5*time.Second, "every worker is idle", func() bool {
		r.pool.mu.Lock()
		defer r.pool.mu.Unlock()
		return len(r.pool.idle) == r.cfg.Sessions
	})
	err := r.do(r.Context(), func(w *worker) error {
		r.cache.mu.Lock()
		defer r.cache.mu.Unlock()
		for _, worker := range r.pool.workers {
			worker.nearby.drop()
			for _, l := range worker.lanes {
				l.nearby.drop()
			}
		}
		for id, e := range r.cache.entries {
			if e.refs != 0 {
				return fmt.Errorf("a key is in use %d times though nobody works", e.refs)
			}
			r.cache.order.Remove(e.place)
			delete(r.cache.entries, id)
			w.remove(e.keys)
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
}

// drop ends the use of all that is near. The cache is locked.
func (n *nearby) drop() {
	for _, e := range n.entries {
		if e != nil {
			e.refs--
		}
	}
	*n = nearby{}
}

// nothingLeft counts session objects and sessions in the module itself.
func (r *rig) nothingLeft() {
	r.Helper()
	r.forget()
	err := r.do(r.Context(), func(w *worker) error {
		w.bury()
		template := []*p11.Attribute{p11.NewAttribute(p11.CKA_TOKEN, false)}
		if err := r.ctx.FindObjectsInit(w.session, template); err != nil {
			return err
		}
		found, _, err := r.ctx.FindObjects(w.session, 1000)
		if err := errors.Join(err, r.ctx.FindObjectsFinal(w.session)); err != nil {
			return err
		}
		if len(found) != 0 {
			r.Errorf("%d session objects are left over", len(found))
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	if n := r.counters(); n.Inside != 0 || n.Opened-n.Closed > uint64(r.cfg.Sessions)+1 {
		r.Errorf("%d calls under way, %d sessions open of %d", n.Inside, n.Opened-n.Closed, r.cfg.Sessions+1)
	}
}

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
// its own, and this one goes on to the tests behind it. So it stands in front of
// those that take long.
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
		until(t, 5*time.Second, fmt.Sprintf("no more than %d goroutines while %d calls hang", goroutines+r.cfg.Sessions, r.cfg.Sessions), func() bool {
			return runtime.NumGoroutine() <= goroutines+r.cfg.Sessions // one that has ended may be counted for a moment
		})
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

// TestEveryCallFails lets the k-th call of every function fail, for every k up to
// 20 and ever fewer behind, beginning with keys that are not unwrapped: the end is
// the right one or a refusal, never another, and then the function is served.
func TestEveryCallFails(t *testing.T) {
	r := chaotic(t, func(c *Config) { c.Sessions = 1 })
	r.learn()
	codes := []uint{p11.CKR_DEVICE_REMOVED, p11.CKR_GENERAL_ERROR, p11.CKR_SESSION_HANDLE_INVALID, p11.CKR_FUNCTION_FAILED,
		p11.CKR_USER_NOT_LOGGED_IN, p11.CKR_HOST_MEMORY, p11.CKR_OBJECT_HANDLE_INVALID, p11.CKR_DEVICE_ERROR, p11.CKR_PIN_LOCKED}
	struck := 0
	for _, name := range r.names() {
		for k, hit := 1, true; hit; k += 1 + k/20 { // the longest are chains of one call
			code := codes[struck%len(codes)]
			r.forget()
			before := r.counters().Struck
			r.tell(fmt.Sprintf("fail * %d 0x%x", k, code))
			err := r.all[name](t.Context())
			r.tell()
			if hit = r.counters().Struck != before; hit {
				struck++
			}
			if !same(err, r.good[name]) && !errors.Is(err, hsm.ErrUnavailable) {
				t.Errorf("%s, call %d answered 0x%x: %v; want %v, or not available", name, k, code, err, r.good[name])
			}
			until(t, 5*time.Second, name+" is served again", func() bool { return same(r.all[name](t.Context()), r.good[name]) })
		}
	}
	t.Logf("%d calls were made to fail in %d functions", struck, len(r.all))
	if struck < 4*len(r.all) {
		t.Errorf("only %d calls failed in %d functions", struck, len(r.all))
	}
	r.recovers()
	r.nothingLeft()
}

// TestHang lets all calls hang: callers are refused in time, later ones at once;
// when the hang ends all is well and nothing is left over.
func TestHang(t *testing.T) {
	r := chaotic(t, func(c *Config) { c.Sessions, c.Timeout = 3, 500*time.Millisecond })
	r.learn()
	r.recovers() // every session is open
	goroutines := runtime.NumGoroutine()
	r.tell("hang * 0 0")
	var calls sync.WaitGroup
	for name, call := range r.all {
		calls.Go(func() {
			if err := call(context.Background()); !errors.Is(err, hsm.ErrUnavailable) {
				t.Errorf("%s while the module hangs: %v", name, err)
			}
		})
	}
	calls.Wait()
	if err := r.Health(); !errors.Is(err, hsm.ErrUnavailable) || !strings.Contains(err.Error(), "hang") {
		t.Errorf("health while the module hangs: %v", err)
	}
	if n := r.counters(); n.Inside != 3 {
		t.Errorf("%d calls hang in the module, want one for each of 3 sessions", n.Inside)
	}
	r.tell()
	r.recovers()
	r.nothingLeft()
	until(t, 5*time.Second, "no goroutine more than before", func() bool { return runtime.NumGoroutine() <= goroutines })
}

// TestLaterCallsHang lets one call hang in the middle of a function whose caller
// leaves, and ends the hang: the objects that the function made are gone.
func TestLaterCallsHang(t *testing.T) {
	r := chaotic(t, func(c *Config) { c.Sessions = 1 })
	r.learn()
	goroutines := runtime.NumGoroutine()
	impatient := func(name string) error { // most calls are over in far less
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		return r.all[name](ctx)
	}
	for _, name := range r.names() {
		for k, hit := 1, true; hit; k += 4 {
			r.forget()
			r.tell(fmt.Sprintf("hang * %d 0", k))
			err := impatient(name)
			hit = errors.Is(err, hsm.ErrUnavailable)
			if !hit && !same(err, r.good[name]) {
				t.Errorf("%s, call %d hangs: %v", name, k, err)
			}
			r.tell()
			until(t, 5*time.Second, name+" is served again", func() bool { return same(r.all[name](t.Context()), r.good[name]) })
		}
	}
	r.nothingLeft()
	until(t, 5*time.Second, "no goroutine more than before", func() bool { return runtime.NumGoroutine() <= goroutines })
}

// TestLinkLost takes sessions, login and token away, and locks the user PIN.
func TestLinkLost(t *testing.T) {
	r := chaotic(t, nil)
	r.learn()
	for _, c := range []struct {
		name  string
		rules []string
		says  string // in the reason while it lasts; "" when it is over at once
	}{
		{"sessions lost", []string{"lose"}, ""},
		{"logged out", []string{"logout"}, ""},
		{"token vanished", []string{"vanish"}, tokenLabel},
		{"user PIN locked", []string{"lose", "fail C_Login 0 0xA4"}, "security officer"},
		{"device removed", []string{"fail * 0 0x32"}, "CKR_DEVICE_REMOVED"},
		{"not logged in", []string{"fail C_EncryptInit 0 0x101", "fail C_DecryptInit 0 0x101", "fail C_SignInit 0 0x101"}, "CKR_USER_NOT_LOGGED_IN"},
		{"no session", []string{"fail C_OpenSession 0 0xB1", "lose"}, "CKR_SESSION_COUNT"},
		{"log-in hangs, then fails", []string{"lose", "hang C_Login 1 50", "fail C_Login 0 0x30"}, "CKR_DEVICE_ERROR"},
	} {
		r.tell(c.rules...)
		if c.says != "" {
			until(t, 5*time.Second, c.name+": every function refuses", func() bool { served, _ := answers(t, r.all); return served == 0 })
			if err := r.Health(); !errors.Is(err, hsm.ErrUnavailable) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: health: %v, want a word of %q", c.name, err, c.says)
			}
		}
		r.tell()
		r.recovers()
		r.nothingLeft()
	}
}

// TestSelfTestRefuses: a module that computes wrongly is not taken into use, nor
// again after a loss.
func TestSelfTestRefuses(t *testing.T) {
	r := chaotic(t, nil)
	r.learn()
	for _, function := range []string{"C_Encrypt", "C_Decrypt", "C_Sign"} {
		r.tell("lose", "spoil "+function+" 0")
		until(t, 5*time.Second, "the module is not used", func() bool {
			_ = r.all["MAC union pay"](t.Context()) // notices the loss
			err := r.Health()
			return errors.Is(err, hsm.ErrUnavailable) && (strings.Contains(err.Error(), "self test") || strings.Contains(err.Error(), "other local master keys"))
		})
		r.tell()
		r.recovers()
	}
	closeIt(t, r.Module)
	for _, rule := range []string{"spoil C_Encrypt 0", "spoil C_Decrypt 0", "spoil C_Sign 2", "fail C_DeriveKey 0 0x70", "fail C_UnwrapKey 0 0x5"} {
		r.tell(rule)
		m, err := Open(world(), r.cfg)
		if err == nil {
			_ = m.Close() // the failure is told below
		}
		if err == nil || !strings.Contains(err.Error(), "self test") {
			t.Errorf("opened with %q: %v", rule, err)
		}
	}
	r.tell()
}
