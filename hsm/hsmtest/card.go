// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

// cardCases are card verification values, static and dynamic.
func cardCases() []testCase {
	return []testCase{
		{"vectors/card.cvv", cvvVectors},
		{"vectors/card.cavv", cavvVectors},
		{"vectors/card.dcvv", dcvvVectors},
		{"vectors/card.cvc3", cvc3Vectors},
		{"card/as the textbook, with distinct halves", cardTextbook},
		{"card/IVCVC3 or track", cardIV},
		{"card/wrong values", wrongValues},
		{"card/inputs of a wrong form", wrongCardInputs},
		{"card/generated keys", cardGenerated},
		{"trap/CVV2 date order", trapDateOrder},
		{"trap/CVV, CVV2 and iCVV are three values", trapKinds},
		{"trap/CVC3 is zero filled before it is cut", trapZeroFill},
		{"trap/option B of card values hashes every PAN", trapHashAll},
	}
}

// cardPart is text of exactly n characters as an array.
func part4(text string) [4]byte { return [4]byte([]byte(text)) }

func part3(text string) [3]byte { return [3]byte([]byte(text)) }

// value is a card verification value of the vectors.
func (s *suite) value(digits string) secret.CVV {
	s.Helper()
	v, err := secret.NewCVV([]byte(digits))
	if err != nil {
		s.Fatal(err)
	}
	return v
}

// same compares what was made, and asks to verify right and wrong values.
func (s *suite) same(id, want string, made secret.CVV, err error, verify func(presented secret.CVV) error) {
	s.Helper()
	got := string(made.AppendTo(nil, secret.ForTest))
	if err != nil || got != want {
		s.Errorf("%s: %q, %v; want %s", id, got, err, want)
		return
	}
	if err := verify(s.value(want)); err != nil {
		s.Errorf("%s: verify: %v", id, err)
	}
	for i := range want {
		wrong := []byte(want)
		wrong[i] = '0' + (wrong[i]-'0'+1)%10
		if err := verify(s.value(string(wrong))); !errors.Is(err, hsm.ErrCardValue) {
			s.Errorf("%s: digit %d changed: %v, want ErrCardValue", id, i, err)
		}
	}
	for _, presented := range []secret.CVV{{}, s.value(want[:len(want)-1]), s.value((want + "0000")[:min(5, len(want)+1)])} {
		if presented.Len() == len(want) {
			continue // a value of five digits has no longer one
		}
		if err := verify(presented); !errors.Is(err, hsm.ErrCardValue) {
			s.Errorf("%s: a value of %d digits: %v, want ErrCardValue", id, presented.Len(), err)
		}
	}
}

func cvvVectors(s *suite) {
	n := 0
	for _, v := range append(load(s, "cvv", "card.cvv"), load(s, "cvv", "card.cvv2")...) {
		c := hsm.CardValueData{Kind: hsm.CardCVV, PAN: s.pan(v.text("pan")), Expiry: part4(v.text("expiry")), Order: hsm.YYMM, ServiceCode: part3(v.text("service_code"))}
		if v.Function == "card.cvv2" {
			// the vector has the date as the value takes it, the interface as the track has it
			c.Kind, c.ServiceCode = hsm.CardCVV2, [3]byte{}
			c.Order, c.Expiry = hsm.MMYY, part4(v.text("expiry")[2:]+v.text("expiry")[:2])
		}
		cvk := s.key(hsm.CVK, v.bytes(s, "cvk"))
		got, err := s.m.CVV(s.Context(), cvk, c)
		s.same(v.ID, v.want(), got, err, func(presented secret.CVV) error { return s.m.VerifyCVV(s.Context(), cvk, c, presented) })
		n++
	}
	s.count(n, 6+1)
}

