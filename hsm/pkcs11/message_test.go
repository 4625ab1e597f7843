// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"errors"
	"strings"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
)

// TestSMRefusedByName: the conformance suite lets a module refuse the SM series
// or serve it; this driver refuses, and says what is missing.
func TestSMRefusedByName(t *testing.T) {
	m := module(t)
	_, err := m.SM3(t.Context(), []byte("abc"))
	if !errors.Is(err, hsm.ErrUnsupported) || !strings.Contains(err.Error(), "PKCS#11 has no standard mechanism") {
		t.Errorf("SM3: %v", err)
	}
	_, err = m.Generate(t.Context(), hsm.Spec{Name: "n", Owner: "o", Usage: hsm.TPK, Algorithm: hsm.SM4})
	if !errors.Is(err, hsm.ErrUnsupported) || !strings.Contains(err.Error(), "SM4") {
		t.Errorf("a key of SM4: %v", err)
	}
}

// TestUnwrappedKeysCanOnlyDoTheirWork reads what a MAC or card key may do in the
// module: an AES or HMAC key signs and nothing else, an issuer master key derives.
func TestUnwrappedKeysCanOnlyDoTheirWork(t *testing.T) {
	m := module(t)
	attributes := []uint{p11.CKA_ENCRYPT, p11.CKA_DECRYPT, p11.CKA_SIGN, p11.CKA_DERIVE, p11.CKA_WRAP, p11.CKA_EXTRACTABLE, p11.CKA_SENSITIVE}
	for _, c := range []struct {
		usage     hsm.Usage
		algorithm hsm.Algorithm
		want      string // the attributes above in turn: edsrwxS for all
	}{
		{hsm.ZAK, hsm.AES128, "--s---S"}, {hsm.HMACKey, hsm.HMAC128, "--s---S"}, {hsm.HMACKey, hsm.HMAC256, "--s---S"},
		{hsm.TAK, hsm.TDES2, "e-s---S"}, {hsm.ZAK, hsm.TDES3, "e-s---S"}, {hsm.CVK, hsm.TDES2, "e-----S"}, {hsm.IMKCVC3, hsm.TDES2, "---r--S"},
	} {
		key, err := m.Generate(t.Context(), hsm.Spec{Name: "n", Owner: "o", Usage: c.usage, Algorithm: c.algorithm})
		if err != nil {
			t.Fatal(err)
		}
		var template []*p11.Attribute
		for _, a := range attributes {
			template = append(template, p11.NewAttribute(a, nil))
		}
		got := make(chan string, 1)
		err = m.do(t.Context(), func(w *worker) error {
			keys, err := w.objects(&key)
			if err != nil {
				return err
			}
			values, err := w.m.ctx.GetAttributeValue(w.session, keys.whole, template)
			if err != nil {
				return err
			}
			var text strings.Builder
			for i, v := range values {
				text.WriteByte(map[bool]byte{true: "edsrwxS"[i], false: '-'}[len(v.Value) == 1 && v.Value[0] == 1])
			}
			got <- text.String()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if may := <-got; may != c.want {
			t.Errorf("%s of %s may %s, want %s", c.usage, c.algorithm, may, c.want)
		}
	}
}
