// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"bytes"
	"errors"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
	"tapswitch/hsm/keyblock"
)

// rejectedVectors are values that other sources print and that are wrong. None of
// them comes out of a driver, and the right one does, for every entry of the file.
func rejectedVectors(s *suite) {
	right := map[string]string{
		"8289":                             "3780",                             // the key taken as 32 characters
		"0C949BCDEF6FDF1D":                 "3EB3B72576BBBE83",                 // algorithm 3, and a block of zeros too many
		"388307867C2777C3":                 "E5F8911505F30174",                 // enciphered once too often
		"03FC005180103F23":                 "3706795A11309749",                 // likewise
		"FA4AD617384E5CEF":                 "72C2082CD4A678B9",                 // nothing gives this
		"201FDA159D1A54F8CDA8ABF79E1FAB79": "767C587A614CC729972C92E392ECA45B", // halves of the hash xored
		"33743CD2823FF939A965A38B8B3A1759": "32753DD3833EF837A864A18A8A3B1657", // even parity, plus one
	}
	ways := map[string]func(s *suite, v vector, value string) bool{
		"pin.visa_pvv": givesPVV, "mac.iso9797_alg1_tdes": givesMAC, "emv.arpc": givesARPC, "emv.mk_option_b": givesCardKey, "key.odd_parity": givesParity,
	}
	n := 0
	for _, v := range loadAll(s, "rejected") {
		gives, value := ways[v.Function], right[v.want()]
		if gives == nil || value == "" {
			s.Errorf("%s %s: no way to run it, or no right value", v.Function, v.want())
			continue
		}
		if gives(s, v, v.want()) {
			s.Errorf("%s: the wrong value %s of a public source comes out", v.Function, v.want())
		}
		if !gives(s, v, value) {
			s.Errorf("%s: the right value %s does not come out", v.Function, value)
		}
		n++
	}
	s.count(n, 7)
}

// givesPVV asks for the value and has it verified.
func givesPVV(s *suite, v vector, value string) bool {
	s.Helper()
	in := s.arrived(hsm.ZPK, hsm.ISO0, unhex(s, otherKey), v.text("pin"), v.text("pan"))
	ref := hsm.PVV{Key: s.key(hsm.PVK, v.bytes(s, "pvk")), Index: v.text("pvki")[0], Value: part4(value)}
	made, err := s.m.GeneratePVV(s.Context(), in, ref.Key, ref.Index)
	verified := s.m.VerifyPVV(s.Context(), in, ref)
	if err != nil || (string(made[:]) == value) != (verified == nil) || verified != nil && !errors.Is(verified, hsm.ErrPIN) {
		s.Errorf("PVV %s: made %s, %v, verified as %v", value, made, err, verified)
	}
	return verified == nil
}

// givesMAC: the way to the wrong value is known, and is another algorithm over
// other data.
func givesMAC(s *suite, v vector, value string) bool {
	s.Helper()
	key, data := s.key(hsm.TAK, v.bytes(s, "key")), v.bytes(s, "data")
	if got := upper(s.mac(key, hsm.MACRetail, append(bytes.Clone(data), make([]byte, 8)...))); got != v.want() {
		s.Errorf("the way to the wrong value gives %s, want %s", got, v.want())
	}
	return upper(s.mac(key, hsm.MACCBC, data)) == value
}

func givesARPC(s *suite, v vector, value string) bool {
	s.Helper()
	got, err := s.arpcGiven(v)
	if err != nil {
		s.Error(err)
	}
	return got == value
}

// givesCardKey: a card key never leaves, so it shows in a cryptogram of one block.
func givesCardKey(s *suite, v vector, value string) bool {
	s.Helper()
	g := hsm.Given{Option: hsm.OptionB, PAN: s.pan(v.text("pan")), PSN: psn(v), Session: hsm.SessionNone, Answer: hsm.SessionNone, Padding: hsm.PaddingNone,
		Data: make([]byte, 8), AC: underKey(s, unhex(s, value), "0000000000000000")}
	err := s.m.VerifyGiven(s.Context(), s.key(hsm.IMKAC, v.bytes(s, "imk")), g)
	if err != nil && !errors.Is(err, hsm.ErrCryptogram) {
		s.Error(err)
	}
	return err == nil
}

// givesParity: no driver shows a key; this is what drivers adjust with, and what
// they check arriving keys by.
func givesParity(s *suite, v vector, value string) bool {
	s.Helper()
	key := v.bytes(s, "key")
	emvkey.OddParity(key)
	if odd := keyblock.OddParity(unhex(s, value)); odd != (upper(key) == value) {
		s.Errorf("%s has odd parity: %v", value, odd)
	}
	return upper(key) == value
}