func cavvVectors(s *suite) {
	n := 0
	for _, v := range load(s, "cvv", "card.cavv") {
		a := hsm.AuthenticationData{PAN: s.pan(v.text("pan")), Unpredictable: part4(v.text("unpredictable_number")),
			Result: v.text("auth_result")[0], SecondFactor: [2]byte([]byte(v.text("second_factor")))}
		cvk := s.key(hsm.CVK, v.bytes(s, "cvk"))
		got, err := s.m.CAVV(s.Context(), cvk, a)
		s.same(v.ID, v.want(), got, err, func(presented secret.CVV) error { return s.m.VerifyCAVV(s.Context(), cvk, a, presented) })
		n++
	}
	s.count(n, 2)
}

func methodOf(v vector) hsm.CardKeyMethod {
	return map[string]hsm.CardKeyMethod{"A": hsm.CardKeyA, "B": hsm.CardKeyB}[v.text("mk_method")]
}

func dcvvVectors(s *suite) {
	n := 0
	for _, v := range load(s, "cvv", "card.dcvv") {
		d := hsm.DCVVData{Method: methodOf(v), PAN: s.pan(v.text("pan")), PSN: psn(v), Expiry: part4(v.text("expiry")),
			ServiceCode: part3(v.text("service_code")), ATC: part4(v.text("atc"))}
		imk := s.key(hsm.IMKCVC3, v.bytes(s, "imk"))
		got, err := s.m.DCVV(s.Context(), imk, d)
		s.same(v.ID, v.want(), got, err, func(presented secret.CVV) error { return s.m.VerifyDCVV(s.Context(), imk, d, presented) })
		n++
	}
	s.count(n, 3)
}

// track is static track data.
func (s *suite) track(value []byte) secret.ICC {
	s.Helper()
	t, err := secret.NewICC(value)
	if err != nil {
		s.Fatal(err)
	}
	return t
}

// trackHex is packed track data of the vectors; F fills the last byte.
func trackHex(text string) string {
	if len(text)%2 == 1 {
		return text + "F"
	}
	return text
}

func cvc3Vectors(s *suite) {
	n := 0
	for _, v := range load(s, "cvv", "card.cvc3") {
		c := hsm.CVC3Data{Method: methodOf(v), PAN: s.pan(v.text("pan")), PSN: psn(v), ATC: [2]byte(v.bytes(s, "atc")),
			UN: [4]byte(v.bytes(s, "un")), Digits: v.number("digits"), Track: s.track(unhex(s, trackHex(v.text("track_or_ivcvc3"))))}
		imk := s.key(hsm.IMKCVC3, v.bytes(s, "imk"))
		got, err := s.m.CVC3(s.Context(), imk, c)
		s.same(v.ID, v.want(), got, err, func(presented secret.CVV) error { return s.m.VerifyCVC3(s.Context(), imk, c, presented) })
		n++
	}
	s.count(n, 6)
}

// textDigits reads a MAC's digits: decimals first, then letters less ten.
func textDigits(mac []byte, n int) string {
	text := upper(mac)
	decimals := strings.Map(func(r rune) rune {
		if r > '9' {
			return -1
		}
		return r
	}, text)
	letters := strings.Map(func(r rune) rune {
		if r <= '9' {
			return -1
		}
		return r - 'A' + '0'
	}, text)
	return (decimals + letters)[:n]
}

// textCVV is the MAC of the digits, zero filled to 32, read as three digits.
func textCVV(s *suite, key []byte, digits string) string {
	s.Helper()
	mac, err := TextbookMAC(hsm.MACRetail, key, unhex(s, digits+strings.Repeat("0", 32-len(digits))))
	if err != nil {
		s.Fatal(err)
	}
	return textDigits(mac, 3)
}

// textCardKey derives a card's key: option A, or the hash of option B.
func textCardKey(s *suite, method hsm.CardKeyMethod, imk []byte, pan, seq string) []byte {
	y := ("0000000000000000" + pan + seq)
	y = y[len(y)-16:]
	if method == hsm.CardKeyB {
		in := pan + seq
		if len(in)%2 == 1 {
			in = "0" + in
		}
		sum := sha1.Sum(unhex(s, in))
		y = textDigits(sum[:], 16)
	}
	data := unhex(s, y)
	for _, c := range unhex(s, y) {
		data = append(data, ^c)
	}
	return tdes(s, imk, data, false)
}

