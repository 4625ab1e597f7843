// SPDX-License-Identifier: Apache-2.0

package card

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"
)

// derived is the first prime that SHA-256 gives for a seed: candidates of
// hash(seed‖number‖block), the two highest bits and the lowest set, 2 modulo 3 as
// the exponent wants.
func derived(seed string, bits int) *big.Int {
	for n := uint32(0); ; n++ {
		var out []byte
		for block := uint32(0); len(out) < bits/8; block++ {
			in := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte(seed), n), block)
			sum := sha256.Sum256(in)
			out = append(out, sum[:]...)
		}
		out = out[:bits/8]
		out[0] |= 0xC0
		out[len(out)-1] |= 1
		if p := new(big.Int).SetBytes(out); new(big.Int).Mod(p, big.NewInt(rsaPublicExponent)).Int64() == 2 && p.ProbablyPrime(20) {
			return p
		}
	}
}

// TestKeysComeFromTheirNames: the test keys are nobody's secret.
func TestKeysComeFromTheirNames(t *testing.T) {
	for _, k := range testPrimes() {
		for half, text := range map[string]string{"p": k.p, "q": k.q} {
			if want := derived("tapswitch test key: "+k.owner+" "+half, 4*len(text)); strings.ToUpper(want.Text(16)) != text {
				t.Errorf("%s, %s: another prime", k.owner, half)
			}
		}
		if _, err := keyOf(k.owner); err != nil {
			t.Errorf("%s: %v", k.owner, err)
		}
	}
	if _, err := keyOf("nobody"); err == nil {
		t.Error("a key of nobody")
	}
}

// askingGPO is gpoUnionPay of a terminal that asks for a signature.
func askingGPO() string { return strings.Replace(gpoUnionPay, "36800000", "37800000", 1) }

// TestSignsWhenAsked: the records are there for the terminal that asks, and only
// after it did.
func TestSignsWhenAsked(t *testing.T) {
	c, _ := drawn(t, "unionpay")
	say := func(in string) []byte { answer, _ := c.Transceive(unhex(t, in)); return answer }
	say(selectUnionPay)
	if got := say(gpoUnionPay); bytes.Contains(got, unhex(t, "9F4B")) || bytes.Contains(got, unhex(t, "9404")) {
		t.Errorf("not asked, and signs: %X", got)
	}
	if got := say("00B2011400"); !bytes.Equal(got, unhex(t, "6A83")) {
		t.Errorf("not asked, and has a record: %X", got)
	}
	say(selectUnionPay)
	if got := say(askingGPO()); !bytes.Contains(got, unhex(t, "9F4B8180")) || !bytes.Contains(got, unhex(t, "940410010301")) {
		t.Errorf("asked, and does not sign: %X", got)
	}
	for record, want := range map[string]string{"00B2011400": "5A086224242300000069 5F2403311231 9F4A0182", "00B2021400": "8F01E0 9F320103", "00B2031400": "9F470103"} {
		if got := say(record); !bytes.Contains(got, unhex(t, want)) || len(got) > 256+2 {
			t.Errorf("%s: %X", record, got)
		}
	}
	for record, want := range map[string]string{"00B2041400": "6A83", "00B2001400": "6A83", "00B2010C00": "6A83"} {
		if got := say(record); !bytes.Equal(got, unhex(t, want)) {
			t.Errorf("%s: %X, want %s", record, got, want)
		}
	}
	c, _ = drawn(t, "unionpay-declines")
	say(selectUnionPay)
	if got := say(askingGPO()); bytes.Contains(got, unhex(t, "9F4B")) {
		t.Errorf("declines, and signs: %X", got)
	}
}

func TestOfflineProfilesRefused(t *testing.T) {
	deck, err := Deck()
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]option{
		"two files":        func(p *Profile) { p.RecordBytes = 1 },
		"offline must":     func(p *Profile) { p.Offline.P = "4" },
		"certificates and": func(p *Profile) { p.Offline.Card.Certificate = "0" },
		"of one byte":      func(p *Profile) { p.Offline.CAIndex = "E0E0" },
		"two primes":       func(p *Profile) { p.Offline.Q = "" },
	} {
		p := deck[0]
		change(&p)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := (&Profile{Plastic: "nobody's"}).issue("Visa", issuing{}); err == nil {
		t.Error("a card without a key was certified")
	}
}

func TestCAKeysOfTheDeck(t *testing.T) {
	keys, err := TestCAKeys()
	if err != nil || len(keys) != 2 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, k := range keys {
		if n, err := hex.DecodeString(k.Modulus); err != nil || len(n) != 176 || len(k.Checksum) != 40 {
			t.Errorf("%s: modulus of %d bytes, checksum %s", k.RID, len(n), k.Checksum)
		}
	}
}
