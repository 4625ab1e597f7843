// SPDX-License-Identifier: Apache-2.0

package card

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// ErrSign says that a key is too small for what it is to sign, or a field has a
// length that the certificate has no place for.
var ErrSign = errors.New("card: this key cannot sign that")

// Formats of what is signed (EMV book 2, sections 5 and 6).
const (
	signIssuer   = 0x02
	signStatic   = 0x03
	signICC      = 0x04
	signDynamic  = 0x05
	signOnline   = 0x95 // a dynamic signature with an online cryptogram (VCPS)
	sha1AndRSA   = 0x01
	signTrailer  = 0xBC
	signHeader   = 0x6A
	signFill     = 0xBB
	frameAndHash = 2 + sha1.Size + 1 // header, format, hash, trailer
)

// Certificate is a public key signed by the level above, in the three data
// elements that a card carries: 90, 92, 9F32 or 9F46, 9F48, 9F47.
type Certificate struct {
	Signed, Remainder, Exponent []byte
}

// raw is the RSA private key operation on m, which has the modulus' length.
func raw(key *rsa.PrivateKey, m []byte) []byte {
	s := new(big.Int).Exp(new(big.Int).SetBytes(m), key.D, key.N)
	return s.FillBytes(make([]byte, (key.N.BitLen()+7)/8))
}

// seal signs body, filled with fill to the key's room, with a hash that covers
// the format, the filled body and besides.
func seal(key *rsa.PrivateKey, format byte, body []byte, besides ...[]byte) ([]byte, error) {
	room := (key.N.BitLen()+7)/8 - frameAndHash
	if len(body) > room {
		return nil, fmt.Errorf("%w: %d bytes, with room for %d", ErrSign, len(body), room)
	}
	covered := append([]byte{format}, body...)
	covered = append(covered, bytes.Repeat([]byte{signFill}, room-len(body))...)
	sum := sha1.New()
	sum.Write(covered)
	for _, b := range besides {
		sum.Write(b)
	}
	whole := append([]byte{signHeader}, covered...)
	whole = append(sum.Sum(whole), signTrailer)
	return raw(key, whole), nil
}

// exponentOf is a public exponent in as few bytes as it has.
func exponentOf(key *rsa.PublicKey) []byte { return big.NewInt(int64(key.E)).Bytes() }

// certify signs a public key behind the fields before it. besides is hashed
// behind remainder and exponent.
func certify(signer *rsa.PrivateKey, format byte, fields []byte, key *rsa.PublicKey, besides []byte) (Certificate, error) {
	modulus, exponent := key.N.Bytes(), exponentOf(key)
	body := append(append([]byte{}, fields...), sha1AndRSA, sha1AndRSA, byte(len(modulus)), byte(len(exponent)))
	room := (signer.N.BitLen()+7)/8 - frameAndHash - len(body)
	if room < 0 || len(modulus) > 0xFF {
		return Certificate{}, ErrSign
	}
	var rest []byte
	if len(modulus) > room {
		modulus, rest = modulus[:room], modulus[room:]
	}
	signed, err := seal(signer, format, append(body, modulus...), rest, exponent, besides)
	return Certificate{signed, rest, exponent}, err
}

// Printed is what a certificate says of its owner.
type Printed struct {
	PAN    string  // of a card; an issuer's certificate takes its first eight digits
	Expiry string  // MMYY
	Serial [3]byte // of the certificate
}

// CertifyIssuer makes an issuer's certificate, as a scheme does.
func CertifyIssuer(scheme *rsa.PrivateKey, p Printed, issuer *rsa.PublicKey) (Certificate, error) {
	if len(p.PAN) < 8 {
		return Certificate{}, ErrSign
	}
	fields, err := hex.DecodeString(p.PAN[:8] + p.Expiry)
	if err != nil || len(fields) != 6 {
		return Certificate{}, ErrSign
	}
	return certify(scheme, signIssuer, append(fields, p.Serial[:]...), issuer, nil)
}

// CertifyCard makes a card's certificate, as an issuer does; static is the
// static data that terminals authenticate.
func CertifyCard(issuer *rsa.PrivateKey, p Printed, card *rsa.PublicKey, static []byte) (Certificate, error) {
	if len(p.PAN) > 19 {
		return Certificate{}, ErrSign
	}
	fields, err := hex.DecodeString(p.PAN + strings.Repeat("F", 20-len(p.PAN)) + p.Expiry)
	if err != nil || len(fields) != 12 {
		return Certificate{}, ErrSign
	}
	return certify(issuer, signICC, append(fields, p.Serial[:]...), card, static)
}

// SignStatic makes signed static application data (tag 93) with a data
// authentication code.
func SignStatic(issuer *rsa.PrivateKey, dac [2]byte, static []byte) ([]byte, error) {
	return seal(issuer, signStatic, []byte{sha1AndRSA, dac[0], dac[1]}, static)
}

// signDynamicData signs a dynamic number and what follows it.
func signDynamicData(card *rsa.PrivateKey, format byte, number, behind []byte, terminal ...[]byte) ([]byte, error) {
	if len(number) < 2 || len(number) > 8 {
		return nil, ErrSign
	}
	data := append(append([]byte{byte(len(number))}, number...), behind...)
	return seal(card, format, append([]byte{sha1AndRSA, byte(len(data))}, data...), terminal...)
}

// SignDynamic answers INTERNAL AUTHENTICATE (DDA): tag 9F4B over the terminal's
// DDOL values.
func SignDynamic(card *rsa.PrivateKey, number, ddol []byte) ([]byte, error) {
	return signDynamicData(card, signDynamic, number, nil, ddol)
}

// Generated is what a card's answer to GENERATE AC says, before it is signed.
type Generated struct {
	Number     []byte // dynamic number
	CID        byte
	ATC        [2]byte
	Cryptogram [8]byte
	IAD        []byte
}

// SignCombined makes the content of template 77 of a GENERATE AC with CDA:
// 9F27, 9F36, 9F10 and the signature, in which the cryptogram is. terminal is
// the values of PDOL and CDOLs that the card was told.
func SignCombined(card *rsa.PrivateKey, g Generated, un [4]byte, terminal []byte) ([]byte, error) {
	out := tlv(nil, 0x9F27, []byte{g.CID})
	out = tlv(out, 0x9F36, g.ATC[:])
	rest := tlv(nil, 0x9F10, g.IAD)
	sum := sha1.Sum(append(append(append([]byte{}, terminal...), out...), rest...))
	behind := append(append([]byte{g.CID}, g.Cryptogram[:]...), sum[:]...)
	sdad, err := signDynamicData(card, signDynamic, g.Number, behind, un[:])
	if err != nil {
		return nil, err
	}
	return append(tlv(out, 0x9F4B, sdad), rest...), nil
}

// SignFast makes the signature of a contactless fDDA of version 01 and the card
// authentication related data (9F69) that goes with it: version, the card's own
// unpredictable number and its transaction qualifiers. terminal is 9F37, 9F02
// and 5F2A, one behind the other; online says that the signature goes with an
// online cryptogram.
func SignFast(card *rsa.PrivateKey, number []byte, cardUN [4]byte, qualifiers [2]byte, terminal []byte, online bool) (sdad, related []byte, err error) {
	related = append(append([]byte{0x01}, cardUN[:]...), qualifiers[:]...)
	format := byte(signDynamic)
	if online {
		format = signOnline
	}
	sdad, err = signDynamicData(card, format, number, nil, terminal, related)
	return sdad, related, err
}
