// SPDX-License-Identifier: Apache-2.0

package hsmtest

import (
	"context"
	"fmt"
	"slices"

	"tapswitch/hsm"
)

// otherBases are the uses of keys again, under every algorithm that a use takes
// besides the one of spec. The keys are someKey.
func (s *suite) otherBases() []other {
	var all []other
	for _, a := range []hsm.Algorithm{hsm.AES128, hsm.AES192, hsm.AES256} {
		all = append(all, under(a, slices.Concat(s.dukptUnder(a), s.dukptPINs(a, hsm.ISO4, dukptAES96), s.keyBlocksUnder(a), s.pinsUnder(a, hsm.ISO4), s.dataUnder(a)))...)
	}
	all = append(all, under(hsm.TDES2, s.dukptPINs(hsm.TDES2, hsm.ISO0, dukptKSN))...)
	all = append(all, under(hsm.TDES3, slices.Concat(s.pinsUnder(hsm.TDES3, hsm.ISO0), s.dataUnder(hsm.TDES3), s.keyBlocksUnder(hsm.TDES3), s.setsUnderTDES3()))...)
	for _, a := range []hsm.Algorithm{hsm.AES128, hsm.HMAC256} {
		all = append(all, under(a, []function{{"Token", []hsm.Usage{hsm.PANToken}, func(ctx context.Context, k *hsm.Key) error {
			return second(s.m.Token(ctx, k, s.pan(testPAN)))
		}}})...)
	}
	return all
}

// under names functions by the algorithm of their keys.
func under(a hsm.Algorithm, all []function) (out []other) {
	for _, f := range all {
		f.name = fmt.Sprintf("%s under %s", f.name, a)
		out = append(out, other{f, a})
	}
	return out
}

// dukptUnder are the uses of AES base keys.
func (s *suite) dukptUnder(a hsm.Algorithm) []function {
	number, err := hsm.ParseKSN(unhex(s, dukptAES96))
	if err != nil {
		s.Fatal(err)
	}
	of := func(k *hsm.Key, t hsm.Algorithm) hsm.DUKPTKey { return hsm.DUKPTKey{Base: k, KSN: number, Type: t} }
	allow, data := []hsm.Usage{hsm.BDK, hsm.IK}, make([]byte, 16)
	return []function{
		{"DUKPTMAC", allow, func(ctx context.Context, k *hsm.Key) error {
			return second(s.m.DUKPTMAC(ctx, of(k, a), hsm.Request, hsm.DUKPTCMAC, data))
		}},
		{"DUKPTMAC by HMAC", allow, func(ctx context.Context, k *hsm.Key) error {
			return second(s.m.DUKPTMAC(ctx, of(k, hsm.HMAC128), hsm.BothWays, hsm.DUKPTHMAC, data))
		}},
		{"VerifyDUKPTMAC", allow, func(ctx context.Context, k *hsm.Key) error {
			return s.m.VerifyDUKPTMAC(ctx, of(k, hsm.TDES2), hsm.Response, hsm.DUKPTCMAC, data, data[:8])
		}},
		s.dukptUpdate(number),
		{"EncipherDUKPTData", allow, func(ctx context.Context, k *hsm.Key) error {
			return second(s.m.EncipherDUKPTData(ctx, of(k, a), hsm.Request, hsm.ECB(), data))
		}},
		{"DecipherDUKPTData", allow, func(ctx context.Context, k *hsm.Key) error {
			return second(s.m.DecipherDUKPTData(ctx, of(k, hsm.TDES2), hsm.Response, hsm.CBC(data[:8]), data))
		}},
	}
}

