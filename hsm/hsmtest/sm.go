// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"bytes"
	"context"
	"errors"

	"github.com/emmansun/gmsm/sm4"

	"tapswitch/hsm"
	"tapswitch/hsm/pinblock"
	"tapswitch/internal/secret"
)

// smCases are the functions of the SM series. A module without them refuses
// every one by name; a driver says in its own tests which of the two it is.
func smCases() []testCase {
	return []testCase{
		{"sm/vectors, or refused by name", smVectors},
		{"sm/MAC as the textbook", both(smMAC)},
		{"sm/translate a PIN block", both(smTranslate)},
		{"sm/keys under a terminal master key", both(smTravel)},
		{"sm/usages", both(smUsages)},
		{"trap/SM4 check value is ECB", both(smCheckValue)},
		{"trap/SM4 PIN blocks have two shapes", both(trapSMShapes)},
	}
}

// sm reports whether the module has the SM series.
func (s *suite) sm() bool { return !errors.Is(second(s.m.SM3(s.Context(), nil)), hsm.ErrUnsupported) }

// both runs a test on a module that has the SM series, and all refusals on one
// that has not.
func both(run func(s *suite)) func(s *suite) {
	return func(s *suite) {
		if s.sm() {
			run(s)
			return
		}
		smRefused(s)
	}
}

// smRefused: no key of SM4 comes in, none is made, nothing is computed.
func smRefused(s *suite) {
	ctx, m := s.Context(), s.m
	for _, u := range []hsm.Usage{hsm.TMK, hsm.TPK, hsm.TAK, hsm.ZPK, hsm.ZAK} {
		spec := s.spec(u)
		spec.Algorithm = hsm.SM4
		tmk := s.good(hsm.TMK)
		all := []error{
			second(m.LoadClear(ctx, spec, clearKey(s, someKey(16)))), second(m.Generate(ctx, spec)),
			second(m.SM3(ctx, []byte("abc"))), second(m.MAC(ctx, s.good(hsm.TAK), hsm.MACSM4CBC, []byte("abc"))),
			m.VerifyMAC(ctx, s.good(hsm.TAK), hsm.MACSM4CMAC, []byte("abc"), make([]byte, 16)),
			second(m.TranslateSM4PIN(ctx, s.block(make([]byte, 16)), hsm.SM4Wide, s.good(hsm.TPK), s.good(hsm.ZPK), account12(s, testPAN))),
		}
		if u == hsm.TPK || u == hsm.TAK {
			all = append(all, third(m.GenerateSet(ctx, tmk, hsm.WorkingKey{Spec: spec})),
				second(m.LoadSet(ctx, tmk, []hsm.WorkingKey{{Spec: spec}}, []hsm.Exported{{Cryptogram: make([]byte, 16)}})))
		}
		for i, err := range all {
			if !errors.Is(err, hsm.ErrUnsupported) {
				s.Errorf("%s, call %d: %v, want ErrUnsupported", u, i, err)
			}
		}
	}
}

func smVectors(s *suite) {
	if !s.sm() {
		smRefused(s)
		return
	}
	n := 0
	for _, v := range load(s, "sm", "sm3.digest") {
		got, err := s.m.SM3(s.Context(), v.bytes(s, "data"))
		if err != nil || upper(got[:]) != v.want() {
			s.Errorf("%s: %X, %v; want %s", v.ID, got, err, v.want())
		}
		n++
	}
	for _, v := range load(s, "sm", "sm4.ecb_encrypt") {
		// one whole block under padding 1 is the cipher of the block
		if got := s.mac(s.keyOf(hsm.ZAK, hsm.SM4, v.bytes(s, "key")), hsm.MACSM4CBC, v.bytes(s, "data")); upper(got) != v.want() {
			s.Errorf("%s: %X, want %s", v.ID, got, v.want())
		}
		n++
	}
	for _, v := range load(s, "sm", "sm4.ecb_decrypt") {
		// a working key under a terminal master key: its check value is a vector too
		check := load(s, "kcv", "kcv.sm4")[0]
		if check.text("key") != v.want() {
			s.Fatalf("%s has no check value", v.ID)
		}
		spec := s.spec(hsm.TPK)
		spec.Algorithm = hsm.SM4
		in := hsm.Exported{Cryptogram: v.bytes(s, "data"), KCV: [4]byte(unhex(s, check.want()[:8]))}
		keys, err := s.m.LoadSet(s.Context(), s.keyOf(hsm.TMK, hsm.SM4, v.bytes(s, "key")), []hsm.WorkingKey{{Spec: spec}}, []hsm.Exported{in})
		if err != nil {
			s.Errorf("%s: %v", v.ID, err)
		} else if upper(keys[0].KCV[:]) != check.want()[:6] {
			s.Errorf("%s: check value %X, want %s", v.ID, keys[0].KCV, check.want())
		}
		n++
	}
	s.count(n, 2+2+1)
}

