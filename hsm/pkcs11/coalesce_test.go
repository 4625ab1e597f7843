// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/internal/secret"
)

// load brings in a key of the test's own.
func (r *rig) load(u hsm.Usage, name string, value []byte) *hsm.Key {
	r.Helper()
	clearKey, err := secret.NewKey(value)
	if err != nil {
		r.Fatal(err)
	}
	key, err := r.LoadClear(r.Context(), hsm.Spec{Name: name, Owner: "test", Usage: u, Algorithm: hsm.TDES2}, clearKey)
	if err != nil {
		r.Fatal(err)
	}
	return &key
}

// crowd calls n times at once while the first call holds up the others, so that
// they are served together.
func (r *rig) crowd(n int, call func(i int)) {
	r.Helper()
	r.tell("hang * 1 0")
	var calls sync.WaitGroup
	for i := range n {
		calls.Go(func() { call(i) })
	}
	until(r.T, 5*time.Second, "all but one wait", func() bool {
		r.pool.mu.Lock()
		defer r.pool.mu.Unlock()
		return len(r.pool.waiting) == n-1
	})
	r.tell()
	calls.Wait()
}

// TestServedTogether: many callers under one key have right answers by few calls.
func TestServedTogether(t *testing.T) {
	const n = 100
	r := chaotic(t, func(c *Config) { c.Sessions = 1 })
	key, other := r.load(hsm.ZAK, "a", unhex(testTDES)), r.load(hsm.ZAK, "b", unhex(testText))
	want := make([]string, n)
	ask := func(i int) string {
		k := key
		if i%10 == 0 {
			k = other
		}
		alg := hsm.MACUnionPayECB
		if i%7 == 0 {
			alg = hsm.MACRetail
		}
		got, err := r.MAC(context.Background(), k, alg, fmt.Appendf(nil, "message %d of many", i))
		if err != nil {
			t.Error(err)
		}
		return string(got)
	}
	for i := range want {
		want[i] = ask(i)
	}
	before := r.counters()
	r.crowd(n, func(i int) {
		if got := ask(i); got != want[i] {
			t.Errorf("MAC %d is another one in a crowd", i)
		}
	})
	after := r.counters()
	calls := after.Calls["C_Encrypt"] - before.Calls["C_Encrypt"]
	t.Logf("%d MACs by %d calls of C_Encrypt", n, calls)
	if calls > n { // alone each takes two
		t.Errorf("%d MACs by %d calls of C_Encrypt", n, calls)
	}
}

// TestTogetherOneIsWrong: among PIN blocks that are translated together a
// malformed one is refused, and it alone; the others are right.
func TestTogetherOneIsWrong(t *testing.T) {
	const n = 40
	r := chaotic(t, func(c *Config) { c.Sessions = 1 })
	from := []*hsm.Key{r.load(hsm.TPK, "tpk/1", unhex(testTDES)), r.load(hsm.TPK, "tpk/2", unhex(testText))}
	to := r.load(hsm.ZPK, "zpk", []byte("0123456789abcdef"))
	pan, err := secret.NewPAN([]byte("4242423000000060"))
	if err != nil {
		t.Fatal(err)
	}
	translate := func(ctx context.Context, block secret.PINBlock, i int) (secret.PINBlock, error) {
		return r.TranslatePIN(ctx, hsm.EncipheredPIN{Block: block, Format: hsm.ISO0, Key: from[i%2], PAN: pan}, hsm.PINTarget{Format: hsm.ISO0, Key: to, PAN: pan})
	}
	blocks := make([]secret.PINBlock, n)
	want := make([]secret.PINBlock, n)
	for i := range blocks {
		raw := make([]byte, 8) // no PIN block under any key but by luck
		if i%5 != 0 {
			plain := [8]byte{0x04, 0x12, byte(i/10<<4+i%10) ^ 0x24, 0xFF ^ 0x23, 0xFF, 0xFF, 0xFF, 0xFF ^ 0x06}
			tdesOf(t, []string{testTDES, testText}[i%2]).Encrypt(raw, plain[:])
		}
		var err error
		if blocks[i], err = secret.NewPINBlock(raw); err != nil {
			t.Fatal(err)
		}
		want[i], err = translate(t.Context(), blocks[i], i)
		if wrong := errors.Is(err, hsm.ErrPINBlock); wrong != (i%5 == 0) {
			t.Fatalf("block %d alone: %v", i, err)
		}
	}
	before := r.counters()
	r.crowd(n, func(i int) {
		got, err := translate(context.Background(), blocks[i], i)
		if wrong := errors.Is(err, hsm.ErrPINBlock); wrong != (i%5 == 0) || !wrong && err != nil {
			t.Errorf("block %d: %v", i, err)
		}
		if string(got.AppendTo(nil, secret.ForHSM)) != string(want[i].AppendTo(nil, secret.ForHSM)) {
			t.Errorf("block %d is another one in a crowd", i)
		}
	})
	after := r.counters()
	calls := after.Calls["C_Encrypt"] + after.Calls["C_Decrypt"] - before.Calls["C_Encrypt"] - before.Calls["C_Decrypt"]
	t.Logf("%d translations by %d calls", n, calls)
	if calls > n/2 { // alone each takes two; in a lot two for the terminals' keys and one for the zone's
		t.Errorf("%d translations by %d calls", n, calls)
	}
}

