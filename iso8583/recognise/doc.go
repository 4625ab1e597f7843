// SPDX-License-Identifier: Apache-2.0

// Package recognise says in which dialect and behind which framing a message
// most likely is, why, and where it stops making sense.
//
// Promise: a message that a dialect wrote names that dialect first, or tied with
// one that reads the same bytes as well; noise is nobody's. A guess carries its
// reasons, and no reason holds a byte of the message.
//
// How: every framing in question is taken off, every dialect reads what is left,
// and each reading collects evidence in bits: how much likelier the bytes are as
// that message than as noise of the same kind of characters. Whole readings come
// before broken ones. Nothing is learned from samples; the weights are those of
// dates, check digits, lengths and sparse bitmaps.
//
// Imported by: cmd. Imports: iso8583, iso8583/bertlv, iso8583/describe.
package recognise