// cardTextbook: the public values of CAVV and dCVV are under K‖K keys, which show
// no mistake; these have distinct halves and every PAN length.
func cardTextbook(s *suite) {
	value := someKey(16)
	cvk, imk := s.key(hsm.CVK, value), s.key(hsm.IMKCVC3, value)
	for n := 8; n <= 19; n++ {
		pan := "4123456789012345678"[:n]
		c := hsm.CardValueData{Kind: hsm.CardICVV, PAN: s.pan(pan), Expiry: part4("2911"), Order: hsm.YYMM}
		got, err := s.m.CVV(s.Context(), cvk, c)
		s.same("iCVV", textCVV(s, value, pan+"2911"+"999"), got, err, func(v secret.CVV) error { return s.m.VerifyCVV(s.Context(), cvk, c, v) })
		a := hsm.AuthenticationData{PAN: s.pan(pan), Unpredictable: part4("0042"), Result: '2', SecondFactor: [2]byte{'1', '1'}}
		got, err = s.m.CAVV(s.Context(), cvk, a)
		s.same("CAVV", textCVV(s, value, pan+"0042"+"211"), got, err, func(v secret.CVV) error { return s.m.VerifyCAVV(s.Context(), cvk, a, v) })
		for _, method := range []hsm.CardKeyMethod{hsm.CardKeyA, hsm.CardKeyB} {
			key := textCardKey(s, method, value, pan, "03")
			d := hsm.DCVVData{Method: method, PAN: s.pan(pan), PSN: [2]byte{'0', '3'}, Expiry: part4("2911"), ServiceCode: part3("201"), ATC: part4("9876")}
			got, err = s.m.DCVV(s.Context(), imk, d)
			s.same("dCVV", textCVV(s, key, "9876"+pan[4:]+"2911"+"201"), got, err, func(v secret.CVV) error { return s.m.VerifyDCVV(s.Context(), imk, d, v) })
			track := unhex(s, trackHex(pan+"D2911201"))
			mac, err := TextbookMAC(hsm.MACRetailPad2, key, track)
			if err != nil {
				s.Fatal(err)
			}
			block := tdes(s, key, append(append(mac[6:8:8], 0, 0, 8, 0x99), 0, 0x5E), false)
			x := hsm.CVC3Data{Method: method, PAN: s.pan(pan), PSN: [2]byte{'0', '3'}, Track: s.track(track), ATC: [2]byte{0, 0x5E}, UN: [4]byte{0, 0, 8, 0x99}, Digits: 5}
			got, err = s.m.CVC3(s.Context(), imk, x)
			s.same("CVC3", fmt.Sprintf("%05d", int(block[6])<<8|int(block[7])), got, err, func(v secret.CVV) error { return s.m.VerifyCVC3(s.Context(), imk, x, v) })
		}
	}
}

// goodCVC3 is one card's request.
func (s *suite) goodCVC3() hsm.CVC3Data {
	return hsm.CVC3Data{Method: hsm.CardKeyA, PAN: s.pan("5123456789012345"), PSN: [2]byte{'0', '0'}, ATC: [2]byte{0, 0x5E}, UN: [4]byte{0, 0, 8, 0x99}, Digits: 3}
}

// cardIV: with the card's own IVCVC3 the track is not needed.
func cardIV(s *suite) {
	value := unhex(s, "01234567899876543210012345678998")
	imk, c := s.key(hsm.IMKCVC3, value), s.goodCVC3()
	track := unhex(s, "5123456789012345D35121010000000000000F")
	mac, err := TextbookMAC(hsm.MACRetailPad2, textCardKey(s, hsm.CardKeyA, value, "5123456789012345", "00"), track)
	if err != nil {
		s.Fatal(err)
	}
	c.IVCVC3 = [2]byte(mac[6:])
	if err := s.m.VerifyCVC3(s.Context(), imk, c, s.value("488")); err != nil {
		s.Errorf("with the IVCVC3: %v", err)
	}
	c.Track, c.IVCVC3 = s.track(track), [2]byte{1, 2}
	if err := s.m.VerifyCVC3(s.Context(), imk, c, s.value("488")); err != nil {
		s.Errorf("with the track, which rules: %v", err)
	}
	c.Track = secret.ICC{}
	if err := s.m.VerifyCVC3(s.Context(), imk, c, s.value("488")); !errors.Is(err, hsm.ErrCardValue) {
		s.Errorf("with another IVCVC3: %v, want ErrCardValue", err)
	}
}

