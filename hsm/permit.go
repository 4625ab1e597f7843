// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// Operation is what a caller wants to do with a key; Permit says whether the
// key's usage allows it.
type Operation uint8

// The operations in service.
const (
	OpMAC               Operation = iota + 1 // make or check a block cipher MAC of the DES era
	OpTranslateFrom                          // decipher a PIN block that is translated
	OpTranslateTo                            // encipher a PIN block that is translated
	OpVerifyPIN                              // decipher a PIN block that is checked
	OpPVV                                    // compute a Visa PIN verification value
	OpCryptogram                             // check and answer an application cryptogram
	OpTransportKey                           // encipher or decipher a terminal's working key with this one
	OpTravelsUnderTMK                        // be enciphered under a terminal master key
	OpSeal                                   // encipher card numbers at rest
	OpToken                                  // make card-number tokens
	OpEncipherPIN                            // encipher a PIN typed at the terminal
	OpCMAC                                   // make or check a CMAC
	OpHMAC                                   // make or check an HMAC
	OpOffset                                 // compute an IBM 3624 natural PIN or offset
	OpDUKPT                                  // derive a device's working key of one transaction
	OpCVV                                    // compute a card verification value
	OpDynamicCVV                             // compute a dynamic card verification value
	OpScriptMAC                              // make the MAC of an issuer script
	OpScriptEncipher                         // encipher the data of an issuer script
	OpTransportZoneKey                       // encipher or decipher a zone's working key with this one
	OpTravelsUnderZMK                        // be enciphered under a zone master key
	OpProtectKeyBlock                        // protect a key block with this key
	OpTravelsInKeyBlock                      // be in a key block
	OpData                                   // encipher or decipher data of messages
	OpSM4MAC                                 // make or check a MAC with SM4
	OpSM4PINFrom                             // decipher an SM4 PIN block that is translated
	OpSM4PINTo                               // encipher an SM4 PIN block that is translated
	OpSM4PINEncipher                         // encipher a PIN typed at the terminal with SM4
	OpSM4Transport                           // encipher or decipher a terminal's working key with this SM4 key
	OpTravelsUnderSM4                        // be enciphered under an SM4 terminal master key
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
	OpCMAC: "make or check a CMAC", OpHMAC: "make or check an HMAC", OpOffset: "compute a PIN offset",
	OpDUKPT: "derive a transaction key", OpCVV: "compute a card verification value", OpDynamicCVV: "compute a dynamic card verification value",
	OpScriptMAC: "make the MAC of a script", OpScriptEncipher: "encipher a script", OpTransportZoneKey: "transport a zone key",
	OpTravelsUnderZMK: "travel under a zone master key", OpProtectKeyBlock: "protect a key block", OpTravelsInKeyBlock: "travel in a key block",
	OpData: "encipher data", OpSM4MAC: "make or check an SM4 MAC", OpSM4PINFrom: "decipher an SM4 PIN block for translation",
	OpSM4PINTo: "encipher a translated SM4 PIN block", OpSM4PINEncipher: "encipher a typed PIN with SM4",
	OpSM4Transport: "transport an SM4 key", OpTravelsUnderSM4: "travel under an SM4 terminal master key",
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
	IMKAC: "IMK-AC", PANSeal: "PAN-seal", PANToken: "PAN-token", ZMK: "ZMK", KBPK: "KBPK", BDK: "BDK", IK: "IK", CVK: "CVK",
	PVKOffset: "PVK-offset", IMKSMI: "IMK-SMI", IMKSMC: "IMK-SMC", IMKCVC3: "IMK-CVC3", TDK: "TDK", ZDK: "ZDK", HMACKey: "HMAC",
}

var algorithmNames = [...]string{
	TDES2: "TDES-2", AES128: "AES-128", AES256: "AES-256", TDES3: "TDES-3", AES192: "AES-192",
	HMAC128: "HMAC-128", HMAC192: "HMAC-192", HMAC256: "HMAC-256", SM4: "SM4",
}

// String is the algorithm's name with its strength.
func (a Algorithm) String() string {
	if a == 0 || int(a) >= len(algorithmNames) {
		return fmt.Sprintf("algorithm %d", uint8(a))
	}
	return algorithmNames[a]
}

// String is the usage's name in the trade.
func (u Usage) String() string {
	if u == 0 || int(u) >= len(usageNames) {
		return fmt.Sprintf("usage %d", uint8(u))
	}
	return usageNames[u]
}

// rule says with which keys an operation can be done.
type rule struct {
	usages     []Usage
	algorithms []Algorithm
}

