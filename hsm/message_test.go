// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"errors"
	"strings"
	"testing"
	"time"

	"tapswitch/internal/secret"
)

// TestMACAlgorithms: every algorithm has a name of its own, keys that exist for
// a MAC usage, and bounds that hold together.
func TestMACAlgorithms(t *testing.T) {
	names := map[string]bool{}
	for _, a := range MACAlgorithms() {
		r := a.rule()
		if r.name == "" || names[r.name] || a.String() != r.name {
			t.Errorf("algorithm %d is called %q", uint16(a), a)
		}
		names[r.name] = true
		if r.least < 4 || r.least > r.size || a.Size() != int(r.size) || (r.padding == 0) != (r.block == 0) || r.padding > 3 {
			t.Errorf("%s: %+v", a, r)
		}
		for _, k := range a.Keys() {
			usage := ZAK
			if k.IsHMAC() {
				usage = HMACKey
			}
			key := &Key{Name: "n", Usage: usage, Algorithm: k}
			if err := a.Permit(key, time.Unix(0, 0), 1); err != nil {
				t.Errorf("%s under %s: %v", a, k, err)
			}
			if err := a.Permit(key, time.Unix(0, 0), MaxMACData+1); !errors.Is(err, ErrInput) {
				t.Errorf("%s of too much: %v", a, err)
			}
			if err := a.Permit(key, time.Unix(0, 0), 0); (err == nil) != r.empty {
				t.Errorf("%s of nothing: %v", a, err)
			}
		}
	}
	if len(names) != 16 {
		t.Errorf("%d algorithms", len(names))
	}
}

// TestMACKeep: the length is part of the algorithm, and never grows it.
func TestMACKeep(t *testing.T) {
	four := MACRetail.Keep(4)
	if four == MACRetail || four.Size() != 4 || four.Whole() != MACRetail || four.Keep(0) != MACRetail || four.Keep(6).Size() != 6 {
		t.Errorf("kept to 4: %d, %s", four.Size(), four)
	}
	if !strings.Contains(four.String(), "4 bytes") {
		t.Errorf("kept to 4 is called %q", four)
	}
	if m, b := four.Padding(); m != 1 || b != 8 || four.IsSM() || !MACSM4CMAC.Keep(8).IsSM() {
		t.Errorf("kept to 4 is padded by %d, %d", m, b)
	}
	key := &Key{Name: "n", Usage: TAK, Algorithm: TDES2}
	for n, want := range map[int]error{-1: ErrInput, 1: ErrInput, 3: ErrInput, 4: nil, 8: nil, 9: ErrInput, 255: ErrInput, 256: ErrInput, 260: ErrInput} {
		if err := MACRetail.Keep(n).Permit(key, time.Unix(0, 0), 1); !errors.Is(err, want) {
			t.Errorf("kept to %d: %v, want %v", n, err, want)
		}
	}
	for _, a := range []MACAlgorithm{0, 200, MACAlgorithm(0).Keep(4)} {
		if err := a.Permit(key, time.Unix(0, 0), 1); !errors.Is(err, ErrInput) || a.Size() != 0 || !strings.Contains(a.String(), "MAC algorithm") {
			t.Errorf("algorithm %d: %v, %d bytes, %q", uint16(a), err, a.Size(), a)
		}
	}
}

func TestCheckMAC(t *testing.T) {
	key := &Key{Name: "n", Usage: TAK, Version: 3}
	if err := CheckMAC(key, []byte{1, 2, 3, 4}, []byte{1, 2, 3, 4}); err != nil {
		t.Error(err)
	}
	for _, wrong := range [][]byte{nil, {1, 2, 3}, {1, 2, 3, 5}, {1, 2, 3, 4, 0}} {
		if err := CheckMAC(key, []byte{1, 2, 3, 4}, wrong); !errors.Is(err, ErrMAC) || !strings.Contains(err.Error(), `TAK "n" version 3`) {
			t.Errorf("%d bytes: %v, want ErrMAC", len(wrong), err)
		}
	}
}

// TestCardValueIsWiped: what a driver computed does not stay behind.
func TestCardValueIsWiped(t *testing.T) {
	key := &Key{Name: "n", Usage: CVK}
	value, err := secret.NewCVV([]byte("123"))
	if err != nil {
		t.Fatal(err)
	}
	for _, computed := range [][]byte{[]byte("123"), []byte("124"), []byte("12")} {
		right := string(computed) == "123"
		if err := CheckCardValue(key, value, computed, nil); right != (err == nil) || !right && !errors.Is(err, ErrCardValue) {
			t.Errorf("%v", err)
		}
		if strings.Trim(string(computed), "\x00") != "" {
			t.Error("digits stay behind")
		}
	}
	computed := []byte("987")
	made, err := MadeCardValue(computed, nil)
	if err != nil || string(made.AppendTo(nil, secret.ForTest)) != "987" || strings.Trim(string(computed), "\x00") != "" {
		t.Errorf("made: %v", err)
	}
	if _, err := MadeCardValue(nil, ErrBusy); !errors.Is(err, ErrBusy) {
		t.Errorf("made after an error: %v", err)
	}
	if err := CheckCardValue(key, value, nil, ErrBusy); !errors.Is(err, ErrBusy) {
		t.Errorf("checked after an error: %v", err)
	}
}
