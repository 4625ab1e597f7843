// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"tapswitch/hsm"
	"tapswitch/hsm/keyblock"
)

// Protection keys of the tests: AES-256 for D and E, double-length DES for A to C.
const (
	aesKBPK = "88E1AB2A2E3DD38C1FA039A536500CC8A87AB9D62DC92C01058FA79F44657DE6"
	tdeKBPK = "DD7515F2BFC17F85CE48F3CA25CB21F6"
)

// keyblockCases are key blocks, and the sets of working keys that travel.
func keyblockCases() []testCase {
	return []testCase{
		{"vectors/tr31.unwrap by import", importVectors},
		{"vectors/tr31.unwrap by translation", translateBlockVectors},
		{"vectors/tr31.unwrap, negative", refusedBlocks},
		{"keyblock/made, opened by another, taken in again", keyBlockRoundTrip},
		{"keyblock/passed on", translateRules},
		{"trap/MAC covers the header as it stands", trapHeaderMAC},
		{"trap/length of an optional block counts characters", trapExtendedLength},
		{"trap/misprints of X9.143 and of a PIN pad's manual", trapMisprints},
		{"trap/versions A and C are read, never made", trapVersions},
		{"refuse/header and wish disagree", disagreements},
		{"refuse/check values in a key block", checkValueBlocks},
		{"keys/a set under a TMK", terminalSet},
		{"keys/a set under a ZMK, every length", zoneSet},
		{"keys/a set under a KBPK", blockSet},
		{"keys/single length", singleLength},
		{"keys/weak keys", weakKeys},
		{"keys/parity", parityPolicy},
		{"keys/generated keys are never weak", generatedKeys},
		{"refuse/sets", wrongSets},
	}
}

// kbpk loads a key block protection key.
func (s *suite) kbpk(value []byte, isAES bool) *hsm.Key {
	s.Helper()
	spec := s.spec(hsm.KBPK)
	switch {
	case isAES:
		spec.Algorithm = map[int]hsm.Algorithm{16: hsm.AES128, 24: hsm.AES192, 32: hsm.AES256}[len(value)]
	case len(value) == 24:
		spec.Algorithm = hsm.TDES3
	}
	k, err := s.m.LoadClear(s.Context(), spec, clearKey(s, value))
	if err != nil {
		s.Fatalf("load a KBPK of %d bytes: %v", len(value), err)
	}
	return &k
}

// working wishes for a key.
func (s *suite) working(u hsm.Usage, a hsm.Algorithm) hsm.WorkingKey {
	w := hsm.WorkingKey{Spec: s.spec(u)}
	w.Algorithm = a
	return w
}

// opened is the clear key of a block, by the standard library.
func (s *suite) opened(text, kbpk string) []byte {
	s.Helper()
	b, err := keyblock.Parse(text)
	if err != nil {
		s.Fatal(err)
	}
	keys, err := KeyBlockKeys(b.Header.Version, unhex(s, kbpk))
	if err != nil {
		s.Fatal(err)
	}
	key, err := b.Unwrap(keys, make([]byte, b.WorkLen()))
	if err != nil {
		s.Fatal(err)
	}
	return key
}

// closed is a block of a clear key, by the standard library.
func (s *suite) closed(header, kbpk string, key []byte) string {
	s.Helper()
	h, err := keyblock.ParseHeader(header)
	if err != nil {
		s.Fatal(err)
	}
	keys, err := KeyBlockKeys(h.Version, unhex(s, kbpk))
	if err != nil {
		s.Fatal(err)
	}
	text, err := keyblock.Wrap(keys, h, key, bytes.Repeat([]byte{0xA5}, h.PaddingLen(len(key))), make([]byte, 8192))
	if err != nil {
		s.Fatal(err)
	}
	return text
}

// checkOf is the payment check value of a clear key, by the standard library.
func checkOf(s *suite, a hsm.Algorithm, key []byte) (kcv [3]byte) {
	s.Helper()
	var sum [16]byte
	c, err := blockOf(key, a.IsAES())
	if err != nil {
		s.Fatal(err)
	}
	if a.IsTDES() {
		c.Encrypt(sum[:8], sum[:8])
	} else if err := (inProcess{c}).CMAC(make([]byte, c.BlockSize()), sum[:]); err != nil {
		s.Fatal(err)
	}
	copy(kcv[:], sum[:])
	return kcv
}

