// SPDX-License-Identifier: Apache-2.0

// Package visabase1 is a dialect in the style of Visa's Base I, from public facts
// only: for tests and simulation.
//
// Promise: the header of 22 bytes, and that of a rejected message, are read and
// written field by field; fields 62, 63 and 126 are read by their own bitmaps.
//
// How: the 1987 table of part with numbers in BCD, text in EBCDIC and lengths in
// one binary byte; Header is what stands before the message.
// docs/dialects/visabase1.md says what is known.
//
// Imported by: iso8583/dialect. Imports: iso8583, its frame, internal/assert, its
// sibling part and moov-io/iso8583.
package visabase1
