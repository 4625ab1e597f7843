// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"errors"
	"strings"

	"tapswitch/hsm"
	"tapswitch/hsm/pinblock"
	"tapswitch/internal/secret"
)

// pinReasons are the reason classes of negative vectors as package pinblock
// names them.
var pinReasons = map[string][]error{
	"pin_length":     {pinblock.ErrPINLength, pinblock.ErrPINDigits}, // "123A" is counted among lengths
	"pan_length":     {pinblock.ErrPANLength},
	"control_nibble": {pinblock.ErrControl},
	"filler":         {pinblock.ErrFiller},
	"pin_not_digits": {pinblock.ErrPINDigits},
	"block_length":   {pinblock.ErrBlockLength},
}

// refusedAs checks that err names the reason of a negative vector.
func (s *suite) refusedAs(v vector, err error) {
	s.Helper()
	class := hsm.ErrPINBlock
	if v.Reason == "pan_length" || v.Reason == "block_length" {
		class = hsm.ErrInput
	}
	for _, reason := range pinReasons[v.Reason] {
		if errors.Is(err, reason) && errors.Is(err, class) {
			return
		}
	}
	s.Errorf("%s: %v, want a refusal for %s", v.ID, err, v.Reason)
}

// panOf is the vector's card number, or what stands for none. A number that is
// none has no form: secret.PAN holds 8 to 19 digits.
func (s *suite) panOf(v vector) (pan secret.PAN, ok bool) {
	s.Helper()
	text := v.text("pan")
	if text == "" && v.Reason != "pan_length" {
		text = testPAN
	}
	pan, err := secret.NewPAN([]byte(text))
	if err != nil && v.Reason != "pan_length" && len(text) >= 8 {
		s.Errorf("%s: %v", v.ID, err)
	}
	return pan, err == nil
}

// outOf has a driver make the block of a vector's PIN: it arrives in format 1,
// which goes with every card, and leaves as the vector says. ok is false when
// the vector was refused or has no form.
func (s *suite) outOf(v vector, f hsm.PINFormat, key []byte) (out []byte, ok bool) {
	s.Helper()
	pan, ok := s.panOf(v)
	if !ok {
		return nil, false
	}
	pin := v.text("pin")
	if pin == "" {
		pin = "1234"
	}
	from := unhex(s, otherKey)
	in := hsm.EncipheredPIN{Block: s.typed(hsm.ISO1, from, pin, ""), Format: hsm.ISO1, Key: s.pinKey(hsm.ZPK, hsm.ISO1, from)}
	to := hsm.PINTarget{Format: f, Key: s.pinKey(hsm.ZPK, f, key), PAN: pan}
	var block secret.PINBlock
	var err error
	call := func() { block, err = s.m.TranslatePIN(s.Context(), in, to) }
	switch random := v.text("random"); {
	case v.Type == "error" || f == hsm.ISO0:
		call()
	case f == hsm.ISO4:
		Random.with(s, unhex(s, (random + "0000000000000000")[:16]), call)
	default:
		Random.with(s, randomFor(s, f, v.text("fill")), call)
	}
	if v.Type == "error" {
		s.refusedAs(v, err)
		return nil, false
	}
	if err != nil {
		s.Errorf("%s: %v", v.ID, err)
		return nil, false
	}
	return block.AppendTo(nil, secret.ForTest), true
}

// expect compares an answer with a vector's.
func (s *suite) expect(v vector, got string) {
	s.Helper()
	if got != v.want() {
		s.Errorf("%s: %s, want %s", v.ID, got, v.want())
	}
}

// encodes makes a clear block through a driver and deciphers it.
func encodes(f hsm.PINFormat) func(*suite, vector) {
	return func(s *suite, v vector) {
		if out, ok := s.outOf(v, f, unhex(s, testKey)); ok {
			s.expect(v, upper(cipherBlock(s, unhex(s, testKey), out, true)))
		}
	}
}

// enciphers makes an enciphered block through a driver.
func enciphers(f hsm.PINFormat) func(*suite, vector) {
	return func(s *suite, v vector) {
		if v.text("pan12") != "" {
			v.Inputs["pan"] = v.text("pan12") + "0" // with a check digit, which does not count
		}
		if out, ok := s.outOf(v, f, v.bytes(s, "key")); ok {
			s.expect(v, upper(out))
		}
	}
}

