// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tapswitch/hsm/hsmtest"
	"tapswitch/internal/env"
	"tapswitch/internal/secret"
)

// The test token.
const (
	modulePath = "/usr/lib/softhsm/libsofthsm2.so"
	tokenLabel = "tapswitch-test"
	soPINText  = "so-pin-1234"
	pinText    = "user-pin-5678"
)

// wall is the machine's clock, latch an event over it.
type wall struct{}

func (wall) Now() time.Time { return time.Now() }
func (wall) Mono() env.Mono { return env.Mono(time.Since(started)) }

var started = time.Now()

type waits struct{}

func (waits) NewEvent() env.Event { return &latch{make(chan struct{}, 1)} }

type latch struct{ c chan struct{} }

func (l *latch) Wake() { l.c <- struct{}{} } // one waiter, one wake: all this driver needs

func (l *latch) Wait(until env.Mono) bool {
	t := time.NewTimer(until.Sub(wall{}.Mono()))
	defer t.Stop()
	select {
	case <-l.c:
		return true
	case <-t.C:
		select {
		case <-l.c:
			return true
		default:
			return false
		}
	}
}

func world() env.Env {
	return env.Env{Clock: wall{}, Waits: waits{}, Rand: hsmtest.Random.Over(rand.Reader)}
}

func pin(text string) secret.Key {
	k, err := secret.NewKey([]byte(text))
	if err != nil {
		panic(err) // a test's own constant
	}
	return k
}

func config() Config {
	return Config{Module: modulePath, TokenLabel: tokenLabel, UserPIN: pin(pinText), Timeout: 2 * time.Second}
}

// shared is the one module of the process; tests that need another close it
// through fresh. dir is where SoftHSM keeps its tokens.
var (
	shared *Module
	dir    string
)

// module returns the shared module, opened when it is not.
func module(t testing.TB) *Module {
	t.Helper()
	if shared == nil {
		m, err := Open(world(), config())
		if err != nil {
			t.Fatal(err)
		}
		shared = m
	}
	return shared
}

// alone closes the shared module, so that a test can open its own.
func alone(t testing.TB) {
	t.Helper()
	if shared != nil {
		if err := shared.Close(); err != nil {
			t.Fatal(err)
		}
		shared = nil
	}
}

// prepareToken makes a SoftHSM configuration and a token in base.
func prepareToken(base string) error {
	dir = filepath.Join(base, "tokens")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	conf := filepath.Join(base, "softhsm2.conf")
	text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n", dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return err
	}
	if err := os.Setenv("SOFTHSM2_CONF", conf); err != nil {
		return err
	}
	if err := InitToken(modulePath, tokenLabel, pin(soPINText), pin(pinText)); err != nil {
		return err
	}
	return FormLMK(modulePath, tokenLabel, pin(pinText))
}

func TestMain(m *testing.M) {
	base, err := os.MkdirTemp("", "tapswitch-hsm")
	if err == nil {
		err = prepareToken(base)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "prepare SoftHSM:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(base); err != nil && code == 0 {
		code = 1
	}
	os.Exit(code)
}

func TestConformance(t *testing.T) {
	hsmtest.Run(t, func(t *testing.T) hsmtest.Module { return module(t) })
}