// wished finds a usage that a vector's header agrees with in the strict table.
func (s *suite) wished(h *keyblock.Header, size int) (hsm.WorkingKey, bool) {
	for _, u := range append([]hsm.Usage{hsm.HMACKey}, usages...) {
		for _, a := range []hsm.Algorithm{hsm.TDES2, hsm.TDES3, hsm.AES128, hsm.AES192, hsm.AES256} {
			w := s.working(u, a)
			w.Single = size == 8 && keyblock.MayBeSingle(u) && a == hsm.TDES2
			if keyblock.FitsLength(&w, size) == nil && keyblock.Agree(h, &w, false) == nil {
				return w, true
			}
		}
	}
	return hsm.WorkingKey{}, false
}

// importVectors takes in the published blocks whose header agrees with a usage.
func importVectors(s *suite) {
	n := 0
	for _, v := range load(s, "tr31", "tr31.unwrap") {
		if v.Type == "error" {
			continue
		}
		b, err := keyblock.Parse(v.text("key_block"))
		if err != nil {
			s.Fatal(err)
		}
		want := unhex(s, v.want())
		w, ok := s.wished(&b.Header, len(want))
		if !ok {
			continue
		}
		kbpk := s.kbpk(v.bytes(s, "kbpk"), b.Header.Version >= 'D')
		key, err := s.m.ImportKeyBlock(s.Context(), kbpk, w, v.text("key_block"))
		if err != nil || key.KCV != checkOf(s, w.Algorithm, want) || key.Usage != w.Usage || key.Name != w.Name {
			s.Errorf("%s as %s: %v, check value %X", v.ID, w.Usage, err, key.KCV)
		}
		n++
	}
	s.count(n, 14)
}

// translateBlockVectors passes the published blocks that are exportable on under
// another key, where the standard library opens them.
func translateBlockVectors(s *suite) {
	to := s.kbpk(unhex(s, aesKBPK), true)
	n, asymmetric := 0, 0
	for _, v := range load(s, "tr31", "tr31.unwrap") {
		if v.Type == "error" {
			continue
		}
		b, err := keyblock.Parse(v.text("key_block"))
		if err != nil {
			s.Fatal(err)
		}
		from := s.kbpk(v.bytes(s, "kbpk"), b.Header.Version >= 'D')
		out, err := s.m.TranslateKeyBlock(s.Context(), from, to, v.text("key_block"), hsm.KeyBlockForm{})
		switch {
		case b.Header.Algorithm == 'R' || b.Header.Algorithm == 'E':
			asymmetric++
			if !errors.Is(err, hsm.ErrUsage) {
				s.Errorf("%s: an asymmetric key: %v, want ErrUsage", v.ID, err)
			}
		case b.Header.Exportability == 'N':
			if !errors.Is(err, hsm.ErrUsage) {
				s.Errorf("%s: not exportable: %v, want ErrUsage", v.ID, err)
			}
		case err != nil:
			s.Errorf("%s: %v", v.ID, err)
		default:
			if got := upper(s.opened(out, aesKBPK)); got != v.want() || out[0] != 'D' {
				s.Errorf("%s: another key came out, in version %c", v.ID, out[0])
			}
			n++
		}
	}
	s.count(n, 25)
	s.count(asymmetric, 2)
}

// refusedBlocks: every negative vector is refused, for its reason.
func refusedBlocks(s *suite) {
	to := s.kbpk(unhex(s, aesKBPK), true)
	n := 0
	for _, v := range load(s, "tr31", "tr31.unwrap") {
		if v.Type != "error" {
			continue
		}
		n++
		value := v.bytes(s, "kbpk")
		if v.Reason == "kbpk_length" { // no key of that length can be loaded
			spec := s.spec(hsm.KBPK)
			if _, err := s.m.LoadClear(s.Context(), spec, clearKey(s, value)); !errors.Is(err, hsm.ErrInput) {
				s.Errorf("%s: a KBPK of %d bytes: %v", v.ID, len(value), err)
			}
			continue
		}
		from := s.kbpk(value, v.text("key_block")[0] >= 'D')
		want := hsm.ErrInput
		if v.Reason == "mac_mismatch" {
			want = hsm.ErrBinding
		}
		// Exportable, and agreeing where the block parses: the reason is all that is wrong.
		_, err := s.m.TranslateKeyBlock(s.Context(), from, to, v.text("key_block"), hsm.KeyBlockForm{})
		w := s.working(hsm.TAK, hsm.TDES2)
		if strings.Contains(v.text("key_block")[:8], "P0") {
			w = s.working(hsm.TPK, hsm.TDES2)
		}
		_, err2 := s.m.ImportKeyBlock(s.Context(), from, w, v.text("key_block"))
		if !errors.Is(err, want) || !errors.Is(err2, want) && !errors.Is(err2, keyblock.ErrAgree) {
			s.Errorf("%s (%s): %v; %v", v.ID, v.Reason, err, err2)
		}
	}
	s.count(n, 27)
}

