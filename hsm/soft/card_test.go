// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"encoding/hex"
	"errors"
	"path/filepath"
	"testing"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
	"tapswitch/iso8583/bertlv"
	"tapswitch/simulators/card"
)

// The terminal's data in the order of the card's list behind its qualifiers.
const (
	qualifiers = "36004000"
	asked      = "000000001111" + "000000000000" + "0156" + "0000000000" + "0156" + "260715" + "00" + "042B29EB"
)

// TestCardsOfOtherHands: what the simulated card computes with ciphers and TLV
// of its own is genuine here, under its profile and under no other.
func TestCardsOfOtherHands(t *testing.T) {
	profiles := map[string]hsm.Profile{
		card.UnionPayCVN01: hsm.UnionPayCVN01, card.VisaCVN10: hsm.VisaCVN10, card.VisaCVN17: hsm.VisaCVN17,
		card.VisaCVN18: hsm.VisaCVN18, card.VisaCVN22: hsm.VisaCVN22,
	}
	deck, err := card.Deck()
	if err != nil {
		t.Fatal(err)
	}
	m := open(t)
	imk := clearIMK(t, m, "2315208C9110AD402315208C9110AD40")
	for _, p := range deck {
		if p.Name != "visa" {
			continue
		}
		for name, profile := range profiles {
			p.Cryptogram, p.IMK = name, "2315208C9110AD402315208C9110AD40"
			c := hsm.Cryptogram{Profile: profile, PAN: pan(t, p.PAN), PSN: [2]byte([]byte(p.PSN)), Data: tap(t, p)}
			if err := m.VerifyARQC(t.Context(), imk, c); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for other, wrong := range profiles {
				c.Profile = wrong
				same := wrong == profile || wrong == hsm.VisaCVN18 && profile == hsm.VisaCVN22 || wrong == hsm.VisaCVN22 && profile == hsm.VisaCVN18
				if err := m.VerifyARQC(t.Context(), imk, c); same != (err == nil) || err != nil && !errors.Is(err, hsm.ErrCryptogram) {
					t.Errorf("a card of %s under %s: %v", name, other, err)
				}
			}
		}
		return
	}
	t.Fatal("the deck has no card named visa")
}

// tap plays a terminal and returns field 55 of the payment.
func tap(t *testing.T, p card.Profile) secret.ICC {
	t.Helper()
	counters, err := card.OpenCounters(filepath.Join(t.TempDir(), "counters.json"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := card.New(p, counters)
	if err != nil {
		t.Fatal(err)
	}
	data := qualifiers + asked
	var answer []byte
	for _, in := range []string{"00A4040007" + p.Applications[0].AID + "00", "80A80000" + size(2+len(data)/2) + "83" + size(len(data)/2) + data + "00"} {
		answer, _ = c.Transceive(raw(t, in))
	}
	template, ok := bertlv.Find(answer[:len(answer)-2], 0x77)
	if !ok {
		t.Fatalf("the card answers %X", answer)
	}
	var out []byte
	for _, tag := range []bertlv.Tag{0x9F26, 0x9F10, 0x9F36, 0x82} {
		value, ok := bertlv.Find(template, tag)
		if !ok {
			t.Fatalf("the card has no %s", tag)
		}
		out = bertlv.Append(out, tag, value)
	}
	terminal := raw(t, asked)
	for _, e := range []struct {
		tag bertlv.Tag
		n   int
	}{{0x9F02, 6}, {0x9F03, 6}, {0x9F1A, 2}, {0x95, 5}, {0x5F2A, 2}, {0x9A, 3}, {0x9C, 1}, {0x9F37, 4}} {
		out = bertlv.Append(out, e.tag, terminal[:e.n])
		terminal = terminal[e.n:]
	}
	icc, err := secret.NewICC(out)
	if err != nil {
		t.Fatal(err)
	}
	return icc
}

func size(n int) string { return hex.EncodeToString([]byte{byte(n)}) }

func raw(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func pan(t *testing.T, digits string) secret.PAN {
	t.Helper()
	p, err := secret.NewPAN([]byte(digits))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func clearIMK(t *testing.T, m *Module, value string) *hsm.Key {
	t.Helper()
	k, err := secret.NewKey(raw(t, value))
	if err != nil {
		t.Fatal(err)
	}
	key, err := m.LoadClear(t.Context(), hsm.Spec{Name: "imk", Owner: "test", Usage: hsm.IMKAC, Algorithm: hsm.TDES2, Version: 1}, k)
	if err != nil {
		t.Fatal(err)
	}
	return &key
}
