// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"errors"

	"tapswitch/hsm"
	"tapswitch/hsm/pinblock"
	"tapswitch/internal/secret"
)

// pinFormats in service, and one number on either side of them.
var pinFormats = []hsm.PINFormat{0, hsm.ISO0, hsm.ISO1, hsm.ISO2, hsm.ISO3, hsm.ISO4, hsm.ISO4 + 1}

// hosts are the formats in which a PIN block travels between hosts.
var hosts = []hsm.PINFormat{hsm.ISO0, hsm.ISO1, hsm.ISO3, hsm.ISO4}

// keysOf are clear keys of every length for blocks of format f.
func (s *suite) keysOf(f hsm.PINFormat) (out [][]byte) {
	out = [][]byte{unhex(s, testKey), unhex(s, testKey+otherKey[:16])}
	if f == hsm.ISO4 {
		out = append(out, unhex(s, testKey+otherKey))
	}
	return out
}

// translationPairs writes the table of PCI PIN 3-3 a second time, as words, and
// holds a driver to it with keys of every length.
func translationPairs(s *suite) {
	allowed := map[hsm.PINFormat][]hsm.PINFormat{
		hsm.ISO0: {hsm.ISO0, hsm.ISO3, hsm.ISO4}, hsm.ISO1: {hsm.ISO0, hsm.ISO1, hsm.ISO3, hsm.ISO4},
		hsm.ISO3: {hsm.ISO0, hsm.ISO3, hsm.ISO4}, hsm.ISO4: {hsm.ISO0, hsm.ISO3, hsm.ISO4},
	}
	n := 0
	for _, from := range pinFormats {
		for _, to := range pinFormats {
			want := false
			for _, f := range allowed[from] {
				want = want || f == to
			}
			for _, fromKey := range s.keysOf(from) {
				for _, toKey := range s.keysOf(to) {
					s.translates(from, to, fromKey, toKey, want)
					n++
				}
			}
		}
	}
	s.count(n, 15*15) // two key lengths for each format, and three for one of them
}

// translates tries one pair of formats under one pair of keys.
func (s *suite) translates(from, to hsm.PINFormat, fromKey, toKey []byte, want bool) {
	s.Helper()
	in := hsm.EncipheredPIN{Format: from, Key: s.pinKey(hsm.TPK, from, fromKey), PAN: s.pan(testPAN)}
	if typedAs := from; typedAs != 0 && typedAs <= hsm.ISO4 {
		in.Block = s.typed(typedAs, fromKey, "90817", testPAN)
	}
	if from == hsm.ISO1 {
		in.PAN = secret.PAN{} // it has none
	}
	out, err := s.m.TranslatePIN(s.Context(), in, hsm.PINTarget{Format: to, Key: s.pinKey(hsm.ZPK, to, toKey), PAN: s.pan(testPAN)})
	switch {
	case !want && (!errors.Is(err, hsm.ErrPINFormat) || !out.IsZero()):
		s.Errorf("%s to %s: %v, want ErrPINFormat", from, to, err)
	case want && err != nil:
		s.Errorf("%s under %d bytes to %s under %d bytes: %v", from, len(fromKey), to, len(toKey), err)
	case want && s.pinIn(out, to, toKey, testPAN) != "90817":
		s.Errorf("%s to %s: another PIN", from, to)
	}
}

// freshFiller: two translations of one block have nothing in common but the PIN.
func freshFiller(s *suite) {
	for _, f := range []hsm.PINFormat{hsm.ISO1, hsm.ISO3, hsm.ISO4} {
		in := s.arrived(hsm.ZPK, hsm.ISO1, unhex(s, testKey), "1234", testPAN)
		to := hsm.PINTarget{Format: f, Key: s.pinKey(hsm.ZPK, f, unhex(s, otherKey)), PAN: in.PAN}
		seen := make(map[string]bool)
		for range 16 {
			out, err := s.m.TranslatePIN(s.Context(), in, to)
			if err != nil {
				s.Fatal(err)
			}
			seen[string(out.AppendTo(nil, secret.ForTest))] = true
		}
		if len(seen) != 16 {
			s.Errorf("%s: 16 blocks of one PIN, %d different", f, len(seen))
		}
	}
}

