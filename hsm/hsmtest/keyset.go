// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"

	"tapswitch/hsm"
	"tapswitch/hsm/keyblock"
)

// desOpen deciphers a raw cryptogram, by the standard library.
func desOpen(s *suite, under string, cryptogram []byte) []byte {
	s.Helper()
	c, err := blockOf(unhex(s, under), false)
	if err != nil {
		s.Fatal(err)
	}
	out := make([]byte, len(cryptogram))
	for at := 0; at+8 <= len(out); at += 8 {
		c.Decrypt(out[at:], cryptogram[at:])
	}
	return out
}

// terminalSet plays the terminal with the standard library: what is exported under
// the TMK is what the module keeps, and the terminal's side takes it in.
func terminalSet(s *suite) {
	tmk := s.key(hsm.TMK, unhex(s, testKey))
	set := []hsm.WorkingKey{s.working(hsm.TPK, hsm.TDES2), s.working(hsm.TAK, hsm.TDES2), s.working(hsm.TDK, hsm.TDES2)}
	keys, out, err := s.m.GenerateSet(s.Context(), tmk, set...)
	if err != nil {
		s.Fatal(err)
	}
	for i, u := range []hsm.Usage{hsm.TPK, hsm.TAK, hsm.TDK} {
		value := desOpen(s, testKey, out[i].Cryptogram)
		want := tdes(s, value, make([]byte, 8), false)
		if keys[i].Usage != u || len(value) != 16 || !bytes.Equal(out[i].KCV[:], want[:4]) || !bytes.Equal(keys[i].KCV[:], want[:3]) {
			s.Errorf("%s: %d bytes, check values %X and %X, want %X", u, len(value), out[i].KCV, keys[i].KCV, want)
		}
		goodValue(s, value)
	}
	loaded, err := s.m.LoadSet(s.Context(), tmk, set, out)
	if err != nil {
		s.Fatal(err)
	}
	for i, w := range set {
		if k := loaded[i]; k.Name != w.Name || k.Usage != w.Usage || k.Version != w.Version || k.Owner != w.Owner || k.KCV != keys[i].KCV {
			s.Errorf("loaded key %d is not what was wished: %+v", i, k)
		}
	}
	s.sameMAC(&keys[1], s.key(hsm.TAK, desOpen(s, testKey, out[1].Cryptogram)), &loaded[1])
	for i := range 4 {
		wrong := append([]hsm.Exported{}, out...)
		wrong[2].KCV[i] ^= 1
		_, err := s.m.LoadSet(s.Context(), tmk, set, wrong)
		if !errors.Is(err, keyblock.ErrCheckValue) || !errors.Is(err, hsm.ErrInput) {
			s.Errorf("byte %d of a check value changed: %v, want ErrInput", i, err)
		}
		set[2].Check = 3
		if _, err := s.m.LoadSet(s.Context(), tmk, set, wrong); (i == 3) != (err == nil) {
			s.Errorf("three bytes count, byte %d changed: %v", i, err)
		}
		set[2].Check = 0
	}
	if _, err := s.m.LoadSet(s.Context(), s.key(hsm.TMK, unhex(s, otherKey)), set, out); !errors.Is(err, keyblock.ErrCheckValue) {
		s.Errorf("under another TMK: %v, want a wrong check value", err)
	}
}

// goodValue: a generated DES key has odd parity, no weak and no equal parts.
func goodValue(s *suite, value []byte) {
	s.Helper()
	if !keyblock.OddParity(value) || keyblock.WeakPart(value) || keyblock.EqualParts(value) {
		s.Error("a generated key has even parity, a weak part or equal parts")
	}
}

// sameMAC: all keys are the same key.
func (s *suite) sameMAC(made *hsm.Key, others ...*hsm.Key) {
	s.Helper()
	data := []byte("the terminal and the switch must agree")
	for _, alg := range []hsm.MACAlgorithm{hsm.MACUnionPayECB, hsm.MACRetail} {
		mac := s.mac(made, alg, data)
		for i, k := range others {
			if err := s.m.VerifyMAC(s.Context(), k, alg, data, mac); err != nil {
				s.Errorf("algorithm %d, key %d: %v", alg, i, err)
			}
		}
	}
}

