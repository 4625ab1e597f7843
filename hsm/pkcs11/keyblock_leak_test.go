// SPDX-License-Identifier: Apache-2.0

package pkcs11

import (
	"bytes"
	"crypto/des"
	"crypto/rand"
	"runtime"
	"strings"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/hsmtest"
	"tapswitch/hsm/keyblock"
	"tapswitch/internal/secret"
)

// inTransit makes a canary key and returns it as it travels: in a key block under
// kbpk, and as a raw cryptogram under tmk. The clear key is wiped again.
func (n *needles) inTransit(t *testing.T, kbpk, tmk []byte) (block string, raw hsm.Exported) {
	t.Helper()
	value, scratch := make([]byte, 16), make([]byte, 8192)
	if _, err := rand.Read(value); err != nil {
		t.Fatal(err)
	}
	n.add("key in transit", value)
	header, err := keyblock.ParseHeader("D0000M3TC00E0000")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := hsmtest.KeyBlockKeys('D', kbpk)
	if err != nil {
		t.Fatal(err)
	}
	if block, err = keyblock.Wrap(keys, header, value, make([]byte, header.PaddingLen(16)), scratch); err != nil {
		t.Fatal(err)
	}
	clear(scratch)
	triple := make([]byte, 24)
	copy(triple[copy(triple, value):], value[:8])
	check, err := des.NewTripleDESCipher(triple)
	if err != nil {
		t.Fatal(err)
	}
	clear(triple)
	var zero [8]byte
	check.Encrypt(zero[:], zero[:])
	c, err := des.NewTripleDESCipher(append(bytes.Clone(tmk), tmk[:8]...))
	if err != nil {
		t.Fatal(err)
	}
	c.Encrypt(value[:8], value[:8])
	c.Encrypt(value[8:], value[8:])
	return block, hsm.Exported{Cryptogram: value, KCV: [4]byte(zero[:4])}
}

// TestNoKeyBlockKeysInMemory: keys that travel are clear in the locked pages when
// they come in and are passed on. After a thousand operations neither Go's memory
// nor those pages hold eight bytes of one.
func TestNoKeyBlockKeysInMemory(t *testing.T) {
	n, m, ctx := newNeedles(t), module(t), t.Context()
	load := func(u hsm.Usage, a hsm.Algorithm, value []byte) *hsm.Key {
		k, err := secret.NewKey(value)
		if err != nil {
			t.Fatal(err)
		}
		key, err := m.LoadClear(ctx, hsm.Spec{Name: "transit/" + u.String(), Usage: u, Algorithm: a, Owner: "canary", Version: 1}, k)
		if err != nil {
			t.Fatal(err)
		}
		return &key
	}
	tmkValue := bytes.Clone(probeDES2)
	kbpkValue := append(bytes.Clone(probeDES2), probeDES2...)
	kbpk, tmk := load(hsm.KBPK, hsm.AES256, kbpkValue), load(hsm.TMK, hsm.TDES2, tmkValue)
	want := hsm.WorkingKey{Spec: hsm.Spec{Name: "transit/tak", Usage: hsm.TAK, Algorithm: hsm.TDES2, Owner: "canary", Version: 1}}
	for range 64 {
		block, raw := n.inTransit(t, kbpkValue, tmkValue)
		for range 6 {
			if _, err := m.ImportKeyBlock(ctx, kbpk, want, block); err != nil {
				t.Fatal(err)
			}
			if _, err := m.TranslateKeyBlock(ctx, kbpk, kbpk, block, hsm.KeyBlockForm{}); err != nil {
				t.Fatal(err)
			}
			if _, err := m.LoadSet(ctx, tmk, []hsm.WorkingKey{want}, []hsm.Exported{raw}); err != nil {
				t.Fatal(err)
			}
		}
	}
	n.nothingLeft(t)
}

// nothingLeft searches memory a second later. What is planted must be found.
func (n *needles) nothingLeft(t *testing.T) {
	t.Helper()
	planted := bytes.Clone([]byte("a canary that is found again"))
	n.add("planted", planted)
	time.Sleep(time.Second)
	ours, rest, looked := n.scan(t)
	runtime.KeepAlive(planted)
	t.Logf("%d MB looked through; left by the module or its binding: %v", looked>>20, rest)
	found := false
	for what, times := range ours {
		if strings.HasPrefix(what, "planted") {
			found = true
			continue
		}
		t.Errorf("in our memory: %s, %d times", what, times)
	}
	if !found {
		t.Error("what was planted was not found: the search looks at the wrong memory")
	}
}
