// SPDX-License-Identifier: Apache-2.0

// Package hsm names what a payment switch asks of a hardware security module:
// keys, their usages, and narrow interfaces of one or two methods each.
//
// Promise: a clear PIN or key has no type here, so no caller can ask for one;
// a key is used only for what it was made for, else ErrUsage before the module
// is asked.
//
// How: a Key is the wrapped form with all that is bound to it. Drivers
// (hsm/pkcs11 in production, hsm/soft in terminals and tests) unwrap it inside
// and implement the interfaces; hsm/hsmtest holds every driver to the same
// known answers.
//
// Imported by: switch, terminal, cmd. Imports: hsm/pinblock, internal/secret.
package hsm

import (
	"context"
	"errors"

	"tapswitch/internal/secret"
)

// Usage is the one purpose of a key (PCI PIN 19).
type Usage uint8

// The usages in service. New ones are appended: the numbers are stored.
const (
	TMK       Usage = iota + 1 // terminal master key: enciphers a terminal's working keys
	TPK                        // terminal PIN key (PIK)
	TAK                        // terminal MAC key (MAK)
	ZPK                        // zone PIN key, shared with an acquirer
	ZAK                        // zone MAC key, shared with an acquirer
	PVK                        // Visa PIN verification key pair
	IMKAC                      // issuer master key for application cryptograms
	PANSeal                    // AES-256 key that enciphers card numbers at rest
	PANToken                   // key of the keyed card-number token
	ZMK                        // zone master key: enciphers zone working keys, ECB (legacy)
	KBPK                       // key block protection key (TR-31, X9.143)
	BDK                        // DUKPT base derivation key
	IK                         // DUKPT initial key of one device
	CVK                        // card verification key pair: CVV, CVV2, iCVV, CAVV
	PVKOffset                  // IBM 3624 PIN verification key, with its decimalisation table
	IMKSMI                     // issuer master key for script integrity (MAC)
	IMKSMC                     // issuer master key for script confidentiality
	IMKCVC3                    // issuer master key for dynamic card values: dCVV, CVC3
	TDK                        // terminal data key: tracks and other fields
	ZDK                        // zone data key
	HMACKey                    // HMAC-SHA-256 key
)

// Algorithm is the cipher a key is for.
type Algorithm uint8

// The algorithms in service. An 8-byte DES key is kept as TDES2 with K‖K. New
// ones are appended: the numbers are stored.
const (
	TDES2   Algorithm = iota + 1 // double-length TDEA, 16 bytes
	AES128                       // 16 bytes
	AES256                       // 32 bytes
	TDES3                        // triple-length TDEA, 24 bytes
	AES192                       // 24 bytes
	HMAC128                      // 16 bytes of HMAC key
	HMAC192                      // 24 bytes
	HMAC256                      // 32 bytes
	SM4                          // 16 bytes; GB/T 32907
)

// Key is a key at rest: wrapped under the local master key (LMK), with usage,
// owner, version, check value and LMK identity bound by a CMAC under the second
// LMK, which drivers check before they unwrap.
type Key struct {
	Name      string // "terminal/10000001/tpk": unique together with Version
	Usage     Usage
	Algorithm Algorithm
	Owner     string // terminal, link or issuer the key belongs to
	Version   uint32
	KCV       [3]byte // payment check value: TDES-ECB or SM4-ECB of zeros, AES-CMAC of zeros, HMAC of nothing
	NotAfter  int64   // Unix seconds, 0 = no end
	LMK       [8]byte // identity of the wrapping LMK
	Wrapped   []byte
	Binding   [16]byte
	Offset    OffsetRule // of a PVKOffset, else zero
}

// Spec says what a new key shall be.
type Spec struct {
	Name      string
	Usage     Usage
	Algorithm Algorithm
	Owner     string
	Version   uint32
	NotAfter  int64
	Offset    OffsetRule // of a PVKOffset, else zero
}

// The errors of every driver. Drivers wrap them; callers use errors.Is.
var (
	ErrUnavailable = errors.New("hsm: module not available")                        // gone, logged out or timed out: nothing was decided
	ErrBusy        = errors.New("hsm: queue full")                                  // refused at once, nothing was decided
	ErrUsage       = errors.New("hsm: key used outside its usage")                  // our bug or an attack
	ErrBinding     = errors.New("hsm: key block does not match its binding")        // altered or foreign key
	ErrMAC         = errors.New("hsm: MAC is wrong")                                // the message is not authentic
	ErrPIN         = errors.New("hsm: PIN is wrong")                                // count a try
	ErrPINBlock    = errors.New("hsm: PIN block is malformed under this key")       // wrong key, PAN or format
	ErrCryptogram  = errors.New("hsm: application cryptogram is wrong")             // forged, or wrong profile
	ErrInput       = errors.New("hsm: input has a form this function cannot serve") // length, digits, missing tag
	ErrCardValue   = errors.New("hsm: card verification value is wrong")            // forged, or other data than the card's
	ErrUnsupported = errors.New("hsm: module has no mechanism for this function")   // of this module; another may have it
)

// KeyLoader brings keys in.
type KeyLoader interface {
	SetLoader
	ComponentLoader
	// LoadClear takes the xor of clear components, whatever it is: for test keys, and
	// for the check value of one component.
	LoadClear(ctx context.Context, spec Spec, components ...secret.Key) (Key, error)
	// Generate makes a random key that never leaves in clear.
	Generate(ctx context.Context, spec Spec) (Key, error)
}

// Sealer enciphers card numbers at rest: AES-256-GCM with a random nonce in front.
type Sealer interface {
	Seal(ctx context.Context, key *Key, plain, aad []byte) ([]byte, error)
	Open(ctx context.Context, key *Key, sealed, aad []byte) ([]byte, error)
}

// Tokener makes the keyed token of a card number, for search and fingerprints.
type Tokener interface {
	Token(ctx context.Context, key *Key, pan secret.PAN) ([16]byte, error)
}

// Health tells whether the module can be used now; nil when it can.
type Health interface {
	Health() error
}

// Member is one token of a failover group.
type Member struct {
	Name   string
	Err    error  // why it does not serve; nil when it does
	Passed uint64 // operations that it could not do, so that the next was asked
}

// Grouped is what a failover group tells of its tokens, in order of preference.
type Grouped interface {
	Members() []Member
}
