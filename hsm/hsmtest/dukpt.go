// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"tapswitch/hsm"
	"tapswitch/hsm/dukpt"
)

func dukptCases() []testCase {
	return []testCase{
		{"vectors/dukpt.tdes MAC", tdesMACVectors},
		{"vectors/dukpt.tdes data", tdesDataVectors},
		{"vectors/dukpt.tdes keys, by what they make", tdesKeyVectors},
		{"vectors/dukpt.aes MAC", aesMACVectors},
		{"vectors/dukpt.aes data", aesDataVectors},
		{"vectors/dukpt.aes.key, by what they make", aesKeyVectors},
		{"vectors/dukpt.tdes from initial keys", fromInitialKeys},
		{"vectors/dukpt.aes.update_key, and what travels under it", updateVectors},
		{"refuse/updates of DUKPT initial keys of a wrong form", wrongUpdates},
		{"dukpt/every type of key, from BDK and from IK", everyDUKPTKey},
		{"dukpt/many devices under one BDK", manyDevices},
		{"trap/KSN of 8 bytes lacks its leading FFFF", trapShortKSN},
		{"trap/DUKPT keys keep their parity", trapDUKPTParity},
		{"trap/request and response are under different keys", trapDirections},
		{"trap/TDES data keys have one step more", trapOneWay},
		{"trap/DUKPT counters have a limit of one-bits", trapCounters},
		{"vectors/dukpt PIN blocks, translated and verified", dukptPINVectors},
		{"refuse/PINs under DUKPT where they do not belong", wrongDUKPTPINs},
		{"refuse/DUKPT inputs of a wrong form", wrongDUKPT},
		{"refuse/DUKPT base keys of another algorithm", wrongDUKPTBase},
	}
}

// dukptKey loads the base key and reads the number of a transaction.
func (s *suite) dukptKey(u hsm.Usage, base []byte, ksn string, t hsm.Algorithm) hsm.DUKPTKey {
	s.Helper()
	number, err := hsm.ParseKSN(unhex(s, ksn))
	if err != nil {
		s.Fatal(err)
	}
	spec := s.spec(u)
	if number.IsAES() {
		spec.Algorithm = aesOfSize(len(base))
	}
	key, err := s.m.LoadClear(s.Context(), spec, clearKey(s, base))
	if err != nil {
		s.Fatalf("load %s: %v", u, err)
	}
	return hsm.DUKPTKey{Base: &key, KSN: number, Type: t}
}

// dukptOf is the key that a vector names; a type that it does not name is t.
func (s *suite) dukptOf(v vector, t hsm.Algorithm) hsm.DUKPTKey {
	s.Helper()
	types := map[string]hsm.Algorithm{
		"2TDEA": hsm.TDES2, "3TDEA": hsm.TDES3, "AES128": hsm.AES128, "AES192": hsm.AES192, "AES256": hsm.AES256,
		"HMAC128": hsm.HMAC128, "HMAC192": hsm.HMAC192, "HMAC256": hsm.HMAC256,
	}
	if name := v.text("key_type"); name != "" {
		t = types[name]
	}
	base := v.bytes(s, "bdk")
	if number := v.bytes(s, "ksn"); s.initial && len(number) != 12 {
		return s.dukptKey(hsm.IK, initialTDES(s, base, number), v.text("ksn"), t)
	}
	return s.dukptKey(hsm.BDK, base, v.text("ksn"), t)
}

// directionOf reads request or response out of a function's name.
func directionOf(function string) hsm.Direction {
	if strings.HasSuffix(function, "response") {
		return hsm.Response
	}
	return hsm.Request
}

