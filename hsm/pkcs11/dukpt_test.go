// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"tapswitch/hsm"
	"tapswitch/hsm/hsmtest"
	"tapswitch/internal/secret"
)

// TestDUKPTPINKeys deciphers every published PIN block with the key that the
// PIN functions take, in the module; that key can decipher and no more.
func TestDUKPTPINKeys(t *testing.T) {
	m := module(t)
	hsmtest.DUKPTPINs(t, m, func(d hsm.DUKPTKey, block []byte) []byte {
		if err := m.permitDUKPT(d.Base, func() error { return checkPIN(d) }); err != nil {
			t.Fatal(err)
		}
		down, up := newCipherCall(d.Type, hsm.ECB(), block, false), newCipherCall(d.Type, hsm.ECB(), block, true)
		err := m.do(t.Context(), func(w *worker) error {
			key, err := w.dukptPIN(d)
			if err != nil {
				return err
			}
			defer w.destroy(key)
			if err := m.fused.crypt(w.session, true, up.mechanism, nil, key, up.in, up.out); err == nil {
				t.Error("a PIN key enciphers")
			}
			return w.cipher(down, key)
		})
		if err != nil {
			t.Fatal(err)
		}
		return down.out
	})
}

func dukptKey(t testing.TB, m *Module, u hsm.Usage, a hsm.Algorithm, value, ksn string, working hsm.Algorithm) hsm.DUKPTKey {
	t.Helper()
	b, err := hex.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	clear, err := secret.NewKey(b)
	if err != nil {
		t.Fatal(err)
	}
	k, err := m.LoadClear(t.Context(), hsm.Spec{Name: "dukpt/" + u.String(), Usage: u, Algorithm: a, Owner: "test"}, clear)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = hex.DecodeString(ksn); err != nil {
		t.Fatal(err)
	}
	number, err := hsm.ParseKSN(b)
	if err != nil {
		t.Fatal(err)
	}
	return hsm.DUKPTKey{Base: &k, KSN: number, Type: working}
}

const (
	aesBDK = "FEDCBA9876543210F1F1F1F1F1F1F1F1"
	aesKSN = "123456789012345600000001"
)

// TestInitialKeyOfOldForm: a TDES initial key that was stored when only its wrapped
// form was kept is refused by name; one that was altered does not open.
func TestInitialKeyOfOldForm(t *testing.T) {
	m := module(t)
	d := dukptKey(t, m, hsm.IK, hsm.TDES2, "6AC292FAA1315B4D858AB3A3D7D5933A", "FFFF9876543210E00001", hsm.TDES2)
	mac := func(change func(k *hsm.Key)) error {
		k := *d.Base
		k.Wrapped = bytes.Clone(k.Wrapped)
		change(&k)
		other := d
		other.Base = &k
		_, err := m.DUKPTMAC(t.Context(), other, hsm.Request, hsm.DUKPTCMAC, []byte("x"))
		return err
	}
	if err := mac(func(*hsm.Key) {}); err != nil {
		t.Error(err)
	}
	if err := mac(func(k *hsm.Key) { k.Wrapped = k.Wrapped[:24] }); !errors.Is(err, hsm.ErrInput) || !strings.Contains(err.Error(), "bring it in again") {
		t.Errorf("of the old form: %v", err)
	}
	for name, change := range map[string]func(k *hsm.Key){
		"what is carried altered": func(k *hsm.Key) { k.Wrapped[len(k.Wrapped)-1] ^= 1 },
		"what is carried missing": func(k *hsm.Key) { k.Wrapped = k.Wrapped[:48] },
		"nothing":                 func(k *hsm.Key) { k.Wrapped = nil },
		"a few bytes":             func(k *hsm.Key) { k.Wrapped = k.Wrapped[:15] },
	} {
		if err := mac(change); !errors.Is(err, hsm.ErrBinding) {
			t.Errorf("%s: %v, want ErrBinding", name, err)
		}
	}
}