// zoneSet: double and triple length under either length of ZMK, and never under a
// weaker one.
func zoneSet(s *suite) {
	for _, under := range []string{testKey, testKey + otherKey[:16]} {
		spec := s.spec(hsm.ZMK)
		if len(under) == 48 {
			spec.Algorithm = hsm.TDES3
		}
		zmk, err := s.m.LoadClear(s.Context(), spec, clearKey(s, unhex(s, under)))
		if err != nil {
			s.Fatal(err)
		}
		for _, a := range []hsm.Algorithm{hsm.TDES2, hsm.TDES3} {
			set := []hsm.WorkingKey{s.working(hsm.ZPK, a), s.working(hsm.ZAK, a), s.working(hsm.ZDK, a)}
			keys, out, err := s.m.GenerateSet(s.Context(), &zmk, set...)
			if weaker := a == hsm.TDES3 && spec.Algorithm == hsm.TDES2; weaker {
				if !errors.Is(err, hsm.ErrUsage) {
					s.Errorf("triple length under double: %v, want ErrUsage", err)
				}
				continue
			}
			if err != nil {
				s.Fatal(err)
			}
			loaded, err := s.m.LoadSet(s.Context(), &zmk, set, out)
			if err != nil {
				s.Fatal(err)
			}
			for i := range set {
				value := desOpen(s, under, out[i].Cryptogram)
				if want := checkOf(s, a, value); len(value) != a.Size() || keys[i].KCV != want || loaded[i].KCV != want {
					s.Errorf("%s %s: %d bytes, check values %X, %X, want %X", a, set[i].Usage, len(value), keys[i].KCV, loaded[i].KCV, want)
				}
				goodValue(s, value)
			}
		}
	}
	zmk := s.key(hsm.ZMK, unhex(s, testKey))
	triple := s.working(hsm.ZDK, hsm.TDES3) // what an old host sends is taken
	value := append(unhex(s, testKey), unhex(s, otherKey)[:8]...)
	in := hsm.Exported{Cryptogram: tdes(s, unhex(s, testKey), value, false)}
	kcv := checkOf(s, hsm.TDES3, value)
	copy(in.KCV[:], kcv[:])
	triple.Check = 3
	if _, err := s.m.LoadSet(s.Context(), zmk, []hsm.WorkingKey{triple}, []hsm.Exported{in}); err != nil {
		s.Errorf("triple length arrives under double: %v", err)
	}
}

// blockSet: a terminal whose master key is a KBPK gets its set in key blocks.
func blockSet(s *suite) {
	kbpk := s.kbpk(unhex(s, aesKBPK), true)
	set := []hsm.WorkingKey{s.working(hsm.TPK, hsm.TDES2), s.working(hsm.TAK, hsm.TDES2), s.working(hsm.TDK, hsm.AES128)}
	keys, out, err := s.m.GenerateSet(s.Context(), kbpk, set...)
	if err != nil {
		s.Fatal(err)
	}
	for i, header := range []string{"D0112P0TE00N0000", "D0112M3TC00N0000", "D0144D0AB00N0000"} {
		value := s.opened(out[i].Block, aesKBPK)
		if !strings.HasPrefix(out[i].Block, header) || len(out[i].Cryptogram) != 0 || checkOf(s, set[i].Algorithm, value) != keys[i].KCV {
			s.Errorf("key %d leaves as %.16s, want %s", i, out[i].Block, header)
		}
	}
	loaded, err := s.m.LoadSet(s.Context(), kbpk, set[1:], out[1:])
	if err != nil {
		s.Fatal(err)
	}
	s.sameMAC(&keys[1], &loaded[0])
	out[1].Block = out[2].Block
	if _, err := s.m.LoadSet(s.Context(), kbpk, set[1:], out[1:]); !errors.Is(err, hsm.ErrUsage) {
		s.Errorf("two blocks exchanged: %v, want ErrUsage", err)
	}
}

