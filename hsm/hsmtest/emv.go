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

// profileOf is the profile in service that computes a vector, 0 when none does.
func profileOf(v vector) hsm.Profile {
	data := len(v.text("data")) / 2
	longB := v.text("mk_method") == "B" && len(v.text("pan")) > 16
	switch {
	case longB:
		return 0
	case v.text("skd") == "none" && v.text("padding") == "method1" && data == 37:
		return hsm.VisaCVN10
	case v.text("skd") == "common" && v.text("padding") == "method2" && data >= 40:
		return hsm.VisaCVN18
	}
	return 0
}

func arqcVectors(s *suite) {
	n := 0
	for _, v := range load(s, "emv_ac", "emv.arqc") {
		profile, data := profileOf(v), v.text("data")
		if profile == 0 {
			continue
		}
		iad := data[66:]
		if profile == hsm.VisaCVN10 {
			iad = "06010A" + iad
		}
		f := fromData(data, v.want(), iad)
		imk := s.key(hsm.IMKAC, v.bytes(s, "imk"))
		c := hsm.Cryptogram{Profile: profile, PAN: s.pan(v.text("pan")), PSN: psn(v), Data: f.icc(s)}
		if err := s.m.VerifyARQC(s.Context(), imk, c); err != nil {
			s.Errorf("%s: %v", v.ID, err)
		}
		f["9F02"] = "000000004001"
		c.Data = f.icc(s)
		if err := s.m.VerifyARQC(s.Context(), imk, c); !errors.Is(err, hsm.ErrCryptogram) {
			s.Errorf("%s: amount changed: %v, want ErrCryptogram", v.ID, err)
		}
		n++
	}
	s.count(n, 5)
}

// arpcOf computes the answer of a vector's cryptogram.
func (s *suite) arpcOf(v vector) ([10]byte, error) {
	profile := hsm.VisaCVN10
	if v.text("skd") == "common" {
		profile = hsm.VisaCVN18
	}
	f := sale()
	f["9F26"], f["9F36"] = v.text("arqc"), v.text("atc")
	c := hsm.Cryptogram{Profile: profile, PAN: s.pan(v.text("pan")), PSN: psn(v), Data: f.icc(s)}
	return s.m.ARPC(s.Context(), s.key(hsm.IMKAC, v.bytes(s, "imk")), c, [2]byte(v.bytes(s, "arc")))
}

func arpcVectors(s *suite) {
	n := 0
	for _, v := range load(s, "emv_arpc", "emv.arpc") {
		if v.number("method") != 1 || v.text("mk_method") == "B" {
			continue
		}
		got, err := s.arpcOf(v)
		if err != nil || upper(got[:]) != v.want()+v.text("arc") {
			s.Errorf("%s: tag 91 %X, %v; want %s%s", v.ID, got, err, v.want(), v.text("arc"))
		}
		n++
	}
	s.count(n, 10)
}

// rejectedVectors are values other projects print that are wrong.
func rejectedVectors(s *suite) {
	n := 0
	for _, v := range load(s, "rejected", "emv.arpc") {
		got, err := s.arpcOf(v)
		if err != nil || upper(got[:8]) == v.want() {
			s.Errorf("ARPC %X, %v: the wrong value of a public source", got[:8], err)
		}
		n++
	}
	for _, v := range load(s, "rejected", "pin.visa_pvv") {
		pan := v.text("pan")
		ref := hsm.PVV{Key: s.key(hsm.PVK, v.bytes(s, "pvk")), Index: '1', Value: [4]byte([]byte("3780")), Account: account11(s, pan)}
		zpk := s.key(hsm.ZPK, unhex(s, otherKey))
		in := s.pinBlock(unhex(s, otherKey), v.text("pin"), pan)
		if err := s.m.VerifyPVV(s.Context(), in, zpk, account12(s, pan), ref); err != nil {
			s.Errorf("the right PVV of a PIN that a public source gives wrong: %v", err)
		}
		n++
	}
	s.count(n, 4)
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
	if profileOf(v) != hsm.VisaCVN10 {
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
