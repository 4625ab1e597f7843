// SPDX-License-Identifier: Apache-2.0

// Package unionpayinterchange is the dialect in which UnionPay's switch and its
// member institutions speak: a header of 46 bytes, ASCII values, binary bitmaps.
//
// Promise: the header is read and written field by field, and a message's reject
// code says which of its fields was at fault.
//
// How: Spec is the moov specification, Header the 46 bytes before the message. The
// specification itself is licensed; docs/dialects/unionpayinterchange.md says
// what is known without it.
//
// Imported by: iso8583/dialect, switch/translate. Imports: iso8583,
// internal/assert, its sibling part and moov-io/iso8583.
package unionpayinterchange
