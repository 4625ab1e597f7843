// SPDX-License-Identifier: Apache-2.0

package pinblock

// Layouts older than ISO 9564. They are here to be read and compared; no driver
// offers them, because PCI PIN 3-1 and 3-3 allow ISO formats only, and a block
// without PAN or randomness is the same for everybody with the same PIN.

// EncodeDiebold writes a Docutel, Diebold or NCR block: the PIN, then one fill
// digit 0 to 15, repeated.
func EncodeDiebold(block *[8]byte, pin []byte, fill byte) error {
	if len(pin) < MinPIN || len(pin) > MaxPIN {
		return ErrPINLength
	}
	if !decimal(pin) {
		return ErrPINDigits
	}
	if fill > 0xF {
		return ErrFiller
	}
	for i := range 16 {
		if i < len(pin) {
			setNibble(block[:], i, pin[i]-'0')
		} else {
			setNibble(block[:], i, fill)
		}
	}
	return nil
}

// EncodeIBM3624 writes an IBM 3624 block: the PIN, then one fill digit, which
// must not be decimal, else nobody finds the PIN's end again.
func EncodeIBM3624(block *[8]byte, pin []byte, fill byte) error {
	if fill < 0xA {
		return ErrFiller
	}
	return EncodeDiebold(block, pin, fill)
}

// DecodeECI2 reads a Eurocheque 2 block: a PIN of four digits, then anything.
func DecodeECI2(pin *[MaxPIN]byte, block *[8]byte) (int, error) {
	return leading(pin, block, 0, 4)
}

// DecodeECI3 reads a Eurocheque 3 block, and a VISA-2 block, which is the same:
// length 4 to 6, the PIN filled with 0 to six digits, then anything.
func DecodeECI3(pin *[MaxPIN]byte, block *[8]byte) (int, error) {
	n := int(nibble(block[:], 0))
	if n < MinPIN || n > 6 {
		return 0, ErrPINLength
	}
	for i := n; i < 6; i++ {
		if nibble(block[:], 1+i) != 0 {
			return 0, ErrFiller
		}
	}
	return leading(pin, block, 1, n)
}

// DecodeVISA3 reads a VISA-3 block: the PIN, the delimiter F, then anything.
func DecodeVISA3(pin *[MaxPIN]byte, block *[8]byte) (int, error) {
	n := 0
	for n < 16 && nibble(block[:], n) != 0xF {
		n++
	}
	if n < MinPIN || n > MaxPIN {
		return 0, ErrPINLength
	}
	return leading(pin, block, 0, n)
}

// leading takes n digits that start at nibble at.
func leading(pin *[MaxPIN]byte, block *[8]byte, at, n int) (int, error) {
	for i := range n {
		v := nibble(block[:], at+i)
		if v > 9 {
			clear(pin[:])
			return 0, ErrPINDigits
		}
		pin[i] = '0' + v
	}
	return n, nil
}