func (s *suite) dukptMACs(file string, functions map[string]hsm.DUKPTMACAlgorithm, want int) {
	s.Helper()
	n := 0
	for name, alg := range functions {
		for _, v := range load(s, file, strings.Replace(file, "_", ".", 1)+"."+name) {
			key, dir, data := s.dukptOf(v, hsm.TDES2), directionOf(v.Function), v.bytes(s, "data")
			got, err := s.m.DUKPTMAC(s.Context(), key, dir, alg, data)
			if text := upper(got); err != nil || !strings.HasPrefix(text, v.want()) || v.number("length") == 0 && text != v.want() {
				s.Errorf("%s: MAC %s, %v; want %s", v.ID, text, err, v.want())
			}
			received := unhex(s, v.want())
			if err := s.m.VerifyDUKPTMAC(s.Context(), key, dir, alg, data, received); err != nil {
				s.Errorf("%s: verify: %v", v.ID, err)
			}
			received[len(received)-1] ^= 1
			if err := s.m.VerifyDUKPTMAC(s.Context(), key, dir, alg, data, received); !errors.Is(err, hsm.ErrMAC) {
				s.Errorf("%s: last bit flipped: %v, want ErrMAC", v.ID, err)
			}
			n++
		}
	}
	s.count(n, want)
}

func tdesMACVectors(s *suite) {
	s.dukptMACs("dukpt_tdes", map[string]hsm.DUKPTMACAlgorithm{
		"mac_request": hsm.DUKPTRetail, "mac_response": hsm.DUKPTRetail, "cmac_request": hsm.DUKPTCMAC, "cmac_response": hsm.DUKPTCMAC,
	}, 30+30+27+26)
}

func aesMACVectors(s *suite) {
	s.dukptMACs("dukpt_aes", map[string]hsm.DUKPTMACAlgorithm{
		"cmac_request": hsm.DUKPTCMAC, "cmac_response": hsm.DUKPTCMAC, "hmac_sha256_request": hsm.DUKPTHMAC, "hmac_sha256_response": hsm.DUKPTHMAC,
	}, 4*6)
}

func (s *suite) dukptDatas(file string, want int) {
	s.Helper()
	n := 0
	for _, name := range []string{"encrypt_request", "encrypt_response"} {
		for _, v := range load(s, file, strings.Replace(file, "_", ".", 1)+"."+name) {
			key, dir, mode, data := s.dukptOf(v, hsm.TDES2), directionOf(v.Function), hsm.CBC(v.bytes(s, "iv")), v.bytes(s, "data")
			got, err := s.m.EncipherDUKPTData(s.Context(), key, dir, mode, data)
			if err != nil || upper(got) != v.want() {
				s.Errorf("%s: %X, %v; want %s", v.ID, got, err, v.want())
			}
			back, err := s.m.DecipherDUKPTData(s.Context(), key, dir, mode, unhex(s, v.want()))
			if err != nil || !bytes.Equal(back, data) {
				s.Errorf("%s: deciphered to other data, %v", v.ID, err)
			}
			n++
		}
	}
	s.count(n, want)
}

func tdesDataVectors(s *suite) { s.dukptDatas("dukpt_tdes", 26+4) }

func aesDataVectors(s *suite) { s.dukptDatas("dukpt_aes", 6+6) }

// tdesKeyVectors sees keys by what they make of zeros: a retail MAC of one block
// is E-D-E of it.
func tdesKeyVectors(s *suite) {
	n, zeros := 0, make([]byte, 8)
	for _, name := range []string{"mac_request_key", "mac_response_key", "data_request_key"} {
		for _, v := range load(s, "dukpt_tdes", "dukpt.tdes."+name) {
			key, want := s.dukptOf(v, hsm.TDES2), tdes(s, unhex(s, v.want()), zeros, false)
			got, err := s.m.DUKPTMAC(s.Context(), key, directionOf(strings.TrimSuffix(name, "_key")), hsm.DUKPTRetail, zeros)
			if strings.HasPrefix(name, "data") {
				got, err = s.m.EncipherDUKPTData(s.Context(), key, hsm.Request, hsm.ECB(), zeros)
			}
			if err != nil || !bytes.Equal(got, want) {
				s.Errorf("%s: another key: %v", v.ID, err)
			}
			n++
		}
	}
	s.count(n, 1+1+8)
}

