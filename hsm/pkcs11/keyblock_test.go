// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"errors"
	"strings"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
)

// sessionObjects counts the session objects of the token.
func sessionObjects(t *testing.T, m *Module) int {
	t.Helper()
	s, err := m.ctx.OpenSession(m.link.slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.ctx.CloseSession(s) }()
	if err := m.ctx.FindObjectsInit(s, []*p11.Attribute{p11.NewAttribute(p11.CKA_TOKEN, false)}); err != nil {
		t.Fatal(err)
	}
	found, _, err := m.ctx.FindObjects(s, 10000)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.ctx.FindObjectsFinal(s); err != nil {
		t.Fatal(err)
	}
	return len(found)
}

// TestKeyBlocksLeaveNothingBehind: what is derived or imported for a block is gone when
// the call ends, whether it ends well or not.
func TestKeyBlocksLeaveNothingBehind(t *testing.T) {
	m, ctx := module(t), t.Context()
	for _, a := range []hsm.Algorithm{hsm.TDES2, hsm.AES256} {
		kbpk, err := m.Generate(ctx, hsm.Spec{Name: "kbpk", Owner: "o", Usage: hsm.KBPK, Algorithm: a, Version: 1})
		if err != nil {
			t.Fatal(err)
		}
		tak := hsm.WorkingKey{Spec: hsm.Spec{Name: "tak", Owner: "o", Usage: hsm.TAK, Algorithm: hsm.TDES2, Version: 1}, Form: hsm.KeyBlockForm{Exportability: 'E'}}
		before := 0
		for i := range 10 {
			_, out, err := m.GenerateSet(ctx, &kbpk, tak)
			if err != nil {
				t.Fatal(err)
			}
			block := out[0].Block
			if _, err := m.ImportKeyBlock(ctx, &kbpk, tak, block); err != nil {
				t.Fatal(err)
			}
			if _, err := m.TranslateKeyBlock(ctx, &kbpk, &kbpk, block, hsm.KeyBlockForm{}); err != nil {
				t.Fatal(err)
			}
			wrong := strings.Replace(block, "C00E", "C01E", 1)
			if _, err := m.ImportKeyBlock(ctx, &kbpk, tak, wrong); !errors.Is(err, hsm.ErrBinding) {
				t.Fatalf("altered: %v", err)
			}
			now := sessionObjects(t, m)
			if i == 0 {
				before = now // the protection key and its variants are in the cache
			} else if now != before {
				t.Fatalf("%s: %d session objects after the first round, %d after round %d", a, before, now, i+1)
			}
		}
	}
}

// TestProtectionKeyCannotDecipher: the object of a protection key enciphers the zero
// block and derives; what it protects is deciphered by a derived key only.
func TestProtectionKeyCannotDecipher(t *testing.T) {
	m, ctx := module(t), t.Context()
	kbpk, err := m.Generate(ctx, hsm.Spec{Name: "kbpk", Owner: "o", Usage: hsm.KBPK, Algorithm: hsm.AES128, Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	err = m.do(ctx, func(w *worker) error {
		keys, err := w.objects(&kbpk)
		if err != nil {
			return err
		}
		return w.m.fused.crypt(w.session, false, p11.CKM_AES_ECB, nil, keys.whole, make([]byte, 16), make([]byte, 16))
	})
	if !errors.Is(err, p11.Error(p11.CKR_KEY_FUNCTION_NOT_PERMITTED)) {
		t.Errorf("decipher with a protection key: %v", err)
	}
}

// TestTerminalsHalfIsRefused: a block that lets a PIN pad only encipher is none for the
// module of a switch, which deciphers PINs; the mode that allows it is.
func TestTerminalsHalfIsRefused(t *testing.T) {
	m, ctx := module(t), t.Context()
	kbpk, err := m.Generate(ctx, hsm.Spec{Name: "kbpk", Owner: "o", Usage: hsm.KBPK, Algorithm: hsm.AES256, Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		usage hsm.Usage
		mode  byte
		good  bool
	}{{hsm.TPK, 0, false}, {hsm.TPK, 'D', true}, {hsm.TPK, 'B', true}, {hsm.TMK, 0, false}, {hsm.TMK, 'B', true}} {
		w := hsm.WorkingKey{Spec: hsm.Spec{Name: "k", Owner: "o", Usage: c.usage, Algorithm: hsm.TDES2, Version: 1}, Form: hsm.KeyBlockForm{Mode: c.mode}}
		_, out, err := m.GenerateSet(ctx, &kbpk, w)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.ImportKeyBlock(ctx, &kbpk, w, out[0].Block); c.good != (err == nil) || err != nil && !errors.Is(err, hsm.ErrUsage) {
			t.Errorf("%.16s as %s: %v", out[0].Block, c.usage, err)
		}
	}
}
