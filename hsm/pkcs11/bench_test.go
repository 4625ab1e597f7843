// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"fmt"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/mac"
	"tapswitch/internal/secret"
)

// The benchmarks come in pairs for benchstat -col /via: the driver with
// everything a caller gets, and a bare github.com/miekg/pkcs11 loop that makes
// the same cipher operations on one session.

// benchKey loads a clear test key.
func benchKey(b testing.TB, m *Module, u hsm.Usage, a hsm.Algorithm) *hsm.Key {
	b.Helper()
	value := []byte("\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10")
	clearKey, err := secret.NewKey(value)
	if err != nil {
		b.Fatal(err)
	}
	spec := hsm.Spec{Name: "bench/" + u.String(), Owner: "bench", Usage: u, Algorithm: a, Version: 1}
	if u == hsm.PVKOffset {
		spec.Offset = hsm.OffsetRule{Table: [16]byte([]byte("0123456789012345")), Length: 16, Pad: 'F'}
	}
	k, err := m.LoadClear(b.Context(), spec, clearKey)
	if err != nil {
		b.Fatal(err)
	}
	return &k
}

// bare runs op on a session of its own, with the objects of key.
func bare(b *testing.B, m *Module, key *hsm.Key, op func(ctx *p11.Ctx, s p11.SessionHandle, keys pair) error) {
	b.Helper()
	ran := make(chan struct{})
	cfg := m.cfg
	m.cfg.Timeout = 1 << 40 // the loop is one job
	defer func() { m.cfg = cfg }()
	err := m.do(b.Context(), func(w *worker) error {
		defer close(ran)
		keys, err := w.objects(key)
		if err != nil {
			return err
		}
		b.ResetTimer()
		for b.Loop() {
			if err := op(w.m.ctx, w.session, keys); err != nil {
				return err
			}
		}
		return nil
	})
	<-ran
	if err != nil {
		b.Fatal(err)
	}
}

// block is one ECB operation the way miekg's users write it.
func block(ctx *p11.Ctx, s p11.SessionHandle, encipher bool, key p11.ObjectHandle, in []byte) ([]byte, error) {
	mechanism := []*p11.Mechanism{p11.NewMechanism(p11.CKM_DES3_ECB, nil)}
	if encipher {
		if err := ctx.EncryptInit(s, mechanism, key); err != nil {
			return nil, err
		}
		return ctx.Encrypt(s, in)
	}
	if err := ctx.DecryptInit(s, mechanism, key); err != nil {
		return nil, err
	}
	return ctx.Decrypt(s, in)
}

func BenchmarkMACUnionPay(b *testing.B) {
	m := module(b)
	key, data := benchKey(b, m, hsm.TAK, hsm.TDES2), make([]byte, 250)
	b.Run("via=driver", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := m.MAC(b.Context(), key, hsm.MACUnionPayECB, data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("via=miekg", func(b *testing.B) {
		b.ReportAllocs()
		bare(b, m, key, func(ctx *p11.Ctx, s p11.SessionHandle, keys pair) error {
			left, right := mac.Halves(mac.Fold(data))
			first, err := block(ctx, s, true, keys.whole, left[:])
			if err != nil {
				return err
			}
			second := mac.Xor([8]byte(first), right)
			_, err = block(ctx, s, true, keys.whole, second[:])
			return err
		})
	})
}

func BenchmarkMACRetail(b *testing.B) {
	m := module(b)
	key, data := benchKey(b, m, hsm.ZAK, hsm.TDES2), make([]byte, 256)
	b.Run("via=driver", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := m.MAC(b.Context(), key, hsm.MACRetail, data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("via=miekg", func(b *testing.B) {
		b.ReportAllocs()
		bare(b, m, key, func(ctx *p11.Ctx, s p11.SessionHandle, keys pair) error {
			mechanism := []*p11.Mechanism{p11.NewMechanism(p11.CKM_DES3_CBC, make([]byte, 8))}
			if err := ctx.EncryptInit(s, mechanism, keys.doubled); err != nil {
				return err
			}
			chain, err := ctx.Encrypt(s, data[:len(data)-8])
			if err != nil {
				return err
			}
			last := mac.Xor([8]byte(chain[len(chain)-8:]), [8]byte(data[len(data)-8:]))
			_, err = block(ctx, s, true, keys.whole, last[:])
			return err
		})
	})
}

// BenchmarkCallers has many callers at once, as the switch has: with few
// sessions a worker that finds the next job waiting does not go to sleep.
func BenchmarkCallers(b *testing.B) {
	for _, sessions := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("sessions=%d", sessions), func(b *testing.B) {
			alone(b)
			cfg := config()
			cfg.Sessions = sessions
			m, err := Open(world(), cfg)
			if err != nil {
				b.Fatal(err)
			}
			shared = m
			key, data := benchKey(b, m, hsm.TAK, hsm.TDES2), make([]byte, 250)
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := m.MAC(b.Context(), key, hsm.MACUnionPayECB, data); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
	alone(b)
}
