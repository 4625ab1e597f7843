// SPDX-License-Identifier: Apache-2.0

package oda_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"errors"
	"math/big"
	"sync"
	"testing"
	"time"

	"tapswitch/hsm/oda"
	"tapswitch/simulators/card"
)

const number = "4761739001010119"

// chain is a scheme, an issuer and a card, each with a key, and what the upper
// signed for the lower.
type chain struct {
	scheme, issuer, icc *rsa.PrivateKey
	bank, chip          card.Certificate
	static              []byte
}

// key makes an RSA key of bits with exponent 3 or 65537.
func key(bits, e int) (*rsa.PrivateKey, error) {
	one, exponent := big.NewInt(1), big.NewInt(int64(e))
	for {
		p, err := rand.Prime(rand.Reader, bits/2)
		if err != nil {
			return nil, err
		}
		q, err := rand.Prime(rand.Reader, bits-bits/2)
		if err != nil {
			return nil, err
		}
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		d := new(big.Int).ModInverse(exponent, phi)
		n := new(big.Int).Mul(p, q)
		if d == nil || n.BitLen() != bits || p.Cmp(q) == 0 {
			continue
		}
		return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: e}, D: d, Primes: []*big.Int{p, q}}, nil
	}
}

// chains are two sets: with all keys whole in their certificates, and with
// remainders. They are made once.
var chains = sync.OnceValues(func() (out []chain, err error) {
	for _, set := range []struct{ scheme, issuer, icc, exponent int }{{1984, 1408, 1024, 3}, {1152, 1152, 1152, 65537}} {
		var c chain
		for _, k := range []struct {
			to   **rsa.PrivateKey
			bits int
		}{{&c.scheme, set.scheme}, {&c.issuer, set.issuer}, {&c.icc, set.icc}} {
			if *k.to, err = key(k.bits, set.exponent); err != nil {
				return nil, err
			}
		}
		out = append(out, c)
	}
	return out, nil
})

var printed = card.Printed{PAN: number, Expiry: "1225", Serial: [3]byte{1, 2, 3}}

