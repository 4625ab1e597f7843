// SPDX-License-Identifier: Apache-2.0

package kat

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/emvkey"
	"tapswitch/hsm/mac"
)

// chips are EMV keys, cryptograms and answers. Card and session keys cannot be
// read out of the driver: they are derived as it derives them, by the same
// package, with every cipher operation done by the module. Whole chains go
// through the driver too, and the two must agree.
func chips() map[string]Function {
	return map[string]Function{
		"emv.mk_option_a":         cardKeyBy(hsm.OptionA),
		"emv.mk_option_b":         cardKeyBy(hsm.OptionB),
		"emv.option_b_digits":     optionBDigits,
		"emv.sk_common":           commonKey,
		"emv.sk_visa_sm":          visaScriptKey,
		"emv.sk_emv2000_tree":     treeKey,
		"emv.ac":                  cryptogramOf,
		"emv.arqc":                arqc,
		"emv.ac_from_imk_and_r":   arqc,
		"emv.ac_aes":              aesMAC,
		"emv.ac_data":             acData,
		"emv.cdol_concat":         cdolConcat,
		"emv.arpc_method1":        answerOf,
		"emv.arpc_method2":        answerOf,
		"emv.arpc":                arpc,
		"emv.arpc_from_imk_and_r": arpc,
	}
}

// tdesOf is a double-length DES key of an input.
func tdesOf(in Inputs, name string) (Clear, error) {
	value, err := in.Bytes(name)
	if err != nil {
		return Clear{}, err
	}
	return TDES(value)
}

// psnOf is the card sequence number.
func psnOf(in Inputs) (out [2]byte, err error) {
	if text := in.Text("psn"); len(text) != copy(out[:], text) || len(text) != len(out) {
		err = fmt.Errorf("%w: input psn is not two digits", hsm.ErrInput)
	}
	return out, err
}

// fill copies an input that must have the length of dst, or may be missing.
func fill(in Inputs, name string, dst []byte) error {
	if !in.Has(name) || in.Text(name) == "" {
		return nil
	}
	b, err := in.Bytes(name)
	if err == nil && len(b) != len(dst) {
		err = fmt.Errorf("%w: input %s does not have %d bytes", hsm.ErrInput, name, len(dst))
	}
	copy(dst, b)
	return err
}

func cardKeyBy(option hsm.MKOption) Function {
	return func(ctx context.Context, m Module, in Inputs) (string, error) {
		imk, err := tdesOf(in, "imk")
		if err != nil {
			return "", err
		}
		psn, err := psnOf(in)
		if err != nil {
			return "", err
		}
		data, err := emvkey.CardData(option, []byte(in.Text("pan")), psn)
		if err != nil {
			return "", err
		}
		key, err := imk.ECB(ctx, m, data[:])
		emvkey.OddParity(key)
		return Hex(key), err
	}
}

func optionBDigits(_ context.Context, _ Module, in Inputs) (string, error) {
	psn, err := psnOf(in)
	if err != nil {
		return "", err
	}
	y, err := emvkey.OptionB([]byte(in.Text("pan")), psn)
	return Hex(y[:]), err
}

func commonKey(ctx context.Context, m Module, in Inputs) (string, error) {
	mk, err := tdesOf(in, "mk")
	if err != nil {
		return "", err
	}
	var r [8]byte
	if err := fill(in, "r", r[:]); err != nil {
		return "", err
	}
	data := emvkey.SessionKeyData(r)
	key, err := mk.ECB(ctx, m, data[:])
	if in.Text("parity") == "odd" {
		emvkey.OddParity(key)
	}
	return Hex(key), err
}

func visaScriptKey(_ context.Context, _ Module, in Inputs) (string, error) {
	mk, err := tdesOf(in, "mk")
	if err != nil {
		return "", err
	}
	var atc [2]byte
	if err := fill(in, "atc", atc[:]); err != nil {
		return "", err
	}
	emvkey.VisaScriptKey(mk.Value, atc)
	return Hex(mk.Value), nil
}

