// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"tapswitch/hsm"
	"tapswitch/hsm/pinoffset"
	"tapswitch/internal/secret"
)

// pinValues are what PINs are verified against: Visa PVV and IBM 3624.
func pinValues() map[string]Function {
	return map[string]Function{
		"pin.visa_pvv":               visaPVV,
		"pin.visa_pvv_pan12":         visaPVV,
		"pin.visa_pvv_tsp":           tspOnly,
		"pin.visa_pvv_encrypted_tsp": tspEnciphered,
		"decimalise.two_pass":        twoPass,
		"pin.ibm3624.offset": func(ctx context.Context, m Module, in Inputs) (string, error) {
			return offsetOf(ctx, m, in, in.Text("pin"))
		},
		"pin.ibm3624.natural_pin": func(ctx context.Context, m Module, in Inputs) (string, error) {
			return naturalPIN(ctx, m, in, in.Number("pin_length"))
		},
		"pin.ibm3624.pin_from_offset":           fromOffset,
		"pin.ibm3624.encrypted_validation_data": validationData,
	}
}

// card is a vector's card number, from its twelve digits when it has only those.
func card(in Inputs) string {
	if in.Has("pan12") {
		return in.Text("pan12") + "0"
	}
	return in.Text("pan")
}

// visaPVV has the driver compute a PVV.
func visaPVV(ctx context.Context, m Module, in Inputs) (string, error) {
	pan, err := secret.NewPAN([]byte(card(in)))
	if err != nil {
		return "", err
	}
	block, err := arrived(ctx, m, in.Text("pin"), pan)
	if err != nil {
		return "", err
	}
	key, err := clearOf(in, "pvk", TDES)
	if err != nil {
		return "", err
	}
	pvk, err := load(ctx, m, hsm.PVK, key)
	if err != nil {
		return "", err
	}
	pvv, err := m.GeneratePVV(ctx, block, pvk, index(in))
	return string(pvv[:]), err
}

func index(in Inputs) byte { return (in.Text("pvki") + "?")[0] }

// tsp lays out the transformed security parameter.
func tsp(in Inputs) (out [8]byte, err error) {
	account, err := pinoffset.Account11([]byte(card(in)))
	if err != nil {
		return out, err
	}
	return out, pinoffset.TSP(&out, account, index(in), []byte(in.Text("pin")))
}

func tspOnly(_ context.Context, _ Module, in Inputs) (string, error) {
	out, err := tsp(in)
	return Hex(out[:]), err
}

func tspEnciphered(ctx context.Context, m Module, in Inputs) (string, error) {
	block, err := tsp(in)
	if err != nil {
		return "", err
	}
	key, err := clearOf(in, "pvk", TDES)
	if err != nil {
		return "", err
	}
	out, err := key.ECB(ctx, m, block[:])
	return Hex(out), err
}

func twoPass(_ context.Context, _ Module, in Inputs) (string, error) {
	text := in.Text("hex_digits")
	block, err := hex.DecodeString(text[:len(text)/2*2]) // an odd last digit is not reached
	n := in.Number("count")
	if err != nil || n < 1 || n > 2*len(block) {
		return "", fmt.Errorf("%w: input hex_digits is not hexadecimal, or has fewer digits than are wanted", hsm.ErrInput)
	}
	out := make([]byte, n)
	return string(out[:pinoffset.TwoPass(out, block)]), nil
}

// offsetOf has the driver compute the offset of a PIN.
func offsetOf(ctx context.Context, m Module, in Inputs, pin string) (string, error) {
	pan, err := in.PAN("pan")
	if err != nil {
		return "", err
	}
	block, err := arrived(ctx, m, pin, pan)
	if err != nil {
		return "", err
	}
	value, err := in.Key("pvk")
	if err != nil {
		return "", err
	}
	table, pad := in.Text("decimalisation_table"), in.Text("validation_pad")
	if len(table) != 16 || len(pad) != 1 {
		return "", fmt.Errorf("%w: a decimalisation table has 16 digits, a pad one", hsm.ErrInput)
	}
	pvk, err := m.LoadClear(ctx, hsm.Spec{Name: "kat/pvk", Owner: "kat", Usage: hsm.PVKOffset, Algorithm: hsm.TDES2, Version: 1, Offset: hsm.OffsetRule{
		Table: [16]byte([]byte(table)), Start: uint8(in.Number("validation_start")), Length: uint8(in.Number("validation_length")), Pad: pad[0],
	}}, value)
	if err != nil {
		return "", err
	}
	offset, err := m.GenerateOffset(ctx, block, &pvk)
	return string(offset), err
}

// naturalPIN is found by the offset of a PIN of zeros, which is its complement:
// no driver gives a natural PIN away.
func naturalPIN(ctx context.Context, m Module, in Inputs, n int) (string, error) {
	if n < 4 || n > 12 {
		return "", pinoffset.ErrLength
	}
	zeros := strings.Repeat("0", n)
	offset, err := offsetOf(ctx, m, in, zeros)
	if err != nil {
		return "", err
	}
	out := make([]byte, n)
	err = pinoffset.Offset(out, []byte(zeros), []byte(offset))
	return string(out), err
}

func fromOffset(ctx context.Context, m Module, in Inputs) (string, error) {
	offset := in.Text("offset")
	natural, err := naturalPIN(ctx, m, in, len(offset))
	if err != nil {
		return "", err
	}
	out := make([]byte, len(offset))
	err = pinoffset.PIN(out, []byte(natural), []byte(offset))
	return string(out), err
}

func validationData(ctx context.Context, m Module, in Inputs) (string, error) {
	key, err := clearOf(in, "pvk", TDES)
	if err != nil {
		return "", err
	}
	data, err := in.Bytes("validation_data")
	if err != nil {
		return "", err
	}
	if len(data) != 8 {
		return "", pinoffset.ErrValidation
	}
	out, err := key.ECB(ctx, m, data)
	return Hex(out), err
}
