// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"sync"

	"tapswitch/hsm"
)

func generate(s *suite) {
	for _, u := range usages {
		a, err := s.m.Generate(s.Context(), s.spec(u))
		if err != nil {
			s.Fatalf("%s: %v", u, err)
		}
		b, err := s.m.Generate(s.Context(), s.spec(u))
		if err != nil {
			s.Fatalf("%s: %v", u, err)
		}
		if a.KCV == b.KCV || bytes.Equal(a.Wrapped, b.Wrapped) || a.KCV == [3]byte{} || a.LMK == [8]byte{} {
			s.Errorf("%s: two generated keys: check values %X and %X", u, a.KCV, b.KCV)
		}
	}
	key, err := s.m.Generate(s.Context(), s.spec(hsm.ZAK))
	if err != nil {
		s.Fatal(err)
	}
	for _, alg := range []hsm.MACAlgorithm{hsm.MACUnionPayECB, hsm.MACRetail} {
		made, err := s.m.MAC(s.Context(), &key, alg, []byte("generated"))
		if err != nil {
			s.Fatal(err)
		}
		if err := s.m.VerifyMAC(s.Context(), &key, alg, []byte("generated"), made); err != nil {
			s.Error(err)
		}
	}
	// algorithm 3 of one block is E-D-E under the whole key: a companion object
	// that does not belong to the key would show here
	one, err := s.m.MAC(s.Context(), &key, hsm.MACRetail, make([]byte, 8))
	if err != nil || !bytes.Equal(one[:3], key.KCV[:]) {
		s.Errorf("MAC of one zero block %X, %v; want it to start with the check value %X", one, err, key.KCV)
	}
}

func sealOpen(s *suite) {
	ctx, m := s.Context(), s.m
	key, other := s.good(hsm.PANSeal), s.key(hsm.PANSeal, bytes.Repeat([]byte{7}, 32))
	plain, aad := []byte("6224242300000069"), []byte("payment 1")
	sealed, err := m.Seal(ctx, key, plain, aad)
	if err != nil {
		s.Fatal(err)
	}
	again, err := m.Seal(ctx, key, plain, aad)
	if err != nil || bytes.Equal(sealed, again) || bytes.Contains(sealed, plain) || len(sealed) != 12+len(plain)+16 {
		s.Errorf("two seals of one value: %v", err)
	}
	got, err := m.Open(ctx, key, sealed, aad)
	if err != nil || !bytes.Equal(got, plain) {
		s.Errorf("open: %v", err)
	}
	// what the standard library says of the same bytes
	if got := gcmOpen(s, unhex(s, testKey+testKey), sealed, aad); !bytes.Equal(got, plain) {
		s.Error("the sealed form is not nonce(12)‖AES-256-GCM")
	}
	if _, err := m.Open(ctx, key, sealed, []byte("payment 2")); !errors.Is(err, hsm.ErrInput) {
		s.Errorf("other place: %v, want ErrInput", err)
	}
	if _, err := m.Open(ctx, other, sealed, aad); !errors.Is(err, hsm.ErrInput) {
		s.Errorf("other key: %v, want ErrInput", err)
	}
	for i := range sealed {
		wrong := append([]byte{}, sealed...)
		wrong[i] ^= 1
		if _, err := m.Open(ctx, key, wrong, aad); !errors.Is(err, hsm.ErrInput) {
			s.Errorf("byte %d changed: %v, want ErrInput", i, err)
		}
	}
	if sealed, err = m.Seal(ctx, key, nil, nil); err != nil {
		s.Errorf("seal of nothing: %v", err)
	} else if got, err := m.Open(ctx, key, sealed, nil); err != nil || len(got) != 0 {
		s.Errorf("open of nothing: %v", err)
	}
}

func token(s *suite) {
	key := s.good(hsm.PANToken)
	got, err := s.m.Token(s.Context(), key, s.pan(testPAN))
	// AES-CMAC computed apart, with openssl mac
	if want := "FCEC5D34BDACD6AA37BB86E3BB03BA01"; err != nil || upper(got[:]) != want {
		s.Errorf("token %X, %v; want %s", got, err, want)
	}
	spec := s.spec(hsm.PANToken)
	spec.Algorithm = hsm.HMAC256
	value := bytes.Repeat([]byte{0x0B}, 32)
	keyed, err := s.m.LoadClear(s.Context(), spec, clearKey(s, value))
	if err != nil {
		s.Fatal(err)
	}
	want := hmac.New(sha256.New, value)
	want.Write([]byte(testPAN))
	if got, err := s.m.Token(s.Context(), &keyed, s.pan(testPAN)); err != nil || !bytes.Equal(got[:], want.Sum(nil)[:16]) {
		s.Errorf("token by HMAC %X, %v; want the first half of %X", got, err, want.Sum(nil))
	}
	other, err := s.m.Token(s.Context(), key, s.pan("6224242300000077"))
	if err != nil || other == got {
		s.Errorf("token of another card: %X, %v", other, err)
	}
}

func callerGone(s *suite) {
	ctx, cancel := context.WithCancel(s.Context())
	all := AllFunctions(s.T, s.m)
	cancel()
	for name, call := range all {
		if err := call(ctx); !errors.Is(err, hsm.ErrUnavailable) {
			s.Errorf("%s after its caller left: %v, want ErrUnavailable", name, err)
		}
	}
	if err := s.m.Health(); err != nil {
		s.Errorf("health: %v", err)
	}
}

// manyAtOnce mixes functions and keys over goroutines; answers must not cross.
func manyAtOnce(s *suite) {
	const workers, rounds = 4, 25
	data := make([][]byte, workers)
	keys := make([]*hsm.Key, workers)
	want := make([][]byte, workers)
	for i := range workers {
		value := unhex(s, testKey)
		value[0] = byte(16 * (i + 1))
		keys[i], data[i] = s.key(hsm.TAK, value), bytes.Repeat([]byte{byte(i)}, 40+i)
		var err error
		if want[i], err = s.m.MAC(s.Context(), keys[i], hsm.MACRetail, data[i]); err != nil {
			s.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			all := AllFunctions(s.T, s.m)
			for range rounds {
				if got, err := s.m.MAC(s.Context(), keys[i], hsm.MACRetail, data[i]); err != nil || !bytes.Equal(got, want[i]) {
					s.Errorf("worker %d: %X, %v; want %X", i, got, err, want[i])
				}
				if err := all["TranslatePIN from"](s.Context()); err != nil {
					s.Errorf("worker %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}
