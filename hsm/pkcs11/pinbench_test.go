// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"testing"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

const benchPAN = "6224242300000069"

// benchPIN is a PIN block of format f under key; it arrived in format 1, whose
// clear form is known, under a key of its own.
func benchPIN(b *testing.B, m *Module, f hsm.PINFormat, key *hsm.Key) hsm.EncipheredPIN {
	b.Helper()
	from := benchKey(b, m, hsm.ZPK, hsm.TDES2)
	var in [8]byte
	if err := m.do(b.Context(), func(w *worker) error {
		keys, err := w.objects(from)
		if err != nil {
			return err
		}
		return w.ecb(true, keys.whole, []byte{0x14, 0x12, 0x34, 1, 2, 3, 4, 5}, in[:])
	}); err != nil {
		b.Fatal(err)
	}
	pan, err := secret.NewPAN([]byte(benchPAN))
	if err != nil {
		b.Fatal(err)
	}
	block, err := secret.NewPINBlock(in[:])
	if err != nil {
		b.Fatal(err)
	}
	out, err := m.TranslatePIN(b.Context(), hsm.EncipheredPIN{Block: block, Format: hsm.ISO1, Key: from}, hsm.PINTarget{Format: f, Key: key, PAN: pan})
	if err != nil {
		b.Fatal(err)
	}
	return hsm.EncipheredPIN{Block: out, Format: f, Key: key, PAN: pan}
}

func BenchmarkTranslatePIN(b *testing.B) {
	m := module(b)
	key, aes := benchKey(b, m, hsm.ZPK, hsm.TDES2), benchKey(b, m, hsm.ZPK, hsm.AES128)
	translate := func(in hsm.EncipheredPIN, to hsm.PINTarget) func(b *testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.TranslatePIN(b.Context(), in, to); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	in := benchPIN(b, m, hsm.ISO0, key)
	b.Run("via=driver", translate(in, hsm.PINTarget{Format: hsm.ISO0, Key: key, PAN: in.PAN}))
	b.Run("via=miekg", func(b *testing.B) {
		b.ReportAllocs()
		raw := in.Block.AppendTo(nil, secret.ForTest)
		bare(b, m, key, func(ctx *p11.Ctx, s p11.SessionHandle, keys pair) error {
			out, err := block(ctx, s, false, keys.whole, raw)
			if err != nil {
				return err
			}
			_, err = block(ctx, s, true, keys.whole, out)
			return err
		})
	})
	b.Run("iso0 to iso4", translate(in, hsm.PINTarget{Format: hsm.ISO4, Key: aes, PAN: in.PAN}))
	in = benchPIN(b, m, hsm.ISO4, aes)
	b.Run("iso4 to iso0", translate(in, hsm.PINTarget{Format: hsm.ISO0, Key: key, PAN: in.PAN}))
	b.Run("iso4 to iso4", translate(in, hsm.PINTarget{Format: hsm.ISO4, Key: aes, PAN: in.PAN}))
}

func BenchmarkVerifyPIN(b *testing.B) {
	m := module(b)
	in := benchPIN(b, m, hsm.ISO0, benchKey(b, m, hsm.ZPK, hsm.TDES2))
	pvk, pvkOffset := benchKey(b, m, hsm.PVK, hsm.TDES2), benchKey(b, m, hsm.PVKOffset, hsm.TDES2)
	value, err := m.GeneratePVV(b.Context(), in, pvk, '1')
	if err != nil {
		b.Fatal(err)
	}
	offset, err := m.GenerateOffset(b.Context(), in, pvkOffset)
	if err != nil {
		b.Fatal(err)
	}
	for name, verify := range map[string]func() error{
		"pvv":    func() error { return m.VerifyPVV(b.Context(), in, hsm.PVV{Key: pvk, Index: '1', Value: value}) },
		"offset": func() error { return m.VerifyOffset(b.Context(), in, hsm.PINOffset{Key: pvkOffset, Value: offset}) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := verify(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
