// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"bytes"
	"crypto/des"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/hsmtest"
	"tapswitch/hsm/mac"
	"tapswitch/internal/secret"
)

// TestAlgorithm3OfTwoKeys: ISO 9797-1 has algorithm 3 over any block cipher, and
// a public tool runs it over double-length DES with two keys. No host asks for
// it and the interface has one key, but the steps are the same code.
func TestAlgorithm3OfTwoKeys(t *testing.T) {
	hsmtest.Vectors(t, "mac", "mac.retail_k1k2", func(in map[string][]byte) ([]byte, error) {
		one, err1 := des.NewTripleDESCipher(append(append([]byte{}, in["k1"]...), in["k1"][:8]...))
		two, err2 := des.NewTripleDESCipher(append(append([]byte{}, in["k2"]...), in["k2"][:8]...))
		method, err3 := strconv.Atoi(string(in["padding"]))
		if err := errors.Join(err1, err2, err3); err != nil {
			return nil, err
		}
		out := (&ciphers{left: one, right: two}).alg3(mac.AppendPad(nil, in["data"], method, 8))
		return out[:], nil
	})
}

// TestTDESCMAC checks NIST SP 800-38B, appendix D, in the CMAC itself.
func TestTDESCMAC(t *testing.T) {
	hsmtest.Vectors(t, "mac", "mac.cmac_tdes", func(in map[string][]byte) ([]byte, error) {
		key := in["key"]
		if len(key) == 16 {
			key = append(append([]byte{}, key...), key[:8]...)
		}
		block, err := des.NewTripleDESCipher(key)
		if err != nil {
			return nil, err
		}
		out := cmac(block, in["data"])
		return out[:8], nil
	})
}

// TestHasSM: the conformance suite lets a module refuse the SM series; this one
// must not.
func TestHasSM(t *testing.T) {
	if _, err := open(t).SM3(t.Context(), nil); err != nil {
		t.Errorf("SM3: %v", err)
	}
}

// TestLengthIsNotAliased: a caller that appends to its MAC does not write into
// anything of the module.
func TestLengthIsNotAliased(t *testing.T) {
	m := open(t)
	key, err := m.Generate(t.Context(), hsm.Spec{Name: "n", Owner: "o", Usage: hsm.TAK, Algorithm: hsm.TDES2})
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.MAC(t.Context(), &key, hsm.MACRetail.Keep(4), []byte("data"))
	if err != nil || len(got) != 4 || cap(got) != 4 {
		t.Errorf("%d bytes of %d, %v", len(got), cap(got), err)
	}
}

// FuzzMAC: every MAC under any key and data is what the standard says, written
// down a second time, and verifies; nothing panics.
func FuzzMAC(f *testing.F) {
	for i, a := range hsm.MACAlgorithms() {
		f.Add(uint8(a), uint8(i), []byte("0123456789ABCDEFFEDCBA9876543210"), []byte("Now is the time for all ")[:i])
	}
	f.Add(uint8(hsm.MACRetail), uint8(4), []byte("K1K1K1K1K2K2K2K2K3K3K3K3K4K4K4K4"), make([]byte, 33))
	m := open(f)
	n := 0
	f.Fuzz(func(t *testing.T, alg, keep uint8, key, data []byte) {
		a := hsm.MACAlgorithm(alg)
		keys := a.Keys()
		if len(keys) == 0 || len(key) < 32 {
			return
		}
		algorithm := keys[int(key[31])%len(keys)]
		value := append([]byte{}, key[:algorithm.Size()]...)
		usage := hsm.ZAK
		if algorithm.IsHMAC() {
			usage = hsm.HMACKey
		}
		if a == hsm.MACX99 {
			copy(value[8:], value[:8])
		}
		clear, err := secret.NewKey(value)
		if err != nil {
			t.Fatal(err)
		}
		n++
		loaded, err := m.LoadClear(t.Context(), hsm.Spec{Name: fmt.Sprint(n), Owner: "o", Usage: usage, Algorithm: algorithm}, clear)
		if err != nil {
			t.Fatal(err)
		}
		if int(keep) <= a.Size() {
			a = a.Keep(int(keep))
		}
		got, err := m.MAC(t.Context(), &loaded, a, data)
		if err != nil {
			if !errors.Is(err, hsm.ErrInput) || got != nil {
				t.Fatalf("%s: %v", a, err)
			}
			return
		}
		want, err := hsmtest.TextbookMAC(a, value, data)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s under %s of %d bytes: %X, want %X, %v", a, algorithm, len(data), got, want, err)
		}
		if err := m.VerifyMAC(t.Context(), &loaded, a, data, got); err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		got[0] ^= 0x80
		if err := m.VerifyMAC(t.Context(), &loaded, a, data, got); !errors.Is(err, hsm.ErrMAC) {
			t.Fatalf("%s: a bit flipped: %v", a, err)
		}
	})
}