// singleLength: 8 bytes travel, and the key is single DES.
func singleLength(s *suite) {
	tmk := s.key(hsm.TMK, unhex(s, testKey))
	w := s.working(hsm.TAK, hsm.TDES2)
	w.Single = true
	keys, out, err := s.m.GenerateSet(s.Context(), tmk, s.working(hsm.TPK, hsm.TDES2), w)
	if err != nil {
		s.Fatal(err)
	}
	value := desOpen(s, testKey, out[1].Cryptogram)
	if len(value) != 8 || !keyblock.OddParity(value) || !bytes.Equal(out[1].KCV[:], tdes(s, value, make([]byte, 8), false)[:4]) {
		s.Errorf("%d bytes travel, check value %X", len(value), out[1].KCV)
	}
	loaded, err := s.m.LoadSet(s.Context(), tmk, []hsm.WorkingKey{w}, out[1:])
	if err != nil {
		s.Fatal(err)
	}
	s.sameMAC(&keys[1], &loaded[0], s.key(hsm.TAK, value))
	// some hosts send K‖K as 16 bytes
	double := hsm.Exported{Cryptogram: append(bytes.Clone(out[1].Cryptogram), out[1].Cryptogram...), KCV: out[1].KCV}
	if _, err := s.m.LoadSet(s.Context(), tmk, []hsm.WorkingKey{w}, []hsm.Exported{double}); err != nil {
		s.Errorf("K‖K said to be of single length: %v", err)
	}
	kbpk := s.kbpk(unhex(s, tdeKBPK), false)
	for _, header := range []string{"B0000M3TC00E0000", "B0000M3DC00E0000"} {
		block := s.closed(header, tdeKBPK, value)
		if k, err := s.m.ImportKeyBlock(s.Context(), kbpk, w, block); err != nil || k.KCV != keys[1].KCV {
			s.Errorf("%s: %v", header, err)
		}
		if _, err := s.m.ImportKeyBlock(s.Context(), kbpk, s.working(hsm.TAK, hsm.TDES2), block); !errors.Is(err, hsm.ErrUsage) {
			s.Errorf("%s, not said to be of single length: %v, want ErrUsage", header, err)
		}
	}
	for _, u := range []hsm.Usage{hsm.TPK, hsm.TDK, hsm.ZPK} {
		under, wish := tmk, s.working(u, hsm.TDES2)
		if u == hsm.ZPK {
			under = s.key(hsm.ZMK, unhex(s, testKey))
		}
		wish.Single = true
		if _, _, err := s.m.GenerateSet(s.Context(), under, wish); !errors.Is(err, hsm.ErrWeakKey) {
			s.Errorf("a %s of single length: %v, want ErrWeakKey", u, err)
		}
	}
}

// arriving enciphers a clear key under testKey.
func arriving(s *suite, value []byte) []hsm.Exported {
	s.Helper()
	e := hsm.Exported{Cryptogram: tdes(s, unhex(s, testKey), value, false)}
	copy(e.KCV[:], tdes(s, value, make([]byte, 8), false))
	return []hsm.Exported{e}
}

