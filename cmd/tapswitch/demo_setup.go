// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"tapswitch/hsm"
	"tapswitch/hsm/clear"
	"tapswitch/hsm/keystore"
	"tapswitch/hsm/pkcs11"
	"tapswitch/internal/env"
	"tapswitch/internal/secret"
	"tapswitch/simulators/card"
)

// The keys of the demonstration: published test values, and never of use
// anywhere else.
const (
	demoTMK      = "0123456789ABCDEFFEDCBA9876543210"
	demoZPKa     = "1F1E1D1C1B1A19181716151413121110"
	demoZAKa     = "76850752AD7307ADE554D06D3BA73279"
	demoZPKb     = "233220CCDDCC322315C44C2A51A2DFFD"
	demoZAKb     = "CE293B8CC12A977379EF256D76109492"
	demoUserPIN  = "demo-user-pin"
	demoSOPIN    = "demo-so-pin"
	demoToken    = "tapswitch-demo"
	demoTerminal = "10000001"
	demoMerchant = "104110059990001"
)

// demoComponents give the local master keys of the demonstration.
func demoComponents() []string {
	return []string{
		"0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
		"FEDCBA98765432100011223344556677FEDCBA98765432108899AABBCCDDEEFF",
		"4C65742074686520746170207377697463682066726F6D20746865726521ABCD",
	}
}

// stage is where a demonstration keeps its files.
type stage struct {
	Dir                           string
	Switch, Observe, HostA, HostB string // addresses on loopback
}

func (s stage) path(name string) string { return filepath.Join(s.Dir, name) }

// prepare writes everything that the parts need into dir: a SoftHSM token with
// its keys, a configuration for each part, a deck of cards.
func prepare(ctx context.Context, dir string) (stage, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return stage{}, err
	}
	s, err := freeAddresses()
	if err != nil {
		return s, err
	}
	s.Dir = dir
	for _, sub := range []string{"token", "keystore", "journal", "terminal"} {
		if err := os.MkdirAll(s.path(sub), 0o700); err != nil {
			return s, err
		}
	}
	deck, err := card.Deck()
	if err != nil {
		return s, err
	}
	if err := card.WriteDeck(s.path("deck.json"), deck); err != nil {
		return s, err
	}
	if err := s.writeCAKeys(); err != nil {
		return s, err
	}
	for name, text := range s.files() {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			return s, err
		}
	}
	if err := s.makeToken(); err != nil {
		return s, err
	}
	return s, s.loadKeys(ctx)
}

