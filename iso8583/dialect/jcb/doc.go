// SPDX-License-Identifier: Apache-2.0

// Package jcb is a dialect in JCB's style, from public facts only: for tests and
// simulation.
//
// Promise: the published messages of the style parse to their printed values and
// build to the same bytes.
//
// How: the 1987 table of part with message type and text in EBCDIC, numbers in
// BCD, lengths in one binary byte. docs/dialects/jcb.md says what is known.
//
// Imported by: iso8583/dialect. Imports: iso8583, its frame, internal/assert, its
// sibling part and moov-io/iso8583.
package jcb