// weakKeys: the named refusals of every way in.
func weakKeys(s *suite) {
	tmk, kbpk := s.key(hsm.TMK, unhex(s, testKey)), s.kbpk(unhex(s, tdeKBPK), false)
	good := unhex(s, otherKey)
	for name, c := range map[string]struct {
		value  string
		single bool
	}{
		"weak left":            {"0101010101010101" + otherKey[:16], false},
		"weak right":           {otherKey[:16] + "FEFEFEFEFEFEFEFE", false},
		"weak, parity not set": {"0000000000000000" + otherKey[:16], false},
		"weak 1F…0E":           {"1F1F1F1F0E0E0E0E" + otherKey[:16], false},
		"semi-weak":            {"01FE01FE01FE01FE" + otherKey[:16], false},
		"semi-weak pair":       {"1FFE1FFE0EFE0EFE" + "FE1FFE1FFE0EFE0E", false},
		"equal parts":          {otherKey[:16] + otherKey[:16], false},
		"equal but for parity": {"10" + otherKey[2:16] + "11" + otherKey[2:16], false},
		"weak and single":      {"0101010101010101" + "0101010101010101", true},
	} {
		value, w := unhex(s, c.value), s.working(hsm.TAK, hsm.TDES2)
		w.Single = c.single
		_, err := s.m.LoadSet(s.Context(), tmk, []hsm.WorkingKey{w}, arriving(s, value))
		_, err2 := s.m.ImportKeyBlock(s.Context(), kbpk, w, s.closed("B0000M3TC00E0000", tdeKBPK, value))
		_, err3 := s.m.LoadComponents(s.Context(), w, clearKey(s, good), clearKey(s, xored(good, value)))
		if _, err := s.m.LoadClear(s.Context(), s.spec(hsm.TAK), clearKey(s, value)); err != nil {
			s.Errorf("%s, a test key: %v", name, err)
		}
		for i, err := range []error{err, err2, err3} {
			if !errors.Is(err, hsm.ErrWeakKey) || !errors.Is(err, hsm.ErrInput) || strings.Contains(strings.ToUpper(err.Error()), c.value[:16]) {
				s.Errorf("%s, way %d: %v, want ErrWeakKey", name, i, err)
			}
		}
	}
	aes := s.kbpk(unhex(s, aesKBPK), true)
	if _, err := s.m.ImportKeyBlock(s.Context(), aes, s.working(hsm.ZDK, hsm.AES128), s.closed("D0000D0AB00E0000", aesKBPK, make([]byte, 16))); !errors.Is(err, hsm.ErrWeakKey) {
		s.Errorf("AES key of zeros: %v, want ErrWeakKey", err)
	}
	triple := unhex(s, otherKey+testKey[:16])
	copy(triple[16:], triple[8:16])
	if _, err := s.m.ImportKeyBlock(s.Context(), kbpk, s.working(hsm.ZDK, hsm.TDES3), s.closed("B0000D0TB00E0000", tdeKBPK, triple)); !errors.Is(err, hsm.ErrWeakKey) {
		s.Errorf("two neighbouring parts of three are equal: %v, want ErrWeakKey", err)
	}
}

func xored(a, b []byte) []byte {
	out := bytes.Clone(a)
	for i := range out {
		out[i] ^= b[i]
	}
	return out
}

// parityPolicy: parity is not looked at unless the caller asks.
func parityPolicy(s *suite) {
	tmk, kbpk := s.key(hsm.TMK, unhex(s, testKey)), s.kbpk(unhex(s, tdeKBPK), false)
	even := unhex(s, testKey)
	even[5] ^= 1
	for _, value := range [][]byte{unhex(s, testKey), even} {
		for _, strict := range []bool{false, true} {
			w := s.working(hsm.TAK, hsm.TDES2)
			w.OddParity = strict
			_, err := s.m.LoadSet(s.Context(), tmk, []hsm.WorkingKey{w}, arriving(s, value))
			_, err2 := s.m.ImportKeyBlock(s.Context(), kbpk, w, s.closed("B0000M3TC00E0000", tdeKBPK, value))
			refused := strict && !keyblock.OddParity(value)
			if errors.Is(err, hsm.ErrParity) != refused || errors.Is(err2, hsm.ErrParity) != refused || !refused && (err != nil || err2 != nil) {
				s.Errorf("odd %v, asked for %v: %v, %v", keyblock.OddParity(value), strict, err, err2)
			}
			// under another TMK parity says nothing: the check value is named
			_, err = s.m.LoadSet(s.Context(), s.key(hsm.TMK, unhex(s, otherKey)), []hsm.WorkingKey{w}, arriving(s, value))
			if !errors.Is(err, keyblock.ErrCheckValue) {
				s.Errorf("under another TMK: %v, want a wrong check value", err)
			}
		}
	}
}

func generatedKeys(s *suite) {
	tmk := s.key(hsm.TMK, unhex(s, testKey))
	seen := make(map[string]bool)
	for range 20 {
		_, out, err := s.m.GenerateSet(s.Context(), tmk, s.working(hsm.TPK, hsm.TDES2), s.working(hsm.TAK, hsm.TDES2))
		if err != nil {
			s.Fatal(err)
		}
		for _, e := range out {
			value := desOpen(s, testKey, e.Cryptogram)
			goodValue(s, value)
			for _, half := range [][]byte{value[:8], value[8:]} {
				if seen[hex.EncodeToString(half)] {
					s.Fatal("a half was generated twice")
				}
				seen[hex.EncodeToString(half)] = true
			}
		}
	}
}

