// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"tapswitch/hsm"
	"tapswitch/hsm/pkcs11"
	"tapswitch/hsm/soft"
	"tapswitch/internal/env"
	"tapswitch/internal/secret"
)

// What the functions work on: published test values, of no use anywhere else.
const (
	benchKey16 = "0123456789ABCDEFFEDCBA9876543210"
	benchPAN   = "4123456789012345"

	// A Visa CVN 10 cryptogram and a PVV under benchKey16, from the known answers.
	benchARQCPAN = "1234567890123456"
	benchICC     = "9F0206000000004000" + "9F0306000000000000" + "9F1A020124" + "95058000048000" + "5F2A020124" + "9A03191105" + "9C0101" +
		"9F370452BF4585" + "82021800" + "9F3602001C" + "9F100706010A03A06010" + "9F260829CCA15AE665FA2E"
	benchPVVPAN, benchPVVPIN, benchPVV = "1122334455667788", "4524", "8523"
)

// benchData is about what the MAC of a POS message covers.
const benchData = 250

// benchFunction is a function that can be measured; prepare brings its test keys in.
type benchFunction struct {
	name, remark string
	prepare      func(ctx context.Context, m *pkcs11.Module) (func(ctx context.Context, n uint64) error, error)
}

// benchFunctions are all functions in the order of the table.
func benchFunctions() []benchFunction {
	return []benchFunction{
		{"MACUnionPay", "250 bytes", benchMAC(hsm.MACUnionPayECB, hsm.TAK, hsm.TDES2)},
		{"MACRetail", "250 bytes, ISO 9797-1 algorithm 3", benchMAC(hsm.MACRetail, hsm.TAK, hsm.TDES2)},
		{"MACCMACAES", "250 bytes, AES-128", benchMAC(hsm.MACCMACAES, hsm.TAK, hsm.AES128)},
		{"MACHMAC", "250 bytes, HMAC-SHA-256", benchMAC(hsm.MACHMACSHA256, hsm.HMACKey, hsm.HMAC256)},
		{"TranslatePIN", "format 0, TPK to ZPK", benchTranslate},
		{"VerifyPVV", "format 0 under a ZPK", benchVerifyPVV},
		{"VerifyARQC", "CVN 10, one card: its key is cached", benchARQC},
		{"VerifyARQCNewCard", "CVN 10, each time another card", benchNewCard},
		{"ARPC", "method 1, one card", benchARPC},
		{"DUKPTMACTDES", "each time the next key", benchDUKPT(hsm.TDES2, "FFFF9876543210E00001")},
		{"DUKPTMACAES", "AES-128, each time the next key", benchDUKPT(hsm.AES128, "123456789012345600000001")},
		{"CVV", "", benchCVV},
		{"Seal", "a card number, AES-256-GCM", benchSeal},
		{"Open", "", benchOpen},
		{"Token", "", benchToken},
		{"ImportKeyBlock", "a ZPK, version B", benchImport},
	}
}

func remarkOf(name string) string {
	for _, f := range benchFunctions() {
		if f.name == name {
			return f.remark
		}
	}
	return ""
}

// chooseFunctions reads --functions.
func chooseFunctions(names string) ([]benchFunction, error) {
	all := benchFunctions()
	if names == "" {
		return all, nil
	}
	var chosen []benchFunction
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, f := range all {
			if strings.EqualFold(f.name, strings.TrimSpace(name)) {
				chosen, found = append(chosen, f), true
			}
		}
		if !found {
			have := make([]string, len(all))
			for i, f := range all {
				have[i] = f.name
			}
			return nil, usageError{fmt.Errorf("--functions: no %q; there are %s", name, strings.Join(have, ", "))}
		}
	}
	return chosen, nil
}

// benchSpec is a test key of a usage.
func benchSpec(u hsm.Usage, a hsm.Algorithm) hsm.Spec {
	return hsm.Spec{Name: "bench/" + u.String(), Owner: "bench", Usage: u, Algorithm: a, Version: 1}
}

// benchKey brings the published test key in, repeated to the algorithm's length.
func benchKey(ctx context.Context, m hsm.KeyLoader, u hsm.Usage, a hsm.Algorithm) (*hsm.Key, error) {
	b, err := hex.DecodeString(benchKey16)
	if err != nil {
		return nil, err
	}
	value, err := secret.NewKey(append(b, b...)[:a.Size()])
	if err != nil {
		return nil, err
	}
	key, err := m.LoadClear(ctx, benchSpec(u, a), value)
	return &key, err
}

