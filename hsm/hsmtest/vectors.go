// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"encoding/hex"
	"errors"
	"strings"

	"tapswitch/hsm"
	"tapswitch/hsm/pinblock"
	"tapswitch/internal/secret"
)

func upper(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

func pvvVectors(s *suite) {
	zpk := s.key(hsm.ZPK, unhex(s, otherKey))
	n := 0
	for _, v := range append(load(s, "pvv", "pin.visa_pvv"), load(s, "pvv", "pin.visa_pvv_pan12")...) {
		pan := v.text("pan")
		if pan == "" {
			pan = "0" + v.text("pan12") + "0" // twelve account digits and a check digit
		}
		ref := hsm.PVV{Key: s.key(hsm.PVK, v.bytes(s, "pvk")), Index: v.text("pvki")[0], Value: [4]byte([]byte(v.want())), Account: account11(s, pan)}
		in := s.pinBlock(unhex(s, otherKey), v.text("pin"), pan)
		if err := s.m.VerifyPVV(s.Context(), in, zpk, account12(s, pan), ref); err != nil {
			s.Errorf("%s: %v", v.ID, err)
		}
		ref.Value[3] ^= 1
		if err := s.m.VerifyPVV(s.Context(), in, zpk, account12(s, pan), ref); !errors.Is(err, hsm.ErrPIN) {
			s.Errorf("%s: wrong value: %v, want ErrPIN", v.ID, err)
		}
		n++
	}
	s.count(n, 7)
}

// blockVectors hands good and bad clear blocks to the module, enciphered.
func blockVectors(s *suite) {
	from, to := s.key(hsm.TPK, unhex(s, testKey)), s.key(hsm.ZPK, unhex(s, otherKey))
	n := 0
	for _, v := range load(s, "pinblock", "pinblock.iso0.decode") {
		block, pan := v.bytes(s, "block"), v.text("pan")
		if _, err := pinblock.Account([]byte(pan)); err != nil || len(block) != 8 {
			continue // has no form here: PINBlock and Account12 cannot hold it
		}
		in := s.block(tdes(s, unhex(s, testKey), block, false))
		out, err := s.m.TranslatePIN(s.Context(), in, from, to, account12(s, pan))
		switch {
		case v.Type == "error" && !errors.Is(err, hsm.ErrPINBlock):
			s.Errorf("%s (%s): %v, want ErrPINBlock", v.ID, v.Reason, err)
		case v.Type != "error" && err != nil:
			s.Errorf("%s: %v", v.ID, err)
		case v.Type != "error":
			if got := tdes(s, unhex(s, otherKey), out.AppendTo(nil, secret.ForTest), true); string(got) != string(block) {
				s.Errorf("%s: translated block deciphers to another block", v.ID)
			}
		}
		n++
	}
	s.count(n, 8)
}

func translateVectors(s *suite) {
	n := 0
	for _, v := range load(s, "pinblock", "pinblock.translate") {
		if v.text("in_format") != "iso0" || v.text("out_format") != "iso0" || v.text("in_pan") != v.text("out_pan") {
			continue // a change of format or account is what the interface cannot ask for
		}
		from, to := s.key(hsm.ZPK, v.bytes(s, "in_key")[:16]), s.key(hsm.ZPK, v.bytes(s, "out_key")[:16])
		out, err := s.m.TranslatePIN(s.Context(), s.block(v.bytes(s, "block")), from, to, account12(s, v.text("in_pan")))
		if got := upper(out.AppendTo(nil, secret.ForTest)); err != nil || got != v.want() {
			s.Errorf("%s: %s, %v; want %s", v.ID, got, err, v.want())
		}
		n++
	}
	s.count(n, 2)
}

func componentVectors(s *suite) {
	n := 0
	for _, v := range append(load(s, "kcv", "key.combine_components"), load(s, "kcv", "key.combine_components_kcv")...) {
		list, _ := v.Inputs["components"].([]any)
		parts := make([]secret.Key, 0, len(list))
		for _, c := range list {
			text, _ := c.(string)
			parts = append(parts, clearKey(s, unhex(s, strings.ReplaceAll(text, " ", ""))))
		}
		spec := s.spec(hsm.TAK)
		if parts[0].Len() == 32 {
			spec = s.spec(hsm.PANSeal)
		}
		key, err := s.m.LoadClear(s.Context(), spec, parts...)
		if err != nil {
			s.Errorf("%s: %v", v.ID, err)
			continue
		}
		want := v.want()
		if v.Function == "key.combine_components" {
			whole := s.key(spec.Usage, unhex(s, want))
			want = upper(whole.KCV[:])
		}
		if got := upper(key.KCV[:]); got != want {
			s.Errorf("%s: check value %s, want %s", v.ID, got, want)
		}
		n++
	}
	s.count(n, 3)
}
