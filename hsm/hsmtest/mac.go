// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"tapswitch/hsm"
	"tapswitch/hsm/mac"
)

// macCases are message authentication codes and check values.
func macCases() []testCase {
	return []testCase{
		{"vectors/mac", macVectors},
		{"vectors/mac.iso9797_alg3 of cryptograms", cryptogramMACs},
		{"vectors/mac.unionpay_first_encrypt", firstEncrypt},
		{"vectors/kcv", checkValueVectors},
		{"vectors/kcv by MAC", checkValuesByMAC},
		{"mac/as the textbook", asTextbook},
		{"mac/every bit counts", everyBit},
		{"mac/lengths", macLengths},
		{"mac/keys of every algorithm", macKeys},
		{"trap/padding 1 adds nothing to whole blocks", trapPadding},
		{"trap/algorithm 1 is not algorithm 3", trapAlgorithms},
		{"trap/K‖K keys catch nothing", trapEqualHalves},
		{"trap/X9.9 takes single-length keys alone", trapX99},
		{"trap/a shorter MAC is a wrong MAC", trapShortMAC},
		{"trap/an HMAC key is zero filled", trapHMACKey},
		{"trap/AES check value is CMAC, not ECB", trapAESCheckValue},
		{"trap/an AES key does not travel under DES", trapTravel},
		{"trap/UnionPay ECB MAC is of text and is text", trapUnionPayText},
	}
}

// macNames are the vector functions that are one MAC of the interface.
var macNames = map[string]hsm.MACAlgorithm{
	"mac.iso9797_alg1_tdes": hsm.MACCBC, "mac.iso9797_alg3": hsm.MACRetail, "mac.cmac_aes": hsm.MACCMACAES, "mac.cmac_tdes": hsm.MACCMACTDES,
	"mac.hmac_sha256": hsm.MACHMACSHA256, "mac.hmac_sha256_truncated": hsm.MACHMACSHA256, "mac.as2805_4_1": hsm.MACAS2805, "mac.unionpay_ecb": hsm.MACUnionPayECB,
}

// macKey loads a key for alg of as many bytes as value.
func (s *suite) macKey(alg hsm.MACAlgorithm, value []byte) *hsm.Key {
	s.Helper()
	if len(value) == 8 {
		return s.keyOf(macUsage(alg), hsm.TDES2, value)
	}
	for _, a := range alg.Keys() {
		if a.Size() == len(value) {
			return s.keyOf(macUsage(alg), a, value)
		}
	}
	s.Fatalf("%s has no key of %d bytes", alg, len(value))
	return nil
}

func macUsage(alg hsm.MACAlgorithm) hsm.Usage {
	if alg.Whole() == hsm.MACHMACSHA256 {
		return hsm.HMACKey
	}
	return hsm.ZAK
}

// mac makes a MAC that must succeed.
func (s *suite) mac(key *hsm.Key, alg hsm.MACAlgorithm, data []byte) []byte {
	s.Helper()
	got, err := s.m.MAC(s.Context(), key, alg, data)
	if err != nil || len(got) != alg.Size() {
		s.Fatalf("%s: %d bytes, %v", alg, len(got), err)
	}
	return got
}

func macVectors(s *suite) {
	n := 0
	for name, alg := range macNames {
		for _, v := range load(s, "mac", name) {
			if p := v.number("padding"); p > 1 {
				alg = macNames[name] + hsm.MACAlgorithm(p-1)
			} else {
				alg = macNames[name]
			}
			if size := v.number("length"); size != 0 && size != alg.Size() {
				alg = alg.Keep(size)
			}
			key, data := s.macKey(alg, v.bytes(s, "key")), v.bytes(s, "data")
			got := s.mac(key, alg, data)
			want := upper(got)
			if v.Type == "text" {
				want = string(got)
			}
			if want != v.want() {
				s.Errorf("%s: %s gives %s, want %s", v.ID, alg, want, v.want())
			}
			if err := s.m.VerifyMAC(s.Context(), key, alg, data, got); err != nil {
				s.Errorf("%s: verify: %v", v.ID, err)
			}
			n++
		}
	}
	s.count(n, 6+12+11+6+12+1+1+1)
}

// cryptogramMACs are cryptograms under a given session key: algorithm 3 too.
func cryptogramMACs(s *suite) {
	n := 0
	for _, v := range load(s, "emv_ac", "emv.ac") {
		alg := hsm.MACRetail
		if v.text("padding") == "method2" {
			alg = hsm.MACRetailPad2
		}
		got := s.mac(s.key(hsm.ZAK, v.bytes(s, "sk")), alg, v.bytes(s, "data"))
		if upper(got) != v.want() {
			s.Errorf("%s: MAC %X, want %s", v.ID, got, v.want())
		}
		n++
	}
	if n == 0 {
		s.Error("no vector")
	}
}