// dukptPINs are the uses of base keys for PIN blocks of format f, under PIN keys
// of algorithm a; the block itself is none.
func (s *suite) dukptPINs(a hsm.Algorithm, f hsm.PINFormat, ksn string) []function {
	number, err := hsm.ParseKSN(unhex(s, ksn))
	if err != nil {
		s.Fatal(err)
	}
	zone := unhex(s, testKey)
	known, zpk := s.arrived(hsm.TPK, f, zone, "1234", testPAN), s.pinKey(hsm.ZPK, hsm.ISO0, zone)
	pvk, pvkOffset := s.good(hsm.PVK), s.good(hsm.PVKOffset)
	in := func(k *hsm.Key) hsm.EncipheredPIN {
		return hsm.EncipheredPIN{Block: known.Block, Format: f, Key: k, KSN: number, Type: a, PAN: known.PAN}
	}
	pvv, offset := hsm.PVV{Key: pvk, Index: '1', Value: part4("0000")}, hsm.PINOffset{Key: pvkOffset, Value: []byte("0000")}
	allow, m := []hsm.Usage{hsm.BDK, hsm.IK}, s.m
	type C = context.Context
	return []function{
		{"DUKPT TranslatePIN from", allow, func(ctx C, k *hsm.Key) error {
			return second(m.TranslatePIN(ctx, in(k), hsm.PINTarget{Format: hsm.ISO0, Key: zpk, PAN: known.PAN}))
		}},
		{"DUKPT VerifyPVV block", allow, func(ctx C, k *hsm.Key) error { return m.VerifyPVV(ctx, in(k), pvv) }},
		{"DUKPT VerifyOffset block", allow, func(ctx C, k *hsm.Key) error { return m.VerifyOffset(ctx, in(k), offset) }},
		{"DUKPT GeneratePVV block", allow, func(ctx C, k *hsm.Key) error { return second(m.GeneratePVV(ctx, in(k), pvk, '1')) }},
		{"DUKPT GenerateOffset block", allow, func(ctx C, k *hsm.Key) error { return second(m.GenerateOffset(ctx, in(k), pvkOffset)) }},
		{"DUKPT ChangePVV new block", allow, func(ctx C, k *hsm.Key) error { return second(m.ChangePVV(ctx, known, in(k), pvv)) }},
		{"DUKPT ChangeOffset new block", allow, func(ctx C, k *hsm.Key) error {
			return second(m.ChangeOffset(ctx, known, in(k), offset))
		}},
		s.dukptChange(in),
	}
}

// dataUnder are the uses of data keys; the data is whole blocks of every cipher.
func (s *suite) dataUnder(a hsm.Algorithm) []function {
	allow, data := []hsm.Usage{hsm.TDK, hsm.ZDK}, make([]byte, 16)
	return []function{
		{"EncipherData", allow, func(ctx context.Context, k *hsm.Key) error {
			return second(s.m.EncipherData(ctx, k, hsm.ECB(), data))
		}},
		{"DecipherData", allow, func(ctx context.Context, k *hsm.Key) error {
			return second(s.m.DecipherData(ctx, k, hsm.CBC(data[:a.BlockSize()]), data))
		}},
	}
}

// keyBlocksUnder are the uses of protection keys, with blocks under someKey.
func (s *suite) keyBlocksUnder(a hsm.Algorithm) []function {
	version := "D"
	if a.IsTDES() {
		version = "B"
	}
	value := someKey(a.Size())
	block := s.closed(version+"0000M3TC00E0000", upper(value), unhex(s, otherKey))
	from, to := s.kbpk(value, a.IsAES()), s.kbpk(unhex(s, aesKBPK), true)
	allow, tak, cvk := []hsm.Usage{hsm.KBPK}, s.working(hsm.TAK, hsm.TDES2), s.working(hsm.CVK, hsm.TDES2) // a CVK travels in blocks alone
	return []function{
		{"GenerateSet block", allow, func(ctx context.Context, k *hsm.Key) error {
			_, _, err := s.m.GenerateSet(ctx, k, cvk)
			return err
		}},
		{"ImportKeyBlock", allow, func(ctx context.Context, k *hsm.Key) error {
			return second(s.m.ImportKeyBlock(ctx, k, tak, block))
		}},
		{"TranslateKeyBlock from", allow, func(ctx context.Context, k *hsm.Key) error {
			return second(s.m.TranslateKeyBlock(ctx, k, to, block, hsm.KeyBlockForm{}))
		}},
		{"TranslateKeyBlock to", allow, func(ctx context.Context, k *hsm.Key) error {
			return second(s.m.TranslateKeyBlock(ctx, from, k, block, hsm.KeyBlockForm{}))
		}},
	}
}

