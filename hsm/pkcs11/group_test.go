// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/hsmtest"
	"tapswitch/simulators/p11chaos"
)

// two are tokens with the same local master keys, each in a library of its
// own that misbehaves on order. Made once for the process.
var two struct {
	chaos  [2]*p11chaos.Chaos
	tokens [2]Token
}

func makePair(t *testing.T) {
	t.Helper()
	alone(t)
	if two.tokens[1].Module != "" {
		return
	}
	library, err := os.ReadFile(modulePath)
	if err != nil {
		t.Fatal(err)
	}
	for i, label := range []string{"group-a", "group-b"} {
		form(t, fresh(t, label), 0x21, 1)
		folder := filepath.Join(base, label)
		behind := filepath.Join(folder, "libsofthsm2.so")
		err := errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(behind, library, 0o600))
		if err == nil {
			two.chaos[i], err = p11chaos.NewApart(folder, behind)
		}
		if err != nil {
			t.Fatal(err)
		}
		two.tokens[i] = Token{Module: two.chaos[i].Module, TokenLabel: label, UserPIN: pin(pinText)}
	}
}

// groupRig is a group of the two.
type groupRig struct {
	*testing.T
	*Group
	all  map[string]func(context.Context) error
	good map[string]error
}

func config2(tokens ...Token) (Config, []Token) {
	cfg := config()
	cfg.Module, cfg.TokenLabel, cfg.UserPIN, cfg.Timeout = tokens[0].Module, tokens[0].TokenLabel, tokens[0].UserPIN, 10*time.Second
	return cfg, tokens[1:]
}

// grouped opens both tokens, behaving, and learns how every function ends.
func grouped(t *testing.T, change func(c *Config)) *groupRig {
	t.Helper()
	makePair(t)
	r := &groupRig{T: t}
	r.tell(0)
	r.tell(1)
	goroutines := runtime.NumGoroutine()
	cfg, others := config2(two.tokens[:]...)
	if change != nil {
		change(&cfg)
	}
	g, err := OpenGroup(world(), cfg, others...)
	if err != nil {
		t.Fatal(err)
	}
	r.Group = g
	t.Cleanup(func() {
		r.tell(0)
		r.tell(1)
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if err := g.Health(); !errors.Is(err, hsm.ErrUnavailable) {
			t.Errorf("health after close: %v", err)
		}
		until(t, 5*time.Second, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= goroutines })
	})
	r.all, r.good = hsmtest.AllFunctions(t, g), make(map[string]error)
	for name, call := range r.all {
		if r.good[name] = call(t.Context()); errors.Is(r.good[name], hsm.ErrUnavailable) {
			t.Fatalf("%s before the fault: %v", name, r.good[name])
		}
	}
	return r
}

func (r *groupRig) tell(member int, rules ...string) {
	r.Helper()
	if err := two.chaos[member].Tell(rules...); err != nil {
		r.Fatal(err)
	}
}

// ciphered is how often a token was asked to encipher or decipher: operations do,
// and looks at a token do not.
func (r *groupRig) ciphered(member int) uint64 {
	r.Helper()
	n, err := two.chaos[member].Counters()
	if err != nil {
		r.Fatal(err)
	}
	return n.Calls["C_EncryptInit"] + n.Calls["C_DecryptInit"]
}

// serves calls every function: each ends as it does when all is well.
func (r *groupRig) serves(what string) {
	r.Helper()
	for name, call := range r.all {
		if err := call(r.Context()); !same(err, r.good[name]) {
			r.Errorf("%s: %s: %v, want %v", what, name, err, r.good[name])
		}
	}
}

// servedBy waits until the token is in use, and checks that it alone is.
func (r *groupRig) servedBy(member int) {
	r.Helper()
	until(r.T, 10*time.Second, two.tokens[member].TokenLabel+" serves", func() bool { return r.Members()[member].Err == nil })
	mine, others := r.ciphered(member), r.ciphered(1-member)
	r.serves("served by " + two.tokens[member].TokenLabel)
	if r.ciphered(member) == mine {
		r.Errorf("token %d was not asked", member)
	}
	if member == 0 && r.ciphered(1) != others {
		r.Error("the spare token was asked though the first one is well")
	}
}

func TestGroupConformance(t *testing.T) {
	r := grouped(t, nil)
	hsmtest.Run(t, func(*testing.T) hsmtest.Module { return r.Group })
	for _, m := range r.Members() {
		if m.Err != nil {
			t.Errorf("after the suite: %+v", m)
		}
	}
}

// TestGroupMemberLost takes the first token away in every way, under load: no
// operation is refused, and the token is used again when it is back.
func TestGroupMemberLost(t *testing.T) {
	r := grouped(t, nil)
	r.servedBy(0)
	for _, c := range []struct {
		name  string
		rules []string
		says  string
	}{
		{"token removed", []string{"vanish"}, "group-a"},
		{"device removed", []string{"fail * 0 0x32"}, "CKR_DEVICE_REMOVED"},
		{"user PIN locked", []string{"lose", "fail C_Login 0 0xA4"}, "security officer"},
		{"every call fails", []string{"fail * 0 0x5"}, "CKR_GENERAL_ERROR"},
		{"no session", []string{"fail C_OpenSession 0 0xB1", "lose"}, "CKR_SESSION_COUNT"},
	} {
		before := r.ciphered(1)
		r.load(func() {
			r.tell(0, c.rules...)
			r.serves(c.name)
			until(t, 5*time.Second, c.name+" is known", func() bool {
				err := r.Members()[0].Err
				return err != nil && strings.Contains(err.Error(), c.says)
			})
			r.serves(c.name + ", known")
			r.tell(0)
			until(t, 10*time.Second, c.name+": the first token is back", func() bool { return r.Members()[0].Err == nil })
		})
		if err := r.Health(); err != nil {
			t.Errorf("%s: health: %v", c.name, err)
		}
		if r.ciphered(1) == before {
			t.Errorf("%s: the second token was not asked", c.name)
		}
		r.servedBy(0)
	}
	if m := r.Members(); m[0].Passed == 0 || m[1].Passed != 0 {
		t.Errorf("the first token passed on %d operations, the second %d", m[0].Passed, m[1].Passed)
	}
}

