// SPDX-License-Identifier: Apache-2.0

package oda

import (
	"bytes"
	"crypto/sha1"
	"crypto/subtle"
	"math/big"
)

// Bounds of keys (EMV Book 2, annex B2.1 and table 45). Cards below 64 bytes are
// not in service.
const (
	minModulus = 64
	maxModulus = 248
)

// Frame of recovered data: header, format, … hash, trailer.
const (
	header  = 0x6A
	trailer = 0xBC
	filler  = 0xBB
	sha1RSA = 0x01 // hash and key algorithm indicator
	tailLen = sha1.Size + 1
)

// Formats of recovered data (EMV Book 2, sections 5.3 to 6.6; EMV Contactless
// C-3 for the signature of an online authorisation).
const (
	formatIssuer  = 0x02
	formatStatic  = 0x03
	formatICC     = 0x04
	formatDynamic = 0x05
	formatOnline  = 0x95
)

func (k Key) check() error {
	n := len(k.Modulus)
	if n < minModulus || n > maxModulus || k.Modulus[0] == 0 || k.exponent() == 0 {
		return ErrKey
	}
	return nil
}

// exponent is 3 or 65537, 0 for any other: EMV allows no third (annex B2.1).
func (k Key) exponent() int64 {
	switch {
	case bytes.Equal(k.Exponent, []byte{3}):
		return 3
	case bytes.Equal(k.Exponent, []byte{1, 0, 1}):
		return 65537
	}
	return 0
}

// open recovers what k's owner signed and checks the frame: trailer, header and
// format, in the standard's order.
func (k Key) open(signed []byte, format byte) ([]byte, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	if len(signed) != len(k.Modulus) {
		return nil, ErrLength
	}
	s, n := new(big.Int).SetBytes(signed), new(big.Int).SetBytes(k.Modulus)
	if s.Cmp(n) >= 0 {
		return nil, ErrRange
	}
	out := s.Exp(s, big.NewInt(k.exponent()), n).FillBytes(make([]byte, len(signed)))
	switch {
	case out[len(out)-1] != trailer:
		return nil, ErrTrailer
	case out[0] != header:
		return nil, ErrHeader
	case out[1] != format:
		return nil, ErrFormat
	}
	return out, nil
}

// sealed checks the hash of recovered data: over all between header and hash,
// and what was signed besides.
func sealed(recovered []byte, besides ...[]byte) error {
	at := len(recovered) - tailLen
	sum := hash(append([][]byte{recovered[1:at]}, besides...)...)
	if subtle.ConstantTimeCompare(sum[:], recovered[at:len(recovered)-1]) != 1 {
		return ErrHash
	}
	return nil
}

// padded checks that all of b is filler.
func padded(b []byte) error {
	for _, c := range b {
		if c != filler {
			return ErrPadding
		}
	}
	return nil
}
