// SPDX-License-Identifier: Apache-2.0

package pinblock

// Format 4 (ISO 9564-1, 9.4) is enciphered in two steps, and the PIN comes
// first:
//
//	A     = AES(PIN field)
//	B     = A xor PAN field
//	block = AES(B)
//
// Texts that begin with the PAN field are wrong: such a block deciphers to
// nothing here.

// EncodeField4 writes the format 4 PIN field: 4, length, PIN, filler A to eight
// bytes, then eight random bytes.
func EncodeField4(field *[16]byte, pin []byte, random [8]byte) error {
	if err := header(field[:], pin, 4); err != nil {
		return err
	}
	for i := 2 + len(pin); i < 16; i++ {
		setNibble(field[:], i, 0xA)
	}
	copy(field[8:], random[:])
	return nil
}

// DecodeField4 checks a format 4 PIN field, writes the PIN's digits as ASCII
// into pin and returns their number. The random half is not looked at.
func DecodeField4(pin *[MaxPIN]byte, field *[16]byte) (int, error) {
	n, err := decode(pin, field[:8], 4, letterFill)
	if err != nil {
		return 0, err
	}
	for i := 2 + n; i < 16; i++ {
		if nibble(field[:], i) != 0xA {
			clear(pin[:])
			return 0, ErrFiller
		}
	}
	return n, nil
}

// PANField4 writes the format 4 PAN field: the number of digits beyond twelve,
// the whole PAN with its check digit, zeros. A PAN of fewer than twelve digits
// is filled with zeros on its left to twelve.
func PANField4(field *[16]byte, pan []byte) error {
	if len(pan) < 1 || len(pan) > 19 || !decimal(pan) {
		return ErrPANLength
	}
	clear(field[:])
	setNibble(field[:], 0, byte(max(0, len(pan)-12)))
	at := 1 + max(0, 12-len(pan))
	for i, c := range pan {
		setNibble(field[:], at+i, c-'0')
	}
	return nil
}
