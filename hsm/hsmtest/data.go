// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"bytes"
	"errors"

	"tapswitch/hsm"
)

func dataCases() []testCase {
	return []testCase{
		{"vectors/cipher", cipherVectors},
		{"data/every algorithm and mode", everyCipher},
		{"data/track under a TDK", trackData},
		{"refuse/data of a wrong form", wrongData},
	}
}

// dataKey loads a key of an algorithm that its usage does not choose.
func (s *suite) dataKey(u hsm.Usage, a hsm.Algorithm, value []byte) *hsm.Key {
	s.Helper()
	spec := s.spec(u)
	spec.Algorithm = a
	k, err := s.m.LoadClear(s.Context(), spec, clearKey(s, value))
	if err != nil {
		s.Fatalf("load %s of %s: %v", u, a, err)
	}
	return &k
}

// cipherVectors runs the vectors of modes that are built. Where the source pads
// by PKCS#7, the data is padded here: padding is the message's business.
func cipherVectors(s *suite) {
	n := 0
	for _, name := range []string{"tdes_ecb_encrypt", "tdes_cbc_encrypt", "tdes_ecb_encrypt_pkcs7", "tdes_cbc_encrypt_pkcs7", "aes_ecb_encrypt_pkcs7", "aes_cbc_encrypt_pkcs7"} {
		for _, v := range load(s, "mac", "cipher."+name) {
			a, mode, data := hsm.TDES2, hsm.ECB(), v.bytes(s, "data")
			if name[:3] == "aes" {
				a = hsm.AES128
			}
			if name[len(name)-5:] == "pkcs7" {
				pad := a.BlockSize() - len(data)%a.BlockSize()
				data = append(data, bytes.Repeat([]byte{byte(pad)}, pad)...)
			}
			if bytes.Contains([]byte(name), []byte("cbc")) {
				mode = hsm.CBC(v.bytes(s, "iv"))
			}
			key := s.dataKey(hsm.ZDK, a, v.bytes(s, "key"))
			got, err := s.m.EncipherData(s.Context(), key, mode, data)
			if err != nil || upper(got) != v.want() {
				s.Errorf("%s: %X, %v; want %s", v.ID, got, err, v.want())
			}
			back, err := s.m.DecipherData(s.Context(), key, mode, got)
			if err != nil || !bytes.Equal(back, data) {
				s.Errorf("%s: deciphered to other data, %v", v.ID, err)
			}
			n++
		}
	}
	s.count(n, 6)
}

// everyCipher compares each key length and mode with the standard library.
func everyCipher(s *suite) {
	data := bytes.Repeat([]byte("sixteen bytes of"), 5)
	for _, a := range []hsm.Algorithm{hsm.TDES2, hsm.TDES3, hsm.AES128, hsm.AES192, hsm.AES256} {
		value := unhex(s, testKey+otherKey)[:a.Size()]
		block := cipherOf(s, a, value)
		for _, u := range []hsm.Usage{hsm.TDK, hsm.ZDK} {
			key := s.dataKey(u, a, value)
			for _, iv := range [][]byte{nil, bytes.Repeat([]byte{7}, a.BlockSize())} {
				want := bytes.Clone(data)
				chain := bytes.Clone(iv)
				for i := 0; i < len(want); i += a.BlockSize() {
					part := want[i : i+a.BlockSize()]
					for j := range chain {
						part[j] ^= chain[j]
					}
					block.Encrypt(part, part)
					copy(chain, part)
				}
				got, err := s.m.EncipherData(s.Context(), key, hsm.CipherMode{IV: iv}, data)
				if err != nil || !bytes.Equal(got, want) {
					s.Errorf("%s of %s: %v", u, a, err)
				}
				if back, err := s.m.DecipherData(s.Context(), key, hsm.CipherMode{IV: iv}, got); err != nil || !bytes.Equal(back, data) {
					s.Errorf("%s of %s, back: %v", u, a, err)
				}
			}
		}
	}
}

// trackData: only the eight bytes in front of the last one change.
func trackData(s *suite) {
	tdk := s.dataKey(hsm.TDK, hsm.TDES2, unhex(s, testKey))
	for _, packed := range []string{"6224242300000069D2512201000000000F", "112233445566778899", "6224242300000069D25122010000000001234F"} {
		clear := unhex(s, packed)
		got, err := hsm.EncipherTrack(s.Context(), s.m, tdk, clear)
		if err != nil {
			s.Fatal(err)
		}
		from, to := len(clear)-9, len(clear)-1
		if !bytes.Equal(got[:from], clear[:from]) || got[to] != clear[to] || !bytes.Equal(got[from:to], tdes(s, unhex(s, testKey), clear[from:to], false)) {
			s.Errorf("enciphered to %d bytes that are not as they should be", len(got))
		}
		if back, err := hsm.DecipherTrack(s.Context(), s.m, tdk, got); err != nil || !bytes.Equal(back, clear) {
			s.Errorf("back: %v", err)
		}
		if upper(clear) != packed {
			s.Error("the caller's track was changed")
		}
	}
	aes := s.dataKey(hsm.TDK, hsm.AES128, unhex(s, testKey))
	for name, err := range map[string]error{
		"8 bytes":  second(hsm.EncipherTrack(s.Context(), s.m, tdk, make([]byte, 8))),
		"53 bytes": second(hsm.DecipherTrack(s.Context(), s.m, tdk, make([]byte, 53))),
		"AES key":  second(hsm.EncipherTrack(s.Context(), s.m, aes, make([]byte, 19))),
		"no key":   second(hsm.EncipherTrack(s.Context(), s.m, nil, make([]byte, 19))),
	} {
		if !errors.Is(err, hsm.ErrInput) {
			s.Errorf("%s: %v, want ErrInput", name, err)
		}
	}
}

func wrongData(s *suite) {
	key := s.dataKey(hsm.ZDK, hsm.AES256, unhex(s, testKey+otherKey))
	for name, c := range map[string]struct {
		mode hsm.CipherMode
		n    int
	}{
		"nothing": {hsm.ECB(), 0}, "half a block": {hsm.ECB(), 8}, "too much": {hsm.ECB(), hsm.MaxCipherData + 16},
		"short vector": {hsm.CBC(make([]byte, 8)), 16}, "empty vector": {hsm.CBC([]byte{}), 16}, "long vector": {hsm.CBC(make([]byte, 17)), 32},
	} {
		_, err := s.m.EncipherData(s.Context(), key, c.mode, make([]byte, c.n))
		_, err2 := s.m.DecipherData(s.Context(), key, c.mode, make([]byte, c.n))
		if !errors.Is(err, hsm.ErrInput) || !errors.Is(err2, hsm.ErrInput) {
			s.Errorf("%s: %v, %v; want ErrInput", name, err, err2)
		}
	}
}
