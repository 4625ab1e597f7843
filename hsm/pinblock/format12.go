// SPDX-License-Identifier: Apache-2.0

package pinblock

// Encode1 writes the clear format 1 block of pin into block, for where no PAN
// is known (ISO 9564-1, 9.3.3); fill are random or transaction digits 0 to 15.
func Encode1(block *[8]byte, pin []byte, fill *[FillMax]byte) error {
	for _, v := range fill {
		if v > 0xF {
			return ErrFiller
		}
	}
	return encode(block, pin, 1, fill)
}

// Decode1 checks the clear format 1 block, writes the PIN's digits as ASCII
// into pin and returns their number. Its filler may be anything.
func Decode1(pin *[MaxPIN]byte, block *[8]byte) (int, error) {
	return decode(pin, block[:], 1, anyFill)
}

// Fill1 makes ten filler digits 0 to F out of eight random bytes.
func Fill1(random [8]byte) (fill [FillMax]byte) {
	for i := range fill {
		fill[i] = nibble(random[:], i)
	}
	return fill
}

// Encode2 writes the clear format 2 block of pin into block: what an IC card is
// given, on its own contacts or inside a script (ISO 9564-1, 9.3.4).
func Encode2(block *[8]byte, pin []byte) error {
	return encode(block, pin, 2, &[FillMax]byte{0xF, 0xF, 0xF, 0xF, 0xF, 0xF, 0xF, 0xF, 0xF, 0xF})
}

// Decode2 is Decode1 for format 2: filler is F.
func Decode2(pin *[MaxPIN]byte, block *[8]byte) (int, error) {
	return decode(pin, block[:], 2, onlyF)
}
