// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"context"
	"encoding/hex"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/cvv"
	"tapswitch/internal/secret"
)

// cards are card verification values, through the driver.
func cards() map[string]Function {
	return map[string]Function{
		"card.cvv":                  cardCVV,
		"card.cvv2":                 cardCVV,
		"card.cvv_full_decimalised": fullCVV,
		"card.cavv":                 cardCAVV,
		"card.dcvv":                 cardDCVV,
		"card.cvc3":                 cardCVC3,
	}
}

// field is a text input of exactly the length of out.
func field(in Inputs, name string, out []byte) error {
	text := in.Text(name)
	if len(text) != len(out) {
		return fmt.Errorf("%w: input %s has not %d characters", hsm.ErrInput, name, len(out))
	}
	copy(out, text)
	return nil
}

// fields reads several.
func fields(in Inputs, all map[string][]byte) error {
	for name, out := range all {
		if err := field(in, name, out); err != nil {
			return err
		}
	}
	return nil
}

// cardKey brings in a key of the card functions.
func cardKey(ctx context.Context, m Module, usage hsm.Usage, in Inputs, name string) (*hsm.Key, error) {
	value, err := in.Bytes(name)
	if err != nil {
		return nil, err
	}
	return load(ctx, m, usage, Clear{hsm.TDES2, value})
}

// answer writes a value as digits, once the driver finds it right.
func answer(v secret.CVV, err error, verify func() error) (string, error) {
	if err != nil {
		return "", err
	}
	if err := verify(); err != nil {
		return "", fmt.Errorf("the value that was made is not found right: %w", err)
	}
	return string(v.AppendTo(nil, secret.ForTest)), nil
}

// cardCVV has the date in the order of the value; the interface has it as the
// track does, and the order beside it.
func cardCVV(ctx context.Context, m Module, in Inputs) (string, error) {
	c := hsm.CardValueData{Kind: hsm.CardCVV, Order: hsm.YYMM}
	if err := fields(in, map[string][]byte{"expiry": c.Expiry[:], "service_code": c.ServiceCode[:]}); err != nil {
		return "", err
	}
	if in.v.Function == "card.cvv2" {
		if string(c.ServiceCode[:]) != "000" {
			return "", fmt.Errorf("%w: a CVV2 has service code 000", hsm.ErrInput)
		}
		c.Kind, c.Order, c.ServiceCode = hsm.CardCVV2, hsm.MMYY, [3]byte{}
		c.Expiry = [4]byte{c.Expiry[2], c.Expiry[3], c.Expiry[0], c.Expiry[1]}
	}
	var err error
	if c.PAN, err = in.PAN("pan"); err != nil {
		return "", err
	}
	cvk, err := cardKey(ctx, m, hsm.CVK, in, "cvk")
	if err != nil {
		return "", err
	}
	v, err := m.CVV(ctx, cvk, c)
	return answer(v, err, func() error { return m.VerifyCVV(ctx, cvk, c, v) })
}

// fullCVV keeps more digits than a value has: the MAC comes from the module.
func fullCVV(ctx context.Context, m Module, in Inputs) (string, error) {
	var block cvv.Block
	packed, err := hex.DecodeString((in.Text("digits") + "00000000000000000000000000000000")[:32])
	if err != nil || len(in.Text("digits")) > 32 {
		return "", fmt.Errorf("%w: input digits is not at most 32 digits", hsm.ErrInput)
	}
	copy(block[:], packed)
	key, err := cardKey(ctx, m, hsm.ZAK, in, "cvk")
	if err != nil {
		return "", err
	}
	sum, err := m.MAC(ctx, key, hsm.MACRetail, block[:])
	if err != nil {
		return "", err
	}
	n := in.Number("count")
	if n < 1 || n > 16 {
		return "", fmt.Errorf("%w: a MAC gives 1 to 16 digits", hsm.ErrInput)
	}
	out := make([]byte, n)
	cvv.Decimalise(out, sum)
	return string(out), nil
}

func cardCAVV(ctx context.Context, m Module, in Inputs) (string, error) {
	var a hsm.AuthenticationData
	var result [1]byte
	if err := fields(in, map[string][]byte{"unpredictable_number": a.Unpredictable[:], "auth_result": result[:], "second_factor": a.SecondFactor[:]}); err != nil {
		return "", err
	}
	a.Result = result[0]
	var err error
	if a.PAN, err = in.PAN("pan"); err != nil {
		return "", err
	}
	cvk, err := cardKey(ctx, m, hsm.CVK, in, "cvk")
	if err != nil {
		return "", err
	}
	v, err := m.CAVV(ctx, cvk, a)
	return answer(v, err, func() error { return m.VerifyCAVV(ctx, cvk, a, v) })
}

// methodOf is how a card's key is derived; 0 for another name, which is refused.
func methodOf(in Inputs) hsm.CardKeyMethod {
	return map[string]hsm.CardKeyMethod{"A": hsm.CardKeyA, "B": hsm.CardKeyB}[in.Text("mk_method")]
}

func cardDCVV(ctx context.Context, m Module, in Inputs) (string, error) {
	d := hsm.DCVVData{Method: methodOf(in)}
	if err := fields(in, map[string][]byte{"psn": d.PSN[:], "expiry": d.Expiry[:], "service_code": d.ServiceCode[:], "atc": d.ATC[:]}); err != nil {
		return "", err
	}
	var err error
	if d.PAN, err = in.PAN("pan"); err != nil {
		return "", err
	}
	imk, err := cardKey(ctx, m, hsm.IMKCVC3, in, "imk")
	if err != nil {
		return "", err
	}
	v, err := m.DCVV(ctx, imk, d)
	return answer(v, err, func() error { return m.VerifyDCVV(ctx, imk, d, v) })
}

// cardCVC3 has track data, F filled to whole bytes, or a ready IVCVC3 of two bytes.
func cardCVC3(ctx context.Context, m Module, in Inputs) (string, error) {
	c := hsm.CVC3Data{Method: methodOf(in), Digits: in.Number("digits")}
	if err := field(in, "psn", c.PSN[:]); err != nil {
		return "", err
	}
	text := in.Text("track_or_ivcvc3")
	if len(text)%2 == 1 {
		text += "F"
	}
	track, err := hex.DecodeString(text)
	if err != nil {
		return "", fmt.Errorf("%w: input track_or_ivcvc3 is not hexadecimal", hsm.ErrInput)
	}
	atc, err1 := in.Bytes("atc")
	un, err2 := in.Bytes("un")
	if err1 != nil || err2 != nil || len(atc) != 2 || len(un) != 4 {
		return "", fmt.Errorf("%w: inputs atc and un have 2 and 4 bytes", hsm.ErrInput)
	}
	c.ATC, c.UN = [2]byte(atc), [4]byte(un)
	if len(track) == 2 {
		c.IVCVC3 = [2]byte(track)
	} else if c.Track, err = secret.NewICC(track); err != nil {
		return "", err
	}
	if c.PAN, err = in.PAN("pan"); err != nil {
		return "", err
	}
	imk, err := cardKey(ctx, m, hsm.IMKCVC3, in, "imk")
	if err != nil {
		return "", err
	}
	v, err := m.CVC3(ctx, imk, c)
	return answer(v, err, func() error { return m.VerifyCVC3(ctx, imk, c, v) })
}