func wrongSets(s *suite) {
	tmk, zmk, kbpk := s.good(hsm.TMK), s.good(hsm.ZMK), s.kbpk(unhex(s, tdeKBPK), false)
	tak := s.working(hsm.TAK, hsm.TDES2)
	for _, u := range usages {
		w := hsm.WorkingKey{Spec: s.spec(u)}
		_, _, err := s.m.GenerateSet(s.Context(), tmk, w)
		_, err2 := s.m.LoadSet(s.Context(), tmk, []hsm.WorkingKey{w}, []hsm.Exported{{Cryptogram: make([]byte, w.Algorithm.Size())}})
		if travels := u == hsm.TPK || u == hsm.TAK || u == hsm.TDK; errors.Is(err, hsm.ErrUsage) == travels || errors.Is(err2, hsm.ErrUsage) == travels {
			s.Errorf("a %s under a TMK: %v, %v", u, err, err2)
		}
		_, _, err = s.m.GenerateSet(s.Context(), zmk, w)
		if travels := u == hsm.ZPK || u == hsm.ZAK || u == hsm.ZDK; errors.Is(err, hsm.ErrUsage) == travels {
			s.Errorf("a %s under a ZMK: %v", u, err)
		}
	}
	one := []hsm.Exported{{Cryptogram: make([]byte, 16)}}
	wish := func(change func(w *hsm.WorkingKey)) []hsm.WorkingKey {
		w := tak
		change(&w)
		return []hsm.WorkingKey{w}
	}
	for name, err := range map[string]error{
		"no key":                   third(s.m.GenerateSet(s.Context(), tmk)),
		"nine keys":                third(s.m.GenerateSet(s.Context(), tmk, tak, tak, tak, tak, tak, tak, tak, tak, tak)),
		"two arrive for one":       second(s.m.LoadSet(s.Context(), tmk, []hsm.WorkingKey{tak}, append(one, one...))),
		"8 bytes":                  second(s.m.LoadSet(s.Context(), tmk, []hsm.WorkingKey{tak}, []hsm.Exported{{Cryptogram: make([]byte, 8)}})),
		"24 bytes":                 second(s.m.LoadSet(s.Context(), tmk, []hsm.WorkingKey{tak}, []hsm.Exported{{Cryptogram: make([]byte, 24)}})),
		"a block under a TMK":      second(s.m.LoadSet(s.Context(), tmk, []hsm.WorkingKey{tak}, []hsm.Exported{{Block: "B"}})),
		"a cryptogram under KBPK":  second(s.m.LoadSet(s.Context(), kbpk, []hsm.WorkingKey{tak}, one)),
		"not a key block":          second(s.m.ImportKeyBlock(s.Context(), kbpk, tak, "not a key block")),
		"check value of 2 bytes":   second(s.m.LoadSet(s.Context(), tmk, wish(func(w *hsm.WorkingKey) { w.Check = 2 }), one)),
		"no name":                  second(s.m.LoadSet(s.Context(), tmk, wish(func(w *hsm.WorkingKey) { w.Name = "" }), one)),
		"a version not there":      third(s.m.GenerateSet(s.Context(), kbpk, wish(func(w *hsm.WorkingKey) { w.Form.Version = 'F' })...)),
		"D under a DES key":        third(s.m.GenerateSet(s.Context(), kbpk, wish(func(w *hsm.WorkingKey) { w.Form.Version = 'D' })...)),
		"an option that is wrong":  third(s.m.GenerateSet(s.Context(), kbpk, wish(func(w *hsm.WorkingKey) { w.Form.Options = []hsm.KeyBlockOption{{ID: "IK", Data: "1"}} })...)),
		"key version of one":       third(s.m.GenerateSet(s.Context(), kbpk, wish(func(w *hsm.WorkingKey) { w.Form.KeyVersion = "1" })...)),
		"an exportability unknown": third(s.m.GenerateSet(s.Context(), kbpk, wish(func(w *hsm.WorkingKey) { w.Form.Exportability = 'Z' })...)),
	} {
		if !errors.Is(err, hsm.ErrInput) {
			s.Errorf("%s: %v, want ErrInput", name, err)
		}
	}
	if _, _, err := s.m.GenerateSet(s.Context(), kbpk, s.working(hsm.TDK, hsm.AES128)); !errors.Is(err, hsm.ErrUsage) {
		s.Errorf("AES under a DES key: %v, want ErrUsage", err)
	}
}

func third[A, B any](_ A, _ B, err error) error { return err }
