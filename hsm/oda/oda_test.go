// SPDX-License-Identifier: Apache-2.0

package oda_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"tapswitch/hsm/oda"
	"tapswitch/internal/secret"
)

// then is a month in which the published test certificates were good.
var then = time.Date(2020, time.January, 15, 0, 0, 0, 0, time.UTC)

func pan(t testing.TB, digits string) secret.PAN {
	t.Helper()
	p, err := secret.NewPAN([]byte(digits))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// vector is one line of the vector file.
type vector struct {
	ID       string            `json:"id"`
	Function string            `json:"function"`
	Inputs   map[string]string `json:"inputs"`
	Expected string            `json:"expected"`
	Type     string            `json:"expected_type"`
	Reason   string            `json:"reason"`
}

func (v vector) hex(t testing.TB, name string) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.Inputs[name])
	if err != nil {
		t.Fatalf("%s: %s: %v", v.ID, name, err)
	}
	return b
}

func (v vector) key(t testing.TB, owner string) oda.Key {
	return oda.Key{Modulus: v.hex(t, owner+"_modulus"), Exponent: v.hex(t, owner+"_exponent")}
}

func vectors(t testing.TB) (all []vector) {
	t.Helper()
	raw, err := os.ReadFile("testdata/emv_oda.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// compute is what a vector's function gives.
func compute(t testing.TB, v vector) ([]byte, error) {
	t.Helper()
	switch v.Function {
	case "emv.oda.issuer_modulus":
		got, err := oda.RecoverIssuer(v.key(t, "capk"), oda.Signed{Certificate: v.hex(t, "certificate"), Remainder: v.hex(t, "remainder"), Exponent: v.hex(t, "issuer_exponent")}, pan(t, v.Inputs["pan"]), then)
		return got.Key.Modulus, err
	case "emv.oda.icc_modulus":
		got, err := oda.RecoverICC(v.key(t, "issuer"), oda.Signed{Certificate: v.hex(t, "certificate"), Remainder: v.hex(t, "remainder"), Exponent: v.hex(t, "icc_exponent")}, pan(t, v.Inputs["pan"]), then)
		return got.Unauthenticated().Modulus, err
	case "emv.oda.sda_dac":
		got, err := oda.RecoverStatic(v.key(t, "issuer"), v.hex(t, "ssad"))
		return got.DAC[:], err
	case "emv.oda.dda_icc_dynamic_number":
		return oda.DDA(v.key(t, "icc"), v.hex(t, "sdad"), v.hex(t, "ddol_data"))
	}
	t.Fatalf("%s: function %s is not known", v.ID, v.Function)
	return nil, nil
}

func TestVectors(t *testing.T) {
	ran := map[string]int{}
	for _, v := range vectors(t) {
		got, err := compute(t, v)
		ran[v.Function+" "+v.Type]++
		if v.Type == "error" {
			if err == nil {
				t.Errorf("%s (%s): not refused", v.ID, v.Reason)
			}
			continue
		}
		if err != nil || strings.ToUpper(hex.EncodeToString(got)) != v.Expected {
			t.Errorf("%s: %X, %v; want %s", v.ID, got, err, v.Expected)
		}
	}
	for what, want := range map[string]int{
		"emv.oda.issuer_modulus hex": 2, "emv.oda.issuer_modulus error": 1, "emv.oda.icc_modulus hex": 2, "emv.oda.icc_modulus error": 1,
		"emv.oda.sda_dac hex": 1, "emv.oda.sda_dac error": 1, "emv.oda.dda_icc_dynamic_number hex": 1, "emv.oda.dda_icc_dynamic_number error": 4,
	} {
		if ran[what] != want {
			t.Errorf("%s: %d vectors ran, want %d", what, ran[what], want)
		}
	}
}

// TestEveryBitOfAVectorCounts: no bit of a published certificate or signature
// can be turned without a refusal.
func TestEveryBitOfAVectorCounts(t *testing.T) {
	for _, v := range vectors(t) {
		if v.Type == "error" || v.Function == "emv.oda.icc_modulus" || v.Function == "emv.oda.sda_dac" {
			continue // their hashes cover data the vectors do not carry
		}
		field := map[string]string{"emv.oda.issuer_modulus": "certificate", "emv.oda.dda_icc_dynamic_number": "sdad"}[v.Function]
		good := v.hex(t, field)
		for bit := range 8 * len(good) {
			wrong := bytes.Clone(good)
			wrong[bit/8] ^= 1 << (bit % 8)
			v.Inputs[field] = hex.EncodeToString(wrong)
			if _, err := compute(t, v); err == nil {
				t.Fatalf("%s: bit %d turned: accepted", v.ID, bit)
			}
		}
	}
}

// TestPublicKeys: a key that EMV does not know opens nothing.
func TestPublicKeys(t *testing.T) {
	v := vectors(t)[0]
	good := v.key(t, "capk")
	for name, k := range map[string]oda.Key{
		"none":           {},
		"no exponent":    {Modulus: good.Modulus},
		"exponent 5":     {Modulus: good.Modulus, Exponent: []byte{5}},
		"exponent 0003":  {Modulus: good.Modulus, Exponent: []byte{0, 3}},
		"short":          {Modulus: good.Modulus[:63], Exponent: good.Exponent},
		"long":           {Modulus: append(bytes.Clone(good.Modulus), 1), Exponent: good.Exponent},
		"zero in front":  {Modulus: append([]byte{0}, good.Modulus[1:]...), Exponent: good.Exponent},
		"modulus of one": {Modulus: append(make([]byte, 247), 1), Exponent: good.Exponent},
	} {
		if _, err := oda.DDA(k, v.hex(t, "certificate"), nil); !errors.Is(err, oda.ErrKey) {
			t.Errorf("%s: %v, want ErrKey", name, err)
		}
	}
	if _, err := oda.DDA(good, v.hex(t, "certificate")[1:], nil); !errors.Is(err, oda.ErrLength) {
		t.Errorf("short signature: %v, want ErrLength", err)
	}
	if _, err := oda.DDA(good, bytes.Repeat([]byte{0xFF}, len(good.Modulus)), nil); !errors.Is(err, oda.ErrRange) {
		t.Errorf("signature above the modulus: %v, want ErrRange", err)
	}
	if _, err := oda.DDA(good, v.hex(t, "certificate"), nil); !errors.Is(err, oda.ErrFormat) {
		t.Errorf("a certificate for a signature: %v, want ErrFormat", err)
	}
}

// TestSchemeKeyChecksum has the published checksum of a scheme's test key.
func TestSchemeKeyChecksum(t *testing.T) {
	v := vectors(t)[0]
	k := oda.CAPK{RID: [5]byte{0xA0, 0, 0, 0, 3}, Index: 0x94, Key: v.key(t, "capk")}
	sum, err := hex.DecodeString("C4A3C43CCF87327D136B804160E47D43B60E6E0F")
	if err != nil {
		t.Fatal(err)
	}
	copy(k.Checksum[:], sum)
	if err := k.Check(); err != nil {
		t.Error(err)
	}
	k.Index = 0x95
	if err := k.Check(); !errors.Is(err, oda.ErrChecksum) {
		t.Errorf("another index: %v, want ErrChecksum", err)
	}
	k.Key = oda.Key{}
	if err := k.Check(); !errors.Is(err, oda.ErrKey) {
		t.Errorf("no key: %v, want ErrKey", err)
	}
}
