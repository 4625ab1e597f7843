// SPDX-License-Identifier: Apache-2.0

package emvkey

import (
	"fmt"

	"tapswitch/hsm"
	"tapswitch/hsm/mac"
)

// ARPC1 is what method 1 enciphers: ARQC xor (ARC‖zeros) (EMV Book 2, 8.2.1).
func ARPC1(arqc [8]byte, arc [2]byte) [8]byte {
	arqc[0] ^= arc[0]
	arqc[1] ^= arc[1]
	return arqc
}

// maxProprietary bounds proprietary authentication data: tag 91 has 16 bytes,
// four of them the cryptogram and four the card status update.
const maxProprietary = 8

// ARPC2 is what method 2 makes an algorithm 3 MAC over, padded: ARQC‖CSU‖
// proprietary authentication data (EMV Book 2, 8.2.2). The cryptogram is the
// MAC's first four bytes.
func ARPC2(arqc [8]byte, csu hsm.CSU) ([]byte, error) {
	if len(csu.Proprietary) > maxProprietary {
		return nil, fmt.Errorf("%w: proprietary authentication data has 0 to %d bytes", hsm.ErrInput, maxProprietary)
	}
	data := append(append(arqc[:], csu.Status[:]...), csu.Proprietary...)
	return mac.AppendPad2(nil, data), nil
}

// Tag91 is method 2's content of tag 91.
func Tag91(arpc [4]byte, csu hsm.CSU) []byte {
	return append(append(arpc[:], csu.Status[:]...), csu.Proprietary...)
}