// firstEncrypt is the middle of the UnionPay MAC: one block, so algorithm 1 of it.
func firstEncrypt(s *suite) {
	for _, v := range load(s, "mac", "mac.unionpay_first_encrypt") {
		left, _ := mac.Halves(mac.Fold(v.bytes(s, "data")))
		if got := s.mac(s.key(hsm.TAK, v.bytes(s, "key")), hsm.MACCBC, left[:]); upper(got) != v.want() {
			s.Errorf("%s: %X, want %s", v.ID, got, v.want())
		}
	}
}

func checkValueVectors(s *suite) {
	n := 0
	for name, alg := range map[string]hsm.MACAlgorithm{"kcv.tdes": hsm.MACCBC, "kcv.aes_cmac": hsm.MACCMACAES, "kcv.hmac_sha256_empty": hsm.MACHMACSHA256} {
		for _, v := range load(s, "kcv", name) {
			key := s.macKey(alg, v.bytes(s, "key"))
			want := v.want()
			if len(want) > 6 {
				want = want[:6] // a key keeps three bytes; the rest is compared by MAC
			}
			if got := upper(key.KCV[:]); !strings.HasPrefix(got, want) {
				s.Errorf("%s: check value %s, want %s", v.ID, got, want)
			}
			n++
		}
	}
	s.count(n, 49+5+1)
}

// checkValuesByMAC computes check values whole, and those that are not ours: a
// check value is the MAC of a constant.
func checkValuesByMAC(s *suite) {
	n := 0
	for _, c := range []struct {
		name string
		alg  hsm.MACAlgorithm
		data []byte
	}{
		{"kcv.tdes", hsm.MACCBC, make([]byte, 8)},
		{"kcv.aes_cmac", hsm.MACCMACAES, make([]byte, 16)},
		{"kcv.aes_cmac_empty", hsm.MACCMACAES, nil},
		{"kcv.aes_cmac_ones", hsm.MACCMACAES, bytes.Repeat([]byte{0xFF}, 16)},
		{"kcv.hmac_sha256_empty", hsm.MACHMACSHA256, nil},
	} {
		for _, v := range load(s, "kcv", c.name) {
			got := upper(s.mac(s.macKey(c.alg, v.bytes(s, "key")), c.alg, c.data))
			if !strings.HasPrefix(got, v.want()) {
				s.Errorf("%s: %s, want %s", v.ID, got, v.want())
			}
			n++
		}
	}
	s.count(n, 49+5+1+1+1)
}

// asTextbook compares every MAC, for every key it takes and lengths around its
// blocks, with the standard written down a second time.
func asTextbook(s *suite) {
	for _, alg := range hsm.MACAlgorithms() {
		if alg.IsSM() {
			continue // smCases: not every module has them
		}
		for _, a := range alg.Keys() {
			s.textbook(alg, a)
		}
	}
}

// textbook compares one MAC under a key of algorithm a.
func (s *suite) textbook(alg hsm.MACAlgorithm, a hsm.Algorithm) {
	value := someKey(a.Size())
	if alg == hsm.MACX99 {
		copy(value[8:], value[:8])
	}
	key := s.keyOf(macUsage(alg), a, value)
	for n := range 35 {
		data := bytes.Repeat([]byte{0x5A, 0xC3}, 20)[:n]
		got, err := s.m.MAC(s.Context(), key, alg, data)
		if n == 0 && errors.Is(err, hsm.ErrInput) {
			continue // no meaning for no data
		}
		want, err2 := TextbookMAC(alg, value, data)
		if err != nil || err2 != nil || !bytes.Equal(got, want) {
			s.Errorf("%s under %s of %d bytes: %X, %v; want %X, %v", alg, a, n, got, err, want, err2)
		}
	}
}

// everyBit flips each bit of a MAC and of its data.
func everyBit(s *suite) {
	for _, alg := range []hsm.MACAlgorithm{hsm.MACUnionPayECB, hsm.MACRetail, hsm.MACCBCPad2, hsm.MACCMACAES, hsm.MACCMACTDES.Keep(4), hsm.MACHMACSHA256} {
		key, data := s.macKey(alg, someKey(alg.Keys()[0].Size())), []byte("0200 and what follows it")
		good := s.mac(key, alg, data)
		for bit := range 8 * len(good) {
			wrong := append([]byte{}, good...)
			wrong[bit/8] ^= 1 << (bit % 8)
			if err := s.m.VerifyMAC(s.Context(), key, alg, data, wrong); !errors.Is(err, hsm.ErrMAC) {
				s.Errorf("%s: bit %d flipped: %v, want ErrMAC", alg, bit, err)
			}
		}
		for bit := 0; bit < 8*len(data); bit += 5 {
			other := append([]byte{}, data...)
			other[bit/8] ^= 1 << (bit % 8)
			if err := s.m.VerifyMAC(s.Context(), key, alg, other, good); !errors.Is(err, hsm.ErrMAC) {
				s.Errorf("%s: bit %d of the data flipped: %v, want ErrMAC", alg, bit, err)
			}
		}
	}
}

