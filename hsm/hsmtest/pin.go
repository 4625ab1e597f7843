// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"context"
	"crypto/aes"
	"crypto/des"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

// pinCases are the PIN functions: blocks, translation, verification, reference
// values.
func pinCases() []testCase {
	return []testCase{
		{"vectors/pinblock", blockVectors},
		{"vectors/pvv", pvvVectors},
		{"vectors/ibm3624", offsetVectors},
		{"PIN/translation table, all pairs of formats and keys", translationPairs},
		{"PIN/filler is fresh", freshFiller},
		{"PIN/change", pinChange},
		{"trap/ISO-0 and ISO-3 take twelve digits without the check digit", trapAccount},
		{"trap/ISO-4 holds the whole PAN, its length less twelve", trapPANField},
		{"trap/ISO-4 is AES, xor, AES, never PAN first", trapPANFirst},
		{"trap/PVV takes eleven digits and four of the PIN", trapPVV},
		{"trap/PIN of 4 to 12 digits", trapPINLength},
		{"trap/wrong PIN and malformed block are two errors", trapWrongPIN},
		{"trap/translation keeps the card number", trapOtherPAN},
		{"trap/decimalisation table is bound to its key", trapTable},
		{"refuse/PIN inputs of a wrong form", wrongPINInputs},
	}
}

// offsetRule is the rule of the test PVKOffset: the whole 16-digit PAN.
func offsetRule(table string) hsm.OffsetRule {
	return hsm.OffsetRule{Table: [16]byte([]byte(table)), Length: 16, Pad: 'F'}
}

const (
	testTable = "0123456789012345"
	aesTest   = "C1D0F8FB4958670DBA40AB1F3752EF0D"
)

// pinKey loads a PIN key for blocks of format f: TDES or AES by the format,
// double, triple or 128 to 256 bits by the value.
func (s *suite) pinKey(u hsm.Usage, f hsm.PINFormat, value []byte) *hsm.Key {
	s.Helper()
	spec := s.spec(u)
	switch {
	case f == hsm.ISO4 && len(value) == 16:
		spec.Algorithm = hsm.AES128
	case f == hsm.ISO4 && len(value) == 24:
		spec.Algorithm = hsm.AES192
	case f == hsm.ISO4:
		spec.Algorithm = hsm.AES256
	case len(value) == 24:
		spec.Algorithm = hsm.TDES3
	}
	k, err := s.m.LoadClear(s.Context(), spec, clearKey(s, value))
	if err != nil {
		s.Fatalf("load %s for %s: %v", u, f, err)
	}
	return &k
}

// The reference below lays PIN blocks out as hex text, and uses the ciphers of
// the standard library: nothing of it is shared with the drivers.

// clearBlock is a clear block of 8 bytes, also one that is none: pin may be of
// any length up to 14 and of any hex digits.
func clearBlock(t testing.TB, f hsm.PINFormat, pin, pan, fill string) []byte {
	t.Helper()
	text := fmt.Sprintf("%d%X%s", f-hsm.ISO0, len(pin), pin)
	block := unhex(t, (text + strings.Repeat(fill, 14))[:16])
	if f == hsm.ISO0 || f == hsm.ISO3 {
		for i, c := range unhex(t, "0000"+pan[len(pan)-13:len(pan)-1]) {
			block[i] ^= c
		}
	}
	return block
}

// pinField is a format 4 PIN field, also one that is none.
func pinField(t testing.TB, pin, random string) []byte {
	t.Helper()
	return unhex(t, (fmt.Sprintf("4%X%s", len(pin), pin) + strings.Repeat("A", 14))[:16]+random)
}

// panField is the format 4 PAN field.
func panField(t testing.TB, pan string) []byte {
	t.Helper()
	text := fmt.Sprintf("%d%s%s", max(0, len(pan)-12), strings.Repeat("0", max(0, 12-len(pan))), pan)
	return unhex(t, text+strings.Repeat("0", 32-len(text)))
}