// smMAC compares with published values and with the textbook. The values are
// those of GB/T 15852.1-2020, appendix B, as public implementations print them.
func smMAC(s *suite) {
	key := s.keyOf(hsm.ZAK, hsm.SM4, unhex(s, testKey))
	const long, short = "This is the test message for mac", "This is the test message "
	for _, c := range []struct {
		alg        hsm.MACAlgorithm
		data, want string
	}{
		{hsm.MACSM4CBC.Keep(8), long, "16E02904EFB765B7"}, {hsm.MACSM4CBC.Keep(8), short, "BA89E45FE8ABF242"},
		{hsm.MACSM4CBCPad2, long, "4B6553AF3C4E27448412315AC7849535"}, {hsm.MACSM4CBCPad2, short, "421AD1690AA152E2846FA2A5D83445A9"},
		{hsm.MACSM4CBCPad2, "", "8C338E5A27E349BEAE39214FEDA97099"},
		{hsm.MACSM4CBCPad3.Keep(8), long, "71AF7E4553404CBC"}, {hsm.MACSM4CBCPad3.Keep(8), short, "6A4A86F5B5E468DA"},
		{hsm.MACSM4CMAC, long, "692C437100F3B5EE2B8ABCEF373D990C"},
	} {
		got := s.mac(key, c.alg, []byte(c.data))
		if upper(got) != c.want {
			s.Errorf("%s of %d bytes: %X, want %s", c.alg, len(c.data), got, c.want)
		}
		if err := s.m.VerifyMAC(s.Context(), key, c.alg, []byte(c.data), got); err != nil {
			s.Errorf("%s: verify: %v", c.alg, err)
		}
		got[0] ^= 1
		if err := s.m.VerifyMAC(s.Context(), key, c.alg, []byte(c.data), got); !errors.Is(err, hsm.ErrMAC) {
			s.Errorf("%s: a bit flipped: %v, want ErrMAC", c.alg, err)
		}
	}
	for _, alg := range hsm.MACAlgorithms() {
		if alg.IsSM() {
			s.textbook(alg, hsm.SM4)
		}
	}
}

// sm4Block enciphers or deciphers one block with the library.
func sm4Block(s *suite, key, in []byte, decrypt bool) []byte {
	s.Helper()
	c, err := sm4.NewCipher(key)
	if err != nil {
		s.Fatal(err)
	}
	out := make([]byte, 16)
	if decrypt {
		c.Decrypt(out, in)
	} else {
		c.Encrypt(out, in)
	}
	return out
}

// smClear is a clear SM4 PIN block.
func smClear(s *suite, shape hsm.SM4Shape, pin, pan string) []byte {
	s.Helper()
	encode := pinblock.EncodeSM4Wide
	if shape == hsm.SM4Filled {
		encode = pinblock.EncodeSM4Filled
	}
	var block [16]byte
	if err := encode(&block, []byte(pin), account12(s, pan)); err != nil {
		s.Fatal(err)
	}
	return block[:]
}