// TestDUKPTChainIsCached counts keys in the cache: a transaction adds the chain
// once, its second function nothing, the next transaction what it does not share.
func TestDUKPTChainIsCached(t *testing.T) {
	alone(t)
	m := module(t)
	d := dukptKey(t, m, hsm.BDK, hsm.AES128, aesBDK, "12345678901234560000FFF0", hsm.AES128)
	grown := func(counter uint32, want int) {
		t.Helper()
		var err error
		if d.KSN, err = d.KSN.At(counter); err != nil {
			t.Fatal(err)
		}
		before := m.cache.size()
		for dir := hsm.Request; dir <= hsm.BothWays; dir++ {
			if _, err := m.DUKPTMAC(t.Context(), d, dir, hsm.DUKPTCMAC, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if got := m.cache.size() - before; got != want {
			t.Errorf("counter %X: %d keys more in the cache, want %d", counter, got, want)
		}
	}
	grown(0xFFF0, 1+1+12) // BDK, IK, one for each one-bit
	grown(0xFFF1, 1)
	grown(0xFFF2, 1)
	grown(0xFFF3, 1)
	grown(0xFFF0, 0)
	other := *d.Base
	other.Binding[0] ^= 1
	d.Base = &other
	if _, err := m.DUKPTMAC(t.Context(), d, hsm.Request, hsm.DUKPTCMAC, []byte("x")); !errors.Is(err, hsm.ErrBinding) {
		t.Errorf("altered BDK with its chain in the cache: %v, want ErrBinding", err)
	}
}

// TestDUKPTObjectsAreDestroyed runs many devices through a small cache: the
// module holds no more objects than the cache has keys, working keys none.
func TestDUKPTObjectsAreDestroyed(t *testing.T) {
	alone(t)
	cfg := config()
	cfg.Sessions, cfg.Cache = 1, 6
	m, err := Open(world(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	d := dukptKey(t, m, hsm.BDK, hsm.AES128, aesBDK, aesKSN, hsm.AES128)
	tdes := dukptKey(t, m, hsm.BDK, hsm.TDES2, "0123456789ABCDEFFEDCBA9876543210", "FFFF9876543210E00001", hsm.TDES2)
	types := []hsm.Algorithm{hsm.AES128, hsm.TDES2, hsm.TDES3, hsm.HMAC128}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 100 {
		for ones := 0; ; ones++ {
			next, err := d.KSN.At(random.Uint32() & random.Uint32())
			if err != nil {
				continue
			}
			d.KSN, d.Type = next, types[i%len(types)]
			break
		}
		alg := hsm.DUKPTCMAC
		if d.Type == hsm.HMAC128 {
			alg = hsm.DUKPTHMAC
		}
		for _, key := range []hsm.DUKPTKey{d, tdes} {
			if key.KSN == tdes.KSN {
				alg = hsm.DUKPTRetail
			}
			if _, err := m.DUKPTMAC(t.Context(), key, hsm.Response, alg, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if m.cache.size() > cfg.Cache {
		t.Errorf("%d keys in a cache of %d", m.cache.size(), cfg.Cache)
	}
	if found, kept := objectsAndKeys(t, m); found != kept {
		t.Errorf("%d session objects in the module, %d in the cache", found, kept)
	}
}

// objectsAndKeys counts the module's session objects and those in the cache, of
// which none may be in use.
func objectsAndKeys(t *testing.T, m *Module) (found, kept int) {
	t.Helper()
	for _, e := range m.cache.entries {
		kept++
		if e.refs != 0 {
			t.Errorf("a key of the cache is in use %d times after all work", e.refs)
		}
		if e.keys.doubled != 0 {
			kept++
		}
	}
	err := m.do(t.Context(), func(w *worker) error {
		template := []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_TOKEN, false)}
		if err := m.ctx.FindObjectsInit(w.session, template); err != nil {
			return err
		}
		objects, _, err := m.ctx.FindObjects(w.session, 1000)
		found = len(objects)
		return errors.Join(err, m.ctx.FindObjectsFinal(w.session))
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, kept
}

// BenchmarkDUKPT is the MAC of a request: the next transaction of one device,
// whose chain is in the cache, and a new device each time.
func BenchmarkDUKPT(b *testing.B) {
	m := module(b)
	aes := dukptKey(b, m, hsm.BDK, hsm.AES128, aesBDK, aesKSN, hsm.AES128)
	tdes := dukptKey(b, m, hsm.BDK, hsm.TDES2, "0123456789ABCDEFFEDCBA9876543210", "FFFF9876543210E00155", hsm.TDES2)
	run := func(name string, d hsm.DUKPTKey, step func(d *hsm.DUKPTKey)) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				step(&d)
				if _, err := m.DUKPTMAC(b.Context(), d, hsm.Request, hsm.DUKPTCMAC, []byte("a message of the field")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("AES, next transaction", aes, func(d *hsm.DUKPTKey) {
		for c := d.KSN.Counter() + 1; ; c++ {
			if next, err := d.KSN.At(c); err == nil {
				d.KSN = next
				return
			}
		}
	})
	run("AES, same transaction", aes, func(*hsm.DUKPTKey) {})
	id := uint64(0)
	run("AES, other device", aes, func(d *hsm.DUKPTKey) {
		id++
		number, err := hsm.ParseKSN([]byte{byte(id >> 56), byte(id >> 48), byte(id >> 40), byte(id >> 32), byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id), 0, 0, 1, 0x55})
		if err != nil {
			b.Fatal(err)
		}
		d.KSN = number
	})
	run("TDES", tdes, func(*hsm.DUKPTKey) {})
}
