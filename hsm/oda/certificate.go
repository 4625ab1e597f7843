// SPDX-License-Identifier: Apache-2.0

package oda

import (
	"encoding/hex"
	"strings"
	"time"

	"tapswitch/internal/secret"
)

// Signed is a certificate as the card gives it, in three data elements.
type Signed struct {
	Certificate []byte // tag 90, 9F46; as long as the signer's modulus
	Remainder   []byte // tag 92, 9F48; what of the key did not fit, empty when all did
	Exponent    []byte // tag 9F32, 9F47
}

// Issuer is what an issuer's certificate says.
type Issuer struct {
	Key    Key
	Serial [3]byte // to be looked up in the scheme's revocation list, with RID and index of the CAPK
}

// RecoverIssuer opens an issuer public key certificate with the scheme's key and
// checks it (EMV Book 2, 5.3 and 6.3): frame, hash, issuer identifier against
// the card number, month against at, algorithms, key length.
func RecoverIssuer(ca Key, in Signed, pan secret.PAN, at time.Time) (Issuer, error) {
	const idAt, expiryAt, serialAt, algorithmsAt, keyAt = 2, 6, 8, 11, 15
	data, err := ca.open(in.Certificate, formatIssuer)
	if err != nil {
		return Issuer{}, err
	}
	// A remainder that is missing is found before the hash, which it would make
	// wrong: a card without a record and a forged one are two causes.
	if cut(int(data[algorithmsAt+2]), data, keyAt, in) {
		return Issuer{}, ErrRemainder
	}
	if err := sealed(data, in.Remainder, in.Exponent); err != nil {
		return Issuer{}, err
	}
	id := strings.TrimRight(hex.EncodeToString(data[idAt:expiryAt]), "f")
	if len(id) < 3 || !strings.HasPrefix(string(pan.Reveal(secret.ForChip)), id) {
		return Issuer{}, ErrIssuer
	}
	if err := expired(data[expiryAt:serialAt], at); err != nil {
		return Issuer{}, err
	}
	key, err := certified(data, algorithmsAt, keyAt, in)
	if err != nil {
		return Issuer{}, err
	}
	return Issuer{key, [3]byte(data[serialAt:])}, nil
}

// cut says that a key of size bytes does not fit its place and its remainder is
// not there. It may be asked before the hash is checked: it grants nothing.
func cut(size int, data []byte, keyAt int, in Signed) bool {
	return size >= minModulus && size <= len(data) && size > len(data)-tailLen-keyAt && len(in.Remainder) == 0
}

// certified reads the end of a certificate from the algorithm indicators on: two
// algorithms, length of key and exponent, and the key or its leftmost part, the
// rest of which is the remainder.
func certified(data []byte, algorithmsAt, keyAt int, in Signed) (Key, error) {
	if data[algorithmsAt] != sha1RSA || data[algorithmsAt+1] != sha1RSA {
		return Key{}, ErrAlgorithm
	}
	size, exponent := int(data[algorithmsAt+2]), int(data[algorithmsAt+3])
	room := data[keyAt : len(data)-tailLen]
	if exponent != len(in.Exponent) {
		return Key{}, ErrExponent
	}
	if cut(size, data, keyAt, in) {
		return Key{}, ErrRemainder
	}
	if size < minModulus || size > len(data) || len(in.Remainder) != max(0, size-len(room)) {
		return Key{}, ErrKeyLength
	}
	part := room[:min(size, len(room))]
	if err := padded(room[len(part):]); err != nil {
		return Key{}, err
	}
	key := Key{Modulus: append(append(make([]byte, 0, size), part...), in.Remainder...), Exponent: in.Exponent}
	return key, key.check()
}

// ICC is a card's certificate, recovered but not yet authenticated.
type ICC struct {
	key       Key
	recovered []byte
	in        Signed
}

// RecoverICC opens a card's public key certificate with the issuer's key and
// checks all of it (EMV Book 2, 6.4) but the hash, which covers static data:
// Authenticate does that and gives the key.
func RecoverICC(issuer Key, in Signed, pan secret.PAN, at time.Time) (ICC, error) {
	const panAt, expiryAt, serialAt, algorithmsAt, keyAt = 2, 12, 14, 17, 21
	data, err := issuer.open(in.Certificate, formatICC)
	if err != nil {
		return ICC{}, err
	}
	certain := strings.TrimRight(hex.EncodeToString(data[panAt:expiryAt]), "f")
	if certain == "" || certain != string(pan.Reveal(secret.ForChip)) {
		return ICC{}, ErrPAN
	}
	if err := expired(data[expiryAt:serialAt], at); err != nil {
		return ICC{}, err
	}
	key, err := certified(data, algorithmsAt, keyAt, in)
	if err != nil {
		return ICC{}, err
	}
	return ICC{key: key, recovered: data, in: in}, nil
}

// Authenticate checks the certificate's hash, which covers static (see
// StaticData), and returns the card's key.
func (c ICC) Authenticate(static []byte) (Key, error) {
	if len(c.recovered) == 0 {
		return Key{}, ErrKey
	}
	if err := sealed(c.recovered, c.in.Remainder, c.in.Exponent, static); err != nil {
		return Key{}, err
	}
	return c.key, nil
}

// Unauthenticated is the key before the hash is checked, for tools that have a
// certificate without its card. A terminal must not use it.
func (c ICC) Unauthenticated() Key { return c.key }