// aesKeyVectors does the same; what the transaction's own derivation key, the
// key-encryption key and PIN keys are is checked by package dukpt and, for PIN
// keys, by DUKPTPINs.
func aesKeyVectors(s *suite) {
	n := 0
	for _, v := range load(s, "dukpt_aes", "dukpt.aes.key") {
		key := s.dukptOf(v, 0)
		usage, ways, _ := strings.Cut(v.text("usage"), "_")
		dir := map[string]hsm.Direction{"enc": hsm.Request, "gen": hsm.Request, "dec": hsm.Response, "ver": hsm.Response, "both": hsm.BothWays}[ways]
		zeros := make([]byte, key.Type.BlockSize())
		var got, want []byte
		var err error
		switch usage {
		case "data":
			got, err = s.m.EncipherDUKPTData(s.Context(), key, dir, hsm.ECB(), zeros)
			want = bytes.Clone(zeros)
			cipherOf(s, key.Type, unhex(s, v.want())).Encrypt(want, zeros)
		case "mac":
			got, err = s.m.DUKPTMAC(s.Context(), key, dir, hsm.DUKPTCMAC, zeros)
			want = cmacBlock(cipherOf(s, key.Type, unhex(s, v.want())))
		default:
			continue
		}
		if err != nil || !bytes.Equal(got, want) {
			s.Errorf("%s: another key: %X, %v; want %X", v.ID, got, err, want)
		}
		n++
	}
	s.count(n, 40)
}

// everyDUKPTKey runs each type of working key of AES DUKPT, in each direction,
// from a BDK and from an IK of each length, against the derivation and the
// ciphers of the standard library.
func everyDUKPTKey(s *suite) {
	for _, size := range []int{16, 24, 32} {
		for _, u := range []hsm.Usage{hsm.BDK, hsm.IK} {
			base := unhex(s, testKey+otherKey)[:size]
			for _, counter := range []string{"00000001", "0000FFFE", "80000101"} {
				key := s.dukptKey(u, base, "1234567890123456"+counter, 0)
				for _, t := range []hsm.Algorithm{hsm.TDES2, hsm.TDES3, hsm.AES128, hsm.AES192, hsm.AES256, hsm.HMAC128, hsm.HMAC192, hsm.HMAC256} {
					if key.Type = t; key.Check() != nil {
						continue
					}
					for dir := hsm.Request; dir <= hsm.BothWays; dir++ {
						s.dukptAgrees(key, dir, base)
					}
				}
			}
		}
	}
}

// manyDevices takes devices and counters of one BDK in turn, so that a chain kept
// for one transaction cannot serve another that only looks like it.
func manyDevices(s *suite) {
	base := unhex(s, dukptAES)
	key := s.dukptKey(hsm.BDK, base, dukptAES96, hsm.AES128)
	for _, counter := range []string{"00000003", "00000001", "00000003", "80000003", "00000002", "0001FFFF"} {
		for _, id := range []string{"1234567890123456", "1234567890123457", "0034567890123456", "1234567990123456"} {
			number, err := hsm.ParseKSN(unhex(s, id+counter))
			if err != nil {
				s.Fatal(err)
			}
			key.KSN = number
			for dir := hsm.Request; dir <= hsm.BothWays; dir++ {
				s.dukptAgrees(key, dir, base)
			}
		}
	}
}

// dukptAgrees compares one key's MAC and data with the standard library.
func (s *suite) dukptAgrees(key hsm.DUKPTKey, dir hsm.Direction, base []byte) {
	s.Helper()
	name := fmt.Sprintf("%s of %s, %s, direction %d", key.Type, key.Base.Algorithm, key.KSN, dir)
	if key.Type.BlockSize() == 0 {
		data := []byte("data of a transaction")
		got, err := s.m.DUKPTMAC(s.Context(), key, dir, hsm.DUKPTHMAC, data)
		if want := hmacOf(derive(s, key, dukpt.MAC(dir), base), data); err != nil || !bytes.Equal(got, want) {
			s.Errorf("%s: HMAC %X, %v; want %X", name, got, err, want)
		}
		return
	}
	zeros := make([]byte, key.Type.BlockSize())
	got, err := s.m.DUKPTMAC(s.Context(), key, dir, hsm.DUKPTCMAC, zeros)
	if want := cmacBlock(cipherOf(s, key.Type, derive(s, key, dukpt.MAC(dir), base))); err != nil || !bytes.Equal(got, want) {
		s.Errorf("%s: CMAC %X, %v; want %X", name, got, err, want)
	}
	want := bytes.Clone(zeros)
	cipherOf(s, key.Type, derive(s, key, dukpt.Data(dir), base)).Encrypt(want, zeros)
	got, err = s.m.EncipherDUKPTData(s.Context(), key, dir, hsm.ECB(), zeros)
	if err != nil || !bytes.Equal(got, want) {
		s.Errorf("%s: data %X, %v; want %X", name, got, err, want)
	}
	back, err := s.m.DecipherDUKPTData(s.Context(), key, dir, hsm.ECB(), got)
	if err != nil || !bytes.Equal(back, zeros) {
		s.Errorf("%s: deciphered to other data: %v", name, err)
	}
}