// cipherBlock runs one block through TDES (8 bytes) or AES (16).
func cipherBlock(t testing.TB, key, block []byte, decrypt bool) []byte {
	t.Helper()
	out := make([]byte, len(block))
	if len(block) == 16 {
		c, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		if decrypt {
			c.Decrypt(out, block)
		} else {
			c.Encrypt(out, block)
		}
		return out
	}
	if len(key) == 16 {
		return tdes(t, key, block, decrypt)
	}
	c, err := des.NewTripleDESCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	if decrypt {
		c.Decrypt(out, block)
	} else {
		c.Encrypt(out, block)
	}
	return out
}

// encipher4 enciphers a format 4 PIN field.
func encipher4(t testing.TB, key, field []byte, pan string) []byte {
	t.Helper()
	return cipherBlock(t, key, xor(cipherBlock(t, key, field, false), panField(t, pan)), false)
}

// typed is a PIN block as a PIN pad makes it, for any PIN, good or not.
func (s *suite) typed(f hsm.PINFormat, key []byte, pin, pan string) secret.PINBlock {
	s.Helper()
	switch f {
	case hsm.ISO1:
		return s.block(cipherBlock(s, key, clearBlock(s, f, pin, "", "5"), false))
	case hsm.ISO3:
		return s.block(cipherBlock(s, key, clearBlock(s, f, pin, pan, "BEACD"), false))
	case hsm.ISO4:
		return s.block(encipher4(s, key, pinField(s, pin, "0102030405060708"), pan))
	}
	return s.block(cipherBlock(s, key, clearBlock(s, f, pin, pan, "F"), false))
}

// pinBlock is a format 0 block of pin and pan under a TDES key.
func (s *suite) pinBlock(key []byte, pin, pan string) secret.PINBlock {
	s.Helper()
	return s.typed(hsm.ISO0, key, pin, pan)
}

// account12 is what format 0 takes of a card number.
func account12(t testing.TB, pan string) hsm.Account12 {
	t.Helper()
	return hsm.Account12([]byte(pan[len(pan)-13 : len(pan)-1]))
}

// arrived is typed with its key, as the switch has it.
func (s *suite) arrived(u hsm.Usage, f hsm.PINFormat, key []byte, pin, pan string) hsm.EncipheredPIN {
	s.Helper()
	return hsm.EncipheredPIN{Block: s.typed(f, key, pin, pan), Format: f, Key: s.pinKey(u, f, key), PAN: s.pan(pan)}
}

// pinIn is the PIN in a block, read by its layout alone; a block that is not
// well-formed fails the test.
func (s *suite) pinIn(b secret.PINBlock, f hsm.PINFormat, key []byte, pan string) string {
	s.Helper()
	block := cipherBlock(s, key, b.AppendTo(nil, secret.ForTest), true)
	switch f {
	case hsm.ISO4:
		block = cipherBlock(s, key, xor(block, panField(s, pan)), true)
	case hsm.ISO0, hsm.ISO3:
		block = xor(block, unhex(s, "0000"+pan[len(pan)-13:len(pan)-1]))
	}
	text := upper(block)
	n := int(block[0] & 0xF)
	fill := map[hsm.PINFormat]string{hsm.ISO0: "F", hsm.ISO1: "0123456789ABCDEF", hsm.ISO3: "ABCDEF", hsm.ISO4: "A"}[f]
	if block[0]>>4 != byte(f-hsm.ISO0) || n < 4 || n > 12 || strings.Trim(text[2:2+n], "0123456789") != "" || strings.Trim(text[2+n:16], fill) != "" {
		s.Fatalf("%s block %s is malformed", f, text)
	}
	return text[2 : 2+n]
}

// randomFor is the randomness that makes a driver choose the filler digits fill.
func randomFor(t testing.TB, f hsm.PINFormat, fill string) []byte {
	t.Helper()
	fill = (fill + "AAAAAAAAAA")[:10]
	if f == hsm.ISO1 {
		return unhex(t, fill+"000000")
	}
	n := new(big.Int) // the filler as digits of base six, as a fraction of 2^64, rounded up
	for _, c := range fill {
		n.Add(n.Mul(n, big.NewInt(6)), big.NewInt(int64(c-'A')))
	}
	n.Lsh(n, 64)
	whole := new(big.Int).Exp(big.NewInt(6), big.NewInt(10), nil)
	n.Add(n, new(big.Int).Sub(whole, big.NewInt(1))).Div(n, whole)
	return binary.BigEndian.AppendUint64(nil, n.Uint64())
}

