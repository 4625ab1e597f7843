// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	_ "embed"
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/mac"
	"tapswitch/internal/secret"
	"tapswitch/simulators/p11chaos"
)

// The benchmarks of one function stand beside each other: the driver with
// everything a caller gets, a bare github.com/miekg/pkcs11 loop that makes the
// same cipher operations on one session, and a loop in C that makes the same
// calls and nothing else (testdata/cloop.c). "make bench-hsm" prints the table.

//go:embed testdata/cloop.c
var cloop []byte

// benchKey loads a clear test key, one of several when it is numbered.
func benchKey(b testing.TB, m *Module, u hsm.Usage, a hsm.Algorithm, number ...int) *hsm.Key {
	b.Helper()
	value := []byte("\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10")
	clearKey, err := secret.NewKey(value)
	if err != nil {
		b.Fatal(err)
	}
	spec := hsm.Spec{Name: fmt.Sprint("bench/", u, number), Owner: "bench", Usage: u, Algorithm: a, Version: 1}
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
		defer processor(b)()
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

// inC runs the C loop for one function.
func inC(b *testing.B, program, function string) {
	b.Helper()
	out, err := exec.CommandContext(b.Context(), program, modulePath, tokenLabel, pinText, function, strconv.Itoa(b.N)).Output()
	if err != nil {
		b.Fatal(err)
	}
	var wall, cpu float64
	if _, err := fmt.Sscan(string(out), &wall, &cpu); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(wall, "ns/op") // without the start of the program
	b.ReportMetric(cpu, "cpu-ns/op")
}

// processor returns a function that reports the process's processor time since.
// It is steadier than the time on the wall where others use the machine.
func processor(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	from := used()
	return func() { b.ReportMetric(float64(used()-from)/float64(b.N), "cpu-ns/op") }
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

// contest is one function of the driver and what it is measured against.
type contest struct {
	name   string // of the C loop's function too
	key    *hsm.Key
	driver func(ctx context.Context) error
	miekg  func(ctx *p11.Ctx, s p11.SessionHandle, keys pair) error
}

// enciphered is data as blocks under a key of the module.
func enciphered(b *testing.B, m *Module, key *hsm.Key, data []byte) []byte {
	out := make([]byte, len(data))
	if err := m.do(b.Context(), func(w *worker) error {
		keys, err := w.objects(key)
		if err != nil {
			return err
		}
		return w.ecb(true, keys.whole, data, out)
	}); err != nil {
		b.Fatal(err)
	}
	return out
}

// contests are the functions that the switch asks for most.
func contests(b *testing.B, m *Module) []contest {
	tak, zak, zpk, pvk := benchKey(b, m, hsm.TAK, hsm.TDES2), benchKey(b, m, hsm.ZAK, hsm.TDES2), benchKey(b, m, hsm.ZPK, hsm.TDES2), benchKey(b, m, hsm.PVK, hsm.TDES2)
	token := benchKey(b, m, hsm.PANToken, hsm.AES128)
	data := make([]byte, 256)
	in := enciphered(b, m, zpk, []byte{0x04, 0x12, 0x34 ^ 0x24, 0xFF ^ 0x23, 0xFF, 0xFF, 0xFF, 0xFF ^ 0x06})
	pinBlock, err := secret.NewPINBlock(in)
	if err != nil {
		b.Fatal(err)
	}
	pan, err := secret.NewPAN([]byte("4242423000000060"))
	if err != nil {
		b.Fatal(err)
	}
	pinIn := hsm.EncipheredPIN{Block: pinBlock, Format: hsm.ISO0, Key: zpk, PAN: pan}
	value, err := m.GeneratePVV(b.Context(), pinIn, pvk, '1')
	if err != nil {
		b.Fatal(err)
	}
	ref := hsm.PVV{Key: pvk, Index: '1', Value: value}
	twice := func(ctx *p11.Ctx, s p11.SessionHandle, keys pair) error {
		out, err := block(ctx, s, false, keys.whole, in)
		if err == nil {
			_, err = block(ctx, s, true, keys.whole, out)
		}
		return err
	}
	return []contest{
		{"unionpay-mac", tak, func(ctx context.Context) error {
			_, err := m.MAC(ctx, tak, hsm.MACUnionPayECB, data[:250])
			return err
		}, func(ctx *p11.Ctx, s p11.SessionHandle, keys pair) error {
			left, right := mac.Halves(mac.Fold(data[:250]))
			first, err := block(ctx, s, true, keys.whole, left[:])
			if err != nil {
				return err
			}
			second := mac.Xor([8]byte(first), right)
			_, err = block(ctx, s, true, keys.whole, second[:])
			return err
		}},
		{"retail-mac", zak, func(ctx context.Context) error {
			_, err := m.MAC(ctx, zak, hsm.MACRetail, data)
			return err
		}, func(ctx *p11.Ctx, s p11.SessionHandle, keys pair) error {
			if err := ctx.EncryptInit(s, []*p11.Mechanism{p11.NewMechanism(p11.CKM_DES3_CBC, make([]byte, 8))}, keys.doubled); err != nil {
				return err
			}
			chain, err := ctx.Encrypt(s, data[:len(data)-8])
			if err != nil {
				return err
			}
			last := mac.Xor([8]byte(chain[len(chain)-8:]), [8]byte(data[len(data)-8:]))
			_, err = block(ctx, s, true, keys.whole, last[:])
			return err
		}},
		{"pin-translate", zpk, func(ctx context.Context) error {
			_, err := m.TranslatePIN(ctx, pinIn, hsm.PINTarget{Format: hsm.ISO0, Key: zpk, PAN: pan})
			return err
		}, twice},
		{"pvv", zpk, func(ctx context.Context) error { return m.VerifyPVV(ctx, pinIn, ref) }, twice},
		{"token", token, func(ctx context.Context) error { _, err := m.Token(ctx, token, pan); return err },
			func(ctx *p11.Ctx, s p11.SessionHandle, keys pair) error {
				if err := ctx.SignInit(s, []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_CMAC, nil)}, keys.whole); err != nil {
					return err
				}
				_, err := ctx.Sign(s, data[:16])
				return err
			}},
	}
}