// pinChange: a new reference value comes only with the right old PIN.
func pinChange(s *suite) {
	zpk, n := unhex(s, otherKey), 0
	pvk, pvkOffset := s.good(hsm.PVK), s.good(hsm.PVKOffset)
	for _, f := range hosts {
		old, next := s.arrived(hsm.TPK, f, zpk, "4524", testPAN), s.arrived(hsm.ZPK, hsm.ISO4, zpk, "908172", testPAN)
		value, err := s.m.GeneratePVV(s.Context(), old, pvk, '2')
		want, err2 := s.m.GeneratePVV(s.Context(), next, pvk, '2')
		got, err3 := s.m.ChangePVV(s.Context(), old, next, hsm.PVV{Key: pvk, Index: '2', Value: value})
		if err != nil || err2 != nil || err3 != nil || got != want || got == value {
			s.Errorf("%s: new PVV %s, want %s; %v, %v, %v", f, got, want, err, err2, err3)
		}
		offset, err := s.m.GenerateOffset(s.Context(), old, pvkOffset)
		wantOffset, err2 := s.m.GenerateOffset(s.Context(), next, pvkOffset)
		gotOffset, err3 := s.m.ChangeOffset(s.Context(), old, next, hsm.PINOffset{Key: pvkOffset, Value: offset})
		if err != nil || err2 != nil || err3 != nil || string(gotOffset) != string(wantOffset) || len(gotOffset) != 6 {
			s.Errorf("%s: new offset %s, want %s; %v, %v, %v", f, gotOffset, wantOffset, err, err2, err3)
		}
		wrongOld, bad, other := s.arrived(hsm.TPK, f, zpk, "4525", testPAN), next, s.arrived(hsm.ZPK, hsm.ISO4, zpk, "908172", "6224242300000077")
		bad.Block = s.block(make([]byte, 16))
		for _, c := range []struct {
			old, next hsm.EncipheredPIN
			want      error
		}{{wrongOld, next, hsm.ErrPIN}, {wrongOld, bad, hsm.ErrPIN}, {old, bad, hsm.ErrPINBlock}, {old, other, hsm.ErrInput}} {
			got, err := s.m.ChangePVV(s.Context(), c.old, c.next, hsm.PVV{Key: pvk, Index: '2', Value: value})
			gotOffset, err2 := s.m.ChangeOffset(s.Context(), c.old, c.next, hsm.PINOffset{Key: pvkOffset, Value: offset})
			if !errors.Is(err, c.want) || !errors.Is(err2, c.want) || got != [4]byte{} || gotOffset != nil {
				s.Errorf("%s: %v, %v; want %v and no value", f, err, err2, c.want)
			}
			n++
		}
	}
	s.count(n, 16)
}

// trapAccount: the twelve digits left of the check digit, whatever is in front
// of them or behind.
func trapAccount(s *suite) {
	key := unhex(s, otherKey)
	from := s.arrived(hsm.ZPK, hsm.ISO1, key, "1234", testPAN)
	made := func(f hsm.PINFormat, pan string) string {
		out, err := s.m.TranslatePIN(s.Context(), from, hsm.PINTarget{Format: f, Key: from.Key, PAN: s.pan(pan)})
		if err != nil {
			s.Fatalf("%s: a card number of %d digits: %v", f, len(pan), err)
		}
		return upper(cipherBlock(s, key, out.AppendTo(nil, secret.ForTest), true))
	}
	for _, pan := range []string{"4242300000069", testPAN, "9876544242300000061"} {
		if got, want := made(hsm.ISO0, pan), "041276BDCFFFFFF9"; got != want {
			s.Errorf("ISO-0 of a card number of %d digits: %s, want %s", len(pan), got, want)
		}
		Random.with(s, randomFor(s, hsm.ISO3, "FFFFFFFFFF"), func() {
			if got, want := made(hsm.ISO3, pan), "341276BDCFFFFFF9"; got != want {
				s.Errorf("ISO-3 of a card number of %d digits: %s, want %s", len(pan), got, want)
			}
		})
	}
	in := s.arrived(hsm.ZPK, hsm.ISO0, key, "1234", testPAN)
	in.PAN = s.pan(testPAN[1:] + "0") // one digit to the left: what comes of counting from the wrong end
	if err := s.m.VerifyPVV(s.Context(), in, hsm.PVV{Key: s.good(hsm.PVK), Index: '1'}); !errors.Is(err, hsm.ErrPINBlock) {
		s.Errorf("account shifted by one: %v, want ErrPINBlock", err)
	}
	for _, f := range []hsm.PINFormat{hsm.ISO0, hsm.ISO3} {
		in := s.arrived(hsm.ZPK, f, key, "1234", testPAN)
		in.PAN = s.pan("622424230000")
		if err := s.m.VerifyPVV(s.Context(), in, hsm.PVV{Key: s.good(hsm.PVK), Index: '1'}); !errors.Is(err, hsm.ErrInput) {
			s.Errorf("%s with a PAN of 12 digits: %v, want ErrInput", f, err)
		}
	}
}

