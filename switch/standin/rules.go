// SPDX-License-Identifier: Apache-2.0

package standin

import (
	"slices"

	"tapswitch/internal/money"
	"tapswitch/switch/txn"
)

// Rules is what an issuer's mandate allows. Amounts are minor units of the one
// currency that the switch takes.
type Rules struct {
	MaxAmount money.MinorUnits // of one payment
	MaxCount  int              // payments of one card in a day
	MaxSum    money.MinorUnits // of one card in a day
	PINAbove  money.MinorUnits // a payment above it needs a PIN
	Types     [][4]byte        // merchant types (ISO 18245) that may; empty: all but Refused
	Refused   [][4]byte        // merchant types that may not
}

// Ask is what the rules look at.
type Ask struct {
	Amount money.MinorUnits
	Type   [4]byte // merchant type, zero when it is not known
	Chip   bool    // field 55 is there
	PIN    bool    // a PIN was entered
}

// Check is the ladder of the rules that need no counter: a Decline, or nil.
func (r Rules) Check(a Ask) error {
	switch {
	case !a.Chip:
		return txn.DeclineStandInChip
	case a.Amount > r.MaxAmount:
		return txn.DeclineStandInAmount
	case !r.allows(a.Type):
		return txn.DeclineStandInType
	case a.Amount > r.PINAbove && !a.PIN:
		return txn.DeclineStandInPIN
	}
	return nil
}

// allows says whether a merchant type may. With any list one that is not known
// may not.
func (r Rules) allows(t [4]byte) bool {
	switch {
	case len(r.Types)+len(r.Refused) == 0:
		return true
	case t == [4]byte{}, slices.Contains(r.Refused, t):
		return false
	}
	return len(r.Types) == 0 || slices.Contains(r.Types, t)
}

// Auth is the authorization code of an approval that the switch gave itself: an
// S, and the trace number in five digits to the base of 36. Field 38 has six
// letters and digits.
func Auth(n txn.STAN) (code [6]byte) {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	code[0] = 'S'
	for i := 5; i > 0; i-- {
		code[i] = digits[n%36]
		n /= 36
	}
	return code
}
