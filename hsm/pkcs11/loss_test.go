// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/hsmtest"
)

// answers counts, over every function of the module, the calls that were served
// and those refused as unavailable; a call that took long fails the test.
func answers(t *testing.T, all map[string]func(context.Context) error) (served, refused int) {
	t.Helper()
	for name, call := range all {
		from := time.Now()
		err := call(t.Context())
		if took := time.Since(from); took > time.Second {
			t.Errorf("%s took %v", name, took)
		}
		if errors.Is(err, hsm.ErrUnavailable) {
			refused++
		} else {
			served++
		}
	}
	return served, refused
}

// until polls what for at most limit and returns how long it took.
func until(t *testing.T, limit time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	from := time.Now()
	for !ok() {
		if time.Since(from) > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(from)
}

// TestTokenGoneAndBack moves the token directory away and back, twice, under load.
func TestTokenGoneAndBack(t *testing.T) {
	m := module(t)
	all := hsmtest.AllFunctions(t, m)
	if served, refused := answers(t, all); refused != 0 {
		t.Fatalf("before: %d served, %d refused", served, refused)
	}
	var stop atomic.Bool
	var load sync.WaitGroup
	for range 3 {
		load.Go(func() {
			for !stop.Load() {
				if err := all["MAC union pay"](context.Background()); err != nil && !errors.Is(err, hsm.ErrUnavailable) && !errors.Is(err, hsm.ErrBusy) {
					t.Errorf("under load: %v", err)
					return
				}
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
	for range 2 {
		if err := os.Rename(dir, dir+".gone"); err != nil {
			t.Fatal(err)
		}
		took := until(t, time.Second, "every function refuses", func() bool { served, _ := answers(t, all); return served == 0 })
		t.Logf("gone: every function refuses after %v", took)
		for end := time.Now().Add(600 * time.Millisecond); time.Now().Before(end); {
			if served, _ := answers(t, all); served != 0 {
				t.Fatalf("%d functions are served while the token is gone", served)
			}
			if err := m.Health(); !errors.Is(err, hsm.ErrUnavailable) {
				t.Fatalf("health while the token is gone: %v", err)
			}
		}
		if err := os.Rename(dir+".gone", dir); err != nil {
			t.Fatal(err)
		}
		took = until(t, 5*time.Second, "every function is served", func() bool { _, refused := answers(t, all); return refused == 0 })
		t.Logf("back: every function is served after %v", took)
		if err := m.Health(); err != nil {
			t.Fatalf("health after the token came back: %v", err)
		}
	}
	stop.Store(true)
	load.Wait()
}

// TestStuckCallsAreBounded lets as many calls hang as there are sessions: their
// callers get ErrUnavailable at the time-out, later ones at once, and all is
// well when the calls return.
func TestStuckCallsAreBounded(t *testing.T) {
	alone(t)
	cfg := config()
	cfg.Sessions, cfg.Timeout, cfg.Cache = 2, 50*time.Millisecond, 8
	m, err := Open(world(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	var calls sync.WaitGroup
	for range cfg.Sessions {
		calls.Go(func() {
			from := time.Now()
			err := m.do(context.Background(), func(*worker) error { <-release; return nil })
			if took := time.Since(from); !errors.Is(err, hsm.ErrUnavailable) || took > 10*cfg.Timeout {
				t.Errorf("hanging call: %v after %v", err, took)
			}
		})
	}
	calls.Wait()
	from := time.Now()
	if err := m.Health(); !errors.Is(err, hsm.ErrUnavailable) || !strings.Contains(err.Error(), "hang") {
		t.Errorf("health while all sessions hang: %v", err)
	}
	if took := time.Since(from); took > cfg.Timeout {
		t.Errorf("refused after %v only", took)
	}
	if err := m.Close(); !errors.Is(err, hsm.ErrUnavailable) {
		t.Errorf("close while calls hang: %v", err)
	}
	close(release)
	m.pool.gone.Wait()
	stop(m.ctx)
}

// TestReturnedCallsServeAgain is the other end of a hang.
func TestReturnedCallsServeAgain(t *testing.T) {
	alone(t)
	cfg := config()
	cfg.Sessions, cfg.Timeout, cfg.Cache = 1, 50*time.Millisecond, 8
	m, err := Open(world(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, m)
	release := make(chan struct{})
	if err := m.do(t.Context(), func(*worker) error { <-release; return nil }); !errors.Is(err, hsm.ErrUnavailable) {
		t.Fatalf("hanging call: %v", err)
	}
	close(release)
	until(t, time.Second, "the module serves again", func() bool { return m.Health() == nil })
}

// TestQueueIsBounded fills the queue behind one busy session.
func TestQueueIsBounded(t *testing.T) {
	alone(t)
	cfg := config()
	cfg.Sessions, cfg.Queue, cfg.Cache = 1, 1, 8
	m, err := Open(world(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, m)
	release, running := make(chan struct{}), make(chan struct{})
	var calls sync.WaitGroup
	calls.Go(func() { _ = m.do(context.Background(), func(*worker) error { close(running); <-release; return nil }) })
	<-running
	calls.Go(func() { _ = m.do(context.Background(), func(*worker) error { return nil }) })
	until(t, time.Second, "one job waits", func() bool {
		m.pool.mu.Lock()
		defer m.pool.mu.Unlock()
		return len(m.pool.waiting) == 1
	})
	from := time.Now()
	if err := m.do(t.Context(), func(*worker) error { return nil }); !errors.Is(err, hsm.ErrBusy) {
		t.Errorf("third job: %v, want ErrBusy", err)
	}
	if took := time.Since(from); took > 100*time.Millisecond {
		t.Errorf("refused after %v only", took)
	}
	if err := m.Health(); err != nil {
		t.Errorf("health while busy: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	close(release)
	calls.Wait()
	<-ctx.Done()
	if err := m.do(ctx, func(*worker) error { return nil }); !errors.Is(err, hsm.ErrUnavailable) {
		t.Errorf("past the caller's deadline: %v", err)
	}
}

func closeIt(t testing.TB, m *Module) {
	t.Helper()
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if err := m.Health(); !errors.Is(err, hsm.ErrUnavailable) {
		t.Errorf("health after close: %v", err)
	}
}

// TestStartErrors: each says what is wrong and what to do.
func TestStartErrors(t *testing.T) {
	alone(t)
	for _, c := range []struct {
		name   string
		change func(c *Config)
		says   []string
	}{
		{"module missing", func(c *Config) { c.Module = "/nowhere/lib.so" }, []string{"/nowhere/lib.so", "install"}},
		{"module is no PKCS#11", func(c *Config) { c.Module = "libm.so.6" }, []string{"C_GetFunctionList"}},
		{"label missing", func(c *Config) { c.TokenLabel = "other" }, []string{`"other"`, tokenLabel, "label"}},
		{"wrong PIN", func(c *Config) { c.UserPIN = pin("wrong-pin") }, []string{"PIN", "correct it", "lock"}},
		{"no module", func(c *Config) { c.Module = "" }, []string{"path"}},
		{"no label", func(c *Config) { c.TokenLabel = "" }, []string{"label"}},
		{"too many sessions", func(c *Config) { c.Sessions = 1000 }, []string{"sessions"}},
		{"cache too small", func(c *Config) { c.Cache = 3 }, []string{"cache"}},
	} {
		cfg := config()
		c.change(&cfg)
		m, err := Open(world(), cfg)
		if err == nil {
			t.Errorf("%s: opened", c.name)
			_ = m.Close() // the failure is told above
			continue
		}
		for _, word := range c.says {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q does not say %q", c.name, err, word)
			}
		}
		if strings.Contains(err.Error(), "wrong-pin") || strings.Contains(err.Error(), pinText) {
			t.Errorf("%s: the error tells the PIN", c.name)
		}
	}
}

// TestMissingMasterKeys uses a second token without them, then with half of them.
func TestMissingMasterKeys(t *testing.T) {
	alone(t)
	const label = "empty"
	if err := InitToken(modulePath, label, pin(soPINText), pin(pinText)); err != nil {
		t.Fatal(err)
	}
	cfg := config()
	cfg.TokenLabel = label
	if _, err := Open(world(), cfg); err == nil || !strings.Contains(err.Error(), LMKLabel) || !strings.Contains(err.Error(), "form") {
		t.Errorf("no LMK: %v", err)
	}
	if err := FormLMK(modulePath, label, pin(pinText)); err != nil {
		t.Fatal(err)
	}
	if err := FormLMK(modulePath, label, pin(pinText)); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("LMK formed twice: %v", err)
	}
	m, err := Open(world(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, m)
	if m.LMK() == [8]byte{} {
		t.Error("no LMK identity")
	}
}

// TestWrappedKeyCannotBeUnwrappedReadable is the unwrap template's promise.
func TestWrappedKeyCannotBeUnwrappedReadable(t *testing.T) {
	m := module(t)
	key, err := m.Generate(t.Context(), hsm.Spec{Name: "n", Owner: "o", Usage: hsm.ZPK, Algorithm: hsm.TDES2})
	if err != nil {
		t.Fatal(err)
	}
	for _, template := range [][]*p11.Attribute{
		{p11.NewAttribute(p11.CKA_SENSITIVE, false), p11.NewAttribute(p11.CKA_EXTRACTABLE, false)},
		{p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, true)},
	} {
		err := m.do(t.Context(), func(w *worker) error {
			template = append(template, p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_DES2), p11.NewAttribute(p11.CKA_TOKEN, false))
			_, err := w.m.ctx.UnwrapKey(w.session, keyWrap(), w.m.link.lmk, key.Wrapped, template)
			return err
		})
		if !errors.Is(err, p11.Error(p11.CKR_TEMPLATE_INCONSISTENT)) {
			t.Errorf("readable unwrap: %v, want CKR_TEMPLATE_INCONSISTENT", err)
		}
	}
}

// TestCacheIsBounded uses more keys than the cache holds, in turn.
func TestCacheIsBounded(t *testing.T) {
	alone(t)
	cfg := config()
	cfg.Sessions, cfg.Cache = 2, 8
	m, err := Open(world(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, m)
	keys := make([]hsm.Key, 20)
	for i := range keys {
		if keys[i], err = m.Generate(t.Context(), hsm.Spec{Name: "n", Owner: "o", Version: uint32(i), Usage: hsm.TAK, Algorithm: hsm.TDES2}); err != nil {
			t.Fatal(err)
		}
	}
	first := make([][]byte, len(keys))
	for round := range 3 {
		var group sync.WaitGroup
		for i := range keys {
			group.Go(func() {
				got, err := m.MAC(context.Background(), &keys[i], hsm.MACRetail, []byte("some data of more than a block"))
				if err != nil {
					t.Error(err)
				}
				if round == 0 {
					first[i] = got
				} else if !bytes.Equal(got, first[i]) {
					t.Errorf("key %d: another MAC in round %d", i, round)
				}
			})
		}
		group.Wait()
		if n := m.cache.size(); n > cfg.Cache {
			t.Fatalf("%d keys are held, want at most %d", n, cfg.Cache)
		}
	}
}

// TestEachTokenDirectoryGone moves the tokens away one by one, not their parent;
// the reason names the token.
func TestEachTokenDirectoryGone(t *testing.T) {
	m := module(t)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries { // one token at a time: SoftHSM keeps each in a directory
		from, to := filepath.Join(dir, e.Name()), filepath.Join(filepath.Dir(dir), "away-"+e.Name())
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Rename(to, from) }() // moved back below already
	}
	until(t, time.Second, "health says so", func() bool { return m.Health() != nil })
	until(t, time.Second, "health names the token", func() bool { err := m.Health(); return err != nil && strings.Contains(err.Error(), tokenLabel) })
	for _, e := range entries {
		if err := os.Rename(filepath.Join(filepath.Dir(dir), "away-"+e.Name()), filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	until(t, 5*time.Second, "health is good again", func() bool { return m.Health() == nil })
}
