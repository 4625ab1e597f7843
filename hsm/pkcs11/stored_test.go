// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"errors"
	"fmt"
	"testing"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

// stored is a key of every usage with every algorithm that the module makes,
// and answers taken when they were made: what must be there again after a
// restore or a migration.
type stored struct {
	keys    []hsm.Key
	answers map[string]string
}

var (
	everyUsage = []hsm.Usage{hsm.TMK, hsm.TPK, hsm.TAK, hsm.ZPK, hsm.ZAK, hsm.PVK, hsm.IMKAC, hsm.PANSeal, hsm.PANToken, hsm.ZMK, hsm.KBPK, hsm.BDK,
		hsm.IK, hsm.CVK, hsm.PVKOffset, hsm.IMKSMI, hsm.IMKSMC, hsm.IMKCVC3, hsm.TDK, hsm.ZDK, hsm.HMACKey}
	everyAlgorithm = []hsm.Algorithm{hsm.TDES2, hsm.AES128, hsm.AES256, hsm.TDES3, hsm.AES192, hsm.HMAC128, hsm.HMAC192, hsm.HMAC256, hsm.SM4}
)

const storedPAN = "6224242300000069"

// store makes the keys on a token and takes the answers.
func store(t testing.TB, m *Module) *stored {
	t.Helper()
	s := &stored{answers: map[string]string{}}
	for _, u := range everyUsage {
		for _, a := range everyAlgorithm {
			spec := hsm.Spec{Name: fmt.Sprintf("stored/%s/%s", u, a), Owner: "stored", Version: 7, Usage: u, Algorithm: a}
			k, err := m.Generate(t.Context(), spec)
			switch {
			case errors.Is(err, hsm.ErrInput) || errors.Is(err, hsm.ErrUnsupported):
				continue // not a key that this module makes
			case err != nil:
				t.Fatal(err)
			}
			s.keys = append(s.keys, k)
		}
	}
	if len(s.keys) < 25 {
		t.Fatalf("%d keys were made", len(s.keys))
	}
	for i := range s.keys {
		k := &s.keys[i]
		if k.Usage == hsm.PANSeal {
			sealed, err := m.Seal(t.Context(), k, []byte(storedPAN), []byte("payment 1"))
			if err != nil {
				t.Fatal(err)
			}
			s.answers[k.Name+"/sealed"] = string(sealed)
		}
		if said, err := s.ask(t, m, k); err != nil {
			t.Fatal(err)
		} else if said != "" {
			s.answers[k.Name] = said
		}
	}
	if len(s.answers) < 5 {
		t.Fatalf("%d answers were taken", len(s.answers))
	}
	return s
}

// ask is what a key answers; "" for one that is only opened.
func (s *stored) ask(t testing.TB, m *Module, k *hsm.Key) (string, error) {
	switch {
	case (k.Usage == hsm.TAK || k.Usage == hsm.ZAK) && k.Algorithm == hsm.TDES2:
		mac, err := m.MAC(t.Context(), k, hsm.MACRetail, []byte("a message of three blocks"))
		return string(mac[:]), err
	case hsm.OpDUKPT.Allows(k.Usage) && k.Algorithm == hsm.TDES2:
		number, err := hsm.ParseKSN([]byte{0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x00, 0x15})
		if err != nil {
			return "", err
		}
		mac, err := m.DUKPTMAC(t.Context(), hsm.DUKPTKey{Base: k, KSN: number, Type: hsm.TDES2}, hsm.Request, hsm.DUKPTRetail, []byte("a message"))
		return string(mac), err
	case k.Usage == hsm.PANSeal:
		pan, err := m.Open(t.Context(), k, []byte(s.answers[k.Name+"/sealed"]), []byte("payment 1"))
		return string(pan), err
	case k.Usage == hsm.PANToken:
		pan, err := secret.NewPAN([]byte(storedPAN))
		if err != nil {
			return "", err
		}
		token, err := m.Token(t.Context(), k, pan)
		return string(token[:]), err
	}
	return "", m.do(t.Context(), func(w *worker) error { _, err := w.objects(k); return err })
}

// check asks every key again.
func (s *stored) check(t testing.TB, m *Module) {
	t.Helper()
	for i := range s.keys {
		k := &s.keys[i]
		said, err := s.ask(t, m, k)
		if err != nil || said != s.answers[k.Name] {
			t.Errorf("%s: %v, or another answer", k.Name, err)
		}
		if k.Usage == hsm.PANSeal && said != storedPAN {
			t.Errorf("%s: the sealed card number is not readable", k.Name)
		}
	}
}