// macLengths keeps every length: the leftmost bytes, between two bounds.
func macLengths(s *suite) {
	least := map[hsm.MACAlgorithm]int{hsm.MACUnionPayECB: 8, hsm.MACCMACAES: 8, hsm.MACHMACSHA256: 8}
	for _, alg := range []hsm.MACAlgorithm{hsm.MACUnionPayECB, hsm.MACRetail, hsm.MACX99, hsm.MACCMACAES, hsm.MACCMACTDES, hsm.MACHMACSHA256} {
		value := someKey(alg.Keys()[0].Size())
		if alg == hsm.MACX99 {
			value = value[:8]
		}
		key, data := s.macKey(alg, value), []byte("data")
		whole, from := s.mac(key, alg, data), 4
		if n := least[alg]; n != 0 {
			from = n
		}
		for n := -1; n <= alg.Size()+1; n++ {
			got, err := s.m.MAC(s.Context(), key, alg.Keep(n), data)
			switch {
			case n == 0: // keeps all
				n = 0
				if err != nil || !bytes.Equal(got, whole) {
					s.Errorf("%s: %X, %v", alg, got, err)
				}
			case n < from || n > alg.Size():
				if !errors.Is(err, hsm.ErrInput) {
					s.Errorf("%s kept to %d bytes: %v, want ErrInput", alg, n, err)
				}
			case err != nil || !bytes.Equal(got, whole[:n]):
				s.Errorf("%s kept to %d bytes: %X, %v", alg, n, got, err)
			}
		}
		if _, err := s.m.MAC(s.Context(), key, alg, make([]byte, hsm.MaxMACData+1)); !errors.Is(err, hsm.ErrInput) {
			s.Errorf("%s of too much data: %v, want ErrInput", alg, err)
		}
		s.mac(key, alg, make([]byte, hsm.MaxMACData))
	}
}

// macKeys uses every MAC with MAC keys of every algorithm: those it is not
// defined for are refused.
func macKeys(s *suite) {
	for _, a := range []hsm.Algorithm{hsm.TDES2, hsm.TDES3, hsm.AES128, hsm.AES192, hsm.AES256, hsm.HMAC128, hsm.HMAC192, hsm.HMAC256} {
		for _, u := range []hsm.Usage{hsm.TAK, hsm.ZAK, hsm.HMACKey} {
			if a.IsHMAC() != (u == hsm.HMACKey) {
				continue
			}
			spec := s.spec(u)
			spec.Algorithm = a
			key, err := s.m.Generate(s.Context(), spec)
			if err != nil {
				s.Fatalf("%s of %s: %v", u, a, err)
			}
			if err := s.m.CheckKey(s.Context(), &key); err != nil {
				s.Errorf("%s of %s at rest: %v", u, a, err)
			}
			for _, alg := range hsm.MACAlgorithms() {
				if alg.IsSM() || alg == hsm.MACX99 {
					continue
				}
				takes := false
				for _, k := range alg.Keys() {
					takes = takes || k == a
				}
				made, err := s.m.MAC(s.Context(), &key, alg, []byte("data"))
				if errors.Is(err, hsm.ErrUsage) == takes || takes && err != nil {
					s.Errorf("%s with a %s of %s: %v", alg, u, a, err)
				}
				if takes {
					if err := s.m.VerifyMAC(s.Context(), &key, alg, []byte("data"), made); err != nil {
						s.Errorf("%s with a %s of %s: verify: %v", alg, u, a, err)
					}
				}
			}
		}
	}
}

// macFunctions are uses of MAC keys that are not of double-length DES.
func (s *suite) macFunctions() []other {
	var all []other
	for _, alg := range hsm.MACAlgorithms() {
		if alg.IsSM() || alg == hsm.MACUnionPayECB || alg == hsm.MACRetail || alg == hsm.MACX99 {
			continue // listed elsewhere, or taking keys of one shape
		}
		allow := []hsm.Usage{hsm.TAK, hsm.ZAK}
		if alg == hsm.MACHMACSHA256 {
			allow = []hsm.Usage{hsm.HMACKey}
		}
		for _, a := range alg.Keys() {
			all = append(all, other{function{fmt.Sprintf("MAC %s under %s", alg, a), allow, func(ctx context.Context, k *hsm.Key) error {
				_, err := s.m.MAC(ctx, k, alg, []byte("data"))
				return err
			}}, a})
		}
	}
	return all
}
