// SPDX-License-Identifier: Apache-2.0

// Package oda checks offline data authentication of EMV cards: certificates of
// issuers and cards, static and dynamic signatures (SDA, DDA, CDA), and Visa's
// contactless fDDA.
//
// Promise: every length and field of a certificate or signature is checked
// before anything of it is used; each way to be wrong has an error of its own;
// no error holds bytes of a card; bad input never panics.
//
// How: pure functions on public keys. A signature is opened by RSA with the
// signer's public key (recover.go), its frame and SHA-1 hash are checked, and
// what is inside is returned: keys (certificate.go), data authentication code
// and dynamic numbers (signature.go). Scheme keys (CAPK) are the caller's.
//
// Imported by: terminal, tests. Imports: internal/secret, iso8583/bertlv.
//
// Non-obvious: SHA-1 and raw RSA are what EMV Book 2 says, and what cards do.
package oda

import (
	"crypto/sha1"
	"crypto/subtle"
	"errors"
	"time"
)

// The refusals. A terminal sets the same bits of its verification results for
// most of them; people who look for the cause want to know which.
var (
	ErrKey         = errors.New("oda: public key is not 64 to 248 bytes with an exponent of 3 or 65537")
	ErrChecksum    = errors.New("oda: scheme public key does not have its checksum")
	ErrLength      = errors.New("oda: certificate or signature is not as long as the key that signed it")
	ErrRange       = errors.New("oda: certificate or signature is not below the modulus that signed it")
	ErrTrailer     = errors.New("oda: recovered data does not end in BC")
	ErrHeader      = errors.New("oda: recovered data does not begin with 6A")
	ErrFormat      = errors.New("oda: recovered data has another format than this check is for")
	ErrHash        = errors.New("oda: hash is wrong: something that is signed was changed")
	ErrAlgorithm   = errors.New("oda: hash or key algorithm is not the one that is built (SHA-1, RSA)")
	ErrIssuer      = errors.New("oda: issuer identifier of the certificate is not the card number's")
	ErrPAN         = errors.New("oda: card number of the certificate is not the card's")
	ErrExpired     = errors.New("oda: certificate is past its month")
	ErrExpiry      = errors.New("oda: expiry of the certificate is no month")
	ErrDate        = errors.New("oda: no date given to check the expiry against")
	ErrKeyLength   = errors.New("oda: key length of the certificate does not fit its place and remainder")
	ErrRemainder   = errors.New("oda: remainder of the key is missing")
	ErrExponent    = errors.New("oda: exponent is not the one the certificate speaks of")
	ErrPadding     = errors.New("oda: padding is not BB")
	ErrDynamic     = errors.New("oda: dynamic data does not fit its length")
	ErrNumber      = errors.New("oda: dynamic number does not have 2 to 8 bytes")
	ErrResponse    = errors.New("oda: answer is not well-formed TLV with 9F27 and 9F4B once each")
	ErrCID         = errors.New("oda: cryptogram information data differs from what is signed")
	ErrCryptogram  = errors.New("oda: cryptogram differs from what is signed")
	ErrTransaction = errors.New("oda: transaction data hash is wrong: the card or the terminal was told another transaction")
	ErrStatic      = errors.New("oda: static data is not records of template 70 and a tag list of 82 alone")
	ErrCardData    = errors.New("oda: card authentication related data (9F69) does not have 7 to 16 bytes")
	ErrVersion     = errors.New("oda: fDDA version is not 01, the only one that is built")
	ErrQualifiers  = errors.New("oda: card transaction qualifiers differ from what is signed")
)

// Key is an RSA public key.
type Key struct {
	Modulus  []byte // 64 to 248 bytes, the first not zero
	Exponent []byte // 03 or 010001
}

// CAPK is a scheme's public key (certification authority public key). The keys
// in this tree are published test keys.
type CAPK struct {
	RID      [5]byte
	Index    byte
	Key      Key
	Checksum [20]byte // SHA-1 of RID‖index‖modulus‖exponent (EMV Book 2, 11.2.2)
}

// Check refuses a key that is damaged, with ErrKey or ErrChecksum.
func (c CAPK) Check() error {
	if err := c.Key.check(); err != nil {
		return err
	}
	sum := hash(c.RID[:], []byte{c.Index}, c.Key.Modulus, c.Key.Exponent)
	if subtle.ConstantTimeCompare(sum[:], c.Checksum[:]) != 1 {
		return ErrChecksum
	}
	return nil
}

// hash is SHA-1, the only hash of EMV's RSA authentication, over parts.
func hash(parts ...[]byte) (sum [sha1.Size]byte) {
	h := sha1.New()
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(sum[:0])
	return sum
}

// expired checks a month MMYY of packed digits: it is good to its last day.
// Years below 50 are in this century (EMV Book 4, 6.7.3).
func expired(mmyy []byte, at time.Time) error {
	if at.IsZero() {
		return ErrDate
	}
	month, year := digits(mmyy[0]), digits(mmyy[1])
	if month < 1 || month > 12 || year < 0 {
		return ErrExpiry
	}
	if year += 2000; year >= 2050 {
		year -= 100
	}
	if at.Year()*12+int(at.Month()) > year*12+month {
		return ErrExpired
	}
	return nil
}

// digits is the value of two packed digits, -1 when they are none.
func digits(b byte) int {
	if b>>4 > 9 || b&0x0F > 9 {
		return -1
	}
	return int(b>>4)*10 + int(b&0x0F)
}
