// SPDX-License-Identifier: Apache-2.0

package chip

import "tapswitch/iso8583/bertlv"

// The issuer's scripts (EMV Book 3, 10.10): what the card is to carry out before its
// last cryptogram, and after it.
const (
	tagScript1 bertlv.Tag = 0x71
	tagScript2 bertlv.Tag = 0x72
)

// Scripted says whether field 55 of an answer has a script for the card.
func Scripted(icc []byte) bool {
	for _, tag := range []bertlv.Tag{tagScript1, tagScript2} {
		if _, ok := bertlv.Find(icc, tag); ok {
			return true
		}
	}
	return false
}
