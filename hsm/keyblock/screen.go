// SPDX-License-Identifier: Apache-2.0

package keyblock

import (
	"crypto/subtle"
	"fmt"
	"math/bits"

	"tapswitch/hsm"
)

// weak are the 4 weak and 12 semi-weak keys of DES (NIST SP 800-67, section 3.4.2):
// enciphering twice, or under the partner, gives the text back. Compared without
// parity bits.
var weak = [...]uint64{
	0x0101010101010101, 0xFEFEFEFEFEFEFEFE, 0x1F1F1F1F0E0E0E0E, 0xE0E0E0E0F1F1F1F1,
	0x01FE01FE01FE01FE, 0xFE01FE01FE01FE01, 0x1FE01FE00EF10EF1, 0xE01FE01FF10EF10E,
	0x01E001E001F101F1, 0xE001E001F101F101, 0x1FFE1FFE0EFE0EFE, 0xFE1FFE1FFE0EFE0E,
	0x011F011F010E010E, 0x1F011F010E010E01, 0xE0FEE0FEF1FEF1FE, 0xFEE0FEE0FEF1FEF1,
}

const noParity = 0xFEFEFEFEFEFEFEFE

// WeakPart reports whether a part of 8 bytes of a DES key is weak or semi-weak.
func WeakPart(value []byte) bool {
	for ; len(value) >= 8; value = value[8:] {
		v := part(value)
		for _, w := range weak {
			if v == w&noParity {
				return true
			}
		}
	}
	return false
}

func part(b []byte) (v uint64) {
	for _, c := range b[:8] {
		v = v<<8 | uint64(c)
	}
	return v & noParity
}

// EqualParts reports whether two neighbouring parts of a DES key are the same, so
// that enciphering with it is single DES (NIST SP 800-67, keying option 3), or two
// of a triple-length key's three are neighbours that cancel.
func EqualParts(value []byte) bool {
	for ; len(value) >= 16; value = value[8:] {
		if part(value) == part(value[8:]) {
			return true
		}
	}
	return false
}

// OddParity reports whether every byte has odd parity.
func OddParity(value []byte) bool {
	for _, c := range value {
		if bits.OnesCount8(c)%2 == 0 {
			return false
		}
	}
	return true
}

// MayBeSingle reports whether a key of usage u may be the 8-byte key of old hosts
// and terminals, kept as K‖K.
func MayBeSingle(u hsm.Usage) bool { return u == hsm.TAK || u == hsm.ZAK || u == hsm.TMK }

// CheckWorking refuses a wish for a key of 8 bytes that its usage does not allow.
func CheckWorking(w *hsm.WorkingKey) error {
	if err := w.Spec.Check(); err != nil {
		return err
	}
	if w.Single && (!MayBeSingle(w.Usage) || w.Algorithm != hsm.TDES2) {
		return fmt.Errorf("%w: %w: key %q: only a TAK, ZAK or TMK of %s may be of single length", hsm.ErrInput, hsm.ErrWeakKey, w.Name, hsm.TDES2)
	}
	return nil
}

// Screen refuses the clear value of a key that arrives: a weak or semi-weak part,
// equal parts unless the key is of single length, parity that is not odd where odd
// was asked for, an AES or HMAC key of zeros. The errors name the key, never a byte.
func Screen(w *hsm.WorkingKey, value []byte) error {
	if !w.Algorithm.IsTDES() {
		if subtle.ConstantTimeCompare(value, make([]byte, len(value))) == 1 {
			return fmt.Errorf("%w: %w: key %q is all zeros", hsm.ErrInput, hsm.ErrWeakKey, w.Name)
		}
		return nil
	}
	switch {
	case WeakPart(value):
		return fmt.Errorf("%w: %w: key %q has a weak or semi-weak part", hsm.ErrInput, hsm.ErrWeakKey, w.Name)
	case EqualParts(value) && !w.Single:
		return fmt.Errorf("%w: %w: key %q has equal parts, which is single DES; only a TAK, ZAK or TMK may be taken in so, when it is said to be of single length", hsm.ErrInput, hsm.ErrWeakKey, w.Name)
	case w.OddParity && !OddParity(value):
		return fmt.Errorf("%w: %w: key %q; take it in without the demand if its sender does not set parity", hsm.ErrInput, hsm.ErrParity, w.Name)
	}
	return nil
}