// BenchmarkAlone is one caller: what the driver costs beside the module.
func BenchmarkAlone(b *testing.B) {
	program, err := p11chaos.Compile(b.TempDir(), "cloop", cloop, "-ldl", "-lpthread")
	if err != nil {
		b.Fatal(err)
	}
	m := module(b)
	for _, c := range contests(b, m) {
		b.Run("function="+c.name+"/via=driver", func(b *testing.B) {
			b.ReportAllocs()
			defer processor(b)()
			for b.Loop() {
				if err := c.driver(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("function="+c.name+"/via=miekg", func(b *testing.B) { bare(b, m, c.key, c.miekg) })
		b.Run("function="+c.name+"/via=c", func(b *testing.B) { inC(b, program, c.name) })
	}
	b.Run("function=nothing/via=driver", func(b *testing.B) { // the hand-over alone
		b.ReportAllocs()
		defer processor(b)()
		for b.Loop() {
			if err := m.do(b.Context(), func(*worker) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("function=block/via=c", func(b *testing.B) { inC(b, program, "block") })
}

// crowd runs call from 64 goroutines at once.
func crowd(b *testing.B, call func(caller int) error) {
	defer processor(b)()
	var caller atomic.Int64
	b.SetParallelism(64 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		me := int(caller.Add(1))
		for pb.Next() {
			if err := call(me); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// reopen makes cfg's module the shared one.
func reopen(b *testing.B, cfg Config) *Module {
	b.Helper()
	alone(b)
	m, err := Open(world(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	shared = m
	return m
}

// BenchmarkCrowd has 64 callers under the same keys: they are served together.
func BenchmarkCrowd(b *testing.B) {
	for _, sessions := range []int{1, DefaultSessions} {
		cfg := config()
		cfg.Sessions = sessions
		m := reopen(b, cfg)
		for _, c := range contests(b, m) {
			b.Run(fmt.Sprintf("function=%s/sessions=%d", c.name, sessions), func(b *testing.B) {
				crowd(b, func(int) error { return c.driver(b.Context()) })
			})
		}
	}
	alone(b)
}

// BenchmarkSlow has 64 callers at a module that takes a millisecond for each
// call, as one across a network does. Of-bound is the rate over what so many
// sessions can do with the calls that were counted.
func BenchmarkSlow(b *testing.B) {
	const sessions = 8
	chaos, err := p11chaos.New(b.TempDir(), modulePath)
	if err != nil {
		b.Fatal(err)
	}
	cfg := config()
	cfg.Module, cfg.Sessions = chaos.Module, sessions
	m := reopen(b, cfg)
	all := contests(b, m)
	var keys []*hsm.Key
	for i := range 64 {
		key := benchKey(b, m, hsm.TAK, hsm.TDES2, i)
		if _, err := m.MAC(b.Context(), key, hsm.MACUnionPayECB, make([]byte, 250)); err != nil {
			b.Fatal(err) // unwrapped from here on
		}
		keys = append(keys, key)
	}
	slow := func(name string, call func(caller int) error) {
		b.Run(name, func(b *testing.B) {
			before, err := chaos.Counters()
			if err != nil {
				b.Fatal(err)
			}
			crowd(b, call)
			after, err := chaos.Counters()
			if err != nil {
				b.Fatal(err)
			}
			calls := float64(after.All-before.All) / float64(b.N)
			b.ReportMetric(calls, "calls/op")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/(sessions/(calls*0.001)), "of-bound")
		})
	}
	if err := chaos.Tell("latency * 0 1000"); err != nil {
		b.Fatal(err)
	}
	slow("function=unionpay-mac/keys=64", func(caller int) error {
		_, err := m.MAC(b.Context(), keys[caller%64], hsm.MACUnionPayECB, make([]byte, 250))
		return err
	})
	for _, c := range all {
		slow("function="+c.name+"/keys=1", func(int) error { return c.driver(b.Context()) })
	}
	if err := chaos.Tell(); err != nil {
		b.Fatal(err)
	}
	alone(b)
}