// trapPANField: public samples show 0 for thirteen digits, and a twelve-digit
// PAN without its check digit.
func trapPANField(s *suite) {
	key, random := unhex(s, testKey), "1020304050607080"
	to := s.pinKey(hsm.ZPK, hsm.ISO4, key)
	in := s.arrived(hsm.ZPK, hsm.ISO1, key, "1234", testPAN)
	a := cipherBlock(s, key, pinField(s, "1234", random), false)
	for pan, want := range map[string]string{
		"41234567":            "00000412345670000000000000000000",
		"412345678901":        "04123456789010000000000000000000",
		"4123456789012":       "14123456789012000000000000000000",
		"4123456789012345678": "74123456789012345678000000000000",
	} {
		Random.with(s, unhex(s, random), func() {
			out, err := s.m.TranslatePIN(s.Context(), in, hsm.PINTarget{Format: hsm.ISO4, Key: to, PAN: s.pan(pan)})
			if err != nil {
				s.Fatalf("a PAN of %d digits: %v", len(pan), err)
			}
			b := cipherBlock(s, key, out.AppendTo(nil, secret.ForTest), true)
			if got := upper(xor(a, b)); got != want {
				s.Errorf("a PAN of %d digits: PAN field %s, want %s", len(pan), got, want)
			}
		})
	}
}

