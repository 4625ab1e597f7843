// SPDX-License-Identifier: Apache-2.0

// Package emvkey prepares what EMV key derivation, application cryptograms,
// their answers and issuer scripts are computed from.
//
// Promise: the data list, the padding and the key chain follow the issuer's
// profile alone, never a byte the card sent; a missing or misshapen tag is a
// refusal that names the tag.
//
// How: pure functions. Derivation data goes to the HSM, which derives card and
// session keys inside; profile.go reads field 55 with a bounded TLV finder
// (tlv.go) and lays out the padded cryptogram input; script.go does the same for
// scripts. The two derivations that xor keys with keys (Visa scripts, the EMV
// 2000 tree) work on memory of the caller, which is hsm/clear's Room.
//
// Imported by: hsm/clear, hsm/pkcs11, hsm/soft, hsm/hsmtest. Imports: hsm,
// hsm/mac, internal/secret.
package emvkey

import (
	"crypto/sha1"
	"fmt"

	"tapswitch/hsm"
)

// OptionA returns the derivation data of a card's master key (EMV Book 2,
// A1.4.1): the 16 rightmost digits of PAN‖PSN, zero filled on the left, packed.
// Longer numbers lose digits on the left.
func OptionA(pan []byte, psn [2]byte) (y [8]byte, err error) {
	digits, err := cardDigits(pan, psn)
	if err != nil {
		return y, err
	}
	for len(digits) < 16 {
		digits = append([]byte{'0'}, digits...)
	}
	pack(y[:], digits[len(digits)-16:])
	clear(digits)
	return y, nil
}

// OptionB returns the derivation data by option B (EMV Book 2, A1.4.2), which
// is option A for PANs of up to 16 digits. Above, PAN‖PSN is packed, one zero
// digit in front when its length is odd, hashed by SHA-1, and the hash read
// twice for 16 digits: first its digits, then its letters less ten.
func OptionB(pan []byte, psn [2]byte) (y [8]byte, err error) {
	if len(pan) <= 16 {
		return OptionA(pan, psn)
	}
	digits, err := cardDigits(pan, psn)
	if err != nil {
		return y, err
	}
	if len(digits)%2 == 1 {
		digits = append([]byte{'0'}, digits...)
	}
	packed := make([]byte, len(digits)/2)
	pack(packed, digits)
	sum := sha1.Sum(packed)
	clear(digits)
	clear(packed)
	var out [16]byte
	n := 0
	for _, letters := range []bool{false, true} {
		for i := 0; i < 2*len(sum) && n < len(out); i++ {
			v := sum[i/2] >> (4 * (1 - i%2)) & 0x0F
			if v > 9 == letters {
				out[n] = '0' + v%10
				n++
			}
		}
	}
	pack(y[:], out[:])
	return y, nil
}

// cardDigits is PAN‖PSN as ASCII digits, in memory of its own.
func cardDigits(pan []byte, psn [2]byte) ([]byte, error) {
	if len(pan) < 8 || len(pan) > 19 {
		return nil, fmt.Errorf("%w: a PAN has 8 to 19 digits", hsm.ErrInput)
	}
	digits := append(append(make([]byte, 0, 24), pan...), psn[:]...)
	for _, c := range digits {
		if c < '0' || c > '9' {
			return nil, fmt.Errorf("%w: PAN and card sequence number must be decimal digits", hsm.ErrInput)
		}
	}
	return digits, nil
}

// pack writes two digits a byte.
func pack(dst, digits []byte) {
	for i := range dst {
		dst[i] = (digits[2*i]-'0')<<4 | (digits[2*i+1] - '0')
	}
}

// CardData is what the issuer master key enciphers to give a card key by option.
func CardData(option hsm.MKOption, pan []byte, psn [2]byte) (data [16]byte, err error) {
	var y [8]byte
	switch option {
	case hsm.OptionA:
		y, err = OptionA(pan, psn)
	case hsm.OptionB:
		y, err = OptionB(pan, psn)
	default:
		err = fmt.Errorf("%w: master key option %d is not built", hsm.ErrInput, option)
	}
	if err != nil {
		return data, err
	}
	return MasterKeyData(y), nil
}

// MasterKeyData is what the issuer master key enciphers to give a card key: Y‖~Y.
func MasterKeyData(y [8]byte) (data [16]byte) {
	for i, c := range y {
		data[i], data[8+i] = c, ^c
	}
	return data
}

// CommonR is the diversifier of the EMV common session key: ATC‖zeros.
func CommonR(atc [2]byte) (r [8]byte) {
	copy(r[:], atc[:])
	return r
}

// MChipR is the diversifier of Mastercard's session key (M/Chip 4): ATC‖0000‖UN.
func MChipR(atc [2]byte, un [4]byte) (r [8]byte) {
	copy(r[:], atc[:])
	copy(r[4:], un[:])
	return r
}

// SessionKeyData is what the card key enciphers to give a session key
// (EMV Book 2, A1.3.1): R with its third byte F0, then R with its third byte 0F.
func SessionKeyData(r [8]byte) (data [16]byte) {
	copy(data[:8], r[:])
	copy(data[8:], r[:])
	data[2], data[10] = 0xF0, 0x0F
	return data
}

// PBOCData is what the card key enciphers to give a session key by JR/T 0025.7
// (PBOC): six zero bytes and the ATC, then six zero bytes and the ATC inverted.
// No test set has it; one worked example is public (see TestPBOCWorkedExample).
func PBOCData(atc [2]byte) (data [16]byte) {
	copy(data[6:], atc[:])
	data[14], data[15] = ^atc[0], ^atc[1]
	return data
}

// DoubledLeft returns derivation data for KL‖KL out of data for KL‖KR: the
// companion under which the CBC part of algorithm 3 is single DES.
func DoubledLeft(data [16]byte) [16]byte {
	copy(data[8:], data[:8])
	return data
}

// VisaScriptKey makes the session key of a Visa script (VIS, annex D) out of a
// card key, in place: parity adjusted, the last two bytes of the left half xor
// ATC, those of the right half xor the inverted ATC, parity adjusted again. DES
// sees neither adjustment; check values and what is printed are of this value.
func VisaScriptKey(key []byte, atc [2]byte) {
	OddParity(key)
	for i, c := range atc {
		key[6+i] ^= c
		key[14+i] ^= ^c
	}
	OddParity(key)
}

// OddParity sets the low bit of each byte so that the byte has odd parity. DES
// ignores these bits; check values printed of keys and xor derivations do not.
func OddParity(key []byte) {
	for i, c := range key {
		p := c>>4 ^ c&0x0F
		p ^= p >> 2
		p ^= p >> 1
		key[i] = c ^ (p&1 ^ 1) // even: flip the low bit
	}
}