func treeKey(ctx context.Context, m Module, in Inputs) (string, error) {
	mk, err := tdesOf(in, "mk")
	if err != nil {
		return "", err
	}
	tree := hsm.Tree{Height: in.Number("height"), Branch: in.Number("branch_factor")}
	var atc [2]byte
	if err := errors.Join(fill(in, "iv", tree.IV[:]), fill(in, "atc", atc[:])); err != nil {
		return "", err
	}
	var keys [48]byte
	copy(keys[:], mk.Value)
	err = emvkey.Tree(&keys, tree, atc, func(key, data []byte) error {
		out, err := m.Cipher(ctx, hsm.TDES2, bytes.Clone(key), false, nil, data)
		copy(data, out)
		return err
	})
	return Hex(keys[:16]), err
}

// alg3 is ISO 9797-1 algorithm 3 over whole blocks with the module's ciphers.
func alg3(ctx context.Context, m Module, key Clear, padded []byte) ([]byte, error) {
	if key.Algorithm != hsm.TDES2 || len(padded) == 0 || len(padded)%8 != 0 {
		return nil, fmt.Errorf("%w: algorithm 3 takes a double-length key and whole blocks", hsm.ErrInput)
	}
	last := len(padded) - 8
	block := bytes.Clone(padded[last:])
	if last > 0 {
		left := append(bytes.Clone(key.Value[:8]), key.Value[:8]...)
		chain, err := m.Cipher(ctx, hsm.TDES2, left, false, make([]byte, 8), padded[:last])
		if err != nil {
			return nil, err
		}
		subtle.XORBytes(block, block, chain[last-8:])
	}
	return key.ECB(ctx, m, block)
}

// paddings are the words of vectors.
var paddings = map[string]hsm.Padding{"none": hsm.PaddingNone, "method1": hsm.Padding1, "method2": hsm.Padding2}

// cryptogramOf is a cryptogram under a session key that is given.
func cryptogramOf(ctx context.Context, m Module, in Inputs) (string, error) {
	key, err := tdesOf(in, "sk")
	if err != nil {
		return "", err
	}
	data, err := in.Bytes("data")
	if err != nil {
		return "", err
	}
	switch paddings[in.Text("padding")] {
	case hsm.Padding1:
		data = mac.AppendPad1(nil, data)
	case hsm.Padding2:
		data = mac.AppendPad2(nil, data)
	case hsm.PaddingNone:
	default:
		return "", fmt.Errorf("%w: no padding %q", hsm.ErrInput, in.Text("padding"))
	}
	out, err := alg3(ctx, m, key, data)
	return Hex(out), err
}

// given is a vector's cryptogram; without data, one that is only answered.
func given(in Inputs) (g hsm.Given, err error) {
	if g.PAN, err = in.PAN("pan"); err != nil {
		return g, err
	}
	if g.PSN, err = psnOf(in); err != nil {
		return g, err
	}
	if in.Text("mk_method") == "B" {
		g.Option = hsm.OptionB
	}
	sessions := map[string]hsm.Session{"none": hsm.SessionNone, "common": hsm.SessionCommon, "mchip": hsm.SessionMChip, "": hsm.SessionR}
	g.Session = sessions[in.Text("skd")]
	g.Answer, g.Padding, g.Data = g.Session, hsm.Padding2, []byte{0}
	if in.Has("data") {
		g.Padding = paddings[in.Text("padding")]
		if g.Data, err = in.Bytes("data"); err != nil {
			return g, err
		}
	}
	return g, errors.Join(fill(in, "atc", g.ATC[:]), fill(in, "un", g.UN[:]), fill(in, "r", g.R[:]), fill(in, "arqc", g.AC[:]))
}

// keyOfWay derives a key as the driver does, with ciphers of the module.
func keyOfWay(ctx context.Context, m Module, imk Clear, w emvkey.Way) (Clear, error) {
	key, err := imk.ECB(ctx, m, w.Card[:])
	if err != nil || !w.Derived {
		return Clear{hsm.TDES2, key}, err
	}
	key, err = Clear{hsm.TDES2, key}.ECB(ctx, m, w.Data[:])
	return Clear{hsm.TDES2, key}, err
}