// travelFunctions are the uses of keys that carry others.
func (s *suite) travelFunctions() []function {
	m := s.m
	other := s.kbpk(unhex(s, tdeKBPK), false)
	value := s.closed("B0000M3TC00E0000", testKey, unhex(s, otherKey))
	value2 := s.closed("B0000M3TC00E0000", tdeKBPK, unhex(s, otherKey))
	tpk, zpk, tak := s.working(hsm.TPK, hsm.TDES2), s.working(hsm.ZPK, hsm.TDES2), s.working(hsm.TAK, hsm.TDES2)
	return []function{
		{"GenerateSet terminal", []hsm.Usage{hsm.TMK, hsm.KBPK}, func(ctx context.Context, k *hsm.Key) error {
			_, _, err := m.GenerateSet(ctx, k, tpk)
			return err
		}},
		{"GenerateSet zone", []hsm.Usage{hsm.ZMK, hsm.KBPK}, func(ctx context.Context, k *hsm.Key) error {
			_, _, err := m.GenerateSet(ctx, k, zpk)
			return err
		}},
		{"LoadSet", []hsm.Usage{hsm.TMK, hsm.KBPK}, func(ctx context.Context, k *hsm.Key) error {
			_, err := m.LoadSet(ctx, k, []hsm.WorkingKey{tak}, []hsm.Exported{{Cryptogram: make([]byte, 16)}})
			return err
		}},
		{"ImportKeyBlock", []hsm.Usage{hsm.KBPK}, func(ctx context.Context, k *hsm.Key) error {
			_, err := m.ImportKeyBlock(ctx, k, tak, value)
			return err
		}},
		{"TranslateKeyBlock from", []hsm.Usage{hsm.KBPK}, func(ctx context.Context, k *hsm.Key) error {
			_, err := m.TranslateKeyBlock(ctx, k, other, value, hsm.KeyBlockForm{})
			return err
		}},
		{"TranslateKeyBlock to", []hsm.Usage{hsm.KBPK}, func(ctx context.Context, k *hsm.Key) error {
			_, err := m.TranslateKeyBlock(ctx, other, k, value2, hsm.KeyBlockForm{})
			return err
		}},
	}
}

// forms are what a key of this HSM may leave as.
var forms = []struct {
	kbpk    string
	isAES   bool
	version byte
	keys    []hsm.Algorithm
}{
	{tdeKBPK, false, 'B', []hsm.Algorithm{hsm.TDES2}},
	{tdeKBPK + testKey[:16], false, 'B', []hsm.Algorithm{hsm.TDES2, hsm.TDES3}},
	{aesKBPK[:32], true, 'D', []hsm.Algorithm{hsm.TDES2, hsm.TDES3, hsm.AES128}},
	{aesKBPK[:48], true, 'D', []hsm.Algorithm{hsm.TDES2, hsm.AES128, hsm.AES192}},
	{aesKBPK, true, 'D', []hsm.Algorithm{hsm.TDES2, hsm.TDES3, hsm.AES128, hsm.AES192, hsm.AES256}},
	{aesKBPK[:32], true, 'E', []hsm.Algorithm{hsm.TDES2, hsm.AES128}},
	{aesKBPK[:48], true, 'E', []hsm.Algorithm{hsm.TDES3, hsm.AES192}},
	{aesKBPK, true, 'E', []hsm.Algorithm{hsm.TDES2, hsm.TDES3, hsm.AES128, hsm.AES192, hsm.AES256}},
}

