// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"bytes"
	"crypto/aes"
	"errors"

	"tapswitch/hsm"
)

// trapPadding: zeros appended to whole blocks by a caller change the MAC;
// zeros within the last block do not.
func trapPadding(s *suite) {
	key := s.key(hsm.ZAK, unhex(s, testKey))
	made := func(alg hsm.MACAlgorithm, data string) string { return upper(s.mac(key, alg, unhex(s, data))) }
	for _, alg := range []hsm.MACAlgorithm{hsm.MACRetail, hsm.MACCBC} {
		if made(alg, "1122334455667788") == made(alg, "11223344556677880000000000000000") {
			s.Errorf("%s: a block of zeros behind whole blocks changes nothing", alg)
		}
		if made(alg, "112233") != made(alg, "1122330000000000") {
			s.Errorf("%s: padding 1 is not zeros", alg)
		}
		// one block only: E-D-E of it
		if got, want := made(alg, "1122334455667788"), upper(tdes(s, unhex(s, testKey), unhex(s, "1122334455667788"), false)); got != want {
			s.Errorf("%s: one block gives %s, want %s", alg, got, want)
		}
	}
	// the other methods tell these apart
	for _, alg := range []hsm.MACAlgorithm{hsm.MACRetailPad2, hsm.MACRetailPad3, hsm.MACCBCPad2, hsm.MACCBCPad3} {
		if made(alg, "112233") == made(alg, "1122330000000000") {
			s.Errorf("%s does not tell zeros from nothing", alg)
		}
	}
}

// trapAlgorithms: over one block algorithms 1 and 3 are the same, so only more
// blocks tell whether the right one runs.
func trapAlgorithms(s *suite) {
	key := s.key(hsm.TAK, unhex(s, testKey))
	one, two := unhex(s, "1122334455667788"), unhex(s, "11223344556677889900AABBCCDDEEFF")
	if !bytes.Equal(s.mac(key, hsm.MACCBC, one), s.mac(key, hsm.MACRetail, one)) {
		s.Error("the algorithms differ over one block")
	}
	if bytes.Equal(s.mac(key, hsm.MACCBC, two), s.mac(key, hsm.MACRetail, two)) {
		s.Error("the algorithms do not differ over two blocks")
	}
}

// trapEqualHalves: under K‖K both algorithms, and X9.9, are single DES: a test
// with such a key passes with any of them.
func trapEqualHalves(s *suite) {
	key, data := s.key(hsm.TAK, unhex(s, doubleKey)), unhex(s, "11223344556677889900AABBCCDDEEFF")
	want := s.mac(key, hsm.MACX99, data)
	for _, alg := range []hsm.MACAlgorithm{hsm.MACCBC, hsm.MACRetail} {
		if !bytes.Equal(s.mac(key, alg, data), want) {
			s.Errorf("%s under K‖K is not single DES", alg)
		}
	}
	swapped := s.key(hsm.TAK, unhex(s, testKey[16:]+testKey[:16]))
	if bytes.Equal(s.mac(swapped, hsm.MACRetail, data), s.mac(s.key(hsm.TAK, unhex(s, testKey)), hsm.MACRetail, data)) {
		s.Error("swapped halves change nothing")
	}
}

// trapX99: under a double-length key X9.9 would use its left half alone, in
// messages that anybody may collect.
func trapX99(s *suite) {
	for _, u := range []hsm.Usage{hsm.TAK, hsm.ZAK} {
		if _, err := s.m.MAC(s.Context(), s.key(u, unhex(s, testKey)), hsm.MACX99, []byte("data")); !errors.Is(err, hsm.ErrUsage) {
			s.Errorf("X9.9 under a double-length %s: %v, want ErrUsage", u, err)
		}
		s.mac(s.key(u, unhex(s, doubleKey[:16])), hsm.MACX99, []byte("data"))
	}
}

// trapShortMAC: the length is agreed, not what the sender chooses: otherwise four
// bytes, or none, would do.
func trapShortMAC(s *suite) {
	for _, alg := range []hsm.MACAlgorithm{hsm.MACRetail, hsm.MACCMACAES, hsm.MACHMACSHA256} {
		key, data := s.macKey(alg, someKey(alg.Keys()[0].Size())), []byte("data")
		good := s.mac(key, alg, data)
		for n := range len(good) {
			if err := s.m.VerifyMAC(s.Context(), key, alg, data, good[:n]); !errors.Is(err, hsm.ErrMAC) {
				s.Errorf("%s cut to %d bytes: %v, want ErrMAC", alg, n, err)
			}
		}
		if err := s.m.VerifyMAC(s.Context(), key, alg, data, append(good, 0)); !errors.Is(err, hsm.ErrMAC) {
			s.Errorf("%s with a byte more: %v, want ErrMAC", alg, err)
		}
		if err := s.m.VerifyMAC(s.Context(), key, alg.Keep(8), data, good[:8]); err != nil {
			s.Errorf("%s where eight bytes are agreed: %v", alg, err)
		}
	}
}