// arqc computes a cryptogram and has the driver verify it, and refuse it with a
// bit turned.
func arqc(ctx context.Context, m Module, in Inputs) (string, error) {
	g, err := given(in)
	if err != nil {
		return "", err
	}
	value, err := tdesOf(in, "imk")
	if err != nil {
		return "", err
	}
	prepared, err := emvkey.PrepareGiven(g)
	if err != nil {
		return "", err
	}
	key, err := keyOfWay(ctx, m, value, prepared.Key)
	if err != nil {
		return "", err
	}
	out, err := alg3(ctx, m, key, prepared.Padded())
	if err != nil {
		return "", err
	}
	imk, err := load(ctx, m, hsm.IMKAC, value)
	if err != nil {
		return "", err
	}
	g.AC = [8]byte(out)
	if err := m.VerifyGiven(ctx, imk, g); err != nil {
		return "", fmt.Errorf("the driver refuses the cryptogram %s: %w", Hex(out), err)
	}
	g.AC[0] ^= 1
	if err := m.VerifyGiven(ctx, imk, g); !errors.Is(err, hsm.ErrCryptogram) {
		return "", fmt.Errorf("the driver does not refuse a wrong cryptogram: %w", err)
	}
	return Hex(out), nil
}

// aesMAC is a CMAC, as the vectors have it: no standard says what an application
// cryptogram of AES covers, and none is built.
func aesMAC(ctx context.Context, m Module, in Inputs) (string, error) {
	value, err := in.Bytes("sk")
	if err != nil {
		return "", err
	}
	key, err := AES(value)
	if err != nil {
		return "", err
	}
	data, err := in.Bytes("data")
	if err != nil {
		return "", err
	}
	sum, err := m.CMAC(ctx, key.Algorithm, key.Value, data)
	if err != nil {
		return "", err
	}
	return cut(sum, in.Number("length"))
}

// csuOf is what method 2 answers with.
func csuOf(in Inputs) (csu hsm.CSU, err error) {
	if err := fill(in, "csu", csu.Status[:]); err != nil {
		return csu, err
	}
	if in.Text("proprietary") != "" {
		csu.Proprietary, err = in.Bytes("proprietary")
	}
	return csu, err
}

// answerOf is an answer under a key that is given.
func answerOf(ctx context.Context, m Module, in Inputs) (string, error) {
	key, err := tdesOf(in, "key")
	if err != nil {
		return "", err
	}
	var ac [8]byte
	var arc [2]byte
	if err := errors.Join(fill(in, "arqc", ac[:]), fill(in, "arc", arc[:])); err != nil {
		return "", err
	}
	if in.v.Function == "emv.arpc_method1" {
		block := emvkey.ARPC1(ac, arc)
		out, err := key.ECB(ctx, m, block[:])
		return Hex(out), err
	}
	csu, err := csuOf(in)
	if err != nil {
		return "", err
	}
	padded, err := emvkey.ARPC2(ac, csu)
	if err != nil {
		return "", err
	}
	out, err := alg3(ctx, m, key, padded)
	if err != nil {
		return "", err
	}
	return cut(out, 4)
}

// arpc is the driver's answer.
func arpc(ctx context.Context, m Module, in Inputs) (string, error) {
	g, err := given(in)
	if err != nil {
		return "", err
	}
	value, err := tdesOf(in, "imk")
	if err != nil {
		return "", err
	}
	imk, err := load(ctx, m, hsm.IMKAC, value)
	if err != nil {
		return "", err
	}
	if in.Number("method") == 2 {
		csu, err := csuOf(in)
		if err != nil {
			return "", err
		}
		out, err := m.GivenARPC2(ctx, imk, g, csu)
		return Hex(out[:]), err
	}
	var arc [2]byte
	if err := fill(in, "arc", arc[:]); err != nil {
		return "", err
	}
	out, err := m.GivenARPC1(ctx, imk, g, arc)
	return Hex(out[:]), err
}
