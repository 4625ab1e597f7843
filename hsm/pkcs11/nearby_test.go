// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"errors"
	"testing"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

func nearPAN(t *testing.T) secret.PAN {
	t.Helper()
	pan, err := secret.NewPAN([]byte("4242423000000060"))
	if err != nil {
		t.Fatal(err)
	}
	return pan
}

// A key that a worker keeps near is still looked at whole: one changed field, in a
// copy or in the caller's own memory, is another key, whose binding does not hold.
func TestNearKeysAreCompared(t *testing.T) {
	m := module(t)
	pan := nearPAN(t)
	key := benchKey(t, m, hsm.PANToken, hsm.AES128)
	if _, err := m.Token(t.Context(), key, pan); err != nil { // the same worker serves the next one: the last to become idle
		t.Fatal(err)
	}
	for name, change := range map[string]func(k *hsm.Key){
		"version": func(k *hsm.Key) { k.Version++ }, "name": func(k *hsm.Key) { k.Name += "x" }, "owner": func(k *hsm.Key) { k.Owner = "else" },
		"check value": func(k *hsm.Key) { k.KCV[0] ^= 1 }, "end": func(k *hsm.Key) { k.NotAfter = 1 << 40 }, "wrapped": func(k *hsm.Key) { k.Wrapped[3] ^= 1 },
		"binding": func(k *hsm.Key) { k.Binding[0] ^= 1 },
	} {
		changed := *key
		changed.Wrapped = append([]byte(nil), key.Wrapped...)
		change(&changed)
		if _, err := m.Token(t.Context(), &changed, pan); !errors.Is(err, hsm.ErrBinding) {
			t.Errorf("%s: %v, want ErrBinding", name, err)
		}
	}
	key.Wrapped[3] ^= 1
	if _, err := m.Token(t.Context(), key, pan); !errors.Is(err, hsm.ErrBinding) {
		t.Errorf("in the caller's memory: %v, want ErrBinding", err)
	}
	key.Wrapped[3] ^= 1
	if _, err := m.Token(t.Context(), key, pan); err != nil {
		t.Errorf("as it was: %v", err)
	}
}

// More keys than a worker keeps near take turns there, and all work on.
func TestNearKeysTakeTurns(t *testing.T) {
	m := module(t)
	pan := nearPAN(t)
	var keys []*hsm.Key
	for i := range 2*nearKeys + 1 {
		keys = append(keys, benchKey(t, m, hsm.PANToken, hsm.AES128, i))
	}
	want, err := m.Token(t.Context(), keys[0], pan)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for _, k := range keys {
			got, err := m.Token(t.Context(), k, pan)
			if err != nil {
				t.Fatal(err)
			}
			if got != want { // the keys differ in name alone
				t.Fatal("another token under the same key")
			}
		}
	}
}