func issued(t testing.TB) []chain {
	t.Helper()
	all, err := chains()
	if err != nil {
		t.Fatal(err)
	}
	static, err := oda.StaticData([]oda.Record{{SFI: 2, Data: []byte("\x70\x0a\x5a\x08\x47\x61\x73\x90\x01\x01\x01\x19")}}, []byte{0x82}, []byte{0x20, 0x00})
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		c := &all[i]
		c.static = static
		if c.bank, err = card.CertifyIssuer(c.scheme, printed, &c.issuer.PublicKey); err != nil {
			t.Fatal(err)
		}
		if c.chip, err = card.CertifyCard(c.issuer, printed, &c.icc.PublicKey, static); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func public(k *rsa.PrivateKey) oda.Key {
	return oda.Key{Modulus: k.N.Bytes(), Exponent: big.NewInt(int64(k.E)).Bytes()}
}

func signed(c card.Certificate) oda.Signed {
	return oda.Signed{Certificate: c.Signed, Remainder: c.Remainder, Exponent: c.Exponent}
}

func same(a, b oda.Key) bool {
	return bytes.Equal(a.Modulus, b.Modulus) && bytes.Equal(a.Exponent, b.Exponent)
}

// resign opens what signer signed, changes it, makes its hash right again and
// signs it: a card with a wrong field and a right signature.
func resign(signer *rsa.PrivateKey, sig []byte, change func(data []byte), besides ...[]byte) []byte {
	m := new(big.Int).Exp(new(big.Int).SetBytes(sig), big.NewInt(int64(signer.E)), signer.N).FillBytes(make([]byte, len(sig)))
	change(m)
	at := len(m) - 21
	h := sha1.New()
	h.Write(m[1:at])
	for _, b := range besides {
		h.Write(b)
	}
	copy(m[at:], h.Sum(nil))
	return new(big.Int).Exp(new(big.Int).SetBytes(m), signer.D, signer.N).FillBytes(m)
}

// set changes one byte of recovered data, counted from its end when negative.
func set(at int, value byte) func([]byte) {
	return func(data []byte) {
		if at < 0 {
			at += len(data)
		}
		data[at] = value
	}
}

// TestCardAndTerminalAgree: what the simulated card signs, this package accepts.
func TestCardAndTerminalAgree(t *testing.T) {
	for _, c := range issued(t) {
		bank, err := oda.RecoverIssuer(public(c.scheme), signed(c.bank), pan(t, number), then)
		if err != nil || !same(bank.Key, public(c.issuer)) || bank.Serial != printed.Serial {
			t.Fatalf("issuer: %v", err)
		}
		cert, err := oda.RecoverICC(bank.Key, signed(c.chip), pan(t, number), then)
		if err != nil {
			t.Fatal(err)
		}
		icc, err := cert.Authenticate(c.static)
		if err != nil || !same(icc, public(c.icc)) {
			t.Fatalf("card: %v", err)
		}
		ssad, err := card.SignStatic(c.issuer, [2]byte{0xDA, 0xC0}, c.static)
		if err != nil {
			t.Fatal(err)
		}
		if dac, err := oda.SDA(bank.Key, ssad, c.static); err != nil || dac != [2]byte{0xDA, 0xC0} {
			t.Errorf("SDA: %X, %v", dac, err)
		}
		sdad, err := card.SignDynamic(c.icc, []byte{1, 2, 3}, []byte("ddol"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := oda.DDA(icc, sdad, []byte("ddol")); err != nil || !bytes.Equal(got, []byte{1, 2, 3}) {
			t.Errorf("DDA: %X, %v", got, err)
		}
		agreeCombined(t, c, icc)
		agreeFast(t, c, icc)
	}
}

func agreeCombined(t *testing.T, c chain, icc oda.Key) {
	g := card.Generated{Number: []byte{9, 8, 7, 6, 5, 4, 3, 2}, CID: 0x80, ATC: [2]byte{0, 7}, Cryptogram: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, IAD: []byte{6, 1, 0x0A, 3, 0, 0, 0}}
	un, told := [4]byte{0xAA, 0xBB, 0xCC, 0xDD}, []byte("values of PDOL and CDOL1")
	answer, err := card.SignCombined(c.icc, g, un, told)
	if err != nil {
		t.Fatal(err)
	}
	got, err := oda.CDA(icc, answer, un, told)
	if err != nil || !bytes.Equal(got.Number, g.Number) || got.CID != g.CID || got.Cryptogram != g.Cryptogram {
		t.Errorf("CDA: %+v, %v", got, err)
	}
	if _, err := oda.CDA(icc, answer, un, []byte("another transaction")); !errors.Is(err, oda.ErrTransaction) {
		t.Errorf("CDA of another transaction: %v, want ErrTransaction", err)
	}
	if _, err := oda.CDA(icc, answer, [4]byte{}, told); !errors.Is(err, oda.ErrHash) {
		t.Errorf("CDA of another unpredictable number: %v, want ErrHash", err)
	}
	approved := bytes.Replace(answer, []byte{0x9F, 0x27, 1, 0x80}, []byte{0x9F, 0x27, 1, 0x40}, 1)
	if _, err := oda.CDA(icc, approved, un, told); !errors.Is(err, oda.ErrCID) {
		t.Errorf("ARQC made a TC on its way: %v, want ErrCID", err)
	}
	counter := bytes.Replace(answer, []byte{0x9F, 0x36, 2, 0, 7}, []byte{0x9F, 0x36, 2, 0, 8}, 1)
	if _, err := oda.CDA(icc, counter, un, told); !errors.Is(err, oda.ErrTransaction) {
		t.Errorf("counter changed: %v, want ErrTransaction", err)
	}
	other := append(bytes.Clone(answer), 0x9F, 0x26, 8, 0, 0, 0, 0, 0, 0, 0, 0)
	if _, err := oda.CDA(icc, other, un, told); !errors.Is(err, oda.ErrCryptogram) {
		t.Errorf("another cryptogram in clear: %v, want ErrCryptogram", err)
	}
	for name, wrong := range map[string][]byte{
		"nothing": nil, "cut": answer[:len(answer)-1], "no signature": answer[:4], "no CID": answer[4:],
		"CID twice": append([]byte{0x9F, 0x27, 1, 0x80}, answer...), "CID of two": append([]byte{0x9F, 0x27, 2, 0x80, 0}, answer[4:]...),
		"signature twice": append([]byte{0x9F, 0x4B, 0}, answer...), "cryptogram of seven": append([]byte{0x9F, 0x26, 7, 0, 0, 0, 0, 0, 0, 0}, answer...),
	} {
		if _, err := oda.CDA(icc, wrong, un, told); !errors.Is(err, oda.ErrResponse) && !errors.Is(err, oda.ErrLength) {
			t.Errorf("%s: %v, want ErrResponse", name, err)
		}
	}
	sdad, err := card.SignDynamic(c.icc, g.Number, un[:])
	if err != nil {
		t.Fatal(err)
	}
	plain := append([]byte{0x9F, 0x27, 1, 0x80, 0x9F, 0x4B, 0x81, byte(len(sdad))}, sdad...)
	if _, err := oda.CDA(icc, plain, un, told); !errors.Is(err, oda.ErrDynamic) {
		t.Errorf("a DDA signature for CDA: %v, want ErrDynamic", err)
	}
}

func agreeFast(t *testing.T, c chain, icc oda.Key) {
	f := oda.Fast{UN: [4]byte{1, 2, 3, 4}, Amount: [6]byte{0, 0, 0, 0, 0x12, 0x34}, Currency: [2]byte{0x01, 0x56}, Qualifiers: []byte{0x80, 0x00}}
	terminal := append(append(append([]byte{}, f.UN[:]...), f.Amount[:]...), f.Currency[:]...)
	sdad, related, err := card.SignFast(c.icc, []byte{0x00, 0x1C}, [4]byte{5, 6, 7, 8}, [2]byte{0x80, 0x00}, terminal, false)
	if err != nil {
		t.Fatal(err)
	}
	f.Card = related
	if got, err := oda.FDDA(icc, sdad, f); err != nil || !bytes.Equal(got, []byte{0x00, 0x1C}) {
		t.Errorf("fDDA: %X, %v", got, err)
	}
	f.Qualifiers = nil // a card need not send them in clear
	if _, err := oda.FDDA(icc, sdad, f); err != nil {
		t.Errorf("fDDA without qualifiers in clear: %v", err)
	}
	for name, w := range map[string]struct {
		change func(f *oda.Fast)
		want   error
	}{
		"UN":           {func(f *oda.Fast) { f.UN[0]++ }, oda.ErrHash},
		"amount":       {func(f *oda.Fast) { f.Amount[5]++ }, oda.ErrHash},
		"currency":     {func(f *oda.Fast) { f.Currency[1]++ }, oda.ErrHash},
		"card's UN":    {func(f *oda.Fast) { f.Card[1]++ }, oda.ErrHash},
		"qualifiers":   {func(f *oda.Fast) { f.Qualifiers = []byte{0, 0} }, oda.ErrQualifiers},
		"version 00":   {func(f *oda.Fast) { f.Card[0] = 0 }, oda.ErrVersion},
		"9F69 of six":  {func(f *oda.Fast) { f.Card = f.Card[:6] }, oda.ErrCardData},
		"9F69 of 17":   {func(f *oda.Fast) { f.Card = append(f.Card, make([]byte, 10)...) }, oda.ErrCardData},
		"9F69 missing": {func(f *oda.Fast) { f.Card = nil }, oda.ErrCardData},
	} {
		wrong := f
		wrong.Card = bytes.Clone(f.Card)
		w.change(&wrong)
		if _, err := oda.FDDA(icc, sdad, wrong); !errors.Is(err, w.want) {
			t.Errorf("%s changed: %v, want %v", name, err, w.want)
		}
	}
	online, _, err := card.SignFast(c.icc, []byte{0x00, 0x1C}, [4]byte{5, 6, 7, 8}, [2]byte{0x80, 0x00}, terminal, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oda.FDDA(icc, online, f); !errors.Is(err, oda.ErrFormat) {
		t.Errorf("signature of an online authorisation: %v, want ErrFormat", err)
	}
	f.Online = true
	if n, err := oda.FDDA(icc, online, f); err != nil || !bytes.Equal(n, []byte{0x00, 0x1C}) {
		t.Errorf("signature of an online authorisation: %X, %v", n, err)
	}
	if _, err := oda.FDDA(icc, sdad, f); !errors.Is(err, oda.ErrFormat) {
		t.Errorf("signature of an offline approval with an online cryptogram: %v, want ErrFormat", err)
	}
}

// TestIssuerCertificateFields turns each field wrong under a right signature.
func TestIssuerCertificateFields(t *testing.T) {
	for i, c := range issued(t) {
		check := func(sig []byte, in card.Certificate, digits string, at time.Time) error {
			in.Signed = sig
			_, err := oda.RecoverIssuer(public(c.scheme), signed(in), pan(t, digits), at)
			return err
		}
		for name, w := range map[string]struct {
			change func([]byte)
			want   error
		}{
			"header": {set(0, 0x6B), oda.ErrHeader}, "format": {set(1, 0x04), oda.ErrFormat}, "trailer": {set(-1, 0xBD), oda.ErrTrailer},
			"identifier": {set(2, 0x48), oda.ErrIssuer}, "no identifier": {func(d []byte) { copy(d[2:], "\xff\xff\xff\xff") }, oda.ErrIssuer},
			"letters in the identifier": {set(3, 0xAB), oda.ErrIssuer}, "month 13": {set(6, 0x13), oda.ErrExpiry}, "month 00": {set(6, 0), oda.ErrExpiry},
			"month of letters": {set(6, 0x0A), oda.ErrExpiry}, "year of letters": {set(7, 0xA0), oda.ErrExpiry}, "expired": {set(7, 0x19), oda.ErrExpired},
			"last century": {set(7, 0x99), oda.ErrExpired}, "hash algorithm": {set(11, 2), oda.ErrAlgorithm}, "key algorithm": {set(12, 2), oda.ErrAlgorithm},
			"key too long": {set(13, 249), oda.ErrKeyLength}, "key too short": {set(13, 63), oda.ErrKeyLength}, "exponent length": {set(14, 2), oda.ErrExponent},
		} {
			if err := check(resign(c.scheme, c.bank.Signed, w.change, c.bank.Remainder, c.bank.Exponent), c.bank, number, then); !errors.Is(err, w.want) {
				t.Errorf("set %d, %s: %v, want %v", i, name, err, w.want)
			}
		}
		short := set(15+c.issuer.Size(), 0) // the first byte of padding, where the key leaves room
		if len(c.bank.Remainder) == 0 {
			if err := check(resign(c.scheme, c.bank.Signed, short, c.bank.Exponent), c.bank, number, then); !errors.Is(err, oda.ErrPadding) {
				t.Errorf("padding: %v, want ErrPadding", err)
			}
		}
		if err := check(c.bank.Signed, c.bank, "5413330089020011", then); !errors.Is(err, oda.ErrIssuer) {
			t.Errorf("another card: %v, want ErrIssuer", err)
		}
		if err := check(c.bank.Signed, c.bank, number, time.Date(2025, 12, 31, 23, 59, 0, 0, time.UTC)); err != nil {
			t.Errorf("in its last minute: %v", err)
		}
		if err := check(c.bank.Signed, c.bank, number, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); !errors.Is(err, oda.ErrExpired) {
			t.Errorf("a month later: %v, want ErrExpired", err)
		}
		if err := check(c.bank.Signed, c.bank, number, time.Time{}); !errors.Is(err, oda.ErrDate) {
			t.Errorf("without a date: %v, want ErrDate", err)
		}
		if lost := c.bank; len(lost.Remainder) > 0 {
			lost.Remainder = nil
			if err := check(lost.Signed, lost, number, then); !errors.Is(err, oda.ErrRemainder) {
				t.Errorf("remainder missing: %v, want ErrRemainder", err)
			}
		}
		for name, change := range map[string]func(in *card.Certificate){
			"remainder": func(in *card.Certificate) { in.Remainder = append(bytes.Clone(in.Remainder), 0) },
			"exponent":  func(in *card.Certificate) { in.Exponent = []byte{3, 0} },
		} {
			in := c.bank
			change(&in)
			if err := check(in.Signed, in, number, then); !errors.Is(err, oda.ErrHash) {
				t.Errorf("%s changed: %v, want ErrHash", name, err)
			}
		}
	}
}

// TestCardCertificateFields does so for a card's.
func TestCardCertificateFields(t *testing.T) {
	for i, c := range issued(t) {
		check := func(in card.Certificate, digits string, static []byte) error {
			got, err := oda.RecoverICC(public(c.issuer), signed(in), pan(t, digits), then)
			if err != nil {
				return err
			}
			_, err = got.Authenticate(static)
			return err
		}
		for name, w := range map[string]struct {
			change func([]byte)
			want   error
		}{
			"header": {set(0, 0x6B), oda.ErrHeader}, "format": {set(1, 0x02), oda.ErrFormat}, "trailer": {set(-1, 0), oda.ErrTrailer},
			"PAN": {set(9, 0x18), oda.ErrPAN}, "no PAN": {func(d []byte) { copy(d[2:12], bytes.Repeat([]byte{0xFF}, 10)) }, oda.ErrPAN}, "longer PAN": {set(10, 0x1F), oda.ErrPAN},
			"month 13": {set(12, 0x13), oda.ErrExpiry}, "expired": {set(13, 0x19), oda.ErrExpired}, "hash algorithm": {set(17, 0), oda.ErrAlgorithm},
			"key algorithm": {set(18, 0), oda.ErrAlgorithm}, "key too long": {set(19, 255), oda.ErrKeyLength}, "no key": {set(19, 0), oda.ErrKeyLength},
			"exponent length": {set(20, 0), oda.ErrExponent},
		} {
			in := c.chip
			in.Signed = resign(c.issuer, in.Signed, w.change, in.Remainder, in.Exponent, c.static)
			if err := check(in, number, c.static); !errors.Is(err, w.want) {
				t.Errorf("set %d, %s: %v, want %v", i, name, err, w.want)
			}
		}
		if lost := c.chip; len(lost.Remainder) > 0 {
			lost.Remainder = nil
			if err := check(lost, number, c.static); !errors.Is(err, oda.ErrRemainder) {
				t.Errorf("remainder missing: %v, want ErrRemainder", err)
			}
		}
		if err := check(c.chip, number, append(bytes.Clone(c.static), 0)); !errors.Is(err, oda.ErrHash) {
			t.Errorf("static data changed: %v, want ErrHash", err)
		}
		if err := check(c.chip, "476173900101011", c.static); !errors.Is(err, oda.ErrPAN) {
			t.Errorf("shorter number: %v, want ErrPAN", err)
		}
	}
	if _, err := (oda.ICC{}).Authenticate(nil); !errors.Is(err, oda.ErrKey) {
		t.Errorf("no certificate: %v, want ErrKey", err)
	}
	if err := (oda.Static{}).Authenticate(nil); !errors.Is(err, oda.ErrFormat) {
		t.Errorf("no signature: %v, want ErrFormat", err)
	}
}

// TestSignatureFields does so for static and dynamic signatures.
func TestSignatureFields(t *testing.T) {
	c := issued(t)[0]
	ssad, err := card.SignStatic(c.issuer, [2]byte{1, 2}, c.static)
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string]struct {
		change func([]byte)
		want   error
	}{"algorithm": {set(2, 2), oda.ErrAlgorithm}, "padding": {set(5, 0xBA), oda.ErrPadding}, "format": {set(1, 5), oda.ErrFormat}} {
		if _, err := oda.SDA(public(c.issuer), resign(c.issuer, ssad, w.change, c.static), c.static); !errors.Is(err, w.want) {
			t.Errorf("static, %s: %v, want %v", name, err, w.want)
		}
	}
	if dac, err := oda.SDA(public(c.issuer), ssad, nil); !errors.Is(err, oda.ErrHash) || dac != [2]byte{} {
		t.Errorf("static data gone: %X, %v, want ErrHash", dac, err)
	}
	sdad, err := card.SignDynamic(c.icc, []byte{1, 2, 3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string]struct {
		change func([]byte)
		want   error
	}{
		"algorithm": {set(2, 2), oda.ErrAlgorithm}, "no data": {set(3, 0), oda.ErrDynamic}, "data too long": {set(3, 255), oda.ErrDynamic}, "padding": {set(8, 0), oda.ErrPadding},
		"number of 1": {set(4, 1), oda.ErrNumber}, "number of 9": {set(4, 9), oda.ErrNumber}, "number longer than data": {set(4, 4), oda.ErrDynamic},
	} {
		if _, err := oda.DDA(public(c.icc), resign(c.icc, sdad, w.change), nil); !errors.Is(err, w.want) {
			t.Errorf("dynamic, %s: %v, want %v", name, err, w.want)
		}
	}
}

func TestStaticData(t *testing.T) {
	short, long := []byte("\x70\x02\x82\x00"), append([]byte("\x70\x81\x80"), make([]byte, 128)...)
	got, err := oda.StaticData([]oda.Record{{1, short}, {10, long}, {11, short}}, nil, nil)
	if want := append(append([]byte{0x82, 0}, make([]byte, 128)...), short...); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%X, %v", got, err)
	}
	for name, err := range map[string]error{
		"file 0":           second(oda.StaticData([]oda.Record{{0, short}}, nil, nil)),
		"file 31":          second(oda.StaticData([]oda.Record{{31, short}}, nil, nil)),
		"no template":      second(oda.StaticData([]oda.Record{{1, []byte("\x77\x00")}}, nil, nil)),
		"cut":              second(oda.StaticData([]oda.Record{{1, short[:3]}}, nil, nil)),
		"something behind": second(oda.StaticData([]oda.Record{{1, append(bytes.Clone(short), 1)}}, nil, nil)),
		"empty":            second(oda.StaticData([]oda.Record{{1, nil}}, nil, nil)),
		"tag list of 5A":   second(oda.StaticData(nil, []byte{0x5A}, nil)),
		"no profile":       second(oda.StaticData(nil, []byte{0x82}, nil)),
	} {
		if !errors.Is(err, oda.ErrStatic) {
			t.Errorf("%s: %v, want ErrStatic", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// The key of the fuzz test is always the same, so that an input means the same
// in every process, and the smallest that is opened: its private operation is
// what takes the time. It signs nothing else.
const (
	fuzzModulus  = "B390EBD47FD35E09DAA80D09BE3DD64C0A4A9CDD680724060D609087F31289EF3B799573656EDE0524F9B78BB2B882E26A1D47FB1DB62039B2EA2BF8D69D37A1"
	fuzzExponent = "77B5F28DAA8CE95BE71AB35BD429398806DC68939AAF6D595E40605AA20C5BF3B3573F37E3FDA7650A2A79B82A108D3341899A25C5714F463EB7A045502E6F83"
)

func integer(t testing.TB, text string) *big.Int {
	t.Helper()
	n, ok := new(big.Int).SetString(text, 16)
	if !ok {
		t.Fatal("not a number")
	}
	return n
}

// FuzzRecover opens what comes under published keys, and data whose frame and
// hash are made right, so that the checks behind them are reached.
func FuzzRecover(f *testing.F) {
	all := vectors(f)
	scheme, issuer, icc := all[0].key(f, "capk"), all[1].key(f, "issuer"), all[6].key(f, "icc")
	f.Add(byte(0), all[0].hex(f, "certificate"), []byte{}, []byte{3})
	f.Add(byte(1), all[1].hex(f, "certificate"), all[1].hex(f, "remainder"), []byte{3})
	f.Add(byte(2), all[4].hex(f, "ssad"), []byte{}, []byte{})
	f.Add(byte(3), all[6].hex(f, "sdad"), all[6].hex(f, "ddol_data"), []byte{})
	f.Add(byte(4), []byte("\x02\x47\x61\x73\x90\x12\x25\x01\x02\x03\x01\x01\x90\x03"), make([]byte, 36), []byte{1, 0, 1})
	f.Add(byte(5), []byte("\x04\x47\x61\x73\x90\x01\x01\x01\x19\xff\xff\x12\x25\x01\x02\x03\x01\x01\x80\x03"), make([]byte, 26), []byte{1, 0, 1})
	f.Add(byte(7), []byte("\x05\x01\x26\x08\x01\x02"), []byte{}, []byte{})
	own := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: integer(f, fuzzModulus), E: 3}, D: integer(f, fuzzExponent)}
	digits := pan(f, number)
	f.Fuzz(func(t *testing.T, kind byte, data, besides, exponent []byte) {
		in, signer := oda.Signed{Certificate: data, Remainder: besides, Exponent: exponent}, [3]oda.Key{scheme, issuer, icc}
		if kind&4 != 0 { // data is the inside
			in.Certificate = frame(own, data, besides, exponent)
			signer = [3]oda.Key{public(own), public(own), public(own)}
		}
		var got oda.Key
		var err error
		switch kind & 3 {
		case 0:
			var bank oda.Issuer
			bank, err = oda.RecoverIssuer(signer[0], in, digits, then)
			got = bank.Key
		case 1:
			var chip oda.ICC
			chip, err = oda.RecoverICC(signer[1], in, digits, then)
			got = chip.Unauthenticated()
		case 2:
			_, _ = oda.SDA(signer[1], in.Certificate, append(bytes.Clone(besides), exponent...))
			_, _ = oda.StaticData([]oda.Record{{SFI: 1, Data: data}}, besides, exponent)
			return
		case 3:
			number, err := oda.DDA(signer[2], in.Certificate, append(bytes.Clone(besides), exponent...))
			if err == nil && (len(number) < 2 || len(number) > 8) {
				t.Fatalf("a dynamic number of %d bytes", len(number))
			}
			_, _ = oda.CDA(signer[2], data, [4]byte{}, besides)
			return
		}
		if n := len(got.Modulus); err != nil && n != 0 || err == nil && (n < 64 || n > 248 || len(got.Exponent) == 0 || len(got.Exponent) > 3) {
			t.Fatalf("a key of %d bytes, %v", n, err)
		}
	})
}

// frame signs inside with header, hash and trailer made right.
func frame(signer *rsa.PrivateKey, inside []byte, besides ...[]byte) []byte {
	m := make([]byte, signer.Size())
	copy(m[1:len(m)-21], inside)
	m[0], m[len(m)-1] = 0x6A, 0xBC
	h := sha1.New()
	h.Write(m[1 : len(m)-21])
	for _, b := range besides {
		h.Write(b)
	}
	copy(m[len(m)-21:], h.Sum(nil))
	return new(big.Int).Exp(new(big.Int).SetBytes(m), signer.D, signer.N).FillBytes(m)
}