const (
	dukptBDK   = "0123456789ABCDEFFEDCBA9876543210" // X9.24-1
	dukptKSN   = "FFFF9876543210E00001"
	dukptAES   = "FEDCBA9876543210F1F1F1F1F1F1F1F1" // X9.24-3
	dukptAES96 = "123456789012345600000001"
)

func (s *suite) dukptMAC(key hsm.DUKPTKey, dir hsm.Direction, alg hsm.DUKPTMACAlgorithm) string {
	s.Helper()
	out, err := s.m.DUKPTMAC(s.Context(), key, dir, alg, []byte("4012345678909D987"))
	if err != nil {
		s.Fatal(err)
	}
	return upper(out)
}

// trapShortKSN: both forms of the number give the published MAC.
func trapShortKSN(s *suite) {
	for _, ksn := range []string{dukptKSN, dukptKSN[4:]} {
		if got := s.dukptMAC(s.dukptKey(hsm.BDK, unhex(s, dukptBDK), ksn, hsm.TDES2), hsm.Request, hsm.DUKPTRetail); got[:8] != "9CCC7817" {
			s.Errorf("%s: MAC %s", ksn, got)
		}
	}
	other := "0000" + dukptKSN[4:]
	if s.dukptMAC(s.dukptKey(hsm.BDK, unhex(s, dukptBDK), other, hsm.TDES2), hsm.Request, hsm.DUKPTRetail)[:8] == "9CCC7817" {
		s.Error("the leading FFFF counts for nothing")
	}
}

// trapDUKPTParity: the published initial key has even bytes. A module that sets
// the parity of what it derives comes to another MAC in the first transaction.
func trapDUKPTParity(s *suite) {
	key := s.dukptKey(hsm.BDK, unhex(s, dukptBDK), dukptKSN, hsm.TDES2)
	right, adjusted := unhex(s, "6AC292FAA1315B4D858AB3A3D7D5933A"), unhex(s, "6BC292FBA1315B4C858AB3A2D6D5923B")
	data := make([]byte, 8)
	got, err := s.m.DUKPTMAC(s.Context(), key, hsm.Request, hsm.DUKPTRetail, data)
	if want := tdes(s, workingTDES(s, right, key.KSN, dukpt.MACRequest), data, false); err != nil || !bytes.Equal(got, want) {
		s.Errorf("MAC %X, %v; want %X", got, err, want)
	}
	if bytes.Equal(got, tdes(s, workingTDES(s, adjusted, key.KSN, dukpt.MACRequest), data, false)) {
		s.Error("the parity of the initial key was set")
	}
}

