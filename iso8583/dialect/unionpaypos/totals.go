// SPDX-License-Identifier: Apache-2.0

package unionpaypos

import "errors"

// Totals is one half of field 48 of a settlement (0500 and 0510): what payments
// of one kind of card come to, amounts in minor units, and the result digit.
type Totals struct {
	DebitMinor  uint64 // n12
	Debits      uint16 // n3
	CreditMinor uint64 // n12
	Credits     uint16 // n3
	Result      byte   // one of the results below, '0' in a request
}

// The results of a settlement, as the answer tells them for each half.
const (
	ResultNone     = '0'
	ResultBalanced = '1'
	ResultDiffers  = '2'
	ResultError    = '3'
)

// The bounds of what the field can say.
const (
	TotalsMaxCount = 999
	TotalsMaxMinor = 999_999_999_999
)

// ErrTotals says that field 48 is no pair of totals.
var ErrTotals = errors.New("unionpaypos: field 48 of a settlement must be 62 digits: amount 12, count 3, amount 12, count 3 and a result, twice")

// halfTotals is the length of one half.
const halfTotals = 31

// ParseTotals takes the text of field 48 apart: cards of the country's own
// scheme, and all others.
func ParseTotals(text []byte) (domestic, foreign Totals, err error) {
	if len(text) != 2*halfTotals {
		return domestic, foreign, ErrTotals
	}
	if !allDigits(text) {
		return domestic, foreign, ErrTotals
	}
	return parseHalf(text[:halfTotals]), parseHalf(text[halfTotals:]), nil
}

func parseHalf(b []byte) Totals {
	return Totals{DebitMinor: value(b[:12]), Debits: uint16(value(b[12:15])), CreditMinor: value(b[15:27]), Credits: uint16(value(b[27:30])), Result: b[30]}
}

func value(digits []byte) (n uint64) {
	for _, c := range digits {
		n = 10*n + uint64(c-'0')
	}
	return n
}

// AppendTotals appends the 62 digits of field 48. What is beyond its bounds is
// written as the highest number there is.
func AppendTotals(dst []byte, domestic, foreign Totals) []byte {
	return foreign.appendHalf(domestic.appendHalf(dst))
}

func (t Totals) appendHalf(dst []byte) []byte {
	dst = appendNumber(dst, min(t.DebitMinor, TotalsMaxMinor), 12)
	dst = appendNumber(dst, min(uint64(t.Debits), TotalsMaxCount), 3)
	dst = appendNumber(dst, min(t.CreditMinor, TotalsMaxMinor), 12)
	dst = appendNumber(dst, min(uint64(t.Credits), TotalsMaxCount), 3)
	if t.Result == 0 {
		return append(dst, ResultNone)
	}
	return append(dst, t.Result)
}

// appendNumber appends n in a fixed count of digits.
func appendNumber(dst []byte, n uint64, digits int) []byte {
	from := len(dst)
	for range digits {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; i >= from; i-- {
		dst[i] = '0' + byte(n%10)
		n /= 10
	}
	return dst
}