// matrix is the whole of who may do what: one usage, one purpose (PCI PIN 19).
// A pair that is not here is refused before the module is asked.
var matrix = [...]rule{
	OpMAC:               {[]Usage{TAK, ZAK}, []Algorithm{TDES2, TDES3}},
	OpTranslateFrom:     {[]Usage{TPK, ZPK}, pinAlgorithms[:]},
	OpTranslateTo:       {[]Usage{ZPK}, pinAlgorithms[:]},
	OpVerifyPIN:         {[]Usage{TPK, ZPK}, pinAlgorithms[:]},
	OpPVV:               {[]Usage{PVK}, []Algorithm{TDES2}},
	OpCryptogram:        {[]Usage{IMKAC}, []Algorithm{TDES2}},
	OpTransportKey:      {[]Usage{TMK}, []Algorithm{TDES2, TDES3}},
	OpTravelsUnderTMK:   {[]Usage{TPK, TAK, TDK}, []Algorithm{TDES2, TDES3}},
	OpSeal:              {[]Usage{PANSeal}, []Algorithm{AES256}},
	OpToken:             {[]Usage{PANToken}, []Algorithm{HMAC256, AES128, AES256}},
	OpEncipherPIN:       {[]Usage{TPK}, pinAlgorithms[:]},
	OpCMAC:              {[]Usage{TAK, ZAK}, []Algorithm{TDES2, TDES3, AES128, AES192, AES256}},
	OpHMAC:              {[]Usage{HMACKey}, []Algorithm{HMAC128, HMAC192, HMAC256}},
	OpOffset:            {[]Usage{PVKOffset}, []Algorithm{TDES2}},
	OpDUKPT:             {[]Usage{BDK, IK}, []Algorithm{TDES2, AES128, AES192, AES256}},
	OpCVV:               {[]Usage{CVK}, []Algorithm{TDES2}},
	OpDynamicCVV:        {[]Usage{IMKCVC3}, []Algorithm{TDES2}},
	OpScriptMAC:         {[]Usage{IMKSMI}, []Algorithm{TDES2}},
	OpScriptEncipher:    {[]Usage{IMKSMC}, []Algorithm{TDES2}},
	OpTransportZoneKey:  {[]Usage{ZMK}, []Algorithm{TDES2, TDES3}},
	OpTravelsUnderZMK:   {[]Usage{ZPK, ZAK, ZDK}, []Algorithm{TDES2, TDES3}},
	OpProtectKeyBlock:   {[]Usage{KBPK}, []Algorithm{TDES2, TDES3, AES128, AES192, AES256}},
	OpTravelsInKeyBlock: {[]Usage{TMK, TPK, TAK, ZPK, ZAK, PVK, IMKAC, ZMK, BDK, IK, CVK, PVKOffset, IMKSMI, IMKSMC, IMKCVC3, TDK, ZDK, HMACKey}, everyAlgorithm[:]},
	OpData:              {[]Usage{TDK, ZDK}, []Algorithm{TDES2, TDES3, AES128, AES192, AES256}},
	OpSM4MAC:            {[]Usage{TAK, ZAK}, []Algorithm{SM4}},
	OpSM4PINFrom:        {[]Usage{TPK, ZPK}, []Algorithm{SM4}},
	OpSM4PINTo:          {[]Usage{ZPK}, []Algorithm{SM4}},
	OpSM4PINEncipher:    {[]Usage{TPK}, []Algorithm{SM4}},
	OpSM4Transport:      {[]Usage{TMK}, []Algorithm{SM4}},
	OpTravelsUnderSM4:   {[]Usage{TPK, TAK}, []Algorithm{SM4}},
}

// pinAlgorithms are the ciphers of PIN blocks: TDEA for formats 0 to 3, AES for
// format 4 (ISO 9564-2).
var pinAlgorithms = [...]Algorithm{TDES2, TDES3, AES128, AES192, AES256}

var everyAlgorithm = [...]Algorithm{TDES2, AES128, AES256, TDES3, AES192, HMAC128, HMAC192, HMAC256, SM4}

// Allows reports whether the operation may be done with a key of usage u.
func (op Operation) Allows(u Usage) bool {
	return int(op) < len(matrix) && slices.Contains(matrix[op].usages, u)
}

// Takes reports whether the operation is built for keys of algorithm a. What
// travels is asked too: an AES key must not travel under a DES key.
func (op Operation) Takes(a Algorithm) bool {
	return int(op) < len(matrix) && slices.Contains(matrix[op].algorithms, a)
}