func benchMAC(alg hsm.MACAlgorithm, u hsm.Usage, a hsm.Algorithm) func(context.Context, *pkcs11.Module) (func(context.Context, uint64) error, error) {
	return func(ctx context.Context, m *pkcs11.Module) (func(context.Context, uint64) error, error) {
		key, err := benchKey(ctx, m, u, a)
		data := bytes.Repeat([]byte("0123456789"), benchData/10)
		return func(ctx context.Context, _ uint64) error {
			_, err := m.MAC(ctx, key, alg, data)
			return err
		}, err
	}
}

// benchBlock is a PIN block under the test key of usage u, made by the terminal's side.
func benchBlock(ctx context.Context, m *pkcs11.Module, u hsm.Usage, pan, pin string) (in hsm.EncipheredPIN, err error) {
	pad, err := soft.New(rand.Reader, env.Real().Clock)
	if err != nil {
		return in, err
	}
	typed, err := benchKey(ctx, pad, hsm.TPK, hsm.TDES2)
	if err != nil {
		return in, err
	}
	number, err := secret.NewPAN([]byte(pan))
	if err != nil {
		return in, err
	}
	digits, err := secret.NewKey([]byte(pin))
	if err != nil {
		return in, err
	}
	block, err := pad.EncipherPIN(ctx, digits, hsm.PINTarget{Format: hsm.ISO0, Key: typed, PAN: number})
	if err != nil {
		return in, err
	}
	key, err := benchKey(ctx, m, u, hsm.TDES2)
	return hsm.EncipheredPIN{Format: hsm.ISO0, Block: block, Key: key, PAN: number}, err
}

func benchTranslate(ctx context.Context, m *pkcs11.Module) (func(context.Context, uint64) error, error) {
	in, err := benchBlock(ctx, m, hsm.TPK, benchPAN, "1234")
	if err != nil {
		return nil, err
	}
	zpk, err := m.Generate(ctx, benchSpec(hsm.ZPK, hsm.TDES2))
	to := hsm.PINTarget{Format: hsm.ISO0, Key: &zpk, PAN: in.PAN}
	return func(ctx context.Context, _ uint64) error {
		_, err := m.TranslatePIN(ctx, in, to)
		return err
	}, err
}

func benchVerifyPVV(ctx context.Context, m *pkcs11.Module) (func(context.Context, uint64) error, error) {
	in, err := benchBlock(ctx, m, hsm.ZPK, benchPVVPAN, benchPVVPIN)
	if err != nil {
		return nil, err
	}
	pvk, err := benchKey(ctx, m, hsm.PVK, hsm.TDES2)
	ref := hsm.PVV{Key: pvk, Index: '1', Value: [4]byte([]byte(benchPVV))}
	return func(ctx context.Context, _ uint64) error { return m.VerifyPVV(ctx, in, ref) }, err
}

// benchCryptogram is one ARQC and the issuer's key.
func benchCryptogram(ctx context.Context, m *pkcs11.Module) (imk *hsm.Key, c hsm.Cryptogram, err error) {
	raw, err := hex.DecodeString(benchICC)
	if err != nil {
		return nil, c, err
	}
	c = hsm.Cryptogram{Profile: hsm.VisaCVN10, PSN: [2]byte{'0', '0'}}
	if c.Data, err = secret.NewICC(raw); err != nil {
		return nil, c, err
	}
	if c.PAN, err = secret.NewPAN([]byte(benchARQCPAN)); err != nil {
		return nil, c, err
	}
	imk, err = benchKey(ctx, m, hsm.IMKAC, hsm.TDES2)
	return imk, c, err
}

func benchARQC(ctx context.Context, m *pkcs11.Module) (func(context.Context, uint64) error, error) {
	imk, c, err := benchCryptogram(ctx, m)
	return func(ctx context.Context, _ uint64) error { return m.VerifyARQC(ctx, imk, c) }, err
}

// benchNewCard derives a card's key each time. The cryptogram is another card's, so
// it is wrong, which shows at the end of the same work.
func benchNewCard(ctx context.Context, m *pkcs11.Module) (func(context.Context, uint64) error, error) {
	imk, c, err := benchCryptogram(ctx, m)
	return func(ctx context.Context, n uint64) error {
		one := c
		var err error
		if one.PAN, err = secret.NewPAN(fmt.Appendf(nil, "4%015d", n)); err != nil {
			return err
		}
		if err := m.VerifyARQC(ctx, imk, one); !errors.Is(err, hsm.ErrCryptogram) {
			return fmt.Errorf("a cryptogram of another card is not refused: %w", err)
		}
		return nil
	}, err
}

