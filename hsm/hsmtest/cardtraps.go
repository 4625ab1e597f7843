// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"errors"
	"strings"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

// trapDateOrder: the same card, both orders: the value of the one is not the
// value of the other, and no order is a refusal, not a guess.
func trapDateOrder(s *suite) {
	cvk := s.key(hsm.CVK, unhex(s, testKey))
	c := hsm.CardValueData{Kind: hsm.CardCVV2, PAN: s.pan("4123456789012345"), Expiry: part4("2502"), Order: hsm.MMYY}
	if err := s.m.VerifyCVV(s.Context(), cvk, c, s.value("221")); err != nil {
		s.Errorf("MMYY: %v", err)
	}
	c.Order = hsm.YYMM
	if err := s.m.VerifyCVV(s.Context(), cvk, c, s.value("221")); !errors.Is(err, hsm.ErrCardValue) {
		s.Errorf("YYMM: %v, want ErrCardValue", err)
	}
	c.Order = 0
	if err := s.m.VerifyCVV(s.Context(), cvk, c, s.value("221")); !errors.Is(err, hsm.ErrInput) {
		s.Errorf("no order: %v, want ErrInput", err)
	}
}

// trapKinds: a value of one kind is none of the others, also where a caller
// hands in the other's service code.
func trapKinds(s *suite) {
	cvk := s.key(hsm.CVK, unhex(s, testKey))
	c := hsm.CardValueData{PAN: s.pan("4123456789012345"), Expiry: part4("8701"), Order: hsm.YYMM}
	values := map[hsm.CardValueKind]secret.CVV{}
	for _, kind := range []hsm.CardValueKind{hsm.CardCVV, hsm.CardCVV2, hsm.CardICVV} {
		c.Kind, c.ServiceCode = kind, [3]byte{}
		if kind == hsm.CardCVV {
			c.ServiceCode = part3("101")
		}
		v, err := s.m.CVV(s.Context(), cvk, c)
		if err != nil {
			s.Fatal(err)
		}
		values[kind] = v
		for _, code := range []string{"000", "999"} {
			c.ServiceCode = part3(code)
			if _, err := s.m.CVV(s.Context(), cvk, c); !errors.Is(err, hsm.ErrInput) {
				s.Errorf("kind %d with service code %s: %v, want ErrInput", kind, code, err)
			}
		}
	}
	for made, v := range values {
		for asked := range values {
			c.Kind, c.ServiceCode = asked, [3]byte{}
			if asked == hsm.CardCVV {
				c.ServiceCode = part3("101")
			}
			if err := s.m.VerifyCVV(s.Context(), cvk, c, v); (err == nil) != (made == asked) {
				s.Errorf("value of kind %d asked as kind %d: %v", made, asked, err)
			}
		}
	}
}

// trapZeroFill looks for a number under 1000 and keeps its zeros: without them
// one value in ten is a digit short.
func trapZeroFill(s *suite) {
	imk, c := s.key(hsm.IMKCVC3, unhex(s, "01234567899876543210012345678998")), s.goodCVC3()
	c.Digits = 5
	for n := range 1000 {
		c.ATC = [2]byte{byte(n >> 8), byte(n)}
		v, err := s.m.CVC3(s.Context(), imk, c)
		if err != nil {
			s.Fatal(err)
		}
		five := string(v.AppendTo(nil, secret.ForTest))
		if !strings.HasPrefix(five, "00") {
			continue
		}
		for digits := 1; digits <= 5; digits++ {
			c.Digits = digits
			v, err := s.m.CVC3(s.Context(), imk, c)
			if got := string(v.AppendTo(nil, secret.ForTest)); err != nil || got != five[5-digits:] {
				s.Errorf("%d digits of %s: %s, %v", digits, five, got, err)
			}
		}
		return
	}
	s.Error("no small number found")
}

// wrongValues: the value of another date, another card, another key.
func wrongValues(s *suite) {
	cvk, other := s.key(hsm.CVK, unhex(s, testKey)), s.key(hsm.CVK, unhex(s, otherKey))
	good := hsm.CardValueData{Kind: hsm.CardCVV, PAN: s.pan("4123456789012345"), Expiry: part4("8701"), Order: hsm.YYMM, ServiceCode: part3("101")}
	presented := s.value("561")
	if err := s.m.VerifyCVV(s.Context(), cvk, good, presented); err != nil {
		s.Fatal(err)
	}
	for name, change := range map[string]func(c *hsm.CardValueData){
		"PAN":  func(c *hsm.CardValueData) { c.PAN = s.pan("4123456789012346") },
		"date": func(c *hsm.CardValueData) { c.Expiry = part4("8702") },
		"code": func(c *hsm.CardValueData) { c.ServiceCode = part3("102") },
	} {
		c := good
		change(&c)
		if err := s.m.VerifyCVV(s.Context(), cvk, c, presented); !errors.Is(err, hsm.ErrCardValue) {
			s.Errorf("other %s: %v, want ErrCardValue", name, err)
		}
	}
	err := s.m.VerifyCVV(s.Context(), other, good, presented)
	if !errors.Is(err, hsm.ErrCardValue) || strings.Contains(err.Error(), "561") || strings.Contains(err.Error(), "4123") {
		s.Errorf("other key: %v, want ErrCardValue without digits", err)
	}
}