// load runs work while operations go on beside it, none of which may be refused.
func (r *groupRig) load(work func()) {
	r.Helper()
	var stop atomic.Bool
	var beside sync.WaitGroup
	for range 3 {
		beside.Go(func() {
			for !stop.Load() {
				if err := r.all["MAC union pay"](context.Background()); !same(err, r.good["MAC union pay"]) {
					r.Errorf("under load: %v", err)
					return
				}
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
	work()
	stop.Store(true)
	beside.Wait()
}

// TestGroupMemberHangs: those who wait when the hang begins may be refused, in
// time; nobody is after them. When it ends the first token is used again.
func TestGroupMemberHangs(t *testing.T) {
	r := grouped(t, func(c *Config) { c.Sessions, c.Timeout = 3, 500*time.Millisecond })
	r.servedBy(0)
	first := r.members[0]
	r.tell(0, "hang * 0 0")
	var calls sync.WaitGroup
	var refused atomic.Int32
	var longest atomic.Int64
	for name, call := range r.all {
		calls.Go(func() {
			from := time.Now()
			err := call(context.Background())
			if errors.Is(err, hsm.ErrUnavailable) {
				refused.Add(1)
			} else if !same(err, r.good[name]) {
				t.Errorf("%s when the hang begins: %v", name, err)
			}
			for took := time.Since(from); ; {
				if was := longest.Load(); int64(took) <= was || longest.CompareAndSwap(was, int64(took)) {
					return
				}
			}
		})
	}
	calls.Wait()
	t.Logf("%d of %d callers were refused when the hang began; the longest wait was %v", refused.Load(), len(r.all), time.Duration(longest.Load()))
	if took := time.Duration(longest.Load()); took > 10*first.cfg.Timeout {
		t.Errorf("a caller waited %v", took)
	}
	if err := r.Members()[0].Err; err == nil || !strings.Contains(err.Error(), "hang") {
		t.Errorf("the first token while it hangs: %v", err)
	}
	for range 3 {
		r.serves("the first token hangs")
	}
	r.tell(0)
	r.servedBy(0)
}

// TestGroupAllGone: without any token every function is refused in time, with what
// each token said; one that is back is enough.
func TestGroupAllGone(t *testing.T) {
	r := grouped(t, nil)
	r.tell(0, "vanish")
	r.tell(1, "fail * 0 0x32")
	until(t, 5*time.Second, "every function refuses", func() bool { served, _ := answers(t, r.all); return served == 0 })
	err := r.Health()
	if !errors.Is(err, hsm.ErrUnavailable) || !strings.Contains(err.Error(), "group-a") || !strings.Contains(err.Error(), "CKR_DEVICE_REMOVED") {
		t.Errorf("health: %v", err)
	}
	r.tell(1)
	r.servedBy(1)
	r.tell(0)
	r.servedBy(0)
}

// TestGroupKeyOpensOnBoth: a key is of the group, whichever token made it.
func TestGroupKeyOpensOnBoth(t *testing.T) {
	r := grouped(t, nil)
	spec := hsm.Spec{Name: "k", Owner: "o", Usage: hsm.PANSeal, Algorithm: hsm.AES256}
	for maker := range 2 {
		r.tell(1-maker, "vanish")
		key, err := r.Generate(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := r.Seal(t.Context(), &key, []byte("text"), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.tell(1 - maker)
		until(t, 10*time.Second, "both serve", func() bool { return r.Members()[0].Err == nil && r.Members()[1].Err == nil })
		r.tell(maker, "vanish")
		if out, err := r.Open(t.Context(), &key, sealed, nil); err != nil || string(out) != "text" {
			t.Errorf("made by token %d, opened by the other: %q, %v", maker, out, err)
		}
		r.tell(maker)
	}
}

// TestGroupSpills: what one token has no room for goes to the next.
func TestGroupSpills(t *testing.T) {
	r := grouped(t, func(c *Config) { c.Sessions, c.Queue, c.Cache = 1, 1, 8 })
	first := r.members[0]
	release, running := make(chan struct{}), make(chan struct{})
	var calls sync.WaitGroup
	calls.Go(func() {
		_ = first.do(context.Background(), func(*worker) error { close(running); <-release; return nil })
	})
	<-running
	calls.Go(func() { _ = first.do(context.Background(), func(*worker) error { return nil }) })
	until(t, 5*time.Second, "one job waits", func() bool {
		first.pool.mu.Lock()
		defer first.pool.mu.Unlock()
		return len(first.pool.waiting) == 1
	})
	r.serves("the first token is full of work")
	close(release)
	calls.Wait()
	r.servedBy(0)
}