func benchARPC(ctx context.Context, m *pkcs11.Module) (func(context.Context, uint64) error, error) {
	imk, c, err := benchCryptogram(ctx, m)
	return func(ctx context.Context, _ uint64) error {
		_, err := m.ARPC(ctx, imk, c, [2]byte{'0', '0'})
		return err
	}, err
}

// benchCounters bounds the transactions of the device that is measured.
const benchCounters = 1 << 16

func benchDUKPT(a hsm.Algorithm, first string) func(context.Context, *pkcs11.Module) (func(context.Context, uint64) error, error) {
	return func(ctx context.Context, m *pkcs11.Module) (func(context.Context, uint64) error, error) {
		bdk, err := benchKey(ctx, m, hsm.BDK, a)
		if err != nil {
			return nil, err
		}
		raw, err := hex.DecodeString(first)
		if err != nil {
			return nil, err
		}
		ksn, err := hsm.ParseKSN(raw)
		if err != nil {
			return nil, err
		}
		var numbers []hsm.KSN
		for n := range uint32(benchCounters) {
			if k, err := ksn.At(n); err == nil { // devices skip counters with many one-bits
				numbers = append(numbers, k)
			}
		}
		data := bytes.Repeat([]byte("0123456789"), benchData/10)
		return func(ctx context.Context, n uint64) error {
			key := hsm.DUKPTKey{Base: bdk, KSN: numbers[n%uint64(len(numbers))], Type: a}
			_, err := m.DUKPTMAC(ctx, key, hsm.Request, hsm.DUKPTCMAC, data)
			return err
		}, nil
	}
}

func benchCVV(ctx context.Context, m *pkcs11.Module) (func(context.Context, uint64) error, error) {
	cvk, err := benchKey(ctx, m, hsm.CVK, hsm.TDES2)
	if err != nil {
		return nil, err
	}
	pan, err := secret.NewPAN([]byte(benchPAN))
	c := hsm.CardValueData{Kind: hsm.CardCVV, PAN: pan, Expiry: [4]byte([]byte("8701")), Order: hsm.YYMM, ServiceCode: [3]byte([]byte("101"))}
	return func(ctx context.Context, _ uint64) error {
		_, err := m.CVV(ctx, cvk, c)
		return err
	}, err
}

func benchSeal(ctx context.Context, m *pkcs11.Module) (func(context.Context, uint64) error, error) {
	key, err := benchKey(ctx, m, hsm.PANSeal, hsm.AES256)
	return func(ctx context.Context, _ uint64) error {
		_, err := m.Seal(ctx, key, []byte(benchPAN), []byte("place"))
		return err
	}, err
}

func benchOpen(ctx context.Context, m *pkcs11.Module) (func(context.Context, uint64) error, error) {
	key, err := benchKey(ctx, m, hsm.PANSeal, hsm.AES256)
	if err != nil {
		return nil, err
	}
	sealed, err := m.Seal(ctx, key, []byte(benchPAN), []byte("place"))
	return func(ctx context.Context, _ uint64) error {
		_, err := m.Open(ctx, key, sealed, []byte("place"))
		return err
	}, err
}

func benchToken(ctx context.Context, m *pkcs11.Module) (func(context.Context, uint64) error, error) {
	key, err := benchKey(ctx, m, hsm.PANToken, hsm.AES128)
	if err != nil {
		return nil, err
	}
	pan, err := secret.NewPAN([]byte(benchPAN))
	return func(ctx context.Context, _ uint64) error {
		_, err := m.Token(ctx, key, pan)
		return err
	}, err
}

func benchImport(ctx context.Context, m *pkcs11.Module) (func(context.Context, uint64) error, error) {
	kbpk, err := benchKey(ctx, m, hsm.KBPK, hsm.TDES2)
	if err != nil {
		return nil, err
	}
	want := hsm.WorkingKey{Spec: benchSpec(hsm.ZPK, hsm.TDES2)}
	_, out, err := m.GenerateSet(ctx, kbpk, want)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, _ uint64) error {
		_, err := m.ImportKeyBlock(ctx, kbpk, want, out[0].Block)
		return err
	}, nil
}