func trapDirections(s *suite) {
	both := map[string]hsm.DUKPTKey{
		"TDES": s.dukptKey(hsm.BDK, unhex(s, dukptBDK), dukptKSN, hsm.TDES2),
		"AES":  s.dukptKey(hsm.BDK, unhex(s, dukptAES), dukptAES96, hsm.AES128),
	}
	for name, key := range both {
		request, response := s.dukptMAC(key, hsm.Request, hsm.DUKPTCMAC), s.dukptMAC(key, hsm.Response, hsm.DUKPTCMAC)
		if request == response {
			s.Errorf("%s: one MAC key for both directions", name)
		}
		if err := s.m.VerifyDUKPTMAC(s.Context(), key, hsm.Response, hsm.DUKPTCMAC, []byte("4012345678909D987"), unhex(s, request)); !errors.Is(err, hsm.ErrMAC) {
			s.Errorf("%s: a request sent back as a response: %v, want ErrMAC", name, err)
		}
		data := make([]byte, 16)
		one, err1 := s.m.EncipherDUKPTData(s.Context(), key, hsm.Request, hsm.ECB(), data)
		two, err2 := s.m.EncipherDUKPTData(s.Context(), key, hsm.Response, hsm.ECB(), data)
		if err1 != nil || err2 != nil || bytes.Equal(one, two) {
			s.Errorf("%s: one data key for both directions: %v, %v", name, err1, err2)
		}
	}
}

// trapOneWay: the variant itself is not the data key.
func trapOneWay(s *suite) {
	key, data := s.dukptKey(hsm.BDK, unhex(s, dukptBDK), dukptKSN, hsm.TDES2), make([]byte, 8)
	got, err := s.m.EncipherDUKPTData(s.Context(), key, hsm.Request, hsm.ECB(), data)
	variant := unhex(s, "042666B4917BCFA368DE9628D0C67BC9")
	if err != nil || bytes.Equal(got, tdes(s, variant, data, false)) {
		s.Errorf("data is enciphered under the variant: %v", err)
	}
	half := append(tdes(s, variant, variant[:8], false), tdes(s, variant, variant[8:], false)...)
	if !bytes.Equal(got, tdes(s, half, data, false)) {
		s.Error("the data key is not the variant enciphered under itself")
	}
}

// trapCounters: the number with 17 one-bits of the standard's own list is served.
func trapCounters(s *suite) {
	key := s.dukptKey(hsm.BDK, unhex(s, dukptAES+dukptAES), "12345678901234560001FFFF", hsm.AES256)
	zeros := make([]byte, 16)
	got, err := s.m.DUKPTMAC(s.Context(), key, hsm.Request, hsm.DUKPTCMAC, zeros)
	if want := cmacBlock(cipherOf(s, key.Type, derive(s, key, dukpt.MACRequest, unhex(s, dukptAES+dukptAES)))); err != nil || !bytes.Equal(got, want) {
		s.Errorf("counter 0001FFFF: %X, %v; want %X", got, err, want)
	}
	for _, ksn := range []string{"FFFF9876543210E00FFF", "FFFF9876543210E00000", "12345678901234560003FFFF", "1234567890123456FFFFFFFF", "123456789012345600000000"} {
		if k, err := hsm.ParseKSN(unhex(s, ksn)); !errors.Is(err, hsm.ErrInput) || !k.IsZero() {
			s.Errorf("%s: %v", ksn, err)
		}
	}
}