// TestTogetherModuleFails: when the call for many fails, all of them are refused
// and none has an answer.
func TestTogetherModuleFails(t *testing.T) {
	const n = 20
	r := chaotic(t, func(c *Config) { c.Sessions = 1 })
	key := r.load(hsm.ZAK, "a", unhex(testTDES))
	var refused sync.Map
	r.tell("hang * 1 0")
	var calls sync.WaitGroup
	for i := range n {
		calls.Go(func() {
			if _, err := r.MAC(context.Background(), key, hsm.MACUnionPayECB, []byte("data")); errors.Is(err, hsm.ErrUnavailable) {
				refused.Store(i, err)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	until(t, 5*time.Second, "all but one wait", func() bool {
		r.pool.mu.Lock()
		defer r.pool.mu.Unlock()
		return len(r.pool.waiting) == n-1
	})
	r.tell("fail C_Encrypt 3 0x6") // the first of the lot: two are of the job before it
	calls.Wait()
	count := 0
	refused.Range(func(any, any) bool { count++; return true })
	if count != n-1 {
		t.Errorf("%d were refused, want the %d of the lot", count, n-1)
	}
	until(t, 5*time.Second, "the module serves again", func() bool {
		got, err := r.MAC(t.Context(), key, hsm.MACUnionPayECB, []byte("data"))
		return err == nil && len(got) == 8
	})
	r.nothingLeft()
}

// TestCardValuesTogether: card verification values of many cards under one key.
func TestCardValuesTogether(t *testing.T) {
	const n = 32
	r := chaotic(t, func(c *Config) { c.Sessions = 1 })
	key := r.load(hsm.CVK, "cvk", unhex(testTDES))
	ask := func(i int) string {
		pan, err := secret.NewPAN(fmt.Appendf(nil, "42424230000%05d", i))
		if err != nil {
			t.Error(err)
			return ""
		}
		got, err := r.CVV(context.Background(), key, hsm.CardValueData{Kind: hsm.CardCVV, PAN: pan, Expiry: [4]byte([]byte("3012")), Order: hsm.YYMM, ServiceCode: [3]byte([]byte("201"))})
		if err != nil {
			t.Error(err)
		}
		return string(got.AppendTo(nil, secret.ForHSM))
	}
	want := make([]string, n)
	for i := range want {
		want[i] = ask(i)
	}
	before := r.counters()
	r.crowd(n, func(i int) {
		if ask(i) != want[i] {
			t.Errorf("value %d is another one in a crowd", i)
		}
	})
	after := r.counters()
	if calls := after.Calls["C_Encrypt"] - before.Calls["C_Encrypt"]; calls > n/2 { // alone each takes two
		t.Errorf("%d values by %d calls of C_Encrypt", n, calls)
	}
}

// TestCallsOfOne: a caller alone has its answer by the calls it needs and no
// more, once its keys are unwrapped.
func TestCallsOfOne(t *testing.T) {
	r := chaotic(t, nil)
	r.learn()
	imk := r.load(hsm.IMKAC, "imk", unhex(testTDES))
	pan, err := secret.NewPAN([]byte("4242423000000060"))
	if err != nil {
		t.Fatal(err)
	}
	given := func(session hsm.Session) func(context.Context) error {
		g := hsm.Given{PAN: pan, PSN: [2]byte{'0', '0'}, Session: session, Answer: session, Padding: hsm.Padding2, Data: make([]byte, 40)}
		return func(ctx context.Context) error { return r.VerifyGiven(ctx, imk, g) }
	}
	r.all["cryptogram, card key"], r.good["cryptogram, card key"] = given(hsm.SessionNone), hsm.ErrCryptogram
	r.all["cryptogram, session key"], r.good["cryptogram, session key"] = given(hsm.SessionCommon), hsm.ErrCryptogram
	for name, want := range map[string]int{
		"MAC union pay": 4, "MAC retail": 2, "TranslatePIN from": 4, "TranslatePIN to": 4, "VerifyPVV value": 4, "Token": 2,
		"cryptogram, card key":    4, // CBC and ECB; the card's key and its companion are in the cache
		"cryptogram, session key": 8, // both derived and destroyed besides
	} {
		until(t, 5*time.Second, name+" needs so many calls", func() bool { // now and then the token is probed besides
			before := r.counters().All
			if err := r.all[name](t.Context()); !same(err, r.good[name]) {
				t.Fatalf("%s: %v", name, err)
			}
			return int(r.counters().All-before) == want
		})
	}
}

// TestSameKey: one field makes another key.
func TestSameKey(t *testing.T) {
	a := hsm.Key{Name: "n", Usage: hsm.TAK, Algorithm: hsm.TDES2, Owner: "o", Version: 1, Wrapped: []byte{1, 2}}
	changes := map[string]func(k *hsm.Key){
		"name": func(k *hsm.Key) { k.Name = "m" }, "usage": func(k *hsm.Key) { k.Usage = hsm.ZAK },
		"algorithm": func(k *hsm.Key) { k.Algorithm = hsm.TDES3 }, "owner": func(k *hsm.Key) { k.Owner = "p" },
		"version": func(k *hsm.Key) { k.Version = 2 }, "check value": func(k *hsm.Key) { k.KCV[2] = 1 },
		"validity": func(k *hsm.Key) { k.NotAfter = 1 }, "LMK": func(k *hsm.Key) { k.LMK[0] = 1 },
		"wrapped": func(k *hsm.Key) { k.Wrapped = []byte{1, 3} }, "binding": func(k *hsm.Key) { k.Binding[0] = 1 },
		"offset rule": func(k *hsm.Key) { k.Offset.Length = 16 },
	}
	if fields := reflect.TypeFor[hsm.Key]().NumField(); fields != len(changes) {
		t.Errorf("a key has %d fields, %d are changed here", fields, len(changes))
	}
	for name, change := range changes {
		b := a
		if !sameKey(&a, &b) {
			t.Fatal("a copy is another key")
		}
		if change(&b); sameKey(&a, &b) {
			t.Errorf("%s changed: the same key", name)
		}
	}
	if sameKey(&a, nil) || sameKey(nil, &a) {
		t.Error("no key is a key")
	}
}
