// SPDX-License-Identifier: Apache-2.0

package pinblock

// SM4 PIN blocks have 16 bytes, in one of two shapes (bank terminals in China;
// no international standard names them): a format 0 block with zeros behind it,
// or a wide block, the same idea over 16 bytes.

// EncodeSM4Filled writes the clear format 0 block and eight zeros.
func EncodeSM4Filled(block *[16]byte, pin []byte, account [12]byte) error {
	clear(block[:])
	return Encode0((*[8]byte)(block[:8]), pin, account)
}

// DecodeSM4Filled is Decode0 of the first half; the other must be zeros.
func DecodeSM4Filled(pin *[MaxPIN]byte, block *[16]byte, account [12]byte) (int, error) {
	var sum byte
	for _, c := range block[8:] {
		sum |= c
	}
	if sum != 0 {
		return 0, ErrFiller
	}
	return Decode0(pin, (*[8]byte)(block[:8]), account)
}

// EncodeSM4Wide writes the clear wide block: length and digits filled with F to
// 16 bytes, xor twelve account digits in the last six.
func EncodeSM4Wide(block *[16]byte, pin []byte, account [12]byte) error {
	var head [8]byte
	defer clear(head[:])
	if err := Encode0(&head, pin, account); err != nil {
		return err
	}
	packed, _ := pack(account)
	xorAccount(&head, packed) // the PIN field alone; its filler goes on
	copy(block[:], head[:])
	for i := 8; i < 16; i++ {
		block[i] = 0xFF
	}
	xorAccount((*[8]byte)(block[8:]), packed)
	return nil
}

// DecodeSM4Wide checks the clear wide block, writes the PIN's digits as ASCII
// into pin and returns their number. It leaves block as it was.
func DecodeSM4Wide(pin *[MaxPIN]byte, block *[16]byte, account [12]byte) (int, error) {
	packed, ok := pack(account)
	if !ok {
		return 0, ErrPANLength
	}
	tail := (*[8]byte)(block[8:])
	xorAccount(tail, packed)
	defer xorAccount(tail, packed)
	for _, c := range tail {
		if c != 0xFF {
			return 0, ErrFiller
		}
	}
	var none [12]byte
	for i := range none {
		none[i] = '0'
	}
	return Decode0(pin, (*[8]byte)(block[:8]), none)
}
