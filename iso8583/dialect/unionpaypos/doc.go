// SPDX-License-Identifier: Apache-2.0

// Package unionpaypos is the dialect UnionPay POS terminals speak to their POS
// centre: BCD digits, one binary bitmap of 64 fields, BCD lengths.
//
// Promise: the published sample messages of the dialect parse to their printed
// values and build to the same bytes.
//
// How: Spec is the moov specification, Marks what its fields mean, New compiles
// both. Variable numbers and tracks with an odd count of digits are filled on
// the right, fixed ones on the left, except field 22. What only an acquirer's
// own specification can settle is listed in docs/dialects/unionpaypos.md.
//
// Imported by: switch/translate, terminal/host, cmd. Imports: iso8583,
// internal/assert and moov-io/iso8583.
package unionpaypos