// writeCAKeys tells the terminal the keys of the schemes that made the cards.
func (s stage) writeCAKeys() error {
	keys, err := card.TestCAKeys()
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(map[string]any{"keys": keys}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(s.path("ca-keys.json"), append(raw, '\n'), 0o600)
}

// The ports of a demonstration, on a loopback address of its own.
const (
	switchPort  = 7001
	hostAPort   = 7101
	hostBPort   = 7102
	observePort = 9100
)

// addressTries is how many loopback addresses are looked at; each is one of
// sixteen million, so the first is as good as always free.
const addressTries = 20

// freeAddresses finds a loopback address on which nobody uses our ports. All of
// 127.0.0.0/8 is this machine, so that demonstrations side by side do not meet,
// and no connection's own port can take one of ours between now and its use.
func freeAddresses() (s stage, err error) {
	for range addressTries {
		host := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
		at := func(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
		s = stage{Switch: at(switchPort), Observe: at(observePort), HostA: at(hostAPort), HostB: at(hostBPort)}
		if err = s.free(); err == nil {
			return s, nil
		}
	}
	return s, fmt.Errorf("no loopback address is free: %w", err)
}

// free says whether all addresses can be listened on now.
func (s stage) free() error {
	for _, address := range []string{s.Switch, s.Observe, s.HostA, s.HostB} {
		ln, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		if err := ln.Close(); err != nil {
			return err
		}
	}
	return nil
}

// modulePaths is where Debian and others keep SoftHSM.
func modulePaths() []string {
	return []string{
		"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
		"/usr/lib64/softhsm/libsofthsm.so", "/usr/local/lib/softhsm/libsofthsm2.so",
	}
}

func softHSM() (string, error) {
	for _, p := range modulePaths() {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("SoftHSM is not installed (looked for %s): run `make setup`, or apt-get install softhsm2", strings.Join(modulePaths(), ", "))
}

// makeToken initialises a token and forms its local master keys.
func (s stage) makeToken() error {
	module, err := softHSM()
	if err != nil {
		return err
	}
	if err := os.Setenv("SOFTHSM2_CONF", s.path("softhsm2.conf")); err != nil {
		return err
	}
	so, user, err := demoPINs()
	if err != nil {
		return err
	}
	if err := pkcs11.InitToken(module, demoToken, so, user); err != nil {
		return err
	}
	return formDemoLMK(module, user)
}

// formDemoLMK forms the local master keys of the published components, so that
// a restore and a migration can be tried by hand.
func formDemoLMK(module string, user secret.Key) error {
	a, err := pkcs11.OpenAdmin(env.Real(), pkcs11.Config{Module: module, TokenLabel: demoToken, UserPIN: user})
	if err != nil {
		return err
	}
	defer a.Close()
	var all []*clear.Component
	for _, text := range demoComponents() {
		c, err := clear.NewComponent()
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }() // wiped all the same
		if err := c.Type(strings.NewReader(text + "\n").Read); err != nil {
			return err
		}
		all = append(all, c)
	}
	_, err = a.Form(all, 1, pkcs11.FromPractice)
	return err
}

func demoPINs() (so, user secret.Key, err error) {
	if so, err = secret.NewKey([]byte(demoSOPIN)); err != nil {
		return so, user, err
	}
	user, err = secret.NewKey([]byte(demoUserPIN))
	return so, user, err
}

// demoKey is a key that the switch holds; an empty value is made at random.
type demoKey struct {
	spec  hsm.Spec
	value string
}

func demoKeys() []demoKey {
	cards := card.TestKeys()
	tdes := func(name, owner string, u hsm.Usage, value string) demoKey {
		return demoKey{hsm.Spec{Name: name, Usage: u, Algorithm: hsm.TDES2, Owner: owner, Version: 1}, value}
	}
	return []demoKey{
		tdes("terminal/"+demoTerminal+"/tmk", demoTerminal, hsm.TMK, demoTMK),
		tdes("link/acq-a/zpk", linkA, hsm.ZPK, demoZPKa), tdes("link/acq-a/zak", linkA, hsm.ZAK, demoZAKa),
		tdes("link/acq-b/zpk", linkB, hsm.ZPK, demoZPKb), tdes("link/acq-b/zak", linkB, hsm.ZAK, demoZAKb),
		tdes("issuer/test-visa/imk", "test-visa", hsm.IMKAC, cards.VisaIMK), tdes("issuer/test-visa/pvk", "test-visa", hsm.PVK, cards.PVK),
		{hsm.Spec{Name: "store/pan-seal", Usage: hsm.PANSeal, Algorithm: hsm.AES256, Owner: "store", Version: 1}, ""},
		{hsm.Spec{Name: "store/pan-token", Usage: hsm.PANToken, Algorithm: hsm.HMAC256, Owner: "store", Version: 1}, ""},
	}
}

// loadKeys wraps the keys under the token's LMK and keeps them in the keystore.
func (s stage) loadKeys(ctx context.Context) error {
	module, err := softHSM()
	if err != nil {
		return err
	}
	_, user, err := demoPINs()
	if err != nil {
		return err
	}
	world := env.Real()
	m, err := pkcs11.Open(world, pkcs11.Config{Module: module, TokenLabel: demoToken, UserPIN: user})
	if err != nil {
		return err
	}
	defer m.Close()
	store, err := keystore.Open(world.Disk, s.path("keystore"))
	if err != nil {
		return err
	}
	for _, k := range demoKeys() {
		key, err := makeKey(ctx, m, k)
		if err != nil {
			return errors.Join(fmt.Errorf("key %s: %w", k.spec.Name, err), store.Close())
		}
		if err := store.Put(key); err != nil {
			return errors.Join(err, store.Close())
		}
	}
	return store.Close()
}

func makeKey(ctx context.Context, m hsm.KeyLoader, k demoKey) (hsm.Key, error) {
	if k.value == "" {
		return m.Generate(ctx, k.spec)
	}
	b, err := hex.DecodeString(k.value)
	if err != nil {
		return hsm.Key{}, err
	}
	value, err := secret.NewKey(b)
	if err != nil {
		return hsm.Key{}, err
	}
	return m.LoadClear(ctx, k.spec, value)
}
