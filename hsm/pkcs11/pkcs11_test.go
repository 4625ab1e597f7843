// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
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

func world() env.Env {
	e := env.Real()
	e.Rand = hsmtest.Random.Over(e.Rand)
	return e
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
// through alone. dir, in base, is where SoftHSM keeps its tokens.
var (
	shared *Module
	dir    string
	base   string
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
	var err error
	base, err = os.MkdirTemp("", "tapswitch-hsm")
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
