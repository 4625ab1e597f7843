// SPDX-License-Identifier: Apache-2.0

package hsm

import (
	"fmt"
)

// OffsetRule is what an IBM 3624 verification key computes natural PINs by. It is
// part of the key and bound with it: a caller that could choose the
// decimalisation table would find PINs in a dozen tries.
type OffsetRule struct {
	Table  [16]byte // decimalisation table: the ASCII digit for 0 to F
	Start  uint8    // validation data: first PAN digit, counted from 0
	Length uint8    // number of PAN digits, 1 to 16
	Pad    byte     // '0'-'9' or 'A'-'F': fills the validation data on its right to 16
}

// Bounds of a decimalisation table: at least so many different digits, and none
// more often than so.
const (
	tableMinDistinct = 8
	tableMaxOfOne    = 4
)

// IsZero reports that there is no rule.
func (r OffsetRule) IsZero() bool { return r == OffsetRule{} }

// Check refuses a rule that no key may have, with ErrInput. A table with few
// different digits makes PINs easy to guess.
func (r OffsetRule) Check() error {
	var count [10]int
	distinct := 0
	for _, c := range r.Table {
		if c < '0' || c > '9' {
			return fmt.Errorf("%w: a decimalisation table has 16 decimal digits", ErrInput)
		}
		if count[c-'0']++; count[c-'0'] == 1 {
			distinct++
		}
		if count[c-'0'] > tableMaxOfOne {
			return fmt.Errorf("%w: a decimalisation table has no digit more than %d times", ErrInput, tableMaxOfOne)
		}
	}
	switch {
	case distinct < tableMinDistinct:
		return fmt.Errorf("%w: a decimalisation table has at least %d different digits", ErrInput, tableMinDistinct)
	case r.Length < 1 || r.Length > 16 || r.Start > 18:
		return fmt.Errorf("%w: validation data starts at PAN digit 0 to 18 and has 1 to 16 of them", ErrInput)
	case (r.Pad < '0' || r.Pad > '9') && (r.Pad < 'A' || r.Pad > 'F'):
		return fmt.Errorf("%w: validation data is padded with one hex digit, upper case", ErrInput)
	}
	return nil
}

// checkOffset refuses a key of usage u with or without the rule it needs.
func (r OffsetRule) checkOffset(u Usage) error {
	if u == PVKOffset {
		return r.Check()
	}
	if !r.IsZero() {
		return fmt.Errorf("%w: a %s has no decimalisation table", ErrInput, u)
	}
	return nil
}

// offsetPrefix tells the rule apart from whatever else may once follow in the
// bound content of a key.
const offsetPrefix = "ibm 3624 rule 1"

// appendBound appends the rule to a key's bound content; nothing when there is
// none, so that keys of before have the binding they had.
func (r OffsetRule) appendBound(dst []byte) []byte {
	if r.IsZero() {
		return dst
	}
	dst = appendText(dst, offsetPrefix)
	dst = append(dst, r.Table[:]...)
	return append(dst, r.Start, r.Length, r.Pad)
}
