// SPDX-License-Identifier: Apache-2.0

package soft

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/hsmtest"
	"tapswitch/internal/secret"
)

// TestDUKPTPINKeys deciphers every published PIN block with the key that the
// PIN functions take.
func TestDUKPTPINKeys(t *testing.T) {
	m := open(t)
	hsmtest.DUKPTPINs(t, m, func(d hsm.DUKPTKey, block []byte) []byte {
		c, err := m.dukptPIN(d)
		if err != nil {
			t.Fatal(err)
		}
		return c.run(hsm.ECB(), block, false)
	})
}

func key(t *testing.T, text string) secret.Key {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	k, err := secret.NewKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestPINPadUnderDUKPT: a terminal with an initial key makes the published block
// of X9.24-1, its host with the BDK has the same key, and what cannot be is
// refused.
func TestPINPadUnderDUKPT(t *testing.T) {
	m := open(t)
	load := func(u hsm.Usage, a hsm.Algorithm, value string) *hsm.Key {
		k, err := m.LoadClear(t.Context(), hsm.Spec{Name: u.String(), Usage: u, Algorithm: a, Owner: "test", Version: uint32(len(value))}, key(t, value))
		if err != nil {
			t.Fatal(err)
		}
		return &k
	}
	number := func(text string) hsm.KSN {
		b, _ := hex.DecodeString(text)
		k, err := hsm.ParseKSN(b)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	pin, err := secret.NewKey([]byte("1234"))
	if err != nil {
		t.Fatal(err)
	}
	pan, err := secret.NewPAN([]byte("4012345678909"))
	if err != nil {
		t.Fatal(err)
	}
	tdes := hsm.DUKPTKey{Base: load(hsm.IK, hsm.TDES2, "6AC292FAA1315B4D858AB3A3D7D5933A"), KSN: number("FFFF9876543210E00001"), Type: hsm.TDES2}
	pad := func(f hsm.PINFormat, d hsm.DUKPTKey) (secret.PINBlock, error) {
		return m.EncipherPIN(t.Context(), pin, hsm.PINTarget{Format: f, Key: d.Base, KSN: d.KSN, Type: d.Type, PAN: pan})
	}
	out, err := pad(hsm.ISO0, tdes)
	if want, _ := hex.DecodeString("1B9C1845EB993A7A"); err != nil || !bytes.Equal(out.AppendTo(nil, secret.ForTest), want) {
		t.Errorf("PIN block of another key: %v", err)
	}
	request, err := m.DUKPTMAC(t.Context(), tdes, hsm.Request, hsm.DUKPTRetail, []byte("4012345678909D987"))
	if err != nil {
		t.Fatal(err)
	}
	host := tdes
	host.Base = load(hsm.BDK, hsm.TDES2, "0123456789ABCDEFFEDCBA9876543210")
	if err := m.VerifyDUKPTMAC(t.Context(), host, hsm.Request, hsm.DUKPTRetail, []byte("4012345678909D987"), request); err != nil {
		t.Errorf("terminal with IK, host with BDK: %v", err)
	}
	aes := hsm.DUKPTKey{Base: load(hsm.IK, hsm.AES128, "1273671EA26AC29AFA4D1084127652A1"), KSN: number("123456789012345600000001"), Type: hsm.AES128}
	if _, err := pad(hsm.ISO0, aes); !errors.Is(err, hsm.ErrUsage) {
		t.Errorf("format 0 under an AES key: %v, want ErrUsage", err)
	}
	aes.Type = hsm.HMAC128
	if _, err := pad(hsm.ISO0, aes); !errors.Is(err, hsm.ErrUsage) {
		t.Errorf("PIN under an HMAC key: %v, want ErrUsage", err)
	}
	aes.Type = hsm.TDES2
	if _, err := pad(hsm.ISO0, aes); err != nil {
		t.Errorf("format 0 under a DES key of AES DUKPT: %v", err)
	}
	aes.Base = load(hsm.ZPK, hsm.TDES2, "0123456789ABCDEFFEDCBA9876543210")
	if _, err := pad(hsm.ISO0, aes); !errors.Is(err, hsm.ErrUsage) {
		t.Errorf("PIN under a ZPK's children: %v, want ErrUsage", err)
	}
}