func wrongCardInputs(s *suite) {
	ctx, m := s.Context(), s.m
	cvk, imk := s.good(hsm.CVK), s.good(hsm.IMKCVC3)
	pan, letters := s.pan(testPAN), part4("29X1")
	a := hsm.AuthenticationData{PAN: pan, Unpredictable: part4("0042"), Result: '0', SecondFactor: [2]byte{'0', '0'}}
	d := hsm.DCVVData{Method: hsm.CardKeyA, PAN: pan, PSN: [2]byte{'0', '0'}, Expiry: part4("2911"), ServiceCode: part3("201"), ATC: part4("0001")}
	cavv := func(change func(a *hsm.AuthenticationData)) error {
		wrong := a
		change(&wrong)
		return second(m.CAVV(ctx, cvk, wrong))
	}
	dcvv := func(change func(d *hsm.DCVVData)) error {
		wrong := d
		change(&wrong)
		return second(m.DCVV(ctx, imk, wrong))
	}
	cvc3 := func(change func(c *hsm.CVC3Data)) error {
		wrong := s.goodCVC3()
		change(&wrong)
		return second(m.CVC3(ctx, imk, wrong))
	}
	for name, err := range map[string]error{
		"CVV of nothing":     second(m.CVV(ctx, cvk, hsm.CardValueData{})),
		"CAVV without PAN":   cavv(func(a *hsm.AuthenticationData) { a.PAN = secret.PAN{} }),
		"CAVV of letters":    cavv(func(a *hsm.AuthenticationData) { a.Unpredictable = letters }),
		"CAVV result":        cavv(func(a *hsm.AuthenticationData) { a.Result = 0 }),
		"CAVV factor":        cavv(func(a *hsm.AuthenticationData) { a.SecondFactor = [2]byte{'0', ' '} }),
		"dCVV method":        dcvv(func(d *hsm.DCVVData) { d.Method = 3 }),
		"dCVV without PAN":   dcvv(func(d *hsm.DCVVData) { d.PAN = secret.PAN{} }),
		"dCVV ATC":           dcvv(func(d *hsm.DCVVData) { d.ATC = [4]byte{0, 0, 0, 1} }),
		"dCVV date":          dcvv(func(d *hsm.DCVVData) { d.Expiry = letters }),
		"dCVV PSN":           dcvv(func(d *hsm.DCVVData) { d.PSN = [2]byte{0, 0} }),
		"CVC3 of no digits":  cvc3(func(c *hsm.CVC3Data) { c.Digits = 0 }),
		"CVC3 of six digits": cvc3(func(c *hsm.CVC3Data) { c.Digits = 6 }),
		"CVC3 method":        cvc3(func(c *hsm.CVC3Data) { c.Method = 0 }),
		"CVC3 without PAN":   cvc3(func(c *hsm.CVC3Data) { c.PAN = secret.PAN{} }),
		"CVC3 long track":    cvc3(func(c *hsm.CVC3Data) { c.Track = s.track(make([]byte, 129)) }),
	} {
		if !errors.Is(err, hsm.ErrInput) {
			s.Errorf("%s: %v, want ErrInput", name, err)
		}
	}
}

// trapHashAll: for cryptograms option B hashes above 16 digits alone; for dCVV and
// CVC3 it hashes every PAN. Under one master key a card of 16 digits has two keys.
func trapHashAll(s *suite) {
	value := someKey(16)
	imk, imkAC := s.key(hsm.IMKCVC3, value), s.key(hsm.IMKAC, value)
	const pan = "5413339000006165"
	hashed, plain := textCardKey(s, hsm.CardKeyB, value, pan, "00"), textCardKey(s, hsm.CardKeyA, value, pan, "00")
	d := hsm.DCVVData{Method: hsm.CardKeyB, PAN: s.pan(pan), PSN: [2]byte{'0', '0'}, Expiry: part4("2911"), ServiceCode: part3("201"), ATC: part4("0001")}
	right, wrong := textCVV(s, hashed, "0001"+pan[4:]+"2911"+"201"), textCVV(s, plain, "0001"+pan[4:]+"2911"+"201")
	if right == wrong {
		s.Fatal("the two card keys give one value: it shows nothing")
	}
	if err := s.m.VerifyDCVV(s.Context(), imk, d, s.value(right)); err != nil {
		s.Errorf("dCVV under the hashed key: %v", err)
	}
	if err := s.m.VerifyDCVV(s.Context(), imk, d, s.value(wrong)); !errors.Is(err, hsm.ErrCardValue) {
		s.Errorf("dCVV under the key of option A: %v, want ErrCardValue", err)
	}
	g := hsm.Given{Option: hsm.OptionB, PAN: s.pan(pan), PSN: [2]byte{'0', '0'}, Session: hsm.SessionNone, Answer: hsm.SessionNone, Padding: hsm.PaddingNone, Data: make([]byte, 8)}
	for name, c := range map[string]struct {
		key  []byte
		want error
	}{"option A": {plain, nil}, "hashed": {hashed, hsm.ErrCryptogram}} {
		g.AC = underKey(s, c.key, "0000000000000000")
		if err := s.m.VerifyGiven(s.Context(), imkAC, g); !errors.Is(err, c.want) {
			s.Errorf("cryptogram under the key of 16 digits, %s: %v, want %v", name, err, c.want)
		}
	}
}
