// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"errors"
	"fmt"
	"testing"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

// TestCardKeysAreBounded: the keys of many cards take no more room than the
// cache has, and a card that comes again after its key went is derived anew.
func TestCardKeysAreBounded(t *testing.T) {
	alone(t)
	cfg := config()
	cfg.Sessions, cfg.Cache = 1, 4
	m, err := Open(world(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }() // the next test opens its own
	value, err := secret.NewKey([]byte("\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10"))
	if err != nil {
		t.Fatal(err)
	}
	imk, err := m.LoadClear(t.Context(), hsm.Spec{Name: "imk", Owner: "test", Usage: hsm.IMKAC, Algorithm: hsm.TDES2, Version: 1}, value)
	if err != nil {
		t.Fatal(err)
	}
	answers := map[int][8]byte{}
	for i := range 40 {
		n := i % 20
		pan, err := secret.NewPAN(fmt.Appendf(nil, "62242423%08d", n))
		if err != nil {
			t.Fatal(err)
		}
		for _, session := range []hsm.Session{hsm.SessionCommon, hsm.SessionNone} {
			g := hsm.Given{PAN: pan, PSN: [2]byte{'0', '0'}, Session: session, Answer: session, Padding: hsm.Padding2, Data: []byte("data")}
			if err := m.VerifyGiven(t.Context(), &imk, g); !errors.Is(err, hsm.ErrCryptogram) {
				t.Fatal(err)
			}
			got, err := m.GivenARPC1(t.Context(), &imk, g, [2]byte{'0', '0'})
			if err != nil {
				t.Fatal(err)
			}
			id := 2*n + int(session)%2
			if i < 20 {
				answers[id] = got
			} else if answers[id] != got {
				t.Errorf("card %d is answered otherwise the second time", n)
			}
			if size := m.cache.size(); size > cfg.Cache {
				t.Fatalf("%d keys in a cache of %d", size, cfg.Cache)
			}
		}
	}
	if first := answers[0]; first == answers[2] || first == answers[1] {
		t.Error("different keys give one answer")
	}
}
