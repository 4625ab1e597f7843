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

// TestAlgorithmsOfPINKeys writes down which ciphers PIN keys have.
func TestAlgorithmsOfPINKeys(t *testing.T) {
	for _, u := range []Usage{TPK, ZPK, PVK, PVKOffset} {
		for _, a := range everyAlgorithm {
			want := a == TDES2 || (u == TPK || u == ZPK) && (a == TDES3 || a.IsAES() || a == SM4)
			spec := Spec{Name: "n", Owner: "o", Usage: u, Algorithm: a}
			if u == PVKOffset {
				spec.Offset = OffsetRule{Table: [16]byte([]byte("0123456789012345")), Length: 16, Pad: 'F'}
			}
			if err := spec.Check(); want != (err == nil) {
				t.Errorf("%s of %s: %v", u, a, err)
			}
			k := spec.Key()
			for _, op := range []Operation{OpTranslateFrom, OpTranslateTo, OpVerifyPIN, OpEncipherPIN, OpPVV, OpOffset} {
				if err := Permit(op, &k, time.Unix(0, 0)); (err == nil) != (want && op.Allows(u) && a != SM4) {
					t.Errorf("%s with a %s of %s: %v", op, u, a, err)
				}
			}
		}
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

// TestBoundContentWithRule: a key without a rule is bound to what it always was,
// and no field of a rule can be changed unseen.
func TestBoundContentWithRule(t *testing.T) {
	k := Key{Name: "ab", Usage: PVK, Algorithm: TDES2, Owner: "c", Version: 7, KCV: [3]byte{1, 2, 3}, NotAfter: 9, LMK: [8]byte{4}, Wrapped: []byte("de")}
	before := "tapswitch key block 1\x00" + "\x00\x00\x00\x02ab" + "\x06\x01" + "\x00\x00\x00\x01c" + "\x00\x00\x00\x07" + "\x01\x02\x03" +
		"\x00\x00\x00\x00\x00\x00\x00\x09" + "\x04\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x02de"
	if got := string(k.AppendBound(nil)); got != before {
		t.Errorf("a key without a rule is bound to %q, not to what keys of before were", got)
	}
	rule := OffsetRule{Table: [16]byte([]byte("0123456789012345")), Start: 1, Length: 14, Pad: 'F'}
	seen := map[string]bool{before: true}
	for _, change := range []func(r *OffsetRule){
		func(*OffsetRule) {}, func(r *OffsetRule) { r.Table[0] = '9' }, func(r *OffsetRule) { r.Table[15] = '9' },
		func(r *OffsetRule) { r.Start = 2 }, func(r *OffsetRule) { r.Length = 13 }, func(r *OffsetRule) { r.Pad = 'E' },
	} {
		k.Offset = rule
		change(&k.Offset)
		bound := string(k.AppendBound(nil))
		if seen[bound] {
			t.Errorf("rule %v is bound to the same bytes as another", k.Offset)
		}
		seen[bound] = true
	}
}
