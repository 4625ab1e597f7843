// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"tapswitch/internal/money"
)

// ErrConfig says that a configuration or transaction makes no sense.
var ErrConfig = errors.New("kernel: configuration is wrong")

// MaxApplications bounds the terminal's list.
const MaxApplications = 32

// Application is one application the terminal takes, with its limits.
type Application struct {
	AID      []byte // a card's longer name with this beginning is taken too
	Kernel   ID
	Version  uint16  // 9F09
	TTQ      [4]byte // 9F66; the two bits of byte 2 that depend on the amount are set by the kernel
	SM       byte    // DF69, SM algorithm support
	ZeroOK   bool    // amounts of zero are allowed
	MaxMinor money.MinorUnits
	CVMMinor money.MinorUnits // from here on the holder must be verified
	// OnlineFormat says that a card's signature with an online cryptogram has the
	// format that Visa gave it (95), not that of an offline approval (05). Public
	// sources are silent on UnionPay: ask your acquirer.
	OnlineFormat bool
}

// Config is the terminal's side of every transaction. Amount limits are in the
// transaction's currency: a terminal has one.
type Config struct {
	Applications []Application
	Country      uint16  // 9F1A, ISO 3166 numeric
	Capabilities [3]byte // 9F33
	Type         byte    // 9F35
	Serial       [8]byte // 9F1E, ASCII

	CAKeys  []CAKey              // of the schemes whose cards are authenticated offline; see AuthenticateOffline
	Revoked []RevokedCertificate // issuer certificates that count no more
}

// The bits used of TTQ and CTQ.
const (
	ttq1EMV        = 0x20
	ttq1OnlinePIN  = 0x04
	ttq1Signature  = 0x02
	ttq1ODA        = 0x01
	ttq2Online     = 0x80
	ttq2CVM        = 0x40
	ttq4FDDA       = 0x80
	ctq1OnlinePIN  = 0x80
	ctq1Signature  = 0x40
	ctq1Online     = 0x20 // when offline data authentication fails
	ctq1Interface  = 0x10 // the same
	ctq2DeviceCVM  = 0x80
	minAID, maxAID = 5, 16
)

// DefaultConfig is a laboratory terminal: contactless only, attended, online
// only, PIN and signature, up to 50,000.00 with a PIN from 1,000.00 on.
func DefaultConfig() Config {
	ttq := [4]byte{ttq1EMV | ttq1OnlinePIN | ttq1Signature, 0, 0x40, 0}
	app := func(aid string, kernel ID, version uint16) Application {
		b, _ := hex.DecodeString(aid)
		return Application{AID: b, Kernel: kernel, Version: version, TTQ: ttq, MaxMinor: 5_000_000, CVMMinor: 100_000, OnlineFormat: kernel == Visa}
	}
	return Config{
		Applications: []Application{
			app("A000000333010101", UnionPay, 0x0030), // debit
			app("A000000333010102", UnionPay, 0x0030), // credit
			app("A000000333010103", UnionPay, 0x0030), // quasi-credit
			app("A0000000031010", Visa, 0x0096),
		},
		Country:      156,
		Capabilities: [3]byte{0x00, 0x68, 0x00}, // online PIN, signature, no CVM
		Type:         0x21,                      // attended, online only, merchant's
		Serial:       [8]byte([]byte("TAPSW001")),
	}
}

// Validate names the first mistake.
func (c *Config) Validate() error {
	if n := len(c.Applications); n == 0 || n > MaxApplications {
		return fmt.Errorf("%w: give 1 to %d applications", ErrConfig, MaxApplications)
	}
	if c.Country > 999 {
		return fmt.Errorf("%w: country must have three digits", ErrConfig)
	}
	for i, a := range c.Applications {
		for _, rule := range []struct {
			ok   bool
			what string
		}{
			{len(a.AID) >= minAID && len(a.AID) <= maxAID, "aid must have 5 to 16 bytes"},
			{a.Kernel == Visa || a.Kernel == UnionPay, "kernel must be 3 or 7: no other is built"},
			{a.TTQ[0]&ttq1EMV != 0, "ttq must offer EMV mode (byte 1, bit 20)"},
			{a.TTQ[1]&(ttq2Online|ttq2CVM) == 0, "ttq byte 2 bits 80 and 40 are set by the kernel"},
			{a.MaxMinor > 0, "maximum amount must be given"},
			{a.CVMMinor >= 0, "amount for holder verification must not be negative"},
		} {
			if !rule.ok {
				return fmt.Errorf("%w: application %d (%X): %s", ErrConfig, i+1, a.AID, rule.what)
			}
		}
	}
	return c.validateKeys()
}

// Transaction is what is being paid.
type Transaction struct {
	Amount        money.Amount
	Other         money.MinorUnits // cash part
	Type          byte             // 9C: 00 purchase, 20 refund
	When          time.Time        // local time of the terminal
	Unpredictable [4]byte          // 9F37, from a good random source
	Counter       uint32           // 9F41, grows by one per transaction
}

// NewPurchase draws the unpredictable number from random.
func NewPurchase(random io.Reader, amount money.Amount, when time.Time, counter uint32) (Transaction, error) {
	t := Transaction{Amount: amount, When: when, Counter: counter}
	if _, err := io.ReadFull(random, t.Unpredictable[:]); err != nil {
		return t, fmt.Errorf("kernel: draw the unpredictable number: %w", err)
	}
	return t, nil
}

func (t *Transaction) validate() error {
	switch {
	case t.Amount.Minor < 0 || t.Amount.Minor > money.Max:
		return fmt.Errorf("%w: amount must have 1 to 12 digits", ErrConfig)
	case t.Other < 0 || t.Other > t.Amount.Minor:
		return fmt.Errorf("%w: cash part must not exceed the amount", ErrConfig)
	case t.Amount.Currency == 0 || t.Amount.Currency > 999:
		return fmt.Errorf("%w: currency must be an ISO 4217 number", ErrConfig)
	}
	return nil
}

// bcd writes n as digits, two a byte, zero filled to size bytes.
func bcd(n uint64, size int) []byte {
	out := make([]byte, size)
	for i := size - 1; i >= 0; i-- {
		out[i] = byte(n%10) | byte(n/10%10)<<4
		n /= 100
	}
	return out
}