// smTranslate starts from the enciphered block of a public vector, and from one
// in the other shape.
func smTranslate(s *suite) {
	const pan, pin = "6230606601007726888", "123654"
	from := unhex(s, "F351D490994603795C6EBEE8FAEBB481")
	tpk, zpk := s.keyOf(hsm.TPK, hsm.SM4, from), s.keyOf(hsm.ZPK, hsm.SM4, unhex(s, otherKey))
	des := s.key(hsm.ZPK, unhex(s, testKey))
	for _, v := range load(s, "sm", "sm4.ecb_encrypt") {
		if got := upper(smClear(s, hsm.SM4Filled, pin, pan)); v.text("data") == got && v.want() != upper(sm4Block(s, from, unhex(s, got), false)) {
			s.Errorf("%s is not the block of this PIN", v.ID)
		}
	}
	for _, shape := range []hsm.SM4Shape{hsm.SM4Filled, hsm.SM4Wide} {
		block := smClear(s, shape, pin, pan)
		in := s.block(sm4Block(s, from, block, false))
		out, err := s.m.TranslateSM4PIN(s.Context(), in, shape, tpk, zpk, account12(s, pan))
		if err != nil || !bytes.Equal(sm4Block(s, unhex(s, otherKey), out.AppendTo(nil, secret.ForTest), true), block) {
			s.Errorf("shape %d to SM4: %v", shape, err)
		}
		out, err = s.m.TranslateSM4PIN(s.Context(), in, shape, tpk, des, account12(s, pan))
		if got := upper(tdes(s, unhex(s, testKey), out.AppendTo(nil, secret.ForTest), true)); err != nil || got != "06125055FF88D977" {
			s.Errorf("shape %d to TDES: %v", shape, err)
		}
		other := hsm.SM4Filled + hsm.SM4Wide - shape
		for name, err := range map[string]error{
			"the other shape": second(s.m.TranslateSM4PIN(s.Context(), in, other, tpk, zpk, account12(s, pan))),
			"another account": second(s.m.TranslateSM4PIN(s.Context(), in, shape, tpk, zpk, account12(s, testPAN))),
			"another key":     second(s.m.TranslateSM4PIN(s.Context(), in, shape, zpk, zpk, account12(s, pan))),
		} {
			if !errors.Is(err, hsm.ErrPINBlock) {
				s.Errorf("shape %d, %s: %v, want ErrPINBlock", shape, name, err)
			}
		}
		if _, err := s.m.TranslateSM4PIN(s.Context(), s.block(make([]byte, 8)), shape, tpk, zpk, account12(s, pan)); !errors.Is(err, hsm.ErrInput) {
			s.Errorf("a block of 8: %v, want ErrInput", err)
		}
		if _, err := s.m.TranslateSM4PIN(s.Context(), in, 0, tpk, zpk, account12(s, pan)); !errors.Is(err, hsm.ErrInput) {
			s.Errorf("no shape: %v, want ErrInput", err)
		}
		if pad, ok := s.m.(hsm.SM4PINEncipherer); ok {
			typed, err := pad.EncipherSM4PIN(s.Context(), clearKey(s, []byte(pin)), shape, tpk, account12(s, pan))
			if err != nil || !bytes.Equal(typed.AppendTo(nil, secret.ForTest), in.AppendTo(nil, secret.ForTest)) {
				s.Errorf("shape %d typed: %v", shape, err)
			}
			if _, err := pad.EncipherSM4PIN(s.Context(), clearKey(s, []byte("123")), shape, tpk, account12(s, pan)); !errors.Is(err, hsm.ErrInput) {
				s.Errorf("a PIN of 3 digits: %v, want ErrInput", err)
			}
		}
	}
}

// smTravel: what is exported under an SM4 master key is the key that is kept,
// and no key travels under a master key of another algorithm.
func smTravel(s *suite) {
	tmk := s.keyOf(hsm.TMK, hsm.SM4, unhex(s, testKey))
	spec := s.spec(hsm.TAK)
	spec.Algorithm = hsm.SM4
	set := []hsm.WorkingKey{{Spec: spec}}
	keys, out, err := s.m.GenerateSet(s.Context(), tmk, set...)
	if err != nil {
		s.Fatal(err)
	}
	value := sm4Block(s, unhex(s, testKey), out[0].Cryptogram, true)
	if want := sm4Block(s, value, make([]byte, 16), false); !bytes.Equal(out[0].KCV[:], want[:4]) || !bytes.Equal(keys[0].KCV[:], want[:3]) {
		s.Errorf("check values %X and %X, want %X", out[0].KCV, keys[0].KCV, want)
	}
	loaded, err := s.m.LoadSet(s.Context(), tmk, set, out)
	if err != nil {
		s.Fatal(err)
	}
	if !bytes.Equal(s.mac(&keys[0], hsm.MACSM4CBC, value), s.mac(&loaded[0], hsm.MACSM4CBC, value)) {
		s.Error("the loaded key is another")
	}
	out[0].KCV[0] ^= 1
	if _, err := s.m.LoadSet(s.Context(), tmk, set, out); !errors.Is(err, hsm.ErrInput) {
		s.Errorf("wrong check value: %v, want ErrInput", err)
	}
	if _, _, err := s.m.GenerateSet(s.Context(), s.good(hsm.TMK), set...); !errors.Is(err, hsm.ErrUsage) {
		s.Errorf("an SM4 key under DES: %v, want ErrUsage", err)
	}
	if _, _, err := s.m.GenerateSet(s.Context(), tmk, hsm.WorkingKey{Spec: s.spec(hsm.TAK)}); !errors.Is(err, hsm.ErrUsage) {
		s.Errorf("a DES key under SM4: %v, want ErrUsage", err)
	}
}

