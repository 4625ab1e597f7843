// SPDX-License-Identifier: Apache-2.0

package emvkey

import (
	"fmt"

	"tapswitch/hsm"
)

// Variant returns variant n, 0 to 31, of a DES key of whole halves of 8 bytes:
// n×8 xored into the first byte of each half, as older modules keep keys of
// different purposes apart under one master key. It only reads what others
// made: here usage and key are bound together instead. ErrInput: another length.
func Variant(key []byte, n int) ([]byte, error) {
	if n < 0 || n > 31 || len(key) == 0 || len(key)%8 != 0 {
		return nil, fmt.Errorf("%w: variants are numbered 0 to 31, of keys of whole halves of 8 bytes", hsm.ErrInput)
	}
	out := append([]byte(nil), key...)
	for i := 0; i < len(out); i += 8 {
		out[i] ^= byte(n * 8)
	}
	return out, nil
}