// Permit refuses with ErrUsage a key that must not be used for op at time now,
// and with ErrInput a key that is not there. Drivers call it before anything else.
func Permit(op Operation, k *Key, now time.Time) error {
	if k != nil && int(op) < len(permitted) && int(k.Usage) < len(permitted[op]) && permitted[op][k.Usage]&k.Algorithm.bit() != 0 &&
		(k.NotAfter == 0 || now.Unix() <= k.NotAfter) {
		return nil
	}
	return refusal(op, k, now)
}

// permitted is the matrix as it is looked up: the algorithms, a bit each, with
// which a key of the usage may be used for the operation.
var permitted = func() (all [len(matrix)][len(usageNames)]algorithms) {
	for op, r := range matrix {
		for _, u := range r.usages {
			for _, a := range r.algorithms {
				if u.fits(a) {
					all[op][u] |= a.bit()
				}
			}
		}
	}
	return all
}()

// algorithms is a set of them.
type algorithms uint16

func (a Algorithm) bit() algorithms { return 1 << a }

// refusal says why a pair is not permitted.
func refusal(op Operation, k *Key, now time.Time) error {
	if k == nil {
		return fmt.Errorf("%w: no key given to %s", ErrInput, op)
	}
	if !op.Allows(k.Usage) {
		return fmt.Errorf("%w: %s %q cannot %s", ErrUsage, k.Usage, k.Name, op)
	}
	if !k.Usage.fits(k.Algorithm) {
		return fmt.Errorf("%w: %s %q has an algorithm that its usage does not allow", ErrUsage, k.Usage, k.Name)
	}
	if !op.Takes(k.Algorithm) {
		return fmt.Errorf("%w: %s %q is a key of %s, with which this HSM cannot %s", ErrUsage, k.Usage, k.Name, k.Algorithm, op)
	}
	if k.NotAfter != 0 && now.Unix() > k.NotAfter {
		return fmt.Errorf("%w: %s %q version %d is past its end of validity; bring in its successor", ErrUsage, k.Usage, k.Name, k.Version)
	}
	return nil
}

// fits reports whether a key of usage u may have algorithm a.
func (u Usage) fits(a Algorithm) bool {
	switch u {
	case PVK, IMKAC, CVK, PVKOffset, IMKSMI, IMKSMC, IMKCVC3:
		return a == TDES2
	case PANSeal:
		return a == AES256
	case PANToken:
		return a == HMAC256 || a == AES128 || a == AES256
	case TMK:
		return a.IsTDES() || a == SM4
	case TPK, TAK, ZPK, ZAK:
		return a.IsTDES() || a.IsAES() || a == SM4
	case ZMK:
		return a.IsTDES()
	case BDK, IK:
		return a == TDES2 || a.IsAES()
	case KBPK, TDK, ZDK:
		return a == TDES2 || a == TDES3 || a.IsAES()
	case HMACKey:
		return a.IsHMAC()
	}
	return false
}

// IsAES reports whether keys of a are AES keys.
func (a Algorithm) IsAES() bool { return a == AES128 || a == AES192 || a == AES256 }

// IsTDES reports whether keys of a are double- or triple-length DES keys.
func (a Algorithm) IsTDES() bool { return a == TDES2 || a == TDES3 }

// IsHMAC reports whether keys of a are HMAC-SHA-256 keys.
func (a Algorithm) IsHMAC() bool { return a == HMAC128 || a == HMAC192 || a == HMAC256 }

// Size is the number of clear key bytes, 0 for an unknown algorithm.
func (a Algorithm) Size() int {
	switch a {
	case TDES2, AES128, HMAC128, SM4:
		return 16
	case TDES3, AES192, HMAC192:
		return 24
	case AES256, HMAC256:
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
	if err := s.Offset.checkOffset(s.Usage); err != nil {
		return fmt.Errorf("key %q: %w", s.Name, err)
	}
	return nil
}

// Key starts a key from its specification; the driver fills in the rest.
func (s Spec) Key() Key {
	return Key{Name: s.Name, Usage: s.Usage, Algorithm: s.Algorithm, Owner: s.Owner, Version: s.Version, NotAfter: s.NotAfter, Offset: s.Offset}
}

// Spec is what k was made from: of its next version, but for Version and
// NotAfter, too.
func (k *Key) Spec() Spec {
	return Spec{Name: k.Name, Usage: k.Usage, Algorithm: k.Algorithm, Owner: k.Owner, Version: k.Version, NotAfter: k.NotAfter, Offset: k.Offset}
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
	dst = appendText(dst, string(k.Wrapped))
	return k.Offset.appendBound(dst)
}

func appendText(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}

// LMKIdentityInput is what an LMK's identity is the CMAC of, under the second LMK.
const LMKIdentityInput = "tapswitch LMK identity 1"