// setsUnderTDES3 are the uses of master keys of triple length.
func (s *suite) setsUnderTDES3() []function {
	tpk, zpk := s.working(hsm.TPK, hsm.TDES2), s.working(hsm.ZPK, hsm.TDES2)
	arriving := []hsm.Exported{{Cryptogram: make([]byte, 16)}}
	return []function{
		{"GenerateSet terminal", []hsm.Usage{hsm.TMK, hsm.KBPK}, func(ctx context.Context, k *hsm.Key) error {
			_, _, err := s.m.GenerateSet(ctx, k, tpk)
			return err
		}},
		{"GenerateSet zone", []hsm.Usage{hsm.ZMK, hsm.KBPK}, func(ctx context.Context, k *hsm.Key) error {
			_, _, err := s.m.GenerateSet(ctx, k, zpk)
			return err
		}},
		{"LoadSet zone", []hsm.Usage{hsm.ZMK, hsm.KBPK}, func(ctx context.Context, k *hsm.Key) error {
			return second(s.m.LoadSet(ctx, k, []hsm.WorkingKey{zpk}, arriving))
		}},
	}
}

// pinsUnder are the uses of keys of PIN blocks of format f.
func (s *suite) pinsUnder(a hsm.Algorithm, f hsm.PINFormat) []function {
	m, value := s.m, someKey(a.Size())
	in := s.arrived(hsm.TPK, f, value, "1234", testPAN)
	zpk, pvk, pvkOffset := s.pinKey(hsm.ZPK, f, value), s.good(hsm.PVK), s.good(hsm.PVKOffset)
	under := func(k *hsm.Key) hsm.EncipheredPIN { e := in; e.Key = k; return e }
	pvv, offset := hsm.PVV{Key: pvk, Index: '1', Value: part4("0000")}, hsm.PINOffset{Key: pvkOffset, Value: []byte("0000")}
	blocks := []hsm.Usage{hsm.TPK, hsm.ZPK}
	type C = context.Context
	return []function{
		{"TranslatePIN from", blocks, func(ctx C, k *hsm.Key) error {
			return second(m.TranslatePIN(ctx, under(k), hsm.PINTarget{Format: f, Key: zpk, PAN: in.PAN}))
		}},
		{"TranslatePIN to", []hsm.Usage{hsm.ZPK}, func(ctx C, k *hsm.Key) error {
			return second(m.TranslatePIN(ctx, in, hsm.PINTarget{Format: f, Key: k, PAN: in.PAN}))
		}},
		{"VerifyPVV block", blocks, func(ctx C, k *hsm.Key) error { return m.VerifyPVV(ctx, under(k), pvv) }},
		{"VerifyOffset block", blocks, func(ctx C, k *hsm.Key) error { return m.VerifyOffset(ctx, under(k), offset) }},
		{"GeneratePVV block", blocks, func(ctx C, k *hsm.Key) error { return second(m.GeneratePVV(ctx, under(k), pvk, '1')) }},
		{"GenerateOffset block", blocks, func(ctx C, k *hsm.Key) error { return second(m.GenerateOffset(ctx, under(k), pvkOffset)) }},
		{"ChangePVV new block", blocks, func(ctx C, k *hsm.Key) error { return second(m.ChangePVV(ctx, in, under(k), pvv)) }},
		{"ChangeOffset new block", blocks, func(ctx C, k *hsm.Key) error {
			return second(m.ChangeOffset(ctx, in, under(k), offset))
		}},
	}
}