// into has a driver read a block, and reads the PIN out of the format 4 block
// that it makes of it.
func (s *suite) into(v vector, f hsm.PINFormat, key, block []byte) {
	s.Helper()
	b, err := secret.NewPINBlock(block)
	if err != nil {
		if v.Reason != "block_length" {
			s.Errorf("%s: %v", v.ID, err)
		}
		return
	}
	pan, ok := s.panOf(v)
	if !ok {
		return
	}
	to := hsm.PINTarget{Format: hsm.ISO4, Key: s.pinKey(hsm.ZPK, hsm.ISO4, unhex(s, aesTest)), PAN: pan}
	in := hsm.EncipheredPIN{Block: b, Format: f, Key: s.pinKey(hsm.TPK, f, key), PAN: pan}
	out, err := s.m.TranslatePIN(s.Context(), in, to)
	if v.Type == "error" {
		s.refusedAs(v, err)
		return
	}
	if err != nil {
		s.Errorf("%s: %v", v.ID, err)
		return
	}
	s.expect(v, s.pinIn(out, hsm.ISO4, unhex(s, aesTest), string(pan.Reveal(secret.ForTest))))
}

// decodes gives a clear block of a vector to a driver, enciphered.
func decodes(f hsm.PINFormat) func(*suite, vector) {
	return func(s *suite, v vector) {
		key, block := unhex(s, testKey), v.bytes(s, "block")
		if len(block) == 8 {
			block = cipherBlock(s, key, block, false)
		}
		s.into(v, f, key, block)
	}
}

// deciphers gives an enciphered block of a vector to a driver.
func deciphers(f hsm.PINFormat) func(*suite, vector) {
	return func(s *suite, v vector) { s.into(v, f, v.bytes(s, "key"), v.bytes(s, "block")) }
}

// fieldDecode gives a PIN field to a driver, enciphered as format 4.
func fieldDecode(s *suite, v vector) {
	key, field := unhex(s, testKey), v.bytes(s, "field")
	if len(field) == 16 {
		field = encipher4(s, key, field, testPAN)
	}
	s.into(v, hsm.ISO4, key, field)
}

// fields4 takes the format 4 block of a vector apart: what a driver made of PIN
// and PAN, step by step.
func fields4(step string) func(*suite, vector) {
	return func(s *suite, v vector) {
		key := v.bytes(s, "key")
		if len(key) == 0 {
			key = unhex(s, testKey)
		}
		out, ok := s.outOf(v, hsm.ISO4, key)
		if !ok {
			return
		}
		b := cipherBlock(s, key, out, true)
		pan := v.text("pan")
		if pan == "" {
			pan = testPAN
		}
		a := xor(b, panField(s, pan))
		switch step {
		case "b":
			s.expect(v, upper(b))
		case "a":
			s.expect(v, upper(a))
		case "pin":
			s.expect(v, upper(cipherBlock(s, key, a, true)))
		case "pan": // A is known from the PIN field alone
			a = cipherBlock(s, key, pinField(s, "1234", "0000000000000000"), false)
			s.expect(v, upper(xor(a, b)))
		}
	}
}

// notISO are layouts that no driver reads or makes; hsm/pinblock has them.
func notISO(s *suite, v vector) {
	in := s.arrived(hsm.ZPK, hsm.ISO0, unhex(s, testKey), "1234", testPAN)
	to := hsm.PINTarget{Format: hsm.ISO4 + 1, Key: in.Key, PAN: in.PAN}
	if _, err := s.m.TranslatePIN(s.Context(), in, to); !errors.Is(err, hsm.ErrPINFormat) {
		s.Errorf("%s: a format behind ISO-4: %v, want ErrPINFormat", v.ID, err)
	}
}

// chipOnly are format 2 blocks, which no host is given or takes.
func chipOnly(s *suite, v vector) {
	in := s.arrived(hsm.ZPK, hsm.ISO0, unhex(s, testKey), "1234", testPAN)
	_, err := s.m.TranslatePIN(s.Context(), in, hsm.PINTarget{Format: hsm.ISO2, Key: in.Key, PAN: in.PAN})
	in.Format = hsm.ISO2
	_, err2 := s.m.TranslatePIN(s.Context(), in, hsm.PINTarget{Format: hsm.ISO0, Key: in.Key, PAN: in.PAN})
	err3 := s.m.VerifyPVV(s.Context(), in, hsm.PVV{Key: s.good(hsm.PVK), Index: '1'})
	if !errors.Is(err, hsm.ErrPINFormat) || !errors.Is(err2, hsm.ErrPINFormat) || !errors.Is(err3, hsm.ErrPINFormat) {
		s.Errorf("%s: ISO-2: %v, %v, %v; want ErrPINFormat", v.ID, err, err2, err3)
	}
}