// keyBlockRoundTrip: what the module makes opens with the standard library to the key
// it keeps, hides the key's length, and comes in again.
func keyBlockRoundTrip(s *suite) {
	lengths := make(map[string]int)
	for _, f := range forms {
		kbpk := s.kbpk(unhex(s, f.kbpk), f.isAES)
		for _, a := range f.keys {
			w := s.working(hsm.TDK, a)
			w.Form = hsm.KeyBlockForm{Version: f.version, Mode: 'B', Exportability: 'E', KeyVersion: "07", Options: []hsm.KeyBlockOption{{ID: "LB", Data: "till 7"}}}
			keys, out, err := s.m.GenerateSet(s.Context(), kbpk, w)
			if err != nil {
				s.Errorf("version %c, %s: %v", f.version, a, err)
				continue
			}
			value := s.opened(out[0].Block, f.kbpk)
			if kcv := checkOf(s, a, value); len(value) != a.Size() || kcv != keys[0].KCV || !bytes.Equal(out[0].KCV[:3], kcv[:]) {
				s.Errorf("version %c, %s: %d bytes, check values %X and %X, want %X", f.version, a, len(value), keys[0].KCV, out[0].KCV, kcv)
			}
			again, err := s.m.ImportKeyBlock(s.Context(), kbpk, s.working(hsm.TDK, a), out[0].Block)
			if err != nil || again.KCV != keys[0].KCV {
				s.Errorf("version %c, %s: taken in again: %X, %v", f.version, a, again.KCV, err)
			}
			class := fmt.Sprintf("%c %v", f.version, a.IsAES())
			if n := lengths[class]; n != 0 && n != len(out[0].Block) {
				s.Errorf("version %c, %s: %d characters, another length has %d", f.version, a, len(out[0].Block), n)
			}
			lengths[class] = len(out[0].Block)
		}
	}
}

// translateRules: what a translated block may become.
func translateRules(s *suite) {
	from, to := s.kbpk(unhex(s, tdeKBPK), false), s.kbpk(unhex(s, aesKBPK), true)
	block := s.closed("B0000P0TB00S0300KS1800604B120F9292800000KP0C00"+upper(from.KCV[:])+"LB0CTEXTTEXT", tdeKBPK, unhex(s, otherKey))
	for name, c := range map[string]struct {
		form hsm.KeyBlockForm
		want error
	}{
		"as it is":               {hsm.KeyBlockForm{}, nil},
		"narrower":               {hsm.KeyBlockForm{Mode: 'E', Exportability: 'N'}, nil},
		"under version E":        {hsm.KeyBlockForm{Version: 'E'}, nil},
		"another label":          {hsm.KeyBlockForm{Options: []hsm.KeyBlockOption{{ID: "LB", Data: "new"}}}, nil},
		"another usage":          {hsm.KeyBlockForm{Usage: "D0"}, hsm.ErrUsage},
		"another key version":    {hsm.KeyBlockForm{KeyVersion: "02"}, hsm.ErrUsage},
		"wider mode":             {hsm.KeyBlockForm{Mode: 'N'}, hsm.ErrUsage},
		"withdrawn version":      {hsm.KeyBlockForm{Version: 'C'}, hsm.ErrInput},
		"DES version under AES":  {hsm.KeyBlockForm{Version: 'B'}, hsm.ErrInput},
		"malformed option":       {hsm.KeyBlockForm{Options: []hsm.KeyBlockOption{{ID: "KS", Data: "x"}}}, hsm.ErrInput},
		"context not of X9.143":  {hsm.KeyBlockForm{Context: '7'}, hsm.ErrInput},
		"unknown exportability ": {hsm.KeyBlockForm{Exportability: 'Q'}, hsm.ErrInput},
	} {
		out, err := s.m.TranslateKeyBlock(s.Context(), from, to, block, c.form)
		if !errors.Is(err, c.want) {
			s.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil {
			continue
		}
		if got := upper(s.opened(out, aesKBPK)); got != otherKey || !strings.Contains(out, "KS1800604B120F9292800000") || strings.Contains(out[:60], "KP") {
			s.Errorf("%s: another key or other options: %.60s", name, out)
		}
	}
	narrow := s.closed("B0000P0TB00E0000", tdeKBPK, unhex(s, otherKey))
	if _, err := s.m.TranslateKeyBlock(s.Context(), from, to, narrow, hsm.KeyBlockForm{Exportability: 'S'}); !errors.Is(err, hsm.ErrUsage) {
		s.Errorf("wider exportability: %v, want ErrUsage", err)
	}
	component := s.closed("B0000P0TBc1E0000", tdeKBPK, unhex(s, otherKey))
	if _, err := s.m.TranslateKeyBlock(s.Context(), from, to, component, hsm.KeyBlockForm{}); !errors.Is(err, hsm.ErrUsage) {
		s.Errorf("a component: %v, want ErrUsage", err)
	}
}
