// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"bytes"
	"crypto/aes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/hsmtest"
	"tapswitch/internal/env"
	"tapswitch/internal/secret"
)

// wall is the machine's clock.
type wall struct{}

func (wall) Now() time.Time { return time.Now() }
func (wall) Mono() env.Mono { return env.Mono(time.Now().UnixNano()) }

func open(t testing.TB) *Module {
	t.Helper()
	m, err := New(hsmtest.Random.Over(rand.Reader), wall{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestConformance(t *testing.T) {
	hsmtest.Run(t, func(t *testing.T) hsmtest.Module { return open(t) })
}

// TestKeyWrap checks the examples of RFC 3394, section 4.
func TestKeyWrap(t *testing.T) {
	for _, c := range []struct{ kek, key, want string }{
		{"000102030405060708090A0B0C0D0E0F", "00112233445566778899AABBCCDDEEFF", "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
		{"000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", "00112233445566778899AABBCCDDEEFF", "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7"},
		{"000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F", "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"},
	} {
		kek, _ := hex.DecodeString(c.kek)
		key, _ := hex.DecodeString(c.key)
		block, err := aes.NewCipher(kek)
		if err != nil {
			t.Fatal(err)
		}
		wrapped := wrap(block, key)
		if hex.EncodeToString(wrapped) != c.want {
			t.Errorf("wrapped %x, want %s", wrapped, c.want)
		}
		back := make([]byte, len(key))
		if !unwrap(block, back, wrapped) || !bytes.Equal(back, key) {
			t.Error("unwrap does not give the key back")
		}
		wrapped[3] ^= 1
		if unwrap(block, back, wrapped) || unwrap(block, back, wrapped[8:]) {
			t.Error("altered key unwraps")
		}
	}
}

// TestCMAC checks NIST SP 800-38B, appendix D.
func TestCMAC(t *testing.T) {
	hsmtest.Vectors(t, "mac", "mac.cmac_aes", func(in map[string][]byte) ([]byte, error) {
		block, err := aes.NewCipher(in["key"])
		if err != nil {
			return nil, err
		}
		out := cmac(block, in["data"])
		return out[:], nil
	})
}

// TestSameSeedSameKeys is what the simulated world relies on.
func TestSameSeedSameKeys(t *testing.T) {
	make1 := func() string {
		m, err := New(bytes.NewReader(bytes.Repeat([]byte("0123456789abcdef"), 64)), wall{})
		if err != nil {
			t.Fatal(err)
		}
		key, err := m.Generate(t.Context(), hsm.Spec{Name: "n", Owner: "o", Usage: hsm.TAK, Algorithm: hsm.TDES2})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x %x", key.Wrapped, key.Binding)
	}
	if first, second := make1(), make1(); first != second {
		t.Error("two modules of one seed differ")
	}
}

func TestNoRandomness(t *testing.T) {
	if _, err := New(bytes.NewReader(nil), wall{}); err == nil {
		t.Error("New without randomness succeeds")
	}
	m, err := New(bytes.NewReader(make([]byte, 64)), wall{})
	if err != nil {
		t.Fatal(err)
	}
	spec := hsm.Spec{Name: "n", Owner: "o", Usage: hsm.TAK, Algorithm: hsm.TDES2}
	if _, err := m.Generate(t.Context(), spec); !errors.Is(err, hsm.ErrUnavailable) {
		t.Errorf("Generate without randomness: %v, want ErrUnavailable", err)
	}
}

// TestForeignKey: a key of another module is refused as foreign.
func TestForeignKey(t *testing.T) {
	key, err := open(t).Generate(t.Context(), hsm.Spec{Name: "n", Owner: "o", Usage: hsm.TAK, Algorithm: hsm.TDES2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(t).MAC(t.Context(), &key, hsm.MACRetail, []byte("x")); !errors.Is(err, hsm.ErrBinding) {
		t.Errorf("foreign key: %v, want ErrBinding", err)
	}
}

// TestPINPad goes the whole way of a PIN: typed, enciphered, translated, verified.
func TestPINPad(t *testing.T) {
	m, ctx := open(t), t.Context()
	key := func(u hsm.Usage) *hsm.Key {
		k, err := m.Generate(ctx, hsm.Spec{Name: u.String(), Owner: "o", Usage: u, Algorithm: hsm.TDES2})
		if err != nil {
			t.Fatal(err)
		}
		return &k
	}
	tpk, zpk := key(hsm.TPK), key(hsm.ZPK)
	pan, err := secret.NewPAN([]byte("6224242300000069"))
	if err != nil {
		t.Fatal(err)
	}
	typed := func(pin string, f hsm.PINFormat, k *hsm.Key) (secret.PINBlock, error) {
		digits, _ := secret.NewKey([]byte(pin))
		return m.EncipherPIN(ctx, digits, hsm.PINTarget{Format: f, Key: k, PAN: pan})
	}
	aes, err := m.Generate(ctx, hsm.Spec{Name: "aes", Owner: "o", Usage: hsm.TPK, Algorithm: hsm.AES256})
	if err != nil {
		t.Fatal(err)
	}
	for f, k := range map[hsm.PINFormat]*hsm.Key{hsm.ISO0: tpk, hsm.ISO1: tpk, hsm.ISO3: tpk, hsm.ISO4: &aes} {
		block, err := typed("1234", f, k)
		if err != nil {
			t.Fatal(f, err)
		}
		in := hsm.EncipheredPIN{Block: block, Format: f, Key: k, PAN: pan}
		if _, err := m.TranslatePIN(ctx, in, hsm.PINTarget{Format: hsm.ISO0, Key: zpk, PAN: pan}); err != nil {
			t.Error(f, err)
		}
		for _, pin := range []string{"", "123", "1234567890123", "12a4"} {
			if _, err := typed(pin, f, k); !errors.Is(err, hsm.ErrInput) {
				t.Errorf("%s, a PIN of %d characters: %v, want ErrInput", f, len(pin), err)
			}
		}
	}
	for _, u := range []hsm.Usage{hsm.TMK, hsm.TAK, hsm.ZPK, hsm.ZAK, hsm.PVK, hsm.IMKAC} {
		if _, err := typed("1234", hsm.ISO0, key(u)); !errors.Is(err, hsm.ErrUsage) {
			t.Errorf("PIN under a %s: %v, want ErrUsage", u, err)
		}
	}
	for f, want := range map[hsm.PINFormat]error{0: hsm.ErrInput, hsm.ISO2: hsm.ErrPINFormat, hsm.ISO4: hsm.ErrUsage, hsm.ISO4 + 1: hsm.ErrInput} {
		if _, err := typed("1234", f, tpk); !errors.Is(err, want) {
			t.Errorf("%s under a TDES key: %v, want %v", f, err, want)
		}
	}
}

// TestManyKeys goes past the bound of expanded keys.
func TestManyKeys(t *testing.T) {
	m := open(t)
	for i := range loadedMax + 10 {
		key, err := m.Generate(t.Context(), hsm.Spec{Name: fmt.Sprint(i), Owner: "o", Usage: hsm.TAK, Algorithm: hsm.TDES2})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.MAC(t.Context(), &key, hsm.MACUnionPayECB, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if len(m.loaded) > loadedMax {
			t.Fatalf("%d keys expanded", len(m.loaded))
		}
	}
}