// translates runs a whole translation; those to format 1 are against the table.
func translates(s *suite, v vector) {
	formats := map[string]hsm.PINFormat{"iso0": hsm.ISO0, "iso1": hsm.ISO1, "iso3": hsm.ISO3}
	from, to := formats[v.text("in_format")], formats[v.text("out_format")]
	in := hsm.EncipheredPIN{Block: s.block(v.bytes(s, "block")), Format: from, Key: s.pinKey(hsm.ZPK, from, v.bytes(s, "in_key")), PAN: s.pan(v.text("in_pan"))}
	target := hsm.PINTarget{Format: to, Key: s.pinKey(hsm.ZPK, to, v.bytes(s, "out_key"))}
	if v.text("out_pan") != "" {
		target.PAN = s.pan(v.text("out_pan"))
	}
	out, err := s.m.TranslatePIN(s.Context(), in, target)
	if hsm.Translation(from, to) == hsm.NeverTranslated {
		if !errors.Is(err, hsm.ErrPINFormat) || !out.IsZero() {
			s.Errorf("%s: %v, want ErrPINFormat", v.ID, err)
		}
		return
	}
	if err != nil {
		s.Errorf("%s: %v", v.ID, err)
	}
	s.expect(v, upper(out.AppendTo(nil, secret.ForTest)))
}

// blockVectors runs the whole of pinblock.json through a driver.
func blockVectors(s *suite) {
	ways := map[string]func(*suite, vector){
		"iso0.encode": encodes(hsm.ISO0), "iso0.decode": decodes(hsm.ISO0), "iso0.encode_short_pan": shortPAN,
		"iso1.encode": encodes(hsm.ISO1), "iso1.decode": decodes(hsm.ISO1),
		"iso2.encode": chipOnly, "iso2.decode": chipOnly,
		"iso3.encode": encodes(hsm.ISO3), "iso3.decode": decodes(hsm.ISO3), "iso3.decode_lenient": decodes(hsm.ISO3),
		"iso4.pin_field": fields4("pin"), "iso4.pan_field": fields4("pan"), "iso4.pin_field_decode": fieldDecode,
		"iso4.intermediate_a": fields4("a"), "iso4.intermediate_b": fields4("b"),
		"iso4.encipher": enciphers(hsm.ISO4), "iso4.decipher": deciphers(hsm.ISO4),
		"encrypt_iso0": enciphers(hsm.ISO0), "encrypt_iso0_pan12": enciphers(hsm.ISO0), "decrypt_iso1": deciphers(hsm.ISO1),
		"translate": translates, "encrypt_ibm3624": notISO, "diebold.encode": notISO, "eci2.decode": notISO, "eci3.decode": notISO,
		"visa2.decode": notISO, "visa3.decode": notISO,
	}
	n := 0
	for _, v := range loadAll(s, "pinblock") {
		if way := ways[strings.TrimPrefix(v.Function, "pinblock.")]; way == nil {
			s.Errorf("%s: no way to run %s", v.ID, v.Function)
		} else {
			way(s, v)
			n++
		}
	}
	s.count(n, 117)
}

// shortPAN is what hosts compute that fill a card number of twelve digits with
// zeros; here it is refused.
func shortPAN(s *suite, v vector) {
	in := s.arrived(hsm.ZPK, hsm.ISO1, unhex(s, testKey), v.text("pin"), testPAN)
	_, err := s.m.TranslatePIN(s.Context(), in, hsm.PINTarget{Format: hsm.ISO0, Key: in.Key, PAN: s.pan(v.text("pan"))})
	if !errors.Is(err, hsm.ErrInput) || !errors.Is(err, pinblock.ErrPANLength) {
		s.Errorf("%s: %v, want ErrInput for the card number's length", v.ID, err)
	}
}
