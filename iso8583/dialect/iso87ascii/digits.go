// SPDX-License-Identifier: Apache-2.0

package iso87ascii

import (
	"errors"

	"tapswitch/iso8583"
)

// Digits is decimal digits as ASCII characters, and nothing else. moov's ASCII
// lets any character into a number, and its Numeric drops leading zeros, which
// field 32 must keep, and overflows on field 90.
type Digits struct{}

var _ iso8583.Native = Digits{}

var (
	errNotDigit = errors.New("iso87ascii: a number has the characters 0-9 only")
	errShort    = errors.New("iso87ascii: number is shorter than its length says")
)

// Native names the encoding of ours that does the same.
func (Digits) Native() iso8583.Encoding { return iso8583.EncodingDigits }

// Encode checks text for moov's codec.
func (Digits) Encode(text []byte) ([]byte, error) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return nil, errNotDigit
		}
	}
	return append([]byte(nil), text...), nil
}

// Decode takes length digits for moov's codec.
func (d Digits) Decode(packed []byte, length int) (text []byte, read int, err error) {
	if length < 0 || len(packed) < length {
		return nil, 0, errShort
	}
	text, err = d.Encode(packed[:length])
	return text, length, err
}
