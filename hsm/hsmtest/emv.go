// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"errors"

	"tapswitch/hsm"
	"tapswitch/hsm/mac"
)

// psn is a card sequence number of the vectors.
func psn(v vector) [2]byte {
	if t := v.text("psn"); len(t) == 2 {
		return [2]byte([]byte(t))
	}
	return [2]byte{'0', '0'}
}

// option is the issuer's option of a vector.
func option(v vector) hsm.MKOption {
	if v.text("mk_method") == "B" {
		return hsm.OptionB
	}
	return hsm.OptionA
}

// session is the way to the session key that a vector names.
func session(s *suite, v vector) hsm.Session {
	switch v.text("skd") {
	case "none":
		return hsm.SessionNone
	case "common":
		return hsm.SessionCommon
	case "mchip":
		return hsm.SessionMChip
	}
	if v.text("r") != "" {
		return hsm.SessionR
	}
	s.Fatalf("%s: session key derivation %q is not known here", v.ID, v.text("skd"))
	return 0
}

// given is a vector's cryptogram with the data it prints.
func given(s *suite, v vector) hsm.Given {
	way := session(s, v)
	g := hsm.Given{Option: option(v), PAN: s.pan(v.text("pan")), PSN: psn(v), Session: way, Answer: way, Padding: hsm.Padding2, Data: v.bytes(s, "data")}
	switch v.text("padding") {
	case "method1":
		g.Padding = hsm.Padding1
	case "none":
		g.Padding = hsm.PaddingNone
	}
	copy(g.ATC[:], v.bytes(s, "atc"))
	copy(g.UN[:], v.bytes(s, "un"))
	copy(g.R[:], v.bytes(s, "r"))
	return g
}

// named is the profile that a vector's scheme is; 0 for a scheme without name.
func named(v vector) hsm.Profile {
	return map[string]hsm.Profile{
		"VisaCVN10": hsm.VisaCVN10, "VisaCVN18": hsm.VisaCVN18, "VisaCVN22": hsm.VisaCVN22, "InteracCVN133": hsm.InteracCVN133,
		"MasterCardCVN16": hsm.MChipCVN16, "M/Chip": hsm.MChipCVN16, "MasterCardCVN17": hsm.MChipCVN17,
		"MasterCardCVN20": hsm.MChipCVN20, "MasterCardCVN21": hsm.MChipCVN21,
	}[v.text("scheme")]
}

// iadOf is issuer application data that gives the end of a vector's data.
func iadOf(profile hsm.Profile, tail string) string {
	switch profile {
	case hsm.VisaCVN10:
		return "06010A" + tail
	case hsm.MChipCVN16, hsm.MChipCVN20:
		return "0110" + tail + "00000000000000000000"
	case hsm.MChipCVN17, hsm.MChipCVN21:
		return "0111" + tail[:12] + "0000" + tail[12:]
	}
	return tail
}

// arqcVectors runs every cryptogram over the data it prints, and those of a
// scheme with a profile also out of field 55.
func arqcVectors(s *suite) {
	n, profiles := 0, 0
	for _, v := range append(load(s, "emv_ac", "emv.arqc"), load(s, "emv_ac", "emv.ac_from_imk_and_r")...) {
		imk, g := s.key(hsm.IMKAC, v.bytes(s, "imk")), given(s, v)
		copy(g.AC[:], unhex(s, v.want()))
		if err := s.m.VerifyGiven(s.Context(), imk, g); err != nil {
			s.Errorf("%s: %v", v.ID, err)
		}
		g.AC[7] ^= 1
		if err := s.m.VerifyGiven(s.Context(), imk, g); !errors.Is(err, hsm.ErrCryptogram) {
			s.Errorf("%s with a bit flipped: %v, want ErrCryptogram", v.ID, err)
		}
		n++
		profile := named(v)
		if profile == 0 {
			continue
		}
		f := fromData(v.text("data"), v.want(), iadOf(profile, v.text("data")[66:]))
		c := hsm.Cryptogram{Profile: profile, Option: option(v), PAN: s.pan(v.text("pan")), PSN: psn(v), Data: f.icc(s)}
		if err := s.m.VerifyARQC(s.Context(), imk, c); err != nil {
			s.Errorf("%s by profile: %v", v.ID, err)
		}
		f["9F02"] = "000000004001"
		c.Data = f.icc(s)
		if err := s.m.VerifyARQC(s.Context(), imk, c); !errors.Is(err, hsm.ErrCryptogram) {
			s.Errorf("%s: amount changed: %v, want ErrCryptogram", v.ID, err)
		}
		profiles++
	}
	s.count(n, 19)
	s.count(profiles, 10)
}

