// SPDX-License-Identifier: Apache-2.0

package unionpaypos

import "errors"

// Field60 is what field 60 says of the message: its type code, the terminal's
// batch, the network management code, and the digits after those, whose count
// varies with the terminal's age.
type Field60 struct {
	Type    [2]byte // 60.1
	Batch   [6]byte // 60.2
	Network [3]byte // 60.3
	Rest    []byte  // 60.4 and on; may be empty
}

// ErrField60 says that field 60 is too short for its parts or has a character
// that is no digit.
var ErrField60 = errors.New("unionpaypos: field 60 must be 8 digits, or 11 to 17")

// ParseField60 takes the text of field 60 apart. Eight digits (type and batch)
// are known from receipt uploads; Network is then empty zeros. Rest aliases text.
func ParseField60(text []byte) (Field60, error) {
	f := Field60{Network: [3]byte{'0', '0', '0'}}
	if len(text) != 8 && (len(text) < 11 || len(text) > 17) {
		return f, ErrField60
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return f, ErrField60
		}
	}
	copy(f.Type[:], text)
	copy(f.Batch[:], text[2:])
	if len(text) > 8 {
		copy(f.Network[:], text[8:])
		f.Rest = text[11:]
	}
	return f, nil
}

// AppendText appends the field's digits to dst.
func (f Field60) AppendText(dst []byte) []byte {
	dst = append(dst, f.Type[:]...)
	dst = append(dst, f.Batch[:]...)
	dst = append(dst, f.Network[:]...)
	return append(dst, f.Rest...)
}

// Field53 is the security control: how the PIN block was made and whether the
// tracks are encrypted. The other digits are zero.
type Field53 struct {
	PINFormat       byte // '0' none, '1' without the card number, '2' with it (ISO format 0)
	Algorithm       byte // '0' DES, '6' triple DES of double length, '3' SM4
	TrackEncryption byte // '0' no, '1' under the terminal's data key
}

// ErrField53 says that field 53 is not 16 digits.
var ErrField53 = errors.New("unionpaypos: field 53 must be 16 digits")

// ParseField53 takes the text of field 53 apart.
func ParseField53(text []byte) (Field53, error) {
	if len(text) != 16 {
		return Field53{}, ErrField53
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return Field53{}, ErrField53
		}
	}
	return Field53{PINFormat: text[0], Algorithm: text[1], TrackEncryption: text[2]}, nil
}

// AppendText appends the field's 16 digits to dst.
func (f Field53) AppendText(dst []byte) []byte {
	dst = append(dst, f.PINFormat, f.Algorithm, f.TrackEncryption)
	return append(dst, "0000000000000"...)
}