// wrongDUKPT: each input that has no answer is refused by name.
func wrongDUKPT(s *suite) {
	ctx, m, data := s.Context(), s.m, make([]byte, 16)
	des := s.dukptKey(hsm.BDK, unhex(s, dukptBDK), dukptKSN, hsm.TDES2)
	aes := s.dukptKey(hsm.BDK, unhex(s, dukptAES), dukptAES96, hsm.AES128)
	with := func(d hsm.DUKPTKey, t hsm.Algorithm) hsm.DUKPTKey { d.Type = t; return d }
	crossed, none := des, aes
	crossed.KSN, none.KSN = aes.KSN, hsm.KSN{}
	sum := func(d hsm.DUKPTKey, dir hsm.Direction, alg hsm.DUKPTMACAlgorithm, data []byte) error {
		return second(m.DUKPTMAC(ctx, d, dir, alg, data))
	}
	in := func(d hsm.DUKPTKey, dir hsm.Direction, mode hsm.CipherMode, data []byte) error {
		_, err := m.DecipherDUKPTData(ctx, d, dir, mode, data)
		return errors.Join(err, second(m.EncipherDUKPTData(ctx, d, dir, mode, data)))
	}
	for name, err := range map[string]error{
		"AES number, DES base":       sum(crossed, hsm.Request, hsm.DUKPTCMAC, data),
		"no number":                  in(none, hsm.Request, hsm.ECB(), data),
		"AES key of a DES base":      sum(with(des, hsm.AES128), hsm.Request, hsm.DUKPTCMAC, data),
		"stronger than the base":     sum(with(aes, hsm.AES256), hsm.Request, hsm.DUKPTCMAC, data),
		"SM4":                        in(with(aes, hsm.SM4), hsm.Request, hsm.ECB(), data),
		"no direction":               sum(aes, 0, hsm.DUKPTCMAC, data),
		"both ways of TDES":          in(des, hsm.BothWays, hsm.ECB(), data),
		"no algorithm":               sum(aes, hsm.Request, 0, data),
		"retail MAC under AES":       sum(aes, hsm.Request, hsm.DUKPTRetail, data),
		"retail MAC from an AES BDK": sum(with(aes, hsm.TDES2), hsm.Request, hsm.DUKPTRetail, data),
		"CMAC under an HMAC key":     sum(with(aes, hsm.HMAC128), hsm.Request, hsm.DUKPTCMAC, data),
		"HMAC under an AES key":      sum(aes, hsm.Request, hsm.DUKPTHMAC, data),
		"data under an HMAC key":     in(with(aes, hsm.HMAC128), hsm.Request, hsm.ECB(), data),
		"MAC of nothing":             sum(aes, hsm.Request, hsm.DUKPTCMAC, nil),
		"MAC of too much":            sum(aes, hsm.Request, hsm.DUKPTCMAC, make([]byte, 1<<16+1)),
		"no MAC received":            m.VerifyDUKPTMAC(ctx, aes, hsm.Request, hsm.DUKPTCMAC, data, nil),
		"3 bytes received":           m.VerifyDUKPTMAC(ctx, aes, hsm.Request, hsm.DUKPTCMAC, data, data[:3]),
		"17 bytes received":          m.VerifyDUKPTMAC(ctx, aes, hsm.Request, hsm.DUKPTCMAC, data, make([]byte, 17)),
		"no data":                    in(aes, hsm.Request, hsm.ECB(), nil),
		"half a block":               in(aes, hsm.Request, hsm.ECB(), data[:8]),
		"short initial vector":       in(aes, hsm.Request, hsm.CBC(data[:8]), data),
		"empty initial vector":       in(aes, hsm.Request, hsm.CBC([]byte{}), data),
		"initial vector of AES, DES": in(des, hsm.Request, hsm.CBC(data), data),
	} {
		if !errors.Is(err, hsm.ErrInput) {
			s.Errorf("%s: %v, want ErrInput", name, err)
		}
	}
}

// wrongDUKPTBase: what a base key may be is the usage matrix's business.
func wrongDUKPTBase(s *suite) {
	spec := s.spec(hsm.BDK)
	for _, a := range []hsm.Algorithm{hsm.TDES3, hsm.HMAC256, hsm.SM4} {
		spec.Algorithm = a
		if _, err := s.m.Generate(s.Context(), spec); !errors.Is(err, hsm.ErrInput) {
			s.Errorf("BDK of %s: %v, want ErrInput", a, err)
		}
	}
	spec.Algorithm = hsm.TDES2
	made, err := s.m.Generate(s.Context(), spec)
	if err != nil {
		s.Fatal(err)
	}
	key := s.dukptKey(hsm.BDK, unhex(s, dukptBDK), dukptKSN, hsm.TDES2)
	key.Base = &made
	out := s.dukptMAC(key, hsm.Request, hsm.DUKPTCMAC)
	if err := s.m.VerifyDUKPTMAC(s.Context(), key, hsm.Request, hsm.DUKPTCMAC, []byte("4012345678909D987"), unhex(s, out)[:4]); err != nil {
		s.Errorf("MAC under a generated BDK: %v", err)
	}
}

