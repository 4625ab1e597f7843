// SPDX-License-Identifier: Apache-2.0

package kernel_test

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/des"
	"encoding/hex"
	"errors"
	"math/bits"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tapswitch/internal/money"
	"tapswitch/internal/secret"
	"tapswitch/iso8583/bertlv"
	"tapswitch/simulators/card"
	sim "tapswitch/simulators/reader"
	"tapswitch/terminal/kernel"
	"tapswitch/terminal/reader"
)

// These tests run the whole card side: kernel, reader, PN532 frames, a pty, the
// simulated reader and card. The issuer's check of the cryptogram is written
// here a third time, from field 55 alone.

type bench struct {
	t      *testing.T
	sim    *sim.Reader
	reader *reader.Reader
	tap    uint32
}

func newBench(t *testing.T) *bench {
	t.Helper()
	link := filepath.Join(t.TempDir(), "reader")
	s, err := sim.Start(sim.Config{Link: link, LookTime: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	r, err := reader.Open(t.Context(), reader.Config{Port: link, PollPause: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return &bench{t: t, sim: s, reader: r}
}

func (b *bench) context() context.Context {
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	b.t.Cleanup(cancel)
	return ctx
}

func (b *bench) present(name string) reader.Card {
	b.t.Helper()
	if err := b.sim.Present(name); err != nil {
		b.t.Fatal(err)
	}
	_, c, err := b.reader.Poll(b.context())
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bench) pay(c reader.Card, minor money.MinorUnits) (kernel.Outcome, error) {
	b.t.Helper()
	return b.payWith(kernel.DefaultConfig(), c, minor)
}

func (b *bench) payWith(cfg kernel.Config, c reader.Card, minor money.MinorUnits) (kernel.Outcome, error) {
	b.t.Helper()
	b.tap++
	txn, err := kernel.NewPurchase(strings.NewReader("0123"), money.Amount{Minor: minor, Currency: money.CNY},
		time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), b.tap)
	if err != nil {
		b.t.Fatal(err)
	}
	return kernel.Run(b.context(), c, cfg, txn)
}

func TestTaps(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		card    string
		minor   money.MinorUnits
		kind    kernel.Kind
		reason  kernel.Reason
		cvm     kernel.CVM
		genuine bool
	}{
		{"unionpay", 1234, kernel.OnlineRequest, "", kernel.NoCVM, true},
		{"unionpay", 100000, kernel.OnlineRequest, "", kernel.OnlinePIN, true},
		{"unionpay-pin", 1, kernel.OnlineRequest, "", kernel.OnlinePIN, true},
		{"unionpay-no-pin", 1234, kernel.OnlineRequest, "", kernel.NoCVM, true},
		{"unionpay-no-pin", 100000, kernel.Declined, kernel.CVMNotPossible, 0, false},
		{"unionpay-phone", 100000, kernel.OnlineRequest, "", kernel.DeviceCVM, true},
		{"unionpay-phone-locked", 1234, kernel.SeePhone, kernel.ConfirmOnPhone, 0, false},
		{"unionpay-phone-locked", 1234, kernel.OnlineRequest, "", kernel.DeviceCVM, true},
		{"unionpay-records", 1234, kernel.OnlineRequest, "", kernel.NoCVM, true},
		{"unionpay-forged", 1234, kernel.OnlineRequest, "", kernel.NoCVM, false},
		{"unionpay-removed", 1234, kernel.TryAgain, kernel.CardRemoved, 0, false},
		{"unionpay-declines", 1234, kernel.Declined, kernel.CardDeclined, 0, false},
		{"unionpay-offline", 1234, kernel.Declined, kernel.OfflineNotBuilt, 0, false},
		{"unionpay-trace", 1234, kernel.OnlineRequest, "", kernel.NoCVM, true},
		{"visa", 1234, kernel.OnlineRequest, "", kernel.NoCVM, true},
		{"visa-pin", 1234, kernel.OnlineRequest, "", kernel.OnlinePIN, true},
		{"visa-signature", 1234, kernel.OnlineRequest, "", kernel.Signature, true},
		{"visa-forged", 1234, kernel.OnlineRequest, "", kernel.NoCVM, false},
		{"visa18", 1234, kernel.OnlineRequest, "", kernel.NoCVM, true},
		{"visa18-pin", 1234, kernel.OnlineRequest, "", kernel.OnlinePIN, true},
		{"visa18-forged", 1234, kernel.OnlineRequest, "", kernel.NoCVM, false},
		{"unknown-bin", 1234, kernel.OnlineRequest, "", kernel.NoCVM, true},
		{"mastercard", 1234, kernel.EndApplication, kernel.KernelNotBuilt, 0, false},
		{"visa", 5000000, kernel.TryAnother, kernel.AmountAboveLimit, 0, false},
	} {
		o, err := b.pay(b.present(c.card), c.minor)
		if err != nil {
			t.Errorf("%s, %d: %v", c.card, c.minor, err)
			continue
		}
		if o.Kind != c.kind || o.Reason != c.reason || o.CVM != c.cvm {
			t.Errorf("%s, %d: got %v, %q, %v", c.card, c.minor, o.Kind, o.Reason, o.CVM)
		}
		if c.kind == kernel.OnlineRequest && genuine(t, o) != c.genuine {
			t.Errorf("%s, %d: cryptogram is genuine: %v", c.card, c.minor, !c.genuine)
		}
	}
}

// TestTapsAuthenticatedOffline: the long answers and records go through all of
// the reader, and the cryptogram is still what the issuer computes from field 55,
// whatever became of the authentication.
func TestTapsAuthenticatedOffline(t *testing.T) {
	b := newBench(t)
	cfg := kernel.DefaultConfig()
	cfg.AuthenticateOffline(kernel.DeckKeys(t), nil)
	for _, c := range []struct {
		card   string
		minor  money.MinorUnits
		kind   kernel.Kind
		result kernel.ODA
		reason kernel.Reason
		cvm    kernel.CVM
	}{
		{"unionpay", 1234, kernel.OnlineRequest, kernel.ODASucceeded, "", kernel.NoCVM},
		{"unionpay", 100000, kernel.OnlineRequest, kernel.ODASucceeded, "", kernel.OnlinePIN},
		{"unionpay-phone", 100000, kernel.OnlineRequest, kernel.ODASucceeded, "", kernel.DeviceCVM},
		{"unionpay-records", 1234, kernel.OnlineRequest, kernel.ODANotPerformed, kernel.ODANotGiven, kernel.NoCVM},
		{"unionpay-oda-forged", 1234, kernel.Declined, kernel.ODAFailed, kernel.ODASignatureHash, 0},
		{"unionpay-trace", 1234, kernel.OnlineRequest, kernel.ODANotPerformed, kernel.ODANotGiven, kernel.NoCVM},
		{"visa", 1234, kernel.OnlineRequest, kernel.ODASucceeded, "", kernel.NoCVM},
		{"visa-signature", 1234, kernel.OnlineRequest, kernel.ODASucceeded, "", kernel.Signature},
		{"visa18-pin", 1234, kernel.OnlineRequest, kernel.ODASucceeded, "", kernel.OnlinePIN},
		{"visa-oda-online", 1234, kernel.OnlineRequest, kernel.ODAFailed, kernel.ODASignatureHash, kernel.NoCVM},
		{"visa-oda-interface", 1234, kernel.TryAnother, kernel.ODAFailed, kernel.ODASignatureHash, 0},
		{"visa-oda-expired", 1234, kernel.Declined, kernel.ODAFailed, kernel.ODAIssuerExpired, 0},
		{"visa-oda-other-pan", 1234, kernel.Declined, kernel.ODAFailed, kernel.ODACardOther, 0},
		{"visa-oda-no-remainder", 1234, kernel.Declined, kernel.ODAFailed, kernel.ODADataMissing, 0},
		{"unionpay-declines", 1234, kernel.Declined, 0, "", 0},
		{"unionpay-offline", 1234, kernel.Declined, 0, "", 0},
	} {
		o, err := b.payWith(cfg, b.present(c.card), c.minor)
		if err != nil {
			t.Errorf("%s, %d: %v", c.card, c.minor, err)
			continue
		}
		if a := o.Authentication; o.Kind != c.kind || a.Result != c.result || a.Reason != c.reason || o.CVM != c.cvm {
			t.Errorf("%s, %d: got %v, %q, %v, %q, %v", c.card, c.minor, o.Kind, o.Reason, a.Result, a.Reason, o.CVM)
		}
		if o.Kind == kernel.OnlineRequest && !genuine(t, o) {
			t.Errorf("%s, %d: cryptogram is not genuine", c.card, c.minor)
		}
	}
}

func TestTheCounterNeverRepeats(t *testing.T) {
	b := newBench(t)
	seen := map[string]bool{}
	for _, name := range []string{"unionpay", "unionpay-pin", "unionpay", "unionpay-phone"} { // one plastic
		o, err := b.pay(b.present(name), 1)
		if err != nil {
			t.Fatal(err)
		}
		atc, _ := bertlv.Find(o.ICC.AppendTo(nil, secret.ForTest), bertlv.ATC)
		if len(atc) != 2 || seen[string(atc)] {
			t.Errorf("%s: counter %X again", name, atc)
		}
		seen[string(atc)] = true
	}
}

func TestTheReaderGoesMidway(t *testing.T) {
	b := newBench(t)
	c := b.present("visa")
	if err := b.sim.Close(); err != nil {
		t.Fatal(err)
	}
	o, err := b.pay(c, 1)
	if !errors.Is(err, reader.ErrReaderGone) || o.Kind != kernel.TryAgain || o.Reason != kernel.ReaderFailed {
		t.Errorf("got %v, %q, %v", o.Kind, o.Reason, err)
	}
}

func TestRunRefusesAWrongConfig(t *testing.T) {
	if _, err := kernel.Run(t.Context(), nil, kernel.Config{}, kernel.Transaction{}); !errors.Is(err, kernel.ErrConfig) {
		t.Errorf("got %v", err)
	}
}

// genuine recomputes the cryptogram as the issuer does.
func genuine(t *testing.T, o kernel.Outcome) bool {
	t.Helper()
	icc := o.ICC.AppendTo(nil, secret.ForTest)
	get := func(tag bertlv.Tag) []byte {
		v, ok := bertlv.Find(icc, tag)
		if !ok {
			t.Fatalf("field 55 lacks %v", tag)
		}
		return v
	}
	var data []byte
	for _, tag := range []bertlv.Tag{0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37, 0x82, 0x9F36} {
		data = append(data, get(tag)...)
	}
	keys := card.TestKeys()
	iad, atc := get(0x9F10), get(0x9F36)
	key := derive(t, unhex(t, keys.VisaIMK), o)
	switch version := iad[2]; version {
	case 0x01:
		key = session(derive(t, unhex(t, keys.UnionPayIMK), o), atc)
		data = append(append(data, iad[3:7]...), 0x80)
	case 0x0A:
		data = append(data, iad[3:7]...)
	case 0x12:
		key = session(key, atc)
		data = append(append(data, iad...), 0x80)
	default:
		t.Fatalf("cryptogram version %02X", version)
	}
	for len(data)%8 != 0 {
		data = append(data, 0)
	}
	return bytes.Equal(mac(t, key, data), get(0x9F26))
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tdes(key []byte) cipher.Block {
	block, err := des.NewTripleDESCipher(append(bytes.Clone(key), key[:8]...))
	if err != nil {
		return nil
	}
	return block
}

func derive(t *testing.T, imk []byte, o kernel.Outcome) []byte {
	t.Helper()
	psn := o.PSN
	if psn == "" {
		psn = "00"
	}
	digits := string(o.PAN.Reveal(secret.ForTest)) + psn
	y := unhex(t, digits[len(digits)-16:])
	key := make([]byte, 16)
	for i, b := range y {
		key[i], key[8+i] = b, ^b
	}
	block := tdes(imk)
	block.Encrypt(key[:8], key[:8])
	block.Encrypt(key[8:], key[8:])
	for i, b := range key {
		if bits.OnesCount8(b)%2 == 0 {
			key[i] ^= 1
		}
	}
	return key
}

func session(mk, atc []byte) []byte {
	key := []byte{atc[0], atc[1], 0xF0, 0, 0, 0, 0, 0, atc[0], atc[1], 0x0F, 0, 0, 0, 0, 0}
	block := tdes(mk)
	block.Encrypt(key[:8], key[:8])
	block.Encrypt(key[8:], key[8:])
	return key
}

func mac(t *testing.T, key, data []byte) []byte {
	t.Helper()
	single, err := des.NewCipher(key[:8])
	if err != nil {
		t.Fatal(err)
	}
	cbc := make([]byte, len(data))
	cipher.NewCBCEncrypter(single, make([]byte, 8)).CryptBlocks(cbc, data)
	last := cbc[len(cbc)-8:]
	// The last encryption is undone and done again with both halves.
	single.Decrypt(last, last)
	tdes(key).Encrypt(last, last)
	return last
}
