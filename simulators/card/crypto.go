// SPDX-License-Identifier: Apache-2.0

package card

import (
	"crypto/cipher"
	"crypto/des"
	"encoding/hex"
	"errors"
	"math/bits"
	"strings"
)

// ErrKey says that a key is not 16 bytes of hex.
var ErrKey = errors.New("card: a key has 32 hex digits")

type key16 [16]byte

func parseKey(s string) (k key16, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(k) {
		return k, ErrKey
	}
	return key16(b), nil
}

// tdes is the two-key triple DES of k.
func (k key16) tdes() cipher.Block {
	block, err := des.NewTripleDESCipher(append(k[:], k[:8]...))
	if err != nil {
		return nil // impossible: the key has 24 bytes
	}
	return block
}

func oddParity(k key16) key16 {
	for i, b := range k {
		k[i] = b&0xFE | byte(bits.OnesCount8(b>>1)+1)&1
	}
	return k
}

// masterKey is option A of EMV book 2 A1.4.1: the rightmost 16 digits of PAN and
// sequence number, and their complement, under the issuer's key.
func masterKey(imk key16, pan, psn string) (key16, error) {
	if psn == "" {
		psn = "00"
	}
	digits := pan + psn
	if len(digits) < 16 {
		digits = strings.Repeat("0", 16-len(digits)) + digits
	}
	y, err := hex.DecodeString(digits[len(digits)-16:])
	if err != nil {
		return key16{}, ErrProfile
	}
	var k key16
	copy(k[:], y)
	for i, b := range y {
		k[8+i] = ^b
	}
	block := imk.tdes()
	block.Encrypt(k[:8], k[:8])
	block.Encrypt(k[8:], k[8:])
	return oddParity(k), nil
}

// sessionKey is the common session key derivation of EMV book 2 A1.3.1: the
// counter, F0 for the left half and 0F for the right, zeros.
func sessionKey(mk key16, atc uint16) key16 {
	left := [8]byte{byte(atc >> 8), byte(atc), 0xF0}
	right := [8]byte{byte(atc >> 8), byte(atc), 0x0F}
	var k key16
	block := mk.tdes()
	block.Encrypt(k[:8], left[:])
	block.Encrypt(k[8:], right[:])
	return oddParity(k)
}

// pad fills data to whole blocks: with zeros only where needed (method 1), or
// with 80 and zeros always (method 2).
func pad(data []byte, method int) []byte {
	out := append([]byte(nil), data...)
	if method == 2 {
		out = append(out, 0x80)
	}
	for len(out)%des.BlockSize != 0 {
		out = append(out, 0)
	}
	return out
}

// retailMAC is ISO/IEC 9797-1 algorithm 3 over padded data.
func retailMAC(k key16, padded []byte) [8]byte {
	left, err := des.NewCipher(k[:8])
	if err != nil {
		return [8]byte{} // impossible: the key has 8 bytes
	}
	right, err := des.NewCipher(k[8:])
	if err != nil {
		return [8]byte{}
	}
	var mac [8]byte
	for ; len(padded) > 0; padded = padded[8:] {
		for i := range mac {
			mac[i] ^= padded[i]
		}
		left.Encrypt(mac[:], mac[:])
	}
	right.Decrypt(mac[:], mac[:])
	left.Encrypt(mac[:], mac[:])
	return mac
}

// VisaPVV computes the PIN verification value of a card: eleven digits of the
// PAN, the key's index and the PIN's first four digits under the key pair, and
// of the result the first four decimal digits, letters less ten filling up.
func VisaPVV(pvk, pvki, pan, pin string) (string, error) {
	k, err := parseKey(pvk)
	if err != nil {
		return "", err
	}
	if len(pan) < 12 || len(pvki) != 1 || len(pin) < 4 {
		return "", ErrProfile
	}
	block, err := hex.DecodeString(pan[len(pan)-12:len(pan)-1] + pvki + pin[:4])
	if err != nil {
		return "", ErrProfile
	}
	k.tdes().Encrypt(block, block)
	var digits, letters []byte
	for _, b := range block {
		for _, n := range [2]byte{b >> 4, b & 0xF} {
			if n < 10 {
				digits = append(digits, '0'+n)
			} else {
				letters = append(letters, '0'+n-10)
			}
		}
	}
	return string(append(digits, letters...)[:4]), nil
}