// smUsages: SM4 keys do SM4 work of their usage and nothing else, and no other
// key does it.
func smUsages(s *suite) {
	for _, u := range []hsm.Usage{hsm.TMK, hsm.TPK, hsm.TAK, hsm.ZPK, hsm.ZAK} {
		key := s.keyOf(u, hsm.SM4, someKey(16))
		for _, f := range s.every() {
			if err := f.call(s.Context(), key); !errors.Is(err, hsm.ErrUsage) {
				s.Errorf("%s with a %s of SM4: %v, want ErrUsage", f.name, u, err)
			}
		}
		in, zpk := s.block(make([]byte, 16)), s.keyOf(hsm.ZPK, hsm.SM4, someKey(16))
		for name, c := range map[string]struct {
			allowed bool
			call    func(ctx context.Context, k *hsm.Key) error
		}{
			"MAC": {u == hsm.TAK || u == hsm.ZAK, func(ctx context.Context, k *hsm.Key) error { return second(s.m.MAC(ctx, k, hsm.MACSM4CMAC, nil)) }},
			"PIN from": {u == hsm.TPK || u == hsm.ZPK, func(ctx context.Context, k *hsm.Key) error {
				return second(s.m.TranslateSM4PIN(ctx, in, hsm.SM4Wide, k, zpk, account12(s, testPAN)))
			}},
			"PIN to": {u == hsm.ZPK, func(ctx context.Context, k *hsm.Key) error {
				return second(s.m.TranslateSM4PIN(ctx, in, hsm.SM4Wide, zpk, k, account12(s, testPAN)))
			}},
		} {
			if err := c.call(s.Context(), key); errors.Is(err, hsm.ErrUsage) == c.allowed {
				s.Errorf("%s with a %s of SM4: %v", name, u, err)
			}
			if name == "PIN to" {
				continue // a TDES zone key is a good target
			}
			if err := c.call(s.Context(), s.good(u)); !errors.Is(err, hsm.ErrUsage) {
				s.Errorf("%s with a %s of TDES: %v, want ErrUsage", name, u, err)
			}
		}
	}
}

// smCheckValue: ECB of zeros, as for DES; the CMAC of AES keys would be another.
func smCheckValue(s *suite) {
	for _, v := range load(s, "kcv", "kcv.sm4") {
		key := s.keyOf(hsm.ZAK, hsm.SM4, v.bytes(s, "key"))
		whole := upper(s.mac(key, hsm.MACSM4CBC, make([]byte, 16)))
		if upper(key.KCV[:]) != v.want()[:6] || whole[:16] != v.want() {
			s.Errorf("%s: check value %X, ECB %s; want %s", v.ID, key.KCV, whole, v.want())
		}
		if cmac := s.mac(key, hsm.MACSM4CMAC, make([]byte, 16)); bytes.Equal(cmac[:3], key.KCV[:]) {
			s.Error("check value is the CMAC")
		}
	}
}

// trapSMShapes: hosts ask for one of two shapes, and a block of the one is no
// block of the other: the shape is agreed, never guessed.
func trapSMShapes(s *suite) {
	from, pan := someKey(16), testPAN
	tpk, zpk := s.keyOf(hsm.TPK, hsm.SM4, from), s.key(hsm.ZPK, unhex(s, testKey))
	filled, wide := smClear(s, hsm.SM4Filled, "1234", pan), smClear(s, hsm.SM4Wide, "1234", pan)
	if bytes.Equal(filled, wide) || !bytes.Equal(filled[8:], make([]byte, 8)) || len(wide) != 16 {
		s.Errorf("%X and %X", filled, wide)
	}
	for made, block := range map[hsm.SM4Shape][]byte{hsm.SM4Filled: filled, hsm.SM4Wide: wide} {
		in := s.block(sm4Block(s, from, block, false))
		for asked, want := range map[hsm.SM4Shape]error{made: nil, hsm.SM4Filled + hsm.SM4Wide - made: hsm.ErrPINBlock} {
			if _, err := s.m.TranslateSM4PIN(s.Context(), in, asked, tpk, zpk, account12(s, pan)); !errors.Is(err, want) {
				s.Errorf("shape %d asked as %d: %v, want %v", made, asked, err, want)
			}
		}
	}
}