// cardFunctions are the uses of keys for card values.
func (s *suite) cardFunctions() []function {
	m, pan := s.m, s.pan(testPAN)
	c := hsm.CardValueData{Kind: hsm.CardCVV2, PAN: pan, Expiry: part4("2911"), Order: hsm.MMYY}
	a := hsm.AuthenticationData{PAN: pan, Unpredictable: part4("0042"), Result: '0', SecondFactor: [2]byte{'0', '0'}}
	d := hsm.DCVVData{Method: hsm.CardKeyA, PAN: pan, PSN: [2]byte{'0', '0'}, Expiry: part4("2911"), ServiceCode: part3("201"), ATC: part4("0001")}
	x := s.goodCVC3()
	cvk, imk := []hsm.Usage{hsm.CVK}, []hsm.Usage{hsm.IMKCVC3}
	return []function{
		{"CVV", cvk, func(ctx context.Context, k *hsm.Key) error { return second(m.CVV(ctx, k, c)) }},
		{"VerifyCVV", cvk, func(ctx context.Context, k *hsm.Key) error { return m.VerifyCVV(ctx, k, c, secret.CVV{}) }},
		{"CAVV", cvk, func(ctx context.Context, k *hsm.Key) error { return second(m.CAVV(ctx, k, a)) }},
		{"VerifyCAVV", cvk, func(ctx context.Context, k *hsm.Key) error { return m.VerifyCAVV(ctx, k, a, secret.CVV{}) }},
		{"DCVV", imk, func(ctx context.Context, k *hsm.Key) error { return second(m.DCVV(ctx, k, d)) }},
		{"VerifyDCVV", imk, func(ctx context.Context, k *hsm.Key) error { return m.VerifyDCVV(ctx, k, d, secret.CVV{}) }},
		{"CVC3", imk, func(ctx context.Context, k *hsm.Key) error { return second(m.CVC3(ctx, k, x)) }},
		{"VerifyCVC3", imk, func(ctx context.Context, k *hsm.Key) error { return m.VerifyCVC3(ctx, k, x, secret.CVV{}) }},
	}
}

// cardGenerated: a generated key pair serves, and gives another value each time.
func cardGenerated(s *suite) {
	c := hsm.CardValueData{Kind: hsm.CardCVV2, PAN: s.pan(testPAN), Expiry: part4("2911"), Order: hsm.MMYY}
	d := hsm.DCVVData{Method: hsm.CardKeyB, PAN: s.pan(testPAN), PSN: [2]byte{'0', '0'}, Expiry: part4("2911"), ServiceCode: part3("201"), ATC: part4("0001")}
	seen := map[string]bool{}
	for range 8 {
		cvk, err := s.m.Generate(s.Context(), s.spec(hsm.CVK))
		imk, err2 := s.m.Generate(s.Context(), s.spec(hsm.IMKCVC3))
		if err != nil || err2 != nil {
			s.Fatal(err, err2)
		}
		one, err := s.m.CVV(s.Context(), &cvk, c)
		two, err2 := s.m.DCVV(s.Context(), &imk, d)
		if err != nil || err2 != nil || s.m.VerifyCVV(s.Context(), &cvk, c, one) != nil || s.m.VerifyDCVV(s.Context(), &imk, d, two) != nil {
			s.Errorf("generated keys: %v, %v", err, err2)
		}
		seen[hex.EncodeToString(one.AppendTo(nil, secret.ForTest))] = true
	}
	if len(seen) < 2 {
		s.Error("eight keys give one value")
	}
}
