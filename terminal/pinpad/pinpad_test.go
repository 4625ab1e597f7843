// SPDX-License-Identifier: Apache-2.0

package pinpad_test

import (
	"context"
	"crypto/aes"
	"crypto/des"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tapswitch/hsm"
	"tapswitch/hsm/soft"
	"tapswitch/internal/env/fake"
	"tapswitch/internal/secret"
	"tapswitch/terminal/pinpad"
)

// The PIN block of a known answer: key and block were computed with another
// implementation of triple DES.
const (
	tpkHex    = "0123456789ABCDEFFEDCBA9876543210"
	pan       = "4761739001010119"
	pin       = "1234"
	blockWant = "AC0708A3C923D34D"
)

func pad(t *testing.T, entry pinpad.Entry) (pinpad.Pad, *hsm.Key) {
	t.Helper()
	return padWith(t, entry, hsm.TDES2)
}

// padWith is a PIN pad whose key has another algorithm, of the same length.
func padWith(t *testing.T, entry pinpad.Entry, algorithm hsm.Algorithm) (pinpad.Pad, *hsm.Key) {
	t.Helper()
	w := fake.New(1)
	m, err := soft.New(w.Rand, w.Clock)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := hex.DecodeString(tpkHex)
	clear, err := secret.NewKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	k, err := m.LoadClear(t.Context(), hsm.Spec{Name: "tpk", Usage: hsm.TPK, Algorithm: algorithm, Owner: "10000001", Version: 1}, clear)
	if err != nil {
		t.Fatal(err)
	}
	return pinpad.Pad{Entry: entry, Cipher: m}, &k
}

func card(t *testing.T, digits string) secret.PAN {
	t.Helper()
	p, err := secret.NewPAN([]byte(digits))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestBlock(t *testing.T) {
	entry, err := pinpad.NewTyped([]byte(pin))
	if err != nil {
		t.Fatal(err)
	}
	p, key := pad(t, entry)
	block, err := p.Block(t.Context(), card(t, pan), key)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.ToUpper(hex.EncodeToString(block.AppendTo(nil, secret.ForTest))); got != blockWant {
		t.Errorf("block %s, want %s", got, blockWant)
	}
	if left, _ := entry.EnterPIN(t.Context()); !left.IsZero() {
		t.Error("the digits were not wiped")
	}
}

// TestFormats deciphers what the pad made with the standard library: format 3
// under the same key, format 4 under an AES one, also for a short card number.
func TestFormats(t *testing.T) {
	key, _ := hex.DecodeString(tpkHex)
	triple, err := des.NewTripleDESCipher(append(append([]byte{}, key...), key[:8]...))
	if err != nil {
		t.Fatal(err)
	}
	advanced, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(f hsm.PINFormat, a hsm.Algorithm, digits string) ([]byte, error) {
		entry, err := pinpad.NewTyped([]byte(pin))
		if err != nil {
			t.Fatal(err)
		}
		p, tpk := padWith(t, entry, a)
		p.Format = f
		b, err := p.Block(t.Context(), card(t, digits), tpk)
		return b.AppendTo(nil, secret.ForTest), err
	}
	got, err := block(hsm.ISO3, hsm.TDES2, pan)
	if err != nil || len(got) != 8 {
		t.Fatal(err)
	}
	triple.Decrypt(got, got)
	account, _ := hex.DecodeString("0000" + pan[3:15])
	subtle.XORBytes(got, got, account)
	if text := strings.ToUpper(hex.EncodeToString(got)); text[:6] != "341234" || strings.Trim(text[6:], "ABCDEF") != "" {
		t.Errorf("format 3: %s", text)
	}
	for digits, field := range map[string]string{pan: "44761739001010119", "47617390": "0000047617390"} {
		if got, err = block(hsm.ISO4, hsm.AES128, digits); err != nil || len(got) != 16 {
			t.Fatal(err)
		}
		advanced.Decrypt(got, got)
		number, _ := hex.DecodeString((field + strings.Repeat("0", 32))[:32])
		subtle.XORBytes(got, got, number)
		advanced.Decrypt(got, got)
		if text := strings.ToUpper(hex.EncodeToString(got)); text[:16] != "441234AAAAAAAAAA" || text[16:] == strings.Repeat("0", 16) {
			t.Errorf("format 4: %s", text)
		}
	}
	for f, a := range map[hsm.PINFormat]hsm.Algorithm{hsm.ISO4: hsm.TDES2, hsm.ISO3: hsm.AES128, 0: hsm.AES128} {
		if _, err := block(f, a, pan); !errors.Is(err, hsm.ErrUsage) {
			t.Errorf("%s under %s: %v, want ErrUsage", f, a, err)
		}
	}
	if _, err := block(hsm.ISO2, hsm.TDES2, pan); !errors.Is(err, hsm.ErrPINFormat) {
		t.Errorf("format 2: %v, want ErrPINFormat", err)
	}
	if _, err := block(hsm.ISO3, hsm.TDES2, "476173900101"); !errors.Is(err, pinpad.ErrPAN) {
		t.Errorf("format 3 of a short card number: %v, want ErrPAN", err)
	}
}

// answers is an entry that ends in its own way.
type answers struct {
	digits secret.Key
	err    error
	wait   bool
}

func (a answers) EnterPIN(ctx context.Context) (secret.Key, error) {
	if a.wait {
		<-ctx.Done()
		return secret.Key{}, ctx.Err()
	}
	return a.digits, a.err
}

func TestNoBlock(t *testing.T) {
	typed := func(s string) answers {
		k, err := secret.NewKey([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return answers{digits: k}
	}
	for _, c := range []struct {
		name  string
		entry answers
		pan   string
		want  error
	}{
		{"three digits", typed("739"), pan, pinpad.ErrFormat},
		{"thirteen digits", typed("7391645028137"), pan, pinpad.ErrFormat},
		{"none", typed(""), pan, pinpad.ErrFormat},
		{"letters", typed("73a1"), pan, pinpad.ErrFormat},
		{"short card number", typed("7391"), "476173900101", pinpad.ErrPAN},
		{"cancelled", answers{err: pinpad.ErrCancelled}, pan, pinpad.ErrCancelled},
		{"cancelled with digits", answers{digits: typed("7391").digits, err: pinpad.ErrCancelled}, pan, pinpad.ErrCancelled},
		{"time-out", answers{wait: true}, pan, pinpad.ErrTimeout},
	} {
		p, key := pad(t, c.entry)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		block, err := p.Block(ctx, card(t, c.pan), key)
		cancel()
		if !errors.Is(err, c.want) || !block.IsZero() {
			t.Errorf("%s: got %v", c.name, err)
		}
		if !errors.Is(err, pinpad.ErrPAN) && !c.entry.digits.IsZero() {
			t.Errorf("%s: digits not wiped", c.name)
		}
		for _, digits := range []string{"739", "7391"} {
			out, _ := json.Marshal(c.entry.digits)
			if strings.Contains(fmt.Sprintf("%v %+v %s", err, p, out), digits) {
				t.Errorf("%s: the PIN shows", c.name)
			}
		}
	}
	p, _ := pad(t, typed("7391"))
	if _, err := p.Block(t.Context(), card(t, pan), nil); !errors.Is(err, pinpad.ErrNoKey) {
		t.Errorf("without key: %v", err)
	}
}