// arpcGiven computes the answer of a vector's cryptogram under the key the
// vector names.
func (s *suite) arpcGiven(v vector) (string, error) {
	g := given(s, v)
	g.Data = []byte("what was covered does not matter to the answer")
	copy(g.AC[:], v.bytes(s, "arqc"))
	imk := s.key(hsm.IMKAC, v.bytes(s, "imk"))
	if v.number("method") == 2 {
		got, err := s.m.GivenARPC2(s.Context(), imk, g, hsm.CSU{Status: [4]byte(v.bytes(s, "csu")), Proprietary: v.bytes(s, "proprietary")})
		return upper(got[:]), err
	}
	got, err := s.m.GivenARPC1(s.Context(), imk, g, [2]byte(v.bytes(s, "arc")))
	return upper(got[:]), err
}

// arpcNamed computes tag 91 by the profile of the vector's scheme.
func (s *suite) arpcNamed(v vector, profile hsm.Profile) (string, error) {
	f := sale()
	f["9F26"], f["9F36"] = v.text("arqc"), v.text("atc")
	f["9F10"] = "011103A00000010A010000000000A1B2C3D4" // 18 bytes: good for all but CCD
	c := hsm.Cryptogram{Profile: profile, Option: option(v), PAN: s.pan(v.text("pan")), PSN: psn(v), Data: f.icc(s)}
	imk := s.key(hsm.IMKAC, v.bytes(s, "imk"))
	if v.number("method") == 2 {
		got, err := s.m.ARPC2(s.Context(), imk, c, hsm.CSU{Status: [4]byte(v.bytes(s, "csu")), Proprietary: v.bytes(s, "proprietary")})
		return upper(got), err
	}
	got, err := s.m.ARPC(s.Context(), imk, c, [2]byte(v.bytes(s, "arc")))
	return upper(got[:]), err
}

func arpcVectors(s *suite) {
	n, profiles := 0, 0
	for _, v := range append(load(s, "emv_arpc", "emv.arpc"), load(s, "emv_arpc", "emv.arpc_from_imk_and_r")...) {
		if got, err := s.arpcGiven(v); err != nil || got != v.want() {
			s.Errorf("%s: %s, %v; want %s", v.ID, got, err, v.want())
		}
		n++
		profile := named(v)
		if profile == 0 {
			continue
		}
		want := v.want() + v.text("arc") + v.text("csu") + v.text("proprietary")
		if got, err := s.arpcNamed(v, profile); err != nil || got != want {
			s.Errorf("%s by profile: tag 91 %s, %v; want %s", v.ID, got, err, want)
		}
		profiles++
	}
	s.count(n, 19)
	s.count(profiles, 5)
}

// referenceAC computes a cryptogram under the EMV common session key with the
// standard library alone.
func referenceAC(s *suite, imk []byte, y, atc, padded string) []byte {
	yb := unhex(s, y)
	data := append([]byte{}, yb...)
	for _, c := range yb {
		data = append(data, ^c)
	}
	card := tdes(s, imk, data, false)
	session := tdes(s, card, unhex(s, atc+"F0"+"0000000000"+atc+"0F"+"0000000000"), false)
	left := session[:8]
	chain, in := make([]byte, 8), unhex(s, padded)
	for ; len(in) > 0; in = in[8:] {
		for i := range chain {
			chain[i] ^= in[i]
		}
		if len(in) == 8 {
			return tdes(s, session, chain, false) // E-D-E of the last block closes algorithm 3
		}
		chain = tdes(s, left, chain, false)
	}
	return nil
}

