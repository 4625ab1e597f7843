// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"encoding/hex"
	"errors"
	"strings"

	"tapswitch/hsm"
	"tapswitch/hsm/mac"
	"tapswitch/hsm/pinblock"
	"tapswitch/internal/secret"
)

func upper(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

func unionPayVectors(s *suite) {
	n := 0
	for _, v := range load(s, "mac", "mac.unionpay_ecb") {
		key, data := s.key(hsm.TAK, v.bytes(s, "key")), v.bytes(s, "data")
		got, err := s.m.MAC(s.Context(), key, hsm.MACUnionPayECB, data)
		if err != nil || string(got[:]) != v.want() {
			s.Errorf("%s: MAC %q, %v; want %q", v.ID, got, err, v.want())
		}
		if err := s.m.VerifyMAC(s.Context(), key, hsm.MACUnionPayECB, data, got); err != nil {
			s.Errorf("%s: verify: %v", v.ID, err)
		}
		n++
	}
	s.count(n, 1)
}

// retailVectors also runs the cryptograms under a given session key: they are
// algorithm 3 too, padded by method 2 first where the vector says so.
func retailVectors(s *suite) {
	n := 0
	for _, v := range append(load(s, "mac", "mac.iso9797_alg3"), load(s, "emv_ac", "emv.ac")...) {
		keyName, data := "key", v.bytes(s, "data")
		if v.Function == "emv.ac" {
			keyName = "sk"
		}
		if v.number("padding") == 2 || v.text("padding") == "method2" {
			data = mac.AppendPad2(nil, data)
		}
		key := s.key(hsm.ZAK, v.bytes(s, keyName))
		got, err := s.m.MAC(s.Context(), key, hsm.MACRetail, data)
		if err != nil || !strings.HasPrefix(upper(got[:]), v.want()) {
			s.Errorf("%s: MAC %X, %v; want %s", v.ID, got, err, v.want())
		}
		if err := s.m.VerifyMAC(s.Context(), key, hsm.MACRetail, data, got); err != nil {
			s.Errorf("%s: verify: %v", v.ID, err)
		}
		for bit := range 64 {
			wrong := got
			wrong[bit/8] ^= 1 << (bit % 8)
			if bit%13 != 0 {
				continue
			}
			if err := s.m.VerifyMAC(s.Context(), key, hsm.MACRetail, data, wrong); !errors.Is(err, hsm.ErrMAC) {
				s.Errorf("%s: bit %d flipped: %v, want ErrMAC", v.ID, bit, err)
			}
		}
		n++
	}
	s.count(n, 12+15)
}

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

func checkValueVectors(s *suite) {
	n := 0
	for _, v := range append(load(s, "kcv", "kcv.tdes"), load(s, "kcv", "kcv.aes_cmac")...) {
		value, usage := v.bytes(s, "key"), hsm.TAK
		if v.Function == "kcv.aes_cmac" {
			usage = hsm.PANToken
		}
		if len(value) == 24 {
			continue // triple-length and AES-192 keys are not in service
		}
		key := s.key(usage, value)
		want := v.want()
		if len(want) > 6 {
			want = want[:6]
		}
		if got := upper(key.KCV[:]); !strings.HasPrefix(got, want) {
			s.Errorf("%s: check value %s, want %s", v.ID, got, want)
		}
		n++
	}
	s.count(n, 54)
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
		} else if parts[0].Len() == 24 {
			continue
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