// trapPANFirst: a block made the other way round is malformed here.
func trapPANFirst(s *suite) {
	key := unhex(s, testKey)
	in := s.arrived(hsm.ZPK, hsm.ISO4, key, "1234", testPAN)
	to := hsm.PINTarget{Format: hsm.ISO4, Key: in.Key, PAN: in.PAN}
	field := pinField(s, "1234", "0102030405060708")
	for name, c := range map[string]struct {
		block []byte
		want  error
	}{
		"PIN first":           {cipherBlock(s, key, xor(cipherBlock(s, key, field, false), panField(s, testPAN)), false), nil},
		"PAN first":           {cipherBlock(s, key, xor(cipherBlock(s, key, panField(s, testPAN), false), field), false), hsm.ErrPINBlock},
		"xor first, once":     {cipherBlock(s, key, xor(field, panField(s, testPAN)), false), hsm.ErrPINBlock},
		"no PAN":              {cipherBlock(s, key, cipherBlock(s, key, field, false), false), hsm.ErrPINBlock},
		"eight bytes of PAN":  {cipherBlock(s, key, xor(cipherBlock(s, key, field, false), append(make([]byte, 8), panField(s, testPAN)[:8]...)), false), hsm.ErrPINBlock},
		"another card's":      {encipher4(s, key, field, "6224242300000077"), hsm.ErrPINBlock},
		"under another key's": {encipher4(s, unhex(s, otherKey), field, testPAN), hsm.ErrPINBlock},
	} {
		in.Block = s.block(c.block)
		if _, err := s.m.TranslatePIN(s.Context(), in, to); !errors.Is(err, c.want) {
			s.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// trapPVV: only the first four digits of a longer PIN count, and only eleven of
// the account.
func trapPVV(s *suite) {
	ref := hsm.PVV{Key: s.key(hsm.PVK, unhex(s, testKey)), Index: '1', Value: [4]byte([]byte("8523"))}
	for pin, want := range map[string]error{"4524": nil, "45249": nil, "452411111111": nil, "4525": hsm.ErrPIN, "94524": hsm.ErrPIN} {
		for _, pan := range []string{"1122334455667788", "1192334455667788", "9992334455667780"} {
			err := s.m.VerifyPVV(s.Context(), s.arrived(hsm.ZPK, hsm.ISO0, unhex(s, otherKey), pin, pan), ref)
			if !errors.Is(err, want) {
				s.Errorf("a PIN of %d digits: %v, want %v", len(pin), err, want)
			}
		}
	}
	in := s.arrived(hsm.ZPK, hsm.ISO1, unhex(s, otherKey), "4524", "1122334455667788")
	for pan, want := range map[string]error{"1122334455667788": nil, "92334455667781": nil, "1122334455667798": hsm.ErrPIN, "23344556677": hsm.ErrInput} {
		in.PAN = s.pan(pan)
		if err := s.m.VerifyPVV(s.Context(), in, ref); !errors.Is(err, want) {
			s.Errorf("a PAN of %d digits: %v, want %v", len(pan), err, want)
		}
	}
}

// trapPINLength: every length in every format, read and made.
func trapPINLength(s *suite) {
	key := unhex(s, testKey)
	const digits = "908172635445362"
	for _, f := range hosts {
		for n := range 15 {
			in := s.arrived(hsm.ZPK, f, key, digits[:n], testPAN)
			good := n >= 4 && n <= 12
			for _, to := range hosts {
				if to == hsm.ISO1 && f != hsm.ISO1 {
					continue
				}
				out, err := s.m.TranslatePIN(s.Context(), in, hsm.PINTarget{Format: to, Key: s.pinKey(hsm.ZPK, to, key), PAN: in.PAN})
				switch {
				case good && (err != nil || s.pinIn(out, to, key, testPAN) != digits[:n]):
					s.Errorf("%s to %s, %d digits: %v", f, to, n, err)
				case !good && (!errors.Is(err, hsm.ErrPINBlock) || !errors.Is(err, pinblock.ErrPINLength)):
					s.Errorf("%s to %s, %d digits: %v, want ErrPINBlock for its length", f, to, n, err)
				}
			}
		}
	}
}

// trapWrongPIN: a try is counted for a wrong PIN, never for a block that cannot
// be read.
func trapWrongPIN(s *suite) {
	key := unhex(s, otherKey)
	pvk, pvkOffset := s.good(hsm.PVK), s.good(hsm.PVKOffset)
	for _, f := range hosts {
		right := s.arrived(hsm.ZPK, f, key, "4524", testPAN)
		pvv, err := s.m.GeneratePVV(s.Context(), right, pvk, '1')
		offset, err2 := s.m.GenerateOffset(s.Context(), right, pvkOffset)
		if err != nil || err2 != nil {
			s.Fatal(err, err2)
		}
		wrongKey := right
		wrongKey.Key = s.pinKey(hsm.ZPK, f, unhex(s, testKey))
		flipped := right
		raw := right.Block.AppendTo(nil, secret.ForTest)
		raw[0] ^= 0x80
		flipped.Block = s.block(raw)
		for name, c := range map[string]struct {
			in   hsm.EncipheredPIN
			want error
		}{
			"right": {right, nil}, "wrong": {s.arrived(hsm.ZPK, f, key, "4525", testPAN), hsm.ErrPIN},
			"longer": {s.arrived(hsm.ZPK, f, key, "94524", testPAN), hsm.ErrPIN}, "shorter by one": {s.arrived(hsm.ZPK, f, key, "452", testPAN), hsm.ErrPINBlock},
			"under another key": {wrongKey, hsm.ErrPINBlock}, "flipped": {flipped, hsm.ErrPINBlock},
			"letters": {s.arrived(hsm.ZPK, f, key, "45A4", testPAN), hsm.ErrPINBlock},
		} {
			err := s.m.VerifyPVV(s.Context(), c.in, hsm.PVV{Key: pvk, Index: '1', Value: pvv})
			err2 := s.m.VerifyOffset(s.Context(), c.in, hsm.PINOffset{Key: pvkOffset, Value: offset})
			if !errors.Is(err, c.want) || !errors.Is(err2, c.want) {
				s.Errorf("%s, PIN %s: %v, %v; want %v", f, name, err, err2, c.want)
			}
			if c.want == hsm.ErrPIN && (errors.Is(err, hsm.ErrPINBlock) || errors.Is(err2, hsm.ErrPINBlock)) {
				s.Errorf("%s, PIN %s: a wrong PIN is a malformed block too", f, name)
			}
		}
	}
}

// trapOtherPAN: who could change the card number in a translation would make a
// PIN of his own card that of another.
func trapOtherPAN(s *suite) {
	key := unhex(s, testKey)
	for _, from := range []hsm.PINFormat{hsm.ISO0, hsm.ISO3, hsm.ISO4} {
		for _, to := range []hsm.PINFormat{hsm.ISO0, hsm.ISO3, hsm.ISO4} {
			in := s.arrived(hsm.ZPK, from, key, "1234", testPAN)
			for _, pan := range []secret.PAN{s.pan("6224242300000077"), s.pan("16224242300000069"), {}} {
				target := hsm.PINTarget{Format: to, Key: s.pinKey(hsm.ZPK, to, key), PAN: pan}
				if out, err := s.m.TranslatePIN(s.Context(), in, target); !errors.Is(err, hsm.ErrPINFormat) || !out.IsZero() {
					s.Errorf("%s to %s of another card: %v, want ErrPINFormat", from, to, err)
				}
			}
		}
	}
	in := s.arrived(hsm.ZPK, hsm.ISO1, key, "1234", testPAN) // which has none: the PIN goes to the card named
	out, err := s.m.TranslatePIN(s.Context(), in, hsm.PINTarget{Format: hsm.ISO0, Key: in.Key, PAN: s.pan("6224242300000077")})
	if err != nil || s.pinIn(out, hsm.ISO0, key, "6224242300000077") != "1234" {
		s.Errorf("ISO-1 to a card: %v", err)
	}
}

// trapTable: a key whose decimalisation table was changed is another key, and
// none is made with a table that gives PINs away.
func trapTable(s *suite) {
	in := s.arrived(hsm.ZPK, hsm.ISO0, unhex(s, otherKey), "1234", testPAN)
	for name, change := range map[string]func(k *hsm.Key){
		"table":     func(k *hsm.Key) { k.Offset.Table = [16]byte([]byte("0000000000000000")) },
		"one of it": func(k *hsm.Key) { k.Offset.Table[15] = '4' },
		"start":     func(k *hsm.Key) { k.Offset.Start = 1 },
		"length":    func(k *hsm.Key) { k.Offset.Length = 8 },
		"pad":       func(k *hsm.Key) { k.Offset.Pad = '0' },
		"no rule":   func(k *hsm.Key) { k.Offset = hsm.OffsetRule{} },
	} {
		key := *s.good(hsm.PVKOffset)
		if _, err := s.m.GenerateOffset(s.Context(), in, &key); err != nil {
			s.Fatal(err) // it is cached from here on
		}
		change(&key)
		if _, err := s.m.GenerateOffset(s.Context(), in, &key); !errors.Is(err, hsm.ErrBinding) {
			s.Errorf("%s changed: %v, want ErrBinding", name, err)
		}
	}
	for name, rule := range map[string]hsm.OffsetRule{
		"no table": {}, "letters": offsetRule("01234567890123AB"), "one digit": offsetRule("0000000000000000"), "five zeros": offsetRule("0000012345678901"),
		"seven digits": offsetRule("0123456012345601"), "no length": {Table: [16]byte([]byte(testTable)), Pad: 'F'}, "no pad": {Table: [16]byte([]byte(testTable)), Length: 16},
		"length of 17": {Table: [16]byte([]byte(testTable)), Length: 17, Pad: 'F'}, "start behind": {Table: [16]byte([]byte(testTable)), Start: 19, Length: 1, Pad: 'F'},
	} {
		spec := s.spec(hsm.PVKOffset)
		spec.Offset = rule
		if _, err := s.m.LoadClear(s.Context(), spec, clearKey(s, unhex(s, testKey))); !errors.Is(err, hsm.ErrInput) {
			s.Errorf("key with %s: %v, want ErrInput", name, err)
		}
	}
	spec := s.spec(hsm.PVK)
	spec.Offset = offsetRule(testTable)
	if _, err := s.m.Generate(s.Context(), spec); !errors.Is(err, hsm.ErrInput) {
		s.Errorf("Visa key with a decimalisation table: %v, want ErrInput", err)
	}
}

// wrongPINInputs are refused before the module is asked.
func wrongPINInputs(s *suite) {
	key := unhex(s, testKey)
	in := s.arrived(hsm.ZPK, hsm.ISO0, key, "1234", testPAN)
	to := hsm.PINTarget{Format: hsm.ISO0, Key: in.Key, PAN: in.PAN}
	pvv, offset := hsm.PVV{Key: s.good(hsm.PVK), Index: '1'}, s.good(hsm.PVKOffset)
	with := func(change func(in *hsm.EncipheredPIN, to *hsm.PINTarget)) error {
		i, t := in, to
		change(&i, &t)
		return second(s.m.TranslatePIN(s.Context(), i, t))
	}
	ksn, err := hsm.ParseKSN(unhex(s, "FFFF9876543210E00001"))
	if err != nil {
		s.Fatal(err)
	}
	type I = *hsm.EncipheredPIN
	type T = *hsm.PINTarget
	for name, err := range map[string]error{
		"block of 16":           with(func(i I, _ T) { i.Block = s.block(make([]byte, 16)) }),
		"no block":              with(func(i I, _ T) { i.Block = secret.PINBlock{} }),
		"KSN without a type":    with(func(i I, _ T) { i.KSN, i.Key = ksn, s.good(hsm.BDK) }),
		"no card":               with(func(i I, t T) { i.PAN, t.PAN = secret.PAN{}, secret.PAN{} }),
		"ISO-1 to no card":      with(func(i I, t T) { i.Format, t.PAN = hsm.ISO1, secret.PAN{} }),
		"KSN, PVV":              s.m.VerifyPVV(s.Context(), hsm.EncipheredPIN{KSN: ksn}, pvv),
		"index of a letter":     s.m.VerifyPVV(s.Context(), in, hsm.PVV{Key: pvv.Key, Index: 'A'}),
		"index as a number":     second(s.m.GeneratePVV(s.Context(), in, pvv.Key, 1)),
		"offset of 3 digits":    s.m.VerifyOffset(s.Context(), in, hsm.PINOffset{Key: offset, Value: []byte("123")}),
		"offset of 13 digits":   s.m.VerifyOffset(s.Context(), in, hsm.PINOffset{Key: offset, Value: []byte("1234567890123")}),
		"offset of letters":     s.m.VerifyOffset(s.Context(), in, hsm.PINOffset{Key: offset, Value: []byte("12F4")}),
		"offset, short PAN":     second(s.m.GenerateOffset(s.Context(), s.arrived(hsm.ZPK, hsm.ISO0, key, "1234", testPAN[:15]), offset)),
		"change, no offset":     second(s.m.ChangeOffset(s.Context(), in, in, hsm.PINOffset{Key: offset})),
		"block of 8 as ISO-4":   with(func(i I, _ T) { i.Format, i.Key = hsm.ISO4, s.pinKey(hsm.ZPK, hsm.ISO4, key) }),
		"PAN of 12 for ISO-0":   with(func(i I, t T) { i.PAN = s.pan(testPAN[:12]); t.PAN = i.PAN }),
		"no key of the PIN":     with(func(i I, _ T) { i.Key = nil }),
		"no key to encipher":    with(func(_ I, t T) { t.Key = nil }),
		"no verification key":   s.m.VerifyPVV(s.Context(), in, hsm.PVV{Index: '1'}),
		"no verification key 2": s.m.VerifyOffset(s.Context(), in, hsm.PINOffset{Value: []byte("1234")}),
	} {
		if !errors.Is(err, hsm.ErrInput) {
			s.Errorf("%s: %v, want ErrInput", name, err)
		}
	}
	for name, err := range map[string]error{
		"ISO-4 under TDES":    with(func(i I, _ T) { i.Format, i.Block = hsm.ISO4, s.block(make([]byte, 16)) }),
		"to ISO-4 under TDES": with(func(_ I, t T) { t.Format = hsm.ISO4 }),
		"to ISO-0 under AES":  with(func(_ I, t T) { t.Key = s.pinKey(hsm.ZPK, hsm.ISO4, key) }),
	} {
		if !errors.Is(err, hsm.ErrUsage) {
			s.Errorf("%s: %v, want ErrUsage", name, err)
		}
	}
}
