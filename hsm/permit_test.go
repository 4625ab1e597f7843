// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPermitAllPairs writes the matrix a second time, by usage.
func TestPermitAllPairs(t *testing.T) {
	allowed := map[Usage][]Operation{
		TMK: {OpTransportKey}, TPK: {OpTranslateFrom, OpVerifyPIN, OpTravelsUnderTMK, OpEncipherPIN}, TAK: {OpMAC, OpTravelsUnderTMK},
		ZPK: {OpTranslateFrom, OpTranslateTo, OpVerifyPIN}, ZAK: {OpMAC}, PVK: {OpPVV}, IMKAC: {OpCryptogram},
		PANSeal: {OpSeal}, PANToken: {OpToken}, ZMK: {OpTransportZoneKey}, KBPK: {OpProtectKeyBlock}, BDK: {OpDUKPT}, IK: {OpDUKPT},
		CVK: {OpCVV}, PVKOffset: {OpOffset}, IMKSMI: {OpScriptMAC}, IMKSMC: {OpScriptEncipher}, IMKCVC3: {OpDynamicCVV},
		TDK: {OpData, OpTravelsUnderTMK}, ZDK: {OpData, OpTravelsUnderZMK}, HMACKey: {OpHMAC},
	}
	for _, u := range []Usage{TAK, ZAK} {
		allowed[u] = append(allowed[u], OpCMAC)
	}
	for _, u := range []Usage{ZPK, ZAK} {
		allowed[u] = append(allowed[u], OpTravelsUnderZMK)
	}
	for u := TMK; u <= HMACKey; u++ {
		if u != PANSeal && u != PANToken && u != KBPK { // what stays inside for good
			allowed[u] = append(allowed[u], OpTravelsInKeyBlock)
		}
	}
	for u := Usage(0); u <= HMACKey+1; u++ {
		k := &Key{Name: "n", Usage: u, Algorithm: TDES2}
		if u == PANSeal || u == PANToken {
			k.Algorithm = AES256
		} else if u == HMACKey {
			k.Algorithm = HMAC256
		}
		for op := Operation(0); op <= OpTravelsUnderSM4+1; op++ {
			want := false
			for _, a := range allowed[u] {
				want = want || a == op
			}
			err := Permit(op, k, time.Unix(0, 0))
			if want != (err == nil) || err != nil && !errors.Is(err, ErrUsage) {
				t.Errorf("%s to %s: %v", u, op, err)
			}
		}
	}
}

// TestPermitSM4Pairs: keys of SM4 do what is for SM4, and DES keys of the same
// usages do none of it.
func TestPermitSM4Pairs(t *testing.T) {
	allowed := map[Usage][]Operation{
		TMK: {OpSM4Transport, OpTravelsInKeyBlock}, TPK: {OpSM4PINFrom, OpSM4PINEncipher, OpTravelsUnderSM4, OpTravelsInKeyBlock},
		TAK: {OpSM4MAC, OpTravelsUnderSM4, OpTravelsInKeyBlock}, ZPK: {OpSM4PINFrom, OpSM4PINTo, OpTravelsInKeyBlock}, ZAK: {OpSM4MAC, OpTravelsInKeyBlock},
	}
	for u := TMK; u <= HMACKey; u++ {
		k, des := &Key{Name: "n", Usage: u, Algorithm: SM4}, &Key{Name: "n", Usage: u, Algorithm: TDES2}
		for op := Operation(1); op <= OpTravelsUnderSM4; op++ {
			if err := Permit(op, k, time.Unix(0, 0)); slices.Contains(allowed[u], op) != (err == nil) || err != nil && !errors.Is(err, ErrUsage) {
				t.Errorf("%s of SM4 to %s: %v", u, op, err)
			}
			if err := Permit(op, des, time.Unix(0, 0)); op >= OpSM4MAC && !errors.Is(err, ErrUsage) {
				t.Errorf("%s of DES to %s: %v, want ErrUsage", u, op, err)
			}
		}
	}
	for u := TMK; u <= HMACKey; u++ { // a MAC key of AES has CMAC and nothing else
		k := &Key{Name: "n", Usage: u, Algorithm: AES128}
		for _, op := range []Operation{OpMAC, OpTransportKey, OpTravelsUnderTMK, OpCVV, OpDynamicCVV, OpHMAC} {
			if err := Permit(op, k, time.Unix(0, 0)); !errors.Is(err, ErrUsage) {
				t.Errorf("%s of AES to %s: %v, want ErrUsage", u, op, err)
			}
		}
	}
	if OpTravelsUnderTMK.Takes(AES128) || OpTravelsUnderTMK.Takes(SM4) || !OpTravelsUnderTMK.Takes(TDES2) {
		t.Error("keys of other ciphers travel under DES")
	}
}

func TestPermitValidity(t *testing.T) {
	k := &Key{Name: "n", Usage: TAK, Algorithm: TDES2, NotAfter: 1000}
	if err := Permit(OpMAC, k, time.Unix(1000, 999)); err != nil {
		t.Errorf("in its last second: %v", err)
	}
	if err := Permit(OpMAC, k, time.Unix(1001, 0)); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "validity") {
		t.Errorf("a second later: %v", err)
	}
	k.NotAfter = 0
	if err := Permit(OpMAC, k, time.Unix(1<<40, 0)); err != nil {
		t.Errorf("without end: %v", err)
	}
	k.Algorithm = AES128
	if err := Permit(OpMAC, k, time.Unix(0, 0)); !errors.Is(err, ErrUsage) {
		t.Errorf("AES key for a DES MAC: %v", err)
	}
}

// TestBoundContentIsUnambiguous: a byte moved from one text to the next changes
// what is bound.
func TestBoundContentIsUnambiguous(t *testing.T) {
	a := Key{Name: "ab", Owner: "c", Wrapped: []byte("de")}
	b := Key{Name: "a", Owner: "bc", Wrapped: []byte("de")}
	if string(a.AppendBound(nil)) == string(b.AppendBound(nil)) {
		t.Error("two keys are bound to the same bytes")
	}
	a.Binding[0] = 1
	if string(a.AppendBound(nil)) != string((&Key{Name: "ab", Owner: "c", Wrapped: []byte("de")}).AppendBound(nil)) {
		t.Error("the binding is part of what it is computed over")
	}
}
