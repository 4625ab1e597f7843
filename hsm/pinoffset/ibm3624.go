// SPDX-License-Identifier: Apache-2.0

package pinoffset

import (
	"errors"

	"tapswitch/hsm"
)

// The refusals of IBM 3624.
var (
	ErrValidation = errors.New("pinoffset: the PAN is shorter than the validation data that the key's rule takes of it, or has other than decimal digits")
	ErrLength     = errors.New("pinoffset: an offset has 4 to 12 decimal digits, as many as the PIN")
)

// Validation writes the validation data of a card into block: the PAN digits
// that the rule names, padded on the right to 16 hex digits.
func Validation(block *[8]byte, rule hsm.OffsetRule, pan []byte) error {
	from, end := int(rule.Start), int(rule.Start)+int(rule.Length)
	if end > len(pan) || rule.Length > 16 || !decimal(pan) {
		return ErrValidation
	}
	for i := range 16 {
		v := hexValue(rule.Pad)
		if from+i < end {
			v = pan[from+i] - '0'
		}
		if i%2 == 0 {
			block[i/2] = v << 4
		} else {
			block[i/2] |= v
		}
	}
	return nil
}

// Natural writes the first digits of the natural PIN into pin, as ASCII: the
// hex digits of the enciphered validation data through the decimalisation table.
func Natural(pin []byte, table [16]byte, enciphered *[8]byte) {
	for i := range pin {
		pin[i] = table[nibble(enciphered[:], i)]
	}
}

// Offset writes pin minus natural into out, digit by digit modulo ten. All three
// are ASCII of one length, 4 to 12.
func Offset(out, pin, natural []byte) error { return combine(out, pin, natural, 9) }

// PIN writes natural plus offset into out, digit by digit modulo ten: the PIN
// that the offset belongs to. All three are ASCII of one length, 4 to 12.
func PIN(out, natural, offset []byte) error { return combine(out, natural, offset, 1) }

// combine is a + factor·b modulo ten; factor 9 is minus one.
func combine(out, a, b []byte, factor int) error {
	if len(a) != len(b) || len(out) != len(a) || len(a) < 4 || len(a) > 12 || !decimal(a) || !decimal(b) {
		return ErrLength
	}
	for i := range a {
		out[i] = '0' + byte((int(a[i]-'0')+factor*int(b[i]-'0'))%10)
	}
	return nil
}

// hexValue is the number of an upper case hex digit; hsm.OffsetRule.Check lets
// no other in.
func hexValue(c byte) byte {
	if c >= 'A' {
		return c - 'A' + 10
	}
	return c - '0'
}
