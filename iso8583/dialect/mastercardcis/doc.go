// SPDX-License-Identifier: Apache-2.0

// Package mastercardcis is a dialect in the style of Mastercard's authorization
// interface, from public facts only: for tests and simulation.
//
// Promise: what moov-io/iso8583 packs with Spec, a Layout reads to the same
// values, and the other way round; field 48 is read element by element.
//
// How: the 1987 table of part with everything in EBCDIC, lengths as well, but for
// bitmaps and fields of bytes. Elements is field 48.
// docs/dialects/mastercardcis.md says what is known.
//
// Imported by: iso8583/dialect. Imports: iso8583, its frame, internal/assert, its
// sibling part and moov-io/iso8583.
package mastercardcis
