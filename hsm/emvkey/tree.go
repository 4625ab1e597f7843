// SPDX-License-Identifier: Apache-2.0

package emvkey

import (
	"crypto/subtle"
	"fmt"

	"tapswitch/hsm"
)

// checkTree refuses a tree that does not have one leaf for each ATC.
func checkTree(t hsm.Tree) error {
	if t.Height == 8 && t.Branch == 4 || t.Height == 16 && t.Branch == 2 {
		return nil
	}
	return fmt.Errorf("%w: an EMV 2000 key tree has height 8 and branch 4, or height 16 and branch 2", hsm.ErrInput)
}

// Tree derives the session key of EMV 2000 (Book 2, A1.3). keys is memory for
// three keys: the card key comes in keys[:16] and the session key, odd parity,
// leaves there; the rest is left to the caller to wipe. encipher runs two ECB
// blocks of data under key, in place. Every level takes the key above as key
// and the one above that as data, so no module can do it without showing them.
func Tree(keys *[48]byte, t hsm.Tree, atc [2]byte, encipher func(key, data []byte) error) error {
	if err := checkTree(t); err != nil {
		return err
	}
	parent, grand, next := keys[:16], keys[16:32], keys[32:]
	copy(grand, t.IV[:])
	leaf := int(atc[0])<<8 | int(atc[1])
	for leaves := 1 << 16 / t.Branch; leaves > 0; leaves /= t.Branch {
		branch := byte(leaf / leaves % t.Branch)
		copy(next, grand)
		next[7] ^= branch
		next[15] ^= branch ^ 0xF0
		if err := encipher(parent, next); err != nil {
			return err
		}
		parent, grand, next = next, parent, grand
	}
	// next is the key two levels above the leaf.
	subtle.XORBytes(keys[:16], parent, next)
	OddParity(keys[:16])
	return nil
}
