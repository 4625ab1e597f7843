// SPDX-License-Identifier: Apache-2.0

// Package money holds amounts as whole minor units of an ISO 4217 currency.
//
// Promise: no amount is ever a float, and amounts of two currencies never mix.
//
// How: Amount is a comparable value; arithmetic that could overflow or mix
// currencies returns an error.
//
// Imported by: switch/txn and everything that speaks of money. Imports: the
// standard library.
package money

import (
	"errors"
	"fmt"
)

// MinorUnits counts the smallest unit of a currency (fen, cent).
type MinorUnits int64

// Currency is the ISO 4217 numeric code, for example 156 for CNY.
type Currency uint16

// The currencies whose exponent is not two; everything else has two decimals
// (ISO 4217 table A.1, as far as the shipped dialects carry them).
const (
	CNY Currency = 156
	USD Currency = 840
	EUR Currency = 978
	JPY Currency = 392
	KRW Currency = 410
	KWD Currency = 414
)

// Max is the largest amount a 12-digit field carries (ISO 8583 DE 4).
const Max MinorUnits = 999_999_999_999

// ErrCurrency says that two currencies met in one sum.
var ErrCurrency = errors.New("money: amounts of different currencies")

// ErrRange says that a result does not fit in 12 digits.
var ErrRange = errors.New("money: amount beyond 12 digits")

// Amount is a sum of money in minor units.
type Amount struct {
	Minor    MinorUnits
	Currency Currency
}

// Add returns a+b; both must have the same currency.
func (a Amount) Add(b Amount) (Amount, error) {
	if a.Currency != b.Currency {
		return Amount{}, ErrCurrency
	}
	sum := a.Minor + b.Minor
	if sum > Max || sum < -Max {
		return Amount{}, ErrRange
	}
	return Amount{sum, a.Currency}, nil
}

// Exponent is the number of decimals of the currency (ISO 4217).
func (c Currency) Exponent() int {
	switch c {
	case JPY, KRW:
		return 0
	case KWD:
		return 3
	}
	return 2
}

// Code is the three-letter code of the currencies known here, or the number.
func (c Currency) Code() string {
	switch c {
	case CNY:
		return "CNY"
	case USD:
		return "USD"
	case EUR:
		return "EUR"
	case JPY:
		return "JPY"
	case KRW:
		return "KRW"
	case KWD:
		return "KWD"
	}
	return fmt.Sprintf("%03d", uint16(c))
}

// String prints the amount with its decimals and currency: "12.34 CNY".
func (a Amount) String() string {
	minor, sign := int64(a.Minor), ""
	if minor < 0 {
		minor, sign = -minor, "-"
	}
	digits := a.Currency.Exponent()
	if digits == 0 {
		return fmt.Sprintf("%s%d %s", sign, minor, a.Currency.Code())
	}
	unit := int64(1)
	for range digits {
		unit *= 10
	}
	return fmt.Sprintf("%s%d.%0*d %s", sign, minor/unit, digits, minor%unit, a.Currency.Code())
}
