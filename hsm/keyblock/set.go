// SPDX-License-Identifier: Apache-2.0

package keyblock

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"tapswitch/hsm"
)

// maxSet bounds the keys of one set: an owner has a PIN, a MAC and a data key.
const maxSet = 8

// CheckSet refuses what must not travel together, or not under this key: the usages
// (PCI PIN 19), lengths, and for keys that leave (out) a transport key that is
// weaker than what it carries (ANSI X9.24-1, 7.3). A TMK or ZMK carries raw
// cryptograms, a KBPK key blocks.
func CheckSet(under *hsm.Key, set []hsm.WorkingKey, out bool, now time.Time) error {
	carries, travels := Carrying(under)
	if err := hsm.Permit(carries, under, now); err != nil {
		return err
	}
	if len(set) == 0 || len(set) > maxSet {
		return fmt.Errorf("%w: a set has 1 to %d keys, not %d", hsm.ErrInput, maxSet, len(set))
	}
	for i := range set {
		w := &set[i]
		if err := CheckWorking(w); err != nil {
			return err
		}
		key := w.Key()
		if err := hsm.Permit(travels, &key, now); err != nil {
			return err
		}
		if w.Check != 0 && w.Check != 3 && w.Check != 4 {
			return fmt.Errorf("%w: key %q: a check value of %d bytes is compared, want 3 or 4", hsm.ErrInput, w.Name, w.Check)
		}
		if out && strength(w.Algorithm) > strength(under.Algorithm) {
			return fmt.Errorf("%w: key %q of %s would leave under a weaker %s of %s", hsm.ErrUsage, w.Name, w.Algorithm, under.Usage, under.Algorithm)
		}
	}
	return nil
}

// Carrying is the operation of a key that carries others, and theirs under it.
func Carrying(under *hsm.Key) (carries, travels hsm.Operation) {
	switch {
	case under != nil && under.Usage == hsm.ZMK:
		return hsm.OpTransportZoneKey, hsm.OpTravelsUnderZMK
	case under != nil && under.Usage == hsm.KBPK:
		return hsm.OpProtectKeyBlock, hsm.OpTravelsInKeyBlock
	case under != nil && under.Algorithm == hsm.SM4:
		return hsm.OpSM4Transport, hsm.OpTravelsUnderSM4
	}
	return hsm.OpTransportKey, hsm.OpTravelsUnderTMK
}

// strength of an algorithm in bits (NIST SP 800-57-1, table 2).
func strength(a hsm.Algorithm) int {
	switch a {
	case hsm.TDES2:
		return 80
	case hsm.TDES3:
		return 112
	}
	return 8 * a.Size()
}

// CheckIncoming is CheckSet for keys that arrive, one Exported for each of set, with
// the length of each cryptogram.
func CheckIncoming(under *hsm.Key, set []hsm.WorkingKey, in []hsm.Exported, now time.Time) error {
	if err := CheckSet(under, set, false, now); err != nil {
		return err
	}
	if len(in) != len(set) {
		return fmt.Errorf("%w: %d keys arrived, want %d", hsm.ErrInput, len(in), len(set))
	}
	for i := range set {
		w, n := &set[i], len(in[i].Cryptogram)
		if under.Usage == hsm.KBPK {
			if n != 0 || in[i].Block == "" {
				return fmt.Errorf("%w: key %q: under a %s a key travels in a key block, not as a raw cryptogram", hsm.ErrInput, w.Name, under.Usage)
			}
		} else if n != w.Algorithm.Size() && !(n == 8 && w.Single) || in[i].Block != "" {
			return fmt.Errorf("%w: key %q: %d bytes of cryptogram, a key of %s travels under a %s as %d", hsm.ErrInput, w.Name, n, w.Algorithm, under.Usage, w.Algorithm.Size())
		}
	}
	return nil
}

// CheckImport is CheckSet for the key of one block.
func CheckImport(kbpk *hsm.Key, want *hsm.WorkingKey, now time.Time) error {
	if err := hsm.Permit(hsm.OpProtectKeyBlock, kbpk, now); err != nil {
		return err
	}
	return CheckSet(kbpk, []hsm.WorkingKey{*want}, false, now)
}

// ErrCheckValue says that a cryptogram's check value is not its key's.
var ErrCheckValue = errors.New("check value is wrong; the key is damaged or under another transport key")

// Named gives an error of this package its place among the errors of every driver: a
// wrong MAC is hsm.ErrBinding, all else hsm.ErrInput. Errors of the module stay.
func Named(name string, err error) error {
	switch {
	case err == nil || errors.Is(err, hsm.ErrInput) || errors.Is(err, hsm.ErrUsage) || errors.Is(err, hsm.ErrUnavailable):
		return err
	case errors.Is(err, ErrMAC):
		return fmt.Errorf("%w: %q: %w", hsm.ErrBinding, name, err)
	}
	return fmt.Errorf("%w: %q: %w", hsm.ErrInput, name, err)
}

// SameCheck compares a check value that arrived with the key's own, over the bytes
// that count, in constant time.
func SameCheck(w *hsm.WorkingKey, got [8]byte, came [4]byte) error {
	n := w.Check
	if n == 0 {
		n = len(came)
	}
	if subtle.ConstantTimeCompare(got[:n], came[:n]) != 1 {
		return fmt.Errorf("%w: key %q: %w", hsm.ErrInput, w.Name, ErrCheckValue)
	}
	return nil
}

// freshTries bounds the search for random bytes that may be a key; one in 2^50 may not.
const freshTries = 8

// Fresh calls try until it makes a key that may be one, and says when the randomness
// never gives any.
func Fresh(w *hsm.WorkingKey, try func() (good bool, err error)) error {
	for range freshTries {
		good, err := try()
		if good || err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: key %q: the source of randomness gave weak keys %d times: it is broken", hsm.ErrUnavailable, w.Name, freshTries)
}
