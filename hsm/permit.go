// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Operation is what a caller wants to do with a key; Permit says whether the
// key's usage allows it.
type Operation uint8

// The operations in service.
const (
	OpMAC             Operation = iota + 1 // make or check a MAC
	OpTranslateFrom                        // decipher a PIN block that is translated
	OpTranslateTo                          // encipher a PIN block that is translated
	OpVerifyPIN                            // decipher a PIN block that is checked
	OpPVV                                  // compute a PIN verification value
	OpCryptogram                           // check and answer an application cryptogram
	OpTransportKey                         // encipher or decipher another key with this one
	OpTravelsUnderTMK                      // be enciphered under a terminal master key
	OpSeal                                 // encipher card numbers at rest
	OpToken                                // make card-number tokens
	OpEncipherPIN                          // encipher a PIN typed at the terminal
)

// Bounds of a key's texts; both are stored and bound.
const (
	maxNameLen  = 128
	maxOwnerLen = 64
)

var operationNames = [...]string{
	OpMAC: "make or check a MAC", OpTranslateFrom: "decipher a PIN block for translation",
	OpTranslateTo: "encipher a translated PIN block", OpVerifyPIN: "decipher a PIN block for verification",
	OpPVV: "compute a PVV", OpCryptogram: "check a cryptogram", OpTransportKey: "transport a key",
	OpTravelsUnderTMK: "travel under a terminal master key", OpSeal: "seal a card number",
	OpToken: "make a card-number token", OpEncipherPIN: "encipher a typed PIN",
}

// String is the operation in words, for errors.
func (op Operation) String() string {
	if op == 0 || int(op) >= len(operationNames) {
		return "do something unknown"
	}
	return operationNames[op]
}

var usageNames = [...]string{
	TMK: "TMK", TPK: "TPK", TAK: "TAK", ZPK: "ZPK", ZAK: "ZAK", PVK: "PVK",
	IMKAC: "IMK-AC", PANSeal: "PAN-seal", PANToken: "PAN-token",
}

// String is the usage's name in the trade.
func (u Usage) String() string {
	if u == 0 || int(u) >= len(usageNames) {
		return fmt.Sprintf("usage %d", uint8(u))
	}
	return usageNames[u]
}

// matrix is the whole of who may do what: one usage, one purpose (PCI PIN 19).
// A pair that is not here is refused before the module is asked.
var matrix = [...][]Usage{
	OpMAC:             {TAK, ZAK},
	OpTranslateFrom:   {TPK, ZPK},
	OpTranslateTo:     {ZPK},
	OpVerifyPIN:       {TPK, ZPK},
	OpPVV:             {PVK},
	OpCryptogram:      {IMKAC},
	OpTransportKey:    {TMK},
	OpTravelsUnderTMK: {TPK, TAK},
	OpSeal:            {PANSeal},
	OpToken:           {PANToken},
	OpEncipherPIN:     {TPK},
}

// Allows reports whether the operation may be done with a key of usage u.
func (op Operation) Allows(u Usage) bool {
	if int(op) >= len(matrix) {
		return false
	}
	for _, have := range matrix[op] {
		if have == u {
			return true
		}
	}
	return false
}

// Permit refuses with ErrUsage a key that must not be used for op at time now,
// and with ErrInput a key that is not there. Drivers call it before anything else.
func Permit(op Operation, k *Key, now time.Time) error {
	if k == nil {
		return fmt.Errorf("%w: no key given to %s", ErrInput, op)
	}
	if !op.Allows(k.Usage) {
		return fmt.Errorf("%w: %s %q cannot %s", ErrUsage, k.Usage, k.Name, op)
	}
	if !k.Usage.fits(k.Algorithm) {
		return fmt.Errorf("%w: %s %q has an algorithm that its usage does not allow", ErrUsage, k.Usage, k.Name)
	}
	if k.NotAfter != 0 && now.Unix() > k.NotAfter {
		return fmt.Errorf("%w: %s %q version %d is past its end of validity; bring in its successor", ErrUsage, k.Usage, k.Name, k.Version)
	}
	return nil
}

// fits reports whether a key of usage u may have algorithm a.
func (u Usage) fits(a Algorithm) bool {
	switch u {
	case TMK, TPK, TAK, ZPK, ZAK, PVK, IMKAC:
		return a == TDES2
	case PANSeal:
		return a == AES256
	case PANToken:
		return a == AES128 || a == AES256
	}
	return false
}

// Size is the number of clear key bytes, 0 for an unknown algorithm.
func (a Algorithm) Size() int {
	switch a {
	case TDES2, AES128:
		return 16
	case AES256:
		return 32
	}
	return 0
}

// Check refuses a specification no key may be made from, with ErrInput.
func (s Spec) Check() error {
	switch {
	case s.Name == "" || len(s.Name) > maxNameLen:
		return fmt.Errorf("%w: a key name has 1 to %d bytes", ErrInput, maxNameLen)
	case s.Owner == "" || len(s.Owner) > maxOwnerLen:
		return fmt.Errorf("%w: key %q: an owner has 1 to %d bytes", ErrInput, s.Name, maxOwnerLen)
	case !s.Usage.fits(s.Algorithm):
		return fmt.Errorf("%w: key %q: %s does not go with this algorithm", ErrInput, s.Name, s.Usage)
	case s.NotAfter < 0:
		return fmt.Errorf("%w: key %q: end of validity is before 1970", ErrInput, s.Name)
	}
	return nil
}

// Key starts a key from its specification; the driver fills in the rest.
func (s Spec) Key() Key {
	return Key{Name: s.Name, Usage: s.Usage, Algorithm: s.Algorithm, Owner: s.Owner, Version: s.Version, NotAfter: s.NotAfter}
}

// boundPrefix keeps the binding apart from everything else the second LMK signs.
const boundPrefix = "tapswitch key block 1\x00"

// AppendBound appends what a key's binding is computed over: everything of the
// key but the binding itself. Texts carry their length, so that no two keys
// give the same bytes.
func (k *Key) AppendBound(dst []byte) []byte {
	dst = append(dst, boundPrefix...)
	dst = appendText(dst, k.Name)
	dst = append(dst, byte(k.Usage), byte(k.Algorithm))
	dst = appendText(dst, k.Owner)
	dst = binary.BigEndian.AppendUint32(dst, k.Version)
	dst = append(dst, k.KCV[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(k.NotAfter))
	dst = append(dst, k.LMK[:]...)
	return appendText(dst, string(k.Wrapped))
}

func appendText(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}

// LMKIdentityInput is what an LMK's identity is the CMAC of, under the second LMK.
const LMKIdentityInput = "tapswitch LMK identity 1"