// trapUnionPay: no vector of a UnionPay cryptogram is public, so the answer is
// computed here from the profile's words, by another way than the drivers go.
func trapUnionPay(s *suite) {
	f, imk := sale(), unhex(s, testKey)
	plain := f["9F02"] + f["9F03"] + f["9F1A"] + f["95"] + f["5F2A"] + f["9A"] + f["9C"] + f["9F37"] + f["82"] + f["9F36"] + "03A00000"
	padded := upper(mac.AppendPad2(nil, unhex(s, plain)))
	f["9F26"] = upper(referenceAC(s, imk, "2424230000006901", f["9F36"], padded))
	c := hsm.Cryptogram{Profile: hsm.UnionPayCVN01, PAN: s.pan(testPAN), PSN: [2]byte{'0', '1'}, Data: f.icc(s)}
	key := s.key(hsm.IMKAC, imk)
	if err := s.m.VerifyARQC(s.Context(), key, c); err != nil {
		s.Errorf("cryptogram of the profile: %v", err)
	}
	f["9F10"] = f["9F10"][:len(f["9F10"])-2] + "FF" // behind the CVR: not covered
	c.Data = f.icc(s)
	if err := s.m.VerifyARQC(s.Context(), key, c); err != nil {
		s.Errorf("issuer data behind the CVR changed: %v", err)
	}
	f["9F10"] = "07010103900000" + f["9F10"][14:]
	c.Data = f.icc(s)
	if err := s.m.VerifyARQC(s.Context(), key, c); !errors.Is(err, hsm.ErrCryptogram) {
		s.Errorf("CVR changed: %v, want ErrCryptogram", err)
	}
}

// trapCVN: the byte in the issuer data does not choose the way to compute.
func trapCVN(s *suite) {
	v := load(s, "emv_ac", "emv.arqc")[0]
	if named(v) != hsm.VisaCVN10 {
		s.Fatalf("%s is no CVN 10 vector", v.ID)
	}
	imk := s.key(hsm.IMKAC, v.bytes(s, "imk"))
	for _, cvn := range []string{"0A", "11", "12"} {
		f := fromData(v.text("data"), v.want(), "0601"+cvn+v.text("data")[66:])
		c := hsm.Cryptogram{Profile: hsm.VisaCVN10, PAN: s.pan(v.text("pan")), PSN: psn(v), Data: f.icc(s)}
		if err := s.m.VerifyARQC(s.Context(), imk, c); err != nil {
			s.Errorf("CVN byte %s under profile CVN 10: %v", cvn, err)
		}
		c.Profile = hsm.VisaCVN18
		if err := s.m.VerifyARQC(s.Context(), imk, c); !errors.Is(err, hsm.ErrCryptogram) {
			s.Errorf("CVN byte %s under profile CVN 18: %v, want ErrCryptogram", cvn, err)
		}
	}
}

// trapLongPAN: option A takes the 16 rightmost digits of PAN‖PSN.
func trapLongPAN(s *suite) {
	imk := s.key(hsm.IMKAC, unhex(s, testKey))
	answer := func(pan string, psn [2]byte) [10]byte {
		c := hsm.Cryptogram{Profile: hsm.VisaCVN10, PAN: s.pan(pan), PSN: psn, Data: sale().icc(s)}
		got, err := s.m.ARPC(s.Context(), imk, c, [2]byte{'0', '0'})
		if err != nil {
			s.Fatal(err)
		}
		return got
	}
	long := answer("6224242300000000069", [2]byte{'0', '0'})
	if long != answer("9924242300000000069"[5:], [2]byte{'0', '0'}) {
		s.Error("a 19-digit PAN does not derive from its 14 rightmost digits and the sequence number")
	}
	if long == answer("6224242300000000069", [2]byte{'0', '1'}) {
		s.Error("the card sequence number does not reach the card key")
	}
}

// trapARPC: the ARC stands left, zeros right; CVN 10 answers under the card key,
// CVN 18 under the session key.
func trapARPC(s *suite) {
	imkValue := unhex(s, testKey)
	imk := s.key(hsm.IMKAC, imkValue)
	f := sale()
	f["9F26"] = "1122334455667788"
	y := "2424230000006900"
	card := tdes(s, imkValue, append(unhex(s, y), unhex(s, "DBDBDCFFFFFF96FF")...), false)
	session := tdes(s, card, unhex(s, "001CF00000000000001C0F0000000000"), false)
	arc := [2]byte{'0', '5'}
	block := unhex(s, "2117334455667788") // 1122 xor 3035
	for profile, key := range map[hsm.Profile][]byte{hsm.VisaCVN10: card, hsm.VisaCVN18: session, hsm.UnionPayCVN01: session} {
		c := hsm.Cryptogram{Profile: profile, PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, Data: f.icc(s)}
		got, err := s.m.ARPC(s.Context(), imk, c, arc)
		if want := upper(tdes(s, key, block, false)) + "3035"; err != nil || upper(got[:]) != want {
			s.Errorf("profile %d: %X, %v; want %s", profile, got, err, want)
		}
	}
}