// pinFunctions are the uses of PIN and PIN verification keys.
func (s *suite) pinFunctions() []function {
	m, value := s.m, unhex(s, testKey)
	in := s.arrived(hsm.TPK, hsm.ISO0, value, "1234", testPAN)
	zpk, pvk, pvkOffset := s.key(hsm.ZPK, value), s.key(hsm.PVK, value), s.key(hsm.PVKOffset, value)
	under := func(k *hsm.Key) hsm.EncipheredPIN { e := in; e.Key = k; return e }
	pvv := func(k *hsm.Key) hsm.PVV { return hsm.PVV{Key: k, Index: '1', Value: [4]byte([]byte("0000"))} }
	offset := func(k *hsm.Key) hsm.PINOffset { return hsm.PINOffset{Key: k, Value: []byte("0000")} }
	blocks, pvks, offsets := []hsm.Usage{hsm.TPK, hsm.ZPK}, []hsm.Usage{hsm.PVK}, []hsm.Usage{hsm.PVKOffset}
	type C = context.Context
	return []function{
		{"TranslatePIN from", blocks, func(ctx C, k *hsm.Key) error {
			return second(m.TranslatePIN(ctx, under(k), hsm.PINTarget{Format: hsm.ISO0, Key: zpk, PAN: in.PAN}))
		}},
		{"TranslatePIN to", []hsm.Usage{hsm.ZPK}, func(ctx C, k *hsm.Key) error {
			return second(m.TranslatePIN(ctx, in, hsm.PINTarget{Format: hsm.ISO0, Key: k, PAN: in.PAN}))
		}},
		{"VerifyPVV block", blocks, func(ctx C, k *hsm.Key) error { return m.VerifyPVV(ctx, under(k), pvv(pvk)) }},
		{"VerifyPVV value", pvks, func(ctx C, k *hsm.Key) error { return m.VerifyPVV(ctx, in, pvv(k)) }},
		{"VerifyOffset block", blocks, func(ctx C, k *hsm.Key) error { return m.VerifyOffset(ctx, under(k), offset(pvkOffset)) }},
		{"VerifyOffset value", offsets, func(ctx C, k *hsm.Key) error { return m.VerifyOffset(ctx, in, offset(k)) }},
		{"GeneratePVV block", blocks, func(ctx C, k *hsm.Key) error { return second(m.GeneratePVV(ctx, under(k), pvk, '1')) }},
		{"GeneratePVV value", pvks, func(ctx C, k *hsm.Key) error { return second(m.GeneratePVV(ctx, in, k, '1')) }},
		{"GenerateOffset block", blocks, func(ctx C, k *hsm.Key) error { return second(m.GenerateOffset(ctx, under(k), pvkOffset)) }},
		{"GenerateOffset value", offsets, func(ctx C, k *hsm.Key) error { return second(m.GenerateOffset(ctx, in, k)) }},
		{"ChangePVV old block", blocks, func(ctx C, k *hsm.Key) error { return second(m.ChangePVV(ctx, under(k), in, pvv(pvk))) }},
		{"ChangePVV new block", blocks, func(ctx C, k *hsm.Key) error { return second(m.ChangePVV(ctx, in, under(k), pvv(pvk))) }},
		{"ChangePVV value", pvks, func(ctx C, k *hsm.Key) error { return second(m.ChangePVV(ctx, in, in, pvv(k))) }},
		{"ChangeOffset old block", blocks, func(ctx C, k *hsm.Key) error {
			return second(m.ChangeOffset(ctx, under(k), in, offset(pvkOffset)))
		}},
		{"ChangeOffset new block", blocks, func(ctx C, k *hsm.Key) error {
			return second(m.ChangeOffset(ctx, in, under(k), offset(pvkOffset)))
		}},
		{"ChangeOffset value", offsets, func(ctx C, k *hsm.Key) error { return second(m.ChangeOffset(ctx, in, in, offset(k))) }},
	}
}