// trapHMACKey: RFC 2104 fills a short key with zeros, so the zero filled key is
// the same key; modules that refuse short keys are served that way.
func trapHMACKey(s *suite) {
	data := []byte("zeros behind an HMAC key change nothing")
	for _, a := range []hsm.Algorithm{hsm.HMAC128, hsm.HMAC192} {
		value := someKey(a.Size())
		short := s.keyOf(hsm.HMACKey, a, value)
		long := s.keyOf(hsm.HMACKey, hsm.HMAC256, append(value, make([]byte, 32-len(value))...))
		if !bytes.Equal(s.mac(short, hsm.MACHMACSHA256, data), s.mac(long, hsm.MACHMACSHA256, data)) || short.KCV != long.KCV {
			s.Errorf("%s: the filled key is another key", a)
		}
		if other := s.keyOf(hsm.HMACKey, a, bytes.Repeat([]byte{1}, a.Size())); bytes.Equal(s.mac(other, hsm.MACHMACSHA256, data), s.mac(short, hsm.MACHMACSHA256, data)) {
			s.Errorf("%s: another key gives the same MAC", a)
		}
	}
}

// trapAESCheckValue: the token's own attribute would be AES-ECB of zeros, the
// old habit.
func trapAESCheckValue(s *suite) {
	for _, v := range load(s, "kcv", "kcv.aes_ecb") {
		value := v.bytes(s, "key")
		block, err := aes.NewCipher(value)
		if err != nil {
			s.Fatal(err)
		}
		old := make([]byte, 16)
		block.Encrypt(old, old)
		if upper(old)[:6] != v.want() {
			s.Errorf("%s: ECB of zeros %X", v.ID, old[:3])
		}
		for _, key := range []*hsm.Key{s.key(hsm.PANToken, value), s.keyOf(hsm.ZAK, hsm.AES128, value)} {
			if got, want := upper(key.KCV[:]), upper(s.mac(s.keyOf(hsm.ZAK, hsm.AES128, value), hsm.MACCMACAES, make([]byte, 16)))[:6]; got != want || got == v.want() {
				s.Errorf("%s: check value %s, want %s", key.Usage, got, want)
			}
		}
	}
	for _, v := range load(s, "kcv", "kcv.aes_cmac") {
		if key := s.key(hsm.PANToken, v.bytes(s, "key")); upper(key.KCV[:]) != v.want()[:6] {
			s.Errorf("%s: %X, want %s", v.ID, key.KCV, v.want())
		}
	}
}

// trapTravel: a key never travels under a weaker one (PCI PIN 19, X9.24).
func trapTravel(s *suite) {
	tmk := s.key(hsm.TMK, unhex(s, testKey))
	for _, a := range []hsm.Algorithm{hsm.AES128, hsm.AES192, hsm.AES256} {
		spec := s.spec(hsm.TAK)
		spec.Algorithm = a
		_, _, err := s.m.GenerateSet(s.Context(), tmk, hsm.WorkingKey{Spec: spec})
		_, err2 := s.m.LoadSet(s.Context(), tmk, []hsm.WorkingKey{{Spec: spec}}, []hsm.Exported{{Cryptogram: make([]byte, 16)}})
		if !errors.Is(err, hsm.ErrUsage) || !errors.Is(err2, hsm.ErrUsage) {
			s.Errorf("a TAK of %s under a double-length DES key: %v, %v", a, err, err2)
		}
	}
}

// trapUnionPayText: the folded block is written as 16 hex characters before it is
// enciphered, in two halves, and what is sent are characters, not bytes.
func trapUnionPayText(s *suite) {
	key, data := unhex(s, testKey), unhex(s, "112233445566778899AABBCCDDEEFF0001")
	fold := make([]byte, 8)
	for i, c := range data {
		fold[i%8] ^= c
	}
	text := []byte(upper(fold))
	second := xor(tdes(s, key, text[:8], false), text[8:])
	want := upper(tdes(s, key, second, false))[:8]
	got := s.mac(s.key(hsm.ZAK, key), hsm.MACUnionPayECB, data)
	if string(got) != want || len(got) != 8 {
		s.Errorf("MAC %q, want %q", got, want)
	}
	inBytes := tdes(s, key, fold, false)
	if string(got) == upper(inBytes)[:8] {
		s.Error("the folded block is enciphered as bytes")
	}
	if err := s.m.VerifyMAC(s.Context(), s.key(hsm.ZAK, key), hsm.MACUnionPayECB, data, unhex(s, want)); !errors.Is(err, hsm.ErrMAC) {
		s.Errorf("four bytes in place of eight characters: %v, want ErrMAC", err)
	}
}
