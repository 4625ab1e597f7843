// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/hsm/hsmtest"
	"tapswitch/internal/env"
)

// parts are three components; salt makes another set. Published for all to see.
func parts(t testing.TB, salt byte) []*clear.Component {
	t.Helper()
	var out []*clear.Component
	for i := range 3 {
		c, err := clear.NewComponent()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		for j := range c.Value() {
			c.Value()[j] = byte(i+1)*byte(j+5) ^ salt
		}
		out = append(out, c)
	}
	return out
}

// fresh initialises a token of its own and returns the configuration for it.
func fresh(t testing.TB, label string) Config {
	t.Helper()
	alone(t)
	if err := InitToken(modulePath, label, pin(soPINText), pin(pinText)); err != nil {
		t.Fatal(err)
	}
	cfg := config()
	cfg.TokenLabel = label
	return cfg
}

// administer does one thing to a token that nobody has open.
func administer(t testing.TB, cfg Config, what func(a *Admin) error) {
	t.Helper()
	a, err := OpenAdmin(env.Real(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = what(a)
	if end := a.Close(); end != nil {
		t.Error(end)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func form(t testing.TB, cfg Config, salt byte, number uint32) (id [8]byte) {
	t.Helper()
	administer(t, cfg, func(a *Admin) (err error) {
		id, err = a.Form(parts(t, salt), number, FromComponents)
		return err
	})
	return id
}

// cmacRef is AES-CMAC (NIST SP 800-38B), written a second time.
func cmacRef(t testing.TB, key, data []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	double := func(in []byte) []byte {
		out := make([]byte, 16)
		for i := range out {
			out[i] = in[i] << 1
			if i < 15 {
				out[i] |= in[i+1] >> 7
			}
		}
		out[15] ^= in[0] >> 7 * 0x87
		return out
	}
	sub := make([]byte, 16)
	block.Encrypt(sub, sub)
	sub = double(sub)
	if len(data) == 0 || len(data)%16 != 0 {
		sub = double(sub)
		data = append(bytes.Clone(data), 0x80)
		data = append(data, make([]byte, (16-len(data)%16)%16)...)
	}
	state := make([]byte, 16)
	for at := 0; at < len(data); at += 16 {
		for i := range state {
			state[i] ^= data[at+i]
			if at+16 == len(data) {
				state[i] ^= sub[i]
			}
		}
		block.Encrypt(state, state)
	}
	return state
}

// TestLocalMasterKeysOfComponents computes check values, derivation and identity
// a second time, in process, and forms the same on two tokens.
func TestLocalMasterKeysOfComponents(t *testing.T) {
	first, second := fresh(t, "of-components-1"), fresh(t, "of-components-2")
	sum := make([]byte, 32)
	for _, c := range parts(t, 0) {
		for i := range sum {
			sum[i] ^= c.Value()[i]
		}
	}
	var binding []byte
	for i := range uint32(2) {
		in := append(binary.BigEndian.AppendUint32(nil, i+1), "tapswitch-lmk-binding\x00\x00\x00\x01\x00"...)
		binding = append(binding, cmacRef(t, sum, in)...)
	}
	want := [8]byte(cmacRef(t, binding, []byte(hsm.LMKIdentityInput)))
	for _, cfg := range []Config{first, second} {
		administer(t, cfg, func(a *Admin) error {
			for _, c := range parts(t, 0) {
				check, err := a.CheckValue(c)
				if err != nil || !bytes.Equal(check[:], cmacRef(t, c.Value(), make([]byte, 16))[:5]) {
					t.Errorf("check value %X, %v", check, err)
				}
			}
			check, id, err := a.Combine(parts(t, 0))
			if err != nil || id != want || !bytes.Equal(check[:], cmacRef(t, sum, make([]byte, 16))[:5]) {
				t.Errorf("combined: check value %X, identity %X, %v; want identity %X", check, id, err, want)
			}
			if there, err := a.Generations(); err != nil || len(there) != 0 {
				t.Errorf("combining left %v on the token, %v", there, err)
			}
			return nil
		})
		if id := form(t, cfg, 0, 1); id != want {
			t.Errorf("formed with identity %X, want %X", id, want)
		}
	}
	// a key of one opens in the other, and another set of components is another LMK
	k := made1(t, first)
	use(t, second, &k)
	if other := form(t, fresh(t, "of-components-3"), 9, 1); other == want {
		t.Error("other components, same identity")
	}
}

// made1 makes a MAC key on a token.
func made1(t testing.TB, cfg Config) hsm.Key {
	t.Helper()
	m, err := Open(world(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, m)
	k, err := m.Generate(t.Context(), hsm.Spec{Name: "n", Owner: "o", Usage: hsm.TAK, Algorithm: hsm.TDES2})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func use(t testing.TB, cfg Config, k *hsm.Key) {
	t.Helper()
	m, err := Open(world(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, m)
	if _, err := m.MAC(t.Context(), k, hsm.MACRetail, make([]byte, 24)); err != nil {
		t.Error(err)
	}
}

// TestLostTokenIsRebuilt: the token's files are gone; formed again from the same
// components, it opens every stored key, and what was sealed under them.
func TestLostTokenIsRebuilt(t *testing.T) {
	cfg := fresh(t, "lost")
	id := form(t, cfg, 3, 1)
	m, err := Open(world(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	before := store(t, m)
	before.check(t, m)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	tokens, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	away := t.TempDir()
	for _, e := range tokens { // every token of the machine is gone; the others come back after the test
		from, to := filepath.Join(dir, e.Name()), filepath.Join(away, e.Name())
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.Rename(to, from); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := Open(world(), cfg); err == nil {
		t.Fatal("opened a token that is gone")
	}
	cfg = fresh(t, "rebuilt")
	if again := form(t, cfg, 3, 1); again != id {
		t.Fatalf("identity %X, want %X", again, id)
	}
	if m, err = Open(world(), cfg); err != nil {
		t.Fatal(err)
	}
	before.check(t, m)
	closeIt(t, m)
}

// busy asks keys in turn, from two sides at a time, until quiet; a wrong answer
// fails the test. served counts.
func busy(t *testing.T, m *Module, s *stored) (served *atomic.Int64, quiet func()) {
	var stop atomic.Bool
	served = new(atomic.Int64)
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for i := 0; !stop.Load(); i++ {
				k := &s.keys[i%len(s.keys)]
				if said, err := s.ask(t, m, k); err != nil || said != s.answers[k.Name] {
					t.Errorf("under load: %s: %v", k.Name, err)
					return
				}
				served.Add(1)
			}
		})
	}
	return served, func() { stop.Store(true); group.Wait() }
}

// move rewraps every key, each twice, and waits until others were served in between.
func move(t *testing.T, g *Migration, old *stored, served *atomic.Int64) *stored {
	moved := &stored{answers: old.answers}
	for _, k := range old.keys {
		served.Store(0)
		next, err := g.Rewrap(k)
		if err != nil {
			t.Fatal(err)
		}
		again, err := g.Rewrap(next)
		if err != nil || again.Binding != next.Binding || next.LMK != g.To().Identity || next.KCV != k.KCV {
			t.Errorf("%s moved again: %v", k.Name, err)
		}
		moved.keys = append(moved.keys, next)
		until(t, 5*time.Second, "calls between two keys", func() bool { return served.Load() > 0 })
	}
	return moved
}

// TestMigrationUnderLoad forms a second generation and moves every stored key to
// it while the driver serves; then retires the first.
func TestMigrationUnderLoad(t *testing.T) {
	cfg := fresh(t, "migration")
	first := form(t, cfg, 1, 1)
	m, err := Open(world(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, m)
	old := store(t, m)
	served, quiet := busy(t, m, old)
	a, err := m.Admin()
	if err != nil {
		t.Fatal(err)
	}
	second, err := a.Form(parts(t, 2), 2, FromComponents)
	if err != nil {
		t.Fatal(err)
	}
	g, err := a.Migrate(parts(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	if g.From().Number != 1 || g.To().Number != 2 || g.To().Identity != second {
		t.Fatalf("from %+v to %+v", g.From(), g.To())
	}
	moved := move(t, g, old, served)
	moved.check(t, m) // by the driver that began with the first generation
	old.check(t, m)
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	quiet()
	if err := a.Retire(1, first); err != nil {
		t.Fatal(err)
	}
	m.cache.reset() // a probe may find the first generation gone now, and connect again
	if _, err := old.ask(t, m, &old.keys[0]); err == nil {
		t.Error("a key under the retired generation is served")
	}
	until(t, 5*time.Second, "the driver has found its way", func() bool { return m.Health() == nil && m.LMK() == second })
	moved.check(t, m)
}

// reopened is a module that is closed and opened again under its users.
type reopened struct{ *Module }

// TestOldGenerationServesEverything: every function of every family answers the
// same with keys under the first generation when a second is the newest.
func TestOldGenerationServesEverything(t *testing.T) {
	cfg := fresh(t, "old-generation")
	form(t, cfg, 1, 1)
	m := &reopened{}
	var err error
	if m.Module, err = Open(world(), cfg); err != nil {
		t.Fatal(err)
	}
	all := hsmtest.AllFunctions(t, m)
	before := map[string]error{}
	for name, call := range all {
		before[name] = call(t.Context())
	}
	closeIt(t, m.Module)
	second := form(t, cfg, 2, 2)
	if m.Module, err = Open(world(), cfg); err != nil {
		t.Fatal(err)
	}
	defer func() { closeIt(t, m.Module) }()
	if m.LMK() != second {
		t.Fatalf("new keys are wrapped under %X, want %X", m.LMK(), second)
	}
	for name, call := range all {
		if err := call(t.Context()); fmt.Sprint(err) != fmt.Sprint(before[name]) {
			t.Errorf("%s: %v, was %v", name, err, before[name])
		}
	}
}

// TestMigrationRefuses keys that are not what they should be, and wrong components.
func TestMigrationRefuses(t *testing.T) {
	cfg := fresh(t, "migration-refused")
	form(t, cfg, 1, 1)
	k := made1(t, cfg)
	foreign := made1(t, Config{Module: modulePath, TokenLabel: tokenLabel, UserPIN: pin(pinText)})
	administer(t, cfg, func(a *Admin) error {
		if _, err := a.Migrate(parts(t, 1)); !errors.Is(err, ErrLMK) || !strings.Contains(err.Error(), "nothing to move to") {
			t.Errorf("one generation only: %v", err)
		}
		if _, err := a.Form(parts(t, 2), 2, FromComponents); err != nil {
			return err
		}
		if _, err := a.Migrate(parts(t, 7)); !errors.Is(err, ErrLMK) || !strings.Contains(err.Error(), "no generation") {
			t.Errorf("wrong components: %v", err)
		}
		g, err := a.Migrate(parts(t, 1))
		if err != nil {
			return err
		}
		wrong := map[string]func(k *hsm.Key){
			"other usage":     func(k *hsm.Key) { k.Usage = hsm.ZAK },
			"other check":     func(k *hsm.Key) { k.KCV[0] ^= 1 },
			"other wrapped":   func(k *hsm.Key) { k.Wrapped = append(bytes.Clone(k.Wrapped[:47]), k.Wrapped[47]^1) },
			"other algorithm": func(k *hsm.Key) { k.Algorithm = hsm.AES128 },
			"cut":             func(k *hsm.Key) { k.Wrapped = k.Wrapped[:24] },
			"other binding":   func(k *hsm.Key) { k.Binding[3] ^= 1 },
		}
		for name, change := range wrong {
			bad := k
			change(&bad)
			if _, err := g.Rewrap(bad); !errors.Is(err, hsm.ErrBinding) {
				t.Errorf("%s: %v, want ErrBinding", name, err)
			}
		}
		if _, err := g.Rewrap(foreign); !errors.Is(err, hsm.ErrBinding) {
			t.Errorf("key of another token: %v, want ErrBinding", err)
		}
		return g.Close()
	})
}

// TestFormingIsSafe: what is there is not replaced, what a broken forming left
// is, and a half is used by nobody.
func TestFormingIsSafe(t *testing.T) {
	cfg := fresh(t, "forming")
	id := form(t, cfg, 1, 1)
	k := made1(t, cfg)
	administer(t, cfg, func(a *Admin) error {
		if _, err := a.Form(parts(t, 2), 1, FromComponents); !errors.Is(err, ErrLMK) {
			t.Errorf("generation 1 twice: %v", err)
		}
		if _, err := a.Form(parts(t, 1), 2, FromComponents); !errors.Is(err, ErrLMK) {
			t.Errorf("the same components twice: %v", err)
		}
		if _, err := a.Form(parts(t, 2)[:1], 2, FromComponents); !errors.Is(err, ErrLMK) {
			t.Errorf("one component: %v", err)
		}
		if err := a.Retire(1, id); !errors.Is(err, ErrLMK) {
			t.Errorf("retire the newest: %v", err)
		}
		// the process died between the two keys
		sum, done, err := sumOf(parts(t, 3))
		if err != nil {
			return err
		}
		defer done()
		_, label := labelsOf(2)
		_, err = a.derived(sum, roleBinding, true, label, string(FromComponents))
		return err
	})
	use(t, cfg, &k)
	administer(t, cfg, func(a *Admin) error {
		there, err := a.Generations()
		if err != nil || len(there) != 2 || !there[0].Whole || there[1].Whole || there[0].Identity != id || there[0].Origin != FromComponents {
			t.Errorf("generations %+v, %v", there, err)
		}
		second, err := a.Form(parts(t, 2), 2, FromPractice)
		if err != nil {
			return err
		}
		if err := a.Retire(1, second); !errors.Is(err, ErrLMK) {
			t.Errorf("retire with another identity: %v", err)
		}
		if err := a.Retire(5, id); !errors.Is(err, ErrLMK) {
			t.Errorf("retire what is not there: %v", err)
		}
		if there, err = a.Generations(); err != nil || len(there) != 2 || there[1].Origin != FromPractice || there[1].Origin.String() != "practice" {
			t.Errorf("generations %+v, %v", there, err)
		}
		return a.Retire(1, id)
	})
	m, err := Open(world(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, m)
	if got := m.Origin(); got != FromPractice {
		t.Errorf("new keys are wrapped under keys of origin %s", got)
	}
	if _, err := m.MAC(t.Context(), &k, hsm.MACRetail, make([]byte, 8)); !errors.Is(err, hsm.ErrBinding) {
		t.Errorf("key of the retired generation: %v, want ErrBinding", err)
	}
}

func TestLabelsOfGenerations(t *testing.T) {
	for _, number := range []uint32{1, 2, 10, 4294967295} {
		for i, label := range func() []string { a, b := labelsOf(number); return []string{a, b} }() {
			if n, binding, ok := parseLabel(label); !ok || n != number || binding != (i == 1) {
				t.Errorf("%q: generation %d, binding %v, %v", label, n, binding, ok)
			}
		}
	}
	for _, label := range []string{"", "lmk", LMKLabel + "-", LMKLabel + "-1", LMKLabel + "-02", LMKLabel + "x", LMKLabel + "-2-2", BindingLabel + "-0"} {
		if n, _, ok := parseLabel(label); ok {
			t.Errorf("%q is generation %d", label, n)
		}
	}
}