// dukptFunctions are the uses of base keys. Numbers and keys are of TDES, since
// the suite's base keys are.
func (s *suite) dukptFunctions() []function {
	number, err := hsm.ParseKSN(unhex(s, dukptKSN))
	if err != nil {
		s.Fatal(err)
	}
	of := func(k *hsm.Key) hsm.DUKPTKey { return hsm.DUKPTKey{Base: k, KSN: number, Type: hsm.TDES2} }
	allow, data := []hsm.Usage{hsm.BDK, hsm.IK}, make([]byte, 8)
	return []function{
		{"DUKPTMAC", allow, func(ctx context.Context, k *hsm.Key) error {
			return second(s.m.DUKPTMAC(ctx, of(k), hsm.Request, hsm.DUKPTRetail, data))
		}},
		{"VerifyDUKPTMAC", allow, func(ctx context.Context, k *hsm.Key) error {
			return s.m.VerifyDUKPTMAC(ctx, of(k), hsm.Response, hsm.DUKPTCMAC, data, data)
		}},
		{"EncipherDUKPTData", allow, func(ctx context.Context, k *hsm.Key) error {
			return second(s.m.EncipherDUKPTData(ctx, of(k), hsm.Request, hsm.ECB(), data))
		}},
		{"DecipherDUKPTData", allow, func(ctx context.Context, k *hsm.Key) error {
			return second(s.m.DecipherDUKPTData(ctx, of(k), hsm.Response, hsm.CBC(data), data))
		}},
		{"EncipherData", []hsm.Usage{hsm.TDK, hsm.ZDK}, func(ctx context.Context, k *hsm.Key) error {
			return second(s.m.EncipherData(ctx, k, hsm.ECB(), data))
		}},
		{"DecipherData", []hsm.Usage{hsm.TDK, hsm.ZDK}, func(ctx context.Context, k *hsm.Key) error {
			return second(s.m.DecipherData(ctx, k, hsm.CBC(data), data))
		}},
	}
}

// DUKPTPINs lets a driver decipher every PIN block under DUKPT of the vector
// files. decipher is the driver's PIN key of a transaction, deciphering whole
// blocks; that key is nothing a caller of the interfaces can ask for.
func DUKPTPINs(t *testing.T, m Module, decipher func(key hsm.DUKPTKey, block []byte) []byte) {
	s, n := &suite{T: t, m: m}, 0
	for _, v := range load(t, "dukpt_tdes", "dukpt.tdes.encrypt_pin_iso0") {
		want := clearBlock(t, hsm.ISO0, v.text("pin"), v.text("pan"), "F")
		if got := decipher(s.dukptOf(v, hsm.TDES2), unhex(t, v.want())); !bytes.Equal(got, want) {
			t.Errorf("%s: deciphers to another PIN block", v.ID)
		}
		n++
	}
	for _, v := range load(t, "dukpt_aes", "dukpt.aes.encrypt_pin_iso4") {
		pin, pan, key := v.text("pin"), v.text("pan"), s.dukptOf(v, 0)
		// ISO 9564-1, format 4: the PIN field is deciphered twice, with the PAN field between
		field := fmt.Sprintf("4%X%s%s%s", len(pin), pin, strings.Repeat("A", 14-len(pin)), v.text("random"))
		block := decipher(key, unhex(t, v.want()))
		for i, b := range unhex(t, fmt.Sprintf("%X%s%s", len(pan)-12, pan, strings.Repeat("0", 31-len(pan)))) {
			block[i] ^= b
		}
		if got := decipher(key, block); upper(got) != field {
			t.Errorf("%s: deciphers to another PIN field", v.ID)
		}
		n++
	}
	for _, v := range load(t, "dukpt_aes", "dukpt.aes.key") {
		if v.text("usage") != "pin" {
			continue
		}
		key := s.dukptOf(v, 0)
		zeros := make([]byte, key.Type.BlockSize())
		cipherOf(t, key.Type, unhex(t, v.want())).Decrypt(zeros, zeros)
		if got := decipher(key, make([]byte, len(zeros))); !bytes.Equal(got, zeros) {
			t.Errorf("%s: another PIN key", v.ID)
		}
		n++
	}
	if n != 27+6+38 {
		t.Errorf("%d vectors were expressed", n)
	}
}
